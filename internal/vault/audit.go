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
// users, deleted ones too, and of the instance. That of a user whose ledger does not verify is
// [audit.Unproved].
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
			if !u.Broken {
				names[u.ID] = u.Username
			}
		}
		return err
	})
	return names, err
}

// heads returns the ends of all chains, and the instance's page. A user whose ledger does not
// verify keeps no other from being seen.
func (s *snapshot) heads(ctx context.Context) (leaves []audit.Leaf, own *page, err error) {
	if own, err = s.instance(ctx); err != nil {
		return nil, own, err
	}
	err = s.rows.Ledgers(ctx, func(stored StoredLedger) error {
		p, err := s.verify(stored, stored.Owner)
		switch {
		case s.isBroken(err):
			s.core.found.report(err)
			leaves = append(leaves, audit.Leaf{Owner: stored.Owner, Head: audit.Unproved()})
		case err != nil:
			return err
		default:
			leaves = append(leaves, p.leaf())
		}
		return nil
	})
	at, _ := slices.BinarySearchFunc(leaves, own.owner, func(l audit.Leaf, id uuid.UUID) int {
		return bytes.Compare(l.Owner[:], id[:])
	})
	return slices.Insert(leaves, at, own.leaf()), own, err
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

// cut returns where the beginning of a chain was cut off.
func (s *snapshot) cut(ctx context.Context, owner uuid.UUID) (audit.Head, error) {
	stored, err := s.rows.Ledger(ctx, owner)
	var p *page
	switch {
	case err == nil:
		p, err = s.verify(stored, owner)
	case KindOf(err) == NotFound:
		if p, err = s.instance(ctx); err == nil && p.owner != owner {
			err = ErrNotFound
		}
	}
	if err != nil {
		return audit.Head{}, err
	}
	return p.ledger.Cut, nil
}

// ReadAudit calls fn with what reads the entries of chains, as of one moment after their leaves
// were taken. fn may run again.
func (o *Operator) ReadAudit(ctx context.Context, fn func(audit.Entries) error) error {
	return o.view(ctx, func(s *snapshot) error {
		return fn(func(l audit.Leaf) (audit.Head, iter.Seq2[audit.Linked, error]) {
			cut, err := s.cut(ctx, l.Owner)
			if err != nil {
				return cut, func(yield func(audit.Linked, error) bool) {
					yield(audit.Linked{}, err)
				}
			}
			return cut, between(ctx, s.rows, l, cut.Seq)
		})
	})
}
