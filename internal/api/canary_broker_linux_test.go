package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// The providers of which canaries are kept, with what takes the place of the key in a request.
var brokeredProviders = map[string]struct{ line, header, before string }{
	"openai":    {"/openai/v1/responses", "Authorization", "Bearer "},
	"anthropic": {"/anthropic/v1/messages", "X-Api-Key", ""},
	"github":    {"/github/repos/o/r", "Authorization", "token "},
}

var brokeredHosts = []string{"api.openai.com", "api.anthropic.com", "api.github.com", "github.com"}

var providerPair = apptest.TrustedPair(append([]string{issuerHost}, brokeredHosts...)...)

// A parrot is a provider that repeats all that it gets, in every way that it knows, and remembers
// it.
type parrot struct {
	*httptest.Server

	mu    sync.Mutex
	heard bytes.Buffer
	count int
}

func newParrot(t *testing.T) *parrot {
	t.Helper()
	p := &parrot{}
	p.Server = httptest.NewUnstartedServer(p)
	p.TLS = &tls.Config{
		Certificates: []tls.Certificate{providerPair}, MinVersion: tls.VersionTLS12,
	}
	p.EnableHTTP2 = true
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	heard, _ := httputil.DumpRequest(r, false)
	heard = append(heard, body...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	fmt.Fprintln(&p.heard, string(heard), r.URL, r.Trailer)
	if user, password, ok := r.BasicAuth(); ok {
		fmt.Fprintln(&p.heard, user, password)
	}
	key := r.Header.Get("Authorization") + r.Header.Get("X-Api-Key")
	w.Header().Set("X-You-Sent", key)
	w.Header().Set("Content-Type", r.Header.Get("Accept"))
	if r.URL.RawQuery != "" && w.Header().Get("Content-Type") == "application/json" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error":{"type":"authentication_error","message":%[1]q},`+
			`"message":%[1]q}`, "You sent "+key)
		return
	}
	status := http.StatusOK
	if p.count%3 == 0 {
		status = http.StatusUnauthorized
	}
	var to io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		defer packed.Close()
		to = packed
	}
	w.WriteHeader(status)
	text, _ := json.Marshal(string(heard))
	_, _ = fmt.Fprintf(to, "%s\n%s\n%s\ndata: %s\n\n", heard, text,
		base64.StdEncoding.EncodeToString(heard), base64.URLEncoding.EncodeToString([]byte(key)))
}

// wantSuspected waits until of each secret is known that it worked, and that its provider refused
// it since then.
func (s *site) wantSuspected(t *testing.T, key plaintext.Value) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer := s.do(t, get(secretsPath+"/health", key)).want(t, 200)
		all := into[wire.SecretHealthList](t, answer).Health
		other := slices.IndexFunc(all, func(h wire.SecretHealth) bool {
			return !slices.Equal(h.Warnings, []string{wire.WarnSuspected}) || h.WorkedAt == nil
		})
		if other < 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("of a key that its provider refused is known %+v", all[other])
		}
	}
}

func TestAKeyAtTheBrokerIsSeenByItsProviderAloneAndAPlaceholderByTheRunAlone(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			admin, provider := freeAddress(t), newParrot(t)
			s := start(t, func(c *config.Config) {
				c.LogFormat, c.AdminListen, c.BrokerURL = format, admin, ""
				c.BrokerListen = "127.0.0.1:0"
				c.EgressAllow = apptest.Egress(provider.Listener.Addr().String(), brokeredHosts...)
			})
			birds := newAviary()
			birds.tokens[text(s.Key)] = -1
			s.seen = birds.see
			lease, me := s.brokeredLease(t, birds)
			before := len(birds.caught)
			s.useBroker(t, birds, lease)
			fromRun := slices.Clone(birds.caught[before:])
			birds.caught = birds.caught[:before]
			requests := leasesPath + "/" + lease.ID + "/requests"
			for recorded := 0; recorded < 10*len(brokeredProviders); {
				birds.caught = birds.caught[:before] // they are recorded after they were answered
				time.Sleep(20 * time.Millisecond)
				all := s.do(t, get(requests+"?limit=200", me.key)).want(t, 200)
				recorded = len(into[wire.BrokeredRequestList](t, all).Requests)
			}
			s.do(t, get(requests+"?refused=true&limit=200", me.key)).want(t, 200)
			s.do(t, get("/api/v1/user/audit?limit=200", me.key)).want(t, 200)
			s.wantSuspected(t, me.key)
			s.do(t, del(leasesPath+"/"+lease.ID, me.key)).want(t, 200)
			s.searchRun(t, birds, fromRun, provider)
			s.searchAll(t, birds, admin)
		})
	}
}

// brokeredLease makes secrets that are canaries, and a lease of them.
func (s *site) brokeredLease(t *testing.T, birds *aviary) (wire.Lease, person) {
	t.Helper()
	me := s.person(t)
	var ids []string
	for provider := range brokeredProviders {
		in := members{"provider": provider, "value": birds.letOut("as the key of " + provider)}
		made := s.do(t, post(presetPath, me.key, encode(t, in))).want(t, 201)
		ids = append(ids, into[wire.Secret](t, made).ID)
	}
	lease := into[wire.Lease](t, s.do(t, post(leasesPath, me.key, encode(t, members{
		"secret_ids": ids, "delivery": "broker",
	}))).want(t, 201))
	for _, secret := range lease.Broker.Secrets {
		birds.tokens[secret.Placeholder] = -1
	}
	// The answer that tells them is the only one with three placeholders.
	birds.caught = birds.caught[:len(birds.caught)-1]
	return lease, me
}

// useBroker sends requests that are passed on, and requests that are refused.
func (s *site) useBroker(t *testing.T, birds *aviary, lease wire.Lease) {
	t.Helper()
	for _, secret := range lease.Broker.Secrets {
		use := brokeredProviders[secret.Provider]
		p := secret.Placeholder
		for i, c := range []struct{ method, line, credential, more, body string }{
			{"POST", use.line, p, "", "{}"},
			{"POST", use.line + "?a=b", p, "", "{}"},
			{"GET", use.line, p, "", ""},
			{"GET", use.line, "another", "", ""},
			{"GET", use.line, p[:len(p)-1], "", ""},
			{"GET", use.line + "/" + p, p, "", ""},
			{"GET", use.line + "?a=" + p, p, "", ""},
			{"GET", use.line, p, p, ""},
			{"GET", use.line, p, "a=" + base64.StdEncoding.EncodeToString([]byte(p)), ""},
			{"POST", use.line, p, "", "before " + p},
			{"POST", use.line, p, "", strings.Repeat("long ", 9999) + lease.Broker.Secrets[0].Placeholder},
			{"POST", use.line, p, "", base64.StdEncoding.EncodeToString([]byte("a" + p))},
			{"GET", "/" + p + "/v1", p, "", ""},
			{"GET", "/" + secret.Provider + "/@" + p + "/v1", p, "", ""},
			{"GET", "/" + secret.Provider + "/../" + p, p, "", ""},
			{"TRACE", use.line, p, "", ""},
		} {
			h := http.Header{
				use.header: {use.before + c.credential}, "Accept": {"application/json"},
			}
			if c.more != "" {
				h.Set("X-More", c.more)
			}
			if i%2 == 0 {
				h.Set("Accept", "text/event-stream")
				h.Set("Accept-Encoding", "gzip")
			}
			s.askBroker(t, birds, lease.Broker.URL, c.method, c.line, c.body, h)
		}
		s.connectBroker(t, birds, lease.Broker.URL, p)
	}
}

// askBroker sends a request whose line is exactly as given, and keeps the answer.
func (s *site) askBroker(
	t *testing.T, birds *aviary, broker, method, line, body string, h http.Header,
) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, broker, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque, r.Header = line, h
	resp, err := s.http.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%d: %v", resp.StatusCode, err)
	}
	if resp.Header.Get("Content-Encoding") != "" {
		t.Error("the answer is packed")
	}
	birds.caught = append(birds.caught, answer{resp.StatusCode, resp.Header, text})
}

// connectBroker takes the broker for a proxy, to a host that it refuses.
func (s *site) connectBroker(t *testing.T, birds *aviary, broker, placeholder string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(broker, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n"+
		"Proxy-Authorization: Bearer %s\r\nConnection: close\r\n\r\n", placeholder)
	text, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.1 403 ")) {
		t.Errorf("CONNECT: %.20q, %v", text, err)
	}
	birds.caught = append(birds.caught, answer{0, http.Header{}, text})
}

// searchRun looks at what the run was answered, for keys, and at what the provider heard, for
// placeholders.
func (s *site) searchRun(t *testing.T, birds *aviary, fromRun []answer, provider *parrot) {
	t.Helper()
	keys := (&aviary{mark: birds.mark, places: birds.places}).needles()
	placeholders := (&aviary{mark: "no canary at all", tokens: birds.tokens}).needles()
	passed := 0
	for _, got := range fromRun {
		var all bytes.Buffer
		_ = got.header.Write(&all)
		all.Write(got.body)
		for _, found := range birds.search(keys, all.Bytes(), "") {
			t.Errorf("the run is answered %d with %s", got.status, found)
		}
		if got.header.Get("X-You-Sent") != "" {
			passed++
		}
	}
	provider.mu.Lock()
	defer provider.mu.Unlock()
	heard := provider.heard.Bytes()
	for _, found := range birds.search(placeholders, heard, "") {
		t.Errorf("the provider got %s", found)
	}
	if n := len(birds.search(keys, heard, "")); n < len(brokeredProviders) || passed < 9 ||
		passed > provider.count {
		t.Errorf("the provider has heard %d keys in %d requests, %d were answered", n,
			provider.count, passed)
	}
}
