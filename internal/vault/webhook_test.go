package vault_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// telling returns a vault with a webhook, the provider that it asks, and a secret of it.
func telling(t *testing.T) (*fixture, *provider, vault.Actor, vault.Secret) {
	t.Helper()
	p, provider, ann, secret := probing(t)
	provider.found.ExpiresAt = time.Time{}
	p.webhook = true
	p.restart()
	p.AskBy(provider)
	return p, provider, ann, secret
}

// A told is what the webhook gets.
type told struct {
	Type      string
	Timestamp time.Time
	Data      map[string]any
}

// events returns what the webhook is to be told now.
func (p *fixture) events() (all []told) {
	p.t.Helper()
	for _, e := range must(p.EventsDue(p.t.Context())) {
		var body told
		p.must(json.Unmarshal([]byte(e.Body), &body))
		all = append(all, body)
	}
	return all
}

// assertTold checks the types of what the webhook is to be told, and forgets it.
func (p *fixture) assertTold(what string, want ...string) {
	p.t.Helper()
	var types []string
	for _, e := range must(p.EventsDue(p.t.Context())) {
		var body told
		p.must(json.Unmarshal([]byte(e.Body), &body))
		types = append(types, body.Type)
		p.must(p.ForgetEvent(p.t.Context(), e.ID))
	}
	if diff := cmp.Diff(want, types); diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// sweep looks at the users of whom there may be something to tell.
func (p *fixture) sweep() {
	p.t.Helper()
	for _, user := range must(p.UsersToNotice(p.t.Context())) {
		p.must(p.Notice(p.t.Context(), user))
	}
}

func TestAKeyThatTurnsInvalidIsToldOnce(t *testing.T) {
	p, provider, ann, secret := telling(t)
	ctx := t.Context()
	probe := func(outcome catalog.Outcome) vault.Health {
		provider.found.Outcome = outcome
		return must(p.ProbeSecret(ctx, ann, secret.ID))
	}
	probe(catalog.OutcomeValid)
	p.assertTold("valid")
	said := probe(catalog.OutcomeInvalid)
	probe(catalog.OutcomeInvalid)
	all := p.events()
	if len(all) != 1 {
		t.Fatalf("told: %+v", all)
	}
	want := told{"secret.invalid", all[0].Timestamp, map[string]any{
		"user_id": ann.User.String(), "username": "ann", "secret_id": secret.ID.String(),
		"name": secret.Name, "provider": "openai", "version": 1.0,
		"checked_at": said.At.Format(time.RFC3339Nano),
	}}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	p.assertTold("invalid", "secret.invalid")
	probe(catalog.OutcomeValid)
	probe(catalog.OutcomeInvalid)
	p.assertTold("again, after it worked", "secret.invalid")
	p.must2(p.UpdateSecret(ctx, ann, secret.ID, fake("two")))
	probe(catalog.OutcomeInvalid)
	p.assertTold("the next value", "secret.invalid")
}

// A replacing provider answers once the key was replaced.
type replacing struct {
	*provider

	replace func()
}

func (r replacing) Probe(
	ctx context.Context, name string, key plaintext.Value,
) (catalog.Finding, error) {
	r.replace()
	return r.provider.Probe(ctx, name, key)
}

func TestAKeyThatIsReplacedWhileItsProviderIsAskedIsNotTold(t *testing.T) {
	p, provider, ann, secret := telling(t)
	provider.found.Outcome = catalog.OutcomeInvalid
	p.AskBy(replacing{provider, func() {
		p.must2(p.UpdateSecret(t.Context(), ann, secret.ID, fake("two")))
	}})
	p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
	p.assertTold("the value from before")
}

func TestWithoutAWebhookNothingIsKeptForOne(t *testing.T) {
	p, provider, ann, secret := telling(t)
	p.webhook = false
	p.restart()
	p.AskBy(provider)
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
	if n := p.count("webhook_events") + p.count("secret_notices"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestADateIsToldWhenItIsNearAndWhenItIsThereOnceEach(t *testing.T) {
	p, _, ann, secret := telling(t)
	ctx := t.Context()
	p.sweep()
	p.assertTold("without a date")
	at := p.deadline(10*day, 3*24*3600)
	p.must(p.SetDeadline(ctx, ann, secret.ID, at))
	p.sweep()
	p.assertTold("long before")
	p.clock.forward(7 * day)
	p.sweep()
	all := p.events()
	if len(all) != 1 || all[0].Data["expires_at"] != at.At.Format(time.RFC3339Nano) {
		t.Errorf("told: %+v", all)
	}
	p.assertTold("soon", "secret.expires_soon")
	p.sweep()
	p.must(p.SetWatch(ctx, ann, vault.Watch{})) // which has the user looked at again
	p.restart()
	p.sweep()
	p.assertTold("soon, again")
	p.clock.forward(3 * day)
	p.sweep()
	p.assertTold("there", "secret.expired")
	p.clock.forward(100 * day)
	p.sweep()
	p.assertTold("long after")
	p.must(p.SetDeadline(ctx, ann, secret.ID, p.deadline(day, 2*24*3600)))
	p.sweep()
	p.assertTold("another date, which is near at once", "secret.expires_soon")
	p.must(p.ClearDeadline(ctx, ann, secret.ID))
	p.clock.forward(10 * day)
	p.sweep()
	p.assertTold("no date any more")
}

func TestTheDateThatAProviderSaysIsToldToo(t *testing.T) {
	p, provider, ann, secret := telling(t)
	provider.found.ExpiresAt = p.clock.last().Add(20 * day)
	p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
	p.sweep()
	p.assertTold("20 days before")
	p.clock.forward(20*day - vault.DefaultReminder)
	p.sweep()
	p.assertTold("as long before as by default", "secret.expires_soon")
}

// That a new secret has nobody note it is what makes creating one cheap.
func TestASecretThatLiesUnusedIsToldOnceForEachUse(t *testing.T) {
	p, _, ann, secret := telling(t)
	p.clock.forward(vault.DefaultUnusedAfter / 2)
	second := p.secret(ann, "SECOND", fake("x"))
	p.clock.forward(vault.DefaultUnusedAfter / 2)
	p.sweep()
	all := p.events()
	if len(all) != 1 || all[0].Data["secret_id"] != secret.ID.String() ||
		all[0].Data["unused_since"] != secret.CreatedAt.Format(time.RFC3339Nano) {
		t.Errorf("told: %+v", all)
	}
	p.assertTold("the first", "secret.unused")
	p.clock.forward(vault.DefaultUnusedAfter/2 - time.Hour)
	p.sweep()
	p.assertTold("too early for the second")
	p.must2(p.CreateLease(t.Context(), ann, bundleOf(secret.ID)))
	p.clock.forward(2 * time.Hour)
	p.sweep()
	all = p.events()
	if len(all) != 1 || all[0].Data["secret_id"] != second.ID.String() {
		t.Errorf("told: %+v", all)
	}
	p.assertTold("the second", "secret.unused")
	p.clock.forward(vault.DefaultUnusedAfter)
	p.sweep()
	p.assertTold("the first, not used again", "secret.unused")
}

func TestWhatNobodyHasToBeToldIsNotLookedFor(t *testing.T) {
	p, _, ann, secret := telling(t)
	ctx := t.Context()
	p.must(p.SetWatch(ctx, ann, vault.Watch{}))
	p.sweep()
	p.clock.forward(1000 * day)
	for _, user := range must(p.UsersToNotice(ctx)) {
		if user == ann.User {
			t.Error("a user without dates, who wants no word of what is unused, is looked at")
		}
	}
	p.must(p.SetDeadline(ctx, ann, secret.ID, p.deadline(day, 0)))
	p.clock.forward(2 * day)
	p.must(p.Operator.DisableUser(ctx, ann.User))
	p.sweep()
	p.assertTold("of a disabled user")
	p.must(p.Operator.EnableUser(ctx, ann.User))
	p.clock.forward(2 * time.Hour)
	p.sweep()
	p.must(p.Operator.DeleteUser(ctx, ann.User))
	p.must(p.Notice(ctx, ann.User))
	p.assertTold("of a deleted user, whose waiting events are gone")
	if n := p.count("webhook_events") + p.count("secret_notices"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestTheWebhookIsToldNothingThatNoServerWrote(t *testing.T) {
	for _, change := range []string{
		"body = '{}'", "id = '" + uuid.NewString() + "'", "user_id = ''", "secret_id = ''",
		"created_at = created_at + 1", "code = zeroblob(32)",
		"instance_key_id = '" + uuid.NewString() + "'",
	} {
		t.Run(change, func(t *testing.T) {
			p, provider, ann, secret := telling(t)
			provider.found.Outcome = catalog.OutcomeInvalid
			p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
			p.sql("UPDATE webhook_events SET " + change)
			found := p.Tamperings()
			p.assertTold("a row that was changed")
			isForeign := strings.HasPrefix(change, "instance_key_id")
			if p.Tamperings() == found && !isForeign {
				t.Error("it was not noticed")
			}
			if p.DroppedEvents() != 1 || p.count("webhook_events") != 0 {
				t.Errorf("%d dropped, %d left", p.DroppedEvents(), p.count("webhook_events"))
			}
		})
	}
	t.Run("a time that is help alone", func(t *testing.T) {
		p, provider, ann, secret := telling(t)
		provider.found.Outcome = catalog.OutcomeInvalid
		p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
		p.sql("UPDATE webhook_events SET due_at = 1, attempts = 3")
		p.assertTold("sent early", "secret.invalid")
	})
}

func TestOfTooManyEventsTheOldestMakeRoomAndAreCounted(t *testing.T) {
	p, provider, ann, secret := telling(t)
	p.KeepEvents(2)
	for range 4 {
		for _, outcome := range []catalog.Outcome{catalog.OutcomeValid, catalog.OutcomeInvalid} {
			provider.found.Outcome = outcome
			p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
		}
	}
	if n := must(p.WaitingEvents(t.Context())); n != 2 || p.DroppedEvents() != 2 {
		t.Errorf("%d wait, %d were dropped", n, p.DroppedEvents())
	}
}

func TestAUserWhoseDataDoesNotVerifyHoldsUpNoOther(t *testing.T) {
	p, _, ann, secret := telling(t)
	ctx := t.Context()
	p.must(p.SetDeadline(ctx, ann, secret.ID, p.deadline(day, 2*24*3600)))
	p.sql("UPDATE secrets SET remind_before = 0")
	assertTampered(t, "a changed secret", p.Notice(ctx, ann.User))
	for _, user := range must(p.UsersToNotice(ctx)) {
		if user == ann.User {
			t.Error("the user is looked at again at once")
		}
	}
	p.clock.forward(2 * time.Hour)
	if len(must(p.UsersToNotice(ctx))) == 0 {
		t.Error("the user is not looked at again")
	}
	p.assertTold("of a changed secret")
}

// Nothing vouches for when somebody is to be looked at, or whether a row is of anybody.
func TestAHundredRowsOfNonsenseHoldUpNoOther(t *testing.T) {
	p, provider, ann, secret := telling(t)
	ctx := t.Context()
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeSecret(ctx, ann, secret.ID))
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: time.Hour, UnusedAfter: day}))
	const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) "
	p.sql(many + `INSERT INTO users (id, number, ledger, username, email_address, full_name,
		created_at, probe_every, unused_after, probe_due_at, notice_due_at, deleted_at)
		SELECT 'nonsense ' || i, number, ledger, '', '', '', 1, 0, 0, 1, 1, 1
		FROM n, users WHERE username = 'ann'`)
	p.sql(many + `INSERT INTO webhook_events (id, user_id, secret_id, body, created_at, attempts,
		due_at, instance_key_id, code)
		SELECT 'nonsense ' || i, user_id, secret_id, body, created_at, attempts, 1,
		instance_key_id, code FROM n, webhook_events`)
	if !slices.Contains(must(p.UsersToProbe(ctx)), ann.User) ||
		!slices.Contains(must(p.UsersToNotice(ctx)), ann.User) {
		t.Error("a user is not reached")
	}
	p.assertTold("behind the nonsense", "secret.invalid")
}

func TestWhoWasDeletedIsLookedAtOnceWhateverTheRowSays(t *testing.T) {
	p, _, ann, _ := telling(t)
	ctx := t.Context()
	p.must(p.Operator.DeleteUser(ctx, ann.User))
	p.sql("UPDATE users SET probe_due_at = 1, notice_due_at = 1 WHERE deleted_at IS NOT NULL")
	p.sweep()
	for _, user := range must(p.UsersToProbe(ctx)) {
		p.must(p.SetProbeDue(ctx, user, p.clock.last()))
	}
	if n := p.count("users WHERE deleted_at IS NOT NULL AND " +
		"(probe_due_at IS NOT NULL OR notice_due_at IS NOT NULL)"); n != 0 {
		t.Errorf("%d are looked at again", n)
	}
}

// A user with more than a hundred dates is told of all, in several turns.
func TestManyDatesOfOneUserAreToldInTurns(t *testing.T) {
	p, _, ann, _ := telling(t)
	ctx := t.Context()
	const many = 103
	for n := range many {
		made := p.secret(ann, "S"+strings.Repeat("X", n), fake("x"))
		p.must(p.SetDeadline(ctx, ann, made.ID, p.deadline(day, 2*24*3600)))
	}
	p.sweep()
	if n := must(p.WaitingEvents(ctx)); n != 100 {
		t.Errorf("%d at once", n)
	}
	p.sweep()
	p.sweep()
	if n := must(p.WaitingEvents(ctx)); n != many {
		t.Errorf("%d of %d in all", n, many)
	}
}

func TestAnEventHasNothingOfAValue(t *testing.T) {
	p, provider, ann, secret := telling(t)
	ctx := t.Context()
	provider.found.Outcome, provider.found.Note = catalog.OutcomeInvalid, "canary-of-a-note"
	provider.found.Facts = map[string]string{"account": "canary-of-a-fact"}
	p.must2(p.ProbeSecret(ctx, ann, secret.ID))
	p.must(p.SetDeadline(ctx, ann, secret.ID, p.deadline(day, 2*24*3600)))
	p.sweep()
	p.clock.forward(100 * day)
	p.sweep()
	value := strings.TrimPrefix(provider.asked[0], "openai ")
	shown, err := p.GetSecret(ctx, ann, secret.ID)
	p.must(err)
	events := must(p.EventsDue(ctx))
	for _, e := range events {
		for what, text := range map[string]string{
			"the value": value, "a part of it": value[len(value)-8:], "the mask": bullets,
			"the note": "canary",
		} {
			if strings.Contains(e.Body, text) {
				t.Errorf("%s is in %s", what, e.Body[:40])
			}
		}
	}
	if len(events) != 4 || !strings.Contains(shown.Mask, bullets) {
		t.Errorf("%d events, and the mask is %s: this shows nothing", len(events), shown.Mask)
	}
}
