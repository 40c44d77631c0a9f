package api

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keysake/keysake/wire"
)

// members are those that an object in a body may have.
type members struct {
	fields map[string]field // by JSON name
	order  []string         // the names as the type has them
}

func newMembers(t reflect.Type) members {
	m := members{fields: map[string]field{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m.fields[name] = newField(i, f)
		m.order = append(m.order, name)
	}
	return m
}

// A field is a member that an object may have.
type field struct {
	index    int
	required bool
	nullable bool
	typ      string // of the error for a wrong type
	msg      string
	object   *members // of a member that is an object, or a list of objects
}

func newField(index int, f reflect.StructField) field {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	typ, msg := typeError(t)
	made := field{
		index: index, typ: typ, msg: msg,
		required: f.Tag.Get("required") == "true",
		nullable: f.Type.Kind() == reflect.Pointer,
	}
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if isObject(t) {
		object := newMembers(t)
		made.object = &object
	}
	return made
}

// isObject reports whether values of t are JSON objects, and not what t reads by itself.
func isObject(t reflect.Type) bool {
	return t.Kind() == reflect.Struct &&
		!reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// typeError returns what is wrong with a member of another type than t.
func typeError(t reflect.Type) (typ, msg string) {
	switch {
	case t == reflect.TypeFor[wire.Timestamp]():
		return wire.TypeDatetime, "Must be a time in the form of RFC 3339"
	case t.Kind() == reflect.Bool:
		return wire.TypeBool, "Must be true or false"
	case t.Kind() == reflect.Int64:
		return wire.TypeInt, "Must be an integer, without a fraction or an exponent"
	case t.Kind() == reflect.Slice && isObject(t.Elem()):
		return wire.TypeList, "Must be a list of objects"
	case t.Kind() == reflect.Slice:
		return wire.TypeList, "Must be a list of strings"
	case isObject(t):
		return wire.TypeObject, "Must be an object"
	default:
		return wire.TypeString, "Must be a string"
	}
}

// decodeObject fills to from an object that checkSyntax has passed, and returns the faults of its
// members. place is where the object is in the body.
func (m members) decodeObject(
	object jsontext.Value, to reflect.Value, place []any,
) (faults []wire.FieldError) {
	seen := make(map[string]bool, len(m.fields))
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	_, _ = dec.ReadToken() // {
	for dec.PeekKind() != '}' {
		token, _ := dec.ReadToken()
		name := token.String()
		value, _ := dec.ReadValue()
		seen[name] = true
		if f, known := m.fields[name]; known {
			faults = append(faults, f.decode(value, to.Field(f.index), inward(place, name))...)
			continue
		}
		faults = append(faults, bodyError(wire.TypeExtra, "Extra inputs are not permitted",
			inward(place, echoable(name)...)...))
	}
	for _, name := range m.order {
		if m.fields[name].required && !seen[name] {
			faults = append(faults,
				bodyError(wire.TypeMissing, "Field required", inward(place, name)...))
		}
	}
	return faults
}

func inward(place []any, step ...any) []any { return append(slices.Clip(place), step...) }

// decode decodes a member's value, or returns what is wrong with it.
func (f field) decode(value jsontext.Value, to reflect.Value, place []any) []wire.FieldError {
	kind := value.Kind()
	if f.typ == wire.TypeList && kind == '[' {
		if f.object != nil {
			return f.decodeObjects(value, to, place)
		}
		if faults := itemErrors(value, place); len(faults) > 0 {
			return faults
		}
	}
	if f.typ == wire.TypeObject && kind == '{' {
		if to.Kind() == reflect.Pointer {
			to.Set(reflect.New(to.Type().Elem()))
			to = to.Elem()
		}
		return f.object.decodeObject(value, to, place)
	}
	// The decoder's error may quote the body: only that there is one counts.
	if kind == 'n' && !f.nullable || f.object != nil && kind != 'n' ||
		json.Unmarshal(value, to.Addr().Interface()) != nil {
		return []wire.FieldError{bodyError(f.typ, f.msg, place...)}
	}
	return nil
}

// decodeObjects decodes a list of objects.
func (f field) decodeObjects(
	list jsontext.Value, to reflect.Value, place []any,
) (faults []wire.FieldError) {
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		to = to.Elem()
	}
	to.Set(reflect.MakeSlice(to.Type(), 0, 0))
	dec := jsontext.NewDecoder(bytes.NewBuffer(list))
	_, _ = dec.ReadToken() // [
	for i := 0; dec.PeekKind() != ']' && len(faults) < maxFaults; i++ {
		item := reflect.New(to.Type().Elem()).Elem()
		if value, _ := dec.ReadValue(); value.Kind() == '{' {
			faults = append(faults, f.object.decodeObject(value, item, inward(place, i))...)
		} else {
			faults = append(faults,
				bodyError(wire.TypeObject, "Must be an object", inward(place, i)...))
		}
		to.Set(reflect.Append(to, item))
	}
	return faults
}

// itemErrors returns which items of a list are not strings. Null would pass for an empty one.
func itemErrors(list jsontext.Value, place []any) (faults []wire.FieldError) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(list))
	_, _ = dec.ReadToken() // [
	for i := 0; dec.PeekKind() != ']' && len(faults) < maxFaults; i++ {
		if item, _ := dec.ReadValue(); item.Kind() != '"' {
			faults = append(faults,
				bodyError(wire.TypeString, "Must be a string", inward(place, i)...))
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
