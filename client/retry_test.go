package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// answering starts a server that answers the first requests with failures, and then as it should.
// It returns a client for it, and the number of requests.
func answering(
	t *testing.T, status int, after string, failures int64, opts ...client.Option,
) (*client.Client, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	var first atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if body := string(b); !first.CompareAndSwap(nil, body) && first.Load() != body {
			t.Error("it was sent again with another body")
		}
		if asked.Add(1) <= failures {
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Retry-After", after)
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"code":%d,"detail":"d","type":"t"}`, status)
			return
		}
		w.Header().Set("ETag", `"tag"`)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(srv.Close)
	opts = append([]client.Option{client.WithoutSealing()}, opts...)
	c, err := client.New(srv.URL, plaintext.FromString(shownKey), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c, &asked
}

func TestARequestIsSentAgainWhereThatIsSafe(t *testing.T) {
	list := func(ctx context.Context, c *client.Client) error { return second(c.ListSecrets(ctx)) }
	create := func(ctx context.Context, c *client.Client) error {
		return second(c.CreateSecret(ctx, wire.CreateSecret{
			Name: "A", Value: plaintext.FromString(hidden),
		}))
	}
	named := func(ctx context.Context, c *client.Client) error {
		return create(client.WithIdempotencyKey(ctx, "k"), c)
	}
	remove := func(ctx context.Context, c *client.Client) error { return c.DeleteSecret(ctx, "x") }
	for what, c := range map[string]struct {
		status int
		after  string
		do     func(context.Context, *client.Client) error
		want   int64 // requests
	}{
		"a GET after a 503":            {503, "0", list, 3},
		"a GET that was cut off":       {0, "", list, 3},
		"a GET after a 500":            {500, "", list, 1},
		"a create after a 503":         {503, "0", create, 1},
		"a create that was cut off":    {0, "", create, 1},
		"a create after a 429":         {429, "", create, 3},
		"a named create after a 503":   {503, "0", named, 3},
		"a named create, cut off":      {0, "", named, 3},
		"a delete after a 503":         {503, "0", remove, 1},
		"a delete after a 429":         {429, "", remove, 3},
		"a 429 that wants a long wait": {429, "3600", list, 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cl, asked := answering(t, c.status, c.after, 2)
			err := c.do(t.Context(), cl)
			if asked.Load() != c.want || (err == nil) != (c.want == 3) {
				t.Errorf("%d requests, want %d: %v", asked.Load(), c.want, err)
			}
		})
	}
}

func TestRetriesAreBounded(t *testing.T) {
	t.Parallel()
	c, asked := answering(t, 503, "0", 100, client.WithRetries(2, time.Second))
	_, err := c.ListSecrets(t.Context())
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != 503 ||
		asked.Load() != 3 {
		t.Errorf("%d requests: %v", asked.Load(), err)
	}
	c, asked = answering(t, 503, "0", 100, client.WithRetries(0, 0))
	if _, err := c.ListSecrets(t.Context()); err == nil || asked.Load() != 1 {
		t.Errorf("without retries: %d requests: %v", asked.Load(), err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	c, asked = answering(t, 503, "5", 100)
	_, err = c.ListSecrets(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || asked.Load() != 1 {
		t.Errorf("after the context ended: %d requests: %v", asked.Load(), err)
	}
}

// While a server restarts, nothing listens at its address.
func TestEveryRequestIsSentAgainToAServerThatRestarts(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	address := srv.Listener.Addr().String()
	apptest.Must(t, srv.Listener.Close())
	c, err := client.New("http://"+address, plaintext.FromString(shownKey), client.WithoutSealing())
	apptest.Must(t, err)
	done := make(chan error, 1)
	go func() { done <- c.DeleteSecret(t.Context(), "x") }()
	time.Sleep(100 * time.Millisecond)
	srv.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	apptest.Must(t, err)
	srv.Start()
	t.Cleanup(srv.Close)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestACertificateThatIsNotTrustedIsAskedForOnce(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL, plaintext.FromString(shownKey))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WhoAmI(t.Context()); err == nil || connections.Load() != 1 {
		t.Errorf("%d connections: %v", connections.Load(), err)
	}
}

func TestAContextCarriesTheHeadersOfACall(t *testing.T) {
	t.Parallel()
	var got http.Header
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("ETag", `"a"`)
		_, _ = io.WriteString(w, "{}")
	})
	tag := "before"
	ctx := client.WithETag(client.WithIfMatch(t.Context(), `"b"`), &tag)
	if _, err := c.GetSecret(client.WithIdempotencyKey(ctx, "k"), "x"); err != nil {
		t.Fatal(err)
	}
	if got.Get("If-Match") != `"b"` || got.Get("Idempotency-Key") != "k" || tag != `"a"` {
		t.Errorf("sent %v, took %q", got, tag)
	}
	if _, err := c.GetSecret(t.Context(), "x"); err != nil || got.Get("If-Match") != "" {
		t.Errorf("another call has the headers, too: %v (%v)", got, err)
	}
}

func TestARefusalIsOfAKind(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]error{
		401: client.ErrUnauthenticated, 403: client.ErrDenied, 404: client.ErrNotFound,
		409: client.ErrConflict, 412: client.ErrChanged, 422: client.ErrInvalid,
		429: client.ErrRateLimited, 503: client.ErrUnavailable,
	} {
		c, _ := answering(t, status, "", 9, client.WithRetries(0, 0))
		_, err := c.WhoAmI(t.Context())
		if !errors.Is(err, kind) || errors.Is(err, client.ErrNotFound) != (status == 404) {
			t.Errorf("%d is %v", status, err)
		}
	}
}
