package broker_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// open sends a request and returns its answer when the headers are there.
func (s *site) open(
	ctx context.Context, method, line string, h http.Header, body io.Reader, two bool,
) (*http.Response, error) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+line, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = h.Clone()
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!two)
	transport.Protocols.SetUnencryptedHTTP2(two)
	s.t.Cleanup(transport.CloseIdleConnections)
	return transport.RoundTrip(r)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func TestEventsArriveOneByOneAsTheyAreSent(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		w.WriteHeader(http.StatusOK)
		flush(w)
		for event := range next {
			if event == "" {
				return
			}
			_, _ = io.WriteString(w, event)
			flush(w)
		}
	})
	l := s.lease("openai")
	for _, kind := range []string{
		"text/event-stream", "application/x-ndjson", "application/octet-stream",
	} {
		for _, two := range []bool{false, true} {
			h := bearer(l)
			h.Set("Accept", kind)
			resp := must(s.open(t.Context(), "POST", "/openai/v1/x", h, nil, two))
			reader := bufio.NewReader(resp.Body)
			for i := range 3 {
				// What may be the beginning of the value waits, and the rest of a line does not.
				event := fmt.Sprintf("data: %d key\n", i)
				next <- event
				if got := must(reader.ReadString('\n')); got != event {
					t.Errorf("%s, %t: %q", kind, two, got)
				}
			}
			next <- ""
			if _, err := reader.ReadByte(); err != io.EOF {
				t.Errorf("%s: %v", kind, err)
			}
			_ = resp.Body.Close()
		}
	}
}

func TestARequestStreamsWhileItsAnswerDoes(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Trailer", "X-Sum")
		flush(w)
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(w, "echo", lines.Text())
			flush(w)
		}
		w.Header().Set("X-Sum", "trailer "+r.Trailer.Get("X-Up"))
	})
	l := s.lease("openai")
	for _, two := range []bool{false, true} {
		body, w := io.Pipe()
		r := must(
			http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/openai/v1/x", body),
		)
		r.Header, r.Trailer = bearer(l), http.Header{"X-Up": nil}
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!two)
		transport.Protocols.SetUnencryptedHTTP2(two)
		resp := must(transport.RoundTrip(r))
		reader := bufio.NewReader(resp.Body)
		for _, text := range []string{"one", "two"} {
			_, _ = io.WriteString(w, text+"\n")
			if got := must(reader.ReadString('\n')); got != "echo "+text+"\n" {
				t.Errorf("%q", got)
			}
		}
		r.Trailer.Set("X-Up", "up")
		_ = w.Close()
		_, err := io.Copy(io.Discard, reader)
		if got := resp.Trailer.Get("X-Sum"); got != "trailer up" || err != nil {
			t.Errorf("the trailer is %q: %v", got, err)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
}

func TestAnswersPassAsTheyAre(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Request-Id", "theirs")
		h.Set("Set-Cookie", "a=b")
		switch r.URL.Path {
		case "/v1/timeout":
			w.WriteHeader(http.StatusRequestTimeout)
			_, _ = io.WriteString(w, `{"type":"queued"}`)
		case "/v1/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/v1/unchanged":
			h.Set("Etag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		case "/v1/elsewhere":
			h.Set("Location", "https://storage.example/signed?x=y")
			w.WriteHeader(http.StatusFound)
		case "/v1/range":
			h.Set("Content-Range", "bytes 0-3/9")
			h.Set("Content-Type", "application/octet-stream")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, r.Header.Get("Range")[:4])
		case "/v1/head":
			h.Set("Content-Length", "12345")
			h.Set("Content-Type", "application/json")
		case "/v1/hints":
			h.Set("Link", "<a>")
			w.WriteHeader(http.StatusEarlyHints)
		case "/v1/binary":
			h.Set("Content-Length", "4")
			h.Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write([]byte{0, 1, 2, 255})
		}
	})
	l := s.lease("openai")
	for _, c := range []struct {
		method, path, body, header, value string
		status                            int
	}{
		{"POST", "timeout", `{"type":"queued"}`, "Retry-After", "", 408},
		{"DELETE", "nothing", "", "X-Request-Id", "theirs", 204},
		{"GET", "unchanged", "", "Etag", `"x"`, 304},
		{"GET", "elsewhere", "", "Location", "https://storage.example/signed?x=y", 302},
		{"GET", "range", "byte", "Content-Range", "bytes 0-3/9", 206},
		{"HEAD", "head", "", "Content-Length", "12345", 200},
		{"GET", "hints", "", "Link", "<a>", 200},
		{"GET", "binary", "\x00\x01\x02\xff", "Content-Length", "4", 200},
	} {
		h := bearer(l)
		h.Set("Range", "bytes=0-3")
		got := s.ask(c.method, "/openai/v1/"+c.path, h, nil)
		if got.status != c.status || got.body != c.body || got.header.Get(c.header) != c.value ||
			got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", c.path, got)
		}
	}
}

func TestABodyThatIsNotWantedIsNotSent(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/no" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	l := s.lease("openai")
	for path, want := range map[string]string{"no": "413 ", "yes": "100 200 body"} {
		conn := must(net.Dial("tcp", s.Listener.Addr().String()))
		_, _ = fmt.Fprintf(conn, "POST /openai/v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"+
			"Authorization: Bearer %s\r\nExpect: 100-continue\r\n\r\n", path, l.placeholder)
		reader, got := bufio.NewReader(conn), ""
		resp := must(http.ReadResponse(reader, nil))
		if resp.StatusCode == http.StatusContinue {
			got = "100 "
			_, _ = io.WriteString(conn, "body")
			resp = must(http.ReadResponse(reader, nil))
		}
		got += fmt.Sprint(resp.StatusCode, " ", string(must(io.ReadAll(resp.Body))))
		_ = conn.Close()
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestAClientThatLeavesEndsTheProvidersWorkAndAProviderThatBreaksOffIsSeen(t *testing.T) {
	t.Parallel()
	left, came := make(chan struct{}, 1), make(chan struct{}, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/early":
			came <- struct{}{}
			<-r.Context().Done()
			left <- struct{}{}
		case "/v1/late":
			w.WriteHeader(http.StatusOK)
			flush(w)
			<-r.Context().Done()
			left <- struct{}{}
		default:
			_, _ = io.WriteString(w, "half")
			flush(w)
			panic(http.ErrAbortHandler)
		}
	})
	l := s.lease("openai")
	ctx, cancel := context.WithCancel(t.Context())
	early := make(chan error, 1)
	go func() {
		_, err := s.open(ctx, "GET", "/openai/v1/early", bearer(l), nil, false)
		early <- err
	}()
	<-came
	cancel()
	<-left
	<-early
	resp := must(s.open(t.Context(), "GET", "/openai/v1/late", bearer(l), nil, false))
	_ = resp.Body.Close()
	<-left
	for _, two := range []bool{false, true} {
		resp := must(s.open(t.Context(), "GET", "/openai/v1/break", bearer(l), nil, two))
		if got, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%q is the whole answer", got)
		}
	}
	refused := map[string]int{}
	for _, r := range s.records() {
		refused[r.Refused]++
	}
	if refused["client"] != 1 || refused[""] != 3 {
		t.Errorf("recorded: %v", refused)
	}
}

func TestWhatALeaseHasOpenEndsWithIt(t *testing.T) {
	t.Parallel()
	began := make(chan struct{}, 9)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "upload") {
			began <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		if strings.HasSuffix(r.URL.Path, "answer") {
			_, _ = io.WriteString(w, "first\n")
			flush(w)
		}
		began <- struct{}{}
		<-r.Context().Done()
	})
	l, other := s.lease("openai"), s.lease("openai")
	type result struct{ path, got string }
	results := make(chan result, 9)
	for _, two := range []bool{false, true} {
		for _, path := range []string{"answer", "wait", "upload"} {
			go func() {
				var body io.Reader
				if path == "upload" {
					pipe, w := io.Pipe()
					go func() { _, _ = io.WriteString(w, "some") }() // and never ends
					body = pipe
				}
				resp, err := s.open(t.Context(), "POST", "/openai/v1/"+path, bearer(l), body, two)
				if err != nil {
					results <- result{path, "no answer"}
					return
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					text = fmt.Appendf(text, " and an error")
				} else if resp.StatusCode != http.StatusOK {
					text = fmt.Appendf(
						nil,
						"%d %s",
						resp.StatusCode,
						answer{header: resp.Header}.rule(),
					)
				}
				results <- result{path, string(text)}
			}()
			<-began
		}
	}
	stays := must(s.open(t.Context(), "GET", "/openai/v1/answer", bearer(other), nil, false))
	<-began
	s.revoke(l)
	want := map[string]string{
		"answer": "first\n and an error", "wait": "403 placeholder", "upload": "403 placeholder",
	}
	for range 6 {
		if r := <-results; r.got != want[r.path] {
			t.Errorf("%s ended with %q", r.path, r.got)
		}
	}
	if got := s.ask("GET", "/openai/v1/models", bearer(l), nil); got.rule() != "placeholder" {
		t.Errorf("after the end: %v", got)
	}
	if n := s.broker.Stats().Open; n != 1 {
		t.Errorf("%d are open", n)
	}
	_ = stays.Body.Close()
}

func TestLargeBodiesPassInBothDirectionsInLittleMemory(t *testing.T) {
	const size = 100 << 20
	chunk := make([]byte, 64<<10)
	_, _ = rand.Read(chunk)
	sums := make(chan [32]byte, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			h := sha256.New()
			n, _ := io.Copy(h, r.Body)
			_, _ = fmt.Fprint(w, n)
			sums <- [32]byte(h.Sum(nil))
			return
		}
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	want := sha256.New()
	for range size / len(chunk) {
		_, _ = want.Write(chunk)
	}
	l := s.lease("openai")
	var before, after runtime.MemStats
	for _, kind := range []string{"application/octet-stream", "text/plain"} {
		h := bearer(l)
		h.Set("Accept", kind)
		runtime.GC()
		runtime.ReadMemStats(&before)
		resp := must(s.open(t.Context(), "GET", "/openai/v1/x", h, nil, false))
		sum := sha256.New()
		n := must(io.Copy(sum, resp.Body))
		_ = resp.Body.Close()
		runtime.GC()
		runtime.ReadMemStats(&after)
		if n != size || !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s: %d bytes came, or others", kind, n)
		}
		if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 10<<20 {
			t.Errorf("%s: %d bytes more are in use", kind, grown)
		}
	}
	body := io.MultiReader(func() (parts []io.Reader) {
		for range size / len(chunk) {
			parts = append(parts, bytes.NewReader(chunk))
		}
		return parts
	}()...)
	got := s.ask("POST", "/openai/v1/x", bearer(l), body)
	if sum := <-sums; got.body != fmt.Sprint(size) || !bytes.Equal(sum[:], want.Sum(nil)) {
		t.Errorf("%s bytes arrived, or others", got.body)
	}
}

func TestAProviderThatRepeatsTheKeyIsNotHeard(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		body := string(must(io.ReadAll(r.Body)))
		body = strings.NewReplacer("KEY", key, "BASE64",
			base64.StdEncoding.EncodeToString([]byte("user:"+key))).Replace(body)
		w.Header().Set("X-Echo", "you sent "+key)
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Del("Content-Length")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for _, part := range strings.SplitAfter(body, "-") {
				_, _ = io.WriteString(z, part)
				_ = z.Flush()
				flush(w)
			}
			_ = z.Close()
			return
		}
		for i := range len(body) { // at every border
			_, _ = io.WriteString(w, body[i:i+1])
			flush(w)
		}
	})
	l := s.lease("openai")
	for _, encoding := range []string{"", "gzip", "br, gzip;q=0.5, zstd", "br"} {
		for _, kind := range []string{
			"application/json; charset=utf-8", "text/event-stream", "application/problem+json",
			"text/html",
		} {
			h := bearer(l)
			h.Set("Accept", kind)
			if encoding != "" {
				h.Set("Accept-Encoding", encoding)
			}
			got := s.ask("POST", "/openai/v1/x", h, strings.NewReader("a KEY b KEYKEY c"))
			want := strings.ReplaceAll("a KEY b KEYKEY c", "KEY", l.placeholder)
			if got.body != want || got.header.Get("X-Echo") != "you sent "+l.placeholder ||
				got.header.Get("Content-Encoding") != "" {
				t.Errorf("%s, %s: %v", kind, encoding, got)
			}
			got = s.ask("POST", "/openai/v1/x", h, strings.NewReader("a BASE64 b"))
			if !strings.Contains(got.body, l.placeholder) {
				t.Errorf("%s, %s: base64 came as %q", kind, encoding, got.body)
			}
		}
	}
	if s.broker.Stats().Echoed == 0 {
		t.Error("nothing was counted")
	}
}

func TestLimitsOfALeaseHold(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "hold") {
			<-hold
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"usage":{"input_tokens": 7,"output_tokens":5}}`)
	})
	limited := func(change func(*vault.BrokerLimits)) lease {
		return s.lease("openai", func(g *vault.Grant) { change(&g.Limits) })
	}
	ask := func(l lease, method, path, body string) answer {
		return s.ask(method, "/openai/v1/"+path, bearer(l), strings.NewReader(body))
	}
	for name, c := range map[string]struct {
		lease  lease
		passes int
		final  bool
	}{
		"a minute": {limited(func(b *vault.BrokerLimits) { b.PerMinute = 3 }), 3, false},
		"in all":   {limited(func(b *vault.BrokerLimits) { b.Requests = 2 }), 2, true},
		"tokens":   {limited(func(b *vault.BrokerLimits) { b.Tokens = 20 }), 2, true},
		"bytes":    {limited(func(b *vault.BrokerLimits) { b.Bytes = 100 }), 2, true},
		"used": {s.lease("openai", func(g *vault.Grant) {
			g.Limits.Requests, g.Used.Requests = 7, 6
		}), 1, true},
	} {
		for i := range c.passes {
			if got := ask(c.lease, "POST", "x", "123"); got.status != 200 {
				t.Errorf("%s, %d: %v", name, i, got)
			}
		}
		got := ask(c.lease, "POST", "x", "123")
		if got.status != 429 || got.header.Get("Retry-After") == "" || got.rule() != "limit" ||
			got.header.Get("X-Should-Retry") != fmt.Sprint(!c.final) ||
			!strings.Contains(got.body, "rate_limit_error") {
			t.Errorf("%s: %v", name, got)
		}
	}
	one := limited(func(b *vault.BrokerLimits) { b.Concurrent = 1 })
	first := make(chan answer)
	go func() { first <- ask(one, "GET", "hold", "") }()
	for s.broker.Stats().Open == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := ask(one, "GET", "x", ""); got.status != 429 {
		t.Errorf("two at once: %v", got)
	}
	close(hold)
	if got := <-first; got.status != 200 {
		t.Errorf("the first: %v", got)
	}
	narrow := limited(func(b *vault.BrokerLimits) {
		b.Methods, b.Paths = []string{"POST"}, []string{"/v1/chat/"}
	})
	for line, want := range map[string]string{
		"POST chat/completions": "", "GET chat/completions": "method", "POST models": "path",
	} {
		method, path, _ := strings.Cut(line, " ")
		if got := ask(narrow, method, path, ""); got.rule() != want {
			t.Errorf("%s: %v", line, got)
		}
	}
	var tokens int64
	for _, r := range s.records() {
		tokens += r.Tokens
		if r.Refused == "" && (r.Received == 0 || r.Host != "api.openai.com" || r.Status != 200) {
			t.Errorf("recorded: %+v", r)
		}
	}
	if tokens == 0 {
		t.Error("no tokens are recorded")
	}
}

func TestAMintedCredentialStaysAndItsStandInWorks(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jwt":"eyJhIjoxfQ.eyJleHAiOjl9.c2VjcmV0","with":%q}`,
			r.Header.Get("X-Api-Key"))
	})
	l := s.lease("tinker")
	h := http.Header{"X-Api-Key": {l.placeholder}}
	got := s.ask("POST", "/tinker/services/tinker-prod/api/v1/auth/token", h, nil)
	standIn := "eyJhIjoxfQ.eyJleHAiOjl9." + l.placeholder
	if want := fmt.Sprintf(`{"jwt":%q,"with":%q}`, standIn, l.placeholder); got.body != want {
		t.Fatalf("%s, want %s", got.body, want)
	}
	got = s.ask("GET", "/tinker/services/tinker-prod/api/v1/x",
		http.Header{"X-Api-Key": {standIn}}, nil)
	if got.status != 200 {
		t.Errorf("the stand-in is answered %v", got)
	}
}

// An idle stream has a connection of the client, with its goroutines and buffers. What the stand-in
// for the provider takes is counted too.
func TestAThousandIdleStreamsTakeLittleMemory(t *testing.T) {
	const streams = 1000
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		flush(w)
		<-r.Context().Done()
	})
	l := s.lease("openai")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range streams {
		_, reader, resp := s.dial("/openai/v1/x", "Authorization: Bearer "+l.placeholder+"\r\n")
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		if size := must(reader.ReadString('\n')); strings.TrimSpace(size) != "d" {
			t.Fatalf("the first chunk has %s", size)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	one := (int64(after.HeapInuse+after.StackInuse) -
		int64(before.HeapInuse+before.StackInuse)) / streams
	if n := s.broker.Stats().Open; n != streams || one > 96<<10 {
		t.Errorf("%d streams are open, with %d bytes each", n, one)
	}
	s.revoke(l)
	for s.broker.Stats().Open > 0 {
		time.Sleep(time.Millisecond)
	}
}
