package storetest

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func leaseBehaviours() []behaviour {
	return []behaviour{
		{"a lease is read back as stored, by id, by ticket and in the list", func(s subject) {
			ann := s.addUser("ann")
			for what, change := range leaseForms() {
				l := s.addLease(ann.Owner, change)
				s.wantSame(what, got(s, readLease(l.User, l.ID)), l)
				s.wantSame(what+", in the list", s.leases(l.User, vault.LeaseQuery{})[0], l)
				if len(l.Ticket) > 0 {
					s.wantSame(what+", by ticket", got(s, readTicket(l)), l)
				}
				if l.Delivery == vault.ByBroker {
					s.wantSame(what+", by id alone", got(s, readBrokered(l)), l)
				} else {
					missing(s, what+", by id alone", readBrokered(l))
				}
			}
		}},
		{"another user's lease and an unknown ticket are not found", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			l := s.addLease(ann.Owner, nil)
			missing(s, "another user's", readLease(bob.Owner, l.ID))
			missing(s, "an unknown id", readLease(ann.Owner, newID()))
			l.Ticket = slices.Repeat([]byte{0}, 32)
			missing(s, "an unknown ticket", readTicket(l))
		}},
		{"two leases have no ticket in common, but for none", func(s subject) {
			ann := s.addUser("ann")
			l, other := s.addLease(ann.Owner, nil), leaseOf(ann.Owner)
			other.Ticket = l.Ticket
			s.refuses(vault.Conflict, "same ticket", func(tx vault.Tx) error {
				return tx.InsertLease(s.ctx, other)
			})
			s.addLease(ann.Owner, func(l *vault.StoredLease) {
				l.Delivery, l.Ticket = vault.ByBundle, nil
			})
			s.addLease(ann.Owner, func(l *vault.StoredLease) {
				l.Delivery, l.Ticket = vault.ByBundle, nil
			})
		}},
		{"leases are chosen by state, secret, run and age", choosesLeases},
		{"what ends a lease ends no other, and is stored", endsLeases},
		{"all live leases of a user are revoked at once", revokesLiveLeases},
		{"uses of secrets are counted by user and secret", countsUses},
		{"leases are removed with what finds them", removesLeases},
		{"requests of the broker are kept by lease, and added up", keepsBrokered},
	}
}

func leaseOf(user uuid.UUID) vault.StoredLease {
	hash := random32()
	return vault.StoredLease{
		User: user, ID: newID(), APIKey: newID(), APIKeyName: "a key",
		Delivery: vault.ByTicket, Ticket: hash[:], Run: vault.Run{ID: "run", Label: "label"},
		Secrets:   []vault.LeasedSecret{{ID: newID(), Name: "A"}, {ID: newID(), Name: "B"}},
		CreatedAt: moment(0), ExpiresAt: moment(60),
	}
}

// addLease stores a new lease of a user, after change.
func (s subject) addLease(user uuid.UUID, change func(*vault.StoredLease)) vault.StoredLease {
	s.Helper()
	l := leaseOf(user)
	if change != nil {
		change(&l)
	}
	s.update(func(tx vault.Tx) error { return tx.InsertLease(s.ctx, l) })
	return l
}

func (s subject) leases(user uuid.UUID, q vault.LeaseQuery) []vault.StoredLease {
	s.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredLease, error) {
		return r.Leases(ctx, user, q)
	})
}

func (s subject) openLeases(user uuid.UUID) []vault.StoredLease {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredLease, error) {
		return r.OpenLeases(ctx, user)
	})
}

func readLease(user, id uuid.UUID) reads[vault.StoredLease] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredLease, error) {
		return r.Lease(ctx, user, id)
	}
}

func readTicket(l vault.StoredLease) reads[vault.StoredLease] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredLease, error) {
		return r.LeaseByTicket(ctx, vault.TokenHash(l.Ticket))
	}
}

func readBrokered(l vault.StoredLease) reads[vault.StoredLease] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredLease, error) {
		return r.BrokerLease(ctx, l.ID)
	}
}

// leaseForms are leases with each column in each state that it has.
func leaseForms() map[string]func(*vault.StoredLease) {
	forms := map[string]func(*vault.StoredLease){
		"plain":    nil,
		"a bundle": func(l *vault.StoredLease) { l.Delivery, l.Ticket = vault.ByBundle, nil },
		"a broker's": func(l *vault.StoredLease) {
			l.Delivery, l.Ticket = vault.ByBroker, nil
			hash := random32()
			l.Secrets[0].Placeholder, l.Secrets[1].Placeholder = hash[:], hash[:]
			l.Limits = vault.BrokerLimits{
				PerMinute: 60, Bytes: most, Methods: []string{"GET"}, Paths: []string{"/v1/"},
			}
		},
		"ended in every way": func(l *vault.StoredLease) {
			l.RedeemedAt, l.RevokedAt, l.DisputedAt = moment(1), moment(2), moment(3)
			l.Secrets[0].Version, l.Secrets[1].Version = 7, most
		},
		"asked for by another user": func(l *vault.StoredLease) {
			l.By = vault.Acting{Grant: newID(), User: newID(), Name: "backend"}
		},
		"for no run": func(l *vault.StoredLease) { l.Run, l.APIKeyName = vault.Run{}, "" },
		"of 50 secrets": func(l *vault.StoredLease) {
			l.Secrets = nil
			for range 50 {
				l.Secrets = append(l.Secrets, vault.LeasedSecret{ID: newID(), Name: "A_9"})
			}
		},
	}
	for _, odd := range oddTexts() {
		forms["for "+odd] = func(l *vault.StoredLease) {
			l.Run, l.APIKeyName = vault.Run{ID: odd, Label: odd}, odd
		}
	}
	return forms
}

func choosesLeases(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	s.addLease(bob.Owner, nil)
	now := moment(30)
	by := vault.Acting{Grant: newID(), User: newID(), Name: "backend"}
	active := s.addLease(ann.Owner, func(l *vault.StoredLease) { l.By = by })
	redeemed := s.addLease(ann.Owner, func(l *vault.StoredLease) { l.RedeemedAt = moment(1) })
	expired := s.addLease(ann.Owner, func(l *vault.StoredLease) { l.ExpiresAt = now })
	disputed := s.addLease(ann.Owner, func(l *vault.StoredLease) {
		l.RedeemedAt, l.DisputedAt = moment(1), moment(2)
	})
	revoked := s.addLease(ann.Owner, func(l *vault.StoredLease) {
		l.RevokedAt, l.DisputedAt, l.Run.ID = moment(2), moment(2), "other"
	})
	all := []vault.StoredLease{revoked, disputed, expired, redeemed, active} // newest first
	for what, c := range map[string]struct {
		query vault.LeaseQuery
		want  []vault.StoredLease
	}{
		"all":            {vault.LeaseQuery{}, all},
		"the newest two": {vault.LeaseQuery{Limit: 2}, all[:2]},
		"older ones":     {vault.LeaseQuery{Before: disputed.ID, Limit: 2}, all[2:4]},
		"active":         {vault.LeaseQuery{State: vault.LeaseActive}, all[4:]},
		"redeemed":       {vault.LeaseQuery{State: vault.LeaseRedeemed}, all[3:4]},
		"expired":        {vault.LeaseQuery{State: vault.LeaseExpired}, all[2:3]},
		"disputed":       {vault.LeaseQuery{State: vault.LeaseDisputed}, all[1:2]},
		"revoked":        {vault.LeaseQuery{State: vault.LeaseRevoked}, all[:1]},
		"of who acts":    {vault.LeaseQuery{By: by.User}, all[4:]},
		"of nobody":      {vault.LeaseQuery{By: by.Grant}, nil},
		"of a run":       {vault.LeaseQuery{Run: "other"}, all[:1]},
		"of a secret":    {vault.LeaseQuery{Secret: expired.Secrets[1].ID}, all[2:3]},
		"live": {
			vault.LeaseQuery{Live: true}, []vault.StoredLease{disputed, redeemed, active},
		},
		"newer ones":  {vault.LeaseQuery{From: expired.ID}, all[:3]},
		"none so new": {vault.LeaseQuery{State: vault.LeaseExpired, From: disputed.ID}, nil},
		"of all": {
			vault.LeaseQuery{
				State: vault.LeaseActive, Run: "run", Secret: active.Secrets[0].ID, Live: true,
				Before: redeemed.ID,
			}, all[4:],
		},
	} {
		c.query.Now = now
		s.wantSame(what, s.leases(ann.Owner, c.query), c.want)
	}
	s.wantSame("open", s.openLeases(ann.Owner), []vault.StoredLease{active, expired})
	for limit, want := range map[int][]vault.StoredLease{1: {active}, 3: {active, redeemed}} {
		s.wantSame("before one", got(s, func(ctx context.Context, r vault.Reader) (
			[]vault.StoredLease, error,
		) {
			return r.LeasesBefore(ctx, ann.Owner, expired.ID, limit)
		}), want)
	}
}

func endsLeases(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	l, kept := s.addLease(ann.Owner, nil), s.addLease(ann.Owner, nil)
	l.RedeemedAt, l.RevokedAt, l.DisputedAt = moment(5), moment(6), moment(7)
	l.Secrets[0].Version, l.Secrets[1].Version = 3, 4
	for what, end := range map[string]func(tx vault.Tx, of vault.StoredLease) error{
		"redeem": func(tx vault.Tx, of vault.StoredLease) error {
			return tx.RedeemLease(s.ctx, of)
		},
		"revoke": func(tx vault.Tx, of vault.StoredLease) error {
			return tx.RevokeLease(s.ctx, of.User, of.ID, of.RevokedAt)
		},
		"dispute": func(tx vault.Tx, of vault.StoredLease) error {
			return tx.DisputeLease(s.ctx, of.User, of.ID, of.DisputedAt)
		},
	} {
		foreign := l
		foreign.User = bob.Owner
		s.refuses(vault.NotFound, what+" another user's", func(tx vault.Tx) error {
			return end(tx, foreign)
		})
		s.update(func(tx vault.Tx) error { return end(tx, l) })
	}
	s.wantSame("leases", s.leases(ann.Owner, vault.LeaseQuery{}), []vault.StoredLease{kept, l})
}

func countsUses(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	first, other := s.addLease(ann.Owner, nil), s.addLease(bob.Owner, nil)
	again := first
	again.ID, again.Secrets = newID(), first.Secrets[:1]
	s.update(func(tx vault.Tx) error {
		return errors.Join(tx.CountUses(s.ctx, first, moment(1)),
			tx.CountUses(s.ctx, other, moment(1)), tx.CountUses(s.ctx, again, moment(2)))
	})
	want := []vault.SecretUse{
		{User: ann.Owner, Secret: first.Secrets[0].ID, Uses: 2, At: moment(2), Lease: again.ID},
		{User: ann.Owner, Secret: first.Secrets[1].ID, Uses: 1, At: moment(1), Lease: first.ID},
	}
	s.wantSame("uses", s.uses(ann.Owner), want)
	for _, u := range want {
		s.wantSame("use", got(s, readUse(u.User, u.Secret)), u)
		missing(s, "use of another user", readUse(bob.Owner, u.Secret))
	}
	a := s.addSecret(ann.Owner, "A")
	used := first
	used.Secrets = []vault.LeasedSecret{{ID: a.ID, Name: "A"}}
	s.update(func(tx vault.Tx) error {
		return errors.Join(tx.CountUses(s.ctx, used, moment(3)),
			tx.DeleteSecret(s.ctx, ann.Owner, a.ID))
	})
	missing(s, "use of a secret that was deleted", readUse(ann.Owner, a.ID))
}

func (s subject) uses(user uuid.UUID) []vault.SecretUse {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.SecretUse, error) {
		return r.SecretUses(ctx, user)
	})
}

func readUse(user, secret uuid.UUID) reads[vault.SecretUse] {
	return func(ctx context.Context, r vault.Reader) (vault.SecretUse, error) {
		return r.SecretUse(ctx, user, secret)
	}
}

func removesLeases(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	gone, kept := s.addLease(ann.Owner, nil), s.addLease(ann.Owner, nil)
	others := s.addLease(bob.Owner, nil)
	s.refuses(vault.NotFound, "another user's", func(tx vault.Tx) error {
		return tx.DeleteLease(s.ctx, bob.Owner, gone.ID)
	})
	s.update(func(tx vault.Tx) error { return tx.DeleteLease(s.ctx, ann.Owner, gone.ID) })
	s.wantSame("leases", s.leases(ann.Owner, vault.LeaseQuery{}), []vault.StoredLease{kept})
	s.update(func(tx vault.Tx) error {
		gone.RedeemedAt = moment(1)
		return errors.Join(tx.InsertLease(s.ctx, gone), tx.DeleteLease(s.ctx, ann.Owner, gone.ID),
			tx.CountUses(s.ctx, kept, moment(1)), tx.CountUses(s.ctx, others, moment(1)),
			tx.DeleteLeases(s.ctx, ann.Owner), tx.InsertLease(s.ctx, kept),
			tx.DeleteLeases(s.ctx, ann.Owner))
	})
	s.wantSame("leases", s.leases(ann.Owner, vault.LeaseQuery{}), []vault.StoredLease{})
	s.wantSame("uses", s.uses(ann.Owner), []vault.SecretUse{})
	s.wantSame("the other user's", s.leases(bob.Owner, vault.LeaseQuery{}),
		[]vault.StoredLease{others})
	s.wantSame("the other user's uses", len(s.uses(bob.Owner)), 2)
}
