package relay_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/relay"
)

// start runs a relay before a broker that the test plays.
func start(t *testing.T, broker http.HandlerFunc, hosts map[string]string) *relay.Relay {
	t.Helper()
	server := httptest.NewServer(broker)
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL + "/at/")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "r") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r, err := relay.Start(relay.Options{
		Broker: to, Transport: &http.Transport{DisableCompression: true}, Dir: dir, Hosts: hosts,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// speak sends text to a relay and returns a reader of what comes back.
func speak(t *testing.T, network, address, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	var dial net.Dialer
	c, err := dial.DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func response(t *testing.T, from *bufio.Reader) (*http.Response, string) {
	t.Helper()
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestARequestArrivesAsItWasSent(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "%s %s %q %v %s", r.Method, r.RequestURI, body, r.Header,
			r.Trailer.Get("X-Sum"))
	}, nil)
	_, from := speak(t, "tcp", strings.TrimPrefix(r.URL, "http://"),
		"POST /openai/v1/a%2Fb/%7e?x=1;y&z=%zz HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer p\r\n"+
			"X-Forwarded-For: 192.0.2.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"+
			"2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n")
	answer, body := response(t, from)
	if answer.StatusCode != http.StatusTeapot || answer.Header.Get("X-Seen") != "yes" {
		t.Errorf("the answer has the status %d", answer.StatusCode)
	}
	const want = `POST /at/openai/v1/a%2Fb/%7e?x=1;y&z=%zz "hi" map[Authorization:[Bearer p]] 7`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerStreamsBothWays(t *testing.T) {
	read := make(chan struct{})
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(c,
				"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(c, c)
			_ = c.Close()
			return
		}
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-read
		_, _ = io.WriteString(w, "data: 2\n\n")
	}, nil)
	host := strings.TrimPrefix(r.URL, "http://")
	_, from := speak(t, "tcp", host, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 9)
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "data: 1\n\n" {
		t.Errorf("the first event is %q: %v", first, err)
	}
	close(read)
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "data: 2\n\n" {
		t.Errorf("the second event is %q: %v", rest, err)
	}
	c, from := speak(t, "tcp", host,
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if answer, err := http.ReadResponse(from, nil); err != nil ||
		answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("it is not upgraded: %v", err)
	}
	_, _ = io.WriteString(c, "ping")
	if _, err := io.ReadFull(from, first[:4]); err != nil || string(first[:4]) != "ping" {
		t.Errorf("the socket answers %q: %v", first[:4], err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerMayBeginBeforeItsRequestHasEnded(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_, _ = io.WriteString(w, "begun\n")
		_ = control.Flush()
		_, _ = io.Copy(w, r.Body)
	}, map[string]string{"api.example.org": "/example"})
	for network, address := range map[string]string{
		"tcp": strings.TrimPrefix(r.URL, "http://"), "unix": r.Socket,
	} {
		c, from := speak(t, network, address,
			"POST / HTTP/1.1\r\nHost: api.example.org\r\nContent-Length: 4\r\n\r\n")
		answer, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len("begun\n"))
		if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "begun\n" {
			t.Errorf("%s: the answer begins with %q: %v", network, first, err)
		}
		_, _ = io.WriteString(c, "rest")
		if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "rest" {
			t.Errorf("%s: the answer ends with %q: %v", network, rest, err)
		}
	}
}

func TestAnAnswerMayEndBeforeItsRequestAndWhatStillComesIsNoRequest(t *testing.T) {
	asked := make(chan string, 9)
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, "no")
	}, nil)
	const rest = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	c, from := speak(t, "tcp", strings.TrimPrefix(r.URL, "http://"), fmt.Sprintf(
		"POST /asked HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(rest)))
	answer, body := response(t, from)
	if body != "no" || !answer.Close {
		t.Errorf("the answer is %q, and the connection goes on: %t", body, !answer.Close)
	}
	_, _ = io.WriteString(c, rest)
	if more, err := io.ReadAll(from); len(more) > 0 || err != nil {
		t.Errorf("then comes %q: %v", more, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if len(asked) != 1 {
		t.Errorf("%d requests arrive", len(asked))
	}
}

func TestTheSocketLeadsTheHostsOfTheRunAndNoOther(t *testing.T) {
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
	}, map[string]string{"api.example.org": "/example/@api.example.org"})
	info, err := os.Stat(r.Socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v: %v", info.Mode(), err)
	}
	for host, want := range map[string]string{
		"api.example.org": "200 /at/example/@api.example.org/user?a=b",
		"API.example.ORG": "200 /at/example/@api.example.org/user?a=b",
		"example.org":     "403 keysake: the lease has no secret for this host\n",
		"x.example.org":   "403 keysake: the lease has no secret for this host\n",
	} {
		_, from := speak(t, "unix", r.Socket, "GET /user?a=b HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		answer, body := response(t, from)
		if got := fmt.Sprintf("%d %s", answer.StatusCode, body); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestNoPlaceholderTravelsInTheClear(t *testing.T) {
	for _, address := range []string{
		"http://broker.example.org", "http://192.0.2.1:1", "ftp://127.0.0.1", "http://[::2]",
	} {
		to, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := relay.Start(relay.Options{Broker: to}); err == nil {
			t.Errorf("%s is a broker", address)
		}
	}
}

func TestABrokerThatIsAwayIsA502AndAProgramThatLeavesEndsItsRequest(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	r := start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	}, nil)
	c, _ := speak(t, "tcp", strings.TrimPrefix(r.URL, "http://"),
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-arrived
	_ = c.Close()
	<-left

	away, err := relay.Start(relay.Options{
		Broker: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, Transport: &http.Transport{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	answer, err := http.Get(away.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadGateway {
		t.Errorf("the answer has the status %d", answer.StatusCode)
	}
	_, from := speak(t, "tcp", strings.TrimPrefix(away.URL, "http://"),
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
	if answer, _ := response(t, from); !answer.Close {
		t.Error("what still comes of a body would be taken for a request")
	}
}
