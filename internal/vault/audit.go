package vault

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// InstanceHead returns the end of the instance's audit chain.
func (o *Operator) InstanceHead(ctx context.Context) (audit.Leaf, error) {
	var head audit.Leaf
	err := o.store.View(ctx, func(r Reader) (err error) {
		head, err = instanceHead(ctx, r)
		return err
	})
	return head, err
}

func instanceHead(ctx context.Context, r Reader) (audit.Leaf, error) {
	ledger, err := r.InstanceLedger(ctx)
	return audit.Leaf{Owner: ledger.Owner, Head: ledger.Head}, err
}

// AuditHeads returns the ends of all audit chains, as of one moment, in the order of their ids: of
// users, deleted ones too, and of the instance.
func (o *Operator) AuditHeads(ctx context.Context) (leaves []audit.Leaf, err error) {
	err = o.store.View(ctx, func(r Reader) (err error) {
		leaves, _, err = heads(ctx, r)
		return err
	})
	return leaves, err
}

// Usernames returns the names of all users by their ids.
func (o *Operator) Usernames(ctx context.Context) (map[uuid.UUID]string, error) {
	var users []User
	err := o.store.Read(ctx, func(r Reader) (err error) {
		users, err = r.Users(ctx, o.now())
		return err
	})
	names := map[uuid.UUID]string{}
	for _, u := range users {
		names[u.ID] = u.Username
	}
	return names, err
}

// heads returns the ends of all chains, and that of the instance's among them.
func heads(ctx context.Context, r Reader) (leaves []audit.Leaf, own audit.Leaf, err error) {
	if own, err = instanceHead(ctx, r); err != nil {
		return nil, own, err
	}
	err = r.Heads(ctx, func(l audit.Leaf) error {
		leaves = append(leaves, l)
		return nil
	})
	at, _ := slices.BinarySearchFunc(leaves, own.Owner, func(l audit.Leaf, id uuid.UUID) int {
		return bytes.Compare(l.Owner[:], id[:])
	})
	return slices.Insert(leaves, at, own), own, err
}

// between returns the entries of a chain after one, up to its leaf.
func between(
	ctx context.Context, r Reader, leaf audit.Leaf, after uint64,
) iter.Seq2[audit.Linked, error] {
	return func(yield func(audit.Linked, error) bool) {
		stop := errors.New("no more entries are wanted")
		err := r.AuditBetween(ctx, leaf.Owner, after, leaf.Seq, func(e audit.Linked) error {
			if !yield(e, nil) {
				return stop
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			yield(audit.Linked{}, err)
		}
	}
}

// ReadAudit calls fn with what reads the entries of chains, as of one moment after their leaves
// were taken. fn may run again.
func (o *Operator) ReadAudit(ctx context.Context, fn func(audit.Entries) error) error {
	return o.store.View(ctx, func(r Reader) error {
		return fn(func(l audit.Leaf) (audit.Head, iter.Seq2[audit.Linked, error]) {
			return audit.Head{}, between(ctx, r, l, 0)
		})
	})
}
