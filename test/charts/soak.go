package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/keysake/keysake/test/figures"
)

// shownWorks are those that the chart shows: all would be too many lines.
var shownWorks = []string{"read", "list of 50", "create", "redeem", "audit"}

func soakChart(s *figures.Soak) string {
	c := lineChart{
		title: "The soak: mixed work at half of the peak rate",
		shows: "The 99th percentile of five kinds of request, memory, descriptors and " +
			"goroutines, and the journal, in windows of some seconds, after the warm-up.",
		unit: "minutes",
	}
	windows := slices.DeleteFunc(slices.Clone(s.Windows), func(w figures.Window) bool {
		return w.Second <= 0
	})
	values := func(name string, divisor float64, of func(figures.Window) float64) line {
		l := line{name: name}
		for _, w := range windows {
			l.at = append(l.at, w.Second/60)
			l.values = append(l.values, of(w)/divisor)
		}
		return l
	}
	p99 := panel{title: "p99 in a window, ms", log: true}
	for i, name := range s.Works {
		if slices.Contains(shownWorks, name) {
			p99.lines = append(p99.lines, values(name, 1000, func(w figures.Window) float64 {
				return w.P99[i]
			}))
		}
	}
	seen := func(name string, resource int, divisor float64) line {
		return values(name, divisor, func(w figures.Window) float64 { return w.Seen[resource] })
	}
	c.panels = []panel{
		p99,
		{title: "memory and journal, MB", lines: []line{
			seen("resident", figures.Resident, 1e6), seen("heap", figures.Heap, 1e6),
			seen("journal", figures.Journal, 1e6),
		}},
		{title: "goroutines and descriptors", lines: []line{
			seen("goroutines", figures.Goroutines, 1), seen("descriptors", figures.Descriptors, 1),
		}},
	}
	return c.draw()
}

func soakTables(s *figures.Soak) string {
	length := time.Duration(s.Seconds / float64(len(s.Parts)) * float64(time.Second))
	text := origin(s.Machine, day(s.At), s.Commit, s.Changed) + fmt.Sprintf(
		"\n%s requests in %s, at %s a second: half of the %s that %d users with %s secrets "+
			"get at most on that\nmachine. %d failed.\n\n", grouped(int64(s.Requests)),
		time.Duration(s.Seconds*float64(time.Second)).Round(time.Second), figure(s.Rate),
		figure(s.Peak), s.Users, grouped(int64(s.Secrets)), s.Failed,
	)
	head := []string{"p99, ms, in each " + length.Round(time.Second).String()}
	for i := range s.Parts {
		head = append(head, fmt.Sprint(i+1))
	}
	var rows [][]string
	for i, name := range s.Works {
		row := []string{name}
		for _, p := range s.Parts {
			row = append(row, figure(p.P99[i]/1000))
		}
		first, last := s.Parts[0].P99[i], s.Parts[len(s.Parts)-1].P99[i]
		rows = append(rows, append(row, orDash(last/max(first, 1))))
	}
	text += table(append(head, "last ÷ first"), rows) + "\n"
	rows = nil
	for _, t := range s.Trends {
		unit, divisor := t.Unit()
		rows = append(rows, []string{
			t.What, figure(t.Mean/divisor) + unit, figure(t.PerHour/divisor) + unit,
			fmt.Sprintf("%+.1f %%", 100*t.Change), t.Verdict,
		})
	}
	head = []string{"resource", "mean", "change in an hour", "change in that time", "so it"}
	return text + table(head, rows)
}
