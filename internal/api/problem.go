package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A problem is an error answer. What only HTTP knows (400, 405, 413, 415, 426, 429) is made in this
// package; the rest comes from the vault's kinds.
type problem struct {
	status int
	detail string
	errors []wire.FieldError
	header http.Header
	cause  error // for the log
}

func (p *problem) Error() string { return p.detail }
func (p *problem) Unwrap() error { return p.cause }

// typeOf gives each status the type that programs go by. The router and the domain cause no other.
func typeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "invalid_request_error"
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed_error"
	case http.StatusConflict:
		return "conflict_error"
	case http.StatusPreconditionFailed:
		return "precondition_failed_error"
	case http.StatusRequestEntityTooLarge:
		return "payload_too_large_error"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type_error"
	case http.StatusUnprocessableEntity:
		return "validation_error"
	case http.StatusUpgradeRequired:
		return "upgrade_required_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusBadGateway:
		return "bad_gateway_error"
	case http.StatusServiceUnavailable:
		return "unavailable_error"
	case http.StatusGatewayTimeout:
		return "gateway_timeout_error"
	}
	return "internal_error"
}

// status is the only place where the domain's vocabulary meets HTTP's.
func status(k vault.Kind) int {
	switch k {
	case vault.Invalid:
		return http.StatusUnprocessableEntity
	case vault.Unauthenticated:
		return http.StatusUnauthorized
	case vault.Denied:
		return http.StatusForbidden
	case vault.NotFound:
		return http.StatusNotFound
	case vault.Conflict:
		return http.StatusConflict
	case vault.Changed:
		return http.StatusPreconditionFailed
	case vault.Unavailable:
		return http.StatusServiceUnavailable
	case vault.BadGateway:
		return http.StatusBadGateway
	case vault.GatewayTimeout:
		return http.StatusGatewayTimeout
	case vault.Internal:
	}
	return http.StatusInternalServerError
}

// problemOf turns any error into an answer. The text of an error without a kind is for the log,
// never for the caller.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &problem{
			status: http.StatusServiceUnavailable,
			detail: "The server could not answer in time: try again later",
			cause:  err,
		}
	}
	if errors.Is(err, vault.ErrOtherRequest) {
		return errOtherRequest
	}
	if often, ok := errors.AsType[*middleware.RateError](err); ok {
		return &problem{status: http.StatusTooManyRequests, detail: often.Error()}
	}
	known, ok := errors.AsType[*vault.Error](err)
	if !ok || known.Kind == vault.Internal {
		return &problem{
			status: http.StatusInternalServerError, detail: "Internal server error", cause: err,
		}
	}
	p := &problem{status: status(known.Kind), detail: known.Detail, cause: err}
	for _, f := range known.Fields {
		p.errors = append(p.errors, bodyError(ruleType(f.Rule), f.Msg+hint(f), placeOf(f.Name)...))
	}
	return p
}

// placeOf returns the place in a body that the domain names with dots.
func placeOf(name string) (place []any) {
	for part := range strings.SplitSeq(name, ".") {
		if i, err := strconv.Atoi(part); err == nil {
			place = append(place, i)
		} else {
			place = append(place, part)
		}
	}
	return place
}

func ruleType(r vault.Rule) string {
	switch r {
	case vault.OneOf:
		return wire.TypeEnum
	case vault.TooShort:
		return wire.TypeTooShort
	case vault.TooLong:
		return wire.TypeTooLong
	case vault.TooMany:
		return wire.TypeListTooLong
	case vault.TooSmall:
		return wire.TypeTooSmall
	case vault.Pattern:
		return wire.TypePattern
	case vault.Required:
		return wire.TypeMissing
	case vault.TooFew:
		return wire.TypeListTooFew
	case vault.UUID:
		return wire.TypeUUID
	case vault.GoodValue:
	}
	return wire.TypeValue
}

// invalid is the answer to fields that break a rule.
func invalid(errs ...wire.FieldError) *problem {
	return &problem{
		status: http.StatusUnprocessableEntity, detail: "Validation error", errors: errs,
	}
}

// fail is the only writer of errors. It logs the cause of what is the server's fault, and nothing
// that a client sent.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	if r.ProtoMajor > 1 { // RFC 9113, section 8.2.2: HTTP/2 has no Upgrade
		w.Header().Del("Upgrade")
		w.Header().Del("Connection")
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.status >= http.StatusInternalServerError &&
		!errors.Is(r.Context().Err(), context.Canceled) {
		req, o := middleware.From(r.Context()), a.Middleware
		o.Log.Log(r.Context(), o.Strangers.Level(req, p.status, slog.LevelError), "request failed",
			"request_id", req.ID, "status", p.status,
			"tampering", errors.Is(err, vault.ErrTampered), "cause", err)
	}
	body := wire.Problem{Code: p.status, Detail: p.detail, Type: typeOf(p.status), Errors: p.errors}
	writeJSON(w, p.status, body)
}

// writeJSON writes an answer with a body. It ignores an error of the write: the connection is
// gone.
func writeJSON(w http.ResponseWriter, status int, body any) {
	e, ok := body.(encoder)
	if !ok {
		writeBody(w, status, asJSON(body))
		return
	}
	room, _ := rooms.Get().(*[]byte)
	*room = e.appendTo((*room)[:0])
	writeBody(w, status, *room)
	if cap(*room) <= maxRoom {
		rooms.Put(room)
	}
}

// rooms are for the bodies of encoders, which have nothing secret. None above maxRoom is kept.
//
//nolint:gochecknoglobals // a pool serves all requests; a list of 50 secrets has 16 KiB
var rooms = sync.Pool{New: func() any { return new([]byte) }}

const maxRoom = 64 << 10

func writeBody(w http.ResponseWriter, status int, b []byte) {
	if len(b) > bufferedByHTTP {
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	}
	w.Header()["Content-Type"] = isJSON
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// bufferedByHTTP is how long a body may be for which net/http finds out the length by itself. A
// longer one would be sent in chunks.
const bufferedByHTTP = 2048

// asJSON panics for a body that cannot be written: that is a mistake in its type.
func asJSON(body any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return b
}
