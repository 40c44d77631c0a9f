package api_test

import (
	"net/url"
	"testing"

	"github.com/keysake/keysake/wire"
)

const (
	auditPath    = "/api/v1/user/audit"
	allAuditPath = "/api/v1/admin/audit"
)

func TestTheAuditLogIsReadInPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	one := s.secret(t, me.key, "ONE", "any-value")
	s.secret(t, me.key, "TWO", "any-value")
	s.do(t, del(secretsPath+"/"+one, me.key)).want(t, 204)
	whole := into[wire.AuditPage](t, s.do(t, get(auditPath, me.key)).want(t, 200))
	if len(whole.Entries) < 3 || whole.Next != nil || !whole.Complete || whole.Chain != me.id ||
		whole.Head.Hash != whole.Entries[0].Hash {
		t.Fatalf("the page is %+v", whole)
	}
	last := whole.Entries[0]
	if last.Action != "secret.delete" || last.Target == nil || *last.Target.ID != one ||
		*last.Target.Name != "ONE" || *last.Target.Version != 1 || *last.UserID != me.id ||
		last.Credential.Kind != "api-key" || last.Client == nil || last.Run != nil {
		t.Errorf("the last entry is %+v", last)
	}
	next := auditPath + "?limit=1"
	for n := range whole.Entries {
		page := into[wire.AuditPage](t, s.do(t, get(next, me.key)).want(t, 200))
		if len(page.Entries) != 1 || page.Entries[0].Hash != whole.Entries[n].Hash {
			t.Fatalf("page %d has %+v", n, page.Entries)
		}
		if (page.Next == nil) != (n == len(whole.Entries)-1) {
			t.Fatalf("page %d: next is %v", n, page.Next)
		}
		if page.Next != nil {
			next = auditPath + "?limit=1&cursor=" + url.QueryEscape(*page.Next)
		}
	}
	some := into[wire.AuditPage](t, s.do(t, get(auditPath+"?secret="+one+"&action=secret.create"+
		"&from=2020-01-01T00:00:00%2B01:00&to=2100-01-01T00:00:00Z", me.key)).want(t, 200))
	if len(some.Entries) != 1 || some.Complete {
		t.Errorf("filtered: %+v", some)
	}
	everyones := into[wire.AuditPage](t,
		s.do(t, get(allAuditPath+"?user="+me.id, s.Key)).want(t, 200))
	if everyones.Head != whole.Head {
		t.Errorf("for an admin it ends with %+v", everyones.Head)
	}
	own := into[wire.AuditPage](t, s.do(t, get(allAuditPath, s.Key)).want(t, 200))
	if own.Chain == me.id || len(own.Entries) == 0 {
		t.Errorf("of the instance: %+v", own)
	}
	s.do(t, get(allAuditPath+"?user="+nowhere, s.Key)).refused(t, 404)
	s.do(t, get(allAuditPath, me.key)).refused(t, 403)
}

func TestTheQueryOfTheAuditLogIsReadStrictly(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	for query, fault := range map[string]string{
		"limit=0": "limit int_type", "limit=201": "limit int_type", "limit=01": "limit int_type",
		"limit=1&limit=1": "limit value_error", "limit=": "limit int_type",
		"secret=x": "secret uuid_parsing", "lease=": "lease uuid_parsing",
		"action=": "action string_too_short", "run=%ff": "run string_type",
		"from=yesterday": "from datetime_parsing", "to=2026-01-01": "to datetime_parsing",
		"cursor=x": "cursor value_error", "user=" + nowhere: "user extra_forbidden",
		"Limit=1": "Limit extra_forbidden",
	} {
		s.do(t, get(auditPath+"?"+query, me.key)).refused(t, 422, "query."+fault)
	}
}
