package vault_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/vault"
)

// usage returns how much was used on the days on which something was.
func (p *fixture) usage(days int) map[string]vault.UsageDay {
	p.t.Helper()
	all, err := p.ServerUsage(p.t.Context(), p.admin, days)
	p.must(err)
	if len(all) != days {
		p.t.Errorf("%d days are told of, not %d", len(all), days)
	}
	used := map[string]vault.UsageDay{}
	for i, d := range all {
		if i > 0 && d.Day.Sub(all[i-1].Day) != 24*time.Hour {
			p.t.Errorf("%v follows %v", d.Day, all[i-1].Day)
		}
		if name := d.Day.Format(time.DateOnly); d.Leases > 0 {
			d.Day = time.Time{}
			used[name] = d
		}
	}
	return used
}

func TestWhatAllUsersUseIsCountedByDay(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	one, two := p.secret(ann, "ONE", fake("x")), p.secret(ann, "TWO", fake("y"))
	bens := p.secret(ben, "BENS", fake("z"))
	p.lease(ann, one, two)
	p.lease(ann, one)
	p.lease(ben, bens)
	p.flush(true)
	p.clock.forward(24 * time.Hour)
	p.lease(ben, bens)
	p.flush(true)
	_, err := p.CreateLease(t.Context(), ann, bundleOf(bens.ID))
	assertKind(t, "a lease of another's", err, vault.NotFound)
	p.flush(true)
	want := map[string]vault.UsageDay{
		"2026-04-15": {
			Users:   2,
			Leases:  3,
			Secrets: 4,
		},
		"2026-04-16": {Users: 1, Leases: 1, Secrets: 1},
	}
	if diff := cmp.Diff(want, p.usage(30)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ben.User))
	want = map[string]vault.UsageDay{"2026-04-15": {Users: 1, Leases: 2, Secrets: 3}}
	if diff := cmp.Diff(want, p.usage(90)); diff != "" {
		t.Errorf("without ben (-want +got):\n%s", diff)
	}
	p.clock.forward(90 * 24 * time.Hour)
	p.lease(ann, one)
	p.flush(true)
	var rows int
	p.sqlRow("SELECT COUNT(*) FROM usage_days", nil, &rows)
	if used := p.usage(90); len(used) != 1 || rows != 1 {
		t.Errorf("after 90 days there are %d rows, and %v is shown", rows, used)
	}
}

func TestAFailedFlushLosesNoCount(t *testing.T) {
	p := start(t)
	one := p.secret(p.admin, "ONE", fake("x"))
	p.lease(p.admin, one)
	p.sql("ALTER TABLE usage_days RENAME COLUMN runs TO hidden")
	if err := p.FlushLastUsed(t.Context(), true); err == nil {
		t.Error("it did not fail")
	}
	p.sql("ALTER TABLE usage_days RENAME COLUMN hidden TO runs")
	p.lease(p.admin, one)
	p.flush(true)
	if used := p.usage(1); used["2026-04-15"].Leases != 2 {
		t.Errorf("%v", used)
	}
}
