package storetest

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func apiKeyBehaviours() []behaviour {
	return []behaviour{
		{"an API key is read back as stored, by its token's hash and in the list", func(s subject) {
			ann := s.addUser("ann")
			for what, change := range apiKeyForms() {
				k := s.addAPIKey(ann.ID, change)
				s.wantSame(what, got(s, readByHash(k.Hash)), k)
				s.wantSame(what+", in the list", s.apiKeys(ann.ID)[0], k)
			}
		}},
		{"an unknown token is not found", func(s subject) {
			k := s.addAPIKey(s.addUser("ann").ID, nil)
			k.Hash[31]++
			missing(s, "hash that differs in a bit", readByHash(k.Hash))
			missing(s, "hash of zeros", readByHash(vault.TokenHash{}))
		}},
		{"two keys have no token in common", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			k := s.addAPIKey(ann.ID, nil)
			other := apiKeyOf(bob.ID)
			other.Hash = k.Hash
			s.refuses(vault.Conflict, "same token", func(tx vault.Tx) error {
				return tx.InsertAPIKey(s.ctx, other)
			})
			s.wantSame("the first key", got(s, readByHash(k.Hash)), k)
		}},
		{"an id that is taken is a conflict", func(s subject) {
			ann := s.addUser("ann")
			k, other := s.addAPIKey(ann.ID, nil), apiKeyOf(ann.ID)
			other.ID, other.Hash[0] = k.ID, ^k.Hash[0]
			s.refuses(vault.Conflict, "same id", func(tx vault.Tx) error {
				return tx.InsertAPIKey(s.ctx, other)
			})
		}},
		{"an API key needs its user", func(s subject) {
			s.fails("no such user", func(tx vault.Tx) error {
				return tx.InsertAPIKey(s.ctx, apiKeyOf(newID()))
			})
		}},
		{"a user's keys are listed newest first, without those of others", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			var want []vault.APIKey
			for range 12 {
				want = append([]vault.APIKey{s.addAPIKey(ann.ID, nil)}, want...)
				s.addAPIKey(bob.ID, nil)
			}
			s.wantSame("keys", s.apiKeys(ann.ID), want)
			s.wantSame("keys of an unknown user", len(s.apiKeys(newID())), 0)
		}},
	}
}

func apiKeyEnds() []behaviour {
	return []behaviour{
		{"revoking a key gives its name, and touches no other", func(s subject) {
			ann := s.addUser("ann")
			k, kept := s.addAPIKey(ann.ID, nil), s.addAPIKey(ann.ID, nil)
			s.wantSame("name", s.revoke(ann.ID, k.ID), k.Name)
			k.RevokedAt, k.Active = moment(40), false
			s.wantSame("keys", s.apiKeys(ann.ID), []vault.APIKey{kept, k})
		}},
		{"a key is revoked once, and by its owner only", revokedOnce},
		{"a use is noted on one key only", func(s subject) {
			ann := s.addUser("ann")
			k, kept := s.addAPIKey(ann.ID, nil), s.addAPIKey(ann.ID, nil)
			for _, minute := range []int{50, 60} {
				k.LastUsedAt = moment(minute)
				s.update(func(tx vault.Tx) error {
					return tx.TouchAPIKey(s.ctx, k.ID, k.LastUsedAt)
				})
				s.wantSame("keys", s.apiKeys(ann.ID), []vault.APIKey{kept, k})
			}
		}},
		{"noting the use of a key that is gone is no error", func(s subject) {
			s.update(func(tx vault.Tx) error { return tx.TouchAPIKey(s.ctx, newID(), moment(0)) })
		}},
		{"deleting a user's keys spares the others'", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			gone, kept := s.addAPIKey(ann.ID, nil), s.addAPIKey(bob.ID, nil)
			s.addAPIKey(ann.ID, nil)
			s.update(func(tx vault.Tx) error { return tx.DeleteAPIKeys(s.ctx, ann.ID) })
			missing(s, "deleted key", readByHash(gone.Hash))
			s.wantSame("how many are left", len(s.apiKeys(ann.ID)), 0)
			s.wantSame("the other user's", s.apiKeys(bob.ID), []vault.APIKey{kept})
		}},
	}
}

func readByHash(hash vault.TokenHash) reads[vault.APIKey] {
	return func(ctx context.Context, r vault.Reader) (vault.APIKey, error) {
		return r.APIKeyByHash(ctx, hash, now())
	}
}

// apiKeyForms are keys with each column in each state that it has.
func apiKeyForms() map[string]func(*vault.APIKey) {
	forms := map[string]func(*vault.APIKey){
		"plain":           nil,
		"without a name":  func(k *vault.APIKey) { k.Name = "" },
		"one scope":       func(k *vault.APIKey) { k.Scopes = []policy.Scope{policy.Admin} },
		"all scopes":      func(k *vault.APIKey) { k.Scopes = policy.AllScopes() },
		"without a scope": func(k *vault.APIKey) { k.Scopes = nil },
		"may revoke itself, expires, was revoked and used": func(k *vault.APIKey) {
			k.SelfRevoke, k.ExpiresAt = true, moment(70)
			k.RevokedAt, k.LastUsedAt = moment(71), moment(72)
		},
	}
	for _, odd := range oddTexts() {
		forms["named "+odd] = func(k *vault.APIKey) { k.Name = odd }
	}
	return forms
}

// revoke revokes a key and returns the name that the store gives.
func (s subject) revoke(user, id uuid.UUID) (name string) {
	s.Helper()
	s.update(func(tx vault.Tx) (err error) {
		name, err = tx.RevokeAPIKey(s.ctx, user, id, moment(40))
		return err
	})
	return name
}

func revokedOnce(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	k := s.addAPIKey(ann.ID, nil)
	revoke := func(user, id uuid.UUID, minute int) func(vault.Tx) error {
		return func(tx vault.Tx) error {
			_, err := tx.RevokeAPIKey(s.ctx, user, id, moment(minute))
			return err
		}
	}
	s.refuses(vault.NotFound, "another user's key", revoke(bob.ID, k.ID, 1))
	s.refuses(vault.NotFound, "an unknown key", revoke(ann.ID, newID(), 1))
	s.wantSame("key that was not revoked", got(s, readByHash(k.Hash)), k)
	s.update(revoke(ann.ID, k.ID, 2))
	s.refuses(vault.NotFound, "a revoked key", revoke(ann.ID, k.ID, 3))
	k.RevokedAt, k.Active = moment(2), false
	s.wantSame("revoked key", got(s, readByHash(k.Hash)), k)
}
