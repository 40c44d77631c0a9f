package storetest

import (
	"bytes"
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func lineBehaviours() []behaviour {
	return []behaviour{
		{"the keys below one are those that it made, of all users", keysBelow},
		{"the keys of admins are those with the scope, of all users and in any state", adminKeys},
	}
}

func below(parent uuid.UUID) func(*vault.APIKey) {
	return func(k *vault.APIKey) { k.Parent = parent }
}

// byUser orders keys by user and id.
func byUser(keys []vault.APIKey) []vault.APIKey {
	slices.SortFunc(keys, func(a, b vault.APIKey) int {
		if a.User != b.User {
			return bytes.Compare(a.User[:], b.User[:])
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return keys
}

func keysBelow(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	top, beside := s.addAPIKey(ann.Owner, nil), s.addAPIKey(ann.Owner, nil)
	var want []vault.APIKey
	for range 3 {
		want = append(want, s.addAPIKey(bob.Owner, below(top.ID)),
			s.addAPIKey(ann.Owner, below(top.ID)))
		s.addAPIKey(ann.Owner, below(beside.ID))
		s.addAPIKey(bob.Owner, below(want[0].ID))
	}
	want = append(want, s.addAPIKey(ann.Owner, func(k *vault.APIKey) {
		k.Parent, k.RevokedAt, k.Suspended = top.ID, moment(1), true
	}))
	read := func(parent uuid.UUID) reads[[]vault.APIKey] {
		return func(ctx context.Context, r vault.Reader) ([]vault.APIKey, error) {
			return r.APIKeysBelow(ctx, parent)
		}
	}
	s.wantSame("keys below", got(s, read(top.ID)), byUser(want))
	s.wantSame("keys below an unknown one", len(got(s, read(newID()))), 0)
	s.wantSame("keys that the operator made", got(s, read(uuid.Nil)),
		[]vault.APIKey{top, beside})
}

func adminKeys(s subject) {
	const admin = policy.Admin
	var want []vault.APIKey
	for name, scopes := range map[string][]policy.Scope{
		"none": nil, "others": policy.UserScopes(),
		"alike": {"administrator", "sub:admin", "_admin", "admin_"},
		"alone": {admin}, "first": {admin, policy.SecretsRead},
		"last": {policy.SecretsRead, admin}, "among": {policy.SecretsRead, admin, policy.KeysWrite},
	} {
		user := s.addUser(name).Owner
		for _, change := range []func(*vault.APIKey){
			func(*vault.APIKey) {},
			func(k *vault.APIKey) { k.RevokedAt = moment(1) },
			func(k *vault.APIKey) { k.Kind = audit.CredentialSession },
			func(k *vault.APIKey) { k.ExpiresAt, k.Suspended = moment(1), true },
		} {
			k := s.addAPIKey(user, func(k *vault.APIKey) { k.Scopes = scopes; change(k) })
			if slices.Contains(scopes, admin) && k.Kind == "" {
				want = append(want, k)
			}
		}
	}
	found := got(s, func(ctx context.Context, r vault.Reader) ([]vault.APIKey, error) {
		return r.AdminAPIKeys(ctx)
	})
	s.wantSame("keys", found, byUser(want))
}
