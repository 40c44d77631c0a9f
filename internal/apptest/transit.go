package apptest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/config"
)

// A Transit stands in for the transit engine of Vault or OpenBao, on loopback: it encrypts and
// decrypts with one key. Its URL as a root key's is hashivault://keysake.
type Transit struct {
	Calls atomic.Int64 // of both kinds
	Token atomic.Value // the one that it accepts, a string

	aead   cipher.AEAD
	server *httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
}

// TransitURL is the root key that a [Transit] keeps.
const TransitURL = "hashivault://keysake"

// NewTransit starts one, and names it in the variables of the test's process.
func NewTransit(tb testing.TB) *Transit {
	tb.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it ends the program rather than fail
	block, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Transit{aead: aead}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(s.server.Close)
	tb.Setenv("VAULT_ADDR", s.server.URL)
	s.Token.Store("token-of-nobody")
	tb.Setenv("VAULT_TOKEN", "token-of-nobody")
	return s
}

// StartOnTransit runs a server whose root key is kept by a [Transit].
func StartOnTransit(tb testing.TB) (*Server, *Transit, config.Config) {
	tb.Helper()
	transit := NewTransit(tb)
	cfg := Config(tb)
	cfg.RootKeys, cfg.KeyServiceTimeout = []string{TransitURL}, 400*time.Millisecond
	return StartWith(tb, cfg), transit, cfg
}

// Answer makes it answer in another way; with nil it answers well again.
func (s *Transit) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

// URL returns its address.
func (s *Transit) URL() string { return s.server.URL }

// Close takes it away: nothing listens there any more.
func (s *Transit) Close() { s.server.Close() }

func (s *Transit) serve(w http.ResponseWriter, r *http.Request) {
	s.Calls.Add(1)
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		answer = s.Well
	}
	answer(w, r)
}

// Well answers as the real one does.
func (s *Transit) Well(w http.ResponseWriter, r *http.Request) {
	var in struct{ Plaintext, Ciphertext string }
	if json.NewDecoder(r.Body).Decode(&in) != nil ||
		r.Header.Get("X-Vault-Token") != s.Token.Load() {
		TransitError(http.StatusForbidden, "permission denied")(w, r)
		return
	}
	out := map[string]string{}
	switch r.URL.Path {
	case "/v1/transit/encrypt/keysake":
		plain, _ := base64.StdEncoding.DecodeString(in.Plaintext)
		out["ciphertext"] = "vault:v1:" + base64.StdEncoding.EncodeToString(
			s.aead.Seal(nil, nil, plain, nil),
		)
	case "/v1/transit/decrypt/keysake":
		sealed, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(in.Ciphertext, "vault:v1:"))
		plain, err := s.aead.Open(nil, nil, sealed, nil)
		if err != nil {
			TransitError(http.StatusBadRequest, "invalid ciphertext")(w, r)
			return
		}
		out["plaintext"] = base64.StdEncoding.EncodeToString(plain)
	default:
		TransitError(http.StatusNotFound, "no handler for route")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": out})
}

// TransitError answers with a status and a message.
func TransitError(status int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{message}})
	}
}

// Silence answers nothing until whoever asked goes away.
func Silence(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then it is noticed who goes away
	<-r.Context().Done()
}
