package storetest

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func keyBehaviours() []behaviour {
	return []behaviour{
		{"a new database has no root key", func(s subject) {
			missing(s, "root key", readRootKey)
		}},
		{"a root key is read back as it was stored", func(s subject) {
			k := s.addRootKey()
			s.wantSame("root key", got(s, readRootKey), k)
		}},
		{"a root key is not stored twice", func(s subject) {
			k := s.addRootKey()
			other := k
			other.Check = blob(10)
			s.refuses(vault.Conflict, "same id", func(tx vault.Tx) error {
				return tx.InsertRootKey(s.ctx, other)
			})
			s.wantSame("root key", got(s, readRootKey), k)
		}},
		{"a root key that wraps nothing is deleted", func(s subject) {
			first, second := s.addRootKey(), s.addRootKey()
			k := s.addOwnerKey(s.addUser("ann").Owner, second.ID)
			s.update(func(tx vault.Tx) error { return tx.DeleteRootKey(s.ctx, first.ID) })
			missing(s, "deleted root key", readRootKeyOf(first.ID))
			s.fails("one that wraps a key", func(tx vault.Tx) error {
				return tx.DeleteRootKey(s.ctx, second.ID)
			})
			s.wantSame("root key", got(s, readRootKeyOf(second.ID)), second)
			for id, want := range map[uuid.UUID]int{k.RootKey: 1, first.ID: 0} {
				s.wantSame("owner keys", got(s, func(
					ctx context.Context, r vault.Reader,
				) (int, error) {
					return r.CountOwnerKeysWrappedBy(ctx, id)
				}), want)
			}
		}},
		{"an instance key is read back as each root key wraps it", func(s subject) {
			first := vault.StoredInstanceKey{
				ID: newID(), RootKey: s.addRootKey().ID, Wrapped: blob(300), CreatedAt: moment(1),
				Successions: blob(40),
			}
			second := first
			other := rootKey()
			s.update(func(tx vault.Tx) error { return tx.InsertRootKey(s.ctx, other) })
			second.RootKey, second.Wrapped = other.ID, blob(20)
			for _, k := range []vault.StoredInstanceKey{first, second} {
				s.update(func(tx vault.Tx) error { return tx.InsertInstanceKey(s.ctx, k) })
			}
			s.update(func(tx vault.Tx) error {
				return tx.DeleteInstanceKey(s.ctx, first.ID, first.RootKey)
			})
			second.Successions = blob(50)
			s.update(func(tx vault.Tx) error {
				return tx.SetSuccessions(s.ctx, second.ID, second.Successions)
			})
			s.wantSame("instance keys", got(s, readInstanceKeys),
				[]vault.StoredInstanceKey{second})
		}},
		{"an owner key is read back as it was stored", func(s subject) {
			k := s.addOwnerKey(s.addUser("ann").Owner, s.addRootKey().ID)
			s.wantSame("owner key", got(s, readOwnerKey(k.User, k.ID)), k)
		}},
		{"an owner key is found for its owner only", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			k := s.addOwnerKey(ann.Owner, s.addRootKey().ID)
			missing(s, "another user's key", readOwnerKey(bob.Owner, k.ID))
			missing(s, "a key without an owner", readOwnerKey(uuid.Nil, k.ID))
			missing(s, "an unknown key", readOwnerKey(ann.Owner, newID()))
		}},
		{"an owner key needs its user and its root key", ownerKeyNeedsOthers},
		{"destroying a user's owner keys spares the others'", func(s subject) {
			root, ann, bob := s.addRootKey(), s.addUser("ann"), s.addUser("bob")
			first, second := s.addOwnerKey(ann.Owner, root.ID), s.addOwnerKey(ann.Owner, root.ID)
			kept := s.addOwnerKey(bob.Owner, root.ID)
			s.update(func(tx vault.Tx) error { return tx.DeleteOwnerKeys(s.ctx, ann.Owner) })
			missing(s, "destroyed key", readOwnerKey(ann.Owner, first.ID))
			missing(s, "destroyed key", readOwnerKey(ann.Owner, second.ID))
			s.wantSame("the other user's key", got(s, readOwnerKey(bob.Owner, kept.ID)), kept)
		}},
		{"destroying the owner keys of a user who has none is no error", func(s subject) {
			s.update(func(tx vault.Tx) error { return tx.DeleteOwnerKeys(s.ctx, newID()) })
		}},
	}
}

func readRootKey(ctx context.Context, r vault.Reader) (vault.StoredRootKey, error) {
	keys, err := r.RootKeys(ctx)
	if err != nil || len(keys) == 0 {
		return vault.StoredRootKey{}, errors.Join(err, vault.ErrNotFound)
	}
	return keys[0], nil
}

func readRootKeyOf(id uuid.UUID) reads[vault.StoredRootKey] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredRootKey, error) {
		return r.RootKey(ctx, id)
	}
}

func readOwnerKey(user, id uuid.UUID) reads[vault.StoredOwnerKey] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredOwnerKey, error) {
		return r.OwnerKey(ctx, user, id)
	}
}

func ownerKeyOf(user, root uuid.UUID) vault.StoredOwnerKey {
	return vault.StoredOwnerKey{
		ID:        newID(),
		User:      user,
		RootKey:   root,
		Wrapped:   blob(300),
		CreatedAt: moment(5),
	}
}

func (s subject) addOwnerKey(user, root uuid.UUID) vault.StoredOwnerKey {
	s.Helper()
	k := ownerKeyOf(user, root)
	s.update(func(tx vault.Tx) error { return tx.InsertOwnerKey(s.ctx, k) })
	return k
}

func ownerKeyNeedsOthers(s subject) {
	root, ann := s.addRootKey(), s.addUser("ann")
	for what, k := range map[string]vault.StoredOwnerKey{
		"no such user":     ownerKeyOf(newID(), root.ID),
		"no such root key": ownerKeyOf(ann.Owner, newID()),
	} {
		s.fails(what, func(tx vault.Tx) error { return tx.InsertOwnerKey(s.ctx, k) })
		missing(s, what, readOwnerKey(k.User, k.ID))
	}
}

func readInstanceKeys(ctx context.Context, r vault.Reader) ([]vault.StoredInstanceKey, error) {
	return r.InstanceKeys(ctx)
}
