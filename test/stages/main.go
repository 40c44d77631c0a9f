// Stages tells where the processor time of a request goes. It serves and asks in one process, takes
// a profile of each kind of request, and adds up the samples by the package in which they were
// taken: the innermost one of which a stage is made.
//
//	go run ./test/stages [-time 3s] [-clients 16] [-users 64] [-secrets 50] [-json FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

func main() { load.Main("stages", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("stages", flag.ContinueOnError)
	length := flags.Duration("time", 3*time.Second, "how long each kind of request is measured")
	clients := flags.Int("clients", 16, "requests at once")
	var large size
	flags.IntVar(&large.users, "users", 64, "users, who are served in turn")
	flags.IntVar(&large.each, "secrets", 50, "secrets of each user")
	path := flags.String("json", "", "also write what was found to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *length <= 0 || min(*clients, large.users, large.each) <= 0 || flags.NArg() > 0 {
		return errors.New("the flags must be positive, and there are no arguments")
	}
	dir, err := os.MkdirTemp("", "keysake-stages-")
	if err != nil {
		return err
	}
	found := &figures.Stages{
		Version: figures.Version, At: time.Now().UTC(), Machine: load.ThisMachine(ctx),
		Clients: *clients,
	}
	found.Commit, found.Changed = load.ThisCommit(ctx)
	for _, s := range stages {
		found.Names = append(found.Names, s.name)
	}
	found.Works, err = measure(ctx, dir, large, *clients, *length)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	print(out, found)
	if *path == "" {
		return nil
	}
	return found.Write(*path)
}

func print(out io.Writer, s *figures.Stages) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "µs a request\t")
	for _, one := range s.Works {
		fmt.Fprintf(w, "%s\t", one.Work)
	}
	for i, name := range s.Names {
		fmt.Fprintf(w, "\n%s\t", name)
		for _, one := range s.Works {
			fmt.Fprintf(w, "%.1f\t", one.Micros[i])
		}
	}
	fmt.Fprintln(w)
	_ = w.Flush() // what print cannot write, nobody reads
}
