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
	"fmt"
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
	version        uint64 // from here on, only of a value or mask
	stamp          [16]byte
	name, provider string // from here on, only of a mask
	secretMade     int64
	made           int64
	blob           []byte
}

// layout returns the format byte of the purpose, and how long its salt is.
func (a attempt) layout() (first byte, salt int) {
	if a.purpose == "value" || a.purpose == "mask" {
		return 3, 0
	}
	return 1, 16
}

// read opens the blob of a by format.md, section by section.
func (a attempt) read() (plain []byte, end string) {
	first, salt := a.layout()
	if len(a.blob) < 45+salt || a.blob[0] != first {
		return nil, format
	}
	if !bytes.Equal(a.blob[1:17], a.keyID[:]) {
		return nil, otherKey
	}
	nonce, sealed := a.blob[17+salt:29+salt], a.blob[29+salt:]
	plain, err := a.aead(a.blob[17:17+salt]).Open(nil, nonce, sealed, a.associated())
	if err != nil {
		return nil, tampered
	}
	if a.purpose == "owner-key" || a.purpose == "instance-key" {
		if len(plain) != 32 {
			return nil, format
		}
		if keyID(a.purpose+"-id", plain) != a.subject {
			return nil, otherKey
		}
	}
	return plain, opens
}

// write seals plain with a given salt and nonce, for which the package has random ones.
func (a attempt) write(salt, nonce, plain []byte) []byte {
	first, size := a.layout()
	blob := bytes.Join([][]byte{{first}, a.keyID[:], salt[:size], nonce}, nil)
	return a.aead(salt[:size]).Seal(blob, nonce, plain, a.associated())
}

func (a attempt) associated() []byte {
	first, _ := a.layout()
	data := bytes.Join([][]byte{
		{first}, a.keyID[:], {byte(len(a.purpose))}, []byte(a.purpose), a.owner[:], a.subject[:],
	}, nil)
	if first == 1 {
		return data
	}
	data = append(binary.BigEndian.AppendUint64(data, a.version), a.stamp[:]...)
	if a.purpose == "value" {
		return data
	}
	data = append(binary.BigEndian.AppendUint32(data, uint32(len(a.name))), a.name...)
	data = append(binary.BigEndian.AppendUint32(data, uint32(len(a.provider))), a.provider...)
	data = binary.BigEndian.AppendUint64(data, uint64(a.secretMade))
	return binary.BigEndian.AppendUint64(data, uint64(a.made))
}

// aead is AES-256-GCM with the key of the blob. Strict FIPS mode forbids a GCM with a given nonce,
// so enforcement is off for this one call.
func (a attempt) aead(salt []byte) (aead cipher.AEAD) {
	first, _ := a.layout()
	info := fmt.Sprintf("keysake v%d %s", first, a.purpose)
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(hkdfSHA256(a.key, salt, info, 32))
		if err == nil {
			aead, err = cipher.NewGCM(block)
		}
		if err != nil {
			panic(err) // only for a key of another size
		}
	})
	return aead
}

func rootKeyID(bits []byte) uuid.UUID { return keyID("root-key-id", bits) }

// keyID derives the id of a key.
func keyID(label string, bits []byte) uuid.UUID {
	id := uuid.UUID(hkdfSHA256(bits, nil, "keysake v1 "+label, 16))
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
