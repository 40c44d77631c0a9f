package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// hidden stands for a secret value, and shownKey for an API key. Neither is a real credential.
const (
	hidden   = "correct-horse-battery-staple"
	shownKey = "no-real-key"
)

// at starts a server that answers with h, and returns a client for it.
func at(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL, plaintext.FromString(shownKey), client.WithoutSealing())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachMethodIsItsOperation(t *testing.T) {
	const id = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"
	const secrets, keys, users = "/user/secrets", "/user/api-keys", "/admin/users"
	value, provider, name := plaintext.FromString(hidden), "openai", "ci"
	scopes := []string{"secrets:read"}
	until := wire.Timestamp{Time: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	inPreset := wire.CreateFromPreset{Provider: provider, Value: value}
	custom := wire.CreateSecret{Name: "A", Value: value}
	known := wire.CreateSecret{Name: "A", Value: value, Provider: &provider}
	update, back := wire.UpdateSecret{Value: value}, wire.RollbackSecret{Version: 2}
	ci := wire.CreateAPIKey{Name: &name, AllowedScopes: &scopes, ExpiresAt: &until}

	var got string
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		path := strings.TrimPrefix(r.URL.RequestURI(), "/api/v1")
		got = strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, path, b))
		if path == r.URL.RequestURI() {
			t.Errorf("%s is not below /api/v1", got)
		}
		if r.Header.Get("Authorization") != "Bearer "+shownKey {
			t.Errorf("%s carries no bearer token", got)
		}
		if agent := r.Header.Get("User-Agent"); agent != "keysake/"+client.Version() {
			t.Errorf("%s carries the User-Agent %q", got, agent)
		}
		if (r.Header.Get("Content-Type") == "application/json") != (len(b) > 0) {
			t.Errorf("%s has Content-Type %q", got, r.Header.Get("Content-Type"))
		}
		_, _ = io.WriteString(w, "{}")
	})
	ctx := t.Context()
	for _, op := range []struct {
		call func() error
		want string // method, path and body
	}{
		{func() error { return second(c.Health(ctx)) }, "GET /health"},
		{func() error { return second(c.WhoAmI(ctx)) }, "GET /user"},
		{func() error { return second(c.ListSecrets(ctx)) }, "GET " + secrets},
		{func() error { return second(c.ListPresets(ctx)) }, "GET " + secrets + "/presets"},
		{func() error { return second(c.GetSecret(ctx, id)) }, "GET " + secrets + "/" + id},
		{func() error { return c.DeleteSecret(ctx, id) }, "DELETE " + secrets + "/" + id},
		{
			func() error { return second(c.CreateSecret(ctx, custom)) },
			"POST " + secrets + ` {"name":"A","value":"` + hidden + `"}`,
		},
		{
			func() error { return second(c.CreateSecret(ctx, known)) },
			"POST " + secrets + ` {"name":"A","value":"` + hidden + `","provider":"openai"}`,
		},
		{
			func() error { return second(c.CreateFromPreset(ctx, inPreset)) },
			"POST " + secrets + `/preset {"provider":"openai","value":"` + hidden + `"}`,
		},
		{
			func() error { return second(c.UpdateSecret(ctx, id, update)) },
			"PUT " + secrets + "/" + id + ` {"value":"` + hidden + `"}`,
		},
		{
			func() error { return second(c.RenameSecret(ctx, id, wire.RenameSecret{Name: "B"})) },
			"POST " + secrets + "/" + id + `/rename {"name":"B"}`,
		},
		{
			func() error {
				return second(c.SetSecretExpiry(ctx, id, wire.SecretExpiry{
					ExpiresAt: until, RemindBefore: new(int64(60)),
				}))
			},
			"PUT " + secrets + "/" + id +
				`/expiry {"expires_at":"2027-01-02T03:04:05Z","remind_before":60}`,
		},
		{func() error { return second(c.GetWatch(ctx)) }, "GET /user/watch"},
		{
			func() error {
				return second(c.SetWatch(ctx, wire.Watch{ProbeEvery: new(int64(3600))}))
			},
			`PUT /user/watch {"probe_every":3600,"unused_after":null}`,
		},
		{
			func() error { return c.ClearSecretExpiry(ctx, id) },
			"DELETE " + secrets + "/" + id + "/expiry",
		},
		{
			func() error {
				return second(c.ImportSecrets(ctx, wire.ImportSecrets{
					Secrets: []wire.CreateSecret{custom, known}, Replace: new(true),
				}))
			},
			"POST " + secrets + `/import {"secrets":[{"name":"A","value":"` + hidden +
				`"},{"name":"A","value":"` + hidden + `","provider":"openai"}],"replace":true}`,
		},
		{
			func() error { return second(c.ListVersions(ctx, id)) },
			"GET " + secrets + "/" + id + "/versions",
		},
		{
			func() error { return second(c.RollbackSecret(ctx, id, back)) },
			"POST " + secrets + "/" + id + `/rollback {"version":2}`,
		},
		{func() error { return second(c.ListAPIKeys(ctx)) }, "GET " + keys},
		{func() error { return c.RevokeAPIKey(ctx, id) }, "DELETE " + keys + "/" + id},
		{
			func() error { return c.RevokeAPIKeyOnly(ctx, id) },
			"DELETE " + keys + "/" + id + "?keep_children=true",
		},
		{func() error { return c.RevokeSelf(ctx) }, "DELETE " + keys + "/self"},
		{
			func() error { return second(c.CreateAPIKey(ctx, ci)) },
			"POST " + keys + ` {"name":"ci","allow_self_revoke":null,` +
				`"allowed_scopes":["secrets:read"],"expires_at":"2027-01-02T03:04:05Z"}`,
		},
		{
			func() error { return second(c.CreateAPIKeyFor(ctx, id, wire.CreateAPIKey{})) },
			"POST " + users + "/" + id + "/api-keys " +
				`{"name":null,"allow_self_revoke":null,"allowed_scopes":null,"expires_at":null}`,
		},
		{
			func() error { return second(c.CreateSignInLink(ctx, id)) },
			"POST " + users + "/" + id + "/sign-in-links",
		},
		{
			func() error { return second(c.CreateOwnSignInLink(ctx)) },
			"POST /user/sign-in-links",
		},
		{func() error { return c.ConfirmRepair(ctx) }, "PUT /user/confirmed"},
		{func() error { return second(c.ListUserGrants(ctx)) }, "GET /user/grants"},
		{func() error { return c.RemoveUserGrant(ctx, id) }, "DELETE /user/grants/" + id},
		{
			func() error {
				return second(c.CreateUserGrant(ctx, wire.CreateUserGrant{User: "backend"}))
			},
			`POST /user/grants {"user":"backend","scopes":null,"secret_ids":null,"expires_at":null}`,
		},
		{func() error { return second(c.ListUsers(ctx)) }, "GET " + users},
		{
			func() error { return second(c.ListAudit(ctx, client.AuditFilter{})) },
			"GET /user/audit",
		},
		{
			func() error {
				return second(c.ListAnyAudit(ctx, id, client.AuditFilter{
					Action: "secret.create", From: until.Time, Limit: 2, Cursor: "x",
				}))
			},
			"GET /admin/audit?action=secret.create&cursor=x&from=2027-01-02T03%3A04%3A05Z" +
				"&limit=2&user=" + id,
		},
		{func() error { return c.DeleteUser(ctx, id) }, "DELETE " + users + "/" + id},
		{func() error { return c.DeleteUserNow(ctx, id) }, "DELETE " + users + "/" + id + "?now=true"},
		{func() error { return c.KeepUser(ctx, id) }, "DELETE " + users + "/" + id + "/deletion"},
		{func() error { return c.DisableUser(ctx, id) }, "PUT " + users + "/" + id + "/disabled"},
		{
			func() error {
				return second(c.LinkIdentity(ctx, id, wire.Identity{Issuer: "https://i", Subject: "s"}))
			},
			"PUT " + users + "/" + id + `/identity {"issuer":"https://i","subject":"s"}`,
		},
		{
			func() error { return c.UnlinkIdentity(ctx, id) },
			"DELETE " + users + "/" + id + "/identity",
		},
		{func() error { return c.EnableUser(ctx, id) }, "DELETE " + users + "/" + id + "/disabled"},
		{
			func() error { return second(c.CreateUser(ctx, wire.CreateUser{Username: "mia"})) },
			"POST " + users + ` {"username":"mia","email_address":null,"grant":null}`,
		},
	} {
		if err := op.call(); err != nil {
			t.Errorf("%s: %v", op.want, err)
		}
		if diff := cmp.Diff(op.want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// second drops the result of a method.
func second[T any](_ T, err error) error { return err }

func TestAKeyNeverTravelsInTheClear(t *testing.T) {
	for _, address := range []string{
		"http://keysake.example.org", "http://192.0.2.1:8420", "http://localhost.example.org",
		"http://[2001:db8::1]",
	} {
		_, err := client.New(address, plaintext.FromString(shownKey))
		if err == nil || !strings.Contains(err.Error(), "https") {
			t.Errorf("%s was not refused with advice: %v", address, err)
		}
	}
	for _, address := range []string{
		"http://localhost:8420", "http://127.0.0.1", "http://127.9.9.9/", "http://[::1]:1",
		"https://keysake.example.org/below",
	} {
		if _, err := client.New(address, plaintext.FromString(shownKey)); err != nil {
			t.Errorf("%s was refused: %v", address, err)
		}
	}
}

func TestAnAddressThatEndsInAPIIsTheServersToo(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/health" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	}))
	defer srv.Close()
	for _, end := range []string{"", "/", "/api", "/api/"} {
		c, err := client.New(srv.URL+end, plaintext.Value{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Health(t.Context()); err != nil {
			t.Errorf("at an address that ends in %q: %v", end, err)
		}
	}
}

func TestAWrongAddressIsRefusedWithoutRepeatingIt(t *testing.T) {
	for _, address := range []string{
		"", "keysake.example.org", "ftp://localhost", "https://",
		"https://me:" + hidden + "@localhost", "https://me:" + hidden + "@[",
		"https://localhost?a=" + hidden, "https://localhost/#a", "https://localhost/api/v1",
		"https://localhost/api/v1/",
	} {
		_, err := client.New(address, plaintext.Value{})
		assertRefused(t, address, err)
	}
}

func TestAKeyThatCannotBeAHeaderIsRefusedWithoutRepeatingIt(t *testing.T) {
	for _, key := range []string{hidden + "\n", hidden + " x", hidden + "é", "\x00" + hidden} {
		_, err := client.New("https://localhost", plaintext.FromString(key))
		assertRefused(t, key, err)
	}
}

func TestARedirectIsAnErrorAndIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := at(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		})
		_, err := c.WhoAmI(t.Context())
		refused, ok := errors.AsType[*client.Error](err)
		if !ok || refused.Status != status || !strings.Contains(err.Error(), elsewhere.URL) {
			t.Errorf("a %d is not an error that names the other address: %v", status, err)
		}
	}
}

func TestAnErrorHasEverythingThatTheServerSaid(t *testing.T) {
	c := at(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "r-1")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"code":422,"detail":"Validation error","type":"validation_error",
			"errors":[
			{"loc":["body","value"],"msg":"Value must not be empty","type":"string_too_short"},
			{"loc":["body","allowed_scopes",0],"msg":"No such scope","type":"enum"}]}`)
	})
	_, err := c.ListPresets(t.Context())
	got, ok := errors.AsType[*client.Error](err)
	if !ok {
		t.Fatalf("%T is not an *Error", err)
	}
	want := &client.Error{
		Status: 422, Type: "validation_error", Detail: "Validation error",
		RequestID: "r-1", RetryAfter: 7 * time.Second,
		Fields: []wire.FieldError{
			{Loc: []any{"body", "value"}, Msg: "Value must not be empty", Type: wire.TypeTooShort},
			{Loc: []any{"body", "allowed_scopes", 0.0}, Msg: "No such scope", Type: wire.TypeEnum},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	const text = "Validation error: body.value: Value must not be empty; " +
		"body.allowed_scopes.0: No such scope (HTTP 422)"
	if err.Error() != text {
		t.Errorf("the error reads %q", err)
	}
}

func TestAResponseThatIsNotFromKeysakeIsNotQuoted(t *testing.T) {
	for _, status := range []int{200, 502} {
		for _, body := range []string{
			"<html>" + hidden, `{"detail":"` + hidden + `"`, `["` + hidden + `"]`,
			`{"name":"` + hidden + `","created_at":"` + hidden + `"}`,
		} {
			c := at(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			})
			_, err := c.CreateAPIKey(t.Context(), wire.CreateAPIKey{})
			assertRefused(t, body, err)
		}
	}
}

func TestAnEndlessResponseIsAbandoned(t *testing.T) {
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	_, err := c.ListSecrets(t.Context())
	if err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
}

func TestAValueThatJSONWouldChangeIsNotSent(t *testing.T) {
	c := at(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	in := wire.CreateSecret{Name: "A", Value: plaintext.FromString(hidden + "\xff")}
	_, err := c.CreateSecret(t.Context(), in)
	if !errors.Is(err, client.ErrNotUTF8) {
		t.Errorf("got %v", err)
	}
	assertRefused(t, in.Name, err)
}

func TestAValueArrivesUnchanged(t *testing.T) {
	value := "<&>\u2028\"\\\x01é€😀\r\n"
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Value string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Value != value {
			t.Errorf("%q arrived as %q (%v)", value, in.Value, err)
		}
		_, _ = io.WriteString(w, "{}")
	})
	in := wire.UpdateSecret{Value: plaintext.FromString(value)}
	if _, err := c.UpdateSecret(t.Context(), "1", in); err != nil {
		t.Error(err)
	}
}

func TestAnIDCannotLeadToAnotherPath(t *testing.T) {
	c := at(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked", r.URL) })
	for _, id := range []string{"", ".", "..", "self"} {
		if err := c.RevokeAPIKey(t.Context(), id); err == nil {
			t.Errorf("%q was accepted as an id", id)
		}
	}
	c = at(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/api/v1/user/secrets/..%2Fapi-keys%2Fself%3Fa" {
			t.Errorf("%s was asked", r.URL.EscapedPath())
		}
	})
	if err := c.DeleteSecret(t.Context(), "../api-keys/self?a"); err != nil {
		t.Error(err)
	}
}

func TestTheZeroKeyIsNotSent(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, sent := r.Header["Authorization"]; sent {
			t.Error("an empty credential was sent")
		}
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	}))
	defer srv.Close()
	c, err := client.New(srv.URL+"/", plaintext.Value{}, client.WithUserAgent("other/2"),
		client.WithTransport(srv.Client().Transport))
	if err != nil {
		t.Fatal(err)
	}
	if h, err := c.Health(t.Context()); err != nil || h.Status != "ok" {
		t.Errorf("got %v, %v", h, err)
	}
}

func TestAClientPrintsNoKey(t *testing.T) {
	c := at(t, func(http.ResponseWriter, *http.Request) {})
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if printed := fmt.Sprintf(verb, *c); strings.Contains(printed, shownKey) {
			t.Errorf("%s shows the key", verb)
		}
	}
}

// assertRefused checks that there is an error, which does not repeat hidden.
func assertRefused(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), hidden) {
		t.Errorf("%q: %v", what, err)
	}
}
