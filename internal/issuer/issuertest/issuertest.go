// Package issuertest is an issuer for tests: OpenID Connect Discovery, a JWK Set and tokens, over
// TLS on loopback.
package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// An Issuer serves until the test ends. It has a key of each kind, whose ids are the names of the
// algorithms that they are for.
type Issuer struct {
	URL   string
	Roots *x509.CertPool
	CA    []byte // the same in PEM

	mu       sync.Mutex
	keys     map[string]crypto.Signer
	replaced map[string]any // documents, by path, in place of the right ones
	asked    map[string]int // how often, by path
	down     bool
	held     chan struct{} // answers wait until it is closed; nil for none

	client *Client
	grants map[string]grant // by code
	query  url.Values       // of the last browser that came to sign in
}

// The paths of its documents.
const (
	Discovery = "/.well-known/openid-configuration"
	KeySet    = "/keys"
	// JobToken answers as GitHub Actions does, with a token for the audience in the query, to who
	// presents JobBearer.
	JobToken  = "/job-token"
	JobBearer = "this-job"
)

// Start runs an issuer.
func Start(tb testing.TB) *Issuer {
	tb.Helper()
	i, end := Run()
	tb.Cleanup(end)
	return i
}

// Run is Start without a test: it returns what ends the issuer.
func Run() (i *Issuer, end func()) {
	i, s := newIssuer()
	s.StartTLS()
	i.URL = s.URL
	i.Roots.AddCert(s.Certificate())
	i.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return i, s.Close
}

// StartAs is Start for an issuer whose host has a certificate. It returns where it is.
func StartAs(tb testing.TB, host string, pair tls.Certificate) (i *Issuer, address string) {
	tb.Helper()
	i, s := newIssuer()
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	tb.Cleanup(s.Close)
	i.URL = "https://" + host
	return i, s.Listener.Addr().String()
}

func newIssuer() (*Issuer, *httptest.Server) {
	i := &Issuer{
		Roots: x509.NewCertPool(), keys: map[string]crypto.Signer{},
		replaced: map[string]any{}, asked: map[string]int{},
	}
	i.AddKey("ES256", "ES256")
	i.AddKey("EdDSA", "EdDSA")
	i.keys["RS256"], i.keys["PS256"] = sharedKeys()
	return i, httptest.NewUnstartedServer(i)
}

// sharedKeys are of all issuers of a process: RSA keys take long to make.
//
//nolint:gochecknoglobals // nothing writes to it
var sharedKeys = sync.OnceValues(func() (rs, ps crypto.Signer) { return newRSA(), newRSA() })

func newRSA() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// AddKey makes a key of an id for an algorithm, in place of one that has the id.
func (i *Issuer) AddKey(id, alg string) {
	var key crypto.Signer
	var err error
	switch alg {
	case "RS256", "PS256":
		key = newRSA()
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[id] = key
}

// RemoveKey forgets a key.
func (i *Issuer) RemoveKey(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, id)
}

// Key returns the key of an id.
func (i *Issuer) Key(id string) crypto.Signer {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[id]
}

// Replace serves another document at a path; nil serves the right one again.
func (i *Issuer) Replace(path string, document any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.replaced[path] = document; document == nil {
		delete(i.replaced, path)
	}
}

// SetDown makes the issuer answer nothing of use.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Hold makes the issuer answer nothing, until release is called.
func (i *Issuer) Hold() (release func()) {
	held := make(chan struct{})
	i.setHeld(held)
	return sync.OnceFunc(func() {
		i.setHeld(nil)
		close(held)
	})
}

func (i *Issuer) setHeld(held chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held = held
}

// count notes that a document was asked for, and returns what its answer waits for.
func (i *Issuer) count(path string) (held chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked[path]++
	return i.held
}

// Asked returns how often a document was asked for.
func (i *Issuer) Asked(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

// ServeHTTP implements [http.Handler].
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if held := i.count(r.URL.Path); held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	document, replaced := i.replaced[r.URL.Path]
	switch {
	case i.down:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case replaced:
	case i.signIn(w, r):
		return
	case strings.HasSuffix(r.URL.Path, Discovery):
		document = i.endpoints(map[string]any{
			"issuer":   i.URL + strings.TrimSuffix(r.URL.Path, Discovery),
			"jwks_uri": i.URL + KeySet, "response_types_supported": []string{"id_token"},
		})
	case r.URL.Path == JobToken && r.Header.Get("Authorization") == "Bearer "+JobBearer:
		claims := i.Claims(r.URL.Query().Get("audience"), map[string]any{
			"repository": "acme/evals", "ref": "refs/heads/main",
		})
		document = map[string]any{"value": i.sign("ES256", claims, nil)}
	case r.URL.Path == KeySet:
		document = map[string]any{"keys": i.jwks()}
	default:
		http.NotFound(w, r)
		return
	}
	if location, ok := document.(string); ok {
		http.Redirect(w, r, location, http.StatusFound)
		return
	}
	_ = json.NewEncoder(w).Encode(document)
}

func (i *Issuer) jwks() (keys []map[string]any) {
	for _, id := range slices.Sorted(maps.Keys(i.keys)) {
		key := JWK(i.keys[id].Public())
		key["kid"] = id
		keys = append(keys, key)
	}
	return keys
}

// JWK returns a public key as a JWK without an id.
func JWK(key crypto.PublicKey) map[string]any {
	text := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(k.E)).Bytes()
		return map[string]any{"kty": "RSA", "use": "sig", "n": text(k.N.Bytes()), "e": text(e)}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		return map[string]any{
			"kty": "EC", "crv": k.Curve.Params().Name,
			"x": text(point[1 : 1+half]), "y": text(point[1+half:]),
		}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": text(k)}
	}
	panic("issuertest: a key of an unknown kind")
}
