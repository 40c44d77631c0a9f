package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keysake/keysake/wire"
)

// maxDepth is how deep a body may nest. The deepest that the contract has is 2.
const maxDepth = 8

// maxFaults is how many faults one answer names: a small body can have thousands.
const maxFaults = 32

// A validator is a body that knows its own rules.
type validator interface{ Validate() []wire.FieldError }

// A decoder turns bodies into an In, strictly: unknown, repeated and wrong-case fields, wrong
// types, a missing required field, trailing data and deep nesting are refused. All the fields at
// fault are named at once. Nothing of the body is in an error.
type decoder[In validator] struct {
	fields map[string]field // by JSON name
	order  []string         // the names as the type has them
}

// A field is a member of a body.
type field struct {
	index    int
	required bool
	nullable bool
	typ      string // of the error for a wrong type
	msg      string
}

func newDecoder[In validator]() decoder[In] {
	d := decoder[In]{fields: map[string]field{}}
	t := reflect.TypeFor[In]()
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("json")
		typ, msg := typeError(f.Type)
		d.fields[name] = field{
			index: i, typ: typ, msg: msg,
			required: f.Tag.Get("required") == "true",
			nullable: f.Type.Kind() == reflect.Pointer,
		}
		d.order = append(d.order, name)
	}
	return d
}

// typeError says what is wrong with a member of another type than t.
func typeError(t reflect.Type) (typ, msg string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[wire.Timestamp]():
		return wire.TypeDatetime, "Must be a time in the form of RFC 3339"
	case t.Kind() == reflect.Bool:
		return wire.TypeBool, "Must be true or false"
	case t.Kind() == reflect.Int64:
		return wire.TypeInt, "Must be an integer, without a fraction or an exponent"
	case t.Kind() == reflect.Slice:
		return wire.TypeList, "Must be a list of strings"
	default:
		return wire.TypeString, "Must be a string"
	}
}

// decode reads the body of r. The buffer is wiped when the values in it have been taken over.
func (d decoder[In]) decode(w http.ResponseWriter, r *http.Request) (in In, err error) {
	if err := checkMediaType(r.Header); err != nil {
		return in, err
	}
	if r.ContentLength > wire.MaxBodyBytes {
		return in, tooLarge() // without waiting for it
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBodyBytes))
	defer clear(body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return in, tooLarge()
		}
		return in, &problem{status: http.StatusBadRequest, detail: "The body did not arrive whole"}
	}
	if err := scan(body); err != nil {
		return in, err
	}
	errs := d.members(body, &in)
	errs = append(errs, unlessNamed(errs, in.Validate())...)
	if len(errs) > 0 {
		return in, invalid(errs[:min(len(errs), maxFaults)]...)
	}
	return in, nil
}

func tooLarge() *problem {
	return &problem{
		status: http.StatusRequestEntityTooLarge,
		detail: "The body must have at most " + strconv.Itoa(wire.MaxBodyBytes) + " bytes",
	}
}

// checkMediaType wants JSON, said once, and unencoded.
func checkMediaType(h http.Header) error {
	media, params, err := mime.ParseMediaType(strings.Join(h.Values("Content-Type"), ", "))
	charset, given := params["charset"]
	encoded := strings.Join(h.Values("Content-Encoding"), "") != ""
	if err != nil || media != "application/json" || given && !strings.EqualFold(charset, "utf-8") ||
		encoded {
		return &problem{
			status: http.StatusUnsupportedMediaType,
			detail: "Send the body as Content-Type: application/json, in UTF-8, not encoded",
		}
	}
	return nil
}

// scan checks that the body is one JSON object, not too deep, without a name twice.
func scan(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		token, err := dec.ReadToken()
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return invalid(
				wire.FieldError{
					Loc:  []any{"body"},
					Msg:  "A field is there twice",
					Type: wire.TypeValue,
				},
			)
		case err != nil:
			return notJSON()
		case dec.StackDepth() > maxDepth:
			return invalid(
				wire.FieldError{
					Loc:  []any{"body"},
					Msg:  "The body nests too deep",
					Type: wire.TypeValue,
				},
			)
		case dec.StackDepth() > 0:
			continue
		}
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			return notJSON()
		}
		if token.Kind() != '}' {
			return invalid(
				wire.FieldError{
					Loc:  []any{"body"},
					Msg:  "The body must be a JSON object",
					Type: wire.TypeObject,
				},
			)
		}
		return nil
	}
}

func notJSON() *problem {
	return &problem{
		status: http.StatusBadRequest,
		detail: "The body is not valid JSON",
		errors: []wire.FieldError{
			{
				Loc:  []any{"body"},
				Msg:  "Must be one JSON object in UTF-8, with nothing after it",
				Type: wire.TypeJSON,
			},
		},
	}
}

// members fills in from a body that scan has passed, and returns what is wrong with its members.
func (d decoder[In]) members(body []byte, in *In) (errs []wire.FieldError) {
	to := reflect.ValueOf(in).Elem()
	seen := make(map[string]bool, len(d.fields))
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	_, _ = dec.ReadToken() // {
	for dec.PeekKind() != '}' {
		token, _ := dec.ReadToken()
		name := token.String()
		value, _ := dec.ReadValue()
		f, known := d.fields[name]
		switch {
		case !known:
			errs = append(
				errs,
				wire.FieldError{
					Loc:  locOf(name),
					Msg:  "Extra inputs are not permitted",
					Type: wire.TypeExtra,
				},
			)
		default:
			errs = append(errs, f.take(name, value, to.Field(f.index))...)
		}
		seen[name] = true
	}
	for _, name := range d.order {
		if d.fields[name].required && !seen[name] {
			errs = append(
				errs,
				wire.FieldError{
					Loc:  []any{"body", name},
					Msg:  "Field required",
					Type: wire.TypeMissing,
				},
			)
		}
	}
	return errs
}

// take puts a member's value into its place, or says what is wrong with it.
func (f field) take(name string, value jsontext.Value, to reflect.Value) []wire.FieldError {
	if f.typ == wire.TypeList && value.Kind() == '[' {
		if errs := badItems(name, value); len(errs) > 0 {
			return errs
		}
	}
	// The decoder's error may quote the body: only that there is one counts.
	if value.Kind() == 'n' && !f.nullable || json.Unmarshal(value, to.Addr().Interface()) != nil {
		return []wire.FieldError{{Loc: []any{"body", name}, Msg: f.msg, Type: f.typ}}
	}
	return nil
}

// badItems says which items of a list are no strings. Null would pass for an empty one.
func badItems(name string, list jsontext.Value) (errs []wire.FieldError) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(list))
	_, _ = dec.ReadToken() // [
	for i := 0; dec.PeekKind() != ']' && len(errs) < maxFaults; i++ {
		if item, _ := dec.ReadValue(); item.Kind() != '"' {
			errs = append(
				errs,
				wire.FieldError{
					Loc:  []any{"body", name, i},
					Msg:  "Must be a string",
					Type: wire.TypeString,
				},
			)
		}
	}
	return errs
}

// harmless names may be repeated in an answer. Anything else could be a value in the place of a
// name.
var harmless = regexp.MustCompile(`^[A-Za-z_]{1,24}$`)

func locOf(name string) []any {
	if harmless.MatchString(name) {
		return []any{"body", name}
	}
	return []any{"body"}
}

// unlessNamed returns the errors of more whose field has none in errs yet.
func unlessNamed(errs, more []wire.FieldError) (rest []wire.FieldError) {
	for _, m := range more {
		named := false
		for _, e := range errs {
			named = named || reflect.DeepEqual(e.Loc, m.Loc)
		}
		if !named {
			rest = append(rest, m)
		}
	}
	return rest
}
