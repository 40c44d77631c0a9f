package api_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // a driver
	_ "modernc.org/sqlite"             // a driver

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// database opens the server's database beside the server.
func (s *site) database(t *testing.T) *sql.DB {
	t.Helper()
	return databaseOf(t, s.Server)
}

// databaseOf opens the database of a server beside it. What is written may break what rows refer
// to.
func databaseOf(t *testing.T, s *apptest.Server) *sql.DB {
	t.Helper()
	driver := "sqlite"
	url := "file:" + filepath.Join(s.Data, "keysake.db") + "?_pragma=busy_timeout(5000)"
	if s.DatabaseURL != "" {
		driver, url = "pgx", s.DatabaseURL+"&options=-c%20session_replication_role%3Dreplica"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// exec changes the database behind the server's back.
func (s *site) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	result, err := s.database(t).ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("no row was changed: %v", err)
	}
}

// as presents credentials by other headers than do would.
func (s *site) as(t *testing.T, headers http.Header) answer {
	t.Helper()
	return s.do(t, call{method: "GET", path: userPath, header: headers})
}

func text(v plaintext.Value) string { return string(v.Reveal()) }

// flipped has another last character, so that its checksum is wrong.
func flipped(token string) string {
	last := "0"
	if strings.HasSuffix(token, "0") {
		last = "1"
	}
	return token[:len(token)-1] + last
}

func TestAKeyThatDoesNotWorkIsA401ThatDoesNotTellWhy(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	revokedID, revoked := s.ownKey(t, me.key, members{})
	s.do(t, get(userPath, revoked)).want(t, 200)
	s.do(t, del(keysPath+"/"+revokedID, me.key)).want(t, 204)
	expiry := time.Now().Add(2 * time.Second)
	_, expired := s.ownKey(t, me.key, members{"expires_at": expiry.UTC().Format(time.RFC3339Nano)})
	s.do(t, get(userPath, expired)).want(t, 200)
	time.Sleep(time.Until(expiry))
	gone := s.person(t)
	s.do(t, del(usersPath+"/"+gone.id, s.Key)).want(t, 204)
	elsewhere := start(t).Key

	want := s.as(t, http.Header{"Authorization": {"Bearer not-a-key"}})
	want.refused(t, 401)
	working := text(me.key)
	for name, token := range map[string]string{
		"revoked": text(revoked), "expired": text(expired), "of a deleted user": text(gone.key),
		"of another server":     text(elsewhere),
		"with a wrong checksum": flipped(working), "cut off": working[:len(working)-1],
		"with more after it": working + "0",
		"in capitals":        strings.ToUpper(working), "twice": working + " " + working,
		"without its prefix": strings.TrimPrefix(working, "ksk_"),
		"in quotes":          `"` + working + `"`, "of zeros": "ksk_" + strings.Repeat("0", 49),
	} {
		for header, value := range map[string]string{
			"Authorization": "Bearer " + token, "X-Api-Key": token,
		} {
			got := s.as(t, http.Header{header: {value}})
			sameBut(t, "a key "+name+" in "+header, want, got)
		}
	}
	if got := want.header.Get("WWW-Authenticate"); got != "Bearer" {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	s.do(t, get(userPath, me.key)).want(t, 200)
}

func TestOneKeyAndOneOnlyIsAskedFor(t *testing.T) {
	t.Parallel()
	s := start(t)
	one, two := text(s.person(t).key), text(s.person(t).key)
	for name, headers := range map[string]http.Header{
		"nothing":                        {},
		"an empty bearer":                {"Authorization": {"Bearer"}},
		"a bearer of spaces":             {"Authorization": {"Bearer  "}},
		"an empty X-API-Key":             {"X-Api-Key": {""}},
		"no scheme":                      {"Authorization": {one}},
		"another scheme":                 {"Authorization": {"Basic " + one}},
		"another scheme beside a key":    {"Authorization": {"Basic YTpi"}, "X-Api-Key": {one}},
		"an empty header beside a key":   {"Authorization": {""}, "X-Api-Key": {one}},
		"two keys":                       {"Authorization": {"Bearer " + one}, "X-Api-Key": {two}},
		"a key and no key":               {"Authorization": {"Bearer " + one}, "X-Api-Key": {"no-key"}},
		"two keys in one kind of header": {"X-Api-Key": {one, two}},
		"two bearers":                    {"Authorization": {"Bearer " + one, "Bearer " + two}},
		"two keys in one header":         {"X-Api-Key": {one + ", " + one}},
		"a cookie":                       {"Cookie": {"token=" + one}},
		"the proxy's header":             {"Proxy-Authorization": {"Bearer " + one}},
	} {
		if got := s.as(t, headers); got.status != 401 ||
			got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: answered %d, want 401", name, got.status)
		}
	}
	s.do(t, get("/api/v1/user?api_key="+one+"&access_token="+one, noKey)).want(t, 401)
}

func TestEitherHeaderWillDoAndBothWithTheSameKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	one := text(me.key)
	for name, headers := range map[string]http.Header{
		"Authorization":             {"Authorization": {"Bearer " + one}},
		"X-API-Key":                 {"X-Api-Key": {one}},
		"both":                      {"Authorization": {"Bearer " + one}, "X-Api-Key": {one}},
		"a scheme in small letters": {"Authorization": {"bearer " + one}},
		"a scheme in capitals":      {"Authorization": {"BEARER " + one}},
		"more than one space":       {"Authorization": {"Bearer   " + one}},
		"the same twice":            {"X-Api-Key": {one, one}},
	} {
		got := s.as(t, headers)
		if got.status != 200 || into[wire.User](t, got).ID != me.id {
			t.Errorf("%s: answered %d, want 200", name, got.status)
		}
	}
}

// makeKey asks for an API key with these scopes.
func (s *site) makeKey(t *testing.T, by plaintext.Value, path string, scopes any) answer {
	t.Helper()
	return s.do(t, post(path, by, encode(t, members{"allowed_scopes": scopes})))
}

func TestAKeyIsNeverGivenAScopeThatItsMakerLacks(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t, "keys:write", "secrets:read")
	for _, scope := range allScopes {
		want := 403
		if scope == "keys:write" || scope == "secrets:read" {
			want = 201
		}
		for _, scopes := range [][]string{
			{scope}, {"secrets:read", scope}, {scope, "secrets:read", scope},
		} {
			if got := s.makeKey(t, me.key, keysPath, scopes); got.status != want {
				t.Errorf("%v: answered %d, want %d", scopes, got.status, want)
			}
		}
	}
	grantor := s.person(t, "admin") // may give keys to others, and cannot read secrets
	for _, user := range []string{me.id, grantor.id} {
		keys := usersPath + "/" + user + "/api-keys"
		s.makeKey(t, grantor.key, keys, []string{"secrets:read"}).refused(t, 403)
		s.makeKey(t, grantor.key, keys, []string{"admin"}).want(t, 201)
	}
}

func TestAKeyGetsWhatItsMakerHasButNeverAdminNorKeysWriteUnasked(t *testing.T) {
	t.Parallel()
	s := start(t)
	everything, some := s.person(t, allScopes...), s.person(t, "keys:write", "secrets:write")
	for _, c := range []struct {
		name   string
		by     person
		scopes any
		want   []string
	}{
		{"all of a user's", everything, nil, []string{"secrets:read", "secrets:write", "leases:write", "audit:read"}},
		{"those of the maker", some, nil, []string{"secrets:write"}},
		{"none for an empty list", everything, []string{}, []string{}},
		{"keys:write by name", some, []string{"keys:write"}, []string{"keys:write"}},
		{"admin by name", everything, []string{"admin"}, []string{"admin"}},
		{"each once", everything, []string{"audit:read", "audit:read"}, []string{"audit:read"}},
	} {
		made := s.makeKey(t, c.by.key, keysPath, c.scopes).want(t, 201)
		if got := into[wire.APIKey](t, made).AllowedScopes; !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestOnlyAKeyThatWasMadeForItRevokesItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	self := del("/api/v1/user/api-keys/self", noKey)
	_, with := s.ownKey(t, me.key, members{"allow_self_revoke": true, "allowed_scopes": []string{}})
	_, without := s.ownKey(t, me.key, members{"allowed_scopes": allScopes[:5]})
	self.key = without
	s.do(t, self).refused(t, 403)
	s.do(t, self).refused(t, 403) // and it lives on
	self.key = with
	s.do(t, self).want(t, 204)
	s.do(t, self).refused(t, 401)
}

func TestAUserHasAtMostTwoHundredLiveKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	last := ""
	for range 199 {
		last, _ = s.ownKey(t, me.key, members{"allowed_scopes": []string{}})
	}
	s.makeKey(t, me.key, keysPath, nil).refused(t, 403)
	s.makeKey(t, s.Key, usersPath+"/"+me.id+"/api-keys", nil).refused(t, 403)
	s.do(t, del(keysPath+"/"+last, me.key)).want(t, 204)
	s.makeKey(t, me.key, keysPath, nil).want(t, 201)
}
