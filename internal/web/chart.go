package web

import (
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// A chart shows by day how many there were of something, as bars that a template draws.
type chart struct {
	Title, One, Many string // how one of them is called, and many
	Distinct         bool   // the same may be there on several days: they are not added up

	Bars          []bar
	Total, Most   int64
	Width, Height int
	From, To      time.Time
}

// A bar is one day.
type bar struct {
	Day                 time.Time
	Uses                int64
	X, Y, Width, Height int
}

// The size of a chart, in units of its own.
const (
	chartHeight = 100
	chartWidth  = 600
	minBar      = 4 // of a day with a use
)

// handsOut reports whether an entry about a secret with a version says that its value was handed
// out.
func handsOut(action string) bool {
	return action == "lease.create" || action == "lease.redeem" || action == "lease.use"
}

// usesByDay counts the entries of a log that say that a value was handed out.
func usesByDay(log vault.AuditPage, now time.Time) chart {
	first := vault.FirstDay(now, auditDays)
	counts := make([]int64, auditDays)
	for _, e := range log.Entries {
		day := int(e.At.UTC().Truncate(24*time.Hour).Sub(first) / (24 * time.Hour))
		if day < 0 || day >= auditDays || e.Outcome != "done" || e.Target.Version == 0 ||
			!handsOut(e.Action) {
			continue
		}
		counts[day]++
	}
	return newChart("Uses by day", "use", "uses", first, counts)
}

// newChart returns a chart of days in turn, of which there is one at least.
func newChart(title, one, many string, first time.Time, counts []int64) chart {
	step := chartWidth / len(counts)
	width := max(step*7/10, 1)
	c := chart{
		Title: title, One: one, Many: many, Bars: make([]bar, len(counts)),
		Width: chartWidth, Height: chartHeight,
		From: first, To: first.AddDate(0, 0, len(counts)-1),
	}
	for _, n := range counts {
		c.Total, c.Most = c.Total+n, max(c.Most, n)
	}
	for i, n := range counts {
		b := bar{
			Day: first.AddDate(0, 0, i), Uses: n, Width: width,
			X: i*chartWidth/len(counts) + (step-width)/2,
		}
		if n > 0 {
			b.Height = max(minBar, int(float64(n)/float64(c.Most)*(chartHeight-minBar)))
		}
		b.Y = chartHeight - b.Height
		c.Bars[i] = b
	}
	return c
}
