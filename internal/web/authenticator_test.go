package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

// An authenticator keeps one passkey, and lies as a test has it.
type authenticator struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	id     []byte
	user   []byte
	origin string
	count  uint32

	// What it says. The zero value of each is the truth.
	rp          string
	flags       byte // that are taken away: flagPresent, flagVerified
	kind        string
	crossOrigin bool
	cose        []byte
	statement   []byte // of who made it, with its format
}

const (
	flagPresent  = 1
	flagVerified = 4
	flagAttested = 64
)

func newAuthenticator(t *testing.T, s *apptest.Server) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	apptest.Must(t, err)
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return &authenticator{t: t, key: key, id: id, origin: s.URL}
}

// asked is what the server asks for.
type asked struct {
	PublicKey struct {
		Challenge string `json:"challenge"`
		User      struct {
			ID string `json:"id"`
		} `json:"user"`
		RPID  string           `json:"rpId"`
		Allow []map[string]any `json:"allowCredentials"`
		Not   []map[string]any `json:"excludeCredentials"`
	} `json:"publicKey"`
}

// begin has the server ask.
func (b *browser) begin(path string) (a asked) {
	b.t.Helper()
	text := b.do(http.MethodPost, path+"/begin", url.Values{}).want(b.t, http.StatusOK).text
	apptest.Must(b.t, json.Unmarshal([]byte(text), &a))
	return a
}

func text64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *authenticator) clientData(kind string, of asked) []byte {
	if a.kind != "" {
		kind = a.kind
	}
	data, err := json.Marshal(map[string]any{
		"type": kind, "challenge": of.PublicKey.Challenge, "origin": a.origin,
		"crossOrigin": a.crossOrigin,
	})
	apptest.Must(a.t, err)
	return data
}

func (a *authenticator) data(flags byte, rest ...byte) []byte {
	rp := a.rp
	if rp == "" {
		rp = "localhost"
	}
	sum := sha256.Sum256([]byte(rp))
	data := append(sum[:], flags&^a.flags)
	return append(binary.BigEndian.AppendUint32(data, a.count), rest...)
}

// coseKey is its public key, for ES256.
func (a *authenticator) coseKey() []byte {
	point, err := a.key.PublicKey.Bytes()
	apptest.Must(a.t, err)
	key := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33]...)
	return append(append(key, 0x22, 0x58, 32), point[33:]...)
}

// coseKey384 is its public key, for ES384.
func (a *authenticator) coseKey384() []byte {
	point, err := a.key.PublicKey.Bytes()
	apptest.Must(a.t, err)
	key := append([]byte{0xa5, 1, 2, 3, 0x38, 34, 0x20, 2, 0x21, 0x58, 48}, point[1:49]...)
	return append(append(key, 0x22, 0x58, 48), point[49:]...)
}

// create answers with a new passkey.
func (a *authenticator) create(of asked) string {
	a.t.Helper()
	user, err := base64.RawURLEncoding.DecodeString(of.PublicKey.User.ID)
	apptest.Must(a.t, err)
	a.user = user
	cose, statement := a.cose, a.statement
	if cose == nil {
		cose = a.coseKey()
	}
	if statement == nil {
		statement = []byte("\x63fmt\x64none\x67attStmt\xa0")
	}
	attested := binary.BigEndian.AppendUint16(make([]byte, 16), uint16(len(a.id)))
	attested = append(append(attested, a.id...), cose...)
	data := a.data(flagPresent|flagVerified|flagAttested, attested...)
	object := append(append([]byte{0xa3}, statement...), "\x68authData\x59"...)
	object = append(binary.BigEndian.AppendUint16(object, uint16(len(data))), data...)
	return a.answer(map[string]any{
		"clientDataJSON":    text64(a.clientData("webauthn.create", of)),
		"attestationObject": text64(object), "transports": []string{"internal", "pigeon"},
	})
}

// get answers with its passkey.
func (a *authenticator) get(of asked) string {
	a.t.Helper()
	client, data := a.clientData("webauthn.get", of), a.data(flagPresent|flagVerified)
	sum := sha256.Sum256(client)
	signed := sha256.Sum256(append(data, sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, signed[:])
	apptest.Must(a.t, err)
	return a.answer(map[string]any{
		"clientDataJSON": text64(client), "authenticatorData": text64(data),
		"signature": text64(signature), "userHandle": text64(a.user),
	})
}

func (a *authenticator) answer(response map[string]any) string {
	text, err := json.Marshal(map[string]any{
		"id": text64(a.id), "rawId": text64(a.id), "type": "public-key", "response": response,
	})
	apptest.Must(a.t, err)
	return string(text)
}
