package main

import (
	"fmt"
	"strings"

	"github.com/keysake/keysake/test/figures"
)

// brokerTable has what was measured of the broker, beside a bare proxy and beside nothing.
func brokerTable(run *figures.Run) string {
	var rows [][]string
	for _, r := range run.Rows {
		if r.Side != figures.Keysake {
			continue
		}
		bare := figures.Find(run.Rows, figures.Bare, r.Work, r.Clients)
		direct := figures.Find(run.Rows, figures.Direct, r.Work, r.Clients)
		if direct == nil {
			continue
		}
		for _, f := range []struct {
			what string
			of   func(figures.Sample) float64
		}{
			{"a second", figures.PerSecond},
			{"p50, µs", figures.P50},
			{"p99, µs", figures.P99},
			{"processor time, µs", figures.Server},
		} {
			if r.Of(f.of).Median == 0 {
				continue
			}
			rows = append(rows, []string{
				named(r) + ": " + f.what, spread(r.Of(f.of)), spread(bare.Of(f.of)),
				spread(direct.Of(f.of)), orDash(figures.Ratio(r, bare, f.of)),
			})
		}
	}
	fewer := ""
	if run.Settings.Fewer != "" {
		fewer = " " + strings.ToUpper(run.Settings.Fewer[:1]) + run.Settings.Fewer[1:] + "."
	}
	return fmt.Sprintf("Medians of %d rounds of %s s each.%s\n\n%s",
		run.Settings.Rounds, figure(run.Settings.Seconds), fewer,
		table([]string{"what", "broker", "bare proxy", "direct", "broker / bare proxy"}, rows))
}
