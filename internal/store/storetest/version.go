package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

func versionBehaviours() []behaviour {
	return []behaviour{
		{"old versions are listed newest first, without values", func(s subject) {
			k := s.addVersions()
			s.wantVersions(k, versionOf(k, 2), versionOf(k, 1))
			s.wantSame("version 1", got(s, readVersion(k.User, k.ID, 1)), versionOf(k, 1))
			s.wantSealed(k.User, []vault.StoredSecret{k}, versionOf(k, 1), versionOf(k, 2))
		}},
		{"all old versions of a user are listed by secret", listsVersions},
		{"another user's versions are not found and not touched", versionsOfOthers},
		{"versions are pruned up to a number", func(s subject) {
			k := s.addVersions()
			s.update(func(tx vault.Tx) error { return tx.PruneVersions(s.ctx, k.User, k.ID, 1) })
			s.wantVersions(k, versionOf(k, 2))
		}},
		{"only a version that still exists is resealed", func(s subject) {
			k := s.addVersions()
			second := versionOf(k, 2)
			second.SealedMask, second.SealedValue = []byte("new mask"), []byte("new value")
			gone, late, now := second, k, k
			gone.Number = 7
			late.Version, late.SealedValue = 2, []byte("late")
			now.SealedMask, now.SealedValue = []byte("mask of 3"), []byte("value of 3")
			s.update(func(tx vault.Tx) error {
				return errors.Join(tx.ResealVersion(s.ctx, second), tx.ResealSecret(s.ctx, now))
			})
			s.refuses(vault.NotFound, "a version that is gone",
				func(tx vault.Tx) error { return tx.ResealVersion(s.ctx, gone) })
			s.refuses(vault.NotFound, "a version that is not the current one",
				func(tx vault.Tx) error { return tx.ResealSecret(s.ctx, late) })
			s.wantVersions(k, second, versionOf(k, 1))
			s.wantSealed(k.User, []vault.StoredSecret{now}, versionOf(k, 1), second)
		}},
	}
}

// addVersions stores a user with a secret, as addSecretVersions does.
func (s subject) addVersions() vault.StoredSecret {
	s.Helper()
	return s.addSecretVersions(s.addUser("ann").Owner, "A")
}

// addSecretVersions stores a secret with the versions 1 to 3, and returns it with its current
// value.
func (s subject) addSecretVersions(user uuid.UUID, name string) vault.StoredSecret {
	s.Helper()
	k := secretOf(user, name)
	k.UpdatedAt = k.CreatedAt
	first := k
	for n := uint64(1); n <= 3; n++ {
		v := versionOf(first, n)
		k.Version, k.Stamp, k.SealedValue, k.SealedMask = n, v.Stamp, v.SealedValue, v.SealedMask
		k.UpdatedAt = v.CreatedAt
		s.update(func(tx vault.Tx) error {
			if n == 1 {
				return tx.InsertSecret(s.ctx, k)
			}
			return errors.Join(tx.ArchiveVersion(s.ctx, k.User, k.ID), tx.UpdateSecret(s.ctx, k))
		})
	}
	return k
}

// versionOf is version n of a secret of addVersions.
func versionOf(k vault.StoredSecret, n uint64) vault.StoredVersion {
	digit := string(rune('0' + n))
	return vault.StoredVersion{
		Secret: k.ID, User: k.User, Number: n, Name: k.Name, Stamp: seal.Stamp{byte(n)},
		SealedValue: []byte("value " + digit), SealedMask: []byte("mask " + digit),
		CreatedAt: k.CreatedAt.Add(time.Duration(n-1) * time.Hour),
	}
}

// wantVersions checks the list of old versions, which has no values.
func (s subject) wantVersions(k vault.StoredSecret, want ...vault.StoredVersion) {
	s.Helper()
	for i := range want {
		want[i].SealedValue = nil
	}
	old := got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredVersion, error) {
		all, err := r.OldVersions(ctx, k.User)
		return slices.DeleteFunc(all, func(v vault.StoredVersion) bool {
			return v.Secret != k.ID
		}), err
	})
	s.wantSame("old versions", old, want)
}

// wantSealed checks everything sealed that a user has.
func (s subject) wantSealed(
	user uuid.UUID, secrets []vault.StoredSecret, versions ...vault.StoredVersion,
) {
	s.Helper()
	s.wantSame("secrets", got(s, readSealedSecrets(user)), secrets)
	s.wantSame("versions", got(s, readSealedVersions(user)), versions)
}

func readVersion(user, secret uuid.UUID, number uint64) reads[vault.StoredVersion] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredVersion, error) {
		return r.OldVersion(ctx, user, secret, number)
	}
}

func readSealedSecrets(user uuid.UUID) reads[[]vault.StoredSecret] {
	return func(ctx context.Context, r vault.Reader) ([]vault.StoredSecret, error) {
		return r.SealedSecrets(ctx, user)
	}
}

func readSealedVersions(user uuid.UUID) reads[[]vault.StoredVersion] {
	return func(ctx context.Context, r vault.Reader) ([]vault.StoredVersion, error) {
		return r.SealedVersions(ctx, user)
	}
}

func versionsOfOthers(s subject) {
	k, bob := s.addVersions(), s.addUser("bob").Owner
	for _, v := range []vault.StoredVersion{
		{User: bob, Secret: k.ID, Number: 1},
		{User: k.User, Secret: k.ID, Number: 3},
		{User: k.User, Secret: k.ID, Number: 0},
		{User: k.User, Secret: bob, Number: 1},
	} {
		missing(s, "version", readVersion(v.User, v.Secret, v.Number))
	}
	s.wantVersions(vault.StoredSecret{User: bob, ID: k.ID})
	s.wantSealed(bob, nil)
	s.refuses(vault.NotFound, "keep a version", func(tx vault.Tx) error {
		return tx.ArchiveVersion(s.ctx, bob, k.ID)
	})
	version, secret := versionOf(k, 1), k
	version.User, version.SealedValue = bob, []byte("x")
	secret.User, secret.SealedValue = bob, []byte("x")
	s.refuses(vault.NotFound, "reseal a version", func(tx vault.Tx) error {
		return tx.ResealVersion(s.ctx, version)
	})
	s.refuses(vault.NotFound, "reseal a secret", func(tx vault.Tx) error {
		return tx.ResealSecret(s.ctx, secret)
	})
	s.update(func(tx vault.Tx) error {
		return errors.Join(tx.PruneVersions(s.ctx, bob, k.ID, 9), tx.DeleteSecrets(s.ctx, bob))
	})
	s.wantVersions(k, versionOf(k, 2), versionOf(k, 1))
	s.wantSealed(k.User, []vault.StoredSecret{k}, versionOf(k, 1), versionOf(k, 2))
}

func listsVersions(s subject) {
	ann, bob := s.addUser("ann").Owner, s.addUser("bob").Owner
	var want []vault.StoredVersion
	for _, name := range []string{"B", "A", "C"} {
		k := s.addSecretVersions(ann, name)
		s.addSecretVersions(bob, name)
		for _, n := range []uint64{2, 1} {
			v := versionOf(k, n)
			v.SealedValue = nil
			want = append(want, v)
		}
	}
	read := func(user uuid.UUID) reads[[]vault.StoredVersion] {
		return func(ctx context.Context, r vault.Reader) ([]vault.StoredVersion, error) {
			return r.OldVersions(ctx, user)
		}
	}
	s.wantSame("old versions", got(s, read(ann)), want)
	s.wantSame("old versions of an unknown user", len(got(s, read(newID()))), 0)
}
