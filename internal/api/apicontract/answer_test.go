package apicontract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/api/apicontract"
)

const (
	id     = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"
	one    = "/api/v1/user/secrets/" + id
	list   = "/api/v1/user/secrets"
	preset = "/api/v1/user/secrets/preset"
	keys   = "/api/v1/user/api-keys"

	secret = `{"id":"` + id +
		`","name":"OPENAI_API_KEY","provider":"openai","masked_value":"sk-pro••••789",` +
		`"created_at":"2026-04-15T12:00:00Z","updated_at":"2026-04-15T12:00:00.25Z"}`
	key = `{"id":"` + id +
		`","masked_key":"ksk_ex••••key","active":true,"name":"","allowed_scopes":["secrets:read"],` +
		`"created_at":"2026-04-15T12:00:00Z","last_used_at":null,"expires_at":null}`
	keyList    = `{"api_keys":[` + key + `],"total":1}`
	notFound   = `{"code":404,"detail":"Not found","type":"not_found_error"}`
	notAllowed = `{"code":405,"detail":"Method not allowed","type":"method_not_allowed_error"}`
	limited    = `{"code":429,"detail":"Too many requests","type":"rate_limit_error"}`
	invalid    = `{"code":422,"detail":"Validation error","type":"validation_error",` +
		`"errors":[{"loc":["body","value"],"msg":"Value must not be empty","type":"string_too_short"}]}`
)

// An answer is what a server might say. Headers are added to the ones that are always there; an
// empty one is taken away.
type answer struct {
	method, path string
	status       int
	body         string
	headers      map[string]string
}

func (a answer) check(d *apicontract.Document) error {
	resp := &http.Response{StatusCode: a.status, Header: http.Header{
		"X-Request-Id": {
			"r-1",
		},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
		"Ratelimit":              {`"default";r=198;t=1`},
		"Ratelimit-Policy":       {`"default";q=200;w=2`},
	}}
	if a.body != "" {
		resp.Header.Set("Content-Type", "application/json")
	}
	for name, value := range a.headers {
		resp.Header.Set(name, value)
		if value == "" {
			resp.Header.Del(name)
		}
	}
	return d.CheckAnswer(a.method, a.path, resp, []byte(a.body))
}

func changed(body, old, now string) string {
	if !strings.Contains(body, old) {
		panic("no " + old)
	}
	return strings.Replace(body, old, now, 1)
}

type headers = map[string]string

func TestAnAnswerAsDocumentedIsAccepted(t *testing.T) {
	d := contract(t)
	presets := `{"presets":[` + strings.Repeat(
		`{"provider":"openai","env_var_name":"OPENAI_API_KEY","configured":true},`,
		3,
	) +
		`{"provider":"tinker","env_var_name":"TINKER_API_KEY","configured":true}]}`
	for name, a := range map[string]answer{
		"a secret": {"GET", one, 200, secret, nil},
		"a secret without a provider": {"GET", one, 200, changed(
			secret, `"openai"`, "null",
		), nil},
		"a secret with a mask of line ends": {"GET", one, 200, changed(
			secret, "sk-pro••••789", `-----B••••-\n-`,
		), nil},
		"a new secret":                       {"POST", preset, 201, secret, headers{"Location": one}},
		"a list":                             {"GET", list, 200, `{"secrets":[` + secret + `],"total":1}`, nil},
		"a list, with a query":               {"GET", list + "?a=b", 200, `{"secrets":[` + secret + `],"total":1}`, nil},
		"null in place of a time":            {"GET", keys, 200, keyList, nil},
		"a fixed path before a parameter":    {"GET", list + "/presets", 200, presets, nil},
		"nothing":                            {"DELETE", one, 204, "", nil},
		"a problem":                          {"GET", one, 404, notFound, nil},
		"a problem with fields":              {"POST", preset, 422, invalid, nil},
		"a problem with a header of its own": {"GET", one, 429, limited, headers{"Retry-After": "3"}},
		"without a rate limit":               {"GET", one, 200, secret, headers{"RateLimit": "", "RateLimit-Policy": ""}},
		"with a charset":                     {"GET", one, 200, secret, headers{"Content-Type": "application/json; charset=utf-8"}},
		"another media type":                 {"GET", "/api/v1/openapi.yaml", 200, "openapi: 3.1.0\n", headers{"Content-Type": "application/yaml"}},
		"HEAD in place of GET":               {"HEAD", one, 200, "", headers{"Content-Type": "application/json"}},
		"an unknown path":                    {"GET", "/api/v1/nowhere", 404, notFound, nil},
		"a path with a slash too many":       {"GET", list + "/", 404, notFound, nil},
		"a path with an escape too many":     {"GET", list + "/a%2Fb", 404, notFound, nil},
		"an unknown method":                  {"PATCH", one, 405, notAllowed, headers{"Allow": "GET, PUT, DELETE"}},
		"an unknown method, HEAD allowed":    {"PATCH", one, 405, notAllowed, headers{"Allow": "DELETE, GET, HEAD, PUT"}},
		"a method of a parameter's path":     {"GET", preset, 405, notAllowed, headers{"Allow": "POST"}},
	} {
		if err := a.check(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADemandedHeaderMayNotBeMissing(t *testing.T) {
	d, err := load() // a document of its own, for this changes it
	if err != nil {
		t.Fatal(err)
	}
	d.Demand("RateLimit")
	if err := (answer{"GET", one, 200, secret, headers{"RateLimit": ""}}).check(d); err == nil {
		t.Error("accepted without it")
	}
	if err := (answer{"GET", one, 200, secret, nil}).check(d); err != nil {
		t.Error(err)
	}
}

func TestAMessageHasNoValueOfTheBody(t *testing.T) {
	const canary = "canary-that-nobody-may-see"
	d := contract(t)
	for _, body := range []string{
		canary, `"` + canary + `"`, changed(secret, "sk-pro••••789", canary),
		changed(secret, id, canary),
		changed(secret, "2026-04-15T12:00:00Z", canary), changed(keyList, "secrets:read", canary),
		changed(secret, "OPENAI_API_KEY", canary+"!"),
	} {
		path := one
		if strings.Contains(body, "api_keys") {
			path = keys
		}
		err := answer{"GET", path, 200, body, nil}.check(d)
		if err == nil {
			t.Errorf("accepted: %s", body)
			continue
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the message quotes the body: %v", err)
		}
	}
}
