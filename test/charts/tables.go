package main

import (
	"fmt"

	"github.com/keysake/keysake/test/figures"
)

func benchTables(run *figures.Run, tables map[string]string) {
	tables["goals"] = goalsTable(run)
	tables["rates"] = fmt.Sprintf(
		"Medians of %d rounds of %s s each, in brackets the smallest and the largest; %s secrets "+
			"of %s users at the\nbeginning of every round.\n\n%s", run.Settings.Rounds,
		figure(run.Settings.Seconds), grouped(int64(run.Settings.Secrets)),
		grouped(int64(run.Settings.Users)), ratesTable(run),
	)
	tables["once"] = onceTable(run)
	tables["broker"] = brokerTable(run)
}

// postgresTable has what was measured on PostgreSQL, and how far the goals there are reached.
func postgresTable(run *figures.Run) string {
	return fmt.Sprintf("%s\nMedians of %d rounds of %s s each.\n\n%s", goalsTable(run),
		run.Settings.Rounds, figure(run.Settings.Seconds), ratesTable(run))
}

// goalsTable says where and when a run was, and how far it reached each goal.
func goalsTable(run *figures.Run) string {
	var rows [][]string
	for _, g := range run.Goals {
		reached := "**no**"
		if g.Reached {
			reached = "yes"
		}
		rows = append(rows, []string{
			g.What, boundText(g), figure(g.Found) + unit(g.Unit), reached,
		})
	}
	return origin(run.Machine, day(run.At), run.Commit, run.Changed) + "\n" +
		table([]string{"what counts", "goal", "found", "reached"}, rows)
}

func ratesTable(run *figures.Run) string {
	var rows [][]string
	for _, one := range compare(run.Rows) {
		row := []string{one.name, spread(one.ours.Of(figures.PerSecond))}
		for _, of := range []func(figures.Sample) float64{
			figures.P50, figures.P99, figures.Server,
			func(s figures.Sample) float64 { return s.Mallocs },
		} {
			row = append(row, orDash(one.ours.Of(of).Median))
		}
		row = append(row, orDash(one.floor.Of(figures.PerSecond).Median),
			orDash(figures.Ratio(one.ours, one.floor, figures.PerSecond)))
		rows = append(rows, row)
	}
	for _, r := range run.Rows {
		if r.Side == figures.SQLite || r.Side == figures.Disk {
			rows = append(rows, []string{
				fmt.Sprintf("%s: %s, %d at once", r.Side, r.Work, r.Clients),
				spread(r.Of(figures.PerSecond)), orDash(r.Of(figures.P50).Median),
				orDash(r.Of(figures.P99).Median), "–", "–", "–", "–",
			})
		}
	}
	return table([]string{
		"work", "a second", "p50, µs", "p99, µs", "processor time, µs", "allocations",
		"bare net/http, a second", "ratio",
	}, rows)
}

func spread(s figures.Spread) string {
	if s.Min == s.Max {
		return figure(s.Median)
	}
	return fmt.Sprintf("%s [%s–%s]", figure(s.Median), figure(s.Min), figure(s.Max))
}

// orDash writes a figure that may not have been measured.
func orDash(v float64) string {
	if v == 0 {
		return "–"
	}
	return figure(v)
}

func growthTable(run *figures.Run) string {
	head := []string{"what"}
	for _, size := range run.Growth {
		head = append(head, grouped(int64(size.Secrets)))
	}
	var rows [][]string
	add := func(name string, of func(figures.Size) float64) {
		row := []string{name}
		for _, size := range run.Growth {
			row = append(row, orDash(of(size)))
		}
		rows = append(rows, row)
	}
	for _, r := range run.Growth[0].Rows {
		if r.Side != figures.Keysake {
			continue
		}
		for _, p := range []struct {
			name string
			of   func(figures.Sample) float64
		}{{"p50", figures.P50}, {"p99", figures.P99}} {
			add(named(r)+", "+p.name+", µs", func(s figures.Size) float64 {
				return figures.Find(s.Rows, r.Side, r.Work, r.Clients).Of(p.of).Median
			})
		}
	}
	add("start to first answer, ms", func(s figures.Size) float64 { return s.Start })
	for _, m := range []struct {
		name string
		of   func(figures.Size) int64
	}{
		{"memory after the start", func(s figures.Size) int64 { return s.Idle }},
		{"memory after the load", func(s figures.Size) int64 { return s.Loaded }},
		{"database", func(s figures.Size) int64 { return s.Database }},
	} {
		add(m.name+", MB", func(s figures.Size) float64 { return float64(m.of(s)) / 1e6 })
	}
	return origin(run.Machine, day(run.At), run.Commit, run.Changed) + "\n" + table(head, rows)
}

func onceTable(run *figures.Run) string {
	var rows [][]string
	for _, all := range []struct {
		measurements []figures.Measurement
		what, unit   string
		divisor      float64
	}{
		{run.Starts, "start to first answer, ", " ms", 1},
		{run.Memory, "resident memory, ", " MB", 1e6},
		{run.Sizes, "size, ", " MB", 1e6},
		{run.Commands, "", " ms", 1},
	} {
		for _, m := range all.measurements {
			s := figures.SpreadOf(m.Rounds...)
			s.Min, s.Median, s.Max = s.Min/all.divisor, s.Median/all.divisor, s.Max/all.divisor
			rows = append(rows, []string{all.what + m.What, spread(s) + all.unit})
		}
	}
	return table([]string{"what", "found"}, rows)
}
