package apicontract_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/api/apicontract"
)

// source is the contract as it is served.
func source(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// contract is loaded once, as it should be: that takes longer than most tests.
func contract(tb testing.TB) *apicontract.Document {
	tb.Helper()
	d, err := loaded()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

var loaded = sync.OnceValues(load)

func load() (*apicontract.Document, error) {
	b, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		return nil, err
	}
	return apicontract.Load(b)
}

func operation(tb testing.TB, d *apicontract.Document, id string) apicontract.Operation {
	tb.Helper()
	op, found := d.Operation(id)
	if !found {
		tb.Fatalf("no operation %s", id)
	}
	return op
}

func TestTheContractHasTheseOperations(t *testing.T) {
	var got []string
	for _, op := range contract(t).Operations() {
		scope := op.Scope
		if op.Public {
			scope = "public"
		}
		got = append(
			got,
			strings.TrimSpace(op.Method+" "+strings.TrimPrefix(op.Path, "/api/v1")+" "+scope),
		)
	}
	want := []string{
		"GET /user/secrets secrets:read",
		"POST /user/secrets secrets:write",
		"GET /user/secrets/presets secrets:read",
		"POST /user/secrets/preset secrets:write",
		"GET /user/secrets/{secret_id} secrets:read",
		"PUT /user/secrets/{secret_id} secrets:write",
		"DELETE /user/secrets/{secret_id} secrets:write",
		"GET /user/secrets/{secret_id}/versions secrets:read",
		"POST /user/secrets/{secret_id}/rollback secrets:write",
		"GET /user",
		"GET /user/api-keys keys:write",
		"POST /user/api-keys keys:write",
		"DELETE /user/api-keys/self",
		"DELETE /user/api-keys/{id} keys:write",
		"GET /admin/users admin",
		"POST /admin/users admin",
		"DELETE /admin/users/{id} admin",
		"POST /admin/users/{id}/api-keys admin",
		"GET /health public",
		"GET /openapi.yaml public",
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTheHeartOfTheContractGivesEveryErrorOfItsPage(t *testing.T) {
	op := operation(t, contract(t), "createSecretFromPreset")
	for _, status := range []int{
		400, 401, 403, 404, 409, 422, 426, 429, 500, 502, 504, 405, 413, 415, 503,
	} {
		if !slices.Contains(op.Statuses, status) {
			t.Errorf("%d is not documented", status)
		}
	}
	if op.Success != 201 || !op.HasBody || op.Public || op.Scope != "secrets:write" {
		t.Errorf("read as %+v", op)
	}
	if len(op.Examples) != 4 || op.Examples[0].Name != "openai" {
		t.Errorf("the examples are not those of the document, in its order: %v", op.Examples)
	}
}

func TestAFaultyDocumentIsRefused(t *testing.T) {
	whole := source(t)
	for _, c := range []struct{ name, old, changed, want string }{
		{"a misspelt field of OpenAPI", "      operationId: getHealth", "      operationID: getHealth", "operationID"},
		{"a misspelt keyword of a schema", "      maxLength: 65536", "      maxLenght: 65536", "maxLenght"},
		{"a type that does not exist", "        configured:\n          type: boolean", "        configured:\n          type: bool", "configured/type"},
		{"a reference that leads nowhere", "'#/components/schemas/SecretList'", "'#/components/schemas/SecretLists'", "SecretLists"},
		{"a response reference that leads nowhere", "'#/components/responses/AlreadyExists'", "'#/components/responses/Taken'", "Taken"},
		{"a reference to another file", "'#/components/schemas/SecretList'", "'other.yaml#/SecretList'", "other.yaml"},
		{"a response without a description", "          description: The user's secrets\n", "", "description"},
		{"an example of a request against its schema", "value: {name: QUEUE_PASSWORD,", "value: {name: queue-password,", "nullProvider"},
		{"an example of an answer against its schema", "masked_value: sk-pro••••789", "masked_value: sk-proj-789", "masked_value"},
		{"an example of a header against its schema", "      example: 12\n", "      example: soon\n", "Retry-After"},
		{"an example of an error with another code", "                code: 409", "                code: 404", "AlreadyExists"},
		{"a pattern that does not compile", "pattern: '^[a-z_]+_error$'", "pattern: '^[a-z_+_error$'", "pattern"},
		{"an operationId twice", "operationId: getSecret\n", "operationId: getUser\n", "twice"},
		{"a path parameter that is not declared", "/api/v1/admin/users/{id}:", "/api/v1/admin/users/{user_id}:", "parameters must declare"},
		{"an operation without a scope", "      x-keysake-scope: admin\n", "", "x-keysake-scope is missing"},
		{"an operation without security", "      security: []\n", "", "security is missing"},
		{"an operation without a needed error", "        '426': {$ref: '#/components/responses/UpgradeRequired'}\n", "", "426"},
		{"a request schema that is open", "    UpdateSecret:\n      type: object\n      additionalProperties: false\n", "    UpdateSecret:\n      type: object\n", "additionalProperties"},
		{"a request schema with an unknown rule", "      maxLength: 65536\n      pattern: '^[^\\x00]+$'", "      not: {const: a}\n      pattern: '^[^\\x00]+$'", "no mutation is derived"},
		{"a status without quotes", "        '404': {$ref", "        404: {$ref", "quote it"},
		{"a time without quotes", "created_at: '2026-04-15T12:00:00Z'", "created_at: 2026-04-15T12:00:00Z", "quote it"},
		{"a key twice", "      summary: Health\n", "      summary: Health\n      summary: Health\n", "summary"},
		{"an alias", "tags: [Secrets]", "tags: [&a Secrets, *a]", "aliases"},
		{"an example of a parameter against its schema", "      example: 2489e9ad-", "      example: x2489e9ad-", "SecretId"},
		{"no YAML", "openapi: 3.1.0", "openapi: [", ""},
		{"another version", "openapi: 3.1.0", "openapi: 3.0.3", "openapi"},
		{"no answer for unknown paths", "    NoSuchPath:\n", "    NowhereToBeFound:\n", "NoSuchPath"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(whole, c.old) {
				t.Fatal("the document has no such part any more: change the test")
			}
			_, err := apicontract.Load([]byte(strings.Replace(whole, c.old, c.changed, 1)))
			if err == nil {
				t.Fatal("accepted")
			}
			t.Log(err)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not mention %q: %v", c.want, err)
			}
		})
	}
}
