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
func (o *Operator) InstanceHead(ctx context.Context) (head audit.Leaf, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		p, err := r.instance(ctx)
		if err == nil {
			head = p.leaf()
		}
		return err
	})
	return head, err
}

// leaf returns the end of the page's audit chain.
func (p *page) leaf() audit.Leaf { return audit.Leaf{Owner: p.owner, Head: p.ledger.Head} }

// AuditHeads returns the ends of all audit chains, as of one moment, in the order of their ids: of
// users, deleted ones too, and of the instance.
func (o *Operator) AuditHeads(ctx context.Context) (leaves []audit.Leaf, err error) {
	err = o.view(ctx, func(r *snapshot) (err error) {
		leaves, _, err = r.heads(ctx)
		return err
	})
	return leaves, err
}

// Usernames returns the names of all users by their ids.
func (o *Operator) Usernames(ctx context.Context) (names map[uuid.UUID]string, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		users, err := r.users(ctx, o.now())
		names = map[uuid.UUID]string{}
		for _, u := range users {
			names[u.ID] = u.Username
		}
		return err
	})
	return names, err
}

// heads returns the ends of all chains, and that of the instance's among them.
func (s *snapshot) heads(ctx context.Context) (leaves []audit.Leaf, own audit.Leaf, err error) {
	instance, err := s.instance(ctx)
	if err != nil {
		return nil, own, err
	}
	own = instance.leaf()
	err = s.rows.Ledgers(ctx, func(stored StoredLedger) error {
		p, err := s.verify(stored, stored.Owner)
		if err == nil {
			leaves = append(leaves, p.leaf())
		}
		return err
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
