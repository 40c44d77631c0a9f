package apicontract_test

import (
	"net/http"
	"testing"
)

// Each of these is a way in which an answer could come to differ from the contract without anybody
// meaning it.
func TestADriftIsFound(t *testing.T) {
	d := contract(t)
	located := headers{"Location": one}
	for name, a := range map[string]answer{
		"a field renamed": {"GET", one, 200, changed(
			secret, "masked_value", "mask",
		), nil},
		"a field left out": {"GET", one, 200, changed(
			secret, `"provider":"openai",`, "",
		), nil},
		"a field added": {"GET", one, 200, changed(
			secret, `{`, `{"version":1,`,
		), nil},
		"a value in place of its mask": {"GET", one, 200, changed(
			secret, "sk-pro••••789", "example-not-a-real-key",
		), nil},
		"a mask that tells the length": {"GET", one, 200, changed(
			secret, "••••", "••••••",
		), nil},
		"a number in place of a string": {"GET", one, 200, changed(
			secret, `"OPENAI_API_KEY"`, "7",
		), nil},
		"null in place of a string": {"GET", one, 200, changed(
			secret, `"OPENAI_API_KEY"`, "null",
		), nil},
		"a number where null may be": {"GET", one, 200, changed(
			secret, `"openai"`, "1",
		), nil},
		"an id that is no UUID": {"GET", one, 200, changed(secret, id, "42"), nil},
		"a time with an offset": {"GET", one, 200, changed(
			secret, "12:00:00Z", "12:00:00+02:00",
		), nil},
		"a time that never was": {"GET", one, 200, changed(
			secret, "04-15T", "02-31T",
		), nil},
		"a time with nanoseconds": {"GET", one, 200, changed(
			secret, "00.25Z", "00.123456789Z",
		), nil},
		"text where a time may be null": {"GET", keys, 200, changed(
			keyList, `"last_used_at":null`, `"last_used_at":""`,
		), nil},
		"a key in the list": {"GET", keys, 200, changed(
			keyList, `"masked_key"`, `"key":"ksk_example","masked_key"`,
		), nil},
		"a choice that is none": {"GET", keys, 200, changed(
			keyList, "secrets:read", "secrets:reed",
		), nil},
		"null in place of a list":     {"GET", list, 200, `{"secrets":null,"total":0}`, nil},
		"text in place of an integer": {"GET", list, 200, `{"secrets":[],"total":"0"}`, nil},
		"a bare list":                 {"GET", list, 200, `[` + secret + `]`, nil},
		"errors that are null": {"GET", one, 404, changed(
			notFound, `}`, `,"errors":null}`,
		), nil},
		"errors that are empty": {"GET", one, 404, changed(
			notFound, `}`, `,"errors":[]}`,
		), nil},
		"a 422 without errors": {"POST", preset, 422, changed(
			changed(notFound, "404", "422"), "not_found", "validation",
		), nil},
		"loc renamed": {"POST", preset, 422, changed(
			invalid, `"loc"`, `"location"`,
		), nil},
		"loc from nowhere": {"POST", preset, 422, changed(
			invalid, `"body"`, `"boddy"`,
		), nil},
		"the input repeated": {"POST", preset, 422, changed(
			invalid, `"msg"`, `"input":"x","msg"`,
		), nil},
		"an unknown type of field error": {"POST", preset, 422, changed(
			invalid, "string_too_short", "too_short",
		), nil},
		"the code of another status": {"GET", one, 404, changed(
			notFound, "404", "403",
		), nil},
		"the type of another status": {"GET", one, 404, changed(
			notFound, "not_found", "permission",
		), nil},
		"a status that is not documented": {"GET", one, 418, notFound, nil},
		"200 for 201":                     {"POST", preset, 200, secret, located},
		"400 where there is no body": {"GET", one, 400, changed(
			changed(notFound, "404", "400"), "not_found", "invalid_request",
		), nil},
		"plain text":                 {"GET", one, 404, notFound, headers{"Content-Type": "text/plain; charset=utf-8"}},
		"another charset":            {"GET", one, 404, notFound, headers{"Content-Type": "application/json; charset=latin1"}},
		"no content type":            {"GET", one, 404, notFound, headers{"Content-Type": ""}},
		"a body that is not JSON":    {"GET", one, 404, "404 page not found\n", nil},
		"a body that is there twice": {"GET", one, 404, notFound + notFound, nil},
		"a body that is not UTF-8": {"GET", one, 404, changed(
			notFound, "Not found", "\xff",
		), nil},
		"an empty body":                      {"GET", one, 404, "", headers{"Content-Type": "application/json"}},
		"a body with 204":                    {"DELETE", one, 204, secret, nil},
		"a content type with 204":            {"DELETE", one, 204, "", headers{"Content-Type": "application/json"}},
		"a body with HEAD":                   {"HEAD", one, 200, secret, nil},
		"no Location":                        {"POST", preset, 201, secret, nil},
		"a Location elsewhere":               {"POST", preset, 201, secret, headers{"Location": "/user/secrets/1"}},
		"no Cache-Control":                   {"GET", one, 200, secret, headers{"Cache-Control": ""}},
		"another Cache-Control":              {"GET", one, 200, secret, headers{"Cache-Control": "private"}},
		"no X-Content-Type-Options with 204": {"DELETE", one, 204, "", headers{"X-Content-Type-Options": ""}},
		"no X-Request-Id on a problem":       {"GET", one, 404, notFound, headers{"X-Request-Id": ""}},
		"a RateLimit in another form":        {"GET", one, 200, secret, headers{"RateLimit": "198"}},
		"a 401 without WWW-Authenticate": {"GET", one, 401, changed(
			changed(notFound, "404", "401"), "not_found", "authentication",
		), nil},
		"a 429 without Retry-After": {"GET", one, 429, limited, nil},
		"a 429 with a date":         {"GET", one, 429, limited, headers{"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}},
		"a 429 that says now":       {"GET", one, 429, limited, headers{"Retry-After": "0"}},
		"a 426 without Upgrade": {"GET", one, 426, changed(
			changed(notFound, "404", "426"), "not_found", "upgrade_required",
		), nil},
		"an unknown path that answers":       {"GET", "/api/v1/nowhere", 200, secret, nil},
		"an unknown path that redirects":     {"GET", list + "/", 301, "", headers{"Location": list}},
		"an unknown path in plain text":      {"GET", "/api/v1/nowhere", 404, "404 page not found\n", headers{"Content-Type": "text/plain"}},
		"an unknown method with 404":         {"PATCH", one, 404, notFound, nil},
		"an unknown method without Allow":    {"PATCH", one, 405, notAllowed, nil},
		"an unknown method, one not allowed": {"PATCH", one, 405, notAllowed, headers{"Allow": "GET, PUT"}},
		"an unknown method, one too many":    {"PATCH", one, 405, notAllowed, headers{"Allow": "GET, PUT, DELETE, PATCH"}},
		"a fixed path read as an id":         {"GET", preset, 422, invalid, nil},
		"a documented method not served":     {"PUT", one, 405, notAllowed, headers{"Allow": "GET, DELETE"}},
	} {
		if err := a.check(d); err == nil {
			t.Errorf("not found: %s", name)
		} else if testing.Verbose() {
			t.Logf("%s: %v", name, err)
		}
	}
}

func TestAHeaderThatIsThereTwiceIsFound(t *testing.T) {
	d := contract(t)
	resp := &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{
		"X-Request-Id": {
			"r-1",
		},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
	}}
	if err := d.CheckAnswer("DELETE", one, resp, nil); err != nil {
		t.Fatal(err)
	}
	resp.Header.Add("Cache-Control", "no-store")
	if err := d.CheckAnswer("DELETE", one, resp, nil); err == nil {
		t.Error("accepted")
	}
}
