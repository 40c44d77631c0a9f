package server

import (
	"cmp"
	"errors"
	"sync/atomic"

	"github.com/keysake/keysake/internal/config"
)

// A room is how many files the connections of a broker may take: those of its clients, and those to
// providers, of which one may carry many requests. Who comes first takes it.
type room struct {
	most  int64 // 0: it is not known, and so not bounded
	taken atomic.Int64
}

var errNoRoom = errors.New("too many connections are open")

// newRoom returns the room of a broker. One that is not alone leaves the API its share.
func newRoom(cfg config.Config, isAlone bool) *room {
	limit, open := openFiles()
	if limit <= 0 {
		return new(room)
	}
	files := max(4*minConnections, limit-open-keptFiles)
	if !isAlone {
		files -= min(files/2, cmp.Or(cfg.MaxConnections, maxConnections))
	}
	return &room{most: int64(files)}
}

// isFull reports whether no client can come in. Those that are in can still be passed on.
func (r *room) isFull() bool {
	return r != nil && r.most > 0 && r.taken.Load() >= r.most-r.most/16
}

func (r *room) add(n int64) {
	if r != nil {
		r.taken.Add(n)
	}
}

// enter takes the room of a connection to a provider.
func (r *room) enter() (leave func(), err error) {
	if n := r.taken.Add(1); r.most > 0 && n > r.most {
		r.taken.Add(-1)
		return nil, errNoRoom
	}
	return func() { r.taken.Add(-1) }, nil
}
