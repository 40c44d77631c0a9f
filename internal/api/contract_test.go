package api_test

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/api"
	"github.com/keysake/keysake/internal/api/apicontract"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestTheRoutesAreTheOperationsOfTheContract(t *testing.T) {
	var documented []api.Route
	for _, op := range allOperations(t) {
		documented = append(documented, api.Route{op.Method, op.Path, op.Public})
	}
	served := api.Routes()
	for _, list := range [][]api.Route{documented, served} {
		slices.SortFunc(list, func(a, b api.Route) int {
			return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
		})
	}
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("documented (-) and served (+) differ:\n%s", diff)
	}
}

func TestTheContractIsServedAsItIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	got := s.do(t, get("/api/v1/openapi.yaml", noKey)).want(t, 200)
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.body, text) {
		t.Error("the answer is another document: run go generate ./internal/api")
	}
}

// A target is what an operation is tried on: a person, and the ids that go into the path.
type target struct {
	person
	ids    []string
	secret string          // stands in bodies in place of the documented one
	ticket plaintext.Value // presented in place of the person's key
	other  string          // who may act for others, in place of the documented one
}

// target makes a person, and what the operation needs to succeed.
func (s *site) target(t *testing.T, op apicontract.Operation) target {
	t.Helper()
	at := target{person: s.person(t, allScopes...)}
	switch {
	case strings.Contains(op.Path, "{secret_id}"):
		at.ids = []string{s.secret(t, at.key, "ANY", "any-value")}
	case op.ID == "createLease":
		made := s.do(t, post(presetPath, at.key, openAI)).want(t, 201)
		at.secret = into[wire.Secret](t, made).ID
	case op.ID == "redeemTicket":
		at.ticket = plaintext.FromString(s.lease(t, at.key).Ticket)
	case strings.Contains(op.Path, "{lease_id}"):
		at.ids = []string{s.lease(t, at.key).ID}
	case strings.HasSuffix(op.Path, "/user/trust/{id}"):
		made := s.do(t, post(trustPath, at.key, trustRule)).want(t, 201)
		at.ids = []string{into[wire.TrustRule](t, made).ID}
	case op.ID == "createUserGrant":
		at.other = s.person(t, "act:user").id
	case strings.HasSuffix(op.Path, "/user/grants/{id}"):
		body := encode(t, members{"user": s.person(t, "act:user").id, "scopes": []string{}})
		made := s.do(t, post(grantsPath, at.key, body)).want(t, 201)
		at.ids = []string{into[wire.UserGrant](t, made).ID}
	case strings.HasSuffix(op.Path, "/user/api-keys/{id}"):
		id, _ := s.ownKey(t, at.key, members{"allowed_scopes": []string{}})
		at.ids = []string{id}
	case strings.Contains(op.Path, "/admin/users/{id}"):
		at.ids = []string{s.person(t).id}
	case len(op.Parameters) > 0:
		t.Fatalf("%s: say here what its path needs", op.ID)
	}
	return at
}

// call is an operation on the target, by the target's own person.
func (at target) call(op apicontract.Operation, body string) call {
	key := at.key
	if at.ticket.Len() > 0 {
		key = at.ticket
	}
	if at.secret != "" {
		body = strings.ReplaceAll(body, documentedSecret, at.secret)
	}
	if at.other != "" {
		body = strings.ReplaceAll(body, "acme-backend", at.other)
	}
	return call{method: op.Method, path: op.URL(at.ids...), key: key, body: body}
}

// documentedSecret is the id of a secret in the contract's examples.
const documentedSecret = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"

// lease makes a lease with a ticket, of a new secret.
func (s *site) lease(t *testing.T, key plaintext.Value) wire.Lease {
	t.Helper()
	body := members{
		"secret_ids": []string{s.secret(t, key, "LEASED", "any-value")}, "delivery": "ticket",
	}
	return into[wire.Lease](t, s.do(t, post(leasesPath, key, encode(t, body))).want(t, 201))
}

const leasesPath = "/api/v1/user/leases"

// ask calls an operation on a target with its last example, which asks for nothing special.
func (s *site) ask(t *testing.T, op apicontract.Operation, at target, key plaintext.Value) answer {
	t.Helper()
	if !bytes.Equal(key.Reveal(), at.key.Reveal()) {
		at.key, at.ticket = key, plaintext.Value{}
	}
	if op.HasBody {
		return s.do(t, at.call(op, string(op.Examples[len(op.Examples)-1].Body)))
	}
	return s.do(t, at.call(op, ""))
}

func TestEveryDocumentedExampleSucceeds(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, op := range operations(t) {
		for _, example := range op.Examples {
			at := s.target(t, op)
			got := s.do(t, at.call(op, string(example.Body)))
			if got.status != op.Success {
				t.Errorf("%s, example %s: answered %d, want %d: %v",
					op.ID, example.Name, got.status, op.Success, got.faults(t))
			}
		}
		if op.HasBody != (len(op.Examples) > 0) {
			t.Errorf("%s has %d examples", op.ID, len(op.Examples))
		}
	}
}

func TestWithoutABodyAnOperationSucceedsToo(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, op := range operations(t) {
		if op.HasBody || op.HasForm {
			continue
		}
		at := s.target(t, op)
		if op.ID == "revokeSelf" {
			at.key = s.keyFor(t, at.id, members{"allow_self_revoke": true})
		}
		if got := s.ask(t, op, at, at.key); got.status != op.Success {
			t.Errorf("%s: answered %d, want %d", op.ID, got.status, op.Success)
		}
	}
}

func TestEveryMutationOfAnExampleIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, op := range operations(t) {
		at := s.target(t, op)
		before := s.library(t, at.key)
		for _, m := range op.Mutations() {
			got := s.do(t, at.call(op, string(m.Body)))
			if got.status != m.Want || !anyBegins(into[wire.Problem](t, got).Errors, m.Loc) {
				t.Errorf("%s, %s: answered %d for %q, want %d at %v",
					op.ID, m.Name, got.status, got.faults(t), m.Want, m.Loc)
			}
		}
		if diff := cmp.Diff(before, s.library(t, at.key)); diff != "" {
			t.Errorf("%s: what was refused changed something:\n%s", op.ID, diff)
		}
	}
}

// anyBegins reports whether one of the faults is at the place or inward of it.
func anyBegins(faults []wire.FieldError, place []any) bool {
	return slices.ContainsFunc(faults, func(f wire.FieldError) bool {
		return len(f.Loc) >= len(place) && slices.Equal(f.Loc[:len(place)], place)
	})
}

// library returns all that a person can see, by the paths of the lists.
func (s *site) library(t *testing.T, key plaintext.Value) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, path := range []string{secretsPath, secretsPath + "/presets", userPath} {
		seen[path] = string(s.do(t, get(path, key)).want(t, 200).body)
	}
	keys := into[wire.APIKeyList](t, s.do(t, get(keysPath, key)).want(t, 200))
	for _, k := range keys.APIKeys {
		k.LastUsedAt = nil
		seen[keysPath] += encode(t, k)
	}
	return seen
}

func TestAnIdThatIsNoUUIDIsRefusedAndTheBodyIsFine(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t, allScopes...)
	for _, op := range operations(t) {
		for _, url := range op.BadURLs() {
			c := call{method: op.Method, path: url, key: me.key}
			if op.HasBody {
				c.body = string(op.Examples[0].Body)
			}
			got := s.do(t, c)
			if want := []string{"path." + op.Parameters[0] + " uuid_parsing"}; got.status != 422 ||
				!slices.Equal(got.faults(t), want) {
				t.Errorf("%s at %s: answered %d for %q, want 422 for %q",
					op.ID, url, got.status, got.faults(t), want)
			}
		}
	}
}

func TestAnOperationNeedsItsScopeAndNoOther(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, op := range operations(t) {
		if op.Scope == "" {
			continue
		}
		at := s.target(t, op)
		others := slices.DeleteFunc(
			slices.Clone(allScopes), func(scope string) bool { return scope == op.Scope },
		)
		if len(others) != len(allScopes)-1 {
			t.Fatalf("%s needs the scope %s, which is none", op.ID, op.Scope)
		}
		lacking := s.keyFor(t, at.id, members{"allowed_scopes": others})
		if got := s.ask(t, op, at, lacking); got.status != 403 || len(got.faults(t)) > 0 {
			t.Errorf("%s with every scope but %s: answered %d, want 403",
				op.ID, op.Scope, got.status)
		}
		only := s.keyFor(t, at.id, members{"allowed_scopes": []string{op.Scope}})
		if got := s.ask(t, op, at, only); got.status != op.Success {
			t.Errorf("%s with the scope %s alone: answered %d, want %d",
				op.ID, op.Scope, got.status, op.Success)
		}
	}
}

func TestAnOperationWithoutAScopeNeedsAKeyAllTheSame(t *testing.T) {
	t.Parallel()
	s := start(t)
	var seen []string
	for _, op := range operations(t) {
		if op.Public || op.Scope != "" || op.ID == "redeemTicket" {
			continue // a ticket has no scopes
		}
		seen = append(seen, op.ID)
		at := s.target(t, op)
		bare := s.keyFor(t, at.id, members{"allowed_scopes": []string{}, "allow_self_revoke": true})
		if got := s.ask(t, op, at, bare); got.status != op.Success {
			t.Errorf("%s with a key without scopes: answered %d, want %d",
				op.ID, got.status, op.Success)
		}
	}
	if diff := cmp.Diff([]string{
		"whoAmI", "revokeSelf", "getLimits", "listOrganizations", "getPreferences",
	}, seen); diff != "" {
		t.Errorf("other operations than these need no scope:\n%s", diff)
	}
}

func TestWithoutAKeyOnlyWhatIsPublicAnswers(t *testing.T) {
	t.Parallel()
	s := start(t)
	unknown := plaintext.FromString("ksk_" + strings.Repeat("0", 49))
	for _, op := range operations(t) {
		if op.HasForm {
			continue // it presents what stands for a key
		}
		want := http.StatusUnauthorized
		if op.Public {
			want = op.Success
		}
		at := s.target(t, op)
		for name, key := range map[string]plaintext.Value{"no key": {}, "a wrong key": unknown} {
			if got := s.ask(t, op, at, key); got.status != want {
				t.Errorf("%s with %s: answered %d, want %d", op.ID, name, got.status, want)
			}
		}
	}
}

func TestAMethodThatAPathDoesNotHaveIsRefusedOnEveryPath(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, op := range operations(t) {
		for _, method := range []string{"OPTIONS", "PATCH", "TRACE", "BREW"} {
			got := s.do(t, call{method: method, path: op.URL(), key: s.Key})
			if got.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: answered %d, want 405", method, op.Path, got.status)
			}
		}
		if op.Method != http.MethodGet {
			continue
		}
		at := s.target(t, op)
		head := s.do(t, call{method: "HEAD", path: op.URL(at.ids...), key: at.key})
		get := s.ask(t, op, at, at.key)
		if head.status != get.status ||
			head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD of %s: answered %d, and GET %d", op.ID, head.status, get.status)
		}
	}
}
