package broker_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/broker"
)

// A duplexer takes a connection over, says what came, and repeats what comes.
func duplexer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		_, _ = io.WriteString(w, "no upgrade: "+r.Header.Get("Upgrade"))
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Accept: made of %s\r\nX-Got: %s; %s; %s\r\n\r\n",
		r.Header.Get("Sec-Websocket-Key"), r.Header.Get("Authorization"),
		r.Header.Get("Sec-Websocket-Protocol"), r.Header.Get("Origin"))
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
}

func (s *site) dial(line, headers string) (net.Conn, *bufio.Reader, *http.Response) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers)
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return conn, reader, resp
}

func TestAWebSocketPassesWithTheKeyInAHeader(t *testing.T) {
	t.Parallel()
	s := start(t, duplexer)
	l := s.lease("openai")
	const upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: abc\r\nOrigin: https://a.example\r\n"
	for name, c := range map[string][2]string{
		"header":      {"Authorization: Bearer " + l.placeholder + "\r\n", "Bearer " + l.placeholder + "; ; "},
		"subprotocol": {"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key." + l.placeholder + ", beta\r\n", "Bearer " + l.placeholder + "; realtime, beta; "},
	} {
		conn, reader, resp := s.dial("/openai/v1/realtime?model=x", upgrade+c[0])
		if resp.StatusCode != http.StatusSwitchingProtocols ||
			resp.Header.Get("Sec-Websocket-Accept") != "made of abc" ||
			strings.TrimSpace(resp.Header.Get("X-Got")) != strings.TrimSpace(c[1]) {
			t.Fatalf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
		for _, text := range []string{"one\n", strings.Repeat("x", 1<<20) + "\n"} {
			go func() { _, _ = io.WriteString(conn, text) }()
			if got, err := reader.ReadString('\n'); got != text {
				t.Errorf("%s: %d bytes came back: %v", name, len(got), err)
			}
		}
	}
	conn, reader, _ := s.dial(
		"/openai/v1/realtime",
		upgrade+"Authorization: Bearer "+l.placeholder+"\r\n",
	)
	_, _ = io.WriteString(conn, "open\n")
	if got, err := reader.ReadString('\n'); got != "open\n" {
		t.Error(got, err)
	}
	s.revoke(l)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := reader.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the socket outlives its lease: %v", err)
	}
}

func TestAnUpgradeThatTheCatalogDoesNotListIsRefusedOrLeftOut(t *testing.T) {
	t.Parallel()
	s := start(t, duplexer)
	anthropic, openai := s.lease("anthropic"), s.lease("openai")
	for _, c := range []struct{ line, headers, want string }{
		{"/anthropic/v1/x", "X-Api-Key: " + anthropic.placeholder + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", "403"},
		{"/openai/v1/x", "Authorization: Bearer " + openai.placeholder + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", "200"},
	} {
		if _, _, resp := s.dial(c.line, c.headers); fmt.Sprint(resp.StatusCode) != c.want {
			t.Errorf("%s: %d %v", c.line, resp.StatusCode, resp.Header)
		}
	}
}

// However an answer is cut, what is written is the same, and has no value.
func FuzzScrubbedBody(f *testing.F) {
	f.Add("a secret-value b", "secret-value", 3)
	f.Add("secret-vsecret-value", "secret-value", 1)
	f.Add("aaaaaaaaaaaaaaaab", "aaaaaaaaab", 2)
	f.Fuzz(func(t *testing.T, text, value string, cut int) {
		if cut < 1 || len(value) < 8 || len(text) > 1<<16 || strings.Contains("sk-proj-X", value) {
			return
		}
		whole := broker.Scrub(value, "sk-proj-X", text, len(text)+1)
		if cutUp := broker.Scrub(value, "sk-proj-X", text, cut); cutUp != whole {
			t.Fatalf("%q by %d became %q, and whole %q", text, cut, cutUp, whole)
		}
		if !strings.Contains(text, value) {
			return
		}
		if len([]rune(value)) >= 8 && whole == text {
			t.Fatalf("%q has the value still", whole)
		}
	})
}

func FuzzSubprotocols(f *testing.F) {
	f.Add("realtime, openai-insecure-api-key.PLACEHOLDER, beta")
	f.Add(",,openai-insecure-api-key.,")
	f.Fuzz(func(t *testing.T, value string) {
		rest := broker.StripSubprotocols(value, "openai-insecure-api-key.")
		if strings.Contains(rest, "openai-insecure-api-key.") &&
			!strings.Contains(strings.ReplaceAll(value, " ", ""), "-key") {
			t.Fatalf("%q became %q", value, rest)
		}
		for part := range strings.SplitSeq(rest, ",") {
			if strings.HasPrefix(strings.TrimSpace(part), "openai-insecure-api-key.") {
				t.Fatalf("%q became %q", value, rest)
			}
		}
	})
}
