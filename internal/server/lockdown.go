package server

import "context"

// warnLockdown logs when a lockdown begins and ends.
func (s *server) warnLockdown(ctx context.Context) {
	locked, err := s.instance.Vault.LockedDown(ctx)
	if err != nil || locked == s.lockedDown {
		return // what cannot be read is logged by who needs it
	}
	s.lockedDown = locked
	switch {
	case s.cfg.Lockdown:
		s.log.WarnContext(ctx, "the server is locked down: only admins read, revoke, disable and "+
			"delete, until a restart without --lockdown")
		return
	case locked:
		s.log.WarnContext(ctx, "the server is locked down: only admins read, revoke, disable and "+
			"delete, until the operator lifts that")
		return
	}
	s.log.WarnContext(ctx, "the lockdown was lifted")
}

// watchLockdown adds a metric that says whether the server is locked down.
func (m *metrics) watchLockdown(ask func(context.Context) (bool, error)) {
	m.gauge("keysake_lockdown", "1 in a lockdown, 0 otherwise; -1 if it is unknown.",
		func(ctx context.Context) (float64, error) {
			locked, err := ask(ctx)
			if locked {
				return 1, err
			}
			return 0, err
		})
}
