// Bench prints what the real binary does in a second, beside what it could do at most on the same
// machine in the same minute.
//
// It builds cmd/keysake, starts it as anybody would, and drives it over loopback from this process,
// which has one thread for that. The floors are measured in turn with it: bare net/http in a
// process of its own, which answers the same bytes to the same requests of the same driver, and
// bare SQLite transactions with the same schema, statements and settings, on a copy of the same
// database. In every second round the order is reversed, and every round begins with the database
// as it was filled.
//
// Absolute figures move from machine to machine and from minute to minute; the ratios of one run
// are what counts, and even they are printed and never asserted.
//
// The broker is measured beside a bare httputil.ReverseProxy, in a process of its own as well, and
// beside calls without anything between. All of them ask the same stand-in for a provider, over
// TLS. With -broker it is all that is measured.
//
// With -postgres a PostgreSQL is started, and pgbench is the floor: it sends the statements of a
// create to it.
//
//	go run ./test/bench [-postgres|-broker] [-rounds 5] [-time 1.25s] [-growth 1000,1000000] \
//		[-json FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// floorCommand makes this program the bare net/http server, which needs a process of its own as
// Keysake has one.
const floorCommand = "serve-floor"

func main() { load.Main("bench", run) }

// settings are what can be said on the command line.
type settings struct {
	rounds int           // 0: only growth is measured
	time   time.Duration // of one measurement
	warmUp time.Duration // before each
	users  int           // with a library
	growth []int         // how many secrets; empty: growth is not measured
	binary string        // empty: build it

	postgres bool   // beside its own floor
	broker   bool   // nothing but the broker
	streams  int    // how many are idle at the broker; 0: that is not measured
	json     string // file to write; empty for none
	dir      string // in which a folder is made for the data
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", 5, "how often each is measured; 0 for growth alone")
	flags.DurationVar(&s.time, "time", 1250*time.Millisecond, "length of one measurement")
	flags.DurationVar(&s.warmUp, "warm-up", time.Second, "time before each that is not counted")
	flags.IntVar(&s.users, "users", 1000, "users with secrets, and as many who get some")
	flags.Func("growth", "numbers of secrets to compare, as in 1000,100000,1000000",
		func(text string) (err error) { s.growth, err = parseSizes(text); return err })
	flags.BoolVar(&s.postgres, "postgres", false, "measure on PostgreSQL, beside pgbench")
	flags.BoolVar(&s.broker, "broker", false, "measure the broker alone, beside a bare proxy")
	flags.IntVar(&s.streams, "streams", 10_000, "how many streams are idle at the broker")
	flags.StringVar(&s.binary, "binary", "", "measure this binary instead of building one")
	flags.StringVar(&s.json, "json", "", "also write all samples to this file")
	flags.StringVar(&s.dir, "dir", "", "folder on the disk to measure (default: the temporary one)")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 || s.rounds < 0 || s.users < 1 || s.streams < 0 || s.time <= 0 ||
		s.warmUp <= 0 {
		return s, errors.New("the flags must be positive, and there are no arguments")
	}
	return s, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 {
		switch args[0] {
		case floorCommand:
			return serveFloor(os.Stdin, out)
		case providerCommand:
			return serveProvider(os.Stdin, out)
		case proxyCommand:
			return serveProxy(os.Stdin, out)
		}
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, "keysake-bench-")
	if err != nil {
		return err
	}
	b := &bench{settings: s, dir: dir, found: &figures.Run{Version: figures.Version}}
	if err := errors.Join(b.measure(ctx), os.RemoveAll(dir)); err != nil {
		return err
	}
	if s.json != "" {
		if err := b.found.Write(s.json); err != nil {
			return err
		}
	}
	return printTables(out, b.found)
}

// A bench is one run.
type bench struct {
	settings

	dir   string
	found *figures.Run
}

// measure builds, starts and drives everything.
func (b *bench) measure(ctx context.Context) error {
	b.found.At = time.Now().UTC().Truncate(time.Second)
	b.found.Machine = load.ThisMachine(ctx)
	b.found.Commit, b.found.Changed = load.ThisCommit(ctx)
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "keysake")
		if err := load.Build(ctx, b.binary); err != nil {
			return err
		}
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.found.Sizes = note(b.found.Sizes, binarySize, float64(info.Size()))
	if b.postgres {
		return b.measurePostgres(ctx)
	}
	if b.rounds > 0 && !b.broker {
		if err := b.measureRounds(ctx); err != nil {
			return err
		}
	}
	if b.rounds > 0 {
		if err := b.measureBroker(ctx); err != nil {
			return err
		}
	}
	if err := b.measureGrowth(ctx); err != nil {
		return err
	}
	b.found.Goals = goals(b.found)
	return nil
}

// note adds a figure to the measurement of a name.
func note(to []figures.Measurement, what string, value float64) []figures.Measurement {
	for i := range to {
		if to[i].What == what {
			to[i].Rounds = append(to[i].Rounds, value)
			return to
		}
	}
	return append(to, figures.Measurement{What: what, Rounds: []float64{value}})
}
