package relay_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/relay"
)

// tunnels is a broker that opens a tunnel to whoever has the login, and repeats what comes.
func tunnels(w http.ResponseWriter, r *http.Request) {
	user, password, _ := (&http.Request{Header: http.Header{
		"Authorization": r.Header["Proxy-Authorization"],
	}}).BasicAuth()
	switch {
	case r.Method != http.MethodConnect || r.Host != r.RequestURI:
		w.WriteHeader(http.StatusTeapot)
	case password == "":
		w.Header().Set("Proxy-Authenticate", `Basic realm="keysake"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	case r.Host == "broken.example:443":
		w.WriteHeader(http.StatusNotFound)
	case r.Host != "api.example:443":
		w.Header().Set("Keysake-Broker", "type=permission_error; rule=host")
		w.WriteHeader(http.StatusForbidden)
	default:
		c, rw, _ := http.NewResponseController(w).Hijack()
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 Yes\r\n\r\n%s %s;", user, password)
		_, _ = io.Copy(c, rw)
		_ = c.Close()
	}
}

const login = "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" // user:pass

// ask asks a relay for a tunnel, and at once sends more.
func ask(t *testing.T, r *relay.Relay, host, header string) (string, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, from := speak(t, "tcp", strings.TrimPrefix(r.URL, "http://"),
		"CONNECT "+host+" HTTP/1.1\r\nHost: "+host+"\r\n"+header+"\r\nearly")
	answer, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return fmt.Sprintf("%d%v%v", answer.StatusCode, answer.Header["Proxy-Authenticate"],
		answer.Header["Keysake-Broker"]), conn, from
}

func TestATunnelIsTheBrokersAndEndsWithTheRelay(t *testing.T) {
	r := start(t, tunnels, nil)
	for host, want := range map[string]string{
		"other.example:443":  "403[][type=permission_error; rule=host]",
		"broken.example:443": "502[][]",
	} {
		if got, _, _ := ask(t, r, host, login); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	if got, _, _ := ask(t, r, "api.example:443", ""); got != `407[Basic realm="keysake"][]` {
		t.Errorf("without a login: %s", got)
	}
	got, conn, from := ask(t, r, "api.example:443", login)
	_, _ = io.WriteString(conn, ", late")
	const want = "user pass;early, late"
	text := make([]byte, len(want))
	if _, err := io.ReadFull(from, text); err != nil || string(text) != want || got != "200[][]" {
		t.Errorf("%s and %q: %v", got, text, err)
	}
	// What one side ends, the other is told.
	_ = conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
		t.Errorf("%q: %v", rest, err)
	}
	_, _, from = ask(t, r, "api.example:443", login)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	_, _ = io.ReadAll(from) // it ends
}

func TestARelayReachesTheBrokerThroughTheProxyOfTheMachine(t *testing.T) {
	broker := httptest.NewTLSServer(http.HandlerFunc(tunnels))
	defer broker.Close()
	to, _ := url.Parse(broker.URL)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != to.Host ||
			r.Header.Get("Proxy-Authorization") != "Basic bWU6c2VjcmV0" { // me:secret
			w.WriteHeader(http.StatusForbidden)
			return
		}
		out, err := net.Dial("tcp", to.Host)
		if err != nil {
			return
		}
		in, rw, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(out, rw); _ = out.Close() }()
		_, _ = io.Copy(in, out)
		_ = in.Close()
	}))
	defer proxy.Close()
	through := broker.Client().Transport.(*http.Transport).Clone()
	for user, want := range map[string]string{
		"me:secret@": "200[][]", "": "502[][type=api_error; rule=unreachable]",
	} {
		via, err := url.Parse("http://" + user + strings.TrimPrefix(proxy.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		through.Proxy = http.ProxyURL(via)
		r, err := relay.Start(relay.Options{Broker: to, Transport: through})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := ask(t, r, "api.example:443", login); got != want {
			t.Errorf("%q: %s, want %s", user, got, want)
		}
		_ = r.Close()
	}
}

func TestNothingIsAskedInTheClearThroughTheProxyOfARun(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
	}, nil)
	own := strings.TrimPrefix(r.URL, "http://")
	for target, want := range map[string]string{
		"http://" + own + "/openai/v1?a=b": "200 /at/openai/v1?a=b",
		"http://api.example/openai/v1":     "403 keysake: the proxy of this run is for https alone\n",
	} {
		_, from := speak(t, "tcp", own, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		answer, body := response(t, from)
		if got := fmt.Sprintf("%d %s", answer.StatusCode, body); got != want {
			t.Errorf("%s: %s", target, got)
		}
	}
}
