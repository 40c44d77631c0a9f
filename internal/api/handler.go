package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A request is what a handler gets: the HTTP request, and who sent it.
type request struct {
	*http.Request
	actor vault.Actor
	once  []vault.OnceKey // by which it is known if it is sent again
}

// A handler answers one operation, or returns why not.
type handler func(w http.ResponseWriter, r *request) error

// handleJSON answers an operation with a body: decode it, make the domain's own types of it with
// parse, call, encode.
func handleJSON[In, Arg, Out any](
	status int, parse func(In) (Arg, error), do func(*request, Arg) (Out, error),
) handler {
	d := newDecoder[In]()
	return func(w http.ResponseWriter, r *request) error {
		sum := r.hashBody()
		arg, err := parseBody(d, parse, r.Request)
		if err != nil {
			return err
		}
		r.name(sum)
		out, err := do(r, arg)
		if err != nil {
			return err
		}
		if at, ok := any(out).(locator); ok && status == http.StatusCreated {
			w.Header().Set("Location", at.location())
		}
		setEntityTag(w, out)
		writeJSON(w, status, out)
		return nil
	}
}

// parseBody reads a body. Faults of its form and of its rules are one answer.
func parseBody[In, Arg any](
	d decoder[In], parse func(In) (Arg, error), r *http.Request,
) (arg Arg, err error) {
	in, faults, err := d.decode(r)
	if err != nil {
		return arg, err
	}
	arg, err = parse(in)
	if err != nil && vault.KindOf(err) != vault.Invalid {
		return arg, err
	}
	if err != nil {
		faults = mergeFieldErrors(faults, problemOf(err).errors)
	}
	if len(faults) > 0 {
		return arg, invalid(faults[:min(len(faults), maxFaults)]...)
	}
	return arg, nil
}

// handleGet answers an operation without a body.
func handleGet[Out any](do func(*request) (Out, error)) handler {
	return func(w http.ResponseWriter, r *request) error {
		out, err := do(r)
		if err != nil {
			return err
		}
		body := any(out) // once: each makes a copy
		setEntityTag(w, body)
		writeJSON(w, http.StatusOK, body)
		return nil
	}
}

// handleDelete answers an operation that leaves nothing to show.
func handleDelete(do func(*request) error) handler {
	return func(w http.ResponseWriter, r *request) error {
		if err := do(r); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// deleteEither answers a deletion of what the path names: one way with the flag in the query, and
// the other without it.
func deleteEither(
	flag string, with, without func(context.Context, vault.Actor, uuid.UUID) error,
) handler {
	return handleDelete(func(r *request) error {
		id, err := r.pathID("id")
		if err != nil {
			return err
		}
		set, err := r.queryFlag(flag)
		switch {
		case err != nil:
			return err
		case set:
			return with(r.Context(), r.actor, id)
		}
		return without(r.Context(), r.actor, id)
	})
}

// A locator is an answer that has an address of its own.
type locator interface{ location() string }

// pathID returns the id in the path. Only the usual form of 36 characters is accepted: an id has
// one spelling, in either case.
func (r *request) pathID(name string) (uuid.UUID, error) {
	text := r.PathValue(name)
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, invalid(wire.FieldError{
			Loc: []any{"path", name}, Msg: "Must be a UUID", Type: wire.TypeUUID,
		})
	}
	return id, nil
}

// queryFlag returns a parameter of the query that is true or false, and false if it was left out.
func (r *request) queryFlag(name string) (bool, error) {
	all, err := url.ParseQuery(r.URL.RawQuery)
	switch values := all[name]; {
	case err != nil:
	case len(values) == 0 || len(values) == 1 && values[0] == "false":
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	}
	return false, invalid(wire.FieldError{
		Loc: []any{"query", name}, Msg: "Must be true or false", Type: wire.TypeBool,
	})
}

// valueOrZero returns an optional member of a body: the zero value if it is null or was left out.
func valueOrZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// bodiesOf returns the body of each item, never null.
func bodiesOf[Item, Body any](items []Item, body func(Item) Body) []Body {
	all := make([]Body, len(items))
	for i, item := range items {
		all[i] = body(item)
	}
	return all
}

// texts is bodiesOf for what is a string by another type.
func texts[Item ~string](items []Item) []string {
	return bodiesOf(items, func(item Item) string { return string(item) })
}
