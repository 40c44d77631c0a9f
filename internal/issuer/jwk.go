package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
)

// A keyDocument is a JWK Set (RFC 7517), as far as it is of use.
type keyDocument struct {
	Keys []jwk `json:"keys"`
}

type jwk struct {
	Type       string   `json:"kty"`
	ID         string   `json:"kid"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	Curve      string   `json:"crv"`
	N          string   `json:"n"`
	E          string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
}

// A publicKey is a key that may have signed a token.
type publicKey struct {
	id  string
	alg string // that the issuer uses it with; empty for any that fits
	key crypto.PublicKey
}

// fits reports whether a key is for an algorithm. Each kind of key has its own, so that no token
// chooses how a key is read.
func (k publicKey) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch k.key.(type) {
	case *rsa.PublicKey:
		return alg == "RS256" || alg == "PS256"
	case *ecdsa.PublicKey:
		return alg == "ES256"
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// maxKeys is how many keys an issuer may have.
const maxKeys = 64

// publicKeys returns the keys that tokens may be signed with. Those of other kinds are left out: an
// issuer may have them for others.
func (d keyDocument) publicKeys() (keys []publicKey, err error) {
	if len(d.Keys) > maxKeys {
		return nil, errors.New("the issuer has too many keys")
	}
	for _, k := range d.Keys {
		if k.Use != "" && k.Use != "sig" ||
			len(k.Operations) > 0 && !slices.Contains(k.Operations, "verify") {
			continue
		}
		if key, ok := k.public(); ok {
			keys = append(keys, publicKey{k.ID, k.Algorithm, key})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the issuer has no key of a kind that is accepted")
	}
	return keys, nil
}

func (k jwk) public() (crypto.PublicKey, bool) {
	switch k.Type {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.p256()
	case "OKP":
		x, ok := bytesOf(k.X)
		return ed25519.PublicKey(x), ok && k.Curve == "Ed25519" && len(x) == ed25519.PublicKeySize
	}
	return nil, false
}

// An RSA key has at least as many bits as RFC 7518, section 3.3, demands, and not so many that a
// token costs much to verify.
const (
	minRSA = 2048
	maxRSA = 8192
)

func (k jwk) rsa() (crypto.PublicKey, bool) {
	n, okN := bytesOf(k.N)
	e, okE := bytesOf(k.E)
	if !okN || !okE || len(e) == 0 || len(e) > 4 {
		return nil, false
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	bits := key.N.BitLen()
	return key, bits >= minRSA && bits <= maxRSA && key.E >= 65537 && key.E%2 == 1 &&
		key.E < 1<<31-1
}

// p256 returns a key of the curve that ES256 is for, which the point is on.
func (k jwk) p256() (crypto.PublicKey, bool) {
	x, okX := bytesOf(k.X)
	y, okY := bytesOf(k.Y)
	if !okX || !okY || k.Curve != "P-256" || len(x) != 32 || len(y) != 32 {
		return nil, false
	}
	point := slices.Concat([]byte{4}, x, y)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	return key, err == nil
}

func bytesOf(text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return b, err == nil
}
