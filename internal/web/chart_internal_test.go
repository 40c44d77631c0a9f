package web

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func TestAChartCountsWhatHandedAValueOutByDay(t *testing.T) {
	now := time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)
	entry := func(days int, action string, version uint64, outcome audit.Outcome) audit.Linked {
		return audit.Linked{Entry: audit.Entry{
			At: now.AddDate(0, 0, -days), Action: action, Outcome: outcome,
			Target: audit.Target{Version: version},
		}}
	}
	c := usesByDay(vault.AuditPage{Entries: []audit.Linked{
		entry(0, "lease.create", 1, audit.Done),
		entry(0, "lease.redeem", 2, audit.Done),
		entry(0, "lease.create", 0, audit.Done), // a ticket hands out nothing when it is made
		entry(0, "secret.update", 2, audit.Done),
		entry(1, "lease.redeem", 1, audit.Refused),
		entry(29, "lease.use", 1, audit.Done),
		entry(30, "lease.use", 1, audit.Done), // before the first day
		entry(-1, "lease.use", 1, audit.Done), // by a clock that is ahead
	}}, now)
	uses := map[string]int64{}
	for _, b := range c.Bars {
		if b.Uses > 0 {
			uses[day(b.Day)] = b.Uses
		}
		if b.Y+b.Height != c.Height || b.X+b.Width > c.Width {
			t.Errorf("a bar is out of its chart: %+v", b)
		}
	}
	want := map[string]int64{"15 Apr 2026": 2, "17 Mar 2026": 1}
	if diff := cmp.Diff(want, uses); diff != "" || c.Total != 3 || c.Most != 2 {
		t.Errorf("%d in all, %d at most (-want +got):\n%s", c.Total, c.Most, diff)
	}
}

func TestTimesAreSaidInTheirLargestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1 minute", 59 * time.Minute: "59 minutes", time.Hour: "1 hour",
		25 * time.Hour: "1 day", 60 * 24 * time.Hour: "2 months", 800 * 24 * time.Hour: "2 years",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %s, not %s", d, got, want)
		}
	}
	if ago(time.Time{}) != "never" || until(time.Time{}) != "never" {
		t.Error("no time is a time")
	}
}
