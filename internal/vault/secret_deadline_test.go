package vault_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

const day = 24 * time.Hour

func (p *fixture) deadline(in time.Duration, remind int64) vault.Deadline {
	return must(vault.NewDeadline(p.clock.last().Add(in), &remind))
}

// assertWarned checks what the owner of a secret is warned of.
func (p *fixture) assertWarned(what string, of vault.Secret, want ...vault.Warning) {
	p.t.Helper()
	one, err := p.SecretHealth(p.t.Context(), p.admin, of.ID)
	p.must(err)
	all, err := p.SecretHealths(p.t.Context(), p.admin)
	p.must(err)
	if diff := cmp.Diff(want, one.Warnings); diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff([]vault.Health{one}, all); diff != "" {
		p.t.Errorf("%s, in the list (-one +all):\n%s", what, diff)
	}
}

func TestASecretExpiresSoonAndThenHasExpired(t *testing.T) {
	p := start(t)
	s := p.secret(p.admin, "A", letter("a"))
	p.assertWarned("at first", s)
	p.must(p.SetDeadline(t.Context(), p.admin, s.ID, p.deadline(10*day, 3*24*3600)))
	p.assertWarned("long before", s)
	p.clock.forward(7 * day)
	p.assertWarned("soon", s, vault.WarnExpiresSoon)
	p.must2(p.UpdateSecret(t.Context(), p.admin, s.ID, letter("b")))
	p.must2(p.RenameSecret(t.Context(), p.admin, s.ID, secretName("B")))
	p.must2(p.RollbackSecret(t.Context(), p.admin, s.ID, 1))
	p.must(p.RotateOwnerKey(t.Context(), p.admin.User))
	p.restart()
	p.assertWarned("after changes", s, vault.WarnExpiresSoon)
	p.clock.forward(3 * day)
	p.assertWarned("after it", s, vault.WarnExpired)
	p.assertOpens(p.admin, s.ID, letter("a"))
	p.must(p.ClearDeadline(t.Context(), p.admin, s.ID))
	p.assertWarned("cleared", s)
}

func TestASecretThatNobodyWasGivenForLongIsUnused(t *testing.T) {
	p := start(t)
	s := p.secret(p.admin, "A", letter("a"))
	p.clock.forward(90 * day)
	p.assertWarned("never used", s, vault.WarnUnused)
	p.must2(p.CreateLease(t.Context(), with(p.admin, policy.UserScopes()...), bundleOf(s.ID)))
	p.assertWarned("used", s)
	p.clock.forward(90 * day)
	p.assertWarned("not used again", s, vault.WarnUnused)
}

func TestTheEarlierDateCountsOfTheOwnersAndTheProviders(t *testing.T) {
	p := start(t)
	key := p.clock.last().Add(20 * day)
	provider := &provider{found: catalog.Finding{
		Outcome: catalog.OutcomeValid, Check: "models", Status: 200, ExpiresAt: key,
		Facts: map[string]string{},
	}}
	p.AskBy(provider)
	s, err := p.CreateFromPreset(t.Context(), p.admin, fromPreset("openai", fake("one")))
	p.must(err)
	who := with(p.admin, policy.UserScopes()...)
	p.must2(p.ProbeSecret(t.Context(), who, s.ID))
	p.assertWarned("20 days before", s)
	p.clock.forward(7 * day)
	p.assertWarned("13 days before", s, vault.WarnExpiresSoon)
	p.must(p.SetDeadline(t.Context(), p.admin, s.ID, p.deadline(12*day, 0)))
	p.assertWarned("with another reminder", s)
	p.clock.forward(12 * day)
	p.assertWarned("at the owner's date", s, vault.WarnExpired)
	provider.found.Outcome = catalog.OutcomeInvalid
	said, err := p.ProbeSecret(t.Context(), who, s.ID)
	want := []vault.Warning{vault.WarnInvalid, vault.WarnExpired}
	if diff := cmp.Diff(want, said.Warnings); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestADeadlineIsInTheFutureAndOfOnesOwnSecret(t *testing.T) {
	p := start(t)
	s, bob := p.secret(p.admin, "A", letter("a")), p.user("bob")
	set := func(who vault.Actor, in time.Duration) error {
		return p.SetDeadline(t.Context(), who, s.ID, p.deadline(in, 0))
	}
	assertBroken(t, "past", set(p.admin, -time.Hour), "expires_at value")
	assertKind(t, "another user's", set(bob, time.Hour), vault.NotFound)
	assertKind(t, "cleared by another user",
		p.ClearDeadline(t.Context(), bob, s.ID), vault.NotFound)
	assertKind(t, "without the scope",
		p.SetDeadline(t.Context(), with(p.admin, policy.SecretsRead), s.ID,
			p.deadline(time.Hour, 0)), vault.Denied)
	for _, seconds := range []int64{-1, 366*24*3600 + 1} {
		_, err := vault.NewDeadline(time.Unix(2e9, 0), &seconds)
		assertBroken(t, "a reminder", err, "remind_before value")
	}
}

func TestADeadlineThatNoServerStoredIsTampering(t *testing.T) {
	for _, change := range []string{
		"expires_at = expires_at + 1", "expires_at = NULL", "remind_before = 0",
	} {
		t.Run(change, func(t *testing.T) {
			p := start(t)
			s := p.secret(p.admin, "A", letter("a"))
			p.must(p.SetDeadline(t.Context(), p.admin, s.ID, p.deadline(10*day, 60)))
			p.sql("UPDATE secrets SET " + change)
			_, err := p.SecretHealth(t.Context(), p.admin, s.ID)
			assertTampered(t, change, err)
		})
	}
}

// A change of a secret reads it, seals, and stores it, each for itself.
func TestAnUpdateLosesNoDeadlineThatIsSetMeanwhile(t *testing.T) {
	p := start(t)
	s := p.secret(p.admin, "A", letter("a"))
	other := p.overtaken(1, func() {
		p.must(p.SetDeadline(t.Context(), p.admin, s.ID, p.deadline(time.Hour, 3600)))
	})
	p.must2(other.UpdateSecret(t.Context(), p.admin, s.ID, letter("b")))
	p.restart()
	p.assertWarned("after both", s, vault.WarnExpiresSoon)
	p.assertOpens(p.admin, s.ID, letter("b"))
}
