package vault_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// presetSecret makes a secret of a provider.
func (p *fixture) presetSecret(
	who vault.Actor, provider, name string, value vault.Value,
) vault.Secret {
	p.t.Helper()
	s, err := p.CreateSecret(p.t.Context(), who, ofProvider(name, provider, value))
	p.must(err)
	return s
}

// brokered makes a lease for the broker.
func (p *fixture) brokered(who vault.Actor, secrets ...vault.Secret) vault.Delivered {
	p.t.Helper()
	var ids []uuid.UUID
	for _, s := range secrets {
		ids = append(ids, s.ID)
	}
	made, err := p.CreateLease(p.t.Context(), who, leaseOf(vault.ByBroker, ids...))
	p.must(err)
	return made
}

// assertEnded checks that a placeholder stands for nothing any more, in this vault and in one that
// has just started, and why.
func (p *fixture) assertEnded(what string, placeholder plaintext.Value, why vault.Ending) {
	p.t.Helper()
	started, _ := p.newVault()
	for _, v := range []*vault.Service{p.Service, started} {
		g, err := v.Grant(p.t.Context(), placeholder)
		assertKind(p.t, what, err, vault.Unauthenticated)
		if g.Why != why || g.Value.Len() > 0 {
			p.t.Errorf("%s: it is of no use because of %q, not %q", what, g.Why, why)
		}
	}
}

func TestAPlaceholderLooksLikeAKeyAndStandsForTheValueOfNow(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	openai := p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("1"))
	github := p.presetSecret(ann, "github", "GITHUB_TOKEN", fake("2"))
	request := leaseOf(vault.ByBroker, openai.ID, github.ID)
	request.Limits = vault.BrokerLimits{PerMinute: 60, Paths: []string{"/v1/chat/"}}
	request.Run = vault.Run{ID: "run-1"}
	var made vault.Delivered
	got := p.newEntries(ann.User, func() {
		made = must(p.CreateLease(t.Context(), ann, request))
	})
	entry := func(s vault.Secret) audit.Entry {
		e := done(ann.User, ann, policy.LeaseCreate, s.ID, s.Name, 0)
		e.Target.Kind, e.Lease, e.Run = audit.TargetSecret, made.ID, "run-1"
		return e
	}
	p.assertEntries(got, entry(github), entry(openai))
	p.assertState(ann, made.ID, vault.LeaseActive)
	heads := map[uuid.UUID]string{openai.ID: "sk-proj-", github.ID: "ghp_"}
	values := map[uuid.UUID]vault.Value{openai.ID: fake("1"), github.ID: fake("2")}
	stamps := map[uuid.UUID]seal.Stamp{openai.ID: openai.Stamp, github.ID: github.Stamp}
	for _, placeholder := range made.Placeholders {
		text := string(placeholder.Value.Reveal())
		if !strings.HasPrefix(text, heads[placeholder.Secret]) || len(text) < 71 {
			t.Errorf("%s has another form", placeholder.Provider)
		}
		g, err := p.Grant(t.Context(), placeholder.Value)
		p.must(err)
		value := values[placeholder.Secret]
		if string(g.Value.Reveal()) != string(value.Plain().Reveal()) {
			t.Errorf("%s stands for another value", placeholder.Name)
		}
		g.Value = plaintext.Value{}
		want := vault.Grant{
			User: ann.User, Lease: made.ID, Secret: placeholder.Secret, Name: placeholder.Name,
			Provider: placeholder.Provider, Version: 1, Stamp: stamps[placeholder.Secret],
			ExpiresAt: made.ExpiresAt, Limits: request.Limits,
			Granted: []vault.GrantedSecret{
				{ID: github.ID, Name: "GITHUB_TOKEN", Provider: "github"},
				{ID: openai.ID, Name: "OPENAI_API_KEY", Provider: "openai"},
			},
		}
		if diff := cmp.Diff(want, g, cmp.AllowUnexported(plaintext.Value{})); diff != "" {
			t.Error(diff)
		}
	}
	p.must(second(p.UpdateSecret(t.Context(), ann, openai.ID, fake("new"))))
	g := must(p.Grant(t.Context(), made.Placeholders[1].Value))
	next := fake("new")
	if string(g.Value.Reveal()) != string(next.Plain().Reveal()) || g.Version != 2 ||
		g.Stamp == openai.Stamp {
		t.Error("an update does not count at once")
	}
	p.assertChain(ann.User)
}

func TestAPlaceholderEndsWithItsLeaseAndAllThatItRestsOn(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	for what, c := range map[vault.Ending]func(who link, l vault.Delivered, top vault.Actor){
		vault.EndRevoked: func(who link, l vault.Delivered, _ vault.Actor) {
			_, delivered, err := p.RevokeLease(ctx, who.Actor, l.ID)
			p.must(err)
			if delivered {
				t.Error("a revocation says that values were handed out")
			}
		},
		vault.EndExpired: func(link, vault.Delivered, vault.Actor) {
			p.clock.forward(2 * time.Hour)
		},
		vault.EndAPIKey: func(who link, _ vault.Delivered, top vault.Actor) {
			p.must(p.RevokeAPIKey(ctx, top, who.id()))
		},
		vault.EndUser: func(who link, _ vault.Delivered, _ vault.Actor) {
			p.must(p.Operator.DisableUser(ctx, who.User))
		},
		vault.EndSecret: func(who link, l vault.Delivered, _ vault.Actor) {
			p.must(p.DeleteSecret(ctx, who.Actor, l.Secrets[0].ID))
		},
		vault.EndLockdown: func(link, vault.Delivered, vault.Actor) { p.must(p.LockDown(ctx)) },
	} {
		top, who, _ := p.line("u" + strings.ReplaceAll(string(what), "-", ""))
		secret := p.presetSecret(who.Actor, "openai", "OPENAI_API_KEY", fake("x"))
		l := p.brokered(who.Actor, secret)
		placeholder := l.Placeholders[0].Value
		for range 3 { // from the database, and from the memory
			g := must(p.Grant(ctx, placeholder))
			if g.Value.Len() == 0 {
				t.Errorf("%s: nothing is granted before", what)
			}
		}
		c(who, l, top)
		p.assertEnded(string(what), placeholder, what)
		if what == vault.EndLockdown {
			p.must(p.LiftLockdown(ctx))
		}
	}
}

func TestWhatIsNoPlaceholderStandsForNothing(t *testing.T) {
	p := start(t)
	ann, bob := p.user("ann"), p.user("bob")
	l := p.brokered(ann, p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("x")))
	other := p.brokered(bob, p.presetSecret(bob, "openai", "OPENAI_API_KEY", fake("y")))
	text := string(l.Placeholders[0].Value.Reveal())
	foreign := string(other.Placeholders[0].Value.Reveal())
	cut := len(text) - 71
	digit := "0"
	if text[cut+30] == '0' {
		digit = "1"
	}
	for what, changed := range map[string]string{
		"nothing":             "",
		"another head":        "sk-ant-api03-" + text[cut:],
		"no head":             text[cut:],
		"a changed digit":     text[:cut+30] + digit + text[cut+31:],
		"one character less":  text[:len(text)-1],
		"one character more":  text + "0",
		"very long":           strings.Repeat("a", 10_000) + text,
		"another lease's end": text[:cut+22] + foreign[cut+22:],
		"an API key":          "ksk_" + strings.Repeat("a", 49),
	} {
		p.assertEnded(what, plaintext.FromString(changed), vault.EndUnknown)
	}
	if g := must(p.Grant(t.Context(), other.Placeholders[0].Value)); g.User != bob.User {
		t.Error("a placeholder is another user's")
	}
}

func TestOnlySecretsWhosePresetSaysWhereTheyGoAreForTheBroker(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	good := p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("x"))
	custom := p.secret(ann, "CUSTOM", fake("y"))
	_, err := p.CreateLease(t.Context(), ann, leaseOf(vault.ByBroker, good.ID, custom.ID))
	assertBroken(t, "a secret without a preset", err, "secret_ids.1 value")
	request := leaseOf(vault.ByBroker, good.ID)
	request.Recipient = recipient()
	_, err = p.CreateLease(t.Context(), ann, request)
	assertBroken(t, "a recipient", err, "recipient value")
	request = leaseOf(vault.ByTicket, good.ID)
	request.Limits.PerMinute = 1
	_, err = p.CreateLease(t.Context(), ann, request)
	assertBroken(t, "limits of a ticket", err, "broker value")
	l := p.brokered(ann, good)
	for _, ticket := range []string{"kst_", "ksk_"} {
		text := string(l.Placeholders[0].Value.Reveal())
		changed := plaintext.FromString(ticket + text[len(text)-49:])
		_, err := p.AuthenticateTicket(t.Context(), changed)
		assertKind(t, "a placeholder as a "+ticket, err, vault.Unauthenticated)
	}
}

func TestLimitsOfTheBrokerAreStoredAsGivenOrRefused(t *testing.T) {
	full := vault.BrokerLimits{
		PerMinute: 1, Concurrent: 2, Requests: 3, Bytes: 4, Tokens: 5,
		Methods: []string{"GET"}, Paths: []string{"/v1/"}, OpenEgress: true,
	}
	for _, l := range []vault.BrokerLimits{{}, full, {Methods: []string{}}} {
		again, err := vault.ParseBrokerLimits(l.Text())
		if err != nil || again.Text() != l.Text() || l.Check() != nil {
			t.Errorf("%+v becomes %+v: %v", l, again, err)
		}
	}
	for _, text := range []string{"{}", " ", `{"per_minute":1} `, `{"x":1}`, "null"} {
		if _, err := vault.ParseBrokerLimits(text); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	long := slices.Repeat([]string{"GET"}, 21)
	for _, l := range []vault.BrokerLimits{
		{PerMinute: -1},
		{Concurrent: 1_000_001},
		{Bytes: 1 << 60},
		{Methods: []string{"get"}},
		{Methods: long},
		{Paths: []string{"v1/"}},
		{Paths: []string{"/a/../b"}},
		{Paths: []string{"/a//b"}},
		{Paths: []string{"/a?b"}},
		{Paths: []string{"/%2e"}},
		{Paths: []string{"/" + strings.Repeat("a", 256)}},
		{Paths: []string{"/é"}},
	} {
		if err := l.Check(); vault.KindOf(err) != vault.Invalid {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

func TestRowsOfABrokersLeaseThatWereChangedCountForNothing(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann, bob := p.user("ann"), p.user("bob")
	openai := p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("1"))
	github := p.presetSecret(ann, "github", "GITHUB_TOKEN", fake("2"))
	bobs := p.presetSecret(bob, "openai", "OPENAI_API_KEY", fake("3"))
	mine, wide := p.brokered(ann, openai), p.brokered(ann, github)
	foreign := p.brokered(bob, bobs)
	row := "UPDATE leases SET "
	set := func(l vault.Delivered, what string) string {
		return fmt.Sprintf("%s%s WHERE id = '%s'", row, what, l.ID)
	}
	from := func(column string, l vault.Delivered) string {
		return fmt.Sprintf("%s = (SELECT %[1]s FROM leases WHERE id = '%s')", column, l.ID)
	}
	hash := mine.Secrets[0].Placeholder
	for what, change := range map[string]string{
		"longer":        set(mine, "expires_at = expires_at + 3600000000"),
		"fewer limits":  set(mine, `limits = '{"per_minute":1}'`),
		"other secrets": set(mine, from("secrets", wide)),
		"another secret": set(wide, fmt.Sprintf("secrets = replace(secrets, '%s', '%s')",
			github.ID, openai.ID)),
		"another hash": set(wide, fmt.Sprintf("secrets = '%s 0 %x GITHUB_TOKEN\n'",
			github.ID, hash)),
		"another user's": set(foreign, fmt.Sprintf("user_id = '%s'", ann.User)),
		"a ticket's":     set(mine, "delivery = 'ticket'"),
	} {
		before := p.rowsOf("leases")
		p.sql(change)
		p.restart()
		for _, l := range []vault.Delivered{mine, wide, foreign} {
			g, err := p.Grant(ctx, l.Placeholders[0].Value)
			if err == nil && (g.Lease != l.ID || g.Secret != l.Secrets[0].ID ||
				!g.ExpiresAt.Equal(l.ExpiresAt) || g.Limits.Text() != l.Limits.Text()) {
				t.Errorf("%s: a row that was changed counts", what)
			}
		}
		p.putRows("leases", before)
	}
	p.restart()
	p.must(second(p.Grant(ctx, mine.Placeholders[0].Value)))
	before := p.rowsOf("leases")
	_, _, err := p.RevokeLease(ctx, ann, mine.ID)
	p.must(err)
	p.putRows("leases", before)
	p.restart()
	_, err = p.Grant(ctx, mine.Placeholders[0].Value)
	assertTampered(t, "a lease that was put back", err)
}

func TestAGrantFromTheMemoryAsksNoDatabase(t *testing.T) {
	p := start(t)
	counted := &asked{Store: p.db}
	p.Service, _ = p.vaultOn(counted)
	ann := p.user("ann")
	l := p.brokered(ann, p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("x")))
	placeholder := l.Placeholders[0].Value
	p.notice()
	for range 3 {
		p.must(second(p.Grant(t.Context(), placeholder)))
	}
	other := p.another()
	defer func() { p.must(other.Close()) }()
	service, _ := p.vaultOn(other)
	p.must2(service.CreateSecret(t.Context(), ann, custom("ANOTHER", fake("y"))))
	eventually(t, "10 grants ask the database nothing", func() bool {
		counted.queries.Store(0)
		for range 10 {
			p.must(second(p.Grant(t.Context(), placeholder)))
		}
		return counted.queries.Load() == 0
	})
}

// eventually asks until it is so: the machine may be busy with anything.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

// An asked is a store that counts what a grant asks of the database. It leaves out the instance's
// ledger, which each server reads twice a second.
type asked struct {
	vault.Store
	queries atomic.Int64
}

func (a *asked) Read(ctx context.Context, fn func(vault.Reader) error) error {
	return a.Store.Read(ctx, func(r vault.Reader) error { return fn(askedReader{r, a}) })
}

func (a *asked) View(ctx context.Context, fn func(vault.Reader) error) error {
	a.queries.Add(1)
	return a.Store.View(ctx, fn)
}

type askedReader struct {
	vault.Reader
	of *asked
}

func (r askedReader) Ledger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	r.of.queries.Add(1)
	return r.Reader.Ledger(ctx, user)
}

func (r askedReader) Lease(
	ctx context.Context, user, id uuid.UUID,
) (vault.StoredLease, error) {
	r.of.queries.Add(1)
	return r.Reader.Lease(ctx, user, id)
}

func (r askedReader) BrokerLease(
	ctx context.Context, id uuid.UUID,
) (vault.StoredLease, error) {
	r.of.queries.Add(1)
	return r.Reader.BrokerLease(ctx, id)
}

func (r askedReader) Secrets(
	ctx context.Context, user uuid.UUID,
) ([]vault.StoredSecret, error) {
	r.of.queries.Add(1)
	return r.Reader.Secrets(ctx, user)
}

func (r askedReader) SealedSecretsOf(
	ctx context.Context, user uuid.UUID, ids []uuid.UUID,
) ([]vault.StoredSecret, error) {
	r.of.queries.Add(1)
	return r.Reader.SealedSecretsOf(ctx, user, ids)
}

func TestWhatAnotherProcessTookFromAGrantIsNoticedInTime(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	other := p.another()
	defer func() { p.must(other.Close()) }()
	service, operator := p.vaultOn(other)
	for what, c := range map[string]struct {
		do  func(who vault.Actor, l vault.Delivered) error
		why vault.Ending // nothing: the grant is of another version
	}{
		"the lease was revoked": {func(who vault.Actor, l vault.Delivered) error {
			_, _, err := service.RevokeLease(ctx, who, l.ID)
			return err
		}, vault.EndRevoked},
		"the operator ended all leases": {func(vault.Actor, vault.Delivered) error {
			return second(operator.EndLeases(ctx))
		}, vault.EndRevoked},
		"the secret was deleted": {func(who vault.Actor, l vault.Delivered) error {
			return service.DeleteSecret(ctx, who, l.Secrets[0].ID)
		}, vault.EndSecret},
		"the secret has another value": {func(who vault.Actor, l vault.Delivered) error {
			return second(service.UpdateSecret(ctx, who, l.Secrets[0].ID, fake("new")))
		}, ""},
	} {
		who := p.user("user-" + uuid.NewString()[:8])
		l := p.brokered(who, p.presetSecret(who, "openai", "OPENAI_API_KEY", fake("x")))
		placeholder := l.Placeholders[0].Value
		p.warmGrant(placeholder)
		p.must(c.do(who, l))
		time.Sleep(vault.NoticedWithin)
		g, err := p.Grant(ctx, placeholder)
		if g.Why != c.why || (err == nil) != (c.why == "") || err == nil && g.Version != 2 {
			t.Errorf("%s: version %d, ended by %q: %v", what, g.Version, g.Why, err)
		}
	}
}

// warmGrant asks until the answer comes from the memory where that is possible.
func (p *fixture) warmGrant(placeholder plaintext.Value) {
	p.t.Helper()
	for range 20 {
		p.must(second(p.Grant(p.t.Context(), placeholder)))
		time.Sleep(time.Millisecond)
	}
}

func TestTheParametersOfALeaseAreThoseThatTheHostsOfItsSecretsHave(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	azure := p.presetSecret(ann, "azure_openai", "AZURE_OPENAI_API_KEY", fake("1"))
	openai := p.presetSecret(ann, "openai", "OPENAI_API_KEY", fake("2"))
	with := func(secret vault.Secret, params map[string]string) error {
		in := leaseOf(vault.ByBroker, secret.ID)
		in.Limits.Params = params
		made, err := p.CreateLease(t.Context(), ann, in)
		if err == nil {
			g, err := p.Grant(t.Context(), made.Placeholders[0].Value)
			p.must(err)
			if diff := cmp.Diff(params, g.Limits.Params); diff != "" {
				t.Error(diff)
			}
		}
		return err
	}
	p.must(with(openai, nil))
	p.must(with(azure, map[string]string{"resource": "own-1"}))
	for name, err := range map[string]error{
		"none":              with(azure, nil),
		"an unknown one":    with(azure, map[string]string{"resource": "own", "region": "x"}),
		"of another secret": with(openai, map[string]string{"resource": "own"}),
		"two labels":        with(azure, map[string]string{"resource": "own.evil"}),
		"another host":      with(azure, map[string]string{"resource": "evil.example/"}),
		"capitals":          with(azure, map[string]string{"resource": "OWN"}),
		"a hyphen first":    with(azure, map[string]string{"resource": "-own"}),
		"more than a label": with(azure, map[string]string{"resource": strings.Repeat("a", 64)}),
	} {
		assertKind(t, name, err, vault.Invalid)
	}
	use := p.UseAtBroker("azure_openai", map[string]string{"resource": "own"})
	if use.NeedsProxy || len(use.BaseURLs) != 1 || use.BaseURLs[0].Path != "/azure_openai" {
		t.Errorf("it is used as %+v", use)
	}
}
