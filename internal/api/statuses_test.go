package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
)

// sameBut fails the test unless two answers are the same, except in what names the request and the
// time.
func sameBut(t *testing.T, what string, a, b answer) {
	t.Helper()
	if a.status != b.status || string(a.body) != string(b.body) {
		t.Errorf("%s: the answers differ in status or body: %d and %d", what, a.status, b.status)
	}
	for _, pair := range [][2]answer{{a, b}, {b, a}} {
		for name, values := range pair[0].header {
			if name != "X-Request-Id" && name != "Date" && name != "Ratelimit" &&
				!slices.Equal(values, pair[1].header[name]) {
				t.Errorf("%s: the answers differ in %s", what, name)
			}
		}
	}
}

func TestA400SaysThatTheBodyIsNotJSON(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	got := s.do(t, post(presetPath, me.key, `{"provider": "openai"`))
	got.refused(t, 400, "body json_invalid")
}

// notPaths are no paths of the API, however much some of them look like one.
var notPaths = []string{
	"/api",
	"/api/",
	"/api/v1",
	"/api/v1/",
	"/api/v2/health",
	"/metrics",
	"/favicon.ico",
	"/api/v1/health/",
	"/api/v1/health.",
	"/api/v1/health;a=b",
	"/api/v1/healthz",
	"/API/v1/health",
	"/api/v1/Health",
	"/api/V1/health",
	"//api/v1/health",
	"/api//v1/health",
	"/api/v1//health",
	"/./api/v1/health",
	"/api/v1/./health",
	"/api/v1/user/../health",
	"/../api/v1/health",
	"/api/v1/..;/v1/health",
	"/api%2fv1/health",
	"/api/v1%2Fhealth",
	"/api/v1/%2e%2e/v1/health",
	"/api/v1/%68ealth",
	"/api/v1/health%00",
	"/api/v1/health%20",
	"/api/v1/health%2f",
	"/api/v1/%2fhealth",
	"/api/v1\\health",
	"/api/v1/health%0a",
	"/api/v1/health%3Fa",
	"/api/v1/secrets",
	"/api/v1/user/",
	"/api/v1/user/secrets/",
	"/api/v1/user/secrets/presets/",
	"/api/v1/user/Secrets",
	"/api/v1/user/secrets//",
	"/api/v1/user/api-keys/",
	"/api/v1/user/api_keys",
	"/api/v1/admin",
	"/api/v1/admin/users/",
}

func TestAPathThatIsNotInItsOneFormIsNoRoute(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t, allScopes...)
	one := secretsPath + "/" + s.secret(t, me.key, "ONE", "any-value")
	s.do(t, get(one, me.key)).want(t, 200)
	paths := append(
		slices.Clone(notPaths), one+"/", one+"/value", one+"/versions/", one+"/versions/1",
		one+"//", one+"%2f", strings.Replace(one, "/user/", "/user%2F", 1),
		strings.Replace(one, "/secrets/", "/secrets/./", 1), strings.Replace(one, "-", "%2D", 1),
		strings.Replace(one, "-", "%2d", 1),
	)
	for _, path := range paths {
		for _, method := range []string{"GET", "DELETE", "POST"} {
			got := s.do(t, call{method: method, path: path, key: me.key, body: `{}`})
			if got.status != 404 || len(got.faults(t)) > 0 {
				t.Errorf("%s %s: answered %d, want 404", method, path, got.status)
			}
		}
	}
	s.do(t, get(one, me.key)).want(t, 200)
}

func TestAnIdHasOneSpellingButForCase(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ONE", "any-value")
	upper := s.do(t, get(secretsPath+"/"+strings.ToUpper(id), me.key)).want(t, 200)
	lower := s.do(t, get(secretsPath+"/"+id, me.key)).want(t, 200)
	sameBut(t, "an id in capitals", upper, lower)
}

func TestAQueryChangesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	for _, path := range []string{
		"/api/v1/health", userPath, secretsPath, secretsPath + "/presets",
	} {
		plain := s.do(t, get(path, me.key)).want(t, 200)
		sameBut(t, path, plain, s.do(t, get(path+"?limit=1&show=value&%zz", me.key)))
	}
}

func TestA404ForAnIdThatNeverWas(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t, allScopes...)
	for _, op := range operations(t) {
		if len(op.Parameters) > 0 {
			// the contract's example is no user's
			s.ask(t, op, target{person: me}, me.key).refused(t, 404)
		}
	}
}

func TestWhatIsDeletedIsA404(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t, allScopes...)
	keyID, _ := s.ownKey(t, me.key, members{})
	for _, path := range []string{
		secretsPath + "/" + s.secret(t, me.key, "ONE", "any-value"),
		keysPath + "/" + keyID,
		usersPath + "/" + s.person(t).id,
	} {
		s.do(t, del(path, me.key)).want(t, 204)
		s.do(t, del(path, me.key)).refused(t, 404)
	}
}

func TestA405AllowsWhatThePathHasAndNothingForOtherOrigins(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, allow := range map[string]string{
		"/api/v1/health": "GET, HEAD",
		secretsPath:      "GET, HEAD, POST",
		presetPath:       "POST",
		"/api/v1/user/secrets/2489e9ad-2ee2-4e00-8ec9-32d5f69181c0": "DELETE, GET, HEAD, PUT",
		"/api/v1/user/api-keys/self":                                "DELETE",
	} {
		for _, key := range []call{{}, {key: s.Key}} {
			preflight := call{method: "OPTIONS", path: path, key: key.key, header: http.Header{
				"Origin": {
					"https://elsewhere.example.org",
				},
				"Access-Control-Request-Method":  {"POST"},
				"Access-Control-Request-Headers": {"authorization"},
			}}
			got := s.do(t, preflight)
			got.refused(t, 405)
			if got.header.Get("Allow") != allow {
				t.Errorf("%s allows %s, want %s", path, got.header.Get("Allow"), allow)
			}
		}
	}
	s.do(t, call{method: "HEAD", path: presetPath, key: s.Key}).want(t, 405)
	elsewhere := get("/api/v1/health", noKey).with("Origin", "https://elsewhere.example.org")
	s.do(t, elsewhere).want(t, 200)
}

func TestA409ForWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t, allScopes...)
	preset := post(presetPath, me.key, openAI)
	custom := post(secretsPath, me.key, `{"name": "OPENAI_API_KEY", "value": "any-value"}`)
	user := post(usersPath, me.key, `{"username": "`+unique("taken-")+`"}`)
	s.do(t, preset).want(t, 201)
	s.do(t, user).want(t, 201)
	for _, c := range []call{
		preset, custom, user, {method: "DELETE", path: usersPath + "/" + me.id, key: me.key},
	} {
		s.do(t, c).refused(t, 409)
	}
	other := s.person(t)
	preset.key = other.key
	s.do(t, preset).want(t, 201) // names are one user's own
	lower := custom
	lower.body = `{"name": "openai_api_key", "value": "any-value"}`
	s.do(t, lower).want(t, 201) // another variable, as the shell has it
}

func TestA413BeginsAtOneByteTooMany(t *testing.T) {
	t.Parallel()
	s := start(t)
	const most = 256 << 10
	for _, chunked := range []bool{false, true} {
		me := s.person(t)
		body := openAI
		c := call{method: "POST", path: presetPath, key: me.key, chunked: chunked}
		c.body = body + strings.Repeat(" ", most+1-len(body))
		s.do(t, c).refused(t, 413)
		c.body = strings.Repeat("x", most+1) // whatever it is, it is too much before it is wrong
		s.do(t, c).refused(t, 413)
		c.body = body + strings.Repeat(" ", most-len(body))
		s.do(t, c).want(t, 201)
	}
}

func TestA415ForEverythingButJSONInUTF8(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask := func(header http.Header) answer {
		return s.do(t, call{
			method: "POST", path: presetPath, key: s.person(t).key, header: header, body: openAI,
		})
	}
	for _, media := range []string{
		"", "text/plain", "application/json; charset=latin1", "application/json; charset=utf-16",
		"application/json; charset=", "application/jsonp",
		"application/problem+json", "application/x-www-form-urlencoded", "multipart/form-data",
		"text/json", "application/json, text/plain",
		// | for two headers
		"application/json; charset=utf-8; charset=latin1", "json", "*/*",
		"application/json|text/plain", "text/plain|application/json",
	} {
		if got := ask(http.Header{"Content-Type": strings.Split(media, "|")}); got.status != 415 ||
			len(got.faults(t)) > 0 {
			t.Errorf("Content-Type %q: answered %d, want 415", media, got.status)
		}
	}
	ask(http.Header{"Content-Type": nil}).refused(t, 415)
	for _, coding := range []string{"gzip", "deflate", "br", "identity, gzip", "unheard-of"} {
		got := ask(http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {coding}})
		if got.status != 415 {
			t.Errorf("Content-Encoding %s: answered %d, want 415", coding, got.status)
		}
	}
	for _, media := range []string{
		"application/json", "Application/JSON", "application/json; charset=utf-8",
		`application/json;charset="UTF-8"`, "application/json ; charset=Utf-8",
	} {
		if got := ask(http.Header{"Content-Type": {media}}); got.status != 201 {
			t.Errorf("Content-Type %s: answered %d, want 201", media, got.status)
		}
	}
}

func TestAQuotaThatIsFullIsA403UntilSomethingIsDeleted(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.MaxSecrets = 2 })
	me := s.person(t)
	s.secret(t, me.key, "ONE", "any-value")
	two := s.secret(t, me.key, "TWO", "any-value")
	preset := post(presetPath, me.key, openAI)
	s.do(t, preset).refused(t, 403)
	s.do(t, put(secretsPath+"/"+two, me.key, `{"value": "another"}`)).want(t, 200)
	s.secret(t, s.person(t).key, "THREE", "any-value") // another user's quota is their own
	s.do(t, del(secretsPath+"/"+two, me.key)).want(t, 204)
	s.do(t, preset).want(t, 201)
}
