package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// A problem is a page in place of the one that was asked for.
type problem struct {
	status int
	title  string
	detail string
	cause  error // for the log
}

func (p *problem) Error() string { return p.title }
func (p *problem) Unwrap() error { return p.cause }

var (
	errNoPage = &problem{
		status: http.StatusNotFound, title: "There is no such page",
		detail: "It may have been deleted, or it never was. Nothing was changed.",
	}
	errForeign = &problem{
		status: http.StatusForbidden, title: "That came from another site",
		detail: "A form that changes something must be sent from these pages. Nothing was " +
			"changed.",
	}
	errSignedOut = &problem{
		status: http.StatusUnauthorized, title: "You are not signed in",
		detail: "Your session has ended, or there was none. Nothing was changed.",
	}
	errNotFresh = &problem{
		status: http.StatusForbidden, title: "Sign in again for this",
		detail: "What cannot be undone, or gives access away, needs a sign-in of the last " +
			"15 minutes. Nothing was changed. Sign in again, and try again.",
	}
)

func badForm(err error) error {
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return &problem{
			status: http.StatusRequestEntityTooLarge, title: "That was too long",
			detail: "A value has at most 64 KiB, and a file at most 256. Nothing was stored.",
		}
	}
	return &problem{ // and no word of what was sent
		status: http.StatusBadRequest, title: "That form was damaged",
		detail: "It did not arrive as a browser sends it. Nothing was stored.",
	}
}

// asError finds an error of the domain.
func asError(err error, into **vault.Error) bool { return errors.As(err, into) }

// statusOf is where the domain's vocabulary meets that of HTTP.
func statusOf(k vault.Kind) int {
	switch k {
	case vault.Invalid:
		return http.StatusUnprocessableEntity
	case vault.Unauthenticated:
		return http.StatusUnauthorized
	case vault.Denied:
		return http.StatusForbidden
	case vault.NotFound:
		return http.StatusNotFound
	case vault.Conflict, vault.Changed:
		return http.StatusConflict
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

func problemOf(err error) *problem {
	var p *problem
	var e *vault.Error
	var rate *middleware.RateError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &rate):
		return &problem{
			status: http.StatusTooManyRequests, title: "Too many requests", detail: rate.Error(),
		}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{
			status: http.StatusServiceUnavailable, title: "That took too long", cause: err,
			detail: "The server could not answer in time. Look whether it was done, and try again.",
		}
	case errors.Is(err, vault.ErrTampered):
		return &problem{
			status: http.StatusInternalServerError, title: "What is stored was changed", cause: err,
			detail: "The database has something else than what was stored. Nothing of it is " +
				"believed, and nothing was done. An admin can disable a user all the same: that " +
				"stops everything of theirs. Whoever runs the server finds what it is in its " +
				"log, by the id below.",
		}
	case errors.As(err, &e) && e.Kind == vault.NotFound:
		return errNoPage
	case errors.As(err, &e) && e.Kind == vault.Unauthenticated:
		return errSignedOut
	case errors.As(err, &e) && e.Kind != vault.Internal:
		return &problem{
			status: statusOf(e.Kind), title: "That was not done", detail: e.Detail, cause: err,
		}
	}
	return &problem{
		status: http.StatusInternalServerError, title: "Something went wrong", cause: err,
		detail: "The server could not do that. Whoever runs it finds the reason in its log, by " +
			"the id below.",
	}
}

// fail writes the page of an error, or leads to the sign-in.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	req := &request{Request: r}
	known := middleware.From(r.Context())
	if vault.KindOf(err) == vault.Unauthenticated && r.Method == http.MethodGet {
		_ = seeOther(w, req, "/ui/sign-in")
		return
	}
	p := problemOf(err)
	if rate, ok := errors.AsType[*middleware.RateError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(rate.Seconds))
	}
	if p.status >= http.StatusInternalServerError &&
		!errors.Is(r.Context().Err(), context.Canceled) {
		s.Middleware.Log.Log(r.Context(),
			s.Middleware.Strangers.Level(known, p.status, slog.LevelError), "request failed",
			"request_id", known.ID, "status", p.status,
			"tampering", errors.Is(err, vault.ErrTampered), "cause", err)
	}
	shown := s.show(w, req, p.status, "problem", view{Title: p.title, Data: map[string]any{
		"Detail": p.detail, "Request": known.ID, "SignIn": p.status == http.StatusUnauthorized,
	}})
	if shown != nil { // then there is no page at all
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, p.title)
	}
}
