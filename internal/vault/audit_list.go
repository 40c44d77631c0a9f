package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// How many entries a page of the audit log has, and how many are read for one.
const (
	MaxAuditPage     = 200
	DefaultAuditPage = 50
	maxAuditScan     = 1000
	auditChunk       = 500
)

// An AuditFilter says which entries are wanted. A field that is zero wants any.
type AuditFilter struct {
	Action string
	Secret uuid.UUID
	Lease  uuid.UUID
	Run    string
	From   time.Time // not before it
	To     time.Time // before it
}

func (f AuditFilter) matches(e audit.Entry) bool {
	return (f.Action == "" || e.Action == f.Action) &&
		(f.Secret == uuid.Nil || e.Target.Kind == audit.TargetSecret && e.Target.ID == f.Secret) &&
		(f.Lease == uuid.Nil || e.Lease == f.Lease) &&
		(f.Run == "" || e.Run == f.Run) &&
		(f.From.IsZero() || !e.At.Before(f.From)) &&
		(f.To.IsZero() || e.At.Before(f.To))
}

// An AuditQuery asks for a page of an audit chain.
type AuditQuery struct {
	Filter AuditFilter
	Limit  int    // at most MaxAuditPage; 0 for DefaultAuditPage
	Cursor string // of the page before; empty for the first
}

// An AuditPage is a part of an audit chain, newest first. It was verified from the head down.
type AuditPage struct {
	Chain    uuid.UUID  // the user, or the id of the instance
	Head     audit.Head // the end of the chain
	Cut      audit.Head // up to which retention removed the beginning
	Entries  []audit.Linked
	Complete bool   // no filter left out anything between two entries
	Next     string // the cursor of the next page; empty if there is none
	// Names are those of the users whom entries name where one acted for another, as far as they
	// are known: of the owner, and of those who have a grant or had one.
	Names map[uuid.UUID]string
}

// ListAudit returns a page of the caller's audit chain. It needs the scope audit:read. Invalid: the
// cursor is not of that chain.
func (s *Service) ListAudit(ctx context.Context, who Actor, q AuditQuery) (AuditPage, error) {
	var found AuditPage
	err := s.view(ctx, who, policy.AuditList, func(p *page) (err error) {
		found, err = p.auditPage(ctx, q)
		return err
	})
	return found, err
}

// ListAnyAudit returns a page of the chain of a user, who may be deleted, or of the instance, for
// which nil stands. It needs the scope admin. NotFound: there never was such a user.
func (s *Service) ListAnyAudit(
	ctx context.Context, who Actor, user uuid.UUID, q AuditQuery,
) (AuditPage, error) {
	var found AuditPage
	err := s.view(ctx, who, policy.AuditListAll, func(own *page) error {
		p, err := own.anyPage(ctx, user)
		if err == nil {
			found, err = p.auditPage(ctx, q)
		}
		return err
	})
	return found, err
}

// anyPage opens the ledger of a user who may have been deleted. nil stands for the instance.
func (s *snapshot) anyPage(ctx context.Context, user uuid.UUID) (*page, error) {
	if user == uuid.Nil {
		return s.instance(ctx)
	}
	stored, err := s.rows.Ledger(ctx, user)
	if err != nil {
		return nil, err
	}
	return s.openAny(ctx, stored, user)
}

// auditPage reads downwards from the head, or from where the page before ended, until it has enough
// entries or has looked at as many as one request may.
func (p *page) auditPage(ctx context.Context, q AuditQuery) (AuditPage, error) {
	found := AuditPage{
		Chain: p.owner, Head: p.ledger.Head, Cut: p.ledger.Cut, Entries: []audit.Linked{},
		Complete: q.Filter == AuditFilter{},
	}
	limit := min(q.Limit, MaxAuditPage)
	if limit <= 0 {
		limit = DefaultAuditPage
	}
	end := p.ledger.Head
	if q.Cursor != "" {
		var err error
		if end, err = p.parseCursor(q.Cursor); err != nil {
			return AuditPage{}, err
		}
	}
	chunk := uint64(auditChunk)
	if found.Complete {
		chunk = uint64(limit)
	}
	for scanned := 0; end.Seq > p.ledger.Cut.Seq && scanned < maxAuditScan; {
		part, before, err := p.chainPart(ctx, end, chunk)
		if err != nil {
			return AuditPage{}, err
		}
		scanned += len(part)
		for i := len(part) - 1; i >= 0 && len(found.Entries) < limit; i-- {
			if q.Filter.matches(part[i].Entry) {
				found.Entries = append(found.Entries, part[i])
			}
			if end = before; i > 0 {
				end = audit.Head{Seq: part[i-1].Seq, Hash: part[i-1].Hash}
			}
		}
		if len(found.Entries) == limit {
			break
		}
	}
	if end.Seq > p.ledger.Cut.Seq {
		var err error
		if found.Next, err = p.cursor(end); err != nil {
			return AuditPage{}, err
		}
	}
	var err error
	found.Names, err = p.namesIn(ctx, found.Entries)
	if p.isBroken(err) { // the log is what tells of that, and is read without names
		p.core.found.report(err)
		found.Names, err = nil, nil
	}
	return found, err
}

// namesIn returns the names for [AuditPage].
func (p *page) namesIn(
	ctx context.Context, entries []audit.Linked,
) (names map[uuid.UUID]string, err error) {
	acted := slices.ContainsFunc(entries, func(e audit.Linked) bool {
		return e.OnBehalfOf != uuid.Nil
	})
	if !acted || p.ledger.State == anchor.Deleted {
		return nil, nil
	}
	keys, err := p.apiKeys(ctx, p.core.now())
	if err != nil {
		return nil, err
	}
	names = map[uuid.UUID]string{}
	for _, k := range keys {
		if k.Kind != audit.CredentialGrant {
			continue
		}
		g, err := k.userGrant()
		if err != nil {
			return nil, err
		}
		names[g.Terms.User] = g.Name
	}
	names[p.owner], err = p.username(ctx)
	return names, err
}

// chainPart returns the last entries of the part of the chain that ends so, at most n, oldest
// first, and what is before them.
func (p *page) chainPart(
	ctx context.Context, end audit.Head, n uint64,
) (part []audit.Linked, before audit.Head, err error) {
	before = p.ledger.Cut
	after := before.Seq
	if end.Seq-after > n {
		before.Seq, after = end.Seq-n, end.Seq-n-1 // its hash is read with the others
	}
	err = p.rows.AuditBetween(ctx, p.owner, after, end.Seq, func(e audit.Linked) error {
		part = append(part, e)
		return nil
	})
	if err != nil {
		return nil, before, err
	}
	if before.Seq > after && len(part) > 0 {
		before.Hash, part = part[0].Hash, part[1:]
	}
	err = audit.VerifyChainFrom(before, p.owner, audit.Sequence(part), end)
	if broken, ok := errors.AsType[*audit.BreakError](err); ok {
		err = tampered("audit chain of "+p.owner.String(), broken)
	}
	return part, before, err
}
