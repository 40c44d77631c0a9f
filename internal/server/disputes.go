package server

import "context"

// logDisputes logs each ticket that was presented again after it was redeemed: somebody else has
// it. It is recorded already.
func (s *server) logDisputes(ctx context.Context) {
	for _, d := range s.instance.Vault.NewDisputes() {
		s.log.WarnContext(ctx, "a ticket was presented that had been redeemed: revoke the lease, "+
			"and rotate its secrets at their providers", "lease", d.Lease, "user", d.User,
			"client", d.Client)
	}
}

// watchDisputes adds a metric of tickets that were presented again.
func (m *metrics) watchDisputes(count func() uint64) {
	m.count("keysake_leases_disputed_total",
		"Tickets that were presented after they had been redeemed.", count)
}
