package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keysake/keysake/wire"
)

// maxDepth is how deep a body may nest. The deepest that the contract has is 2.
const maxDepth = 8

// maxFaults is how many faults one answer names: a small body can have thousands.
const maxFaults = 32

// A decoder turns bodies into an In, strictly: unknown, duplicate and wrong-case fields, wrong
// types, a missing required field, trailing data and deep nesting are refused. Nothing of the body
// is in an error.
type decoder[In any] struct{ members }

func newDecoder[In any]() decoder[In] {
	return decoder[In]{newMembers(reflect.TypeFor[In]())}
}

// decode reads the body of r, and returns the faults of its members beside what could be read. It
// wipes the buffer once the values in it have been taken over.
func (d decoder[In]) decode(r *http.Request) (in In, faults []wire.FieldError, err error) {
	if err := checkMediaType(r.Header); err != nil {
		return in, nil, err
	}
	body, err := readBody(r)
	defer clear(body)
	if err != nil {
		return in, nil, err
	}
	return d.decodeBody(body)
}

// decodeBody is decode of what was read.
func (d decoder[In]) decodeBody(body []byte) (in In, faults []wire.FieldError, err error) {
	if err := checkSyntax(body); err != nil {
		return in, nil, err
	}
	return in, d.decodeObject(body, reflect.ValueOf(&in).Elem(), nil), nil
}

// maxAhead bounds the room that is made for a body by what the request says of its length.
const maxAhead = 64 << 10

// readBody reads the whole body of a request. The caller wipes it, also if there is an error. Room
// is made at first: a buffer that grows leaves copies behind.
func readBody(r *http.Request) ([]byte, error) {
	room := min(max(r.ContentLength, 0), maxAhead) + bytes.MinRead
	read := bytes.NewBuffer(make([]byte, 0, room))
	_, err := read.ReadFrom(r.Body)
	body := read.Bytes()
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return body, errTooLarge(tooLarge.Limit)
	}
	if err != nil {
		return body, &problem{
			status: http.StatusBadRequest, detail: "The request body was cut off",
		}
	}
	return body, nil
}

func errTooLarge(limit int64) error {
	return &problem{
		status: http.StatusRequestEntityTooLarge,
		detail: fmt.Sprintf("The body must have at most %d bytes", limit),
	}
}

// checkMediaType wants JSON, said once, and unencoded.
func checkMediaType(h http.Header) error {
	media, params, err := mime.ParseMediaType(strings.Join(h.Values("Content-Type"), ", "))
	charset, given := params["charset"]
	encoded := strings.Join(h.Values("Content-Encoding"), "") != ""
	if err != nil || media != "application/json" || encoded ||
		given && !strings.EqualFold(charset, "utf-8") {
		return &problem{
			status: http.StatusUnsupportedMediaType,
			detail: "Send the body as Content-Type: application/json, in UTF-8, not encoded",
		}
	}
	return nil
}

// checkSyntax checks that the body is one JSON object, not too deep, without duplicate names.
func checkSyntax(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		token, err := dec.ReadToken()
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return invalid(bodyError(wire.TypeValue, "Duplicate field", duplicated(dec, err)...))
		case err != nil:
			return errNotJSON
		case dec.StackDepth() > maxDepth:
			return invalid(bodyError(wire.TypeValue, "The body is nested too deeply"))
		case dec.StackDepth() > 0:
			continue
		}
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			return errNotJSON
		}
		if token.Kind() != '}' {
			return invalid(bodyError(wire.TypeObject, "The body must be a JSON object"))
		}
		return nil
	}
}

var errNotJSON = &problem{
	status: http.StatusBadRequest,
	detail: "The body is not valid JSON",
	errors: []wire.FieldError{
		bodyError(wire.TypeJSON, "Must be one JSON object in UTF-8, with nothing after it"),
	},
}

// bodyError is a fault at a place in the body, or of the whole body if no place is named.
func bodyError(typ, msg string, place ...any) wire.FieldError {
	return wire.FieldError{Loc: append([]any{"body"}, place...), Msg: msg, Type: typ}
}

// mergeFieldErrors adds to the faults of a body's form those of its rules, one for each field. A
// member of the wrong form has no rules.
func mergeFieldErrors(form, rules []wire.FieldError) []wire.FieldError {
	all := form
	for _, rule := range rules {
		named := false
		for _, e := range form {
			inward := len(rule.Loc) >= len(e.Loc) && slices.Equal(e.Loc, rule.Loc[:len(e.Loc)])
			named = named || inward
		}
		if !named {
			all = append(all, rule)
		}
	}
	return all
}
