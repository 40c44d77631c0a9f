package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

const (
	// readerPrefix begins the names of the users who have secrets, and writerPrefix those of the
	// users who get some.
	readerPrefix = "reader-"
	writerPrefix = "writer-"
	// perReader is how many secrets a reader has, and so how long a list is.
	perReader = 50
	// sparesPerReader is how many API keys of a reader may be revoked.
	sparesPerReader = 5
	// clients16 is how many clients there are where only one number is measured.
	clients16 = 16
	// tickets, and deletions, are for so many a second at most: then the measurement ends early.
	finite = 2500
)

// measureRounds fills a database and measures everything in rounds, each on a copy of it.
func (b *bench) measureRounds(ctx context.Context) error {
	filled, err := newHome(filepath.Join(b.dir, "filled"))
	if err != nil {
		return err
	}
	began := time.Now()
	lib, err := b.fillHome(ctx, filled)
	if err != nil {
		return err
	}
	b.found.Settings = figures.Settings{
		Rounds: b.rounds, Seconds: b.time.Seconds(), WarmUp: b.warmUp.Seconds(), Users: b.users,
		Secrets: lib.secrets(), FillTook: time.Since(began).Seconds(), DriveProc: 1,
	}
	floor, err := startFloor(ctx, lib.samples)
	if err != nil {
		return err
	}
	defer floor.Kill()
	for i := range b.rounds {
		r := &round{
			bench: b, number: i, lib: lib, creates: lib.creates(), floor: floor,
			home: home{filepath.Join(b.dir, "round")},
		}
		if err := r.run(ctx, filled); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	return nil
}

// fillHome makes the users and what they have. Half of them get secrets only while it is measured.
func (b *bench) fillHome(ctx context.Context, h home) (*library, error) {
	server, err := h.start(ctx, b.binary)
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	b.found.Starts = note(b.found.Starts, startNew, figures.Millis(server.Startup))
	if err := b.measureCommand(ctx, server); err != nil {
		return nil, err
	}
	f, lib, err := newFiller(ctx, server)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var tokens []string
	tokens, lib.spare, err = f.users(ctx, readerPrefix, b.users, sparesPerReader)
	if err == nil {
		lib.writers, _, err = f.users(ctx, writerPrefix, b.users, 0)
	}
	if err == nil {
		err = f.fill(ctx, lib, tokens, perReader)
	}
	return lib, errors.Join(err, server.Stop())
}

// A round measures everything once, on a copy of the filled database.
type round struct {
	*bench

	number  int
	lib     *library
	creates job // of this round: it makes no secret twice
	home    home
	server  *load.Process
	floor   *load.Process // bare net/http
	bare    *bare
}

func (r *round) run(ctx context.Context, filled home) error {
	if err := filled.copyTo(ctx, r.home); err != nil {
		return err
	}
	path := filepath.Join(r.dir, "bare.db")
	if err := copyFiles(ctx, filled.database(), path, path); err != nil {
		return err
	}
	var err error
	if r.bare, err = openBare(path, writerPrefix); err != nil {
		return err
	}
	defer r.bare.close()
	if r.server, err = r.home.start(ctx, r.binary); err != nil {
		return err
	}
	defer r.server.Kill()
	r.found.Starts = note(r.found.Starts, startFilled, figures.Millis(r.server.Startup))
	time.Sleep(idleAfter)
	r.noteMemory(memoryIdle)
	for _, step := range []func(context.Context) error{
		r.measureCreates, r.measureReads, r.measureLeases, r.measureEnds, r.measureLast,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return r.server.Stop()
}

// idleAfter is how long after its first answer a server is idle.
const idleAfter = 500 * time.Millisecond

func (r *round) noteMemory(when string) {
	r.found.Memory = note(r.found.Memory, when, float64(r.server.Memory()))
}

// A side is one of those that are measured in turn.
type side struct {
	name    string
	measure func() (figures.Sample, error)
}

// inTurn measures sides one after the other, in every second round the last one first.
func (r *round) inTurn(work string, clients int, sides ...side) error {
	if r.number%2 == 1 {
		slices.Reverse(sides)
	}
	for _, s := range sides {
		sample, err := s.measure()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r.found.Rows = figures.Add(r.found.Rows, s.name, work, clients, sample)
	}
	return nil
}

// ours and bareHTTP are sides that a job drives.
func (r *round) ours(ctx context.Context, clients int, j job) side {
	return side{figures.Keysake, func() (figures.Sample, error) {
		return r.drive(ctx, r.server, clients, j)
	}}
}

func (r *round) bareHTTP(ctx context.Context, clients int, j job) side {
	return side{figures.NetHTTP, func() (figures.Sample, error) {
		return r.drive(ctx, r.floor, clients, j)
	}}
}

func (r *round) measureCreates(ctx context.Context) error {
	floor := r.lib.creates()
	for _, clients := range []int{64, clients16, 1} {
		sides := []side{r.ours(ctx, clients, r.creates), r.bareHTTP(ctx, clients, floor)}
		if clients != clients16 {
			sides = append(sides, side{figures.SQLite, func() (figures.Sample, error) {
				return r.bare.measure(clients, r.warmUp, r.time)
			}})
		}
		if err := r.inTurn(creating, clients, sides...); err != nil {
			return err
		}
	}
	r.noteMemory("after creates")
	return r.inTurn(syncing, 1, side{figures.Disk, func() (figures.Sample, error) {
		return measureDisk(r.dir, r.time/2)
	}})
}

func (r *round) measureReads(ctx context.Context) error {
	for _, clients := range []int{64, clients16, 1} {
		err := r.inTurn(reading, clients, r.ours(ctx, clients, r.lib.reads()),
			r.bareHTTP(ctx, clients, r.lib.reads()))
		if err != nil {
			return err
		}
	}
	r.noteMemory("after reads")
	err := r.inTurn(listing, clients16, r.ours(ctx, clients16, r.lib.lists()),
		r.bareHTTP(ctx, clients16, r.lib.lists()))
	r.noteMemory("after lists")
	return err
}

func (r *round) measureLeases(ctx context.Context) error {
	if err := r.inTurn(leasing, clients16, r.ours(ctx, clients16, r.lib.leases())); err != nil {
		return err
	}
	redeems, err := r.lib.redeems(ctx, r.server, r.most())
	if err == nil {
		err = r.inTurn(redeeming, clients16, r.ours(ctx, clients16, redeems))
	}
	r.noteMemory("after leases")
	return err
}

// most is how many requests there are of which only so many can be made.
func (b *bench) most() int { return max(int(finite*(b.warmUp+b.time).Seconds()), 50) }

func (r *round) measureEnds(ctx context.Context) error {
	for _, j := range []job{r.lib.deletes(0, r.most()), r.lib.revokes(0, r.most())} {
		if err := r.inTurn(j.name, clients16, r.ours(ctx, clients16, j)); err != nil {
			return err
		}
	}
	r.noteMemory("at the end of the load")
	time.Sleep(settled)
	r.noteMemory(memoryLoaded)
	return nil
}

// measureLast is for what changes all that others measure.
func (r *round) measureLast(ctx context.Context) error {
	return r.inTurn(rotating, clients16, side{figures.Keysake, func() (figures.Sample, error) {
		return r.measureRotation(ctx, r.server, r.creates)
	}})
}
