package vault_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// waiting begins the login of a program.
func (p *fixture) waiting(in vault.DeviceRequest) (vault.WaitingLogin, plaintext.Value) {
	p.t.Helper()
	login, token, err := p.StartDeviceLogin(p.t.Context(), in)
	p.must(err)
	return login, token
}

// fetch asks for the API key of a login.
func (p *fixture) fetch(token plaintext.Value) (vault.APIKey, plaintext.Value, error) {
	return p.FetchDeviceLogin(p.t.Context(), token, netip.Addr{})
}

// assertGone checks that a program is told that its login is no more.
func (p *fixture) assertGone(what string, token plaintext.Value) {
	p.t.Helper()
	_, _, err := p.fetch(token)
	assertKind(p.t, what, err, vault.NotFound)
	_, err = p.LookAtDeviceLogin(p.t.Context(), token)
	assertKind(p.t, what+", looked at", err, vault.NotFound)
}

func laptop() vault.DeviceRequest {
	return vault.DeviceRequest{
		Name: keyName("laptop"), Client: netip.MustParseAddr("192.0.2.7"),
	}
}

func TestAProgramGetsAnAPIKeyOfWhoConfirmsIt(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	session, _ := p.signedIn(ann.User)
	login, token := p.waiting(laptop())
	if !regexp.MustCompile(`^[B-DF-HJ-NP-TV-Z]{4}-[B-DF-HJ-NP-TV-Z]{4}$`).
		MatchString(login.UserCode) {
		t.Errorf("people type %q", login.UserCode)
	}
	_, _, err := p.fetch(token)
	assertKind(t, "before it is confirmed", err, vault.Unauthenticated)
	if !errors.Is(err, vault.ErrLoginWaits) {
		t.Errorf("the program is not told that it waits: %v", err)
	}
	found, err := p.FindDeviceLogin(ctx, session.Actor, login.UserCode)
	p.must(err)
	want := vault.WaitingLogin{
		ID: login.ID, UserCode: login.UserCode, Name: "laptop", Client: "192.0.2.7",
		Scopes:  append(policy.DefaultScopes(), policy.KeysWrite),
		KeyEnds: found.KeyEnds, ExpiresAt: login.ExpiresAt,
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("the user is shown:\n%s", diff)
	}
	p.must(p.ConfirmDeviceLogin(ctx, session.Actor, login.UserCode))
	if seen, err := p.LookAtDeviceLogin(ctx, token); err != nil || seen.User != ann.User ||
		seen.UserCode != login.UserCode || seen.ID != login.ID {
		t.Errorf("confirmed, it is %+v (%v)", seen, err)
	}
	key, made, err := p.fetch(token)
	p.must(err)
	who := p.authenticated(made)
	if who.User != ann.User || who.KeyName != "laptop" || !who.SelfRevoke ||
		!cmp.Equal(who.Scopes, want.Scopes) {
		t.Errorf("the program is %+v", who)
	}
	if life := key.ExpiresAt.Sub(key.CreatedAt); life != vault.DeviceKeyTime {
		t.Errorf("the key works for %s", life)
	}
	p.assertGone("a second time", token)
	p.must(p.RevokeSelf(ctx, session.Actor))
	if p.authenticated(made).User != ann.User {
		t.Error("the key ended with the session in which it was confirmed")
	}
}

// RFC 8628, section 5.1 and 5.2: a code that is guessed, or presented again, opens nothing.
func TestTheCodesOfALoginAreGoodForOneLogin(t *testing.T) {
	p := start(t)
	ctx, ann, eve := t.Context(), p.user("ann"), p.user("eve")
	login, token := p.waiting(laptop())
	for _, typed := range []string{
		"", "BCDF", "AAAA-AAAA", "BCDF-GHJK", login.UserCode + "B", string(token.Reveal()),
	} {
		_, err := p.FindDeviceLogin(ctx, ann, typed)
		assertKind(t, "another code", err, vault.NotFound)
		assertKind(t, "another code, confirmed", p.ConfirmDeviceLogin(ctx, ann, typed),
			vault.NotFound)
	}
	_, err := p.LookAtDeviceLogin(ctx, plaintext.FromString(login.UserCode))
	assertKind(t, "looking with what people type", err, vault.NotFound)
	_, _, err = p.fetch(plaintext.FromString(login.UserCode))
	assertKind(t, "fetching with what people type", err, vault.NotFound)

	p.must(p.ConfirmDeviceLogin(ctx, ann, login.UserCode))
	assertKind(t, "confirmed again, by another",
		p.ConfirmDeviceLogin(ctx, eve, login.UserCode), vault.NotFound)
	assertKind(t, "refused after it was confirmed",
		p.RefuseDeviceLogin(ctx, ann, login.UserCode), vault.NotFound)
	p.assertInactive("the program's code as an API key", token)
	p.assertNoSession("the program's code as a session", token)
	key, _, err := p.fetch(token)
	if err != nil || key.User != ann.User {
		t.Fatalf("the key is of %s (%v)", key.User, err)
	}
	p.assertGone("fetched", token)
	_, other := p.newKey(ann, vault.APIKeyRequest{})
	p.assertGone("an API key as the program's code", other)
}

func TestWhatIsTypedMayHaveOtherSigns(t *testing.T) {
	for typed, want := range map[string]string{
		"bcdfghjk": "BCDF-GHJK", " bcdf ghjk": "BCDF-GHJK", "BCDF-GHJK": "BCDF-GHJK",
		"b-c-d-f-g-h-j-k": "BCDF-GHJK", "BCDF-GHJA": "", "BCDF-GHJ": "", "BCDFGHJKL": "",
		"BCDF\x00GHJK": "", "": "",
	} {
		if got, ok := vault.NormalUserCode(typed); got != want || ok != (want != "") {
			t.Errorf("%q is %q", typed, got)
		}
	}
}

func TestALoginThatIsRefusedOrTooOldGivesNothing(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	login, token := p.waiting(laptop())
	entries := p.newEntries(ann.User, func() {
		p.must(p.RefuseDeviceLogin(ctx, ann, login.UserCode))
	})
	want := done(ann.User, ann, policy.DeviceRefuse, login.ID, "laptop", 0)
	want.Target.Kind = audit.TargetDevice
	p.assertEntries(entries, want)
	p.assertGone("refused", token)

	login, token = p.waiting(laptop())
	p.clock.forward(vault.DeviceLoginTime)
	assertKind(t, "confirmed too late", p.ConfirmDeviceLogin(ctx, ann, login.UserCode),
		vault.NotFound)
	p.assertGone("too old", token)

	login, token = p.waiting(laptop())
	p.must(p.ConfirmDeviceLogin(ctx, ann, login.UserCode))
	p.clock.forward(vault.DeviceLoginTime + vault.DeviceFetchTime)
	p.assertGone("fetched too late", token)

	login, token = p.waiting(laptop())
	p.must(p.ConfirmDeviceLogin(ctx, ann, login.UserCode))
	p.must(p.Service.DisableUser(ctx, p.admin, ann.User))
	p.assertGone("of a disabled user", token)
}

func TestAProgramGetsNoMoreThanItsUserMayGive(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann", policy.SecretsRead, policy.KeysWrite)
	asks := func(scopes ...string) (vault.WaitingLogin, plaintext.Value) {
		in := laptop()
		in.Scopes = must(vault.NewScopes(scopes))
		return p.waiting(in)
	}
	login, _ := asks("secrets:read", "admin")
	_, err := p.FindDeviceLogin(ctx, ann, login.UserCode)
	assertKind(t, "more than ann has", err, vault.Denied)
	assertKind(t, "more than ann has, confirmed",
		p.ConfirmDeviceLogin(ctx, ann, login.UserCode), vault.Denied)
	reader := p.user("reader", policy.SecretsRead)
	login, token := asks("secrets:read")
	assertKind(t, "by one who makes no keys",
		p.ConfirmDeviceLogin(ctx, reader, login.UserCode), vault.Denied)
	p.must(p.ConfirmDeviceLogin(ctx, ann, login.UserCode))
	key, _, err := p.fetch(token)
	if err != nil || !slices.Equal(key.Scopes, []policy.Scope{policy.SecretsRead}) {
		t.Errorf("the key has %v (%v)", key.Scopes, err)
	}
	login, token = p.waiting(laptop())
	p.must(p.ConfirmDeviceLogin(ctx, ann, login.UserCode))
	if key, _, err = p.fetch(token); err != nil || !slices.Equal(key.Scopes, ann.Scopes) {
		t.Errorf("the usual key of ann has %v (%v)", key.Scopes, err)
	}
	for _, scopes := range [][]string{{}, {"secrets:all"}} {
		in := laptop()
		in.Scopes = must(vault.NewScopes(scopes))
		_, _, err := p.StartDeviceLogin(ctx, in)
		assertKind(t, "no such scope, or none", err, vault.Invalid)
	}
}

func TestAKeyOfALoginEndsWithWhatItsUserCameBy(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	soon := must(vault.NewExpiry(p.clock.last().Add(30 * 24 * time.Hour)))
	above, token := p.newKey(ann, vault.APIKeyRequest{
		ExpiresAt: soon, Scopes: must(vault.NewScopes([]string{"keys:write"})),
	})
	login, code := p.waiting(laptop())
	p.must(p.ConfirmDeviceLogin(ctx, p.authenticated(token), login.UserCode))
	key, made, err := p.fetch(code)
	p.must(err)
	if !key.ExpiresAt.Equal(above.ExpiresAt) || key.Parent != above.ID {
		t.Errorf("the key ends %s, below %s", key.ExpiresAt, key.Parent)
	}
	p.must(p.RevokeAPIKey(ctx, ann, above.ID))
	p.assertInactive("below a key that was revoked", made)
}

func TestSoManyLoginsWaitAtMostAndOldOnesMakeRoom(t *testing.T) {
	p := start(t)
	p.must(p.db.Update(t.Context(), func(tx vault.Tx) error {
		for i := range 999 {
			d := vault.DeviceLogin{
				ID: uuid.New(), ExpiresAt: p.clock.last().Add(vault.DeviceLoginTime),
			}
			binary.BigEndian.PutUint64(d.Hash[:], uint64(i))
			binary.BigEndian.PutUint64(d.Typed[:], uint64(i))
			if err := tx.InsertDeviceLogin(t.Context(), d); err != nil {
				return err
			}
		}
		return nil
	}))
	p.waiting(laptop())
	_, _, err := p.StartDeviceLogin(t.Context(), laptop())
	assertKind(t, "one more", err, vault.Unavailable)
	p.clock.forward(vault.DeviceLoginTime)
	p.waiting(laptop())
	if n := p.count("device_logins"); n != 1 {
		t.Errorf("%d logins are kept", n)
	}
}

// What someone does who can write the database: nobody's code leads to another program, and a
// program that nobody confirmed gets nothing.
func TestALoginThatWasChangedInTheDatabaseIsNotBelieved(t *testing.T) {
	for name, attack := range map[string]string{
		"another name":    "name = 'your own laptop'",
		"another address": "client = '192.0.2.8'",
		"more scopes":     "scopes = 'keys:write'",
		"a longer time":   "expires_at = expires_at + 1",
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			in := laptop()
			in.Name, in.Scopes = keyName("thief"), must(vault.NewScopes([]string{"secrets:read"}))
			login, _ := p.waiting(in)
			p.sql("UPDATE device_logins SET " + attack)
			err := p.ConfirmDeviceLogin(t.Context(), p.admin, login.UserCode)
			if !errors.Is(err, vault.ErrTampered) {
				t.Errorf("it was believed: %v", err)
			}
		})
	}
}

func TestTwoLoginsWhoseTokensWereSwappedAreNotBelieved(t *testing.T) {
	p := start(t)
	mine, _ := p.waiting(laptop())
	thiefs := laptop()
	thiefs.Name = keyName("thief")
	_, token := p.waiting(thiefs)
	var hash []byte
	p.sqlRow("SELECT hash FROM device_logins WHERE name = 'thief'", nil, &hash)
	p.sql("DELETE FROM device_logins WHERE name = 'thief'")
	p.sql("UPDATE device_logins SET hash = $1", hash)
	err := p.ConfirmDeviceLogin(t.Context(), p.admin, mine.UserCode)
	if !errors.Is(err, vault.ErrTampered) {
		t.Errorf("the thief's program was confirmed: %v", err)
	}
	_, _, err = p.fetch(token)
	if !errors.Is(err, vault.ErrTampered) {
		t.Errorf("the thief's program got something: %v", err)
	}
}

func TestAConfirmationThatWasPutIntoTheDatabaseIsNone(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	login, token := p.waiting(laptop())
	p.must(p.ConfirmDeviceLogin(ctx, p.admin, login.UserCode))
	p.sql("UPDATE api_keys SET kind = '' WHERE kind = 'device'")
	p.notice()
	if _, _, err := p.fetch(token); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("of another kind, it was believed: %v", err)
	}
	p.sql("UPDATE api_keys SET kind = 'device' WHERE id = $1", login.ID.String())
	p.notice()
	_, _, err := p.fetch(token)
	p.must(err)
}

func TestAfterARotationOfTheInstanceKeyNoLoginWaits(t *testing.T) {
	p := start(t)
	login, token := p.waiting(laptop())
	p.rotateInstanceKey()
	assertKind(t, "what was typed", p.ConfirmDeviceLogin(t.Context(), p.admin, login.UserCode),
		vault.NotFound)
	_, _, err := p.fetch(token)
	if err == nil {
		t.Error("the program got a key")
	}
}
