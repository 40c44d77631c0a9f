package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/keysake/keysake/plaintext"
)

// CredentialHash returns SHA-256 of the token that a request presents; of nothing if there is not
// one.
func CredentialHash(h http.Header) [sha256.Size]byte {
	token, _ := bearerToken(h)
	return sha256.Sum256(token.Reveal())
}

// bearerToken returns the one token of a request. Both headers mean the same; if a request has
// several tokens they must be equal, because it is not for the server to guess which one was meant.
func bearerToken(h http.Header) (plaintext.Value, bool) {
	var tokens []string
	for _, value := range h.Values("Authorization") {
		scheme, token, found := strings.Cut(value, " ")
		// RFC 9110, section 11.1: case does not matter
		if !found || !strings.EqualFold(scheme, "Bearer") {
			return plaintext.Value{}, false
		}
		tokens = append(tokens, strings.TrimLeft(token, " "))
	}
	tokens = append(tokens, h.Values("X-Api-Key")...)
	if len(tokens) == 0 {
		return plaintext.Value{}, false
	}
	for _, other := range tokens[1:] {
		if subtle.ConstantTimeCompare([]byte(other), []byte(tokens[0])) == 0 {
			return plaintext.Value{}, false
		}
	}
	return plaintext.FromString(tokens[0]), true
}
