package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func userBehaviours() []behaviour {
	return []behaviour{
		{"a user is read back as stored, by id, by name and in the list", func(s subject) {
			u := s.addUser("ann")
			s.wantUser(u)
			s.wantSame("users", s.users(moment(0)), []vault.User{u})
		}},
		{"a user's optional fields may be empty", func(s subject) {
			u := userNamed("ann")
			u.Email, u.FullName = "", ""
			s.update(func(tx vault.Tx) error { return tx.InsertUser(s.ctx, u) })
			s.wantUser(u)
		}},
		{"a user with odd characters is read back as stored", func(s subject) {
			for _, odd := range oddTexts() {
				u := s.addUser(odd)
				s.wantUser(u)
			}
		}},
		{"an unknown user is not found by any method", unknownUser},
		{"a name that is taken is a conflict, and changes nothing", func(s subject) {
			u := s.addUser("ann")
			second := userNamed("ann")
			s.refuses(vault.Conflict, "same name", func(tx vault.Tx) error {
				return tx.InsertUser(s.ctx, second)
			})
			s.wantUser(u)
			missing(s, "the second user", readUser(second.ID))
		}},
		{"an id that is taken is a conflict", func(s subject) {
			u := s.addUser("ann")
			second := userNamed("bob")
			second.ID = u.ID
			s.refuses(vault.Conflict, "same id", func(tx vault.Tx) error {
				return tx.InsertUser(s.ctx, second)
			})
			s.wantUser(u)
		}},
	}
}

func userListBehaviours() []behaviour {
	return []behaviour{
		{"users are listed by name, byte by byte", func(s subject) {
			names := []string{"b", "a", "a-b", "a.b", "a_b", "ab", "0", "10", "9", "z", "é"}
			for _, name := range names {
				s.addUser(name)
			}
			slices.Sort(names)
			var listed []string
			for _, u := range s.users(moment(0)) {
				listed = append(listed, u.Username)
			}
			s.wantSame("names", listed, names)
		}},
		{"who owns a live API key with the scope admin is an admin", adminBehaviour},
		{"deleting a user frees the name", deletionFreesName},
		{"a deleted user is not found by any method, and stays deleted", func(s subject) {
			u, kept := s.addUser("ann"), s.addUser("bob")
			s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.ID, moment(9)) })
			missing(s, "User", readUser(u.ID))
			missing(s, "UserNamed", readUserNamed("ann"))
			missing(s, "UserNamed with the emptied name", readUserNamed(""))
			missing(s, "Ledger", readLedger(u.ID))
			s.refuses(vault.NotFound, "DeleteUser", func(tx vault.Tx) error {
				return tx.DeleteUser(s.ctx, u.ID, moment(10))
			})
			s.wantSame("users", s.users(moment(9)), []vault.User{kept})
		}},
		{"the id of a deleted user is not given again", func(s subject) {
			u := s.addUser("ann")
			s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.ID, moment(9)) })
			s.refuses(vault.Conflict, "same id", func(tx vault.Tx) error {
				return tx.InsertUser(s.ctx, u)
			})
		}},
	}
}

func readUser(id uuid.UUID) reads[vault.User] {
	return func(ctx context.Context, r vault.Reader) (vault.User, error) {
		return r.User(ctx, id, moment(0))
	}
}

func readUserNamed(name string) reads[uuid.UUID] {
	return func(ctx context.Context, r vault.Reader) (uuid.UUID, error) {
		return r.UserNamed(ctx, name)
	}
}

func (s subject) users(now time.Time) []vault.User {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.User, error) {
		return r.Users(ctx, now)
	})
}

func (s subject) wantUser(u vault.User) {
	s.Helper()
	s.wantSame("user", got(s, readUser(u.ID)), u)
	s.wantSame("id by name", got(s, readUserNamed(u.Username)), u.ID)
}

func unknownUser(s subject) {
	s.addUser("ann")
	for _, id := range []uuid.UUID{newID(), uuid.Nil} {
		missing(s, "User", readUser(id))
		missing(s, "Ledger", readLedger(id))
		s.refuses(vault.NotFound, "DeleteUser", func(tx vault.Tx) error {
			return tx.DeleteUser(s.ctx, id, moment(0))
		})
		s.refuses(vault.NotFound, "SaveLedger", func(tx vault.Tx) error {
			return tx.SaveLedger(s.ctx, vault.Ledger{Owner: id, OwnerKey: newID()})
		})
	}
	for _, name := range []string{"", "bob", "Ann", "ann ", "an%", "a__"} {
		missing(s, "UserNamed", readUserNamed(name))
	}
}

func deletionFreesName(s subject) {
	for round := range 3 { // the emptied rows of two deleted users do not collide
		u := s.addUser("ann")
		s.wantUser(u)
		if round == 2 {
			return
		}
		s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.ID, moment(round)) })
	}
}

func adminBehaviour(s subject) {
	admin := []policy.Scope{policy.SecretsRead, policy.Admin, policy.KeysWrite}
	for _, c := range []struct {
		what   string
		change func(*vault.APIKey)
		want   bool
	}{
		{"without a key", nil, false},
		{"with other scopes", func(k *vault.APIKey) { k.Scopes = policy.UserScopes() }, false},
		{"with scopes that only look like it", func(k *vault.APIKey) { k.Scopes = []policy.Scope{"administrator", "sub:admin", "_admin"} }, false},
		{"with the scope among others", func(k *vault.APIKey) { k.Scopes = admin }, true},
		{"with the scope first", func(k *vault.APIKey) { k.Scopes = []policy.Scope{policy.Admin, policy.SecretsRead} }, true},
		{"with the scope last", func(k *vault.APIKey) { k.Scopes = []policy.Scope{policy.SecretsRead, policy.Admin} }, true},
		{"with the scope alone", func(k *vault.APIKey) { k.Scopes = []policy.Scope{policy.Admin} }, true},
		{"with a revoked key", func(k *vault.APIKey) { k.Scopes, k.RevokedAt = admin, moment(20) }, false},
		{"with a key that expires now", func(k *vault.APIKey) { k.Scopes, k.ExpiresAt = admin, moment(30) }, false},
		{"with a key that expires later", func(k *vault.APIKey) { k.Scopes, k.ExpiresAt = admin, moment(30).Add(time.Microsecond) }, true},
	} {
		u := s.addUser(c.what)
		if c.change != nil {
			s.addAPIKey(u.ID, c.change)
		}
		u.Admin = c.want
		found := got(s, func(ctx context.Context, r vault.Reader) (vault.User, error) {
			return r.User(ctx, u.ID, moment(30))
		})
		s.wantSame("user "+c.what, found, u)
	}
	for _, u := range s.users(moment(30)) {
		alone := got(s, func(ctx context.Context, r vault.Reader) (vault.User, error) {
			return r.User(ctx, u.ID, moment(30))
		})
		s.wantSame("in the list and alone", u, alone)
	}
}
