package maintenance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// userRows are the rows of one user in a database or a backup, whether they verify or not. Rows
// that are damaged are left out.
type userRows struct {
	user      vault.StoredUser // zero if there is no row
	secrets   []vault.StoredSecret
	versions  []vault.StoredVersion
	apiKeys   []vault.APIKey
	ownerKeys []vault.StoredOwnerKey
	keys      map[uuid.UUID]seal.OwnerKey // those that open
	chain     []audit.Linked
	broken    bool // something of the user does not verify
}

// findStored returns the user of that name or id, who was not deleted.
func findStored(
	ctx context.Context, src backup.Source, nameOrID string,
) (user vault.StoredUser, err error) {
	var found []vault.StoredUser
	for u, err := range store.Users(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); damaged {
			continue
		}
		if err != nil {
			return user, err
		}
		if u.Owner.String() == nameOrID || u.DeletedAt.IsZero() && u.Username == nameOrID {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		return user, fmt.Errorf("there are %d users of this name or id", len(found))
	}
	return found[0], nil
}

// alone returns a source without the other users, and who they are.
func alone(
	ctx context.Context, src backup.Source, user uuid.UUID,
) (backup.Source, []uuid.UUID, error) {
	var others []uuid.UUID
	for u, err := range store.Users(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return nil, nil, err
		}
		if err == nil && u.Owner != user {
			others = append(others, u.Owner)
		}
	}
	only, err := store.Without(ctx, src, others)
	return only, others, err
}

// of returns the rows of a user, without those that are damaged.
func of[T any](
	rows iter.Seq2[T, error], user uuid.UUID, owner func(T) uuid.UUID,
) (found []T, err error) {
	for row, err := range rows {
		if _, damaged := errors.AsType[*store.DamagedError](err); damaged {
			continue
		}
		if err != nil {
			return nil, err
		}
		if owner(row) == user {
			found = append(found, row)
		}
	}
	return found, nil
}

// readUser reads all rows of a user. The root keys open the owner keys.
func readUser(
	ctx context.Context, src backup.Source, user uuid.UUID, roots map[uuid.UUID]seal.RootKey,
) (r userRows, err error) {
	users, err := of(store.Users(ctx, src), user,
		func(u vault.StoredUser) uuid.UUID { return u.Owner })
	if len(users) > 0 {
		r.user = users[0]
	}
	if err == nil {
		r.secrets, err = of(store.Secrets(ctx, src), user,
			func(s vault.StoredSecret) uuid.UUID { return s.User })
	}
	if err == nil {
		r.versions, err = of(store.Versions(ctx, src), user,
			func(v vault.StoredVersion) uuid.UUID { return v.User })
	}
	if err == nil {
		r.apiKeys, err = of(store.APIKeys(ctx, src), user,
			func(k vault.APIKey) uuid.UUID { return k.User })
	}
	if err == nil {
		r.ownerKeys, err = of(store.OwnerKeys(ctx, src), user,
			func(k vault.StoredOwnerKey) uuid.UUID { return k.User })
	}
	if err == nil {
		r.chain, err = of(store.AuditEntries(ctx, src), user,
			func(e audit.Linked) uuid.UUID { return e.Owner })
	}
	r.openKeys(ctx, roots)
	return r, err
}

func (r *userRows) openKeys(ctx context.Context, roots map[uuid.UUID]seal.RootKey) {
	r.keys = map[uuid.UUID]seal.OwnerKey{}
	for _, k := range r.ownerKeys {
		root, found := roots[k.RootKey]
		if !found {
			continue
		}
		if key, err := root.Unwrap(ctx, k.User, k.ID, k.Wrapped); err == nil {
			r.keys[k.ID] = key
		}
	}
}

// An ownLedger is a user's ledger that verifies.
type ownLedger struct {
	anchor.Ledger

	signer seal.InstanceKey
}

// lists reports whether the ledger lists a secret, which one that is broken does.
func (l *ownLedger) lists(s vault.StoredSecret) bool {
	return l == nil || l.Secrets.Has(s.Row().Entry(l.signer, anchor.VersionEntry))
}

// listsVersion is lists for an old version.
func (l *ownLedger) listsVersion(v vault.StoredVersion) bool {
	return l == nil || l.Versions.Has(v.Row().Entry(l.signer, anchor.VersionEntry))
}

// examineUser reads all rows of a user in the database of an open data folder, and says whether all
// of them verify. It returns the user's ledger if that verifies.
func examineUser(
	ctx context.Context, i *instance.Instance, user uuid.UUID,
) (r userRows, ledger *ownLedger, err error) {
	err = i.Store.Snapshot(ctx, func(src backup.Source) error {
		only, others, err := alone(ctx, src, user)
		if err != nil {
			return err
		}
		known, err := store.RootKeys(ctx, only)
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return err
		}
		roots, _ := instance.ByID(i.Keys.OpenRequired(ctx, known)) // the others open nothing
		signers, _, err := openSigners(ctx, i.Keys, only, known)
		if err != nil {
			return err
		}
		if r, err = readUser(ctx, only, user, roots); err != nil {
			return err
		}
		if l, key, err := anchor.Open(r.user.Signed, user, signers); err == nil {
			ledger = &ownLedger{l, key}
		}
		_, broken, err := doctor.Verify(ctx, only, roots, signers, others)
		r.broken = r.user.Owner == uuid.Nil || slices.Contains(broken, user)
		return err
	})
	return r, ledger, err
}
