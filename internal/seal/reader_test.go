package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/uuid"
)

// This file reads and writes blobs by format.md alone. It does not use the package.

// The results of opening a blob, as the vectors name them.
const (
	opens    = "opens"
	tampered = "tampered"
	format   = "format"
	otherKey = "other-key"
)

// An attempt is a blob and everything that is needed to open it.
type attempt struct {
	purpose        string
	key            []byte
	keyID          uuid.UUID
	owner, subject uuid.UUID
	version        uint64
	blob           []byte
}

// read opens the blob of a by format.md, section by section.
func (a attempt) read() (plain []byte, end string) {
	if len(a.blob) < 61 || a.blob[0] != 1 {
		return nil, format
	}
	if !bytes.Equal(a.blob[1:17], a.keyID[:]) {
		return nil, otherKey
	}
	plain, err := a.aead(a.blob[17:33]).Open(nil, a.blob[33:45], a.blob[45:], a.associated())
	if err != nil {
		return nil, tampered
	}
	if a.purpose == "owner-key" && len(plain) != 32 {
		return nil, format
	}
	return plain, opens
}

// write seals plain with a given salt and nonce, for which the package has random ones.
func (a attempt) write(salt, nonce, plain []byte) []byte {
	blob := bytes.Join([][]byte{{1}, a.keyID[:], salt, nonce}, nil)
	return a.aead(salt).Seal(blob, nonce, plain, a.associated())
}

func (a attempt) associated() []byte {
	version := binary.BigEndian.AppendUint64(nil, a.version)
	purpose := []byte(a.purpose)
	return bytes.Join(
		[][]byte{{1}, a.keyID[:], {byte(len(purpose))}, purpose, a.owner[:], a.subject[:], version},
		nil,
	)
}

// aead is AES-256-GCM with the key of the blob. Strict FIPS mode forbids a GCM with a given nonce,
// so enforcement is off for this one call.
func (a attempt) aead(salt []byte) (aead cipher.AEAD) {
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(hkdfSHA256(a.key, salt, "keysake v1 "+a.purpose, 32))
		if err == nil {
			aead, err = cipher.NewGCM(block)
		}
		if err != nil {
			panic(err) // only for a key of another size
		}
	})
	return aead
}

// rootKeyID derives the id of a root key.
func rootKeyID(bits []byte) uuid.UUID {
	id := uuid.UUID(hkdfSHA256(bits, nil, "keysake v1 root-key-id", 16))
	id[6] = 0x80 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// hkdfSHA256 is RFC 5869, sections 2.2 and 2.3.
func hkdfSHA256(secret, salt []byte, info string, size int) []byte {
	if len(salt) == 0 {
		salt = make([]byte, sha256.Size)
	}
	pseudorandom := hmacSHA256(salt, secret)
	var block, out []byte
	for counter := byte(1); len(out) < size; counter++ {
		block = hmacSHA256(pseudorandom, block, []byte(info), []byte{counter})
		out = append(out, block...)
	}
	return out[:size]
}

func hmacSHA256(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// The appendix of RFC 5869 has the test cases 1 and 3, of which the second has neither salt nor
// info.
func TestTheReadersOwnHKDFAgreesWithTheRFC(t *testing.T) {
	secret := bytes.Repeat([]byte{0x0b}, 22)
	for _, row := range []struct {
		salt, info, want string
	}{
		{
			"000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
		},
		{"", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	} {
		var got []byte
		// The RFC's salt of 13 bytes is below what strict FIPS mode takes as a key of HMAC.
		fips140.WithoutEnforcement(
			func() { got = hkdfSHA256(secret, unhex(t, row.salt), string(unhex(t, row.info)), 42) },
		)
		if hex.EncodeToString(got) != row.want {
			t.Errorf("with the salt %q: got %x, want %s", row.salt, got, row.want)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
