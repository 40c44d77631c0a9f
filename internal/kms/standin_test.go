package kms_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/seal"
)

// A standIn is what the stand-ins of Google Cloud and Azure share: two keys, a token, and answers
// that go wrong.
type standIn struct {
	t          *testing.T
	url, other string // of its keys
	token      string
	failures   map[string]any // in the words of the service

	keys map[string]*rsa.PrivateKey // by URL

	mu     sync.Mutex
	fails  any
	silent bool
	calls  int
}

func newStandIn(t *testing.T, url, other string) *standIn {
	t.Helper()
	return &standIn{
		t: t, url: url, other: other, token: rand.Text(),
		keys: map[string]*rsa.PrivateKey{url: rsaKeys()[0], other: rsaKeys()[1]},
	}
}

// answer makes it fail as the service does, or never answer; with nil it answers well again.
func (s *standIn) answer(failure any, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails, s.silent, s.calls = failure, silent, 0
}

func (s *standIn) next() (failure any, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.fails, s.silent
}

func (s *standIn) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// seal encrypts as Azure does, RSA-OAEP with SHA-256: RFC 8017, section 7.1.
func (s *standIn) seal(url string, plain []byte) (sealed []byte, found bool) {
	key, found := s.keys[url]
	if !found {
		return nil, false
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, plain, nil)
	return sealed, err == nil
}

func (s *standIn) open(url string, sealed []byte) (plain []byte, ok bool) {
	key, found := s.keys[url]
	if !found {
		return nil, false
	}
	plain, err := rsa.DecryptOAEP(sha256.New(), nil, key, sealed, nil)
	return plain, err == nil
}

// rsaKeys are three keys, which take a while to make.
var rsaKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

func privatePEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	apptest.Must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// writeJSON writes a file, and returns its path.
func writeJSON(t *testing.T, what any) string {
	t.Helper()
	b, err := json.Marshal(what)
	apptest.Must(t, err)
	file := filepath.Join(t.TempDir(), "credentials.json")
	apptest.Must(t, os.WriteFile(file, b, 0o600))
	return file
}

func answerJSON(t *testing.T, w http.ResponseWriter, what any) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(what); err != nil {
		t.Logf("an answer was not taken: %v", err)
	}
}

// eachCloud runs a test with Google Cloud and with Azure.
func eachCloud(t *testing.T, test func(t *testing.T, s *standIn)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) *standIn{
		"google": newGoogle, "azure": newAzure,
	} {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

func TestACloudWrapsAndUnwraps(t *testing.T) {
	eachCloud(t, func(t *testing.T, s *standIn) {
		t.Helper()
		root := open(t, s.url, time.Minute)
		user, key := uuid.New(), newOwnerKey(t)
		id := key.ID()
		blob, err := root.Wrap(t.Context(), user, key)
		apptest.Must(t, err)
		again, err := root.Unwrap(t.Context(), user, id, blob)
		if err != nil || !again.Equal(key) {
			t.Fatalf("it opens to another key, or not: %v", err)
		}
		_, err = root.Unwrap(t.Context(), uuid.New(), id, blob)
		if !errors.Is(err, seal.ErrTampered) {
			t.Errorf("moved to another user it opens: %v", err)
		}
		if n := s.asked(); n != 3 {
			t.Errorf("it was asked %d times, want once for each", n)
		}
	})
}

func TestWhatAnotherKeyOfACloudWrappedIsRefused(t *testing.T) {
	eachCloud(t, func(t *testing.T, s *standIn) {
		t.Helper()
		foreign, err := open(t, s.other, time.Minute).Check(t.Context())
		apptest.Must(t, err)
		root := open(t, s.url, time.Minute)
		own, err := root.Check(t.Context())
		apptest.Must(t, err)
		swapped := append(append([]byte{}, own[:17]...), foreign[17:]...)
		if err := root.OpenCheck(t.Context(), swapped); !errors.Is(err, seal.ErrService) {
			t.Errorf("a ciphertext of another key: %v", err)
		}
	})
}

func TestWhatACloudDoesWrongIsToldApart(t *testing.T) {
	eachCloud(t, func(t *testing.T, s *standIn) {
		t.Helper()
		root := open(t, s.url, 8*time.Second)
		check, err := root.Check(t.Context())
		apptest.Must(t, err)
		for name, final := range map[string]bool{
			"denied": true, "unknown": true, "disabled": true, "too many": false, "its own": false,
		} {
			s.answer(s.failures[name], false)
			err := root.OpenCheck(t.Context(), check)
			if !errors.Is(err, seal.ErrService) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: the error is %v", name, err)
			}
			if n := s.asked(); final != (n == 1) {
				t.Errorf("%s: it was asked %d times", name, n)
			}
			s.answer(nil, false)
			if err := root.OpenCheck(t.Context(), check); err != nil {
				t.Errorf("it does not recover from %q: %v", name, err)
			}
		}
	})
}

func TestACloudIsNotWaitedFor(t *testing.T) {
	eachCloud(t, func(t *testing.T, s *standIn) {
		t.Helper()
		root := open(t, s.url, 3*time.Second)
		check, err := root.Check(t.Context())
		apptest.Must(t, err)
		s.answer(nil, true)
		if err := root.OpenCheck(t.Context(), check); !errors.Is(err, seal.ErrServiceTimeout) {
			t.Errorf("the error is %v", err)
		}
	})
}

// refused demands that the program gets no answer of the service.
func refused(t *testing.T, s *standIn) {
	t.Helper()
	if _, err := open(t, s.url, 8*time.Second).Check(t.Context()); err == nil {
		t.Error("it wraps")
	}
	if n := s.asked(); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestACloudWithACertificateOfAnotherAuthorityIsNotAsked(t *testing.T) {
	eachCloud(t, func(t *testing.T, s *standIn) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "other.pem")
		newCertificates(t, file)
		t.Setenv("SSL_CERT_FILE", file)
		t.Setenv("SSL_CERT_DIR", filepath.Dir(file))
		refused(t, s)
	})
}
