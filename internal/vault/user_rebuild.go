package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A Library is all of one user that is put in the place of what the database has. Whoever makes one
// has verified it, or the operator has confirmed it.
type Library struct {
	User     StoredUser // the ledger in it is the one that the database had when this was decided
	Disabled bool
	Secrets  []StoredSecret  // with their values
	Versions []StoredVersion // with their values
	APIKeys  []APIKey        // which are suspended, unless they are revoked
	Number   uint64          // of the newest ledger of the user that was verified

	Keys map[uuid.UUID]seal.OwnerKey // that open the values

	Cut   audit.Head     // up to which the audit chain is cut off
	Chain []audit.Linked // the entries after that
	Notes []string       // what the audit log is to say of it, one entry each
}

// RestoreUser puts a library from a backup in the place of what the database has of a user, whose
// ledger may be broken or missing. A new owner key seals it, and today's instance key signs it. No
// API key in it works. It is recorded in the chains of the user and of the instance. Conflict: the
// user was deleted, what the database has of the user is not what it was, or another user has the
// name.
func (o *Operator) RestoreUser(ctx context.Context, l Library, file string) error {
	return o.rebuild(ctx, policy.UserRestore, l, backupTarget(file))
}

// RepairUser is [Operator.RestoreUser] for what the operator has confirmed of the rows that the
// database has. The user is repaired until [Service.ConfirmRepair].
func (o *Operator) RepairUser(ctx context.Context, l Library) error {
	l.APIKeys = nil
	l.User.RepairedAt = o.time()
	return o.rebuild(ctx, policy.UserRepair, l)
}

// ConfirmRepair says that what was repaired of the caller is what the caller has stored. It needs
// the scope secrets:write. Who was not repaired confirms nothing.
func (s *Service) ConfirmRepair(ctx context.Context, who Actor) error {
	return s.update(ctx, inOwnLibrary(who, policy.UserConfirm), func(c *change) error {
		stored, _, err := c.recordOwner(ctx)
		if err != nil {
			return err
		}
		if c.ledger.State == anchor.Repaired {
			c.ledger.State = anchor.Active
		}
		stored.RepairedAt = time.Time{}
		return c.setTimes(ctx, stored)
	})
}

func (o *Operator) rebuild(
	ctx context.Context, action policy.Action, l Library, more ...audit.Target,
) error {
	user := l.User.Owner
	l.Number = max(l.Number, o.AllFloors()[user])
	return o.retry(user, func() error {
		stored, key, err := o.newOwnerKey(ctx, user)
		if err != nil {
			return err
		}
		sealed, err := l.sealedWith(key)
		if err != nil {
			return err
		}
		in := intent{action: action, library: newLibrary(user)}
		err = o.apply(ctx, in, func(c *change) error {
			if err := c.checkSeen(ctx, l.User.StoredLedger); err != nil {
				return err
			}
			if err := checkRootKey(ctx, c.rows, stored.RootKey); err != nil {
				return err
			}
			if err := c.replaceUser(ctx, sealed, stored); err != nil {
				return err
			}
			return c.recordRebuilt(ctx, in, sealed, more)
		})
		if err == nil {
			o.keys.add(user, key)
		}
		return err
	})
}

// sealedWith returns the library with every value and mask sealed by another owner key.
func (l Library) sealedWith(key seal.OwnerKey) (Library, error) {
	secrets := make([]StoredSecret, len(l.Secrets))
	byID := map[uuid.UUID]StoredSecret{}
	for i, s := range l.Secrets {
		byID[s.ID] = s
		if err := l.reseal(key, s.Binding(), &s.SealedValue, &s.SealedMask); err != nil {
			return Library{}, err
		}
		secrets[i] = s
	}
	versions := make([]StoredVersion, len(l.Versions))
	for i, v := range l.Versions {
		of, found := byID[v.Secret]
		if !found {
			return Library{}, tampered("version of secret "+v.Secret.String(), errMissing)
		}
		if err := l.reseal(key, v.Binding(of), &v.SealedValue, &v.SealedMask); err != nil {
			return Library{}, err
		}
		versions[i] = v
	}
	l.Secrets, l.Versions = secrets, versions
	return l, nil
}

func (l Library) reseal(key seal.OwnerKey, b seal.Binding, value, mask *[]byte) error {
	id, err := seal.KeyID(*value)
	was, found := l.Keys[id]
	if err == nil && !found {
		err = errOtherOwnerKey
	}
	if err != nil {
		return tampered("value of secret "+b.Secret.String(), err)
	}
	opened, err := was.OpenValue(b, *value)
	if err != nil {
		return tampered("value of secret "+b.Secret.String(), err)
	}
	shown, err := was.OpenMask(b, *mask)
	if err != nil {
		return tampered("mask of secret "+b.Secret.String(), err)
	}
	*value, *mask = key.SealValue(b, opened), key.SealMask(b, shown)
	return nil
}

// checkSeen returns an error if the database has another ledger of the user than was seen, which
// may be one that does not verify, or cannot be read, or none.
func (c *change) checkSeen(ctx context.Context, seen StoredLedger) error {
	now, err := c.tx.LockLedger(ctx, c.owner)
	if err != nil && (KindOf(err) == Unavailable || ctx.Err() != nil) {
		return err
	}
	if err == nil && !bytes.Equal(now.Signed, seen.Signed) {
		return &Error{
			Kind: Conflict, Detail: "The user has changed in the meantime: run the command again",
		}
	}
	return nil
}

// replaceUser stores a library in the place of what there is of the user.
func (c *change) replaceUser(ctx context.Context, l Library, ownerKey StoredOwnerKey) error {
	instance, err := c.also(ctx, instanceLibrary())
	if err != nil {
		return err
	}
	if instance.ledger.Leases.HasPrefix(c.owner[:]) {
		return &Error{Kind: Conflict, Detail: "The user was deleted: nothing brings the user back"}
	}
	if err := c.removeRows(ctx); err != nil {
		return err
	}
	c.ledger.Number, c.ledger.OwnerKey = l.Number, ownerKey.ID
	l.User.StoredLedger = StoredLedger{Owner: c.owner, Number: l.Number}
	l.User.NoticeDueAt = c.at
	if err := c.tx.PutUser(ctx, l.User); err != nil {
		return withDetail(err, "Another user has the name "+l.User.Username)
	}
	c.ledger.Identity, c.ledger.State = l.User.Identity(), l.User.enabled()
	if l.Disabled || instance.ledger.APIKeys.Has(c.owner[:]) {
		c.setDisabled(instance)
	}
	if err := c.tx.InsertOwnerKey(ctx, ownerKey); err != nil {
		return err
	}
	return c.fill(ctx, l)
}

// fill stores the rows of a library, and lists them in the ledger.
func (c *change) fill(ctx context.Context, l Library) error {
	for _, s := range l.Secrets {
		if err := c.addSecret(ctx, s); err != nil {
			return err
		}
	}
	for _, v := range l.Versions {
		c.ledger.Versions.Add(c.versionEntry(v))
		if err := errors.Join(c.countSeal(), c.tx.InsertVersion(ctx, v)); err != nil {
			return err
		}
	}
	for _, k := range l.APIKeys {
		k.Suspended = k.Suspended || k.RevokedAt.IsZero()
		if err := c.addAPIKey(ctx, k); err != nil {
			return err
		}
	}
	if err := c.tx.CutAudit(ctx, c.owner, math.MaxInt64); err != nil {
		return err
	}
	c.ledger.Cut, c.ledger.Head = l.Cut, l.Cut
	for _, e := range l.Chain {
		next := c.ledger.Head.Append(&e.Entry)
		if next.Hash != e.Hash {
			return tampered("audit chain of "+c.owner.String(), errMissing)
		}
		if err := c.tx.AppendAudit(ctx, []audit.Linked{e}); err != nil {
			return err
		}
		c.ledger.Head = next
	}
	return nil
}

// recordRebuilt names what was done in the user's chain, and the user in the instance's.
func (c *change) recordRebuilt(
	ctx context.Context, in intent, l Library, more []audit.Target,
) error {
	user := User{ID: c.owner, Username: l.User.Username}.target()
	for _, target := range append([]audit.Target{user}, more...) {
		c.record(target)
	}
	what := []string{fmt.Sprintf("%d secrets, %d old versions", len(l.Secrets), len(l.Versions))}
	for _, note := range append(what, l.Notes...) {
		c.record(audit.Target{Kind: audit.TargetUser, ID: c.owner, Name: note})
	}
	c.record(audit.Target{Kind: audit.TargetOwnerKey, ID: c.ledger.OwnerKey})
	instance, err := c.also(ctx, instanceLibrary())
	if err != nil {
		return err
	}
	return instance.appendAudit(ctx, c.tx, []audit.Entry{{
		At: c.at, Action: string(in.action), Outcome: audit.Done, Target: user,
	}})
}
