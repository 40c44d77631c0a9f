package vault_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A provider answers what a test says.
type provider struct {
	found catalog.Finding
	err   error
	asked []string
}

func (p *provider) CanProbe(name string, _ plaintext.Value) bool { return name == "openai" }

func (p *provider) Probe(
	_ context.Context, name string, key plaintext.Value,
) (catalog.Finding, error) {
	p.asked = append(p.asked, name+" "+string(key.Reveal()))
	return p.found, p.err
}

// probing returns a vault, the provider that it asks, and a secret of that provider.
func probing(t *testing.T) (*fixture, *provider, vault.Actor, vault.Secret) {
	t.Helper()
	p := start(t)
	provider := &provider{found: catalog.Finding{
		Outcome: catalog.OutcomeValidLimited, Check: "models", Status: 401, Note: "restricted key",
		Facts:     map[string]string{"organization": "acme"},
		ExpiresAt: time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC),
	}}
	p.AskBy(provider)
	ann := p.user("ann")
	made, err := p.CreateFromPreset(t.Context(), ann, fromPreset("openai", fake("one")))
	p.must(err)
	return p, provider, ann, made
}

func TestAProbeAsksTheProviderOnceAndWhatItSaidIsKept(t *testing.T) {
	p, provider, ann, secret := probing(t)
	ctx, before := t.Context(), p.entries()
	unknown := vault.Health{Secret: secret.ID, Version: 1, IdleSince: secret.CreatedAt}
	known, err := p.SecretHealth(ctx, ann, secret.ID)
	if diff := cmp.Diff(unknown, known); err != nil || diff != "" {
		t.Errorf("before: %v\n%s", err, diff)
	}
	said, err := p.ProbeSecret(ctx, ann, secret.ID)
	p.must(err)
	want := unknown
	want.At, want.Finding = said.At, provider.found
	if diff := cmp.Diff(want, said); diff != "" || said.At.IsZero() {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	if len(provider.asked) != 1 {
		t.Errorf("it was asked %d times", len(provider.asked))
	}
	if n := p.entries() - before; n != 1 {
		t.Errorf("%d audit entries", n)
	}
	known, err = p.SecretHealth(ctx, ann, secret.ID)
	if diff := cmp.Diff(want, known); err != nil || diff != "" {
		t.Errorf("kept: %v (-want +got):\n%s", err, diff)
	}
	all, err := p.SecretHealths(ctx, ann)
	if diff := cmp.Diff([]vault.Health{want}, all); err != nil || diff != "" {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	_, err = p.UpdateSecret(ctx, ann, secret.ID, fake("two"))
	p.must(err)
	unknown.Version = 2
	known, err = p.SecretHealth(ctx, ann, secret.ID)
	if diff := cmp.Diff(unknown, known); err != nil || diff != "" {
		t.Errorf("of the next version: %v (-want +got):\n%s", err, diff)
	}
}

func TestWhereThereIsNoCheckNobodyIsAsked(t *testing.T) {
	p, provider, ann, _ := probing(t)
	custom := p.secret(ann, "CUSTOM", fake("x"))
	said, err := p.ProbeSecret(t.Context(), ann, custom.ID)
	p.must(err)
	if said.Outcome != catalog.OutcomeIndeterminate || !said.At.IsZero() ||
		len(provider.asked) != 0 {
		t.Errorf("got %+v, asked %d times", said, len(provider.asked))
	}
}

func TestAProviderThatIsAwayIsABadGatewayAndNothingIsKept(t *testing.T) {
	p, provider, ann, secret := probing(t)
	for _, c := range []struct {
		err  error
		want vault.Kind
	}{
		{errors.New("no such host"), vault.BadGateway},
		{context.DeadlineExceeded, vault.GatewayTimeout},
	} {
		provider.err = c.err
		_, err := p.ProbeSecret(t.Context(), ann, secret.ID)
		assertKind(t, c.err.Error(), err, c.want)
	}
	known, err := p.SecretHealth(t.Context(), ann, secret.ID)
	if err != nil || !known.At.IsZero() {
		t.Errorf("got %+v, %v", known, err)
	}
}

func TestWhatAProviderSaidCannotBeMadeUpOrMoved(t *testing.T) {
	p, _, ann, secret := probing(t)
	ctx := t.Context()
	for _, change := range []string{
		"outcome = 'invalid'", "note = ''", "facts = '{}'", "at = at + 1", "status = 200",
		"key_expires_at = NULL", "version = 2", "code = zeroblob(32)", "check_id = ''",
	} {
		_, err := p.ProbeSecret(ctx, ann, secret.ID)
		p.must(err)
		p.sql("UPDATE secret_health SET " + change)
		_, err = p.SecretHealth(ctx, ann, secret.ID)
		assertTampered(t, change, err)
	}
	_, err := p.ProbeSecret(ctx, ann, secret.ID)
	p.must(err)
	p.sql("UPDATE secret_health SET instance_key_id = ?", ann.User.String())
	known, err := p.SecretHealth(ctx, ann, secret.ID)
	if err != nil || !known.At.IsZero() {
		t.Errorf("a row of a foreign key: %+v, %v", known, err)
	}
}
