package cli

import (
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/keysake/keysake/wire"
)

// A grid is rows of cells for people. In a list, the first row is the heading.
type grid [][]string

// printGrid prints rows in aligned columns. On a terminal that is too narrow, the ids of a list are
// left out: names do. There its heading is bold, unless NO_COLOR is set.
func (a *app) printGrid(rows grid) error {
	tty, onTerminal := a.stdout.(*os.File)
	onTerminal = onTerminal && term.IsTerminal(int(tty.Fd()))
	if onTerminal {
		if width, _, err := term.GetSize(int(tty.Fd())); err == nil {
			rows = rows.within(width)
		}
	}
	var aligned strings.Builder
	w := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = escape(cell)
		}
		if _, err := w.Write([]byte(strings.Join(cells, "\t") + "\n")); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	text := aligned.String()
	if head, rest, _ := strings.Cut(text, "\n"); onTerminal && rows.isList() && a.colours() {
		text = "\x1b[1m" + head + "\x1b[0m\n" + rest
	}
	return a.print(text)
}

// isList reports whether the first row is a heading.
func (g grid) isList() bool {
	return len(g) > 0 && len(g[0]) > 0 && strings.ToUpper(g[0][0]) == g[0][0]
}

// within returns a list without its column of ids if it is wider than that.
func (g grid) within(width int) grid {
	if !g.isList() || g[0][len(g[0])-1] != "ID" {
		return g
	}
	columns := make([]int, len(g[0]))
	for _, row := range g {
		for i, cell := range row {
			columns[i] = max(columns[i], utf8.RuneCountInString(escape(cell)))
		}
	}
	total := 2 * (len(columns) - 1)
	for _, n := range columns {
		total += n
	}
	if total <= width {
		return g
	}
	narrow := make(grid, len(g))
	for i, row := range g {
		narrow[i] = row[:len(row)-1]
	}
	return narrow
}

// colours reports whether a terminal may get them: https://no-color.org.
func (a *app) colours() bool { return a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" }

// orDash returns the cell for s: a hyphen if s is empty.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// formatTime returns the cell for an optional time, in UTC.
func formatTime(t *wire.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(timeLayout)
}

const timeLayout = time.DateTime + "Z"

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
