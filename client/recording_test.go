package client_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A recorder passes connections on to a server, and keeps what goes by in either direction.
type recorder struct {
	address string
	mu      sync.Mutex
	seen    bytes.Buffer
}

// record starts a recorder in front of the server at an address.
func record(t *testing.T, to string) *recorder {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &recorder{address: "http://" + l.Addr().String()}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
			if err != nil {
				_ = from.Close()
				return
			}
			go r.pass(server, from)
			go r.pass(from, server)
		}
	}()
	return r
}

// pass copies one direction, which it records.
func (r *recorder) pass(to, from net.Conn) {
	defer to.Close()
	_, _ = io.Copy(io.MultiWriter(r, to), from)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.Write(p)
}

// saw reports in which form a value went by; empty if in none.
func (r *recorder) saw(value string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	forms := map[string]string{"as it is": value}
	for shift := range 3 {
		for name, e := range map[string]*base64.Encoding{
			"base64": base64.StdEncoding, "URL's base64": base64.URLEncoding,
		} {
			text := e.EncodeToString([]byte(strings.Repeat(" ", shift) + value))
			forms[name] = text[4 : len(text)-4]
		}
		for form, text := range forms {
			if bytes.Contains(r.seen.Bytes(), []byte(text)) {
				return form
			}
		}
	}
	return ""
}

// leased takes two leases of a secret, by a bundle and by a ticket, and opens both.
func leased(t *testing.T, c *client.Client, id, want string) {
	t.Helper()
	for _, delivery := range []string{wire.DeliveryBundle, wire.DeliveryTicket} {
		k, err := bundle.NewKey(bundle.XWing)
		apptest.Must(t, err)
		to := k.Recipient().String()
		in := wire.CreateLease{SecretIDs: []string{id}, Delivery: delivery, Recipient: &to}
		if delivery == wire.DeliveryTicket {
			in.Recipient = nil
		}
		lease, err := c.CreateLease(t.Context(), in)
		apptest.Must(t, err)
		if lease.Ticket != "" {
			lease, err = c.RedeemTicket(t.Context(), plaintext.FromString(lease.Ticket),
				wire.RedeemTicket{Recipient: to})
			apptest.Must(t, err)
		}
		got, err := client.OpenBundle(k, *lease.Bundle)
		if err != nil || len(got.Secrets) != 1 || string(got.Secrets[0].Value.Reveal()) != want {
			t.Errorf("%s: another value: %v", delivery, err)
		}
	}
}

// flow does everything that carries a value, and returns the values.
func flow(t *testing.T, c *client.Client) []string {
	t.Helper()
	values := []string{hidden + "-of-a-create", hidden + "-of-a-preset", hidden + "-of-an-update"}
	ctx := t.Context()
	made, err := c.CreateSecret(ctx,
		wire.CreateSecret{Name: "A", Value: plaintext.FromString(values[0])})
	apptest.Must(t, err)
	apptest.Must(t, second(c.CreateFromPreset(ctx,
		wire.CreateFromPreset{Provider: "openai", Value: plaintext.FromString(values[1])})))
	apptest.Must(t, second(c.UpdateSecret(ctx, made.ID,
		wire.UpdateSecret{Value: plaintext.FromString(values[2])})))
	leased(t, c, made.ID, values[2])
	return values
}

func TestWhoRecordsEverythingOnTheWaySeesNoValue(t *testing.T) {
	srv := apptest.Start(t)
	for _, sealed := range []bool{true, false} {
		var opts []client.Option
		if !sealed {
			opts = append(opts, client.WithoutSealing())
		}
		r := record(t, srv.URL)
		key := srv.NewUser(t, map[bool]string{true: "mia", false: "ada"}[sealed])
		c, err := client.New(r.address, key, opts...)
		apptest.Must(t, err)
		for _, value := range flow(t, c) {
			switch form := r.saw(value); {
			case sealed && form != "":
				t.Errorf("a value goes by %s", form)
			case !sealed && form == "":
				t.Error("the recorder sees nothing even where nothing is sealed")
			}
		}
		if r.saw("POST /api/v1/user/secrets") == "" {
			t.Error("the recorder sees nothing")
		}
	}
}
