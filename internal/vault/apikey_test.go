package vault_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// newKey makes an API key for the caller.
func (p *fixture) newKey(who vault.Actor, in vault.APIKeyRequest) (vault.APIKey, plaintext.Value) {
	p.t.Helper()
	key, token, err := p.CreateAPIKey(p.t.Context(), who, in)
	p.must(err)
	return key, token
}

func TestANewAPIKeyIsWhatWasAskedFor(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	expiry := p.clock.last().Add(time.Hour + 1500*time.Nanosecond).In(time.FixedZone("east", 7200))
	key, token := p.newKey(ann, vault.APIKeyRequest{
		Name: keyName("laptop"), SelfRevoke: true, ExpiresAt: must(vault.NewExpiry(expiry)),
		Scopes: keyRequest("secrets:write", "secrets:read", "secrets:write").Scopes,
	})
	want := vault.APIKey{
		ID: key.ID, User: ann.User, Parent: ann.Credential.ID, Active: true,
		Hash: key.Hash, Masked: catalog.Mask(token), Name: "laptop",
		Scopes: []policy.Scope{policy.SecretsWrite, policy.SecretsRead}, SelfRevoke: true,
		CreatedAt: p.clock.last(), ExpiresAt: expiry.UTC().Truncate(time.Microsecond),
	}
	if diff := cmp.Diff(want, key); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	who := p.authenticated(token)
	if diff := cmp.Diff(
		vault.Actor{
			User:       ann.User,
			Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: key.ID},
			Scopes:     want.Scopes, SelfRevoke: true, KeyName: key.Name,
			ExpiresAt: key.ExpiresAt,
		},
		who, cmpopts.EquateComparable(netip.Addr{}),
	); diff != "" {
		t.Errorf("its caller (-want +got):\n%s", diff)
	}
	listed, err := p.ListAPIKeys(t.Context(), ann)
	if err != nil || len(listed) != 2 {
		t.Fatalf("%d keys are listed (%v)", len(listed), err)
	}
	want.LastUsedAt = listed[0].LastUsedAt
	if diff := cmp.Diff(want, listed[0]); diff != "" {
		t.Errorf("as listed, newest first (-want +got):\n%s", diff)
	}
}

func TestTheDatabaseHasTheHashOfATokenOnly(t *testing.T) {
	p := start(t)
	key, token := p.newKey(p.admin, vault.APIKeyRequest{})
	var hash []byte
	var masked string
	p.sqlRow(
		"SELECT token_hash, masked FROM api_keys WHERE id = ?", []any{key.ID.String()}, &hash,
		&masked,
	)
	if len(hash) != 32 || !bytes.Equal(hash, key.Hash[:]) || bytes.Contains(token.Reveal(), hash) {
		t.Error("what is stored is not the hash")
	}
	if len([]rune(masked)) != 13 {
		t.Errorf("the mask has %d characters", len([]rune(masked)))
	}
}

func TestNoKeyGivesAScopeThatItLacks(t *testing.T) {
	p := start(t)
	for _, scope := range policy.AllScopes() {
		but := slices.DeleteFunc(policy.AllScopes(), func(s policy.Scope) bool {
			return s == scope
		})
		maker := with(p.admin, but...)
		for action, grant := range map[policy.Action]func(in vault.APIKeyRequest) error{
			policy.APIKeyCreate: func(in vault.APIKeyRequest) error {
				_, token, err := p.CreateAPIKey(t.Context(), maker, in)
				if err != nil && token.Len() > 0 {
					t.Error("an error, and yet a token")
				}
				return err
			},
			policy.APIKeyCreateFor: func(in vault.APIKeyRequest) error {
				_, _, err := p.CreateAPIKeyFor(t.Context(), maker, p.admin.User, in)
				return err
			},
		} {
			for _, wanted := range [][]string{
				{string(scope)}, {string(but[0]), string(scope), string(but[1])},
			} {
				got := p.newEntries(p.admin.User, func() {
					assertKind(
						t, string(action)+" with "+string(scope),
						grant(keyRequest(wanted...)), vault.Denied,
					)
				})
				p.assertEntries(got, refused(maker, action))
				p.must(p.FlushRefusals(t.Context(), true)) // each is the first again
			}
		}
	}
	p.assertChain(p.admin.User)
}

func TestTheScopesOfANewKeyAreTheMakersButAdminAndKeysWrite(t *testing.T) {
	p := start(t)
	for _, row := range []struct {
		held   []policy.Scope
		wanted []string
		given  []policy.Scope
	}{
		{policy.AllScopes(), nil, policy.DefaultScopes()},
		{
			[]policy.Scope{policy.KeysWrite, policy.SecretsRead},
			nil,
			[]policy.Scope{policy.SecretsRead},
		},
		{[]policy.Scope{policy.KeysWrite, policy.Admin}, nil, nil},
		{
			[]policy.Scope{policy.KeysWrite},
			[]string{"keys:write"},
			[]policy.Scope{policy.KeysWrite},
		},
		{policy.AllScopes(), []string{}, nil},
		{policy.AllScopes(), []string{"admin"}, []policy.Scope{policy.Admin}},
	} {
		key, token := p.newKey(with(p.admin, row.held...), keyRequest(row.wanted...))
		if !slices.Equal(key.Scopes, row.given) ||
			!slices.Equal(p.authenticated(token).Scopes, row.given) {
			t.Errorf("%v wanted by %v: got %v", row.wanted, row.held, key.Scopes)
		}
	}
}

func TestWhatIsNoScopeIsRefusedWithoutBeingRepeated(t *testing.T) {
	p := start(t)
	for _, name := range []string{
		"canary", "", "Admin", "secrets:read ", "*", "secrets:read secrets:write",
	} {
		_, _, err := p.CreateAPIKey(t.Context(), p.admin, keyRequest("admin", name))
		assertKind(t, "a scope that is none", err, vault.Invalid)
		assertField(t, err, "allowed_scopes", vault.OneOf, "canary")
	}
}

func TestAnExpiryMustBeInTheFuture(t *testing.T) {
	p := start(t)
	for _, at := range []time.Time{
		p.clock.last(), p.clock.last().Add(-time.Hour), time.Unix(1, 0),
		p.clock.last().Add(time.Second),
	} {
		_, _, err := p.CreateAPIKey(t.Context(), p.admin, expiring(at))
		assertKind(t, at.String(), err, vault.Invalid)
		assertField(t, err, "expires_at", vault.GoodValue, at.String())
	}
}

func TestOnlyAnActiveKeyAuthenticates(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	_, token := p.newKey(ann, expiring(p.clock.last().Add(time.Hour)))
	p.authenticated(token)
	p.clock.forward(2 * time.Hour)
	p.assertInactive("expired", token)
	listed, err := p.ListAPIKeys(t.Context(), ann)
	if err != nil || listed[0].Active || !listed[1].Active {
		t.Errorf("the list calls the expired key active, or the other not (%v)", err)
	}

	revoked, token := p.newKey(ann, vault.APIKeyRequest{})
	p.authenticated(token)
	p.must(p.RevokeAPIKey(t.Context(), ann, revoked.ID))
	p.assertInactive("revoked", token)
	assertKind(t, "revoking it again", p.RevokeAPIKey(t.Context(), ann, revoked.ID), vault.NotFound)

	p.assertInactive("unknown", vault.NewToken())
	for name, odd := range map[string]string{"empty": "", "no token": "secret", "prefix": "ksk_"} {
		p.assertInactive(name, plaintext.FromString(odd))
	}
	_, token = p.newKey(ann, vault.APIKeyRequest{})
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ann.User))
	p.assertInactive("of a deleted user", token)
}

// assertInactive checks that a token authenticates no one, and that the answer does not say why.
func (p *fixture) assertInactive(what string, token plaintext.Value) {
	p.t.Helper()
	who, err := p.Authenticate(p.t.Context(), token)
	assertKind(p.t, what, err, vault.Unauthenticated)
	if !cmp.Equal(who, vault.Actor{}, cmpopts.EquateComparable(netip.Addr{})) {
		p.t.Errorf("%s: an error, and yet a caller", what)
	}
	if _, unknown := p.Authenticate(p.t.Context(), vault.NewToken()); err == nil ||
		err.Error() != unknown.Error() {
		p.t.Errorf("%s: the answer differs from that for an unknown one: %v", what, err)
	}
}

func TestAKeyRevokesItselfOnlyWithLeave(t *testing.T) {
	p := start(t)
	_, token := p.newKey(p.admin, keyRequest("keys:write"))
	without := p.authenticated(token)
	got := p.newEntries(
		p.admin.User,
		func() { assertKind(t, "without", p.RevokeSelf(t.Context(), without), vault.Denied) },
	)
	p.assertEntries(got, refused(without, policy.APIKeyRevokeSelf))
	p.authenticated(token)

	request := keyRequest([]string{}...)
	request.SelfRevoke = true
	_, token = p.newKey(p.admin, request)
	if err := p.RevokeSelf(t.Context(), p.authenticated(token)); err != nil {
		t.Errorf("with leave, and without any scope: %v", err)
	}
	p.assertInactive("revoked by itself", token)
}

func TestAUserHasAtMost200ActiveKeysAndThe200NewestInactiveOnesStay(t *testing.T) {
	p := start(t)
	ann := p.user("ann") // the first key
	keys := make([]vault.APIKey, 199)
	for i := range keys {
		hash, _ := vault.HashToken(vault.NewToken())
		keys[i] = vault.APIKey{
			ID: uuid.Must(uuid.NewV7()), User: ann.User, Hash: hash, CreatedAt: p.clock.last(),
		}
	}
	p.must(p.AddAPIKeys(t.Context(), ann, keys))
	got := p.newEntries(ann.User, func() {
		_, _, err := p.CreateAPIKey(t.Context(), ann, vault.APIKeyRequest{})
		assertKind(t, "the 201st", err, vault.Denied)
	})
	p.assertEntries(got, refused(ann, policy.APIKeyCreate))
	p.assertChain(ann.User)

	p.must(p.EndAPIKeys(t.Context(), ann, keys))
	for range 2 { // 201 inactive ones after the second
		key, _ := p.newKey(ann, vault.APIKeyRequest{})
		p.must(p.EndAPIKeys(t.Context(), ann, []vault.APIKey{key}))
	}
	p.newKey(ann, vault.APIKeyRequest{})
	listed, err := p.ListAPIKeys(t.Context(), ann)
	p.must(err)
	has := func(id uuid.UUID) bool {
		return slices.ContainsFunc(listed, func(k vault.APIKey) bool { return k.ID == id })
	}
	if len(listed) != 202 || has(keys[0].ID) || !has(keys[1].ID) || !has(ann.Credential.ID) {
		t.Errorf("%d are listed; the oldest inactive one: %v, the next: %v; the oldest active: %v",
			len(listed), has(keys[0].ID), has(keys[1].ID), has(ann.Credential.ID))
	}
}
