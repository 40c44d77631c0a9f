package vault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
)

// A run is a lease for the broker of one secret, whose requests show what a test says.
type run struct {
	*fixture

	who    vault.Actor
	secret vault.Secret
	lease  vault.Delivered
}

func (p *fixture) run(who vault.Actor, secret vault.Secret) run {
	p.t.Helper()
	return run{p, who, secret, p.brokered(who, secret)}
}

// grant is what the placeholder of the run stands for.
func (r run) grant() vault.Grant {
	r.t.Helper()
	return must(r.Grant(r.t.Context(), r.lease.Placeholders[0].Value))
}

// shows records a request with the key of a grant.
func (r run) shows(g vault.Grant, shown vault.Evidence) time.Time {
	r.t.Helper()
	at := r.clock.now()
	r.must(second(r.RecordBrokered(r.t.Context(), []vault.BrokeredRequest{{
		User: g.User, Lease: g.Lease, Secret: g.Secret, At: at, Method: "POST",
		Status: 200, Counts: true, Shown: shown, Stamp: g.Stamp,
	}})))
	return at.UTC().Truncate(time.Microsecond)
}

// health is what is known of the secret, which the list must say too.
func (r run) health() vault.Health {
	r.t.Helper()
	known := must(r.SecretHealth(r.t.Context(), r.who, r.secret.ID))
	for _, h := range must(r.SecretHealths(r.t.Context(), r.who)) {
		if h.Secret == r.secret.ID && (h.KeyEvidence != known.KeyEvidence ||
			!slices.Equal(h.Warnings, known.Warnings)) {
			r.t.Errorf("the list has %+v, the secret %+v", h, known)
		}
	}
	return known
}

func (r run) isSuspected() bool {
	r.t.Helper()
	return slices.Contains(r.health().Warnings, vault.WarnSuspected)
}

func TestARefusalAtTheBrokerIsASuspicionUntilTheKeyWorksOrAProbeTells(t *testing.T) {
	p, provider, ann, secret := probing(t)
	r := p.run(ann, secret)
	worked := r.shows(r.grant(), vault.KeyWorked)
	if h := r.health(); !h.WorkedAt.Equal(worked) || !h.RefusedAt.IsZero() || h.Outcome != "" ||
		len(h.Warnings) != 0 {
		t.Errorf("after a success: %+v", h)
	}
	refused := r.shows(r.grant(), vault.KeyRefused)
	if h := r.health(); !h.RefusedAt.Equal(refused) || !h.WorkedAt.Equal(worked) ||
		h.Outcome != "" || !r.isSuspected() {
		t.Errorf("after a refusal: %+v", h)
	}
	r.shows(r.grant(), vault.NothingShown)
	if !r.isSuspected() {
		t.Error("an answer that shows nothing lifts the suspicion")
	}
	r.shows(r.grant(), vault.KeyWorked)
	if r.isSuspected() {
		t.Error("a success does not lift the suspicion")
	}
	r.shows(r.grant(), vault.KeyRefused)
	for outcome, suspected := range map[catalog.Outcome]bool{
		catalog.OutcomeIndeterminate: true, catalog.OutcomeRateLimited: true,
		catalog.OutcomeValid: false, catalog.OutcomeValidLimited: false,
		catalog.OutcomeBlocked: false, catalog.OutcomeInvalid: false,
	} {
		provider.found.Outcome = outcome
		p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
		if r.isSuspected() != suspected {
			t.Errorf("after the probe said %s: suspected is %v", outcome, !suspected)
		}
	}
}

func TestWhatAProbeSaidStaysWhateverRequestsShow(t *testing.T) {
	p, provider, ann, secret := probing(t)
	r := p.run(ann, secret)
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
	for _, shown := range []vault.Evidence{vault.KeyWorked, vault.KeyRefused} {
		r.shows(r.grant(), shown)
		if h := r.health(); h.Outcome != catalog.OutcomeInvalid ||
			!slices.Equal(h.Warnings, []vault.Warning{vault.WarnInvalid}) {
			t.Errorf("after %v: %+v", shown, h)
		}
	}
}

// An answer may come, and be recorded, long after the key was replaced.
func TestAnAnswerToAnOldKeyShowsNothingOfTheNewOne(t *testing.T) {
	p, _, ann, secret := probing(t)
	r := p.run(ann, secret)
	old := r.grant()
	r.shows(old, vault.KeyRefused)
	p.must2(p.UpdateSecret(t.Context(), ann, secret.ID, fake("two")))
	if r.isSuspected() {
		t.Error("the new key is suspected because of the old one")
	}
	r.shows(old, vault.KeyRefused)
	r.shows(old, vault.KeyWorked)
	if h := r.health(); h.KeyEvidence != (vault.KeyEvidence{}) {
		t.Errorf("the new key has %+v", h.KeyEvidence)
	}
	worked := r.shows(r.grant(), vault.KeyWorked)
	r.shows(old, vault.KeyRefused)
	if h := r.health(); !h.WorkedAt.Equal(worked) || !h.RefusedAt.IsZero() {
		t.Errorf("the new key has %+v", h.KeyEvidence)
	}
	p.must(p.DeleteSecret(t.Context(), ann, secret.ID))
	r.shows(old, vault.KeyRefused)
	if n := p.count("secret_uses"); n != 0 {
		t.Errorf("%d rows outlive the secret", n)
	}
}

func TestAKeyThatIsAlwaysInUseIsWrittenOfOnceAMinute(t *testing.T) {
	p, _, ann, secret := probing(t)
	r := p.run(ann, secret)
	g := r.grant()
	worked := r.shows(g, vault.KeyWorked)
	for range 10 {
		r.shows(g, vault.KeyWorked)
	}
	if h := r.health(); !h.WorkedAt.Equal(worked) {
		t.Errorf("it was written again for %v", h.WorkedAt.Sub(worked))
	}
	p.clock.forward(time.Minute)
	again := r.shows(g, vault.KeyWorked)
	if h := r.health(); !h.WorkedAt.Equal(again) {
		t.Errorf("a minute later it is still %v", h.WorkedAt)
	}
	// What is another sign counts at once.
	r.shows(g, vault.KeyRefused)
	if !r.isSuspected() {
		t.Error("a refusal waits")
	}
	r.shows(g, vault.KeyWorked)
	if r.isSuspected() {
		t.Error("a success waits")
	}
}

func TestASuspicionMakesAProbeDueAtOnceButNotAgainAndAgain(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	provider.found.Outcome = catalog.OutcomeValid
	r := p.run(ann, secret)
	g := r.grant() // the lease does not last as long as this test
	toProbe := func() int { return len(must(p.UsersToProbe(ctx))) }
	r.shows(g, vault.KeyRefused)
	if toProbe() != 0 {
		t.Error("a user who wants no probes is to be probed")
	}
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: 24 * time.Hour}))
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.must(p.SetProbeDue(ctx, ann.User, p.clock.last().Add(2*vault.LookAgain)))
	p.clock.forward(time.Hour)
	if toProbe() != 0 || len(p.probesDue(ann.User)) != 0 {
		t.Fatal("it is due without a suspicion")
	}
	r.shows(g, vault.KeyRefused)
	if toProbe() != 1 || len(p.probesDue(ann.User)) != 1 {
		t.Error("it is not due")
	}
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.clock.forward(2 * time.Minute)
	r.shows(g, vault.KeyRefused)
	if len(p.probesDue(ann.User)) != 0 {
		t.Error("it is due again after two minutes")
	}
	p.clock.forward(15 * time.Minute)
	if len(p.probesDue(ann.User)) != 1 {
		t.Error("it is not due after a quarter of an hour")
	}
	provider.found.Outcome = catalog.OutcomeIndeterminate
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.clock.forward(time.Hour)
	if len(p.probesDue(ann.User)) != 0 || !r.isSuspected() {
		t.Error("one refusal makes more than one probe due")
	}
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.clock.forward(time.Hour)
	r.shows(g, vault.KeyRefused)
	if len(p.probesDue(ann.User)) != 0 {
		t.Error("a key that is invalid is asked about again")
	}
}

// A key that is always refused, and cannot be probed yet, has its user looked at no more often.
func TestASuspicionHastensAProbeNoMoreOftenThanOneCanBeMade(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	provider.found.Outcome = catalog.OutcomeValid
	r := p.run(ann, secret)
	g := r.grant()
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: 24 * time.Hour}))
	hastened := 0
	for range 40 {
		p.must(p.SetProbeDue(ctx, ann.User, p.clock.last().Add(vault.LookAgain)))
		p.clock.forward(time.Minute)
		r.shows(g, vault.KeyRefused)
		hastened += len(must(p.UsersToProbe(ctx)))
	}
	if hastened != 3 {
		t.Errorf("it was hastened %d times in 40 minutes", hastened)
	}
}

func TestASuspicionSoonAfterAProbeIsLookedIntoAsSoonAsOneCanBeMade(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	provider.found.Outcome = catalog.OutcomeValid
	r := p.run(ann, secret)
	g := r.grant()
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: 24 * time.Hour}))
	r.shows(g, vault.KeyRefused)
	p.must2(p.ProbeScheduled(ctx, ann.User, secret.ID))
	p.must(p.SetProbeDue(ctx, ann.User, p.clock.last().Add(vault.LookAgain)))
	p.clock.forward(5 * time.Minute)
	r.shows(g, vault.KeyRefused)
	if due := must(p.UsersToProbe(ctx)); len(due) != 0 {
		t.Error("it is due though no probe can be made yet")
	}
	p.clock.forward(11 * time.Minute)
	if len(must(p.UsersToProbe(ctx))) != 1 || len(p.probesDue(ann.User)) != 1 {
		t.Error("it is not due a quarter of an hour after the answer")
	}
}

// Nothing vouches for what requests showed: whoever writes the database makes it up, and gets a
// warning or a probe for that, and no more.
func TestWhatRequestsShowedCanBeMadeUpAndDecidesNothing(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx := t.Context()
	r := p.run(ann, secret)
	r.shows(r.grant(), vault.KeyRefused)
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeSecret(ctx, ann, secret.ID))
	p.sql("UPDATE secret_uses SET worked_at = at + 1000000, refused_at = NULL")
	if h := r.health(); h.Outcome != catalog.OutcomeInvalid {
		t.Errorf("a success that was made up hides that the key is invalid: %+v", h)
	}
	provider.found.Outcome = catalog.OutcomeValid
	p.must2(p.ProbeSecret(ctx, ann, secret.ID))
	future := p.clock.last().Add(1000 * time.Hour).UnixMicro()
	p.sql("UPDATE secret_uses SET refused_at = ?", future)
	p.must(p.SetWatch(ctx, ann, vault.Watch{ProbeEvery: 24 * time.Hour}))
	p.clock.forward(time.Hour)
	if r.isSuspected() || len(p.probesDue(ann.User)) != 0 {
		t.Error("what is in the future counts")
	}
	p.sql("UPDATE secret_uses SET stamp = ?, refused_at = at", make([]byte, 16))
	if h := r.health(); h.KeyEvidence != (vault.KeyEvidence{}) {
		t.Errorf("what is of no version counts: %+v", h)
	}
}

func TestWhatRequestsOfNobodyShowIsLeftOut(t *testing.T) {
	p, _, ann, secret := probing(t)
	r := p.run(ann, secret)
	g, bob := r.grant(), p.user("bob")
	other := g
	other.User = bob.User
	r.shows(other, vault.KeyRefused)
	other.User, other.Secret = ann.User, uuid.Nil
	r.shows(other, vault.KeyRefused)
	other.Secret, other.Stamp[0] = secret.ID, other.Stamp[0]+1
	r.shows(other, vault.KeyRefused)
	if h := r.health(); h.KeyEvidence != (vault.KeyEvidence{}) {
		t.Errorf("it shows %+v", h.KeyEvidence)
	}
}

// The operator is told what a provider said when it was asked, and not what a run may have caused.
func TestASuspicionIsNotToldToTheWebhookButWhatItsProbeSaysIs(t *testing.T) {
	p, provider, ann, secret := telling(t)
	r := p.run(ann, secret)
	r.shows(r.grant(), vault.KeyRefused)
	if !r.isSuspected() {
		t.Fatal("it is not suspected")
	}
	p.must(p.Notice(t.Context(), ann.User))
	p.assertTold("a suspicion")
	provider.found.Outcome = catalog.OutcomeInvalid
	p.must2(p.ProbeSecret(t.Context(), ann, secret.ID))
	p.assertTold("the probe", "secret.invalid")
}
