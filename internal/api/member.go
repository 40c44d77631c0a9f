package api

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keysake/keysake/wire"
)

// A field is a member that a body may have.
type field struct {
	index    int
	required bool
	nullable bool
	typ      string // of the error for a wrong type
	msg      string
}

func newField(index int, f reflect.StructField) field {
	typ, msg := typeError(f.Type)
	return field{
		index: index, typ: typ, msg: msg,
		required: f.Tag.Get("required") == "true",
		nullable: f.Type.Kind() == reflect.Pointer,
	}
}

// typeError returns what is wrong with a member of another type than t.
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

// decodeMembers fills in from a body that checkSyntax has passed, and returns the faults of its
// members.
func (d decoder[In]) decodeMembers(body []byte, in *In) (faults []wire.FieldError) {
	to := reflect.ValueOf(in).Elem()
	seen := make(map[string]bool, len(d.fields))
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	_, _ = dec.ReadToken() // {
	for dec.PeekKind() != '}' {
		token, _ := dec.ReadToken()
		name := token.String()
		value, _ := dec.ReadValue()
		seen[name] = true
		if f, known := d.fields[name]; known {
			faults = append(faults, f.decodeMember(name, value, to.Field(f.index))...)
			continue
		}
		faults = append(faults,
			bodyError(wire.TypeExtra, "Extra inputs are not permitted", echoable(name)...))
	}
	for _, name := range d.order {
		if d.fields[name].required && !seen[name] {
			faults = append(faults, bodyError(wire.TypeMissing, "Field required", name))
		}
	}
	return faults
}

// decodeMember decodes a member's value, or returns what is wrong with it.
func (f field) decodeMember(name string, value jsontext.Value, to reflect.Value) []wire.FieldError {
	if f.typ == wire.TypeList && value.Kind() == '[' {
		if faults := itemErrors(name, value); len(faults) > 0 {
			return faults
		}
	}
	// The decoder's error may quote the body: only that there is one counts.
	if value.Kind() == 'n' && !f.nullable || json.Unmarshal(value, to.Addr().Interface()) != nil {
		return []wire.FieldError{bodyError(f.typ, f.msg, name)}
	}
	return nil
}

// itemErrors returns which items of a list are not strings. Null would pass for an empty one.
func itemErrors(name string, list jsontext.Value) (faults []wire.FieldError) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(list))
	_, _ = dec.ReadToken() // [
	for i := 0; dec.PeekKind() != ']' && len(faults) < maxFaults; i++ {
		if item, _ := dec.ReadValue(); item.Kind() != '"' {
			faults = append(faults, bodyError(wire.TypeString, "Must be a string", name, i))
		}
	}
	return faults
}

// duplicated returns the place of the member that is there twice, or of the innermost object around
// it whose place may be named.
func duplicated(dec *jsontext.Decoder, err error) (place []any) {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return nil
	}
	for part := range syntax.JSONPointer.Tokens() {
		step := echoable(part)
		if kind, _ := dec.StackIndex(len(place) + 1); kind == '[' {
			i, _ := strconv.Atoi(part) // it is the decoder's own
			step = []any{i}
		}
		if step == nil {
			break
		}
		place = append(place, step...)
	}
	return place
}

// echoablePattern has the names that an answer may repeat. Anything else could be a value in the
// place of a name.
var echoablePattern = regexp.MustCompile(`^[A-Za-z_]{1,24}$`)

// echoable returns the place of a member, none if its name must not be repeated.
func echoable(name string) []any {
	if echoablePattern.MatchString(name) {
		return []any{name}
	}
	return nil
}
