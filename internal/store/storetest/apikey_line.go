package storetest

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func lineBehaviours() []behaviour {
	return []behaviour{
		{"a key is active while every key above it is, whoever's they are", activeByLine},
		{"a key whose line is broken or goes in a circle is not active", brokenLines},
		{"the line of a key is the key and all above it", lineOfKey},
		{"keys are moved with what is below them, and no other is", movesKeys},
		{"an ended line counts for no user and no admin, and is pruned", endedLine},
		{"a key is found by its owner's id and its own", keyByID},
	}
}

func below(parent uuid.UUID) func(*vault.APIKey) {
	return func(k *vault.APIKey) { k.Parent = parent }
}

// active reads what every method says of a key, which must be the same.
func (s subject) active(k vault.APIKey) bool {
	s.Helper()
	found := got(s, readByHash(k.Hash))
	byID := got(s, func(ctx context.Context, r vault.Reader) (vault.APIKey, error) {
		return r.APIKey(ctx, k.User, k.ID, now())
	})
	s.wantSame("by id", byID, found)
	i := slices.IndexFunc(s.apiKeys(k.User), func(l vault.APIKey) bool { return l.ID == k.ID })
	s.wantSame("in the list", s.apiKeys(k.User)[i], found)
	s.wantSame("parent", found.Parent, k.Parent)
	return found.Active
}

func activeByLine(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	for _, change := range lives() {
		top := s.addAPIKey(ann.ID, change)
		child := s.addAPIKey(bob.ID, below(top.ID))
		grandchild := s.addAPIKey(ann.ID, below(child.ID))
		s.wantSame("child", s.active(child), top.Active)
		s.wantSame("grandchild", s.active(grandchild), top.Active)
		ended := s.addAPIKey(ann.ID, func(k *vault.APIKey) { change(k); k.Parent = grandchild.ID })
		s.wantSame("key that may be ended itself", s.active(ended), top.Active && ownActive(ended))
	}
}

func brokenLines(s subject) {
	ann := s.addUser("ann")
	orphan := s.addAPIKey(ann.ID, below(newID()))
	self := s.addAPIKey(ann.ID, func(k *vault.APIKey) { k.Parent = k.ID })
	other := newID()
	one := s.addAPIKey(ann.ID, below(other))
	two := s.addAPIKey(ann.ID, func(k *vault.APIKey) { k.ID, k.Parent = other, one.ID })
	leads := s.addAPIKey(ann.ID, below(two.ID))
	for what, k := range map[string]vault.APIKey{
		"orphan": orphan, "its own parent": self, "circle": one, "other half of the circle": two,
		"below a circle": leads,
	} {
		s.wantSame(what, s.active(k), false)
	}
	s.wantSame("active keys", s.live(ann.ID), 0)
	s.wantLine(self.ID, self.ID)
	s.wantLine(leads.ID, leads.ID, one.ID, two.ID)
	s.prune(ann.ID, 0)
	s.wantSame("how many are left", len(s.apiKeys(ann.ID)), 0)
}

func (s subject) wantLine(id uuid.UUID, want ...uuid.UUID) {
	s.Helper()
	line := got(s, func(ctx context.Context, r vault.Reader) ([]uuid.UUID, error) {
		line, err := r.APIKeyLine(ctx, id)
		slices.SortFunc(line, compareIDs)
		return line, err
	})
	slices.SortFunc(want, compareIDs)
	s.wantSame("line", line, want)
}

func compareIDs(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) }

func lineOfKey(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	top := s.addAPIKey(ann.ID, func(k *vault.APIKey) { k.RevokedAt = moment(0) })
	child := s.addAPIKey(bob.ID, below(top.ID))
	s.addAPIKey(ann.ID, below(top.ID))
	last := s.addAPIKey(ann.ID, below(child.ID))
	s.wantLine(top.ID, top.ID)
	s.wantLine(last.ID, top.ID, child.ID, last.ID)
	s.wantLine(newID())
}

func movesKeys(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	top := s.addAPIKey(ann.ID, nil)
	middle := s.addAPIKey(ann.ID, below(top.ID))
	moved := []vault.APIKey{
		s.addAPIKey(ann.ID, below(middle.ID)), s.addAPIKey(bob.ID, below(middle.ID)),
	}
	last := s.addAPIKey(bob.ID, below(moved[0].ID))
	beside := s.addAPIKey(ann.ID, below(top.ID))
	s.update(func(tx vault.Tx) error { return tx.MoveAPIKeys(s.ctx, middle.ID, top.ID) })
	s.revoke(ann.ID, middle.ID)
	for _, k := range moved {
		k.Parent = top.ID
		s.wantSame("moved key", s.active(k), true)
	}
	s.wantLine(last.ID, last.ID, moved[0].ID, top.ID)
	s.wantSame("key beside", s.active(beside), true)
	s.update(func(tx vault.Tx) error { return tx.MoveAPIKeys(s.ctx, top.ID, uuid.Nil) })
	s.revoke(ann.ID, top.ID)
	s.wantLine(last.ID, last.ID, moved[0].ID)
	s.wantSame("key below one that has no parent now", s.active(last), true)
}

func endedLine(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	admin := func(k *vault.APIKey) { k.Scopes = policy.AllScopes() }
	top := s.addAPIKey(ann.ID, admin)
	s.addAPIKey(bob.ID, func(k *vault.APIKey) { admin(k); k.Parent = top.ID })
	own := s.addAPIKey(bob.ID, nil)
	isAdmin := func() bool {
		return got(s, func(ctx context.Context, r vault.Reader) (vault.User, error) {
			return r.User(ctx, bob.ID, now())
		}).Admin
	}
	s.wantSame("active keys", s.live(bob.ID), 2)
	s.wantSame("admin", isAdmin(), true)
	s.revoke(ann.ID, top.ID)
	s.wantSame("active keys after the end", s.live(bob.ID), 1)
	s.wantSame("admin after the end", isAdmin(), false)
	s.prune(bob.ID, 0)
	s.wantSame("keys", s.apiKeys(bob.ID), []vault.APIKey{own})
}

func keyByID(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	k := s.addAPIKey(ann.ID, nil)
	byID := func(user, id uuid.UUID) reads[vault.APIKey] {
		return func(ctx context.Context, r vault.Reader) (vault.APIKey, error) {
			return r.APIKey(ctx, user, id, now())
		}
	}
	s.wantSame("key", got(s, byID(ann.ID, k.ID)), k)
	missing(s, "another user's key", byID(bob.ID, k.ID))
	missing(s, "unknown key", byID(ann.ID, newID()))
}
