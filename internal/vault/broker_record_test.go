package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func TestRequestsOfTheBrokerAreRecordedAndBounded(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann, bob := p.user("ann"), p.user("bob")
	l := p.brokered(ann, p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("x")))
	request := func(change func(*vault.BrokeredRequest)) vault.BrokeredRequest {
		r := vault.BrokeredRequest{
			User: ann.User, Lease: l.ID, Secret: l.Secrets[0].ID, At: p.clock.now(),
			Method: "POST", Host: "api.openai.com", Path: "/v1/chat/completions", Status: 200,
			Sent: 10, Received: 20, Took: time.Second, Tokens: 5, Counts: true,
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	refused := func(r *vault.BrokeredRequest) {
		r.Refused, r.Status, r.Path = "path", 403, "/v2\x00"+strings.Repeat("é", 500)
		r.Counts = false
	}
	nobodys := func(r *vault.BrokeredRequest) { r.User, r.Lease = uuid.Nil, uuid.Nil }
	got := p.newEntries(ann.User, func() {
		p.must(second(p.RecordBrokered(ctx, []vault.BrokeredRequest{
			request(nil), request(refused), request(refused), request(nobodys),
		})))
	})
	if len(got) != 1 || got[0].Outcome != audit.Refused || got[0].Lease != l.ID ||
		got[0].Credential.Kind != audit.CredentialPlaceholder {
		t.Errorf("the audit log has %+v", got)
	}
	all := must(p.ListBrokered(ctx, ann, vault.BrokeredQuery{Lease: l.ID}))
	if len(all) != 3 || all[0].Path != "/v1/chat/completions" || len(all[1].Path) > 256 {
		t.Errorf("%+v", all)
	}
	newer := must(p.ListBrokered(ctx, ann, vault.BrokeredQuery{Lease: l.ID, After: all[1].ID}))
	why := must(p.ListBrokered(ctx, ann, vault.BrokeredQuery{Lease: l.ID, Refused: true}))
	if len(newer) != 1 || newer[0] != all[2] || len(why) != 2 {
		t.Errorf("%d are newer, %d were refused", len(newer), len(why))
	}
	ofSecret := vault.BrokeredQuery{Secret: l.Secrets[0].ID, Refused: true}
	if with := must(p.ListBrokered(ctx, ann, ofSecret)); !slices.Equal(with, why) {
		t.Errorf("of the secret: %+v", with)
	}
	for _, q := range []vault.BrokeredQuery{{Lease: l.ID}, ofSecret, {}} {
		_, err := p.ListBrokered(ctx, bob, q)
		assertKind(t, "another user's", err, vault.NotFound)
	}
	g := must(p.Grant(ctx, l.Placeholders[0].Value))
	if want := (vault.BrokerUse{Requests: 1, Bytes: 30, Tokens: 5}); g.Used != want {
		t.Errorf("it was used %+v", g.Used)
	}
	// One that failed at the provider got its key.
	failed := request(func(r *vault.BrokeredRequest) { r.Refused, r.Status = "upstream", 502 })
	many := slices.Repeat([]vault.BrokeredRequest{request(nil), failed}, 5_250)
	uses := must(p.RecordBrokered(ctx, many))
	if want := (vault.BrokerUse{
		Requests: 10_501, Bytes: 30 * 10_501, Tokens: 5 * 10_501,
	}); uses[l.ID] != want || len(uses) != 1 {
		t.Errorf("the uses are %+v", uses)
	}
	if n := p.count("broker_requests"); n != 5000+1000 {
		t.Errorf("%d are kept", n)
	}
	p.must(p.Service.DeleteUser(ctx, p.admin, ann.User))
	if n := p.count("broker_requests") + p.count("broker_uses"); n != 0 {
		t.Errorf("%d rows outlive the user", n)
	}
}

// Whoever has one placeholder does not erase what other leases did.
func TestALeaseCrowdsOutNoRecordOfAnother(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	secret := p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("x"))
	quiet, loud := p.brokered(ann, secret), p.brokered(ann, secret)
	request := func(l uuid.UUID, refused string) vault.BrokeredRequest {
		return vault.BrokeredRequest{
			User: ann.User, Lease: l, At: p.clock.now(), Method: "GET", Status: 200,
			Refused: refused, Counts: refused == "",
		}
	}
	p.must(second(p.RecordBrokered(t.Context(), []vault.BrokeredRequest{
		request(quiet.ID, ""), request(quiet.ID, "path"), request(loud.ID, ""),
	})))
	p.must(second(p.RecordBrokered(t.Context(),
		slices.Repeat([]vault.BrokeredRequest{request(loud.ID, "path")}, 11_000))))
	for _, l := range []uuid.UUID{quiet.ID, loud.ID} {
		all := must(p.ListBrokered(t.Context(), ann, vault.BrokeredQuery{Lease: l, After: l}))
		if len(all) == 0 || all[0].Refused != "" {
			t.Errorf("what passed is gone: %d are left", len(all))
		}
	}
	p.must(second(p.RecordBrokered(t.Context(),
		slices.Repeat([]vault.BrokeredRequest{request(loud.ID, "")}, 11_000))))
	if all := must(p.ListBrokered(t.Context(), ann,
		vault.BrokeredQuery{Lease: quiet.ID})); len(all) != 2 {
		t.Errorf("%d are left of the quiet lease", len(all))
	}
	if n := p.count("broker_requests"); n != 2+5000+1000 {
		t.Errorf("%d are kept", n)
	}
}

// count returns how many rows a table has.
func (p *fixture) count(table string) (n int) {
	p.t.Helper()
	p.sqlRow("SELECT count(*) FROM "+table, nil, &n)
	return n
}

// rowsOf returns all rows of a table.
func (p *fixture) rowsOf(table string) (all [][]any) {
	p.t.Helper()
	db := p.connect()
	defer db.Close()
	rows, err := db.QueryContext(p.t.Context(), "SELECT * FROM "+table)
	p.must(err)
	defer rows.Close()
	columns := must(rows.Columns())
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		p.must(rows.Scan(into...))
		all = append(all, row)
	}
	p.must(rows.Err())
	return all
}

// putRows replaces all rows of a table.
func (p *fixture) putRows(table string, all [][]any) {
	p.t.Helper()
	p.sql("DELETE FROM " + table)
	for _, row := range all {
		for i, v := range row {
			if b, ok := v.([]byte); ok && len(b) == 0 {
				row[i] = []byte{} // a nil slice is bound as NULL
			}
		}
		marks := make([]string, len(row))
		for i := range marks {
			marks[i] = fmt.Sprint("$", i+1)
		}
		p.sql("INSERT INTO "+table+" VALUES ("+strings.Join(marks, ", ")+")", row...)
	}
}
