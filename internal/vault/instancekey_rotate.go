package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// LedgerSigners returns how many ledgers each instance key has signed, as the ledgers themselves
// say, which are not opened.
func (o *Operator) LedgerSigners(ctx context.Context) (signed map[uuid.UUID]int, err error) {
	err = o.store.View(ctx, func(r Reader) error {
		signed = map[uuid.UUID]int{}
		own, err := r.InstanceLedger(ctx)
		if err != nil {
			return err
		}
		signed[anchor.SignedBy(own.Signed)]++
		return r.Ledgers(ctx, func(l StoredLedger) error {
			signed[anchor.SignedBy(l.Signed)]++
			return nil
		})
	})
	return signed, err
}

// InstanceSigner returns the instance key that signs the instance's ledger, and whether another was
// added since it began to.
func (o *Operator) InstanceSigner(
	ctx context.Context,
) (signer uuid.UUID, added bool, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		p, err := r.instance(ctx)
		if err != nil {
			return err
		}
		last, err := p.lastTarget(ctx, audit.TargetInstanceKey)
		signer, added = p.signer.ID(), last.Action == string(policy.InstanceKeyAdd)
		return err
	})
	return signer, added, err
}

// AddInstanceKey stores an instance key, which the first root key wraps. It signs only once the
// configuration names it first.
func (o *Operator) AddInstanceKey(ctx context.Context, key seal.InstanceKey) error {
	first, err := o.firstRootKey(ctx)
	if err != nil {
		return err
	}
	root, err := o.keys.roots.open(ctx, first)
	if err != nil {
		return err
	}
	wrapped, err := wrapInstanceKey(ctx, root, key)
	if err != nil {
		return err
	}
	in := intent{action: policy.InstanceKeyAdd, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		if err := checkRootKey(ctx, c.rows, wrapped.RootKey); err != nil {
			return err
		}
		wrapped.CreatedAt = c.at
		c.record(instanceKeyTarget(key.ID()))
		return c.tx.InsertInstanceKey(ctx, wrapped)
	})
}

func instanceKeyTarget(id uuid.UUID) audit.Target {
	return audit.Target{Kind: audit.TargetInstanceKey, ID: id}
}

// Resign signs every ledger with the first instance key that another one signed, each in a
// transaction of its own. Nothing is signed that does not verify: the ledger, all rows that it
// lists, and that there are no others. It may be interrupted at any point and begun again. progress
// is called after each user. A user whose library is tampered with keeps no other from the new key;
// the error is an [*UnsignedError].
//
// If suspend is set, the API keys that are not revoked are suspended: they do not work any more.
func (o *Operator) Resign(
	ctx context.Context, suspend bool, progress func(done, total int),
) (suspended int, err error) {
	first, err := o.instance.first()
	if err != nil {
		return 0, err
	}
	left, err := o.signedByOthers(ctx, first.ID())
	if err != nil {
		return 0, err
	}
	if err := o.resignInstance(ctx, first); err != nil {
		return 0, err
	}
	progress(0, len(left))
	var unsigned UnsignedError
	for done, user := range left {
		began := time.Now()
		n, err := o.resignUser(ctx, user, first, suspend)
		switch {
		case errors.Is(err, ErrTampered):
			unsigned.Users = append(unsigned.Users, user)
			unsigned.Cause = errors.Join(unsigned.Cause, err)
		case err != nil:
			return suspended, err
		}
		suspended += n
		progress(done+1, len(left))
		pause(ctx, time.Since(began))
	}
	if len(unsigned.Users) > 0 {
		return suspended, &unsigned
	}
	return suspended, ctx.Err()
}

// An UnsignedError names the users whose ledgers were not signed with another instance key: their
// libraries are tampered with.
type UnsignedError struct {
	Users []uuid.UUID
	Cause error
}

func (e *UnsignedError) Error() string { return e.Cause.Error() }

func (e *UnsignedError) Unwrap() error { return e.Cause }

// signedByOthers returns the users whose ledgers another instance key signed.
func (o *Operator) signedByOthers(
	ctx context.Context, key uuid.UUID,
) (left []uuid.UUID, err error) {
	err = o.store.View(ctx, func(r Reader) error {
		left = nil
		return r.Ledgers(ctx, func(l StoredLedger) error {
			if anchor.SignedBy(l.Signed) != key {
				left = append(left, l.Owner)
			}
			return nil
		})
	})
	return left, err
}

func (o *Operator) resignInstance(ctx context.Context, to seal.InstanceKey) error {
	in := intent{action: policy.InstanceKeyRotate, library: instanceLibrary()}
	err := o.transact(ctx, in, func(c *change) error {
		if c.signer.ID() == to.ID() {
			return errUnchanged
		}
		if err := c.checkEnd(ctx); err != nil {
			return err
		}
		if err := c.succeed(ctx, to); err != nil {
			return err
		}
		c.signer = to
		c.record(instanceKeyTarget(to.ID()))
		return c.finish(ctx, in)
	})
	return unlessUnchanged(err)
}

func (o *Operator) resignUser(
	ctx context.Context, user uuid.UUID, to seal.InstanceKey, suspend bool,
) (suspended int, err error) {
	in := intent{action: policy.InstanceKeyRotate, library: anyLibrary(user)}
	err = o.transact(ctx, in, func(c *change) (err error) {
		if c.signer.ID() == to.ID() {
			return errUnchanged
		}
		if suspended, err = c.resign(ctx, to, suspend); err != nil {
			return err
		}
		return c.save(ctx, c.tx, c.at)
	})
	return suspended, unlessUnchanged(err)
}

func unlessUnchanged(err error) error {
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// DropInstanceKeys destroys every instance key but the first. Conflict: another one signed a ledger
// that is still there, of a user who is not to be left out. Such a user is broken from then on.
func (o *Operator) DropInstanceKeys(ctx context.Context, leftOut ...uuid.UUID) error {
	first, err := o.instance.first()
	if err != nil {
		return err
	}
	in := intent{action: policy.InstanceKeyDestroy, library: instanceLibrary()}
	err = o.apply(ctx, in, func(c *change) error {
		if c.signer.ID() != first.ID() {
			return stillSigned("the instance")
		}
		err := c.rows.Ledgers(ctx, func(l StoredLedger) error {
			switch {
			case anchor.SignedBy(l.Signed) == first.ID():
			case slices.Contains(leftOut, l.Owner):
				c.record(audit.Target{Kind: audit.TargetUser, ID: l.Owner, Name: "left out"})
			default:
				return stillSigned("user " + l.Owner.String())
			}
			return nil
		})
		if err != nil {
			return err
		}
		return c.dropOtherInstanceKeys(ctx, first.ID())
	})
	return unlessUnchanged(err)
}

func stillSigned(what string) error {
	return &Error{
		Kind:   Conflict,
		Detail: fmt.Sprintf("Another instance key still signs the ledger of %s", what),
	}
}

func (c *change) dropOtherInstanceKeys(ctx context.Context, keep uuid.UUID) error {
	stored, err := c.rows.InstanceKeys(ctx)
	if err != nil {
		return err
	}
	last := keep // they are in the order of their ids
	for _, k := range stored {
		if k.ID == keep {
			continue
		}
		if k.ID != last {
			c.record(instanceKeyTarget(k.ID))
			last = k.ID
		}
		if err := c.tx.DeleteInstanceKey(ctx, k.ID, k.RootKey); err != nil {
			return err
		}
	}
	if last == keep {
		return errUnchanged
	}
	return nil
}
