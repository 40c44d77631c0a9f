// Primary tells how far one PostgreSQL goes. It measures what a run costs a real one: the processor
// time of all its processes, and its log. With these two figures it simulates a primary of so many
// cores in the first seconds of a full hour, when all schedulers start their runs.
//
//	go run ./test/primary [-runs 5000] [-rate 5000] [-seconds 20] [-connections 64]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/keysake/keysake/test/load"
)

func main() { load.Main("primary", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("primary", flag.ContinueOnError)
	runs := flags.Int("runs", 5000, "how many runs are measured")
	rate := flags.Float64("rate", 5000, "how many runs start in a second")
	seconds := flags.Int("seconds", 20, "how many seconds are simulated")
	connections := flags.Int("connections", 64, "connections of all servers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if min(*runs, *seconds, *connections) < 1 || *rate <= 0 || flags.NArg() > 0 {
		return errors.New("the flags must be positive, and there are no arguments")
	}
	c, err := measure(ctx, *runs)
	if err != nil {
		return err
	}
	m := model{
		cost: c, rate: *rate, length: time.Duration(*seconds) * time.Second, users: 1_000_000,
		connections: *connections, trip: 200 * time.Microsecond, flush: 500 * time.Microsecond,
		disk: 500e6,
	}
	text := fmt.Sprintf(`Measured, %d runs: %v of processor time and %.1f kB of log for each.
%.0f runs a second: %.1f cores and %.0f MB of log a second. Half of the cores are left for all else.
Simulated: %v, %d users, %d connections, %v on the network, %v for the disk.

cores	busy	p50	p99	most that wait	late by at the end
`, *runs, c.processor.Round(10*time.Microsecond), c.log/1e3, m.rate, m.rate*c.processor.Seconds(),
		m.rate*c.log/1e6, m.length, m.users, m.connections, m.trip, m.flush)
	for _, cores := range []int{2, 4, 8, 16, 32} {
		m.cores = max(1, cores/2)
		f := m.simulate()
		text += fmt.Sprintf("%d\t%.0f %%\t%v\t%v\t%d\t%v\n", cores, 100*f.busy, f.p50, f.p99,
			f.waiting, f.late)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Flush()
}
