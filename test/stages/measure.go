package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// A size says how large the library is.
type size struct {
	users int
	each  int // secrets of a user
}

// A library is requests that are ready to be sent.
type library struct {
	tokens []string
	reads  [][]byte
	lists  [][]byte
}

// measure measures each kind of request, on a server in this process.
func measure(
	ctx context.Context, dir string, large size, clients int, length time.Duration,
) (all []figures.Staged, err error) {
	cfg := apptest.ConfigIn(dir)
	cfg.MaxSecrets, cfg.LogLevel = 1e7, 0
	server, err := apptest.Launch(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.End()) }()
	p := &load.Process{Address: strings.TrimPrefix(server.URL, "http://"), Data: server.Data}
	lib, err := fill(ctx, p, large)
	if err != nil {
		return nil, err
	}
	user := func(n int) int { return n % large.users }
	for _, w := range []struct {
		name, want string
		request    func(n int) []byte
	}{
		{"read", "200", func(n int) []byte { return lib.reads[user(n)] }},
		{"list", "200", func(n int) []byte { return lib.lists[user(n)] }},
		{"create", "201", func(n int) []byte {
			body := load.NamedSecret(large.each + n)
			return load.AppendRequest(nil, "POST", load.SecretsPath, lib.tokens[user(n)], body)
		}},
	} {
		profile := filepath.Join(dir, w.name)
		requests, err := drive(ctx, p, clients, length, profile, func(l *load.Link, n int) error {
			_, err := l.Exchange(w.request(n), w.want)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		micros, err := classify(ctx, profile, requests)
		if err != nil {
			return nil, err
		}
		all = append(all, figures.Staged{Work: w.name, Requests: requests, Micros: micros})
	}
	return all, nil
}

func fill(ctx context.Context, p *load.Process, large size) (*library, error) {
	api, err := p.API()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	users := large.users
	lib := &library{make([]string, users), make([][]byte, users), make([][]byte, users)}
	return lib, load.Each(users, func(i int) (err error) {
		lib.tokens[i], err = api.User(ctx, fmt.Sprintf("user-%d", i))
		var id string
		for n := 0; n < large.each && err == nil; n++ {
			id, _, err = api.Make(ctx, load.SecretsPath, lib.tokens[i], load.NamedSecret(n))
		}
		path := load.SecretsPath
		lib.reads[i] = load.AppendRequest(nil, "GET", path+"/"+id, lib.tokens[i], "")
		lib.lists[i] = load.AppendRequest(nil, "GET", path, lib.tokens[i], "")
		return err
	})
}

// drive keeps clients busy, and writes a profile of that time. It returns how many requests there
// were.
func drive(
	ctx context.Context, p *load.Process, clients int, length time.Duration, profile string,
	do func(l *load.Link, n int) error,
) (requests int, err error) {
	file, err := os.Create(profile)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	links := make([]*load.Link, clients)
	end := time.Now().Add(length)
	for i := range links {
		if links[i], err = load.Dial(ctx, p.Address, end.Add(20*time.Second)); err != nil {
			return 0, err
		}
		defer links[i].Close()
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return 0, err
	}
	errs := make([]error, clients)
	var n atomic.Int64
	var all sync.WaitGroup
	for i, l := range links {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil && errs[i] == nil {
				errs[i] = do(l, int(n.Add(1)))
			}
		})
	}
	all.Wait()
	pprof.StopCPUProfile()
	return int(n.Load()), errors.Join(append(errs, ctx.Err())...)
}
