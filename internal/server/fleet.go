package server

import (
	"context"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/web"
)

// A meetingPoint is a database that tells which servers are connected to it.
type meetingPoint interface {
	Servers(
		ctx context.Context, each func(name, address string, connections int, since time.Time),
	) error
}

// fleet returns what this server knows of itself, of those beside it, and of their database. What
// cannot be found out is left out: the page is for when something is wrong.
func (s *server) fleet(ctx context.Context) web.Fleet {
	store := s.instance.Store
	f := web.Fleet{
		Program: s.cfg.Program, Database: "SQLite", ReadOnly: store.ReadOnly(),
		Fault: store.WriteFault(ctx), FloorsFault: s.floorsFailed.Load(),
		CheckpointEvery: s.cfg.CheckpointEvery,
	}
	if s.cfg.DatabaseURL != "" {
		f.Database = "PostgreSQL"
	}
	if err := store.Ping(ctx); err != nil {
		f.Fault = "the database does not answer"
	}
	f.Free, f.Floor = store.Space()
	f.Size, _ = store.Size(ctx)
	f.RootKeyKinds, _ = s.instance.RootKeyKinds(ctx)
	if pair := s.certificate.current.Load(); pair != nil && pair.Leaf != nil {
		f.CertificateEnds = pair.Leaf.NotAfter
	}
	if others, ok := store.(meetingPoint); ok {
		f.Servers = s.servers(ctx, others)
	}
	return f
}

// servers returns those that are connected to the database, and none if this one is not among them:
// then the connections have other names, and others would be missing, too.
func (s *server) servers(ctx context.Context, at meetingPoint) (all []web.FleetServer) {
	found := false
	err := at.Servers(ctx, func(name, address string, connections int, since time.Time) {
		words := strings.Fields(name) // keysake, which program, its version, which process
		if len(words) != 4 {
			return
		}
		own := name == s.instance.Connection
		found = found || own
		all = append(all, web.FleetServer{
			Program: words[1], Version: words[2], Address: address, Connections: connections,
			Since: since, Own: own,
		})
	})
	if err != nil || !found {
		return nil
	}
	return all
}
