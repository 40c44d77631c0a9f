package attack_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// The provider of the run, and a host that its lease has nothing to do with. Both are there, so
// that what goes wrong arrives somewhere.
const (
	pinnedHost = "api.openai.com"
	otherHost  = "api.evil.example"
)

// cutOff is what a provider notes of a body that did not end.
const cutOff = " (cut off)"

var providerPair = apptest.TrustedPair(pinnedHost, otherHost)

// A Run is what a program has that gets its key from the broker, and is the attacker: an address
// and a placeholder. It also sees what its provider and another host are sent.
type Run struct {
	t                   *testing.T
	server              *apptest.Server
	broker, placeholder string
	lease, secret       string // their ids
	key                 string

	mu   sync.Mutex
	came []string // "HOST LINE CREDENTIAL", and the name of each header that no client of ours has
}

// newRun starts a server, and a run with a key of one provider.
func newRun(t *testing.T, answer http.HandlerFunc) *Run {
	t.Helper()
	t.Parallel()
	r := &Run{t: t, key: "key-of-mia-for-her-provider"}
	provider := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, in *http.Request) {
			body, err := io.ReadAll(in.Body)
			if err != nil {
				body = append(body, cutOff...)
			}
			r.mu.Lock()
			r.came = append(r.came, strings.TrimSpace(fmt.Sprint(in.Host, " ", in.RequestURI, " ",
				in.Header.Get("Authorization"), " ", in.Header.Get("X-Injected"), " ",
				string(body))))
			r.mu.Unlock()
			if answer != nil {
				answer(w, in)
			}
		}))
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{providerPair}, MinVersion: tls.VersionTLS12,
	}
	provider.EnableHTTP2 = true
	provider.StartTLS()
	t.Cleanup(provider.Close)
	r.server = apptest.Start(t, func(c *config.Config) {
		c.BrokerListen = "127.0.0.1:0"
		c.EgressAllow = apptest.Egress(
			provider.Listener.Addr().String(), pinnedHost, otherHost)
	})
	made, err := r.server.Client(t).CreateFromPreset(t.Context(), wire.CreateFromPreset{
		Provider: "openai", Value: plaintext.FromString(r.key),
	})
	apptest.Must(t, err)
	lease, err := r.server.Client(t).CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{made.ID}, Delivery: wire.DeliveryBroker,
	})
	apptest.Must(t, err)
	r.broker = strings.TrimPrefix(lease.Broker.URL, "http://")
	r.placeholder, r.lease = lease.Broker.Secrets[0].Placeholder, lease.ID
	r.secret = made.ID
	return r
}

// send sends bytes to the broker, with AUTH for the header of the placeholder, and returns the
// statuses of all answers until the connection ends or none comes.
func (r *Run) send(text string) (statuses string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.broker)
	apptest.Must(r.t, err)
	defer conn.Close()
	_, _ = io.WriteString(conn, strings.NewReplacer(
		"AUTH", "Authorization: Bearer "+r.placeholder+"\r\n", "PLACEHOLDER", r.placeholder,
	).Replace(text))
	reader := bufio.NewReader(conn)
	for patience := time.Minute; ; patience = 100 * time.Millisecond {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return strings.TrimSpace(statuses)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		statuses += fmt.Sprint(resp.StatusCode, " ")
	}
}

// arrived returns what came since it was asked last.
func (r *Run) arrived() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	came := strings.Join(r.came, "\n")
	r.came = nil
	return came
}

// refused demands that a request goes nowhere.
func (r *Run) refused(what, text string) {
	r.t.Helper()
	got := r.send(text)
	if came := r.arrived(); came != "" || got == "" || got[0] != '4' {
		r.t.Errorf("%s: answered %s, and there came\n%s", what, got, came)
	}
}

func TestARunLeadsItsKeyToNoOtherHost(t *testing.T) {
	r := newRun(t, nil)
	for _, host := range []string{
		otherHost, "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]",
		"[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1%25eth0]", "localhost",
		pinnedHost + "." + otherHost, "x" + pinnedHost, pinnedHost + ".", pinnedHost + ":443",
		strings.ToUpper(pinnedHost), "user@" + pinnedHost, pinnedHost + "@" + otherHost,
		"%61pi.openai.com", "api。openai.com",
	} {
		r.refused(host+" in the path",
			"GET /openai/@"+host+"/v1/models HTTP/1.1\r\nHost: x\r\nAUTH\r\n")
		r.refused(host+" in the line",
			"GET https://"+host+"/openai/v1/models HTTP/1.1\r\nHost: x\r\nAUTH\r\n")
		r.refused(host+" for a proxy", "CONNECT "+host+":8443 HTTP/1.1\r\nHost: "+host+":8443\r\n"+
			"Proxy-Authorization: Bearer PLACEHOLDER\r\n\r\n")
	}
	for _, path := range []string{
		"/openai/../evil/v1", "/openai/v1/../../admin", "/openai/v1/%2e%2e/admin",
		"/openai/v1/..%2fadmin", "/openai/v1/%252e%252e/admin", "/openai/v1/..;/admin",
		"/openai/v1//admin", "/openai/v1/..%5cadmin", "//api.evil.example/v1", "/openai/admin",
	} {
		r.refused(path, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAUTH\r\n")
	}
	// What a client says of the host counts for nothing.
	if got := r.send("GET /openai/v1/models HTTP/1.1\r\nHost: " + otherHost + "\r\n" +
		"X-Forwarded-Host: " + otherHost + "\r\nForwarded: host=" + otherHost + "\r\n" +
		"AUTH\r\n"); got != "200" {
		t.Errorf("another Host: %s", got)
	}
	if came := r.arrived(); came != pinnedHost+" /v1/models Bearer "+r.key {
		t.Errorf("there came\n%s", came)
	}
}

func TestARunSmugglesNoRequestPastTheBroker(t *testing.T) {
	r := newRun(t, nil)
	const post = "POST /openai/v1/files HTTP/1.1\r\nHost: x\r\nAUTH"
	const second = "GET /openai/v1/second HTTP/1.1\r\nHost: x\r\n\r\n"
	for what, c := range map[string]struct{ text, statuses, came string }{
		"two lengths":             {post + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + second, "400", ""},
		"a length and chunks":     {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second, "200 403", pinnedHost + " /v1/files Bearer " + r.key},
		"chunks that are hidden":  {post + "Content-Length: 4\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + second, "400", ""},
		"chunks of another kind":  {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + second, "501", ""},
		"a folded header":         {post + "X-A: b\r\n X-Injected: c\r\nContent-Length: 0\r\n\r\n", "200", pinnedHost + " /v1/files Bearer " + r.key},
		"a bare line feed":        {post + "X-A: b\nContent-Length: 0\r\n\r\n", "200", pinnedHost + " /v1/files Bearer " + r.key},
		"a return in a header":    {post + "X-A: b\rX-Injected: c\r\nContent-Length: 0\r\n\r\n", "400", ""},
		"a NUL in a header":       {post + "X-A: b\x00\r\nContent-Length: 0\r\n\r\n", "400", ""},
		"a line in the path":      {"GET /openai/v1/a%0d%0aX-Injected:%20c HTTP/1.1\r\nHost: x\r\nAUTH\r\n", "400", ""},
		"a space in the path":     {"GET /openai/v1/a X-Injected HTTP/1.1\r\nHost: x\r\nAUTH\r\n", "400", ""},
		"a credential as trailer": {post + "Trailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n", "400", ""},
		"TRACE":                   {"TRACE /openai/v1/models HTTP/1.1\r\nHost: x\r\nAUTH\r\n", "403", ""},
	} {
		got := r.send(c.text)
		if came := r.arrived(); got != c.statuses || came != c.came {
			t.Errorf("%s: answered %s, and there came\n%s", what, got, came)
		}
	}
}

func TestAProviderLeadsNoKeyElsewhereByARedirect(t *testing.T) {
	r := newRun(t, func(w http.ResponseWriter, in *http.Request) {
		status := http.StatusFound
		if in.Method == http.MethodPost {
			status = http.StatusPermanentRedirect
		}
		http.Redirect(w, in, "https://"+otherHost+"/v1/steal", status)
	})
	for method, want := range map[string]string{"GET": "302", "POST": "308"} {
		got := r.send(method + " /openai/v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" +
			"AUTH\r\n")
		if came := r.arrived(); got != want || came != pinnedHost+" /v1/models Bearer "+r.key {
			t.Errorf("%s: answered %s, and there came\n%s", method, got, came)
		}
	}
}

func TestALeaseThatIsRevokedEndsAnUploadAndAStream(t *testing.T) {
	r, streams := newStreamingRun(t)
	r.ends(streams, func() {
		_, err := r.server.Client(t).RevokeLease(t.Context(), r.lease)
		apptest.Must(t, err)
	})
}

func TestAGrantThatIsWithdrawnEndsAnUploadAndAStreamOfThePlatform(t *testing.T) {
	r, streams := newStreamingRun(t)
	scopes := []string{"secrets:read", "leases:write", "act:user"}
	key := r.server.NewUser(t, "acme-backend", scopes...)
	grant, err := r.server.Client(t).CreateUserGrant(t.Context(),
		wire.CreateUserGrant{User: "acme-backend"})
	apptest.Must(t, err)
	platform, err := client.New(r.server.URL, key, client.ActingFor("dev"))
	apptest.Must(t, err)
	lease, err := platform.CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{r.secret}, Delivery: wire.DeliveryBroker,
	})
	apptest.Must(t, err)
	r.placeholder = lease.Broker.Secrets[0].Placeholder
	r.ends(streams, func() {
		apptest.Must(t, r.server.Client(t).RemoveUserGrant(t.Context(), grant.ID))
	})
}

// newStreamingRun is newRun with a provider that begins an answer, says so, and never ends it.
func newStreamingRun(t *testing.T) (r *Run, streams <-chan struct{}) {
	t.Helper()
	begun := make(chan struct{}, 1)
	return newRun(t, func(w http.ResponseWriter, in *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		begun <- struct{}{}
		<-in.Context().Done()
	}), begun
}

// ends demands that what is done while the run has a stream and an upload ends both.
func (r *Run) ends(streams <-chan struct{}, do func()) {
	t := r.t
	t.Helper()
	open := func(text string) *bufio.Reader {
		conn, err := net.Dial("tcp", r.broker)
		apptest.Must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, strings.ReplaceAll(text, "AUTH",
			"Authorization: Bearer "+r.placeholder+"\r\n"))
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		return bufio.NewReader(conn)
	}
	stream := open("GET /openai/v1/responses HTTP/1.1\r\nHost: x\r\nAUTH\r\n")
	<-streams
	upload := open("POST /openai/v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\nAUTH\r\nx")
	do()
	if text, err := io.ReadAll(stream); strings.Contains(string(text), "0\r\n\r\n") {
		t.Errorf("the stream has an end: %q %v", text, err)
	}
	//nolint:bodyclose // its connection ends with the test
	resp, err := http.ReadResponse(upload, nil)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("the upload is answered %v: %v", resp, err)
	}
	came := r.arrived()
	if strings.Contains(came, "/v1/files") && !strings.Contains(came, cutOff) {
		t.Error("the upload arrived whole")
	}
}
