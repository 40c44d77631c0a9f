package server

import "context"

// A turnout is how many connections of each kind there were.
type turnout struct{ closed, refused, unused uint64 }

// turnout returns the counts since the start; none before the server listens.
func (l *connections) turnout() turnout {
	if l == nil {
		return turnout{}
	}
	return turnout{l.closed.Load(), l.refused.Load(), l.unused.Load()}
}

// reportClients logs once a minute, or now, what clients did that is not logged one by one, because
// anyone can do any amount of it.
func (s *server) reportClients(ctx context.Context, now bool) {
	last, next := s.reported, s.connections.turnout()
	crowded := next.closed > last.closed || next.refused > last.refused
	quiet := next == last && s.strangers.Quiet()
	if quiet || !now && !s.clientsReport.pass() {
		return
	}
	s.reported = next
	if crowded {
		s.log.WarnContext(ctx, "too many connections: those that sent nothing were closed",
			"closed", next.closed-last.closed, "turned_away", next.refused-last.refused,
			"most", s.connections.most, "most_of_an_address", s.connections.mostEach)
	}
	if n := next.unused - last.unused; n > 0 {
		s.log.InfoContext(ctx, "connections ended without a whole request", "count", n)
	}
	s.strangers.Report(ctx, s.log)
}

// watchConnections adds the counts of connections.
func (m *metrics) watchConnections(s *server) {
	m.gauge("keysake_connections", "Connections of clients that are open.",
		func(context.Context) (float64, error) { return float64(s.connections.size()), nil })
	m.count("keysake_connections_closed_total",
		"Connections that were closed while they waited, to make room for others.",
		func() uint64 { return s.connections.turnout().closed })
	m.count("keysake_connections_turned_away_total", "Connections that there was no room for.",
		func() uint64 { return s.connections.turnout().refused })
	m.count("keysake_connections_unused_total", "Connections that ended without a whole request.",
		func() uint64 { return s.connections.turnout().unused })
}

// size returns how many connections are open.
func (l *connections) size() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.size()
}
