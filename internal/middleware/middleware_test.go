package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/middleware"
)

// A site is a server whose handler has everything around it.
type site struct {
	*httptest.Server
	mu       sync.Mutex
	log      bytes.Buffer
	observed []string
}

// serve runs a handler on a socket. Its server gives up on slow connections soon.
func serve(t *testing.T, next http.HandlerFunc, change ...func(*middleware.Options)) *site {
	t.Helper()
	s := prepare(t, next, change...)
	s.Start()
	return s
}

// prepare is serve without the socket.
func prepare(t *testing.T, next http.HandlerFunc, change ...func(*middleware.Options)) *site {
	t.Helper()
	s := &site{}
	o := middleware.Options{
		Log: slog.New(slog.NewJSONHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(route, method string, status int, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.observed = append(s.observed, fmt.Sprint(method, " ", route, " ", status))
		},
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, err.Error())
		},
	}
	for _, c := range change {
		c(&o)
	}
	s.Server = httptest.NewUnstartedServer(middleware.New(o, next))
	s.Config.ReadTimeout, s.Config.WriteTimeout = serverTimeout, serverTimeout
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(s.Close)
	return s
}

const serverTimeout = 500 * time.Millisecond

// Write takes a line of the log.
func (s *site) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// lines stops the server and returns its log.
func (s *site) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	s.Close()
	for text := range bytes.Lines(s.log.Bytes()) {
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// An answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
	proto  int
}

// ask sends a request. Its error says that the answer did not come, or not whole.
func (s *site) ask(
	t *testing.T, method, path string, h http.Header, body io.Reader,
) (got answer, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	resp, err := s.Client().Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text), resp.ProtoMajor}, err
}

func TestEveryRequestHasAnIdOfItsOwnWhateverTheClientSays(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, middleware.From(r.Context()).ID)
	})
	ids := map[string]bool{}
	for range 3 {
		mine := http.Header{"X-Request-Id": {"mine"}}
		got, err := s.ask(t, "GET", "/", mine, nil)
		if err != nil || len(got.body) != 24 || got.header.Get("X-Request-Id") != got.body {
			t.Errorf("the handler's id is %s, that of the answer %v: %v", got.body, got.header, err)
		}
		ids[got.body] = true
	}
	for _, line := range s.lines(t) {
		delete(ids, line["request_id"].(string))
	}
	if len(ids) > 0 {
		t.Errorf("the log lacks %v", ids)
	}
}

func TestTheAddressIsThatBeforeTheTrustedProxies(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, middleware.From(r.Context()).Client.String())
	}
	forwarded := http.Header{"X-Forwarded-For": {"203.0.113.9, 192.0.2.1", "10.1.2.3"}}
	trusting := serve(t, answer, func(o *middleware.Options) {
		o.TrustedProxies = []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
		}
	})
	for want, s := range map[string]*site{"192.0.2.1": trusting, "127.0.0.1": serve(t, answer)} {
		if got, err := s.ask(t, "GET", "/", forwarded, nil); err != nil || got.body != want {
			t.Errorf("the client is %s, want %s: %v", got.body, want, err)
		}
	}
}

func TestAnAnswerIsLoggedByItsRouteAndCallerAndNothingThatWasSent(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		req := middleware.From(r.Context())
		switch r.URL.Path {
		case "/known":
			req.Route, req.Caller = "/{name}", caller{}
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
		case "/flushed":
			_ = http.NewResponseController(w).Flush()
		case "/gone":
			panic(http.ErrAbortHandler)
		}
	})
	for _, c := range [][2]string{
		{"GET", "/known?canary"}, {"GET", "/flushed"}, {"CANARY", "/canary"}, {"POST", "/gone"},
	} {
		h := http.Header{"Canary": {"canary"}}
		_, _ = s.ask(t, c[0], c[1], h, strings.NewReader("canary"))
	}
	var got []string
	for _, l := range s.lines(t) {
		got = append(got, fmt.Sprintln(l["method"], l["route"], l["status"], l["user"]))
		if l["client"] != "127.0.0.1" || l["took"] == nil {
			t.Errorf("the log says %v", l)
		}
	}
	want := []string{
		"GET /{name} 201 ada\n", "GET unmatched 200 <nil>\n", "other unmatched 200 <nil>\n",
		"POST unmatched 0 <nil>\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	observed := []string{
		"GET /{name} 201", "GET unmatched 200", "other unmatched 200", "POST unmatched 0",
	}
	if diff := cmp.Diff(observed, s.observed); diff != "" {
		t.Error(diff)
	}
	if bytes.Contains(bytes.ToLower(s.log.Bytes()), []byte("canary")) {
		t.Error("the log has something of what was sent")
	}
}

type caller struct{}

func (caller) LogValue() slog.Value { return slog.GroupValue(slog.String("user", "ada")) }

func TestAPanicFailsARequestThatHasNoAnswerAndIsLoggedWithoutItsCause(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			_, _ = io.WriteString(w, "answered")
			panic("canary")
		case "/index":
			_ = make([]string, 1)[len(r.URL.Path)]
		case "/gone":
			panic(http.ErrAbortHandler)
		}
		panic(errors.New("canary"))
	})
	for path, want := range map[string]string{
		"/": "418 panic", "/index": "418 panic", "/late": "200 answered",
	} {
		got, err := s.ask(t, "GET", path, nil, nil)
		if err != nil || fmt.Sprint(got.status, " ", got.body) != want {
			t.Errorf("%s is answered %v: %v", path, got, err)
		}
	}
	if _, err := s.ask(t, "GET", "/gone", nil, nil); err == nil {
		t.Error("a handler that hangs up is answered")
	}
	var panics []any
	for _, l := range s.lines(t) {
		if l["msg"] == "panic" {
			panics = append(panics, l["what"])
			if !strings.Contains(l["stack"].(string), "middleware_test.go") {
				t.Error("the log does not say where it was")
			}
		}
	}
	if len(panics) != 3 || bytes.Contains(s.log.Bytes(), []byte("canary")) {
		t.Errorf("the log has the panics %v", panics)
	}
}

// A handler that takes longer than the server allows a connection is cut unless its route says that
// it may.
func TestTheServersDeadlinesDoNotCutARouteThatHasItsOwn(t *testing.T) {
	t.Parallel()
	limits := map[string]middleware.Limits{
		"/stream": {}, "/slow": {Timeout: time.Minute}, "/upload": {MaxBody: 99},
	}
	slow := func(w http.ResponseWriter, r *http.Request) {
		if l, found := limits[r.URL.Path]; found {
			l.Begin(w, r)
		}
		body, err := io.ReadAll(r.Body)
		for range 2 {
			time.Sleep(serverTimeout)
			_, _ = io.WriteString(w, "line\n")
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = fmt.Fprint(w, string(body), err, r.Context().Err())
	}
	first, second := serve(t, slow), prepare(t, slow)
	second.EnableHTTP2 = true
	second.StartTLS()
	if got, err := second.ask(t, "POST", "/slow", nil, nil); err != nil || got.proto != 2 {
		t.Fatalf("the second server speaks HTTP/%d: %v", got.proto, err)
	}
	const lines = "line\nline\n"
	var requests sync.WaitGroup
	for _, s := range []*site{first, second} {
		for path, want := range map[string]string{
			"/stream": lines + "<nil> <nil>", "/slow": lines + "<nil> <nil>",
			"/upload": lines + "one two<nil> <nil>",
		} {
			requests.Go(func() {
				var body io.Reader = http.NoBody
				if path == "/upload" {
					body = slowly("one ", "two")
				}
				if got, err := s.ask(t, "POST", path, nil, body); err != nil || got.body != want {
					t.Errorf("%s%s was cut: %q, %v", s.URL, path, got.body, err)
				}
			})
		}
		requests.Go(func() {
			if got, err := s.ask(t, "GET", "/other", nil, nil); err == nil {
				t.Errorf("a route without limits outlives the server's: %q", got.body)
			}
		})
	}
	requests.Wait()
}

// slowly is a body that arrives in parts, later than the server waits for one.
func slowly(parts ...string) io.Reader {
	body, w := io.Pipe()
	go func() {
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			time.Sleep(2 * serverTimeout)
		}
		_ = w.Close()
	}()
	return body
}

func TestARouteHasItsOwnDeadline(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		middleware.Limits{MaxBody: 99, Timeout: time.Millisecond}.Begin(w, r)
		_, err := io.ReadAll(r.Body)
		<-r.Context().Done()
		ended <- err
		_, _ = fmt.Fprint(w, r.Context().Err())
	})
	if got, err := s.ask(t, "GET", "/", nil, nil); err != nil ||
		got.body != context.DeadlineExceeded.Error() || <-ended != nil {
		t.Errorf("answered %q: %v", got.body, err)
	}
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf")
	if timeout, ok := errors.AsType[net.Error](<-ended); !ok || !timeout.Timeout() {
		t.Error("half a body is waited for")
	}
}

func TestOnlyAStreamWithoutABodyMayGoOnForEver(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		middleware.Limits{}.Begin(w, r)
		_, ends := r.Context().Deadline()
		_, _ = fmt.Fprint(w, ends)
	})
	for body, want := range map[string]string{"": "false", "x": "true"} {
		got, err := s.ask(t, "GET", "/", nil, strings.NewReader(body))
		if err != nil || got.body != want {
			t.Errorf("with the body %q it ends: %q, %v", body, got.body, err)
		}
	}
}

func TestARouteHasItsOwnBodyLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		middleware.Limits{MaxBody: int64(len(r.URL.Path)), Timeout: time.Minute}.Begin(w, r)
		body, err := io.ReadAll(r.Body)
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			_, _ = fmt.Fprint(w, tooLarge.Limit)
			return
		}
		_, _ = w.Write(body)
	})
	for _, c := range []struct{ path, body, want string }{
		{"/23", "", "200 "},
		{"/23", "abc", "200 abc"},
		{"/23", "abcd", "413 3"},
		{"/", "a", "200 a"},
		{"/", "ab", "413 1"},
		{"/23", strings.Repeat("a", 1<<20), "413 3"},
	} {
		for _, body := range []io.Reader{
			strings.NewReader(c.body),
			io.MultiReader(strings.NewReader(c.body)), // in chunks
		} {
			got, err := s.ask(t, "POST", c.path, nil, body)
			if err != nil || fmt.Sprint(got.status, " ", got.body) != c.want {
				t.Errorf("%d bytes are answered %v, want %s: %v", len(c.body), got, c.want, err)
			}
		}
	}
}
