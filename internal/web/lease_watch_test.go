package web_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A stream is the events of an answer, as far as they are read.
type stream struct {
	t      *testing.T
	resp   *http.Response
	lines  *bufio.Reader
	cancel context.CancelFunc
}

// watch opens the stream of a lease. It ends with the test's patience, whatever else does not.
func (b *browser) watch(lease wire.Lease, query, last string) *stream {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	b.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(
		ctx, http.MethodGet, b.s.URL+"/ui/leases/"+lease.ID+"/requests"+query, http.NoBody)
	apptest.Must(b.t, err)
	r.Header.Set("Last-Event-ID", last)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	apptest.Must(b.t, err)
	b.t.Cleanup(func() { _ = resp.Body.Close() })
	return &stream{b.t, resp, bufio.NewReader(resp.Body), cancel}
}

func (s *stream) want(status int) *stream {
	s.t.Helper()
	if s.resp.StatusCode != status {
		s.t.Fatalf("the stream is answered with %d", s.resp.StatusCode)
	}
	return s
}

// next returns the fields of the next event: nil where the stream ends.
func (s *stream) next() map[string]string {
	s.t.Helper()
	event := map[string]string{}
	for {
		line, err := s.lines.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		apptest.Must(s.t, err)
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case line == "\n" && event["event"] != "":
			return event
		case name == "event" || name == "data" || name == "id":
			event[name] += value
		}
	}
}

// endsWith reads to the end, of which an event is to say why.
func (s *stream) endsWith(why string) {
	s.t.Helper()
	last := map[string]string{}
	for event := s.next(); event != nil; event = s.next() {
		last = event
	}
	if last["event"] != "end" || !strings.Contains(last["data"], why) {
		s.t.Errorf("the last event is %v, not %q", last, why)
	}
}

func TestRequestsOfALeaseComeAsTheyAreRecorded(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("value-of-a-live-page"))
	page := "/ui/leases/" + lease.ID
	if text := b.get(page).text; !strings.Contains(text, "None yet") ||
		!strings.Contains(text, `data-stream="`+page+`/requests"`) {
		t.Errorf("before any:\n%s", text)
	}
	live := b.watch(lease, "", "").want(200)
	if kind := live.resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("it is %s", kind)
	}
	s.AskInVain(t, lease, "/v1/models")
	first := live.next()
	s.AskInVain(t, lease, "/v1/files")
	second := live.next()
	for path, event := range map[string]map[string]string{"models": first, "files": second} {
		if event["event"] != "request" ||
			!strings.HasPrefix(event["data"], `<li class="refused">`) ||
			!strings.Contains(event["data"], "api.openai.com/v1/"+path) {
			t.Errorf("of %s: %v", path, event)
		}
	}
	text := b.get(page).text
	_, text, _ = strings.Cut(text, `id="requests"`)
	if one, two := strings.Index(text, "v1/files"), strings.Index(text, "v1/models"); one < 0 ||
		one > two || !strings.Contains(text, "/requests?after="+second["id"]) {
		t.Errorf("the newest is not the first:\n%s", text)
	}
	for _, again := range []*stream{
		b.watch(lease, "?after="+first["id"], ""),
		b.watch(lease, "", first["id"]), // as a browser comes again
	} {
		if event := again.want(200).next(); event["id"] != second["id"] {
			t.Errorf("after the first comes %v", event)
		}
		again.cancel()
	}
	s.NewUser(t, "mia")
	other := open(t, s)
	other.signIn("mia")
	other.watch(lease, "", "").want(http.StatusNotFound)
	open(t, s).watch(lease, "", "").want(http.StatusSeeOther)
}

func TestAStreamEndsWithItsLeaseItsSessionAndTheServer(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("value-of-a-stream-that-ends"))
	ended := b.watch(lease, "", "").want(200)
	b.send("/ui/leases/"+lease.ID+"/revoke").leadsTo(t, "/ui/leases/")
	ended.endsWith("The lease has ended")
	if text := b.get("/ui/leases/" + lease.ID).text; strings.Contains(text, "data-stream") {
		t.Error("the page of a lease that has ended is live")
	}
	_, err := s.Client(t).RenameSecret(t.Context(), lease.Secrets[0].ID, wire.RenameSecret{
		Name: "ANOTHER",
	})
	apptest.Must(t, err)
	lease = s.LeaseForBroker(t, plaintext.FromString("value-of-another-stream"))
	signedOut := b.watch(lease, "", "").want(200)
	b.send("/ui/sign-out").leadsTo(t, "/ui/sign-in")
	signedOut.endsWith("Your session has ended")
	b.signIn("dev")
	live := b.watch(lease, "", "").want(200)
	s.Stop(t)
	if event := live.next(); event != nil {
		t.Errorf("a browser does not come again: %v", event)
	}
	if logs := s.Logs.String(); strings.Contains(logs, "cut off") {
		t.Error("the server waited for a stream until it cut it off")
	}
}

func TestASessionHasFewStreamsAtOnce(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("value-of-many-pages"))
	var all []*stream
	for range 3 {
		all = append(all, b.watch(lease, "", "").want(200))
	}
	b.watch(lease, "", "").want(http.StatusTooManyRequests)
	other := open(t, s)
	other.signIn("dev")
	other.watch(lease, "", "").want(200)
	all[0].cancel()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if status := b.watch(lease, "", "").resp.StatusCode; status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a stream that ended keeps its place")
		}
	}
}

func TestAStreamIsCountedWhenItBegins(t *testing.T) {
	s := apptest.Start(t, func(c *config.Config) { c.LogLevel = -4 })
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("value-of-a-counted-stream"))
	live := b.watch(lease, "", "").want(200)
	const line = `route="GET /ui/leases/{id}/requests" status=200`
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(s.Logs.String(), line) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a stream that goes on is not in the log")
		}
	}
	live.cancel()
	s.Stop(t)
	if n := strings.Count(s.Logs.String(), line); n != 1 {
		t.Errorf("it is counted %d times", n)
	}
}
