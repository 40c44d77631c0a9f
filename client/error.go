package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/wire"
)

// An Error is the server's refusal of a request. Its texts are the server's: escape control
// characters before a terminal shows them.
type Error struct {
	Status int // HTTP status
	// stable, for programs, such as not_found_error; empty if the answer was not Keysake's, but a
	// proxy's
	Type       string
	Detail     string            // for people
	Fields     []wire.FieldError // which parts of the request are at fault; never what they held
	RequestID  string            // finds the request in the server's log
	RetryAfter time.Duration     // when to try again; 0 if the server did not say it in seconds
}

// Error says all of it but the request id, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	sep := ": "
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "%s%s: %s", sep, Location(f), f.Msg)
		sep = "; "
	}
	fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	return b.String()
}

// Location returns the place of a field error as people write it: body.value, or
// body.allowed_scopes.0.
func Location(f wire.FieldError) string {
	parts := make([]string, len(f.Loc))
	for i, p := range f.Loc {
		parts[i] = fmt.Sprint(p)
	}
	return strings.Join(parts, ".")
}

// problem makes an error of an answer outside 2xx. The body counts only if it is the envelope.
func problem(res *http.Response, body []byte) *Error {
	e := &Error{Status: res.StatusCode, RequestID: res.Header.Get("X-Request-Id")}
	if seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var p wire.Problem
	switch {
	case json.Unmarshal(body, &p) == nil && p.Type != "":
		e.Type, e.Detail, e.Fields = p.Type, p.Detail, p.Errors
	case res.StatusCode >= 300 && res.StatusCode <= 399:
		e.Detail = fmt.Sprintf(
			"the server redirects to %q, which was not followed: use the right address",
			res.Header.Get("Location"),
		)
	default:
		e.Detail = "an answer that is not Keysake's: " + http.StatusText(res.StatusCode)
	}
	return e
}
