// Bench prints what the real binary does in a second, beside what it could do at most on the same
// machine in the same minute.
//
// It builds cmd/keysake, starts it as anybody would, and drives it over loopback from this process,
// at 64, 16 and 1 clients. The floors stand beside every row: bare net/http that answers the same
// bytes to the same requests from a process of its own, and a bare SQLite transaction with the same
// schema, statements and pragmas. Absolute figures move from machine to machine and from minute to
// minute; the ratios of one run are what counts, and even they are printed and never asserted.
//
//	go run ./test/bench [-time 1.5s] [-rounds 3] [-users 1000] [-binary PATH]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/keysake/keysake/test/load"
)

// floorCommand makes this program the bare net/http server, which needs a process of its own as
// Keysake has one.
const floorCommand = "serve-floor"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what can be said on the command line.
type settings struct {
	time   time.Duration // of one measurement
	rounds int           // of which the median counts
	users  int
	binary string // empty: build it
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 1 && args[0] == floorCommand {
		return serveFloor(in, out)
	}
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.DurationVar(&s.time, "time", 1500*time.Millisecond, "length of one measurement")
	flags.IntVar(
		&s.rounds, "rounds", 3, "measurements of each kind, in turn; the median is printed",
	)
	flags.IntVar(&s.users, "users", 1000, "users among whom the work is spread")
	flags.StringVar(
		&s.binary, "binary", "",
		"a keysake to measure, in place of the one that is built from the source here",
	)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.time <= 0 || s.rounds <= 0 || s.users <= 0 || flags.NArg() > 0 {
		return errors.New("the flags must be positive, and there are no arguments")
	}
	dir, err := os.MkdirTemp("", "keysake-bench-")
	if err != nil {
		return err
	}
	found, err := measure(ctx, s, dir)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	return found.print(out)
}

// measure builds, starts and drives everything, in the folder dir.
func measure(ctx context.Context, s settings, dir string) (*findings, error) {
	found := &findings{settings: s}
	binary := s.binary
	if binary == "" {
		binary = filepath.Join(dir, "keysake")
		if err := load.Build(ctx, binary); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	found.binary = info.Size()

	data := filepath.Join(dir, "data")
	server, err := load.StartServer(ctx, binary, data)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	found.firstStart, found.idle = server.Startup, server.Memory()
	if found.command, err = measureCommand(ctx, binary, server); err != nil {
		return nil, err
	}
	if err := measureLoad(ctx, s, dir, binary, server, found); err != nil {
		return nil, err
	}
	if err := measureLeases(ctx, s, server, found); err != nil {
		return nil, err
	}
	found.loaded = server.Memory()
	if err := server.Stop(); err != nil {
		return nil, err
	}
	again, err := load.StartServer(ctx, binary, data)
	if err != nil {
		return nil, err
	}
	defer again.Kill()
	found.laterStart = again.Startup
	return found, again.Stop()
}

// measureLoad fills the server, starts the floors and measures all of them in turn, so that a slow
// minute of the machine meets each alike.
func measureLoad(
	ctx context.Context, s settings, dir, binary string, server *load.Process, found *findings,
) error {
	lib, err := fill(ctx, server, s.users)
	if err != nil {
		return err
	}
	floor, err := startFloor(ctx, lib.samples)
	if err != nil {
		return err
	}
	defer floor.Kill()
	bare, err := openBare(
		ctx, filepath.Join(dir, "data", "keysake.db"), filepath.Join(dir, "bare.db"), s.users,
	)
	if err != nil {
		return err
	}
	defer bare.close()
	jobs, floorJobs := lib.jobs(), lib.jobs()
	for round := range s.rounds {
		for i := range jobs {
			if err := measureJob(ctx, s, server, floor, jobs[i], floorJobs[i], found); err != nil {
				return err
			}
		}
		one, err := measureRotation(ctx, s, binary, server, jobs[0], round)
		if err != nil {
			return fmt.Errorf("create while the root key is rotated: %w", err)
		}
		found.add(rotating, rotatingClients, one)
		for _, gathered := range []int{64, 1} {
			one, err := bare.measure(ctx, gathered, s.time)
			if err != nil {
				return fmt.Errorf("bare SQLite: %w", err)
			}
			found.add("SQLite", gathered, one)
		}
	}
	found.secrets = lib.size() + found.requests(jobs[0].name) + found.requests(rotating)
	return nil
}

// measureJob measures one kind of work at each number of clients, and right after it the floor of
// each.
func measureJob(
	ctx context.Context, s settings, server, floor *load.Process, j, floorJob job, found *findings,
) error {
	for _, clients := range []int{64, 16, 1} {
		one, err := drive(ctx, server, clients, s.time, j)
		if err != nil {
			return fmt.Errorf("%s, %d clients: %w", j.name, clients, err)
		}
		found.add(j.name, clients, one)
		if one, err = drive(ctx, floor, clients, s.time, floorJob); err != nil {
			return fmt.Errorf("net/http, %s, %d clients: %w", j.name, clients, err)
		}
		found.add("net/http "+j.name, clients, one)
	}
	return nil
}
