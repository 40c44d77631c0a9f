package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/keysake/keysake/test/figures"
)

// The names of what is measured beside the rows.
const (
	startNew     = "start, new"
	startFilled  = "start, filled"
	memoryIdle   = "idle"
	memoryLoaded = "after the load"
	binarySize   = "binary"
)

// goals compares what was measured with what the design asks for.
func goals(run *figures.Run) []figures.Goal {
	var all []figures.Goal
	hasBroker := figures.Find(run.Rows, figures.Keysake, calling, 1) != nil
	if hasBroker {
		all = append(all, brokerGoals(run)...)
	}
	if len(run.Rows) > 0 && (!hasBroker || run.Settings.Users > 0) {
		all = append(all, createGoals(run.Rows)...)
		all = append(all, readGoals(run.Rows)...)
		all = append(all, leaseGoals(run.Rows)...)
		all = append(all, processGoals(run)...)
	}
	return append(all, growthGoals(run.Growth)...)
}

func atLeast(what string, bound, found float64, unit string) figures.Goal {
	return figures.Goal{
		What: what, Bound: bound, AtLeast: true, Found: found, Unit: unit, Reached: found >= bound,
	}
}

func atMost(what string, bound, found float64, unit string) figures.Goal {
	return figures.Goal{
		What: what, Bound: bound, Found: found, Unit: unit, Reached: found > 0 && found <= bound,
	}
}

func createGoals(rows []*figures.Row) []figures.Goal {
	ours := func(clients int) *figures.Row {
		return figures.Find(rows, figures.Keysake, creating, clients)
	}
	one := figures.Find(rows, figures.SQLite, creating, 1).Of(figures.P50).Median +
		figures.Find(rows, figures.NetHTTP, creating, 1).Of(figures.P50).Median
	while := figures.Find(rows, figures.Keysake, rotating, clients16)
	return []figures.Goal{
		atLeast("create, 64 clients / SQLite, 64 a commit", 1, figures.Ratio(ours(64),
			figures.Find(rows, figures.SQLite, creating, 64), figures.PerSecond), ""),
		atMost("create, 64 clients, p99", 15, ours(64).Of(figures.P99).Median/1e3, "ms"),
		atMost("create, 1 client, p50 / (SQLite, 1 a commit + net/http)", 1.4,
			over(ours(1).Of(figures.P50).Median, one), ""),
		atMost("create, 16 clients, p99 while owner keys are rotated / p99", 3,
			figures.Ratio(while, ours(clients16), figures.P99), ""),
	}
}

func readGoals(rows []*figures.Row) []figures.Goal {
	ratio := func(work string) float64 {
		return figures.Ratio(figures.Find(rows, figures.Keysake, work, clients16),
			figures.Find(rows, figures.NetHTTP, work, clients16), figures.PerSecond)
	}
	lists := figures.Find(rows, figures.Keysake, listing, clients16).Of(figures.PerSecond).Median
	return []figures.Goal{
		atLeast("read, 16 clients / net/http", 0.6, ratio(reading), ""),
		atLeast("list of 50, 16 clients", 15_000, lists, "/s"),
		atLeast("or: list of 50, 16 clients / net/http", 0.25, ratio(listing), ""),
	}
}

func leaseGoals(rows []*figures.Row) (all []figures.Goal) {
	for _, work := range []string{leasing, redeeming} {
		row := figures.Find(rows, figures.Keysake, work, clients16)
		all = append(all,
			atLeast(work+", 16 clients", 1500, row.Of(figures.PerSecond).Median, "/s"),
			atMost(work+", 16 clients, p99", 30, row.Of(figures.P99).Median/1e3, "ms"))
	}
	return all
}

func processGoals(run *figures.Run) []figures.Goal {
	command := middle(run.Commands, commandRun) - middle(run.Commands, commandAlone)
	return []figures.Goal{
		atMost(fmt.Sprintf("start to first answer, %d secrets", run.Settings.Secrets), 100,
			middle(run.Starts, startFilled), "ms"),
		atMost(commandRun+", beyond true alone", 25, command, "ms"),
		atMost("memory, idle", 25, middle(run.Memory, memoryIdle)/1e6, "MB"),
		atMost("memory, after the load", 100, middle(run.Memory, memoryLoaded)/1e6, "MB"),
		atMost("binary, static, stripped", 25, middle(run.Sizes, binarySize)/1e6, "MB"),
	}
}

// brokerGoals compares the broker with a bare proxy, round by round.
func brokerGoals(run *figures.Run) []figures.Goal {
	row := func(side, work string, clients int) *figures.Row {
		return figures.Find(run.Rows, side, work, clients)
	}
	ours, bare, direct := row(figures.Keysake, calling, 1), row(figures.Bare, calling, 1),
		row(figures.Direct, calling, 1)
	var adds []float64
	for i := range min(len(ours.Rounds), len(bare.Rounds), len(direct.Rounds)) {
		without := direct.Rounds[i].P50
		adds = append(adds, over(ours.Rounds[i].P50-without, bare.Rounds[i].P50-without))
	}
	all := []figures.Goal{
		atLeast("call at the broker, 16 clients / bare proxy", 0.8, figures.Ratio(
			row(figures.Keysake, calling, clients16), row(figures.Bare, calling, clients16),
			figures.PerSecond), ""),
		atMost("call, 1 client, p50: what the broker adds / bare proxy", 1.3,
			figures.SpreadOf(adds...).Median, ""),
		atMost("first event at the broker, after the provider's, p50", 1,
			row(figures.Keysake, beginning, 1).Of(figures.P50).Median/1e3, "ms"),
	}
	for _, m := range run.Memory {
		count, found := strings.CutPrefix(m.What, idleStreams(figures.Keysake, ""))
		streams, err := strconv.Atoi(count)
		if !found || err != nil {
			continue
		}
		after := figures.SpreadOf(m.Rounds...).Median
		before := middle(run.Memory, "before "+m.What)
		all = append(all,
			atMost(fmt.Sprintf("memory, %d idle streams", streams),
				min(500, 500*float64(streams)/10_000), after/1e6, "MB"),
			atMost("memory of an idle stream", 64, (after-before)/float64(streams)/1024, "KiB"))
	}
	return all
}

// growthGoals compares the largest size with the smallest one.
func growthGoals(sizes []figures.Size) (all []figures.Goal) {
	if len(sizes) < 2 {
		return nil
	}
	first, last := sizes[0], sizes[len(sizes)-1]
	suffix := fmt.Sprintf(", %d secrets / %d", last.Secrets, first.Secrets)
	for _, row := range last.Rows {
		before := figures.Find(first.Rows, row.Side, row.Work, row.Clients)
		if row.Side != figures.Keysake || before == nil {
			continue
		}
		what := row.Work + ", " + clientCount(row.Clients)
		all = append(all,
			atMost(what+", p50"+suffix, 1.2, figures.Ratio(row, before, figures.P50), ""),
			atMost(what+", p99"+suffix, 2, figures.Ratio(row, before, figures.P99), ""))
	}
	at := fmt.Sprintf(", %d secrets", last.Secrets)
	return append(all,
		atMost("start to first answer"+at, 100, last.Start, "ms"),
		atMost("memory after the load"+at, 150, float64(last.Loaded)/1e6, "MB"))
}

// over returns a / b, and 0 where b was not measured.
func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func clientCount(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

// middle returns the median of a measurement; 0 for none.
func middle(all []figures.Measurement, what string) float64 {
	for _, m := range all {
		if m.What == what {
			return figures.SpreadOf(m.Rounds...).Median
		}
	}
	return 0
}
