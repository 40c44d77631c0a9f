package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// inVersions makes ann's secret with the versions 1 to 3, and returns it as it is stored.
func inVersions(t *testing.T) (*library, vault.StoredSecret) {
	t.Helper()
	l := newLibrary(t, 1)
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	k := vault.StoredSecret{
		ID: uuid.Must(
			uuid.NewV7(),
		),
		User:        l.user,
		Name:        "A",
		Version:     1,
		SealedValue: []byte("value 1"),
		SealedMask:  []byte("mask 1"),
		CreatedAt:   at,
		UpdatedAt:   at,
	}
	l.update(func(ctx context.Context, tx vault.Tx) error { return tx.InsertSecret(ctx, k) })
	for _, n := range []string{"2", "3"} {
		k.Version++
		k.SealedValue, k.SealedMask, k.UpdatedAt = []byte(
			"value "+n,
		), []byte(
			"mask "+n,
		), k.UpdatedAt.Add(
			time.Hour,
		)
		l.update(func(ctx context.Context, tx vault.Tx) error {
			return errors.Join(tx.KeepVersion(ctx, l.user, k.ID), tx.UpdateSecret(ctx, k))
		})
	}
	return l, k
}

// of is version n of k as it is kept, with its value.
func of(k vault.StoredSecret, n uint64) vault.StoredVersion {
	digit := string(rune('0' + n))
	return vault.StoredVersion{
		Secret:      k.ID,
		User:        k.User,
		Number:      n,
		SealedValue: []byte("value " + digit),
		SealedMask:  []byte("mask " + digit),
		CreatedAt:   k.CreatedAt.Add(time.Duration(n-1) * time.Hour),
	}
}

func without(v vault.StoredVersion) vault.StoredVersion {
	v.SealedValue = nil
	return v
}

// view runs fn on a snapshot.
func (l *library) view(fn func(ctx context.Context, r vault.Reader) error) {
	l.t.Helper()
	if err := l.db.View(
		l.t.Context(),
		func(r vault.Reader) error { return fn(l.t.Context(), r) },
	); err != nil {
		l.t.Fatal(err)
	}
}

func (l *library) wantVersions(k vault.StoredSecret, want ...vault.StoredVersion) {
	l.t.Helper()
	l.view(func(ctx context.Context, r vault.Reader) error {
		got, err := r.OldVersions(ctx, l.user, k.ID)
		if diff := cmp.Diff(want, got); diff != "" {
			l.t.Errorf("versions (-want +got):\n%s", diff)
		}
		return err
	})
}

func TestOldVersionsAreGivenNewestFirst(t *testing.T) {
	t.Parallel()
	l, k := inVersions(t)
	l.wantVersions(k, without(of(k, 2)), without(of(k, 1)))
	l.view(func(ctx context.Context, r vault.Reader) error {
		one, err := r.OldVersion(ctx, l.user, k.ID, 1)
		if diff := cmp.Diff(of(k, 1), one); diff != "" {
			t.Errorf("version 1 (-want +got):\n%s", diff)
		}
		secrets, err2 := r.SealedSecrets(ctx, l.user)
		if diff := cmp.Diff([]vault.StoredSecret{k}, secrets); diff != "" {
			t.Errorf("secrets (-want +got):\n%s", diff)
		}
		versions, err3 := r.SealedVersions(ctx, l.user)
		if diff := cmp.Diff([]vault.StoredVersion{of(k, 1), of(k, 2)}, versions); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		return errors.Join(err, err2, err3)
	})
}

func TestAnothersVersionsAreNotFoundAndNotTouched(t *testing.T) {
	t.Parallel()
	l, k := inVersions(t)
	other := addUser(t, l.db, "bob").ID
	l.view(func(ctx context.Context, r vault.Reader) error {
		for _, try := range []struct {
			user   uuid.UUID
			secret uuid.UUID
			number uint64
		}{{other, k.ID, 1}, {l.user, k.ID, 3}, {l.user, k.ID, 0}, {l.user, other, 1}} {
			if _, err := r.OldVersion(
				ctx,
				try.user,
				try.secret,
				try.number,
			); vault.KindOf(
				err,
			) != vault.NotFound {
				t.Errorf("version %d: %v", try.number, err)
			}
		}
		old, err := r.OldVersions(ctx, other, k.ID)
		versions, err2 := r.SealedVersions(ctx, other)
		secrets, err3 := r.SealedSecrets(ctx, other)
		if len(old)+len(versions)+len(secrets) > 0 {
			t.Error("another user has them")
		}
		return errors.Join(err, err2, err3)
	})
	stranger := of(k, 1)
	stranger.User, stranger.SealedValue = other, []byte("x")
	theirs := k
	theirs.User, theirs.SealedValue = other, []byte("x")
	l.update(func(ctx context.Context, tx vault.Tx) error {
		if err := tx.KeepVersion(ctx, other, k.ID); vault.KindOf(err) != vault.NotFound {
			t.Errorf("keeping another's version: %v", err)
		}
		return errors.Join(
			tx.PruneVersions(
				ctx,
				other,
				k.ID,
				9,
			),
			tx.ResealVersion(ctx, stranger),
			tx.ResealSecret(ctx, theirs),
			tx.DeleteSecrets(ctx, other),
		)
	})
	l.wantVersions(k, without(of(k, 2)), without(of(k, 1)))
	l.view(func(ctx context.Context, r vault.Reader) error {
		value, err := r.SealedValue(ctx, l.user, k.ID)
		if string(value) != "value 3" {
			t.Error("the secret was changed")
		}
		return err
	})
}

func TestVersionsArePrunedUpToANumber(t *testing.T) {
	t.Parallel()
	l, k := inVersions(t)
	l.update(
		func(ctx context.Context, tx vault.Tx) error {
			return tx.PruneVersions(ctx, l.user, k.ID, 1)
		},
	)
	l.wantVersions(k, without(of(k, 2)))
}

func TestOnlyWhatIsStillThereIsResealed(t *testing.T) {
	t.Parallel()
	l, k := inVersions(t)
	v := of(k, 2)
	v.SealedMask, v.SealedValue = []byte("new mask"), []byte("new value")
	gone, late, now := v, k, k
	gone.Number = 7
	late.Version, late.SealedValue = 2, []byte("late")
	now.SealedMask, now.SealedValue = []byte("mask of 3"), []byte("value of 3")
	l.update(func(ctx context.Context, tx vault.Tx) error {
		return errors.Join(
			tx.ResealVersion(ctx, v),
			tx.ResealVersion(ctx, gone),
			tx.ResealSecret(ctx, late),
			tx.ResealSecret(ctx, now),
		)
	})
	l.wantVersions(k, without(v), without(of(k, 1)))
	l.view(func(ctx context.Context, r vault.Reader) error {
		secrets, err := r.SealedSecrets(ctx, l.user)
		if diff := cmp.Diff([]vault.StoredSecret{now}, secrets); diff != "" {
			t.Errorf("secrets (-want +got):\n%s", diff)
		}
		return err
	})
}
