package netguard

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Quiet returns a transport whose errors, and those of the bodies that it returns, can be logged:
// net/http quotes what it cannot read of an answer.
func Quiet(t http.RoundTripper) http.RoundTripper { return quiet{t} }

type quiet struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (q quiet) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := q.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, quietly(err)
	}
	// A client of net/http quotes a place that it cannot read, before it is asked about redirects.
	if _, err := resp.Location(); err != nil {
		resp.Header.Del("Location")
	}
	// The body of an upgrade is a connection, of which net/http reads nothing.
	if resp.StatusCode != http.StatusSwitchingProtocols && resp.Body != http.NoBody {
		resp.Body = quietBody{resp.Body}
	}
	return resp, nil
}

type quietBody struct{ io.ReadCloser }

// Read implements [io.Reader].
func (b quietBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, quietly(err)
}

// An answerError is of a request that failed otherwise, and does not say what is in the answer.
type answerError struct{ cause error }

// Error implements [error].
func (*answerError) Error() string {
	return "the request could not be sent, or the answer is not HTTP"
}

func (e *answerError) Unwrap() error { return e.cause }

// quietly returns an error of which it is known that it quotes no answer: one of the connection
// itself, or an answerError.
func quietly(err error) error {
	_, ofNet := errors.AsType[net.Error](err)
	if err == nil || ofNet || strings.HasPrefix(err.Error(), "tls: ") {
		return err
	}
	for _, harmless := range []error{
		io.EOF, io.ErrUnexpectedEOF, context.Canceled, ErrRefused, http.ErrBodyReadAfterClose,
	} {
		if errors.Is(err, harmless) {
			return err
		}
	}
	return &answerError{err}
}
