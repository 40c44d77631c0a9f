package vault

import (
	"crypto/rand"
	"crypto/sha256"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/base62"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A token is what an API key, a ticket, a session, a sign-in link, a credential of a workload or
// the login of a program is presented as: ksk_, kst_, kss_, ksl_, ksw_ or ksd_, then 43 characters
// of base 62 for 256 bits, then 6 for a checksum, so that scanners can tell one from chance and a
// mistyped one costs no look-up. The bits are random, but of a ticket.
const (
	tokenPrefix    = "ksk_"
	ticketPrefix   = "kst_"
	sessionPrefix  = "kss_"
	linkPrefix     = "ksl_"
	workloadPrefix = "ksw_"
	devicePrefix   = "ksd_"
	tokenRandom    = 32 // bytes
	tokenBody      = 43 // characters: 62⁴³ is the first power above 2²⁵⁶
	tokenLength    = len(tokenPrefix) + tokenBody + base62.ChecksumLength
)

// A TokenHash is what is stored of a token: its SHA-256. A slow hash would add nothing to 256
// random bits.
type TokenHash [sha256.Size]byte

// newToken returns a new token with this prefix.
func newToken(prefix string) plaintext.Value {
	random := make([]byte, tokenRandom)
	_, _ = rand.Read(random) // it ends the program rather than fail
	return tokenOf(prefix, random)
}

// ticketOf returns the ticket of a lease, which can be said again: its bits are derived from an
// instance key. What is stored of it is a hash, as of any token.
func ticketOf(key seal.InstanceKey, lease uuid.UUID) plaintext.Value {
	bits := key.TicketMAC(lease[:])
	return tokenOf(ticketPrefix, bits[:])
}

func tokenOf(prefix string, bits []byte) plaintext.Value {
	body := prefix + base62.Encode(bits, tokenBody)
	return plaintext.FromString(body + base62.Checksum([]byte(body)))
}

// hashToken returns the hash of a token with this prefix, and false for what cannot be one.
func hashToken(prefix string, token plaintext.Value) (TokenHash, bool) {
	b := token.Reveal()
	if len(b) != tokenLength || string(b[:len(prefix)]) != prefix {
		return TokenHash{}, false
	}
	body, sum := b[:tokenLength-base62.ChecksumLength], b[tokenLength-base62.ChecksumLength:]
	for _, c := range body[len(prefix):] {
		if !base62.IsDigit(c) {
			return TokenHash{}, false
		}
	}
	return TokenHash(sha256.Sum256(b)), base62.Checksum(body) == string(sum)
}
