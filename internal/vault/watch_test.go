package vault_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// probesDue returns the secrets of a user to be probed now.
func (p *fixture) probesDue(user uuid.UUID) (due []uuid.UUID) {
	p.t.Helper()
	probes, err := p.ScheduledProbes(p.t.Context(), user)
	p.must(err)
	for _, probe := range probes {
		if !probe.Due.After(p.clock.last()) {
			due = append(due, probe.Secret)
		}
	}
	return due
}

func TestKeysAreProbedOnTheScheduleThatTheirUserWants(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	p.secret(ann, "CUSTOM", fake("x"))
	toProbe := func() []uuid.UUID { return must(p.UsersToProbe(ctx)) }
	if len(p.probesDue(ann.User)) != 0 || len(toProbe()) != 0 {
		t.Error("there are probes that nobody wants")
	}
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: time.Hour}))
	if diff := cmp.Diff([]uuid.UUID{ann.User}, toProbe()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uuid.UUID{secret.ID}, p.probesDue(ann.User)); diff != "" {
		t.Errorf("never probed (-want +got):\n%s", diff)
	}
	entries := p.newEntries(ann.User, func() {
		p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	})
	if len(entries) != 1 || entries[0].Credential.Kind != audit.CredentialSchedule ||
		entries[0].Target.ID != secret.ID {
		t.Errorf("recorded: %+v", entries)
	}
	if len(provider.asked) != 1 || len(p.probesDue(ann.User)) != 0 {
		t.Errorf("asked %d times, due %v", len(provider.asked), p.probesDue(ann.User))
	}
	p.clock.forward(time.Hour - time.Minute)
	if len(p.probesDue(ann.User)) != 0 {
		t.Error("it is due before its time")
	}
	p.clock.forward(time.Hour / 4)
	if len(p.probesDue(ann.User)) != 1 {
		t.Error("it is not due after its time")
	}
	p.must(p.SetProbeDue(ctx, ann.User, p.clock.last().Add(time.Hour)))
	if len(toProbe()) != 0 {
		t.Error("the user is due before the noted time")
	}
	p.must(p.SetWatch(ctx, ann, vault.Watch{}))
	p.must(p.SetProbeDue(ctx, ann.User, p.clock.last()))
	if len(p.probesDue(ann.User)) != 0 || len(toProbe()) != 0 {
		t.Error("it goes on after it was turned off")
	}
}

// Some providers lock out who tries a bad key often. But one that was wrong for an hour must not
// silence the schedule for good.
func TestAKeyThatIsInvalidIsProbedOnceADayAtMostUntilItHasAnotherValue(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: time.Hour}))
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.clock.forward(23 * time.Hour)
	if len(p.probesDue(ann.User)) != 0 {
		t.Error("it is due again on the same day")
	}
	p.clock.forward(5 * time.Hour)
	if len(p.probesDue(ann.User)) != 1 {
		t.Error("it is not due a day later")
	}
	provider.found.Outcome = catalog.OutcomeValid
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.clock.forward(2 * time.Hour)
	if len(p.probesDue(ann.User)) != 1 {
		t.Error("after it was found to be valid it is not due at the usual time")
	}
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.must2(p.UpdateSecret(ctx, ann, secret.ID, fake("two")))
	if len(p.probesDue(ann.User)) != 1 {
		t.Error("the next value is not due")
	}
}

// A clock that was ahead leaves times behind that are far ahead once it is right again.
func TestWhatAClockThatWasAheadLeftBehindSilencesNothing(t *testing.T) {
	p, provider, ann, secret := telling(t)
	ctx := t.Context()
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: time.Hour, UnusedAfter: day}))
	p.clock.forward(1000 * day)
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.must(p.SetProbeDue(ctx, ann.User, p.clock.last().Add(vault.LookAgain)))
	p.must(p.Notice(ctx, ann.User))
	p.clock.forward(-1000 * day)
	if len(must(p.UsersToProbe(ctx))) != 1 || len(p.probesDue(ann.User)) != 1 {
		t.Error("no key is due")
	}
	if !slices.Contains(must(p.UsersToNotice(ctx)), ann.User) {
		t.Error("the user is not looked at")
	}
	if len(p.events()) == 0 {
		t.Error("no event is due")
	}
}

func TestAScheduleEndsWithItsUserAndInALockdown(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: time.Hour}))
	p.must(p.LockDown(ctx))
	_, err := p.ProbeScheduled(ctx, ann.User, secret.ID)
	assertKind(t, "in a lockdown", err, vault.Unavailable)
	p.must(p.LiftLockdown(ctx))
	p.must(p.Operator.DisableUser(ctx, ann.User))
	if len(p.probesDue(ann.User)) != 0 {
		t.Error("a disabled user's is due")
	}
	if _, err := p.ProbeScheduled(ctx, ann.User, secret.ID); err == nil {
		t.Error("a disabled user's was probed")
	}
	p.must(p.Operator.EnableUser(ctx, ann.User))
	p.must(p.Operator.DeleteUser(ctx, ann.User))
	if len(p.probesDue(ann.User)) != 0 || len(must(p.UsersToProbe(ctx))) != 0 {
		t.Error("a deleted user's is due")
	}
	if len(provider.asked) != 0 {
		t.Errorf("%d were asked", len(provider.asked))
	}
}

func TestWhereThereIsNoCheckAScheduleRecordsNothing(t *testing.T) {
	p, _, ann, _ := probing(t)
	custom, err := p.CreateSecret(t.Context(), ann, ofProvider("OTHER", "github", fake("y")))
	p.must(err)
	entries := p.newEntries(ann.User, func() {
		_, err = p.ProbeScheduled(t.Context(), ann.User, custom.ID)
	})
	if !errors.Is(err, vault.ErrNoCheck) || len(entries) != 0 {
		t.Errorf("%v, recorded %+v", err, entries)
	}
}

func TestAWatchThatNoServerStoredIsTampering(t *testing.T) {
	for _, change := range []string{"probe_every = 3600000000", "unused_after = 0"} {
		t.Run(change, func(t *testing.T) {
			p := start(t)
			ann := p.user("ann", policy.UserScopes()...)
			p.sql("UPDATE users SET "+change+" WHERE id = ?", ann.User.String())
			_, err := p.GetWatch(t.Context(), ann)
			assertTampered(t, change, err)
			_, err = p.ScheduledProbes(t.Context(), ann.User)
			assertTampered(t, change, err)
		})
	}
}

func TestAWatchIsNoMoreOftenThanEveryHour(t *testing.T) {
	for _, seconds := range []int64{-1, 0, 3599, 366*24*3600 + 1} {
		_, err := vault.NewWatch(&seconds, nil)
		assertBroken(t, "probes", err, "probe_every value")
	}
	for _, seconds := range []int64{-1, 0, 24*3600 - 1, 3660*24*3600 + 1} {
		_, err := vault.NewWatch(nil, &seconds)
		assertBroken(t, "uses", err, "unused_after value")
	}
}
