package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keysake/keysake/internal/api"
	"github.com/keysake/keysake/internal/api/apicontract"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// contract is openapi.yaml; contractWithLimits also demands the headers of the rate limits, for
// servers that have them.
var (
	contract = sync.OnceValues(func() (*apicontract.Document, error) {
		return apicontract.Load(api.Contract())
	})
	contractWithLimits = sync.OnceValues(func() (*apicontract.Document, error) {
		doc, err := apicontract.Load(api.Contract())
		if err == nil {
			doc.Demand("RateLimit", "RateLimit-Policy")
		}
		return doc, err
	})
)

// operations are those of the contract.
func operations(t *testing.T) []apicontract.Operation {
	t.Helper()
	return slices.DeleteFunc(allOperations(t), isDevice)
}

func allOperations(t *testing.T) []apicontract.Operation {
	t.Helper()
	doc, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(doc.Operations())
}

// isDevice reports whether an operation is one of logins of programs: what these need to succeed is
// somebody who confirms, and they have tests of their own.
func isDevice(op apicontract.Operation) bool { return strings.Contains(op.Path, "/auth/device/") }

// A site is a running server, each answer of which is checked against the contract.
type site struct {
	*apptest.Server
	doc  *apicontract.Document
	http *http.Client
	seen func(answer) // told of every answer, if it is set
}

// start runs a server with limits that no test reaches, unless a change says otherwise.
func start(t *testing.T, change ...func(*config.Config)) *site {
	t.Helper()
	cfg := apptest.Config(t)
	cfg.RateLimit, cfg.RateBurst, cfg.AuthFailureLimit = 1e6, 1e6, 1e6
	cfg.BrokerURL = "http://127.0.0.1:1"
	for _, c := range change {
		c(&cfg)
	}
	return newSite(t, apptest.StartWith(t, cfg), cfg.RateLimit > 0 && cfg.AuthFailureLimit > 0)
}

func newSite(t *testing.T, srv *apptest.Server, limited bool) *site {
	t.Helper()
	load := contract
	if limited {
		load = contractWithLimits
	}
	doc, err := load()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &site{Server: srv, doc: doc, http: &http.Client{
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// A call is a request. Its path is sent as it stands, escapes and all.
type call struct {
	method, path string
	key          plaintext.Value // none if empty
	body         string
	chunked      bool // the body's length is not told beforehand
	// wins over what follows from the rest; a name without values sends none
	header http.Header
}

func get(path string, key plaintext.Value) call { return call{"GET", path, key, "", false, nil} }
func del(path string, key plaintext.Value) call { return call{"DELETE", path, key, "", false, nil} }

func post(path string, key plaintext.Value, body string) call {
	return call{"POST", path, key, body, false, nil}
}

func put(path string, key plaintext.Value, body string) call {
	return call{"PUT", path, key, body, false, nil}
}

// with is the call with a header.
func (c call) with(name string, values ...string) call {
	with := http.Header{}
	maps.Copy(with, c.header)
	with[name] = values
	c.header = with
	return c
}

var noKey plaintext.Value

// nowhere is an id of nothing.
const nowhere = "2489e9ad-2ee2-4e00-8ec9-32d5f69181c0"

const (
	userPath    = "/api/v1/user"
	secretsPath = "/api/v1/user/secrets"
	presetPath  = "/api/v1/user/secrets/preset"
	keysPath    = "/api/v1/user/api-keys"
	usersPath   = "/api/v1/admin/users"
)

// Bodies that make a secret.
const (
	openAI = `{"provider": "openai", "value": "any-value"}`
	custom = `{"name": "ONE", "value": "any-value"}`
)

// An answer has passed the contract.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends every request of this suite, so that every answer, good or bad, is checked against
// openapi.yaml.
func (s *site) do(t *testing.T, c call) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(
		t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body),
	)
	if err != nil {
		t.Fatalf("%s: not a request", c.method)
	}
	if c.chunked {
		req.ContentLength, req.GetBody = -1, nil
	}
	if c.key.Len() > 0 {
		req.Header.Set("Authorization", "Bearer "+string(c.key.Reveal()))
	}
	if c.method == http.MethodPost || c.method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatalf("%s: no answer: %T", c.method, err) // the error's text has the path
	}
	return s.check(t, c.method, c.path, resp)
}

// check reads an answer and checks it against the contract.
func (s *site) check(t *testing.T, method, path string, resp *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatalf("%s → %d: the answer broke off: %v", method, resp.StatusCode, err)
	}
	if err := s.doc.CheckAnswer(method, path, resp, body); err != nil {
		t.Error(strings.ReplaceAll(err.Error(), path, "…"))
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: there must be no CORS, and there is %s", method, name)
		}
	}
	got := answer{resp.StatusCode, resp.Header, body}
	if s.seen != nil {
		s.seen(got)
	}
	return got
}

// want fails the test unless the answer has that status.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("answered %d, want %d: %v", a.status, status, a.faults(t))
	}
	return a
}

// refused fails the test unless the answer is a problem of that status with exactly these faults.
func (a answer) refused(t *testing.T, status int, faults ...string) {
	t.Helper()
	a.want(t, status)
	if got := a.faults(t); a.status == status && !slices.Equal(got, faults) {
		t.Errorf("a %d for %q, want %q", status, got, faults)
	}
}

// faults returns the field errors of a problem, each as its place and its type, such as "body.value
// missing".
func (a answer) faults(t *testing.T) (faults []string) {
	t.Helper()
	if a.status < http.StatusBadRequest {
		return nil
	}
	for _, e := range into[wire.Problem](t, a).Errors {
		var loc []string
		for _, step := range e.Loc {
			loc = append(loc, fmt.Sprint(step))
		}
		faults = append(faults, strings.Join(loc, ".")+" "+e.Type)
	}
	return faults
}

// into decodes an answer.
func into[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("a %d whose body is no %T", a.status, v)
	}
	return v
}

// allScopes are those of the contract.
var allScopes = []string{
	"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read", "admin",
	"act:user",
}

// serial makes unique names.
var serial atomic.Int64

func unique(prefix string) string { return fmt.Sprintf("%s%d", prefix, serial.Add(1)) }

// members are those of a JSON object.
type members = map[string]any

// A person is a user with an API key.
type person struct {
	id  string
	key plaintext.Value
}

// person makes a user with an API key of these scopes: all but admin if none is named.
func (s *site) person(t *testing.T, scopes ...string) person {
	t.Helper()
	body := encode(t, members{"username": unique("user-")})
	made := s.do(t, post(usersPath, s.Key, body)).want(t, 201)
	p := person{id: into[wire.User](t, made).ID}
	if len(scopes) == 0 {
		scopes = allScopes[:5]
	}
	p.key = s.keyFor(t, p.id, members{"allowed_scopes": scopes})
	return p
}

// keyFor makes an API key for a user, as the admin.
func (s *site) keyFor(t *testing.T, user string, in members) plaintext.Value {
	t.Helper()
	path := usersPath + "/" + user + "/api-keys"
	made := s.do(t, post(path, s.Key, encode(t, in))).want(t, 201)
	return plaintext.FromString(into[wire.APIKey](t, made).Key)
}

// ownKey makes an API key and returns its id and itself.
func (s *site) ownKey(t *testing.T, by plaintext.Value, in members) (string, plaintext.Value) {
	t.Helper()
	k := into[wire.APIKey](t, s.do(t, post(keysPath, by, encode(t, in))).want(t, 201))
	return k.ID, plaintext.FromString(k.Key)
}

// secret makes a secret and returns its id.
func (s *site) secret(t *testing.T, by plaintext.Value, name, value string) string {
	t.Helper()
	body := encode(t, members{"name": name, "value": value})
	made := s.do(t, post(secretsPath, by, body)).want(t, 201)
	return into[wire.Secret](t, made).ID
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
