package maintenance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// UserRestoreOptions say what [RestoreUser] does.
type UserRestoreOptions struct {
	User         string      // a name or an id, as the backup has it
	Replace      bool        // also where all that the database has of the user verifies
	InstanceKeys []uuid.UUID // of the backup; empty for those that are configured

	// Confirm is asked before anything is changed. Its error ends the restore.
	Confirm func(RestoredUser) error
}

// A RestoredUser is what a restore of one user does.
type RestoredUser struct {
	BackupFile

	User      string    `json:"user"`
	ID        uuid.UUID `json:"id"`
	Whole     bool      `json:"whole"` // what the database had of the user verified
	Secrets   int       `json:"secrets"`
	Versions  int       `json:"old_versions"`
	Suspended int       `json:"suspended_api_keys"`
	// Lost are versions that the database has, and the backup does not.
	Lost []NamedVersion `json:"lost_versions"`
	// Back are versions that the backup has, and the database does not.
	Back []NamedVersion `json:"returning_versions"`
	// LostEntries of the audit log are neither in the backup, nor follow what is in it.
	LostEntries int `json:"lost_audit_entries"`
	// UnprovedEntries of the audit log follow those of the backup, and no ledger vouches for them.
	UnprovedEntries int `json:"unproved_audit_entries"`
}

// A NamedVersion is a version of a secret.
type NamedVersion struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
}

// RestoreUser puts one user of a backup in the place of what a database has of the user, for one
// whose ledger is broken, or who is missing. A server may be running. It verifies everything of
// that user in the backup, and signs it anew, with a new owner key. API keys are suspended and
// tickets end. Where all that the database has of the user verifies, it refuses, unless that is to
// be replaced. A user who was deleted is not restored.
//
// The audit log keeps what the database has beyond the backup, if it follows the backup's end.
//
// The error wraps [instance.ErrCannotOpen] if a key does not open.
func RestoreUser(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, file string, o UserRestoreOptions,
) (done RestoredUser, err error) {
	f, contents, err := done.open(ctx, file)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	keys := instance.NewKeys(cfg, ask)
	keys.Believe(o.InstanceKeys...)
	rows, ledger, err := verifyUser(ctx, keys, contents, o.User)
	if err != nil {
		keys.Opener.Close()
		return done, fmt.Errorf("%w. Nothing was changed", err)
	}
	keys.Believe() // those of the database
	i, err := instance.Open(ctx, cfg, keys, instance.Shared)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	return done, restoreUser(ctx, i, &done, rows, ledger, o)
}

// verifyUser reads and verifies all of one user in a backup.
func verifyUser(
	ctx context.Context, keys *instance.Keys, contents backup.Source, nameOrID string,
) (rows userRows, ledger anchor.Ledger, err error) {
	user, err := findStored(ctx, contents, nameOrID)
	if err != nil {
		return rows, ledger, fmt.Errorf("the backup: %w", err)
	}
	r := &restoration{keys: keys, done: &Restored{}}
	if r.src, r.skipped, err = alone(ctx, contents, user.Owner); err != nil {
		return rows, ledger, err
	}
	failed, _, err := r.verifyRows(ctx)
	if err != nil {
		return rows, ledger, err
	}
	if len(failed) > 0 {
		return rows, ledger, fmt.Errorf("%w. Take another one", errAltered(failed))
	}
	if ledger, _, err = anchor.Open(user.Signed, user.Owner, r.signers); err != nil {
		return rows, ledger, err
	}
	if ledger.State == anchor.Deleted {
		return rows, ledger, errors.New("the user was deleted before the backup was made")
	}
	rows, err = readUser(ctx, r.src, user.Owner, r.roots)
	return rows, ledger, err
}

// restoreUser decides what is put in the place of what the database has, and does it.
func restoreUser(
	ctx context.Context, i *instance.Instance, done *RestoredUser,
	rows userRows, ledger anchor.Ledger, o UserRestoreOptions,
) error {
	user := rows.user
	there, own, err := examineUser(ctx, i, user.Owner)
	if err != nil {
		return err
	}
	done.User, done.ID, done.Whole = user.Username, user.Owner, !there.broken
	done.Secrets, done.Versions = len(rows.secrets), len(rows.versions)
	done.Lost, done.Back = missingIn(rows, there), missingIn(there, rows)
	for _, k := range rows.apiKeys {
		if k.RevokedAt.IsZero() {
			done.Suspended++
		}
	}
	chain := keepChain(rows, ledger, there, own)
	done.LostEntries, done.UnprovedEntries = chain.lost, chain.unproved
	if done.Whole && !o.Replace {
		return fmt.Errorf("all that the database has of %s verifies: to replace it all the same, "+
			"give --replace. Nothing was changed", user.Username)
	}
	if err := o.Confirm(*done); err != nil {
		return err
	}
	l := rows.library(chain)
	l.Disabled, l.Number = ledger.State == anchor.Disabled, ledger.Number
	if own != nil {
		l.Disabled = l.Disabled || own.State == anchor.Disabled
		l.Number = max(l.Number, own.Number)
	}
	l.User.StoredLedger = there.user.StoredLedger
	l.User.Owner = user.Owner
	return i.Operator.RestoreUser(ctx, l, done.File)
}

// library returns what is put in the place of what the database has.
func (r userRows) library(chain keptChain) vault.Library {
	l := vault.Library{
		User: r.user, Secrets: r.secrets, Versions: r.versions, APIKeys: r.apiKeys, Keys: r.keys,
		Cut: chain.cut, Chain: chain.entries, Notes: chain.notes(),
	}
	l.User.DeleteAt = time.Time{} // a deletion that was due is called off; the user stays disabled
	l.User.DeletedAt = time.Time{}
	return l
}
