package apicontract_test

import (
	"fmt"
	"maps"
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

	jsonUTF8 = "application/json; charset=utf-8"
	latin1   = "application/json; charset=latin1"

	entityTag = `"5f0c1e9a77b2d431"`

	secretBody = `{"id":"` + id + `","name":"OPENAI_API_KEY","provider":"openai",` +
		`"masked_value":"sk-pro••••789",` +
		`"created_at":"2026-04-15T12:00:00Z","updated_at":"2026-04-15T12:00:00.25Z"}`
	keysBody = `{"api_keys":[{"id":"` + id + `","parent_id":null,` +
		`"masked_key":"ksk_ex••••key","active":true,"name":"","allowed_scopes":["secrets:read"],"created_at":"2026-04-15T12:00:00Z",` +
		`"last_used_at":null,"expires_at":null}],"total":1}`
	invalidBody = `{"code":422,"detail":"Validation error","type":"validation_error","errors":` +
		`[{"loc":["body","value"],"msg":"Value must not be empty","type":"string_too_short"}]}`
	presetsBody = `{"presets":[` +
		`{"provider":"openai","env_var_name":"OPENAI_API_KEY","configured":true,` +
		`"category":"ai-inference","aliases":[],"probe":true,"broker":true},` +
		`{"provider":"anthropic","env_var_name":"ANTHROPIC_API_KEY","configured":true,` +
		`"category":"ai-inference","aliases":[],"probe":true,"broker":true},` +
		`{"provider":"github","env_var_name":"GITHUB_TOKEN","configured":true,` +
		`"category":"dev","aliases":["GH_TOKEN"],"probe":true,"broker":true},` +
		`{"provider":"tinker","env_var_name":"TINKER_API_KEY","configured":false,` +
		`"category":"ai-training","aliases":[],"probe":true,"broker":true}]}`
)

// An answer is what a server might say. Headers are added to the ones that are always there; an
// empty one is removed.
type answer struct {
	method, path string
	status       int
	body         string
	headers      map[string]string
}

// with returns the answer with another header.
func (a answer) with(name, value string) answer {
	a.headers = maps.Clone(a.headers)
	if a.headers == nil {
		a.headers = map[string]string{}
	}
	a.headers[name] = value
	return a
}

// edit returns the answer with a part of its body replaced.
func (a answer) edit(old, replacement string) answer {
	if !strings.Contains(a.body, old) {
		panic("no " + old)
	}
	a.body = strings.Replace(a.body, old, replacement, 1)
	return a
}

// problem is an error as documented, but for the headers of its own.
func problem(method, path string, status int, typ string) answer {
	body := fmt.Sprintf(`{"code":%d,"detail":"No","type":"%s_error"}`, status, typ)
	return answer{method, path, status, body, nil}
}

func (a answer) check(d *apicontract.Document) error {
	resp := &http.Response{StatusCode: a.status, Header: http.Header{
		"X-Request-Id":           {"r-1"},
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

// Answers as documented, which the tests change.
var (
	secret  = answer{"GET", one, 200, secretBody, nil}.with("ETag", entityTag)
	secrets = answer{"GET", list, 200, `{"secrets":[` + secretBody + `],"total":1}`, nil}
	keys    = answer{"GET", "/api/v1/user/api-keys", 200, keysBody, nil}
	created = answer{"POST", preset, 201, secretBody, nil}.with("Location", one).
		with("ETag", entityTag)
	deleted = answer{"DELETE", one, 204, "", nil}
	invalid = answer{"POST", preset, 422, invalidBody, nil}
	head    = answer{"HEAD", one, 200, "", nil}.with("Content-Type", "application/json").
		with("ETag", entityTag)

	notFound   = problem("GET", one, 404, "not_found")
	nowhere    = problem("GET", "/api/v1/nowhere", 404, "not_found")
	limited    = problem("GET", one, 429, "rate_limit")
	notAllowed = problem("PATCH", one, 405, "method_not_allowed")
)

func TestAnAnswerAsDocumentedIsAccepted(t *testing.T) {
	d := contract(t)
	slash, escape, query := nowhere, nowhere, secrets
	slash.path, escape.path, query.path = list+"/", list+"/a%2Fb", list+"?a=b"
	wrongMethod := problem("GET", preset, 405, "method_not_allowed")
	document := answer{"GET", "/api/v1/openapi.yaml", 200, "openapi: 3.1.0\n", nil}
	for name, a := range map[string]answer{
		"a secret":                           secret,
		"a secret without a provider":        secret.edit(`"openai"`, "null"),
		"a secret with a mask of line ends":  secret.edit("sk-pro••••789", `-----B••••-\n-`),
		"a new secret":                       created,
		"a list":                             secrets,
		"a list, with a query":               query,
		"null in place of a time":            keys,
		"a fixed path before a parameter":    {"GET", list + "/presets", 200, presetsBody, nil},
		"nothing":                            deleted,
		"a problem":                          notFound,
		"a problem with fields":              invalid,
		"a problem with a header of its own": limited.with("Retry-After", "3"),
		"without a rate limit":               secret.with("RateLimit", "").with("RateLimit-Policy", ""),
		"with a charset":                     secret.with("Content-Type", jsonUTF8),
		"another media type":                 document.with("Content-Type", "application/yaml"),
		"HEAD in place of GET":               head,
		"an unknown path":                    nowhere,
		"a path with a slash too many":       slash,
		"a path with an escape too many":     escape,
		"an unknown method":                  notAllowed.with("Allow", "GET, PUT, DELETE"),
		"an unknown method, HEAD allowed":    notAllowed.with("Allow", "DELETE, GET, HEAD, PUT"),
		"a method of a parameter's path":     wrongMethod.with("Allow", "POST"),
	} {
		if err := a.check(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each of these is a way in which an answer could come to differ from the contract by accident.
func TestADriftIsFound(t *testing.T) {
	d := contract(t)
	noErrors, redirect, elsewhere := invalid, nowhere, nowhere
	noErrors.body = problem("", "", 422, "validation").body
	redirect.path, redirect.status = list+"/", 301
	elsewhere.status, elsewhere.body = 200, secret.body
	notServed, unknownMethod := notAllowed, notFound
	notServed.method, unknownMethod.method = "PUT", "PATCH"
	withBody, headBody, bare, asID, teapot := deleted, head, secrets, invalid, notFound
	withBody.body, headBody.body, bare.body = secret.body, secret.body, "["+secret.body+"]"
	asID.method, teapot.status = "GET", 418
	empty, text, twice := notFound.with("Content-Type", "application/json"), notFound, notFound
	empty.body, text.body, twice.body = "", "404 page not found\n", notFound.body+notFound.body
	wrongSuccess := created
	wrongSuccess.status = 200
	for name, a := range map[string]answer{
		"a field renamed":                    secret.edit("masked_value", "mask"),
		"a field left out":                   secret.edit(`"provider":"openai",`, ""),
		"a field added":                      secret.edit(`{`, `{"version":1,`),
		"a value in place of its mask":       secret.edit("sk-pro••••789", "example-not-a-key"),
		"a mask that tells the length":       secret.edit("••••", "••••••"),
		"a number in place of a string":      secret.edit(`"OPENAI_API_KEY"`, "7"),
		"null in place of a string":          secret.edit(`"OPENAI_API_KEY"`, "null"),
		"a number where null may be":         secret.edit(`"openai"`, "1"),
		"an id that is no UUID":              secret.edit(id, "42"),
		"a time with an offset":              secret.edit("12:00:00Z", "12:00:00+02:00"),
		"a time that never was":              secret.edit("04-15T", "02-31T"),
		"a time with nanoseconds":            secret.edit("00.25Z", "00.123456789Z"),
		"text where a time may be null":      keys.edit(`"last_used_at":null`, `"last_used_at":""`),
		"a key in the list":                  keys.edit(`"masked_key"`, `"key":"k","masked_key"`),
		"a choice that is none":              keys.edit("secrets:read", "secrets:reed"),
		"null in place of a list":            secrets.edit("["+secretBody+"]", "null"),
		"text in place of an integer":        secrets.edit(`"total":1`, `"total":"1"`),
		"a bare list":                        bare,
		"errors that are null":               notFound.edit(`}`, `,"errors":null}`),
		"errors that are empty":              notFound.edit(`}`, `,"errors":[]}`),
		"a 422 without errors":               noErrors,
		"loc renamed":                        invalid.edit(`"loc"`, `"location"`),
		"loc from nowhere":                   invalid.edit(`"body"`, `"boddy"`),
		"the input repeated":                 invalid.edit(`"msg"`, `"input":"x","msg"`),
		"an unknown type of field error":     invalid.edit("string_too_short", "too_shorter"),
		"the code of another status":         notFound.edit("404", "403"),
		"the type of another status":         notFound.edit("not_found", "permission"),
		"a status that is not documented":    teapot,
		"200 for 201":                        wrongSuccess,
		"400 where there is no body":         problem("GET", one, 400, "invalid_request"),
		"plain text":                         notFound.with("Content-Type", "text/plain"),
		"another charset":                    notFound.with("Content-Type", latin1),
		"no content type":                    notFound.with("Content-Type", ""),
		"a body that is not JSON":            text,
		"two bodies":                         twice,
		"a body that is not UTF-8":           notFound.edit("No", "\xff"),
		"an empty body":                      empty,
		"a body with 204":                    withBody,
		"a content type with 204":            deleted.with("Content-Type", "application/json"),
		"a body with HEAD":                   headBody,
		"no Location":                        created.with("Location", ""),
		"a Location elsewhere":               created.with("Location", "/user/secrets/1"),
		"no Cache-Control":                   secret.with("Cache-Control", ""),
		"another Cache-Control":              secret.with("Cache-Control", "private"),
		"no X-Content-Type-Options with 204": deleted.with("X-Content-Type-Options", ""),
		"no X-Request-Id on a problem":       notFound.with("X-Request-Id", ""),
		"a RateLimit in another form":        secret.with("RateLimit", "198"),
		"a 401 without WWW-Authenticate":     problem("GET", one, 401, "authentication"),
		"a 429 without Retry-After":          limited,
		"a 429 with a date":                  limited.with("Retry-After", "Fri, 31 Dec 2027 23:59:59 GMT"),
		"a 429 that says now":                limited.with("Retry-After", "0"),
		"a 426 without Upgrade":              problem("GET", one, 426, "upgrade_required"),
		"an unknown path that answers":       elsewhere,
		"an unknown path that redirects":     redirect.with("Location", list),
		"an unknown path in plain text":      nowhere.with("Content-Type", "text/plain"),
		"an unknown method with 404":         unknownMethod,
		"an unknown method without Allow":    notAllowed,
		"an unknown method, one not allowed": notAllowed.with("Allow", "GET, PUT"),
		"an unknown method, one too many":    notAllowed.with("Allow", "GET, PUT, DELETE, PATCH"),
		"a fixed path read as an id":         asID,
		"a documented method not served":     notServed.with("Allow", "GET, DELETE"),
	} {
		if a.check(d) == nil {
			t.Errorf("not found: %s", name)
		}
	}
}

func TestAHeaderThatIsSetTwiceIsFound(t *testing.T) {
	resp := &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{
		"X-Request-Id":           {"r-1"},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
	}}
	if err := contract(t).CheckAnswer("DELETE", one, resp, nil); err != nil {
		t.Fatal(err)
	}
	resp.Header.Add("Cache-Control", "no-store")
	if err := contract(t).CheckAnswer("DELETE", one, resp, nil); err == nil {
		t.Error("accepted")
	}
}

func TestADemandedHeaderMustBeThere(t *testing.T) {
	d, err := apicontract.Load([]byte(source(t))) // of its own, for this changes it
	if err != nil {
		t.Fatal(err)
	}
	d.Demand("RateLimit")
	if err := secret.check(d); err != nil {
		t.Error(err)
	}
	if secret.with("RateLimit", "").check(d) == nil {
		t.Error("accepted without it")
	}
}

func TestAMessageHasNoValueOfTheBody(t *testing.T) {
	const canary = "canary-that-must-not-be-seen"
	bare := secret
	bare.body = canary
	for _, a := range []answer{
		bare, secret.edit(secretBody, `"`+canary+`"`), secret.edit("sk-pro••••789", canary),
		secret.edit(id, canary), secret.edit("2026-04-15T12:00:00Z", canary),
		keys.edit("secrets:read", canary), secret.edit("OPENAI_API_KEY", canary+"!"),
	} {
		err := a.check(contract(t))
		if err == nil {
			t.Errorf("accepted: %s", a.body)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("the message quotes the body: %v", err)
		}
	}
}
