package vault_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

// pages follows the pages of a caller's audit chain.
func (p *fixture) pages(who vault.Actor, q vault.AuditQuery) (all []audit.Linked) {
	p.t.Helper()
	for {
		found, err := p.ListAudit(p.t.Context(), who, q)
		p.must(err)
		all = append(all, found.Entries...)
		if q.Cursor = found.Next; q.Cursor == "" {
			return all
		}
	}
}

func (p *fixture) assertSame(what string, got, want []audit.Linked) {
	p.t.Helper()
	want = slices.Clone(want)
	slices.Reverse(want)
	diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty())
	if diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTheAuditLogIsReadNewestFirstInPages(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	for n := range 7 {
		p.secret(ann, fmt.Sprint("S", n), fake("x"))
	}
	chain := p.chain(ann.User)
	for _, limit := range []int{1, 2, 3, 7, 8, 50, 1000} {
		got := p.pages(ann, vault.AuditQuery{Limit: limit})
		p.assertSame(fmt.Sprint("pages of ", limit), got, chain)
	}
	first, err := p.ListAudit(t.Context(), ann, vault.AuditQuery{Limit: 2})
	p.must(err)
	p.secret(ann, "LATER", fake("x"))
	next, err := p.ListAudit(t.Context(), ann, vault.AuditQuery{Limit: 100, Cursor: first.Next})
	p.must(err)
	p.assertSame("what follows a page", next.Entries, chain[:len(chain)-2])
	if !first.Complete || first.Chain != ann.User || first.Head.Seq != uint64(len(chain)) ||
		first.Head.Hash != chain[len(chain)-1].Hash {
		t.Errorf("the page says %+v", first)
	}
}

func TestTheAuditLogIsFiltered(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	a, b := p.secret(ann, "A", fake("x")), p.secret(ann, "B", fake("x"))
	_, err := p.UpdateSecret(t.Context(), ann, a.ID, fake("y"))
	p.must(err)
	chain := p.chain(ann.User)
	for what, c := range map[string]struct {
		filter vault.AuditFilter
		want   func(audit.Entry) bool
	}{
		"action": {
			vault.AuditFilter{Action: "secret.create"},
			func(e audit.Entry) bool { return e.Action == "secret.create" },
		},
		"secret": {
			vault.AuditFilter{Secret: a.ID},
			func(e audit.Entry) bool { return e.Target.ID == a.ID },
		},
		"both": {
			vault.AuditFilter{Secret: b.ID, Action: "secret.update"},
			func(audit.Entry) bool { return false },
		},
		"from": {
			vault.AuditFilter{From: chain[2].At},
			func(e audit.Entry) bool { return !e.At.Before(chain[2].At) },
		},
		"to": {
			vault.AuditFilter{To: chain[2].At},
			func(e audit.Entry) bool { return e.At.Before(chain[2].At) },
		},
		"lease": {vault.AuditFilter{Lease: a.ID}, func(audit.Entry) bool { return false }},
		"run":   {vault.AuditFilter{Run: "nightly"}, func(audit.Entry) bool { return false }},
	} {
		var want []audit.Linked
		for _, e := range chain {
			if c.want(e.Entry) {
				want = append(want, e)
			}
		}
		for _, limit := range []int{1, 50} {
			q := vault.AuditQuery{Filter: c.filter, Limit: limit}
			p.assertSame(what, p.pages(ann, q), want)
		}
		found, err := p.ListAudit(t.Context(), ann, vault.AuditQuery{Filter: c.filter})
		if err != nil || found.Complete {
			t.Errorf("%s: a filtered page says that it is complete (%v)", what, err)
		}
	}
}

func TestAnAdminReadsEveryChain(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	p.secret(ann, "A", fake("x"))
	read := func(user uuid.UUID) []audit.Linked {
		t.Helper()
		found, err := p.ListAnyAudit(ctx, p.admin, user, vault.AuditQuery{Limit: 100})
		p.must(err)
		return found.Entries
	}
	p.assertSame("a user's", read(ann.User), p.chain(ann.User))
	p.assertSame("the instance's", read(uuid.Nil), p.chain(p.instance()))
	p.must(p.Service.DeleteUser(ctx, p.admin, ann.User))
	p.assertSame("that of a user who was deleted", read(ann.User), p.chain(ann.User))
	_, err := p.ListAnyAudit(ctx, p.admin, uuid.New(), vault.AuditQuery{})
	assertKind(t, "of nobody", err, vault.NotFound)
}

func TestACursorCountsForItsChainOnly(t *testing.T) {
	p := start(t)
	ctx, ann, ben := t.Context(), p.user("ann"), p.user("ben")
	p.secret(ann, "A", fake("x"))
	p.secret(ben, "A", fake("x"))
	page, err := p.ListAudit(ctx, ann, vault.AuditQuery{Limit: 1})
	p.must(err)
	for _, bad := range []string{
		"x", "====", page.Next[1:], "A" + page.Next, page.Next[:len(page.Next)-1] + "_",
	} {
		_, err := p.ListAudit(ctx, ann, vault.AuditQuery{Cursor: bad})
		assertKind(t, bad, err, vault.Invalid)
	}
	_, err = p.ListAudit(ctx, ben, vault.AuditQuery{Cursor: page.Next})
	assertKind(t, "another's", err, vault.Invalid)
	p.restart()
	_, err = p.ListAudit(ctx, ann, vault.AuditQuery{Cursor: page.Next})
	p.must(err)
}

func TestAChainThatWasChangedIsNotShown(t *testing.T) {
	const of = " AND owner_id = ?"
	for what, change := range map[string]string{
		"an entry changed": "UPDATE audit_entries SET target_name = 'Z' WHERE seq = 2" + of,
		"an entry removed": "DELETE FROM audit_entries WHERE seq = 3" + of,
		"the end removed":  "DELETE FROM audit_entries WHERE seq = 4" + of,
		"an entry moved":   "UPDATE audit_entries SET seq = 9 WHERE seq = 3" + of,
		"a hash changed":   "UPDATE audit_entries SET hash = zeroblob(32) WHERE seq = 3" + of,
		"an outcome":       "UPDATE audit_entries SET outcome = 'refused' WHERE seq = 2" + of,
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t)
			ann := p.user("ann")
			for _, name := range []string{"A", "B", "C"} {
				p.secret(ann, name, fake("x"))
			}
			whole, err := p.ListAudit(t.Context(), ann, vault.AuditQuery{Limit: 1})
			p.must(err)
			p.sql(change, ann.User.String())
			for _, q := range []vault.AuditQuery{
				{},
				{Filter: vault.AuditFilter{Action: "nothing"}},
				{Filter: vault.AuditFilter{To: time.Unix(1, 0)}},
			} {
				if _, err := p.ListAudit(t.Context(), ann, q); !errors.Is(err, vault.ErrTampered) {
					t.Errorf("%+v: %v", q, err)
				}
			}
			_, err = p.ListAudit(t.Context(), ann, vault.AuditQuery{Cursor: whole.Next})
			if what != "the end removed" && !errors.Is(err, vault.ErrTampered) {
				t.Errorf("by the cursor of a page before: %v", err)
			}
		})
	}
}

func TestWhatWasCutOffEndsTheList(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	for _, name := range []string{"A", "B", "C"} {
		p.secret(ann, name, fake("x"))
	}
	old, err := p.ListAudit(t.Context(), ann, vault.AuditQuery{Limit: len(p.chain(ann.User)) - 1})
	p.must(err)
	p.checkpoint(nil)
	_, err = p.cut(ann.User, 2)
	p.must(err)
	p.assertSame("what is left", p.pages(ann, vault.AuditQuery{Limit: 1}), p.chain(ann.User))
	found, err := p.ListAudit(t.Context(), ann, vault.AuditQuery{Cursor: old.Next})
	if err != nil || len(found.Entries) > 0 || found.Next != "" || found.Cut.Seq != 2 {
		t.Errorf("below the cut: %+v (%v)", found, err)
	}
}
