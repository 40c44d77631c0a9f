package webhook

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/privatefile"
)

// newKey returns the line of a new key of so many bytes, and the bytes.
func newKey(n int) (line string, secret []byte) {
	secret = make([]byte, n)
	_, _ = rand.Read(secret)
	return "whsec_" + base64.StdEncoding.EncodeToString(secret), secret
}

// keysOf returns the keys of a file with lines.
func keysOf(t *testing.T, lines ...string) []Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// verifies is what a receiver does by the specification, with HMAC as RFC 2104 has it.
func verifies(secret []byte, header http.Header, body []byte) bool {
	pad := func(with byte) []byte {
		block := make([]byte, sha256.BlockSize)
		copy(block, secret)
		for i := range block {
			block[i] ^= with
		}
		return block
	}
	content := header.Get("webhook-id") + "." + header.Get("webhook-timestamp") + "." + string(body)
	inner := sha256.Sum256(append(pad(0x36), content...))
	outer := sha256.Sum256(append(pad(0x5c), inner[:]...))
	want := "v1," + base64.StdEncoding.EncodeToString(outer[:])
	return slices.Contains(strings.Split(header.Get("webhook-signature"), " "), want)
}

func TestAMessageIsSignedWithEachKeyAsStandardWebhooksHasIt(t *testing.T) {
	t.Parallel()
	line, secret := newKey(32)
	next, nextSecret := newKey(64)
	_, other := newKey(32)
	var header http.Header
	var body []byte
	receiver := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			header = r.Header
			body, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusNoContent)
		}))
	defer receiver.Close()
	to := New(receiver.URL+"/hook", keysOf(t, line, "", next), http.DefaultTransport)
	m, at := Message{"an-id", `{"type":"secret.invalid","name":"ü"}`}, time.Now()
	if err := to.Send(t.Context(), m, at); err != nil {
		t.Fatal(err)
	}
	if header.Get("webhook-id") != m.ID || string(body) != m.Body ||
		header.Get("webhook-timestamp") != strconv.FormatInt(at.Unix(), 10) ||
		header.Get("content-type") != "application/json" {
		t.Errorf("it got %v and %s", header, body)
	}
	if !verifies(secret, header, body) || !verifies(nextSecret, header, body) {
		t.Errorf("the signatures are %s", header.Get("webhook-signature"))
	}
	for what, change := range map[string]func(){
		"id":   func() { header.Set("webhook-id", "another") },
		"time": func() { header.Set("webhook-timestamp", "1") },
		"body": func() { body = append(bytes.Clone(body), ' ') },
	} {
		was, wasBody := header.Clone(), body
		if change(); verifies(secret, header, body) {
			t.Errorf("another %s has the same signature", what)
		}
		header, body = was, wasBody
	}
	if verifies(other, header, body) {
		t.Error("another key verifies")
	}
}

func TestOnlyA2xxIsSuccessAndNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	line, _ := newKey(32)
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	status := 0
	receiver := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(status)
		}))
	to := New(receiver.URL+"/token-in-the-path", keysOf(t, line), http.DefaultTransport)
	for s, want := range map[int]string{
		200: "", 202: "", 204: "", 299: "", 301: "answered 301", 307: "answered 307",
		400: "answered 400", 404: "answered 404", 410: ErrGone.Error(), 500: "answered 500",
		503: "answered 503",
	} {
		status = s
		err := to.Send(t.Context(), Message{"id", "{}"}, time.Now())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) ||
			errors.Is(err, ErrGone) != (s == http.StatusGone) {
			t.Errorf("%d: %v, want %q", s, err, want)
		}
	}
	if elsewhere != 0 {
		t.Errorf("a redirect was followed %d times", elsewhere)
	}
	receiver.Close()
	err := to.Send(t.Context(), Message{"id", "{}"}, time.Now())
	if err == nil || errors.Is(err, ErrGone) || strings.Contains(err.Error(), "token") {
		t.Errorf("a receiver that is away: %v", err)
	}
}

// A client of net/http quotes an address that it cannot read, and receivers redirect with the path.
func TestWhereARedirectLeadsIsInNoError(t *testing.T) {
	t.Parallel()
	line, _ := newKey(32)
	receiver := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/%zz"+r.URL.Path)
			w.WriteHeader(http.StatusFound)
		}))
	defer receiver.Close()
	to := New(receiver.URL+"/token-in-the-path", keysOf(t, line), http.DefaultTransport)
	err := to.Send(t.Context(), Message{"id", "{}"}, time.Now())
	if err == nil || err.Error() != "the webhook answered 302" {
		t.Errorf("%v", err)
	}
}

func TestOfAnAnswerWithoutEndThePartThatCountsIsRead(t *testing.T) {
	t.Parallel()
	line, _ := newKey(32)
	written := make(chan int, 1)
	receiver := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			n := 0
			for some := make([]byte, 1<<10); ; n += len(some) {
				if _, err := w.Write(some); err != nil {
					written <- n
					return
				}
			}
		}))
	defer receiver.Close()
	to := New(receiver.URL, keysOf(t, line), http.DefaultTransport)
	if err := to.Send(t.Context(), Message{"id", "{}"}, time.Now()); err != nil {
		t.Error(err)
	}
	if n := <-written; n > 64<<20 { // what the sockets of this machine hold is more than was read
		t.Errorf("it wrote %d bytes", n)
	}
}

func TestAKeyIsLongAndInAFileOfItsOwner(t *testing.T) {
	t.Parallel()
	good, _ := newKey(32)
	short, _ := newKey(31)
	long, _ := newKey(65)
	file := filepath.Join(t.TempDir(), "key")
	for what, text := range map[string]string{
		"nothing": "", "a blank line": " \n", "a short key": short, "a long key": long,
		"no prefix": strings.TrimPrefix(good, "whsec_"), "no base64": "whsec_*" + good[7:],
		"a bad one after a good one": good + "\n" + short,
		"too much":                   good + strings.Repeat("\n", 5<<10),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKeys(file)
		if err == nil || text != "" && strings.Contains(err.Error(), good[10:]) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.WriteFile(file, []byte(good+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := ReadKeys(file); err != nil || len(keys) != 1 {
		t.Errorf("a good one: %d, %v", len(keys), err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(file); !errors.Is(err, privatefile.ErrMode) {
		t.Errorf("one that others can read: %v", err)
	}
}

func TestPausesGrowForThreeDaysAndThenEnd(t *testing.T) {
	t.Parallel()
	var all, last time.Duration
	attempts := 1
	for ; ; attempts++ {
		pause, again := Pause(attempts)
		if !again {
			break
		}
		if pause <= last {
			t.Errorf("after %d attempts %v, after %v", attempts, pause, last)
		}
		all, last = all+pause, pause
	}
	if attempts != 10 || all < 3*24*time.Hour || all > 4*24*time.Hour {
		t.Errorf("%d attempts in %v", attempts, all)
	}
	for _, n := range []int{-1, 0, 1 << 40} { // whoever writes the database chooses it
		if _, again := Pause(n); again {
			t.Errorf("there is one after %d", n)
		}
	}
}
