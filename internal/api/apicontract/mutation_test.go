package apicontract_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestEveryMutationBreaksItsSchema(t *testing.T) {
	for _, op := range contract(t).Operations() {
		names := map[string]bool{}
		for _, m := range op.Mutations() {
			if names[m.Name] {
				t.Errorf("%s: two mutations are named %s", op.ID, m.Name)
			}
			names[m.Name] = true
			if m.Want != 422 && m.Want != 400 || len(m.Loc) == 0 || m.Loc[0] != "body" {
				t.Errorf("%s, %s: wants %d at %v", op.ID, m.Name, m.Want, m.Loc)
			}
			if json.Valid(m.Body) != (m.Want == 422) && !strings.Contains(m.Name, "UTF-8") {
				t.Errorf("%s, %s: a 422 must be JSON, a 400 must not", op.ID, m.Name)
			}
			// JSON Schema sees one of two equal names: that one is for the decoder alone.
			if !strings.HasPrefix(m.Name, "duplicate ") && op.CheckBody(m.Body) == nil {
				t.Errorf("%s, %s: is good: %s", op.ID, m.Name, m.Body)
			}
		}
	}
}

func TestTheMutationsReachEveryRule(t *testing.T) {
	for call, wanted := range map[string][]string{
		"POST /user/secrets/preset": {
			"provider left out", "value left out", "an unknown field", "provider that is null",
			"value that is null", "value that is a number", "value that is a list",
			"value that is an object", "value that is a boolean", "provider shorter than 1",
			"provider longer than 64", "value longer than 65536",
			`value that is "a b", against the pattern`,
			`value that is "a\x00b", against the pattern`,
			"duplicate value", "value in another case", "a body that is null", "an empty body",
			"a body with more after",
		},
		"POST /user/secrets": {
			"name left out", "provider that is a number", "name longer than 128",
			`name that is "1a", against the pattern`,
			`value that is "a\x00b", against the pattern`,
		},
		"POST /user/api-keys": {
			"name that is a number", "allow_self_revoke that is a string",
			"allowed_scopes that is a string", "allowed_scopes with more than 16 items",
			"allowed_scopes with an item that is null",
			`allowed_scopes with an item that is "no-such-choice", which is no choice`,
			"expires_at that is a number", `expires_at that is "tomorrow", which is no time`,
		},
		"POST /user/secrets/{secret_id}/rollback": {
			"version left out", "version that is a string", "version that is a fraction",
			"version that is null", "version that is 0, less than 1",
			"version that is -9223372036854775808, less than 1",
		},
		"POST /user/secrets/import": {
			"secrets left out", "secrets that is an object", "secrets with fewer than 1 items",
			"secrets with more than 200 items", "secrets with an item that is null",
			"first of secrets: name left out", "first of secrets: an unknown field",
			`first of secrets: name that is "1a", against the pattern`,
			"first of secrets: value longer than 65536",
		},
		"POST /admin/users": {
			`email_address that is "a@", against the pattern`, "email_address longer than 254",
			`username that is "A", against the pattern`,
		},
	} {
		got := map[string]bool{}
		for _, m := range operation(t, call).Mutations() {
			got[m.Name] = true
		}
		for _, name := range wanted {
			if !got[name] {
				t.Errorf("%s: there is no %s", call, name)
			}
		}
		for _, name := range []string{"allowed_scopes left out", "email_address that is null"} {
			if got[name] {
				t.Errorf("%s: %s is no fault", call, name)
			}
		}
	}
}

func TestAnOperationWithoutABodyHasNoMutations(t *testing.T) {
	op := operation(t, "GET /user/secrets/{secret_id}")
	if len(op.Mutations()) > 0 || op.HasBody || op.CheckBody([]byte("{}")) == nil {
		t.Error("it has")
	}
}

func TestTheURLOfAnOperationIsFilledIn(t *testing.T) {
	op := operation(t, "GET /user/secrets/{secret_id}")
	if got := op.URL(); got != one {
		t.Errorf("without parameters: %s", got)
	}
	if got := op.URL("a/b"); got != list+"/a%2Fb" {
		t.Errorf("with one: %s", got)
	}
}

func TestABadURLBelongsToTheSameOperation(t *testing.T) {
	for _, op := range contract(t).Operations() {
		urls := op.BadURLs()
		// a device code is no UUID
		if (len(urls) > 0) != (len(op.Parameters) > 0 && op.ID != "getDeviceLogin") {
			t.Errorf("%s has %d bad URLs", op.ID, len(urls))
		}
		for _, u := range urls {
			parsed, err := url.Parse(u)
			if err != nil || parsed.EscapedPath() != u {
				t.Errorf("%s is not a path: %v", u, err)
			}
			refused := invalid.edit(`"body","value"`, `"path","id"`)
			refused.method, refused.path = op.Method, u
			if err := refused.check(contract(t)); err != nil {
				t.Error(err)
			}
		}
	}
}
