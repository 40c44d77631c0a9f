package store

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/vault"
)

// The rows of a source, be it a database or a backup, with their types and in the order of their
// keys. A row that is damaged is a [*DamagedError], after which a sequence goes on; after any other
// error it ends.

// Users returns all users, deleted ones too.
func Users(ctx context.Context, src backup.Source) iter.Seq2[vault.StoredUser, error] {
	return typed(ctx, users, src)
}

// Instances returns the ledger of the instance: at most one.
func Instances(ctx context.Context, src backup.Source) iter.Seq2[vault.StoredLedger, error] {
	return typed(ctx, instances, src)
}

// InstanceKeys returns all wrapped instance keys, in the order of their ids.
func InstanceKeys(
	ctx context.Context, src backup.Source,
) iter.Seq2[vault.StoredInstanceKey, error] {
	return typed(ctx, instanceKeys, src)
}

// OwnerKeys returns all owner keys by user.
func OwnerKeys(ctx context.Context, src backup.Source) iter.Seq2[vault.StoredOwnerKey, error] {
	return typed(ctx, ownerKeys, src)
}

// APIKeys returns all API keys by user.
func APIKeys(ctx context.Context, src backup.Source) iter.Seq2[vault.APIKey, error] {
	return typed(ctx, apiKeys, src)
}

// Secrets returns all secrets by user, with their values.
func Secrets(ctx context.Context, src backup.Source) iter.Seq2[vault.StoredSecret, error] {
	return typed(ctx, secrets, src)
}

// Versions returns all old versions by user and secret, with their values.
func Versions(ctx context.Context, src backup.Source) iter.Seq2[vault.StoredVersion, error] {
	return typed(ctx, versions, src)
}

// Leases returns all leases by user.
func Leases(ctx context.Context, src backup.Source) iter.Seq2[vault.StoredLease, error] {
	return typed(ctx, leases, src)
}

// DoneRequests returns what is remembered of requests by user.
func DoneRequests(ctx context.Context, src backup.Source) iter.Seq2[vault.DoneRequest, error] {
	return typed(ctx, doneRequests, src)
}

// AuditEntries returns all audit entries by chain.
func AuditEntries(ctx context.Context, src backup.Source) iter.Seq2[audit.Linked, error] {
	return typed(ctx, auditEntries, src)
}

// RootKeys returns all root keys, oldest first, with the number of owner keys that each wraps. With
// a [*DamagedError], which is the first, it returns those that are not damaged.
func RootKeys(ctx context.Context, src backup.Source) (keys []vault.StoredRootKey, err error) {
	wraps := map[uuid.UUID]int{}
	for k, damage := range OwnerKeys(ctx, src) {
		if damage != nil && !isDamage(damage) {
			return nil, damage
		}
		wraps[k.RootKey]++
	}
	for k, damage := range typed(ctx, rootKeys, src) {
		switch {
		case damage == nil:
			k.OwnerKeys = wraps[k.ID]
			keys = append(keys, k)
		case isDamage(damage):
			err = cmp.Or(err, damage) // one: a crafted backup may have any number
		default:
			return nil, damage
		}
	}
	slices.SortStableFunc(keys, func(a, b vault.StoredRootKey) int {
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return keys, err
}

func isDamage(err error) bool {
	_, damaged := errors.AsType[*DamagedError](err)
	return damaged
}

// typed decodes the rows of a table, if the source describes it as this version does.
func typed[T any](ctx context.Context, t *table[T], src backup.Source) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		tables, err := src.Tables(ctx)
		if err == nil && !hasTable(tables, t.describe()) {
			err = noTable(t.name)
		}
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		decode(t, src.Rows(ctx, t.name))(yield)
	}
}
