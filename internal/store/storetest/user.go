package storetest

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func userBehaviours() []behaviour {
	return []behaviour{
		{"a user is read back as stored, by id, by name and in the list", func(s subject) {
			u := s.addUser("ann")
			s.wantUser(u)
			s.wantSame("users", s.users(), []vault.StoredUser{u})
		}},
		{"a user's optional fields may be empty", func(s subject) {
			u := NewUser("ann")
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
		{"a user is put in the place of the one of that id, or added", putsUser},
		{"a name that is taken is a conflict, and changes nothing", func(s subject) {
			u := s.addUser("ann")
			second := NewUser("ann")
			s.refuses(vault.Conflict, "same name", func(tx vault.Tx) error {
				return tx.InsertUser(s.ctx, second)
			})
			s.wantUser(u)
			missing(s, "the second user", readUser(second.Owner))
		}},
		{"an id that is taken is a conflict", func(s subject) {
			u := s.addUser("ann")
			second := NewUser("bob")
			second.Owner = u.Owner
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
			for _, u := range s.users() {
				listed = append(listed, u.Username)
			}
			s.wantSame("names", listed, names)
		}},
		{"users are listed from any name on, and by how their names begin", usersByName},
		{"what was used on a day is added up, and goes with its user and its time", usageByDay},
		{"deleting a user frees the name", deletionFreesName},
		{"of a deleted user only the ledger is left, and the user stays deleted", deletedUser},
		{"the id of a deleted user is not given again", func(s subject) {
			u := s.addUser("ann")
			s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.Owner, moment(9)) })
			s.refuses(vault.Conflict, "same id", func(tx vault.Tx) error {
				return tx.InsertUser(s.ctx, u)
			})
		}},
	}
}

func usersByName(s subject) {
	for _, name := range []string{"b", "ann", "an", "anna", "a", "ann-b", "gone"} {
		u := s.addUser(name)
		if name == "gone" {
			s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.Owner, moment(9)) })
		}
	}
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 9, []string{"a", "an", "ann", "ann-b", "anna", "b"}},
		{"", "", 2, []string{"a", "an"}},
		{"", "an", 2, []string{"ann", "ann-b"}},
		{"", "a%", 9, []string{"an", "ann", "ann-b", "anna", "b"}}, // there is no such user
		{"ann", "", 9, []string{"ann", "ann-b", "anna"}},
		{"ann", "ann-b", 9, []string{"anna"}},
		{"ann", "b", 9, nil},
		{"a_", "", 9, nil},
	} {
		var names []string
		for _, u := range got(s, func(ctx context.Context, r vault.Reader) (
			[]vault.StoredUser, error,
		) {
			return r.UsersByName(ctx, c.prefix, c.after, c.limit)
		}) {
			names = append(names, u.Username)
		}
		s.wantSame("names that begin with "+c.prefix+" after "+c.after, names, c.want)
	}
}

func readUser(id uuid.UUID) reads[vault.StoredUser] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredUser, error) {
		return r.User(ctx, id)
	}
}

func readUserNamed(name string) reads[vault.StoredUser] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredUser, error) {
		return r.UserNamed(ctx, name)
	}
}

func (s subject) users() []vault.StoredUser {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredUser, error) {
		return r.Users(ctx)
	})
}

func (s subject) wantUser(u vault.StoredUser) {
	s.Helper()
	s.wantSame("user", got(s, readUser(u.Owner)), u)
	s.wantSame("user by name", got(s, readUserNamed(u.Username)), u)
}

// A user who is put back has no ledger until the end of the change.
func putsUser(s subject) {
	put := NewUser("ann")
	for _, name := range []string{"ann", "other"} {
		put.Username, put.Number, put.Signed = name, put.Number+1, nil
		s.update(func(tx vault.Tx) error { return tx.PutUser(s.ctx, put) })
		put.Signed = []byte{}
		s.wantUser(put)
	}
	s.wantSame("users", s.users(), []vault.StoredUser{put})
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
			return tx.SaveLedger(s.ctx, ledgerOf(id, 1), 0)
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
		s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.Owner, moment(round)) })
	}
}

// deletedUser is found by its id, with nothing but its ledger.
func deletedUser(s subject) {
	u, kept := s.addUser("ann"), s.addUser("bob")
	l := s.saveLedger(u.Owner, 0, 3)
	s.update(func(tx vault.Tx) error { return tx.DeleteUser(s.ctx, u.Owner, moment(9)) })
	gone := vault.StoredUser{StoredLedger: l, CreatedAt: u.CreatedAt, DeletedAt: moment(9)}
	s.wantSame("User", got(s, readUser(u.Owner)), gone)
	s.wantSame("Ledger", got(s, readLedger(u.Owner)), l)
	missing(s, "UserNamed", readUserNamed("ann"))
	missing(s, "UserNamed with the emptied name", readUserNamed(""))
	s.refuses(vault.NotFound, "DeleteUser", func(tx vault.Tx) error {
		return tx.DeleteUser(s.ctx, u.Owner, moment(10))
	})
	s.wantSame("users", s.users(), []vault.StoredUser{gone, kept})
}
