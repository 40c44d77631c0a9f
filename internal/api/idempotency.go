package api

import (
	"crypto/sha256"
	"hash"
	"io"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

var idempotencyKey = regexp.MustCompile(`^[ -~]{1,128}$`)

// idempotent lets a client name requests of an operation, so that one which is sent again is done
// once. It does nothing to a request without a name.
func idempotent(h handler) handler {
	return func(w http.ResponseWriter, r *request) error {
		names := r.Header.Values("Idempotency-Key")
		if len(names) == 0 {
			return h(w, r)
		}
		if len(names) > 1 || !idempotencyKey.MatchString(names[0]) {
			return errIdempotencyKey
		}
		name := names[0]
		if r.actor.OnBehalfOf != uuid.Nil { // for each of these a client may have the same name
			name = r.actor.OnBehalfOf.String() + "\n" + name
		}
		r.once = append(r.once, vault.IdempotencyKey(name))
		return h(w, r)
	}
}

var errIdempotencyKey = invalid(wire.FieldError{
	Loc: []any{"header", "Idempotency-Key"}, Type: wire.TypePattern,
	Msg: "Must be one text of 1 to 128 printable characters of ASCII",
})

// errOtherRequest is the answer to a request that has the name of another one.
var errOtherRequest = invalid(wire.FieldError{
	Loc: []any{"header", "Idempotency-Key"}, Type: wire.TypeValue,
	Msg: "Another request had this key: use one key for one request, byte for byte",
})

// hashBody returns what hashes the request with its body while that is read, nil if the request has
// no name.
func (r *request) hashBody() hash.Hash {
	if len(r.once) == 0 {
		return nil
	}
	sum := sha256.New()
	// A hash takes everything.
	_, _ = io.WriteString(sum, r.Method+"\n"+r.URL.RequestURI()+"\n"+r.actor.Owner().String()+"\n")
	r.Body = hashed{io.TeeReader(r.Body, sum), r.Body}
	return sum
}

type hashed struct {
	io.Reader
	io.Closer
}

// name tells the use case by which names the request is known, if it has any. The hash is of the
// whole request.
func (r *request) name(sum hash.Hash) {
	if len(r.once) > 0 {
		r.actor.Once = &vault.Once{Keys: r.once, Request: [sha256.Size]byte(sum.Sum(nil))}
	}
}
