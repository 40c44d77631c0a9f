package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func apiKeyBehaviours() []behaviour {
	return []behaviour{
		{"an API key is read back as stored, by hash, by id and in the list", func(s subject) {
			ann := s.addUser("ann")
			for what, change := range apiKeyForms() {
				k := s.addAPIKey(ann.Owner, change)
				s.wantSame(what, got(s, readByHash(k.Hash)), k)
				s.wantSame(what+", by id", got(s, readByID(k.ID)), k)
				s.wantSame(what+", in the list", s.apiKeys(ann.Owner)[0], k)
			}
		}},
		{"an unknown token is not found", func(s subject) {
			k := s.addAPIKey(s.addUser("ann").Owner, nil)
			k.Hash[31]++
			missing(s, "hash that differs in a bit", readByHash(k.Hash))
			missing(s, "hash of zeros", readByHash(vault.TokenHash{}))
		}},
		{"an unknown id of a key is not found", func(s subject) {
			ann := s.addUser("ann")
			s.addAPIKey(ann.Owner, nil)
			for _, id := range []uuid.UUID{newID(), uuid.Nil, ann.Owner} {
				missing(s, "key", readByID(id))
			}
		}},
		{"two keys have no token in common", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			k := s.addAPIKey(ann.Owner, nil)
			other := apiKeyOf(bob.Owner)
			other.Hash = k.Hash
			s.refuses(vault.Conflict, "same token", func(tx vault.Tx) error {
				return tx.InsertAPIKey(s.ctx, other)
			})
			s.wantSame("the first key", got(s, readByHash(k.Hash)), k)
		}},
		{"no two credentials are given for one token", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			shown := func(k *vault.APIKey) {
				k.Kind, k.Presented = audit.CredentialWorkload, []byte("token")
			}
			s.addAPIKey(ann.Owner, shown)
			other := apiKeyOf(bob.Owner)
			shown(&other)
			s.refuses(vault.Conflict, "same token", func(tx vault.Tx) error {
				return tx.InsertAPIKey(s.ctx, other)
			})
		}},
		{"a key is found by what was presented, and by nothing else", func(s subject) {
			ann := s.addUser("ann")
			s.addAPIKey(ann.Owner, nil)
			k := s.addAPIKey(ann.Owner, func(k *vault.APIKey) {
				k.Kind, k.Presented = audit.CredentialIdentity, []byte("who")
			})
			s.wantSame("the key", got(s, readByPresented("who")), k)
			missing(s, "a part of it", readByPresented("wh"))
			missing(s, "nothing", readByPresented(""))
		}},
		{"an id that is taken is a conflict", func(s subject) {
			ann := s.addUser("ann")
			k, other := s.addAPIKey(ann.Owner, nil), apiKeyOf(ann.Owner)
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
		{"keys of all users are listed by age, without others and those revoked", keysByAge},
		{"a user's keys are listed newest first, without those of others", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			var want []vault.APIKey
			for range 12 {
				want = append([]vault.APIKey{s.addAPIKey(ann.Owner, nil)}, want...)
				s.addAPIKey(bob.Owner, nil)
			}
			s.wantSame("keys", s.apiKeys(ann.Owner), want)
			s.wantSame("readable keys", got(s, func(ctx context.Context, r vault.Reader) (
				[]vault.APIKey, error,
			) {
				keys, damaged, err := r.ReadableAPIKeys(ctx, ann.Owner)
				if damaged > 0 {
					s.Errorf("%d are damaged", damaged)
				}
				return keys, err
			}), want)
			s.wantSame("keys of an unknown user", len(s.apiKeys(newID())), 0)
		}},
	}
}

func keysByAge(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	var want []vault.APIKey
	for range 3 {
		want = append(want, s.addAPIKey(ann.Owner, nil), s.addAPIKey(bob.Owner, nil))
		s.addAPIKey(ann.Owner, func(k *vault.APIKey) { k.RevokedAt = moment(9) })
		s.addAPIKey(ann.Owner, func(k *vault.APIKey) { k.Kind = audit.CredentialSession })
	}
	want[1].LastUsedAt = moment(50)
	s.update(func(tx vault.Tx) error {
		return tx.TouchAPIKey(s.ctx, want[1].ID, want[1].LastUsedAt)
	})
	list := func(after, before uuid.UUID, limit int) []vault.APIKey {
		return got(s, func(ctx context.Context, r vault.Reader) ([]vault.APIKey, error) {
			return r.APIKeysByAge(ctx, after, before, limit)
		})
	}
	s.wantSame("all", list(uuid.Nil, uuid.Nil, 9), want)
	s.wantSame("the oldest", list(uuid.Nil, uuid.Nil, 2), want[:2])
	s.wantSame("those after", list(want[1].ID, uuid.Nil, 2), want[2:4])
	s.wantSame("those before", list(want[1].ID, want[3].ID, 9), want[2:3])
}

func apiKeyEnds() []behaviour {
	return []behaviour{
		{"revoking a key touches no other", func(s subject) {
			ann := s.addUser("ann")
			k, kept := s.addAPIKey(ann.Owner, nil), s.addAPIKey(ann.Owner, nil)
			s.update(func(tx vault.Tx) error {
				return tx.RevokeAPIKey(s.ctx, ann.Owner, k.ID, moment(40))
			})
			k.RevokedAt = moment(40)
			s.wantSame("keys", s.apiKeys(ann.Owner), []vault.APIKey{kept, k})
		}},
		{"a key is revoked once, and by its owner only", revokedOnce},
		{"a time that could not be read is not written", func(s subject) {
			ann := s.addUser("ann")
			for _, year := range []int{-1, 0, 10_000, 300_000} {
				k := apiKeyOf(ann.Owner)
				k.ExpiresAt = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
				err := s.try(func(tx vault.Tx) error { return tx.InsertAPIKey(s.ctx, k) })
				if err == nil {
					s.Errorf("a key that ends in the year %d is stored", year)
				}
			}
			s.wantSame("keys", len(s.apiKeys(ann.Owner)), 0)
		}},
		{"a use is noted on one key only, and only the list tells of it", func(s subject) {
			ann := s.addUser("ann")
			k, kept := s.addAPIKey(ann.Owner, nil), s.addAPIKey(ann.Owner, nil)
			unused := k
			for _, minute := range []int{50, 60} {
				k.LastUsedAt = moment(minute)
				s.update(func(tx vault.Tx) error {
					return tx.TouchAPIKey(s.ctx, k.ID, k.LastUsedAt)
				})
				s.wantSame("keys", s.apiKeys(ann.Owner), []vault.APIKey{kept, k})
				s.wantSame("key", got(s, readByHash(k.Hash)), unused)
				used := func(ctx context.Context, r vault.Reader) (time.Time, error) {
					return r.APIKeyUsed(ctx, k.ID)
				}
				s.wantSame("its use alone", got(s, used), k.LastUsedAt)
			}
		}},
		{"a key that is made again after its end was not used", func(s subject) {
			ann := s.addUser("ann")
			for _, end := range []func(tx vault.Tx, k vault.APIKey) error{
				func(tx vault.Tx, k vault.APIKey) error {
					return tx.DeleteAPIKey(s.ctx, k.User, k.ID)
				},
				func(tx vault.Tx, k vault.APIKey) error { return tx.DeleteAPIKeys(s.ctx, k.User) },
			} {
				k := s.addAPIKey(ann.Owner, nil)
				s.update(func(tx vault.Tx) error {
					return errors.Join(
						tx.TouchAPIKey(s.ctx, k.ID, moment(1)), end(tx, k),
						tx.InsertAPIKey(s.ctx, k),
					)
				})
				s.wantSame("last use", s.apiKeys(ann.Owner)[0].LastUsedAt.IsZero(), true)
			}
		}},
		{"a key is deleted by its owner only, and no other is", deletesOne},
		{"a key is suspended for its owner only, and no other is", suspends},
		{"a key is given another parent by its owner only, and no other is", setsParent},
		{"a key is given other terms by its owner only, and no other is", setsTerms},
		{"noting the use of a key that is gone is no error", func(s subject) {
			s.update(func(tx vault.Tx) error { return tx.TouchAPIKey(s.ctx, newID(), moment(0)) })
		}},
		{"keys are read with the numbers of their ledgers", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			first, second := s.addAPIKey(ann.Owner, nil), s.addAPIKey(bob.Owner, nil)
			first.Ledger, second.Ledger = s.saveLedger(ann.Owner, 0, 3).Number, bob.Number
			ids := []uuid.UUID{first.ID, newID(), second.ID}
			found := got(s, func(ctx context.Context, r vault.Reader) ([]vault.APIKey, error) {
				return r.ListedAPIKeys(ctx, ids)
			})
			slices.SortFunc(found, func(a, b vault.APIKey) int {
				return slices.Index(ids, a.ID) - slices.Index(ids, b.ID)
			})
			s.wantSame("keys", found, []vault.APIKey{first, second})
		}},
		{"deleting a user's keys spares the others'", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			gone, kept := s.addAPIKey(ann.Owner, nil), s.addAPIKey(bob.Owner, nil)
			s.addAPIKey(ann.Owner, nil)
			s.update(func(tx vault.Tx) error { return tx.DeleteAPIKeys(s.ctx, ann.Owner) })
			missing(s, "deleted key", readByHash(gone.Hash))
			s.wantSame("how many are left", len(s.apiKeys(ann.Owner)), 0)
			s.wantSame("the other user's", s.apiKeys(bob.Owner), []vault.APIKey{kept})
		}},
	}
}

func readByID(id uuid.UUID) reads[vault.APIKey] {
	return func(ctx context.Context, r vault.Reader) (vault.APIKey, error) {
		return r.APIKeyByID(ctx, id)
	}
}

func readByPresented(text string) reads[vault.APIKey] {
	return func(ctx context.Context, r vault.Reader) (vault.APIKey, error) {
		return r.APIKeyByPresented(ctx, []byte(text))
	}
}

func readByHash(hash vault.TokenHash) reads[vault.APIKey] {
	return func(ctx context.Context, r vault.Reader) (vault.APIKey, error) {
		return r.APIKeyByHash(ctx, hash)
	}
}

func revokedOnce(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	k := s.addAPIKey(ann.Owner, nil)
	revoke := func(user, id uuid.UUID, minute int) func(vault.Tx) error {
		return func(tx vault.Tx) error {
			return tx.RevokeAPIKey(s.ctx, user, id, moment(minute))
		}
	}
	s.refuses(vault.NotFound, "another user's key", revoke(bob.Owner, k.ID, 1))
	s.refuses(vault.NotFound, "an unknown key", revoke(ann.Owner, newID(), 1))
	s.wantSame("key that was not revoked", got(s, readByHash(k.Hash)), k)
	s.update(revoke(ann.Owner, k.ID, 2))
	s.refuses(vault.NotFound, "a revoked key", revoke(ann.Owner, k.ID, 3))
	k.RevokedAt = moment(2)
	s.wantSame("revoked key", got(s, readByHash(k.Hash)), k)
}

func suspends(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	k, kept := s.addAPIKey(ann.Owner, nil), s.addAPIKey(ann.Owner, nil)
	suspend := func(user, id uuid.UUID) func(vault.Tx) error {
		return func(tx vault.Tx) error { return tx.SuspendAPIKey(s.ctx, user, id) }
	}
	s.refuses(vault.NotFound, "another user's key", suspend(bob.Owner, k.ID))
	s.refuses(vault.NotFound, "an unknown key", suspend(ann.Owner, newID()))
	s.update(suspend(ann.Owner, k.ID))
	k.Suspended = true
	s.wantSame("keys", s.apiKeys(ann.Owner), []vault.APIKey{kept, k})
}

func deletesOne(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	k, kept := s.addAPIKey(ann.Owner, nil), s.addAPIKey(ann.Owner, nil)
	remove := func(user, id uuid.UUID) func(vault.Tx) error {
		return func(tx vault.Tx) error { return tx.DeleteAPIKey(s.ctx, user, id) }
	}
	s.refuses(vault.NotFound, "another user's key", remove(bob.Owner, k.ID))
	s.refuses(vault.NotFound, "an unknown key", remove(ann.Owner, newID()))
	s.wantSame("keys", s.apiKeys(ann.Owner), []vault.APIKey{kept, k})
	s.update(remove(ann.Owner, k.ID))
	missing(s, "deleted key", readByHash(k.Hash))
	s.refuses(vault.NotFound, "a deleted key", remove(ann.Owner, k.ID))
	s.wantSame("keys", s.apiKeys(ann.Owner), []vault.APIKey{kept})
}

func setsParent(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	top := s.addAPIKey(ann.Owner, nil)
	k, kept := s.addAPIKey(bob.Owner, below(top.ID)), s.addAPIKey(bob.Owner, below(top.ID))
	set := func(user, id, parent uuid.UUID) func(vault.Tx) error {
		return func(tx vault.Tx) error { return tx.SetAPIKeyParent(s.ctx, user, id, parent) }
	}
	s.refuses(vault.NotFound, "another user's key", set(ann.Owner, k.ID, kept.ID))
	s.refuses(vault.NotFound, "an unknown key", set(bob.Owner, newID(), kept.ID))
	for _, parent := range []uuid.UUID{kept.ID, uuid.Nil} {
		s.update(set(bob.Owner, k.ID, parent))
		k.Parent = parent
		s.wantSame("keys", s.apiKeys(bob.Owner), []vault.APIKey{kept, k})
	}
}
