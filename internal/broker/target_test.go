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

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/broker"
)

func TestOnlyTheExactHostAndPathOfTheCatalogGetAKey(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	openai, github, gitlab := s.lease("openai"), s.lease("github"), s.lease("gitlab")
	for _, c := range []struct {
		line, rule string
		lease      lease
	}{
		{"/openai/v1/models", "", openai},
		{"/openai/v1/", "", openai},
		{"/openai/@api.openai.com/v1/models", "", openai},
		{"/openai/v1/a%2Fb/c%20d/%E4?x=%2F&y=a;b&z=%zz&x", "", openai},
		{"/openai/v1/a;b=c/d:e/(f)/g@h/'*!$,+~", "", openai},
		{"/openai/v1/models?", "", openai},
		{"/github/repos/o/r/git/ref/heads%2Fmain", "", github},
		{"/gitlab/api/v4/projects/a%2Fb/issues", "", gitlab},
		{"/openai/v1/100%25", "", openai},

		{"/openai/v1", "path", openai},
		{"/openai/v1models", "path", openai},
		{"/openai/V1/models", "path", openai},
		{"/openai/%76%31/models", "target", openai},
		{"/openai/v1/mod%65ls", "target", openai},
		{"/openai/v1/mod%2565ls", "target", openai},
		{"/openai/v1/a%2Db", "target", openai},
		{"/gitlab/%61pi/v4/user", "target", gitlab},
		{"/gitlab/api%2Fv4/user", "target", gitlab},
		{"/gitlab/api;x/v4/user", "target", gitlab},
		{"/openai/", "path", openai},
		{"/openai", "path", openai},
		{"/openai?x", "path", openai},
		{"/openai/v2/models", "path", openai},
		{"/openai/admin/v1/models", "path", openai},
		{"/nobody/v1/models", "provider", openai},
		{"/OpenAI/v1/models", "provider", openai},
		{"/%6fpenai/v1/models", "provider", openai},
		{"/", "provider", openai},

		{"/openai/v1/../admin", "target", openai},
		{"/openai/v1/..", "target", openai},
		{"/openai/v1/./models", "target", openai},
		{"/openai/../openai/v1/models", "target", openai},
		{"/openai/v1/%2e%2e/admin", "target", openai},
		{"/openai/v1/%2E./admin", "target", openai},
		{"/openai/v1/..%2fadmin", "target", openai},
		{"/openai/v1/a%2f..%2f..%2fadmin", "target", openai},
		{"/openai/v1/%252e%252e/admin", "target", openai},
		{"/openai/v1/%25252e%25252e/admin", "target", openai},
		{"/openai/v1/..;/admin", "target", openai},
		{"/openai/v1/.%2e;x=y/admin", "target", openai},
		{"/openai/v1/..%3b/admin", "target", openai},
		{"/openai/v1//admin", "target", openai},
		{"/openai//v1/models", "target", openai},
		{"//openai/v1/models", "target", openai},
		{"/openai/v1/%2f/admin", "target", openai},
		{"/openai/v1/..%5cadmin", "target", openai},
		{"/openai/v1/a%00b", "target", openai},
		{"/openai/v1/a%0d%0ab", "target", openai},
		{"/openai/v1/a\\..\\b", "target", openai},

		{"/openai/@API.openai.com/v1/models", "host", openai},
		{"/openai/@api.openai.com./v1/models", "host", openai},
		{"/openai/@api.openai.com:443/v1/models", "host", openai},
		{"/openai/@user@api.openai.com/v1/models", "host", openai},
		{"/openai/@evil-api.openai.com/v1/models", "host", openai},
		{"/openai/@api.openai.com.evil.example/v1/models", "host", openai},
		{"/openai/@evil.example/v1/models", "host", openai},
		{"/openai/@openai.com/v1/models", "host", openai},
		{"/openai/@%61pi.openai.com/v1/models", "target", openai},
		{"/openai/@%D0%B0pi.openai.com/v1/models", "host", openai},
		{"/openai/@xn--pi-7kc.openai.com/v1/models", "host", openai},
		{"/openai/@127.0.0.1/v1/models", "host", openai},
		{"/openai/@2130706433/v1/models", "host", openai},
		{"/openai/@0177.0.0.1/v1/models", "host", openai},
		{"/openai/@[fe80::1%25eth0]/v1/models", "host", openai},
		{"/openai/@/v1/models", "target", openai},
		{"/openai/@github.com/o/r", "host", openai},
		{"/github/@api.openai.com/v1/models", "host", github},
	} {
		got := s.ask("GET", c.line, bearer(c.lease), nil)
		arrived, any := s.last()
		if got.rule() != c.rule || any != (c.rule == "") {
			t.Errorf("%s: %d by %q, want %q", c.line, got.status, got.rule(), c.rule)
			continue
		}
		if any {
			_, want, _ := strings.Cut(c.line[1:], "/")
			if rest, found := strings.CutPrefix(want, "@api.openai.com/"); found {
				want = rest
			}
			if arrived.line != "/"+want {
				t.Errorf("%s arrived as %s", c.line, arrived.line)
			}
		} else if (got.status == 400) != (c.rule == "target") || got.status/100 != 4 {
			t.Errorf("%s: %d", c.line, got.status)
		}
	}
}

func TestARequestWhoseLineOrHostSaysSomethingElseGoesNowhereElse(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	auth := "Authorization: Bearer " + l.placeholder + "\r\n"
	for name, c := range map[string]struct {
		request  string
		statuses string // of the answers, one after another
		lines    string // that the provider got
	}{
		"another Host":          {"GET /openai/v1/a HTTP/1.1\r\nHost: evil.example\r\n" + auth + "\r\n", "200", "/v1/a"},
		"an absolute form":      {"GET http://api.openai.com/openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", "400", ""},
		"an absolute https":     {"GET https://evil.example/openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", "400", ""},
		"an asterisk":           {"OPTIONS * HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", "400", ""},
		"TRACE":                 {"TRACE /openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", "403", ""},
		"TRACK":                 {"TRACK /openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", "403", ""},
		"two lengths":           {"POST /openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400", ""},
		"a length and chunks":   {"POST /openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /openai/v1/b HTTP/1.1\r\nHost: x\r\n\r\n", "200 403", "/v1/a"},
		"another encoding":      {"POST /openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501", ""},
		"a folded header":       {"GET /openai/v1/a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n Authorization: c\r\n" + auth + "\r\n", "200", "/v1/a"},
		"a space before colon":  {"GET /openai/v1/a HTTP/1.1\r\nHost: x\r\nAuthorization : b\r\n" + auth + "\r\n", "400", ""},
		"a key in the trailers": {"POST /openai/v1/a HTTP/1.1\r\nHost: x\r\n" + auth + "Trailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n", "400", ""},
		"no host":               {"GET /openai/v1/a HTTP/1.1\r\n" + auth + "\r\n", "400", ""},
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.request)
		var statuses []string
		reader := bufio.NewReader(conn)
		for range strings.Fields(c.statuses) {
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			statuses = append(statuses, fmt.Sprint(resp.StatusCode))
		}
		_ = conn.Close()
		var lines []string
		s.mu.Lock()
		for _, a := range s.got {
			lines = append(lines, a.line)
		}
		s.got = nil
		s.mu.Unlock()
		if got := strings.Join(
			statuses,
			" ",
		); got != c.statuses ||
			strings.Join(lines, " ") != c.lines {
			t.Errorf("%s: answered %s, and the provider got %v", name, got, lines)
		}
	}
}

func TestARefusalHasTheFormOfTheProvidersOwnErrors(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	for line, want := range map[string]string{
		"/openai/v1/models":  `{"error":{"code":"missing","message":"M","param":null,"type":"permission_error"}}`,
		"/anthropic/v1/any":  `{"error":{"message":"M","type":"permission_error"},"type":"error"}`,
		"/github/user":       `{"message":"M","status":"403"}`,
		"/nobody/anything/1": `{"detail":"N","error":{"code":"provider","message":"N","type":"permission_error"},"message":"N"}`,
	} {
		want = strings.NewReplacer(
			`"M"`, `"Keysake: The request has no placeholder of a lease as its credential"`,
			`"N"`, `"Keysake: There is no such provider"`,
		).Replace(want)
		got := s.ask("GET", line, http.Header{}, nil)
		if diff := cmp.Diff(want, got.body); diff != "" || got.status != 403 ||
			!strings.HasPrefix(got.header.Get("Keysake-Broker"), "type=permission_error; rule=") {
			t.Errorf("%s: %v %s", line, got.header, diff)
		}
	}
	got := s.ask("POST", "/openai/v1/x", http.Header{"Content-Type": {"application/grpc"}}, nil)
	if got.status != 200 || got.header.Get("Grpc-Status") != "7" || got.body != "" {
		t.Errorf("gRPC: %v", got)
	}
}

func TestATemplateOfAPathHasNoIdentifier(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/v1/chat/completions": "/v1/chat/completions", "/": "/", "": "/",
		"/v1/threads/thread_abc123/runs": "/v1/threads/{}/runs",
		"/v1beta/models/gemini-2.5-pro":  "/v1beta/models/{}",
		"/repos/Octo/R/pulls/7":          "/repos/{}/{}/pulls/{}",
		"/a/b/c/d/e/f/g/h/i/j":           "/a/b/c/d/e/f/g/h/…",
		"/v1/%41%42":                     "/v1/{}",
		"/v1234/v12alpha12/v1a123/v1a2b": "/{}/v12alpha12/{}/{}",
		"/a_b-c.d/_a/v/v1-/v123":         "/a_b-c.d/{}/v/{}/v123",
		"/v1/" + strings.Repeat("a", 99): "/v1/{}",
	} {
		if got := broker.Template(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// Whatever passes as canonical means the same however often it is decoded.
func FuzzTarget(f *testing.F) {
	for _, line := range []string{
		"/openai/v1/models?x=y", "/openai/v1/%2e%2e/a", "/github/@github.com/o/r.git", "//",
		"/openai/v1/..;/a", "/a/%25%32%65%25%32%65/b", "/a/b%2Fc/..", "/a?b?c#d", "/a/@/b",
		"*", "/ ",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		provider, host, path, query, ok := broker.ParseTarget(line)
		if !ok {
			return
		}
		whole := "/" + provider
		if host != "" {
			whole += "/@" + host
		}
		whole += path
		if strings.Contains(line, "?") {
			whole += "?" + query
		}
		if whole != line && whole != line+"/" && !strings.HasPrefix(line, "/"+provider+"?") {
			t.Fatalf("%q became %q", line, whole)
		}
		if path[0] != '/' || strings.Contains(path, "//") ||
			strings.ContainsAny(whole, " \\#\r\n") {
			t.Fatalf("%q has the path %q", line, path)
		}
		for range 4 {
			for segment := range strings.SplitSeq(path, "/") {
				if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
					t.Fatalf("%q has a segment that servers take away", line)
				}
			}
			path = broker.Unescape(path)
		}
	})
}

// Whatever is a host of the catalog has one form, and ends as the pattern does.
func FuzzHost(f *testing.F) {
	for _, host := range []string{
		"api.openai.com", "a.modal.run", "a.b.modal.run", ".modal.run", "modal.run", "A.modal.run",
		"a..modal.run", "a.modal.run.", "a\x00.modal.run", "evil.example/.modal.run",
		"a:1.modal.run",
		"evil@x.modal.run", "xmodal.run", "127.0.0.1", "%61.modal.run", "é.modal.run",
	} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if broker.MatchesHost("api.openai.com", host) != (host == "api.openai.com") {
			t.Fatalf("%q is api.openai.com", host)
		}
		if !broker.MatchesHost("*.modal.run", host) {
			return
		}
		labels, below := strings.CutSuffix(host, ".modal.run")
		for label := range strings.SplitSeq(labels, ".") {
			below = below && label != "" &&
				strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
		}
		if !below {
			t.Fatalf("%q is below modal.run", host)
		}
	})
}
