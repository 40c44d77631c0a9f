package api

import (
	"bytes"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/keysake/keysake/wire"
)

// Busy returns a whole answer of HTTP/1.1, for a client whose connection there is no room for.
func Busy() []byte {
	const status = http.StatusServiceUnavailable
	body, err := json.Marshal(wire.Problem{
		Code: status, Detail: "Too many connections: try again later", Type: typeOf(status),
	})
	if err != nil {
		panic(err) // a body that cannot be written is a mistake in its type
	}
	answer := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		Header: http.Header{
			"Content-Type":  {"application/json"},
			"Cache-Control": {"no-store"},
			"Retry-After":   {"1"},
		},
	}
	var b bytes.Buffer
	_ = answer.Write(&b) // a buffer takes everything
	return b.Bytes()
}
