package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/keysake/keysake/wire"
)

// An Error is the server's refusal of a request. Its texts come from the server: escape control
// characters before you print them to a terminal.
type Error struct {
	Status     int               // HTTP status
	Type       string            // for programs, such as not_found_error; empty if from a proxy
	Detail     string            // for people
	Fields     []wire.FieldError // the fields at fault; never their values
	RequestID  string            // finds the request in the server's log
	RetryAfter time.Duration     // when to try again; 0 if the server gave no number of seconds
}

// The kinds of refusals that a program acts on, for [errors.Is], by HTTP status: 401, 403, 404,
// 409, 412, 422, 429 and 503. An answer with such a status that is not Keysake's is none of them.
var (
	ErrUnauthenticated = errors.New("client: the API key does not work")
	ErrDenied          = errors.New("client: the API key may not do this, or a quota is full")
	ErrNotFound        = errors.New("client: there is none")
	ErrConflict        = errors.New("client: the name is in use, or something is in the way")
	ErrChanged         = errors.New("client: it was changed in the meantime")
	ErrInvalid         = errors.New("client: the request breaks a rule")
	ErrRateLimited     = errors.New("client: too many requests")
	ErrUnavailable     = errors.New("client: the server cannot do this now")
)

// ErrNoSealing reports a server that is too old for sealed requests. Nothing was sent to it.
var ErrNoSealing = errors.New("client: the server opens no sealed requests, because it is too old")

//nolint:gochecknoglobals // it is a table: nothing writes to it
var kinds = map[int]error{
	http.StatusUnauthorized: ErrUnauthenticated, http.StatusForbidden: ErrDenied,
	http.StatusNotFound: ErrNotFound, http.StatusConflict: ErrConflict,
	http.StatusPreconditionFailed: ErrChanged, http.StatusUnprocessableEntity: ErrInvalid,
	http.StatusTooManyRequests: ErrRateLimited, http.StatusServiceUnavailable: ErrUnavailable,
}

// Is reports whether target is the kind of the refusal.
func (e *Error) Is(target error) bool { return e.Type != "" && kinds[e.Status] == target }

// Error returns everything but the request id, in one line.
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

// Location returns the location of a field error as people write it: body.value, or
// body.allowed_scopes.0.
func Location(f wire.FieldError) string {
	parts := make([]string, len(f.Loc))
	for i, p := range f.Loc {
		parts[i] = fmt.Sprint(p)
	}
	return strings.Join(parts, ".")
}

// problem returns the error of a response outside 2xx. A body that is not Keysake's is ignored.
func problem(res *http.Response, body []byte) *Error {
	e := &Error{Status: res.StatusCode, RequestID: res.Header.Get("X-Request-Id")}
	e.RetryAfter = retryAfter(res)
	var p wire.Problem
	switch {
	case json.Unmarshal(body, &p) == nil && p.Type != "":
		e.Type, e.Detail, e.Fields = p.Type, p.Detail, p.Errors
	case res.StatusCode >= 300 && res.StatusCode <= 399:
		e.Detail = fmt.Sprintf("the server redirects to %q: use the server's own address",
			res.Header.Get("Location"))
	default:
		e.Detail = "a response that is not from Keysake: " + http.StatusText(res.StatusCode)
	}
	return e
}
