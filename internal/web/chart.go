package web

import (
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// A chart shows uses by day, as bars that a template draws.
type chart struct {
	Bars          []bar
	Total, Most   int
	Width, Height int
	From, To      time.Time
}

// A bar is one day.
type bar struct {
	Day                 time.Time
	Uses                int
	X, Y, Width, Height int
}

// The size of a chart, in units of its own.
const (
	chartHeight = 100
	barWidth    = 14
	barStep     = 20
	minBar      = 4 // of a day with a use
)

// handsOut reports whether an entry about a secret with a version says that its value was handed
// out.
func handsOut(action string) bool {
	return action == "lease.create" || action == "lease.redeem" || action == "lease.use"
}

// usesByDay counts the entries of a log that say that a value was handed out.
func usesByDay(log vault.AuditPage, now time.Time) chart {
	today := now.UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-auditDays)
	c := chart{
		Bars: make([]bar, auditDays), Width: auditDays * barStep, Height: chartHeight,
		From: first, To: today,
	}
	for _, e := range log.Entries {
		day := int(e.At.UTC().Truncate(24*time.Hour).Sub(first) / (24 * time.Hour))
		if day < 0 || day >= auditDays || e.Outcome != "done" || e.Target.Version == 0 ||
			!handsOut(e.Action) {
			continue
		}
		c.Bars[day].Uses++
		c.Total++
		c.Most = max(c.Most, c.Bars[day].Uses)
	}
	for i := range c.Bars {
		b := &c.Bars[i]
		b.Day, b.X, b.Width = first.AddDate(0, 0, i), i*barStep+(barStep-barWidth)/2, barWidth
		if b.Uses > 0 {
			b.Height = max(minBar, b.Uses*(chartHeight-minBar)/c.Most)
		}
		b.Y = chartHeight - b.Height
	}
	return c
}
