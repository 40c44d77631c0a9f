package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A handler answers one operation, or returns why not.
type handler func(w http.ResponseWriter, r *http.Request, who vault.Actor) error

// take answers an operation with a body: decode, call, encode.
func take[In validator, Out any](
	status int,
	do func(ctx context.Context, who vault.Actor, r *http.Request, in In) (Out, error),
) handler {
	d := newDecoder[In]()
	return func(w http.ResponseWriter, r *http.Request, who vault.Actor) error {
		in, err := d.decode(w, r)
		if err != nil {
			return err
		}
		out, err := do(r.Context(), who, r, in)
		if err != nil {
			return err
		}
		if at, ok := any(out).(located); ok && status == http.StatusCreated {
			w.Header().Set("Location", at.location())
		}
		writeJSON(w, status, out)
		return nil
	}
}

// give answers an operation without a body.
func give[Out any](
	do func(ctx context.Context, who vault.Actor, r *http.Request) (Out, error),
) handler {
	return func(w http.ResponseWriter, r *http.Request, who vault.Actor) error {
		out, err := do(r.Context(), who, r)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	}
}

// end answers an operation that leaves nothing to show.
func end(do func(ctx context.Context, who vault.Actor, r *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request, who vault.Actor) error {
		if err := do(r.Context(), who, r); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// located is an answer that has an address of its own.
type located interface{ location() string }

// pathID returns the id in the path. Only the usual form of 36 characters is one: the same id has
// one spelling but for case.
func pathID(r *http.Request, name string) (uuid.UUID, error) {
	text := r.PathValue(name)
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, invalid(
			wire.FieldError{Loc: []any{"path", name}, Msg: "Must be a UUID", Type: wire.TypeUUID},
		)
	}
	return id, nil
}

// orZero is an optional member of a body: the zero value where it is null or was left out.
func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
