package storetest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func liveBehaviours() []behaviour {
	return []behaviour{
		{"what counts as live is what the vault calls live", countsLive},
		{"pruning keeps the newest dead keys, every live one, and the others'", prunes},
		{
			"pruning removes nothing where there are no more dead keys than it keeps",
			func(s subject) {
				ann := s.addUser("ann")
				for i := range 4 {
					s.addAPIKey(ann.ID, func(k *vault.APIKey) { k.RevokedAt = moment(i) })
				}
				s.prune(ann.ID, 4)
				s.prune(ann.ID, 5)
				s.wantSame("how many are left", len(s.apiKeys(ann.ID)), 4)
			},
		},
		{"pruning to none removes every dead key", func(s subject) {
			ann := s.addUser("ann")
			live := s.addAPIKey(ann.ID, nil)
			for i := range 4 {
				s.addAPIKey(ann.ID, func(k *vault.APIKey) { k.ExpiresAt = moment(i) })
			}
			s.prune(ann.ID, 0)
			s.wantSame("keys", s.apiKeys(ann.ID), []vault.APIKey{live})
		}},
		{"pruning nothing is no error", func(s subject) { s.prune(newID(), 3) }},
	}
}

// now is the time of the checks here: what expires then has expired.
func now() time.Time { return moment(100) }

func (s subject) prune(user uuid.UUID, keep int) {
	s.Helper()
	s.update(func(tx vault.Tx) error { return tx.PruneAPIKeys(s.ctx, user, now(), keep) })
}

func (s subject) live(user uuid.UUID) int {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) (int, error) {
		return r.CountActiveAPIKeys(ctx, user, now())
	})
}

// lives are keys with each combination of what decides.
func lives() []func(*vault.APIKey) {
	var all []func(*vault.APIKey)
	for _, expires := range []time.Time{
		{}, now().Add(-time.Hour), now(), now().Add(time.Microsecond), now().Add(time.Hour),
	} {
		for _, revoked := range []time.Time{
			{}, now().Add(-time.Hour), now(), now().Add(time.Hour),
		} {
			all = append(all, func(k *vault.APIKey) { k.ExpiresAt, k.RevokedAt = expires, revoked })
		}
	}
	return all
}

func countsLive(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	want := 0
	for _, change := range lives() {
		if s.addAPIKey(ann.ID, change).Active {
			want++
		}
		s.wantSame("live keys", s.live(ann.ID), want)
		s.addAPIKey(bob.ID, nil)
	}
	s.wantSame("live keys of the other user", s.live(bob.ID), len(lives()))
	s.wantSame("active keys of an unknown user", s.live(newID()), 0)
}

func prunes(s subject) {
	const keep = 3
	ann, bob := s.addUser("ann"), s.addUser("bob")
	var want []vault.APIKey // newest first
	for _, change := range lives() {
		want = append([]vault.APIKey{s.addAPIKey(ann.ID, change)}, want...)
		s.addAPIKey(bob.ID, change)
	}
	dead := 0
	kept := want[:0:0]
	for _, k := range want {
		if !k.Active {
			dead++
		}
		if k.Active || dead <= keep {
			kept = append(kept, k)
		}
	}
	before := s.apiKeys(bob.ID)
	s.prune(ann.ID, keep)
	s.wantSame("keys", s.apiKeys(ann.ID), kept)
	s.wantSame("the other user's keys", s.apiKeys(bob.ID), before)
}
