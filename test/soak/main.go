// Soak asks the real binary for mixed work at a constant rate, half of what it can do at most, for
// an hour, and tells whether anything grew that should not: memory, goroutines, descriptors, the
// journal, or the time of the slowest requests.
//
// The library stays as large as it is: what is created is deleted, what is granted is redeemed, and
// API keys that are made are revoked. The audit log and the list of leases grow, as they should.
// Any request that fails makes the soak fail, and so does what doctor finds in the data afterwards.
//
//	go run ./test/soak [-time 1h] [-warm 5m] [-every 10s] [-users 1000] [-rate N] [-json FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

func main() { load.Main("soak", run) }

// settings are what can be said on the command line.
type settings struct {
	time, warm, every, peak time.Duration
	users                   int
	rate                    float64
	binary, json            string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&s.time, "time", time.Hour, "how long, after the warm-up")
	flags.DurationVar(&s.warm, "warm", 5*time.Minute, "warm-up at the same rate, not counted")
	flags.DurationVar(&s.every, "every", 10*time.Second, "length of a window")
	flags.DurationVar(&s.peak, "peak", 10*time.Second, "how long the peak rate is measured")
	flags.IntVar(&s.users, "users", 1000, "users, with 50 secrets each")
	flags.Float64Var(&s.rate, "rate", 0, "requests a second; 0: half of the peak rate")
	flags.StringVar(&s.binary, "binary", "", "the server; empty: one built from the source here")
	flags.StringVar(&s.json, "json", "", "also write all windows to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if min(s.time, s.every, s.peak) <= 0 || s.warm < 0 || s.users <= 0 || s.rate < 0 ||
		flags.NArg() > 0 {
		return errors.New("the flags must be positive, and there are no arguments")
	}
	dir, err := os.MkdirTemp("", "keysake-soak-")
	if err != nil {
		return err
	}
	found, err := measure(ctx, s, dir, out)
	err = errors.Join(err, os.RemoveAll(dir))
	if found == nil {
		return err
	}
	print(out, found)
	if s.json != "" {
		err = errors.Join(err, found.Write(s.json))
	}
	return errors.Join(err, judge(found))
}

// measure builds, starts, fills and drives the server, in the folder dir.
func measure(ctx context.Context, s settings, dir string, out io.Writer) (*figures.Soak, error) {
	binary := s.binary
	if binary == "" {
		binary = filepath.Join(dir, "keysake")
		if err := load.Build(ctx, binary); err != nil {
			return nil, err
		}
	}
	server, err := load.StartServer(ctx, binary, filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	fmt.Fprintf(out, "filling: %d secrets of %d users\n", s.users*each, s.users)
	lib, err := fill(ctx, server, s.users)
	if err != nil {
		return nil, err
	}
	p := newPacer(server, lib)
	found, err := soak(ctx, s, p, out)
	if err != nil {
		return found, err
	}
	if err := server.Stop(); err != nil {
		return found, err
	}
	return found, doctor(ctx, binary, server.Data)
}

// soak measures the peak rate, and then drives the server at half of it.
func soak(ctx context.Context, s settings, p *pacer, out io.Writer) (*figures.Soak, error) {
	found := &figures.Soak{
		Version: figures.Version, At: time.Now().UTC(), Machine: load.ThisMachine(ctx),
		Seconds: s.time.Seconds(), WarmUp: s.warm.Seconds(), Rate: s.rate,
		Users: s.users, Secrets: s.users*each + waiting,
	}
	found.Commit, found.Changed = load.ThisCommit(ctx)
	for _, w := range works {
		found.Works = append(found.Works, w.name)
	}
	found.Works = append(found.Works, lateness)
	if _, err := p.run(ctx, 0, s.peak/5); err != nil { // what comes first is not counted
		return nil, err
	}
	peak, err := p.run(ctx, 0, s.peak)
	if err != nil {
		return nil, err
	}
	found.Peak = math.Round(peak)
	if s.rate == 0 {
		found.Rate = math.Round(peak / 2)
	}
	fmt.Fprintf(out, "peak: %.0f requests a second with %d clients; now %.0f a second for %v\n",
		peak, clients, found.Rate, s.warm+s.time)
	w := newWatch(p, found)
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- w.run(watching, s.every) }()
	_, err = p.run(ctx, found.Rate, s.warm+s.time)
	stop()
	err = errors.Join(err, <-watched)
	w.finish()
	found.Errors, found.Failed = p.errors, p.failed.Load()
	return found, err
}

// doctor checks what the soak left behind. It would find that a root key is beside its data, as it
// is in development, so that is moved away.
func doctor(ctx context.Context, binary, data string) error {
	key := data + ".root-key"
	if err := os.Rename(filepath.Join(data, "root.key"), key); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, binary, "doctor", "--data", data,
		"--root-key", "file:"+key, "--keys", filepath.Join(data, "keysake.keys"))
	cmd.Env = []string{} // no setting but these
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("doctor: %w\n%s", err, out)
	}
	return nil
}
