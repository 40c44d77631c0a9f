package bundle

import (
	"crypto/sha256"
)

// A Request says which request a sealed body belongs to: it is of no use on another path, with
// another method or with another credential. The sealed body does not hold it.
type Request struct {
	Server     [16]byte // as the answer that has the recipient says
	Method     string
	Target     string            // the path from /api/ on and, if there is one, ? and the query
	Credential [sha256.Size]byte // SHA-256 of the API key or ticket; of nothing if there is none
}

func (r Request) info(to Recipient) []byte {
	hash := to.Hash()
	return appendParts([]byte("keysake request v1"), r.Server[:], []byte(r.Method),
		[]byte(r.Target), r.Credential[:], hash[:])
}

// SealRequest seals the body of a request to a server.
func SealRequest(to Recipient, r Request, body []byte) ([]byte, error) {
	return to.seal(r.info(to), body)
}

// OpenRequest opens the body of a request. [ErrOpen]: it was not sealed to this key for this
// request.
func OpenRequest(k *Key, r Request, sealed []byte) ([]byte, error) {
	return k.open(r.info(k.Recipient()), sealed)
}

// Encapsulated returns what the sender drew for this one seal alone, nil if the key cannot open it:
// nothing else that opens has the same.
func (k *Key) Encapsulated(sealed []byte) []byte {
	size := 32
	if k.suite == XWing {
		size = 1120
	}
	if len(sealed) < headerSize+size {
		return nil
	}
	return sealed[headerSize : headerSize+size]
}
