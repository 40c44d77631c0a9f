package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/keysake/keysake/test/figures"
)

// printTables writes everything for people.
func printTables(out io.Writer, run *figures.Run) error {
	fmt.Fprintf(out, "%s, %s, %d cores, %s, commit %s\n", run.Machine.Kernel, run.Machine.CPU,
		run.Machine.Cores, run.Machine.Go, commitName(run))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if s := run.Settings; s.Rounds > 0 {
		fmt.Fprintf(out, "%d rounds of %gs after %gs", s.Rounds, s.Seconds, s.WarmUp)
		if s.Users > 0 {
			fmt.Fprintf(out, ", each on a copy of %d secrets of %d users, filled in %.1fs",
				s.Secrets, s.Users, s.FillTook)
		}
		if s.Fewer != "" {
			fmt.Fprint(out, "; "+s.Fewer)
		}
		fmt.Fprint(out, "\n\n")
		printRows(w, run.Rows)
		printMeasurements(w, run)
	}
	for _, size := range run.Growth {
		fmt.Fprintf(w, "\n%d secrets of %d users, filled in %.1fs, database %.0f MB, "+
			"start %.1f ms, memory idle %.1f MB, after the load %.1f MB\n",
			size.Secrets, size.Users, size.FillTook, float64(size.Database)/1e6, size.Start,
			float64(size.Idle)/1e6, float64(size.Loaded)/1e6)
		printRows(w, size.Rows)
	}
	printGoals(w, run.Goals)
	return w.Flush()
}

func commitName(run *figures.Run) string {
	switch {
	case run.Commit == "":
		return "unknown"
	case run.Changed:
		return fmt.Sprintf("%.12s and changes", run.Commit)
	}
	return fmt.Sprintf("%.12s", run.Commit)
}

// printRows writes rows: of each figure the least, the median and the largest of all rounds.
func printRows(w io.Writer, rows []*figures.Row) {
	fmt.Fprintln(w, "work\tclients\tof\ta second\tp50 µs\tp99 µs\tCPU µs, user\tsystem\t"+
		"driver\tallocations\t")
	for _, r := range rows {
		clients := fmt.Sprint(r.Clients)
		if r.Side == figures.SQLite {
			clients += " a commit"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Work, clients, r.Side,
			spread(r.Of(figures.PerSecond)), spread(r.Of(figures.P50)), spread(r.Of(figures.P99)),
			known(r, func(s figures.Sample) float64 { return s.User }),
			known(r, func(s figures.Sample) float64 { return s.System }),
			known(r, func(s figures.Sample) float64 { return s.Driver }),
			known(r, func(s figures.Sample) float64 { return s.Mallocs }))
	}
}

func spread(s figures.Spread) string {
	return fmt.Sprintf("%.0f/%.0f/%.0f", s.Min, s.Median, s.Max)
}

// known returns the median of a figure, and a dash where it is unknown.
func known(r *figures.Row, figure func(figures.Sample) float64) string {
	median := r.Of(figure).Median
	if median == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", median)
}

// printMeasurements writes what is measured beside the rows.
func printMeasurements(w io.Writer, run *figures.Run) {
	for _, list := range []struct {
		title string
		of    []figures.Measurement
		unit  float64
	}{
		{"start to first answer, ms", run.Starts, 1},
		{"a command, ms", run.Commands, 1},
		{"resident memory, MB", run.Memory, 1e6},
		{"size, MB", run.Sizes, 1e6},
	} {
		fmt.Fprintf(w, "\n%s\tleast\tmedian\tlargest\t\n", list.title)
		for _, m := range list.of {
			s := figures.SpreadOf(m.Rounds...)
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t\n", m.What, s.Min/list.unit, s.Median/list.unit,
				s.Max/list.unit)
		}
	}
}

func printGoals(w io.Writer, goals []figures.Goal) {
	fmt.Fprintln(w, "\nwhat counts\tgoal\there\t\t")
	for _, g := range goals {
		sign, word := "≤", "missed"
		if g.AtLeast {
			sign = "≥"
		}
		if g.Reached {
			word = "reached"
		}
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t\n", g.What, sign, amount(g.Bound, g.Unit),
			amount(g.Found, g.Unit), word)
	}
}

// amount writes a figure of a goal with its unit.
func amount(value float64, unit string) string {
	switch unit {
	case "/s":
		return fmt.Sprintf("%.0f/s", value)
	case "":
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
