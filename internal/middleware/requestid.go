package middleware

import (
	"crypto/rand"
	"encoding/hex"
)

// newRequestID returns an id that ties an answer to its lines in the log. A client's own id is
// ignored: it would be a way into the log.
func newRequestID() string {
	var b [12]byte
	var text [2 * len(b)]byte
	_, _ = rand.Read(b[:]) // it ends the program rather than fail
	hex.Encode(text[:], b[:])
	return string(text[:])
}
