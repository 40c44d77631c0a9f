package vault_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const audience = "https://keysake.example.org"

// trusting is a vault whose tokens a real issuer makes.
type trusting struct {
	*fixture
	*issuertest.Issuer
}

func startTrusting(t *testing.T) trusting {
	t.Helper()
	p := trusting{start(t), issuertest.Start(t)}
	p.trust(p.Service)
	return p
}

// trust has a service verify tokens of the issuer, by the clock of the fixture.
func (p trusting) trust(s *vault.Service) {
	guard := netguard.New(netguard.Options{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: p.Roots,
	})
	s.VerifyTokensBy(issuer.New(guard.Transport(), p.clock.now))
}

// request asks for a rule for the repository acme/evals.
func (p trusting) request(scopes ...string) vault.TrustRequest {
	return vault.TrustRequest{
		Name: keyName("evals"), Issuer: p.URL, Audience: audience, Scopes: scopes,
		Claims: []vault.Claim{{Name: "repository", Value: "acme/evals"}}, For: time.Hour,
	}
}

func (p trusting) rule(who vault.Actor, scopes ...string) vault.TrustRule {
	p.t.Helper()
	if scopes == nil {
		scopes = []string{"secrets:read", "leases:write"}
	}
	rule, err := p.CreateTrustRule(p.t.Context(), who, p.request(scopes...))
	p.must(err)
	return rule
}

// token makes one for the repository, with more claims.
func (p trusting) token(more map[string]any) plaintext.Value {
	p.t.Helper()
	now := p.clock.last().Unix()
	claims := p.Claims(audience, map[string]any{
		"iat": now, "nbf": now, "exp": now + 300, "repository": "acme/evals",
	})
	for name, value := range more {
		claims[name] = value
	}
	return plaintext.FromString(p.Token("ES256", claims))
}

func (p trusting) exchange(rule vault.TrustRule, token plaintext.Value) (vault.Actor, error) {
	return exchangeAt(p.t, p.Service, rule, token)
}

func exchangeAt(
	t tester, s *vault.Service, rule vault.TrustRule, token plaintext.Value,
) (vault.Actor, error) {
	_, given, err := s.Exchange(t.Context(), vault.ExchangeRequest{Rule: rule.ID, Token: token})
	if err != nil {
		return vault.Actor{}, err
	}
	return s.Authenticate(t.Context(), given)
}

// credential exchanges a new token, and returns what it was exchanged for.
func (p trusting) credential(rule vault.TrustRule) (vault.APIKey, plaintext.Value) {
	p.t.Helper()
	key, token, err := p.Exchange(
		p.t.Context(), vault.ExchangeRequest{Rule: rule.ID, Token: p.token(nil)})
	p.must(err)
	return key, token
}

func TestATokenIsExchangedForACredentialOfItsOwnKind(t *testing.T) {
	p := startTrusting(t)
	ann := p.user("ann")
	secret := p.secret(ann, "MINE", fake("ann's"))
	rule := p.rule(ann)
	var who vault.Actor
	entries := p.newEntries(ann.User, func() {
		var err error
		who, err = p.exchange(rule, p.token(nil))
		p.must(err)
	})
	if who.User != ann.User || who.Credential.Kind != audit.CredentialWorkload ||
		!slices.Equal(who.Scopes, []policy.Scope{"secrets:read", "leases:write"}) {
		t.Errorf("the caller is %+v", who)
	}
	p.assertEntries(entries, audit.Entry{
		Owner: ann.User, User: ann.User, Action: "trust.exchange", Outcome: audit.Done,
		Credential: audit.Credential{Kind: audit.CredentialTrust, ID: rule.ID},
		Target: audit.Target{
			Kind: audit.TargetWorkload, ID: who.Credential.ID, Name: p.URL + " job",
		},
	})
	p.assertOpens(who, secret.ID, fake("ann's"))
	_, _, err := p.CreateAPIKey(t.Context(), who, vault.APIKeyRequest{})
	assertKind(t, "an API key by a credential", err, vault.Denied)
	_, err = p.CreateTrustRule(t.Context(), who, p.request("secrets:read"))
	assertKind(t, "a rule by a credential", err, vault.Denied)

	rules, err := p.ListTrustRules(t.Context(), ann)
	p.must(err)
	if len(rules) != 1 || len(rules[0].Admitted) != 1 ||
		rules[0].Admitted[0].Terms.Subject != "job" {
		t.Errorf("the list is %+v", rules)
	}
	keys, err := p.ListAPIKeys(t.Context(), ann)
	p.must(err)
	if len(keys) != 1 {
		t.Error("a rule or a credential is among the API keys")
	}
	p.assertChain(ann.User)
}

func TestATokenIsExchangedOnce(t *testing.T) {
	p := startTrusting(t)
	ann, ben := p.user("ann"), p.user("ben")
	rule, second, bens := p.rule(ann), p.rule(ann), p.rule(ben)
	token := p.token(nil)
	_, err := p.exchange(rule, token)
	p.must(err)
	other, _ := p.newVault()
	p.trust(other)
	again := func(what string, s *vault.Service, by vault.TrustRule) {
		t.Helper()
		_, err := exchangeAt(t, s, by, token)
		assertKind(t, what, err, vault.Denied)
	}
	again("again", p.Service, rule)
	again("at another server", other, rule)
	again("by another rule", p.Service, second)
	again("by another user's rule", p.Service, bens)
	p.must(p.RemoveTrustRule(t.Context(), ann, rule.ID))
	again("after its rule was removed", p.Service, second)
	p.clock.forward(290 * time.Second)
	again("just before it ends", p.Service, second)
	p.clock.forward(time.Hour)
	_, err = p.exchange(second, token)
	assertKind(t, "after it ended", err, vault.Unauthenticated)

	// Who can write the database removes the row: the ledger lists it.
	token = p.token(nil)
	_, err = p.exchange(second, token)
	p.must(err)
	p.sql("DELETE FROM api_keys WHERE kind = 'workload'")
	_, err = p.exchange(second, token)
	assertTampered(t, "after its row was removed", err)
}

func TestOfManyExchangesOfOneTokenOneSucceeds(t *testing.T) {
	p := startTrusting(t)
	rule := p.rule(p.user("ann"))
	token := p.token(nil)
	other, _ := p.newVault()
	p.trust(other)
	var mu sync.Mutex
	var wg sync.WaitGroup
	succeeded := 0
	for i := range 8 {
		server := []*vault.Service{p.Service, other}[i%2]
		wg.Go(func() {
			_, err := exchangeAt(t, server, rule, token)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				succeeded++
			} else if vault.KindOf(err) != vault.Denied {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if succeeded != 1 {
		t.Errorf("%d exchanges of one token succeeded", succeeded)
	}
}

func TestWhateverEndsARuleEndsWhatItGave(t *testing.T) {
	p := startTrusting(t)
	ctx := t.Context()
	for name, end := range map[string]func(maker, ann vault.Actor, rule vault.TrustRule){
		"removing it": func(_, ann vault.Actor, rule vault.TrustRule) {
			p.must(p.RemoveTrustRule(ctx, ann, rule.ID))
		},
		"revoking the key that made it": func(maker, ann vault.Actor, _ vault.TrustRule) {
			p.must(p.RevokeAPIKey(ctx, ann, maker.Credential.ID))
		},
		"disabling the user": func(_, ann vault.Actor, _ vault.TrustRule) {
			p.must(p.Service.DisableUser(ctx, p.admin, ann.User))
		},
		"deleting the user": func(_, ann vault.Actor, _ vault.TrustRule) {
			p.must(p.Service.DeleteUser(ctx, p.admin, ann.User))
		},
	} {
		ann := p.user("user-" + uuid.NewString()[:8])
		maker := p.child(ann).Actor
		rule := p.rule(maker)
		_, token := p.credential(rule)
		p.authenticated(token)
		end(maker, ann, rule)
		p.assertInactive(name, token)
		_, err := p.exchange(rule, p.token(nil))
		assertKind(t, name+": a new exchange", err, vault.Unauthenticated)
	}
	ann := p.user("ann")
	rule := p.rule(ann)
	key, token := p.credential(rule)
	p.must(p.RevokeAPIKey(ctx, ann, key.ID))
	p.assertInactive("revoking the credential", token)
	_, token = p.credential(rule)
	p.must(p.RevokeSelf(ctx, p.authenticated(token)))
	p.assertInactive("the credential itself", token)
	_, token = p.credential(rule)
	p.clock.forward(time.Hour)
	p.assertInactive("its expiry", token)
}

func TestACredentialEndsNoLaterThanItsRule(t *testing.T) {
	p := startTrusting(t)
	ann := p.user("ann")
	request := keyRequest("keys:write", "secrets:read")
	end := p.clock.last().Add(10 * time.Minute)
	request.ExpiresAt = must(vault.NewExpiry(end))
	_, token := p.newKey(ann, request)
	key, _ := p.credential(p.rule(p.authenticated(token), "secrets:read"))
	if !key.ExpiresAt.Equal(end) {
		t.Errorf("it ends at %v, its rule at %v", key.ExpiresAt, end)
	}
}

func TestATokenMustHaveEveryClaimOfTheRule(t *testing.T) {
	p := startTrusting(t)
	ann := p.user("ann")
	in := p.request("secrets:read")
	in.Claims = append(in.Claims, vault.Claim{Name: "ref", Value: "refs/heads/main"})
	rule, err := p.CreateTrustRule(t.Context(), ann, in)
	p.must(err)
	main := map[string]any{"ref": "refs/heads/main"}
	_, err = p.exchange(rule, p.token(main))
	p.must(err)
	for name, more := range map[string]map[string]any{
		"a claim is missing":        nil,
		"another branch":            {"ref": "refs/heads/main2"},
		"in capitals":               {"ref": "refs/heads/Main"},
		"a pattern":                 {"ref": "*"},
		"a list with it":            {"ref": []string{"refs/heads/main"}},
		"a number":                  {"ref": 1},
		"another repository":        {"ref": "refs/heads/main", "repository": "evil/evals"},
		"a repository that is null": {"ref": "refs/heads/main", "repository": nil},
		"with a space":              {"ref": "refs/heads/main "},
	} {
		_, err := p.exchange(rule, p.token(more))
		assertKind(t, name, err, vault.Denied)
	}
	p.must(p.FlushRefusals(t.Context(), true))
	chain := p.chain(ann.User)
	last := chain[len(chain)-1]
	if last.Outcome != audit.Refused || last.Credential.ID != rule.ID || last.Target.Version == 0 {
		t.Errorf("the refusals were recorded as %+v", last.Entry)
	}
	narrow := vault.ExchangeRequest{
		Rule: rule.ID, Token: p.token(main), Scopes: []string{"secrets:write"},
	}
	_, _, err = p.Exchange(t.Context(), narrow)
	assertKind(t, "a scope that the rule does not give", err, vault.Denied)
}

func TestARuleIsNoCredentialAndACredentialIsNoAPIKey(t *testing.T) {
	p := startTrusting(t)
	ann := p.user("ann")
	rule := p.rule(ann)
	key, token := p.credential(rule)
	_, err := p.exchange(vault.TrustRule{APIKey: key}, p.token(nil))
	assertKind(t, "a credential as a rule", err, vault.Unauthenticated)
	own := vault.TrustRule{APIKey: vault.APIKey{ID: ann.Credential.ID}}
	_, err = p.exchange(own, p.token(nil))
	assertKind(t, "an API key as a rule", err, vault.Unauthenticated)
	_, err = p.exchange(vault.TrustRule{APIKey: vault.APIKey{ID: uuid.New()}}, p.token(nil))
	assertKind(t, "no rule", err, vault.Unauthenticated)
	text := string(token.Reveal())
	p.assertInactive("under the prefix of API keys", plaintext.FromString("ksk_"+text[4:]))
	err = p.RevokeAPIKey(t.Context(), ann, rule.ID)
	assertKind(t, "a rule among the API keys", err, vault.NotFound)
	err = p.RemoveTrustRule(t.Context(), ann, key.ID)
	assertKind(t, "a credential among the rules", err, vault.NotFound)
	err = p.RemoveTrustRule(t.Context(), p.user("ben"), rule.ID)
	assertKind(t, "another user's rule", err, vault.NotFound)
	p.authenticated(token)
}

// The adversary writes the database, and has no key of the instance.
func TestWhatIsWrittenPastKeysakeLetsNobodyIn(t *testing.T) {
	for name, change := range map[string]func(p trusting, rule vault.TrustRule, key vault.APIKey){
		"another issuer": func(p trusting, rule vault.TrustRule, _ vault.APIKey) {
			p.sql("UPDATE api_keys SET terms = replace(terms, 'acme', 'evil') WHERE id = ?",
				rule.ID.String())
		},
		"more scopes": func(p trusting, rule vault.TrustRule, _ vault.APIKey) {
			p.sql("UPDATE api_keys SET scopes = 'secrets:read leases:write secrets:write' "+
				"WHERE id = ?", rule.ID.String())
		},
		"a longer life": func(p trusting, _ vault.TrustRule, key vault.APIKey) {
			p.sql("UPDATE api_keys SET expires_at = expires_at + 1 WHERE id = ?", key.ID.String())
		},
		"a credential as an API key": func(p trusting, _ vault.TrustRule, key vault.APIKey) {
			p.sql("UPDATE api_keys SET kind = '' WHERE id = ?", key.ID.String())
		},
		"an unused token": func(p trusting, _ vault.TrustRule, key vault.APIKey) {
			p.sql("UPDATE api_keys SET presented = ? WHERE id = ?", make([]byte, 32),
				key.ID.String())
		},
		"a removed rule, put back": func(p trusting, rule vault.TrustRule, _ vault.APIKey) {
			p.must(p.RemoveTrustRule(p.t.Context(),
				vault.Actor{
					User: rule.User, Scopes: policy.AllScopes(),
					Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: rule.Parent},
				}, rule.ID))
			p.sql("UPDATE api_keys SET revoked_at = NULL WHERE id = ?", rule.ID.String())
		},
		"a rule that was copied": func(p trusting, rule vault.TrustRule, _ vault.APIKey) {
			p.sql(`INSERT INTO api_keys (id, user_id, parent_id, token_hash, masked, name, scopes,
				self_revoke, suspended, created_at, kind, terms, presented)
				SELECT '`+uuid.NewString()+`', user_id, parent_id, ?, masked, name, scopes,
				self_revoke, suspended, created_at, kind, terms, presented
				FROM api_keys WHERE id = ?`, make([]byte, 32), rule.ID.String())
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := startTrusting(t)
			rule := p.rule(p.user("ann"))
			key, token := p.credential(rule)
			change(p, rule, key)
			p.restart()
			p.trust(p.Service)
			_, err := p.exchange(rule, p.token(nil))
			_, authenticated := p.Authenticate(t.Context(), token)
			assertTampered(t, "an exchange", err)
			err = authenticated
			if name == "an unused token" || name == "a rule that was copied" {
				return // the row of the credential, or nothing of its line, says otherwise
			}
			assertTampered(t, "the credential", err)
		})
	}
}

func TestTermsThatWouldLetInTooManyAreRefused(t *testing.T) {
	p := startTrusting(t)
	ann := p.user("ann")
	const github = "https://token.actions.githubusercontent.com"
	for name, change := range map[string]func(*vault.TrustRequest){
		"no claim":             func(in *vault.TrustRequest) { in.Claims = nil },
		"an empty text":        func(in *vault.TrustRequest) { in.Claims[0].Value = "" },
		"a claim twice":        func(in *vault.TrustRequest) { in.Claims = append(in.Claims, in.Claims[0]) },
		"http":                 func(in *vault.TrustRequest) { in.Issuer = "http://issuer.example.org" },
		"a query":              func(in *vault.TrustRequest) { in.Issuer += "?a=b" },
		"a fragment":           func(in *vault.TrustRequest) { in.Issuer += "#" },
		"a user":               func(in *vault.TrustRequest) { in.Issuer = "https://a@issuer.example.org" },
		"capitals":             func(in *vault.TrustRequest) { in.Issuer = "https://Issuer.example.org" },
		"no issuer":            func(in *vault.TrustRequest) { in.Issuer = "" },
		"no audience":          func(in *vault.TrustRequest) { in.Audience = "" },
		"keys:write":           func(in *vault.TrustRequest) { in.Scopes = []string{"keys:write"} },
		"admin":                func(in *vault.TrustRequest) { in.Scopes = []string{"admin"} },
		"an hour and a second": func(in *vault.TrustRequest) { in.For = time.Hour + time.Second },
		"any repository of GitHub": func(in *vault.TrustRequest) {
			in.Issuer = github
			in.Claims = []vault.Claim{{Name: "ref", Value: "refs/heads/main"}}
		},
		"a workflow of GitHub that anybody may call": func(in *vault.TrustRequest) {
			in.Issuer = github
			in.Claims = []vault.Claim{{Name: "job_workflow_ref", Value: "acme/ci/a.yml@main"}}
		},
	} {
		in := p.request("secrets:read")
		change(&in)
		_, err := p.CreateTrustRule(t.Context(), ann, in)
		assertKind(t, name, err, vault.Invalid)
	}
	in := p.request("secrets:read")
	in.Issuer = github
	_, err := p.CreateTrustRule(t.Context(), ann, in)
	p.must(err)
	_, err = p.CreateTrustRule(
		t.Context(), with(ann, "keys:write", "secrets:read"), p.request("leases:write"))
	assertKind(t, "a scope that the key lacks", err, vault.Denied)
}

func TestCredentialsAreForgottenWithTheirTokens(t *testing.T) {
	p := startTrusting(t)
	rule := p.rule(p.user("ann"))
	for range 3 {
		p.credential(rule)
	}
	count := func() (n int) {
		p.sqlRow("SELECT COUNT(*) FROM api_keys WHERE kind = 'workload'", nil, &n)
		return n
	}
	if n := count(); n != 3 {
		t.Errorf("%d credentials are stored", n)
	}
	p.clock.forward(2 * time.Hour)
	p.credential(rule)
	if n := count(); n != 1 {
		t.Errorf("%d credentials are stored, two hours later", n)
	}
}

func TestInALockdownNoTokenIsExchanged(t *testing.T) {
	p := startTrusting(t)
	rule := p.rule(p.user("ann"))
	_, token := p.credential(rule)
	p.must(p.LockDown(t.Context()))
	_, err := p.exchange(rule, p.token(nil))
	assertKind(t, "an exchange", err, vault.Unavailable)
	_, err = p.ListSecrets(t.Context(), p.authenticated(token))
	assertKind(t, "a credential from before", err, vault.Unavailable)
}

func TestACredentialIsTheLastOfItsLine(t *testing.T) {
	p := startTrusting(t)
	ann := p.user("ann")
	maker := ann
	for range 6 { // the admin's, hers, and six
		maker = p.child(maker).Actor
	}
	_, token := p.credential(p.rule(maker)) // the tenth
	p.authenticated(token)
	_, err := p.CreateTrustRule(t.Context(), p.child(maker).Actor, p.request("secrets:read"))
	assertKind(t, "a rule whose credentials would be the eleventh", err, vault.Denied)
}

func TestASignInRemovesNoRuleAndNoCredential(t *testing.T) {
	p := startTrusting(t)
	boss := p.user("boss", policy.AllScopes()...)
	rule := p.rule(boss)
	token := p.token(nil)
	_, err := p.exchange(rule, token)
	p.must(err)
	p.clock.forward(2 * time.Minute)
	_, _, err = p.CreateSignInLink(t.Context(), boss, boss.User)
	p.must(err)
	_, err = p.exchange(rule, token)
	assertKind(t, "a token that was exchanged before a sign-in", err, vault.Denied)
}

func TestTheLogNamesTheRuleByWhichAProgramCame(t *testing.T) {
	p := startTrusting(t)
	ctx, ann := t.Context(), p.user("ann")
	rule := p.rule(ann)
	given, _ := p.credential(rule)
	nameless, err := p.CreateTrustRule(ctx, ann, func() vault.TrustRequest {
		in := p.request("secrets:read")
		in.Name = vault.KeyName{}
		return in
	}())
	p.must(err)
	p.must(p.RemoveTrustRule(ctx, ann, rule.ID))
	want := map[uuid.UUID]string{
		rule.ID: "evals", given.ID: "evals", nameless.ID: nameless.ID.String(),
	}
	got, err := p.RuleNames(ctx, with(ann, policy.AuditRead))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("the names are (%v):\n%s", err, diff)
	}
	_, err = p.RuleNames(ctx, with(ann, policy.SecretsRead))
	assertKind(t, "without the scope", err, vault.Denied)
	if got, err := p.RuleNames(ctx, p.admin); err != nil || len(got) > 0 {
		t.Errorf("another user's are %v (%v)", got, err)
	}
}
