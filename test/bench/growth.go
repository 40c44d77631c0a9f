package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

const (
	// growthUsers is how many users there are at every size. As many have secrets as are needed,
	// perGrown each: a list, and what a write signs anew, are the same at every size.
	growthUsers = 10_000
	perGrown    = 100
	grownPrefix = "user-"

	growthRounds = 3
	// What there is in a round of what runs out: so few tickets and deletions that at the smallest
	// size, where few users have secrets, they have not much more or less than others.
	growthTickets   = 500
	growthDeletions = 250
	growthRevokes   = 1500
)

// parseSizes reads numbers of secrets that are separated by commas, in ascending order.
func parseSizes(text string) (sizes []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < perGrown || n > perGrown*growthUsers ||
			len(sizes) > 0 && n <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("not ascending numbers from %d to %d", perGrown,
				perGrown*growthUsers)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// measureGrowth measures all sizes in turn: a server of each runs at the same time, and does
// nothing while the others are measured.
func (b *bench) measureGrowth(ctx context.Context) error {
	if len(b.growth) == 0 {
		return nil
	}
	users, lib, err := b.growthUsers(ctx)
	if err != nil {
		return err
	}
	grown := make([]*grown, len(b.growth))
	for i, secrets := range b.growth {
		if grown[i], err = b.grow(ctx, users, *lib, secrets); err != nil {
			return fmt.Errorf("%d secrets: %w", secrets, err)
		}
		defer grown[i].server.Kill()
		defer grown[i].bare.close()
	}
	for round := range growthRounds {
		if err := b.growthRound(ctx, grown, round); err != nil {
			return err
		}
	}
	for _, g := range grown {
		g.size.Loaded = g.server.Memory()
		b.found.Growth = append(b.found.Growth, g.size)
		if err := g.server.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// growthUsers makes the users of all sizes, in a home that is copied for each.
func (b *bench) growthUsers(ctx context.Context) (home, *library, error) {
	h, err := newHome(filepath.Join(b.dir, "users"))
	if err != nil {
		return h, nil, err
	}
	server, err := h.start(ctx, b.binary)
	if err != nil {
		return h, nil, err
	}
	defer server.Kill()
	f, lib, err := newFiller(ctx, server)
	if err != nil {
		return h, nil, err
	}
	defer f.Close()
	lib.presets = nil // a user has no preset twice, and gets secrets in many rounds
	lib.writers, lib.spare, err = f.users(ctx, grownPrefix, growthUsers, 1)
	return h, lib, errors.Join(err, server.Stop())
}

// A grown is one size, with a server that runs and with bare SQLite on a copy of its database.
type grown struct {
	size    figures.Size
	lib     library
	creates job
	server  *load.Process
	bare    *bare
}

// grow makes a size: it fills a copy of the home of the users, and starts a server on it.
func (b *bench) grow(ctx context.Context, users home, lib library, secrets int) (*grown, error) {
	h := home{filepath.Join(b.dir, strconv.Itoa(secrets))}
	if err := users.copyTo(ctx, h); err != nil {
		return nil, err
	}
	g := &grown{lib: lib}
	began := time.Now()
	if err := b.fillGrown(ctx, h, &g.lib, secrets/perGrown); err != nil {
		return nil, err
	}
	g.size = figures.Size{
		Secrets: g.lib.secrets(), Users: growthUsers, FillTook: time.Since(began).Seconds(),
	}
	info, err := os.Stat(h.database())
	if err != nil {
		return nil, err
	}
	g.size.Database = info.Size()
	g.creates = g.lib.creates()
	path := filepath.Join(h.dir, "bare.db")
	if err := copyFiles(ctx, h.database(), path, path); err != nil {
		return nil, err
	}
	if g.bare, err = openBare(path, grownPrefix); err != nil {
		return nil, err
	}
	if g.server, err = h.start(ctx, b.binary); err != nil {
		return nil, err
	}
	g.size.Start = figures.Millis(g.server.Startup)
	time.Sleep(idleAfter)
	g.size.Idle = g.server.Memory()
	return g, nil
}

func (b *bench) fillGrown(ctx context.Context, h home, lib *library, readers int) error {
	server, err := h.start(ctx, b.binary)
	if err != nil {
		return err
	}
	defer server.Kill()
	api, err := server.API()
	if err != nil {
		return err
	}
	defer api.Close()
	err = filler{api, server}.fill(ctx, lib, lib.writers[:readers], perGrown)
	return errors.Join(err, server.Stop())
}

// growthRound measures every kind of work at every size, in every second round the largest first.
func (b *bench) growthRound(ctx context.Context, sizes []*grown, round int) error {
	order := slices.Clone(sizes)
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, work := range []struct {
		clients int
		job     func(*grown) (job, error)
	}{
		{clients16, func(g *grown) (job, error) { return g.creates, nil }},
		{1, func(g *grown) (job, error) { return g.creates, nil }},
		{clients16, func(g *grown) (job, error) { return g.lib.reads(), nil }},
		{clients16, func(g *grown) (job, error) { return g.lib.lists(), nil }},
		{clients16, func(g *grown) (job, error) { return g.lib.leases(), nil }},
		{clients16, func(g *grown) (job, error) {
			return g.lib.redeems(ctx, g.server, growthTickets)
		}},
		{clients16, func(g *grown) (job, error) {
			return g.lib.deletes(round*growthDeletions, growthDeletions), nil
		}},
		{clients16, func(g *grown) (job, error) {
			return g.lib.revokes(round*growthRevokes, growthRevokes), nil
		}},
	} {
		for _, g := range order {
			j, err := work.job(g)
			if err != nil {
				return err
			}
			sample, err := b.drive(ctx, g.server, work.clients, j)
			if err != nil {
				return fmt.Errorf("%d secrets: %w", g.size.Secrets, err)
			}
			g.size.Rows = figures.Add(g.size.Rows, figures.Keysake, j.name, work.clients, sample)
		}
	}
	for _, g := range order {
		sample, err := g.bare.measure(64, b.warmUp, b.time)
		if err != nil {
			return fmt.Errorf("%d secrets, bare SQLite: %w", g.size.Secrets, err)
		}
		g.size.Rows = figures.Add(g.size.Rows, figures.SQLite, creating, 64, sample)
	}
	return nil
}
