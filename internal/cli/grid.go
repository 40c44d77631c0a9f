package cli

import (
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keysake/keysake/wire"
)

// A grid is rows of cells for people. In a list, the first row is the heading.
type grid [][]string

// printGrid prints rows in aligned columns.
func (a *app) printGrid(rows grid) error {
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
	return a.print(aligned.String())
}

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
