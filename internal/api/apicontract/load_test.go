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

var loaded = sync.OnceValues(func() (*apicontract.Document, error) {
	b, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		return nil, err
	}
	return apicontract.Load(b)
})

// contract is loaded once: that takes longer than most tests.
func contract(tb testing.TB) *apicontract.Document {
	tb.Helper()
	d, err := loaded()
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// operation returns the operation of a method and a path below /api/v1.
func operation(tb testing.TB, call string) apicontract.Operation {
	tb.Helper()
	for _, op := range contract(tb).Operations() {
		if op.Method+" "+strings.TrimPrefix(op.Path, "/api/v1") == call {
			return op
		}
	}
	tb.Fatalf("no operation %s", call)
	return apicontract.Operation{}
}

func TestTheContractHasTheseOperations(t *testing.T) {
	var got []string
	for _, op := range contract(t).Operations() {
		scope := op.Scope
		if op.Public {
			scope = "public"
		}
		path := strings.TrimPrefix(op.Path, "/api/v1")
		got = append(got, strings.TrimSpace(path+" "+op.Method+" "+scope))
	}
	want := []string{
		"/admin/audit GET admin",
		"/admin/users GET admin",
		"/admin/users POST admin",
		"/admin/users/{id} DELETE admin",
		"/admin/users/{id}/api-keys POST admin",
		"/admin/users/{id}/deletion DELETE admin",
		"/admin/users/{id}/disabled DELETE admin",
		"/admin/users/{id}/disabled PUT admin",
		"/admin/users/{id}/identity DELETE admin",
		"/admin/users/{id}/identity PUT admin",
		"/admin/users/{id}/sign-in-links POST admin",
		"/auth/device/code POST public",
		"/auth/device/code/{code} GET public",
		"/auth/device/token POST public",
		"/auth/exchange POST public",
		"/health GET public",
		"/leases/redeem POST",
		"/openapi.yaml GET public",
		"/sealing-key GET public",
		"/user GET",
		"/user/api-keys GET keys:write",
		"/user/api-keys POST keys:write",
		"/user/api-keys/self DELETE",
		"/user/api-keys/{id} DELETE keys:write",
		"/user/audit GET audit:read",
		"/user/confirmed PUT secrets:write",
		"/user/grants GET keys:write",
		"/user/grants POST keys:write",
		"/user/grants/{id} DELETE keys:write",
		"/user/leases GET secrets:read",
		"/user/leases POST leases:write",
		"/user/leases/{lease_id} DELETE leases:write",
		"/user/leases/{lease_id} GET secrets:read",
		"/user/leases/{lease_id}/requests GET secrets:read",
		"/user/limits GET",
		"/user/organizations GET",
		"/user/preferences GET",
		"/user/secrets GET secrets:read",
		"/user/secrets POST secrets:write",
		"/user/secrets/health GET secrets:read",
		"/user/secrets/import POST secrets:write",
		"/user/secrets/preset POST secrets:write",
		"/user/secrets/presets GET secrets:read",
		"/user/secrets/usage GET secrets:read",
		"/user/secrets/{secret_id} DELETE secrets:write",
		"/user/secrets/{secret_id} GET secrets:read",
		"/user/secrets/{secret_id} PUT secrets:write",
		"/user/secrets/{secret_id}/expiry DELETE secrets:write",
		"/user/secrets/{secret_id}/expiry PUT secrets:write",
		"/user/secrets/{secret_id}/health GET secrets:read",
		"/user/secrets/{secret_id}/probe POST leases:write",
		"/user/secrets/{secret_id}/rename POST secrets:write",
		"/user/secrets/{secret_id}/rollback POST secrets:write",
		"/user/secrets/{secret_id}/usage GET secrets:read",
		"/user/secrets/{secret_id}/versions GET secrets:read",
		"/user/sign-in-links POST keys:write",
		"/user/trust GET keys:write",
		"/user/trust POST keys:write",
		"/user/trust/{id} DELETE keys:write",
		"/user/watch GET secrets:read",
		"/user/watch PUT leases:write",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnOperationDocumentsTheErrorsOfItsKind(t *testing.T) {
	for _, op := range contract(t).Operations() {
		want := []int{405, 500, 503}
		if !op.Public {
			want = append(want, 401, 426, 429)
		}
		if op.Scope != "" {
			want = append(want, 403)
		}
		if op.HasBody {
			want = append(want, 400, 413, 415, 422)
		}
		if len(op.Parameters) > 0 {
			want = append(want, 404)
		}
		if len(op.BadURLs()) > 0 {
			want = append(want, 422)
		}
		for _, status := range want {
			if !slices.Contains(op.Statuses, status) {
				t.Errorf("%s does not document %d", op.ID, status)
			}
		}
		// the bodies of these have a credential in them
		if op.ID == "exchangeToken" || op.ID == "fetchDeviceLogin" {
			continue
		}
		for _, status := range op.Statuses {
			if status == 401 && op.Public || status == 400 && !op.HasBody {
				t.Errorf("%s documents %d, which cannot happen", op.ID, status)
			}
		}
	}
}

func TestAFaultyDocumentIsRefused(t *testing.T) {
	whole := source(t)
	for _, c := range []struct{ name, old, changed, want string }{
		{"an unknown field", "      summary: Health", "      heading: Health", "heading"},
		{"a misspelt keyword", "      maxLength: 65536", "      maxLenght: 65536", "maxLenght"},
		{
			"a type that does not exist", "        configured:\n          type: boolean",
			"        configured:\n          type: bool", `"bool"`,
		},
		{"a reference to nothing", "schemas/SecretList'", "schemas/SecretLists'", "SecretLists"},
		{
			"a reference to another file", "'#/components/schemas/SecretList'",
			"'other.yaml#/A'", "external",
		},
		{
			"an example of a request against its schema", "{name: QUEUE_P", "{name: queue-p",
			"nullProvider",
		},
		{
			"an example of an answer against its schema", "masked_value: sk-pro••••789",
			"masked_value: sk-proj-789", "masked_value",
		},
		{
			"an example of a header against its schema", "      example: 12\n",
			"      example: soon\n", "Retry",
		},
		{
			"a request that is open",
			"    UpdateSecret:\n      type: object\n      additionalProperties: false\n",
			"    UpdateSecret:\n      type: object\n", "additionalProperties",
		},
		{
			"a request with a rule that is not tried", "      maxLength: 65536\n",
			"      maxLength: 65536\n      not: {const: a}\n", "no mutation is derived",
		},
		{"no YAML", "openapi: 3.1.0", "openapi: [", ""},
		{"another version", "openapi: 3.1.0", "openapi: 3.0.3", "openapi"},
		{"no answer for unknown paths", "    NoSuchPath:\n", "    NoSuch:\n", "NoSuchPath"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(whole, c.old) {
				t.Fatal("the document has no such part any more: change the test")
			}
			_, err := apicontract.Load([]byte(strings.Replace(whole, c.old, c.changed, 1)))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not mention %q: %v", c.want, err)
			}
		})
	}
}
