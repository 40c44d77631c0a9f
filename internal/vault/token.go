package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/keysake/keysake/plaintext"
)

// A token is what an API key is presented as: ksk_, then 43 characters of base 62 for 256 random
// bits, then 6 for a checksum, so that scanners can tell one from chance and a mistyped one costs
// no look-up.
const (
	tokenPrefix    = "ksk_"
	tokenRandom    = 32 // bytes
	tokenBody      = 43 // characters: 62⁴³ is the first power above 2²⁵⁶
	tokenSum       = 6  // characters: 62⁶ is above 2³²
	tokenLength    = len(tokenPrefix) + tokenBody + tokenSum
	base62Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// A TokenHash is what is stored of a token: its SHA-256. A slow hash would add nothing to 256
// random bits.
type TokenHash [sha256.Size]byte

// newToken returns a new token.
func newToken() plaintext.Value {
	random := make([]byte, tokenRandom)
	_, _ = rand.Read(random) // it ends the program rather than fail
	body := tokenPrefix + base62(new(big.Int).SetBytes(random), tokenBody)
	return plaintext.FromString(body + checksum(body))
}

// hashToken returns the hash of a token, and false for what cannot be one.
func hashToken(token plaintext.Value) (TokenHash, bool) {
	b := token.Reveal()
	if len(b) != tokenLength || string(b[:len(tokenPrefix)]) != tokenPrefix {
		return TokenHash{}, false
	}
	body, sum := b[:tokenLength-tokenSum], b[tokenLength-tokenSum:]
	for _, c := range body[len(tokenPrefix):] {
		if strings.IndexByte(base62Alphabet, c) < 0 {
			return TokenHash{}, false
		}
	}
	return TokenHash(sha256.Sum256(b)), checksum(string(body)) == string(sum)
}

// checksum is the CRC-32 (IEEE 802.3) of the characters before it.
func checksum(body string) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], crc32.ChecksumIEEE([]byte(body)))
	return base62(new(big.Int).SetBytes(b[:]), tokenSum)
}

// base62 writes n with the given number of digits.
func base62(n *big.Int, digits int) string {
	b := make([]byte, digits)
	base, digit := big.NewInt(int64(len(base62Alphabet))), new(big.Int)
	for i := digits - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		b[i] = base62Alphabet[digit.Int64()]
	}
	return string(b)
}
