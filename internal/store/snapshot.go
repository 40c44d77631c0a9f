package store

import (
	"context"
	"errors"
	"iter"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/vault"
)

// errNotEmpty answers a Load over something.
var errNotEmpty = &vault.Error{Kind: vault.Conflict, Detail: "The database is not empty"}

// NewSource returns all rows, in the transaction that the connection is in, as a backup's source.
func NewSource(c Conn) backup.Source { return &snapshot{New(c, Dialect{})} }

// Load puts all rows of src into an empty database, in the transaction that the connection is in.
// Conflict: the database is not empty, or src has two rows with the same key.
func Load(ctx context.Context, c Conn, src backup.Source) error {
	return (&snapshot{New(c, Dialect{})}).load(ctx, src)
}

// snapshot is a connection in a transaction, as the source of a backup.
type snapshot struct{ s *Queries }

var _ backup.Source = (*snapshot)(nil)

func (t *snapshot) load(ctx context.Context, src backup.Source) error {
	there, err := t.RootKeys(ctx)
	if err != nil {
		return err
	}
	rows, err := t.Count(ctx)
	if err != nil {
		return err
	}
	if len(there) > 0 || rows != (backup.Count{}) {
		return errNotEmpty
	}
	keys, err := src.RootKeys(ctx)
	if err != nil {
		return err
	}
	steps := []func() error{ // what others refer to comes first
		func() error { return rootKeyRows().load(ctx, t.s, seq(keys)) },
		func() error { return instanceRows().load(ctx, t.s, src.Instances(ctx)) },
		func() error { return userRows().load(ctx, t.s, src.Users(ctx)) },
		func() error { return ownerKeyRows().load(ctx, t.s, src.OwnerKeys(ctx)) },
		func() error { return apiKeyRows().load(ctx, t.s, src.APIKeys(ctx)) },
		func() error { return secretRows().load(ctx, t.s, src.Secrets(ctx)) },
		func() error { return versionRows().load(ctx, t.s, src.Versions(ctx)) },
		func() error { return auditRows().load(ctx, t.s, src.AuditEntries(ctx)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return t.sameCount(ctx, src)
}

func (t *snapshot) sameCount(ctx context.Context, src backup.Source) error {
	want, err := src.Count(ctx)
	if err != nil {
		return err
	}
	got, err := t.Count(ctx)
	if err == nil && got != want {
		err = errors.New("store: not every row was loaded")
	}
	return err
}

func seq[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// RootKeys implements [backup.Source].
func (t *snapshot) RootKeys(ctx context.Context) (keys []backup.RootKey, err error) {
	for k, err := range rootKeyRows().all(ctx, t.s) {
		if err != nil {
			return nil, err
		}
		err := t.s.row(
			ctx,
			"SELECT COUNT(*) FROM owner_keys WHERE root_key_id = $1",
			[]any{idText(k.ID)},
			[]any{&k.OwnerKeys},
		)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Count implements [backup.Source].
func (t *snapshot) Count(ctx context.Context) (n backup.Count, err error) {
	for _, c := range []struct {
		into  *int64
		count func(context.Context, *Queries) (int64, error)
	}{
		{&n.Instances, instanceRows().count},
		{&n.Users, userRows().count},
		{&n.OwnerKeys, ownerKeyRows().count},
		{&n.APIKeys, apiKeyRows().count},
		{&n.Secrets, secretRows().count},
		{&n.Versions, versionRows().count},
		{&n.AuditEntries, auditRows().count},
	} {
		if *c.into, err = c.count(ctx, t.s); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Instances implements [backup.Source].
func (t *snapshot) Instances(ctx context.Context) iter.Seq2[backup.Instance, error] {
	return instanceRows().all(ctx, t.s)
}

// Users implements [backup.Source].
func (t *snapshot) Users(ctx context.Context) iter.Seq2[backup.User, error] {
	return userRows().all(ctx, t.s)
}

// OwnerKeys implements [backup.Source].
func (t *snapshot) OwnerKeys(ctx context.Context) iter.Seq2[backup.OwnerKey, error] {
	return ownerKeyRows().all(ctx, t.s)
}

// APIKeys implements [backup.Source].
func (t *snapshot) APIKeys(ctx context.Context) iter.Seq2[backup.APIKey, error] {
	return apiKeyRows().all(ctx, t.s)
}

// Secrets implements [backup.Source].
func (t *snapshot) Secrets(ctx context.Context) iter.Seq2[backup.Secret, error] {
	return secretRows().all(ctx, t.s)
}

// Versions implements [backup.Source].
func (t *snapshot) Versions(ctx context.Context) iter.Seq2[backup.Version, error] {
	return versionRows().all(ctx, t.s)
}

// AuditEntries implements [backup.Source].
func (t *snapshot) AuditEntries(ctx context.Context) iter.Seq2[backup.AuditEntry, error] {
	return auditRows().all(ctx, t.s)
}
