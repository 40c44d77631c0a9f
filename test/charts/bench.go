package main

import (
	"fmt"
	"time"

	"github.com/keysake/keysake/test/figures"
)

// A compared is our row beside its floor.
type compared struct {
	name        string
	ours, floor *figures.Row
}

// floorOf returns the row that bounds one of ours; nil for none.
func floorOf(rows []*figures.Row, r *figures.Row) *figures.Row {
	return figures.Find(rows, figures.NetHTTP, r.Work, r.Clients)
}

func compare(rows []*figures.Row) (all []compared) {
	for _, r := range rows {
		// What has no floor of its own but a way without it is in the broker's table.
		if r.Side == figures.Keysake &&
			figures.Find(rows, figures.Direct, r.Work, r.Clients) == nil {
			all = append(all, compared{named(r), r, floorOf(rows, r)})
		}
	}
	return all
}

func named(r *figures.Row) string {
	if r.Clients == 1 {
		return r.Work + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", r.Work, r.Clients)
}

func benchCharts(run *figures.Run, charts map[string]string) {
	charts["goals"] = goalsChart(run)
	charts["latency"] = latencyChart(run)
	charts["processor"] = processorChart(run)
}

func goalsChart(run *figures.Run) string {
	c := barChart{
		title: "How far each goal is reached",
		shows: "Each bar is what was found, divided by the goal; where less is better, the goal " +
			"divided by what was found. A bar that passes the line at 1 has reached its goal.",
		unit: "1 is the goal; more is better", mark: 1, log: true,
	}
	for _, g := range run.Goals {
		if g.Found <= 0 || g.Bound <= 0 {
			continue
		}
		part := part{value: g.Found / g.Bound}
		if !g.AtLeast {
			part.value = g.Bound / g.Found
		}
		if !g.Reached {
			part.colour = 2
		}
		c.bars = append(c.bars, bar{label: short(g.What), parts: parts(part), text: goalText(g)})
	}
	return c.draw()
}

func parts(p ...part) []part { return p }

// short cuts a label to what fits.
func short(label string) string {
	if runes := []rune(label); len(runes) > 44 {
		return string(runes[:43]) + "…"
	}
	return label
}

func goalText(g figures.Goal) string {
	return fmt.Sprintf("%s%s (%s)", figure(g.Found), unit(g.Unit), boundText(g))
}

func boundText(g figures.Goal) string {
	sign := "≤"
	if g.AtLeast {
		sign = "≥"
	}
	return fmt.Sprintf("%s %s%s", sign, figure(g.Bound), unit(g.Unit))
}

// unit writes a unit after its number: a rate without a space.
func unit(u string) string {
	if u == "" || u == "/s" {
		return u
	}
	return " " + u
}

func latencyChart(run *figures.Run) string {
	c := barChart{
		title: "How long an answer takes",
		shows: "From the median to the 99th percentile of each kind of request, ours and that of " +
			"bare net/http answering the same bytes.",
		unit: "µs, from p50 to p99", log: true, legend: []string{"Keysake", "bare net/http"},
	}
	c.bars = besideFloors(run.Rows, func(r *figures.Row, colour int) bar {
		p50, p99 := r.Of(figures.P50).Median, r.Of(figures.P99).Median
		return bar{
			parts: parts(part{p50, colour}), low: p50, high: p99,
			text: figure(p50) + " to " + figure(p99),
		}
	})
	return c.draw()
}

func processorChart(run *figures.Run) string {
	c := barChart{
		title: "Processor time of the server for a request",
		shows: "In the program itself and in the kernel, ours and that of bare net/http " +
			"answering the same bytes.",
		unit: "µs", legend: []string{"Keysake, own code", "kernel", "bare net/http, own code"},
	}
	c.bars = besideFloors(run.Rows, func(r *figures.Row, which int) bar {
		user := r.Of(func(s figures.Sample) float64 { return s.User }).Median
		system := r.Of(func(s figures.Sample) float64 { return s.System }).Median
		return bar{
			parts: parts(part{user, 2 * which}, part{system, 1}), text: figure(user + system),
		}
	})
	return c.draw()
}

// besideFloors returns the bar of each of our rows, and below it that of its floor, which is the
// second of the two. What was not measured has none.
func besideFloors(
	rows []*figures.Row, barOf func(r *figures.Row, which int) bar,
) (bars []bar) {
	for _, one := range compare(rows) {
		for which, r := range []*figures.Row{one.ours, one.floor} {
			if r == nil {
				continue
			}
			b := barOf(r, which)
			if b.sum() == 0 {
				continue
			}
			if which == 0 {
				b.label = one.name
			}
			bars = append(bars, b)
		}
	}
	return bars
}

func growthChart(run *figures.Run) string {
	c := lineChart{
		title: "What more stored secrets cost",
		shows: "Median and 99th percentile of each kind of request, by how many secrets there are.",
		unit:  "secrets stored", log: true,
	}
	for _, p := range []struct {
		title string
		of    func(figures.Sample) float64
	}{{"p50, µs", figures.P50}, {"p99, µs", figures.P99}} {
		panel := panel{title: p.title, log: true}
		for _, r := range run.Growth[0].Rows {
			if r.Side != figures.Keysake {
				continue
			}
			l := line{name: fmt.Sprintf("%s, %d", r.Work, r.Clients), dots: true}
			for _, size := range run.Growth {
				if found := figures.Find(size.Rows, r.Side, r.Work, r.Clients); found != nil {
					l.at = append(l.at, float64(size.Secrets))
					l.values = append(l.values, found.Of(p.of).Median)
				}
			}
			panel.lines = append(panel.lines, l)
		}
		c.panels = append(c.panels, panel)
	}
	return c.draw()
}

func day(at time.Time) string { return at.Format(time.DateOnly) }
