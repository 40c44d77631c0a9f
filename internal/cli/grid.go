package cli

import (
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/keysake/keysake/wire"
)

// A grid is rows of cells for people. In a list, the first row is the heading.
type grid [][]string

// printGrid prints rows in aligned columns, within the width of a terminal. There the heading of a
// list is bold, unless NO_COLOR is set.
func (a *app) printGrid(rows grid) error {
	tty, onTerminal := a.stdout.(*os.File)
	onTerminal = onTerminal && term.IsTerminal(int(tty.Fd()))
	width := 0
	if onTerminal {
		width, _, _ = term.GetSize(int(tty.Fd())) // 0 is as wide as needed
	}
	lines := rows.lines(width)
	if onTerminal && rows.isList() && a.colours() {
		lines[0] = "\x1b[1m" + lines[0] + "\x1b[0m"
	}
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	return a.print(text.String())
}

// isList reports whether the first row is a heading.
func (g grid) isList() bool {
	return len(g) > 0 && len(g[0]) > 0 && strings.ToUpper(g[0][0]) == g[0][0]
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
