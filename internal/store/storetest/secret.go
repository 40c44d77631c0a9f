package storetest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

func secretBehaviours() []behaviour {
	return []behaviour{
		{"a secret is read back as stored, alone and in the list", func(s subject) {
			s.wantSecret(s.addSecret(s.addUser("ann").Owner, "TOKEN"))
		}},
		{"a secret's sealed value is given by one method only", func(s subject) {
			n := s.addSecret(s.addUser("ann").Owner, "TOKEN")
			s.wantSame("value in Secret", len(got(s, readSecret(n.User, n.ID)).SealedValue), 0)
			s.wantSame("value in Secrets", len(s.secrets(n.User)[0].SealedValue), 0)
		}},
		{"a secret needs no provider", func(s subject) {
			n := secretOf(s.addUser("ann").Owner, "TOKEN")
			n.Provider = ""
			s.update(func(tx vault.Tx) error { return tx.InsertSecret(s.ctx, n) })
			s.wantSecret(n)
		}},
		{"a secret with odd characters in its name is read back as stored", func(s subject) {
			ann := s.addUser("ann")
			for _, odd := range oddTexts() {
				s.wantSecret(s.addSecret(ann.Owner, odd))
			}
			s.wantSame("how many", len(s.secrets(ann.Owner)), len(oddTexts()))
		}},
		{"a version is any number up to the greatest", func(s subject) {
			ann := s.addUser("ann")
			for _, version := range []uint64{1, 1 << 31, 1 << 32, 1<<53 + 1, most} {
				n := secretOf(ann.Owner, newID().String())
				n.Version = version
				s.update(func(tx vault.Tx) error { return tx.InsertSecret(s.ctx, n) })
				s.wantSecret(n)
			}
		}},
		{"sealed bytes are kept whatever they are and however many", func(s subject) {
			ann := s.addUser("ann")
			for _, size := range []int{1, 255, 256, 4096, 64<<10 + 61, 1 << 20} {
				n := secretOf(ann.Owner, newID().String())
				n.SealedValue, n.SealedMask = blob(size), blob(min(size, 4096))
				s.update(func(tx vault.Tx) error { return tx.InsertSecret(s.ctx, n) })
				s.wantSecret(n)
			}
		}},
	}
}

func secretNames() []behaviour {
	return []behaviour{
		{"a name that is taken is a conflict for its user, and changes nothing", nameTaken},
		{"names that differ in case or in their Unicode form are different", func(s subject) {
			ann := s.addUser("ann")
			for _, name := range []string{
				"TOKEN", "token", "Token", "TOKEN ", "e\u0301", "\u00e9",
			} {
				s.wantSecret(s.addSecret(ann.Owner, name))
			}
		}},
		{"an id that is taken is a conflict, also for another user", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			n, other := s.addSecret(ann.Owner, "A"), secretOf(bob.Owner, "B")
			other.ID = n.ID
			s.refuses(vault.Conflict, "same id", func(tx vault.Tx) error {
				return tx.InsertSecret(s.ctx, other)
			})
			s.wantSecret(n)
		}},
		{"a secret needs its user", func(s subject) {
			s.fails("no such user", func(tx vault.Tx) error {
				return tx.InsertSecret(s.ctx, secretOf(newID(), "A"))
			})
		}},
		{"a user's secrets are listed by name, byte by byte", listsSecrets},
	}
}

func listsSecrets(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	names := strings.Fields("b A a B _ AB A_B A1 Z 9 10 A_ ß 鍵")
	for _, name := range names {
		s.addSecret(ann.Owner, name)
		s.addSecret(bob.Owner, name+"!")
	}
	slices.Sort(names)
	s.wantSame("names", s.names(ann.Owner), names)
	s.wantSame("secrets of an unknown user", len(s.secrets(newID())), 0)
}

func secretEnds() []behaviour {
	return []behaviour{
		{"an update stores the new version, and keeps name, provider and birth", updatesSecret},
		{"a rename stores name and mask, frees the old name, and takes none in use", renamesSecret},
		{"a deadline is stored and removed, and leaves all else", setsDeadline},
		{"deleting a secret frees its name", func(s subject) {
			ann := s.addUser("ann")
			n, kept := s.addSecret(ann.Owner, "A"), s.addSecret(ann.Owner, "B")
			s.update(func(tx vault.Tx) error { return tx.DeleteSecret(s.ctx, ann.Owner, n.ID) })
			missing(s, "deleted secret", readSecret(ann.Owner, n.ID))
			missing(s, "its value", readSealed(ann.Owner, n.ID))
			s.wantSecret(kept)
			s.wantSecret(s.addSecret(ann.Owner, "A"))
		}},
		{"deleting a user's secrets spares the others'", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			s.addSecret(ann.Owner, "A")
			s.addSecret(ann.Owner, "B")
			kept := s.addSecret(bob.Owner, "A")
			for range 2 { // the second time there are none, which is no error
				s.update(func(tx vault.Tx) error { return tx.DeleteSecrets(s.ctx, ann.Owner) })
				s.wantSame("how many are left", len(s.secrets(ann.Owner)), 0)
			}
			s.wantSecret(kept)
		}},
	}
}

func renamesSecret(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	n, other := s.addSecret(ann.Owner, "A"), s.addSecret(ann.Owner, "B")
	kept := n
	n.Name, n.SealedMask = "B", []byte("mask for another name")
	s.refuses(vault.Conflict, "a name in use", func(tx vault.Tx) error {
		return tx.RenameSecret(s.ctx, n)
	})
	s.wantSecret(kept)
	foreign := n
	foreign.User, foreign.Name = bob.Owner, "C"
	s.refuses(vault.NotFound, "another user's", func(tx vault.Tx) error {
		return tx.RenameSecret(s.ctx, foreign)
	})
	n.Name = "C"
	s.update(func(tx vault.Tx) error { return tx.RenameSecret(s.ctx, n) })
	s.wantSecret(n)
	s.wantSecret(other)
	s.wantSecret(s.addSecret(ann.Owner, "A"))
}

func setsDeadline(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	n, other := s.addSecret(ann.Owner, "A"), s.addSecret(ann.Owner, "B")
	foreign := n
	foreign.User = bob.Owner
	s.refuses(vault.NotFound, "another user's", func(tx vault.Tx) error {
		return tx.SetDeadline(s.ctx, foreign)
	})
	n.ExpiresAt, n.RemindBefore = moment(100), 0
	s.update(func(tx vault.Tx) error { return tx.SetDeadline(s.ctx, n) })
	s.wantSecret(n)
	n.ExpiresAt = time.Time{}
	s.update(func(tx vault.Tx) error { return tx.SetDeadline(s.ctx, n) })
	s.wantSecret(n)
	s.wantSecret(other)
}

func readSecret(user, id uuid.UUID) reads[vault.StoredSecret] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredSecret, error) {
		return r.Secret(ctx, user, id)
	}
}

func readSealed(user, id uuid.UUID) reads[[]byte] {
	return func(ctx context.Context, r vault.Reader) ([]byte, error) {
		return r.SealedValue(ctx, user, id)
	}
}

// wantSecret checks that a secret is stored as n.
func (s subject) wantSecret(n vault.StoredSecret) {
	s.Helper()
	if sealed := got(s, readSealed(n.User, n.ID)); !bytes.Equal(sealed, n.SealedValue) {
		s.Errorf("%d sealed bytes came back as other %d", len(n.SealedValue), len(sealed))
	}
	n.SealedValue = nil
	s.wantSame("secret", got(s, readSecret(n.User, n.ID)), n)
	at := slices.IndexFunc(s.secrets(n.User), func(listed vault.StoredSecret) bool {
		return listed.ID == n.ID
	})
	if at < 0 {
		s.Error("the secret is not in the list")
		return
	}
	s.wantSame("secret in the list", s.secrets(n.User)[at], n)
}

func nameTaken(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	n := s.addSecret(ann.Owner, "TOKEN")
	second := secretOf(ann.Owner, "TOKEN")
	s.refuses(vault.Conflict, "same name", func(tx vault.Tx) error {
		return tx.InsertSecret(s.ctx, second)
	})
	missing(s, "the second secret", readSecret(ann.Owner, second.ID))
	s.wantSecret(n)
	s.wantSecret(s.addSecret(bob.Owner, "TOKEN"))
}

func updatesSecret(s subject) {
	ann := s.addUser("ann")
	n, kept := s.addSecret(ann.Owner, "A"), s.addSecret(ann.Owner, "B")
	for _, version := range []uint64{2, 3, most} {
		n.Version, n.UpdatedAt = version, moment(80)
		n.Stamp, n.SealedValue, n.SealedMask = seal.NewStamp(), blob(500), blob(310)
		change := n
		change.Name, change.Provider, change.CreatedAt = "C", "github", moment(81)
		s.update(func(tx vault.Tx) error { return tx.UpdateSecret(s.ctx, change) })
		s.wantSecret(n)
	}
	s.wantSecret(kept)
}
