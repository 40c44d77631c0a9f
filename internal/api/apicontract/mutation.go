package apicontract

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// A Mutation is a documented example with one fault. The server must refuse it.
type Mutation struct {
	Name string
	Body []byte
	Want int   // the status: 422, or 400 for what is not JSON
	Loc  []any // the part at fault; an answer may point further inward, as to one item of a list
}

// unknownField is a name that no body has.
const unknownField = "surely_unknown"

// Mutations derives bad bodies from the schema and the first example: each required property left
// out, each property of every other type and breaking each of its rules, a property that is
// unknown, duplicate or in another case, a body that is not an object, and one that is not JSON.
// An operation without a body has none.
func (op Operation) Mutations() []Mutation {
	if !op.HasBody {
		return nil
	}
	var base map[string]any
	if json.Unmarshal(op.Examples[0].Body, &base) != nil {
		return nil // Load has checked that it is an object
	}
	m := append(notAnObject(), notJSON(op.Examples[0].Body)...)
	m = append(m, mutate(op.body, base, "", []any{"body"}, encode)...)
	for _, name := range slices.Sorted(maps.Keys(op.body.Properties)) {
		if value, ok := base[name]; ok {
			m = append(m, misnamed(base, name, value)...)
		}
	}
	return m
}

// mutate derives bad bodies from one object in a body: the body itself, or one inward, whose place
// is what and loc. whole returns the body with another object in that place.
func mutate(
	s *openapi3.Schema, base map[string]any, what string, loc []any, whole func(any) []byte,
) (m []Mutation) {
	add := func(why, name string, changed map[string]any) {
		m = append(m, invalid(what+why, whole(changed), append(slices.Clip(loc), name)...))
	}
	with := func(name string, value any) map[string]any {
		changed := maps.Clone(base)
		changed[name] = value
		return changed
	}
	add("an unknown field", unknownField, with(unknownField, "text"))
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if slices.Contains(s.Required, name) {
			add(name+" left out", name, without(base, name))
		}
		property := s.Properties[name].Value
		for _, f := range flaws(property) {
			add(name+" "+f.name, name, with(name, f.value))
		}
		inward := append(slices.Clip(loc), name)
		switch value := base[name].(type) {
		case map[string]any:
			m = append(m, mutate(property, value, what+name+": ", inward, func(v any) []byte {
				return whole(with(name, v))
			})...)
		case []any:
			if first, ok := value[0].(map[string]any); ok {
				m = append(m, mutate(property.Items.Value, first, what+"first of "+name+": ",
					append(inward, float64(0)), func(v any) []byte {
						return whole(with(name, append([]any{v}, value[1:]...)))
					})...)
			}
		}
	}
	return m
}

// misnamed has a property twice, and one in another case.
func misnamed(base map[string]any, name string, value any) []Mutation {
	member := string(encode(map[string]any{name: value}))
	twice := member[:len(member)-1] + "," + string(encode(base)[1:])
	m := []Mutation{invalid("duplicate "+name, []byte(twice), "body", name)}
	first, size := utf8.DecodeRuneInString(name)
	if other := string(unicode.ToUpper(first)) + name[size:]; other != name {
		changed := without(base, name)
		changed[other] = value
		m = append(m, invalid(name+" in another case", encode(changed), "body", other))
	}
	return m
}

// notAnObject has JSON of every other type, and an object that nests too deep.
func notAnObject() (m []Mutation) {
	for _, v := range samples() {
		if v.typ != openapi3.TypeObject {
			m = append(m, invalid("a body that is "+v.name, encode(v.value), "body"))
		}
	}
	deep := `{"` + unknownField + `":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}"
	return append(m, invalid("a body that goes 1000 deep", []byte(deep), "body"))
}

func notJSON(example []byte) (m []Mutation) {
	whole := string(example)
	for name, body := range map[string]string{
		"an empty body":            "",
		"a body that is cut off":   whole[:len(whole)-1],
		"a body with more after":   whole + whole,
		"a body in another syntax": "name=value",
		"a body that is not UTF-8": `{"` + unknownField + `":"` + "\xff" + `"}`,
	} {
		m = append(m, Mutation{name, []byte(body), http.StatusBadRequest, []any{"body"}})
	}
	return m
}

func invalid(name string, body []byte, loc ...any) Mutation {
	return Mutation{Name: name, Body: body, Want: http.StatusUnprocessableEntity, Loc: loc}
}

func without(base map[string]any, name string) map[string]any {
	changed := maps.Clone(base)
	delete(changed, name)
	return changed
}

// encode never fails: what it gets came out of JSON, or is a literal of this package.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// checkDerivable refuses a request schema with a keyword from which no mutation is derived: it
// would go untested.
func checkDerivable(body *openapi3.Schema) error {
	if !body.Type.Includes(openapi3.TypeObject) || body.AdditionalProperties.Has == nil ||
		*body.AdditionalProperties.Has {
		return fmt.Errorf("a request body must be an object with additionalProperties: false")
	}
	known := []string{
		"type", "description", "examples", "writeOnly", "enum", "minLength", "maxLength",
		"pattern", "format", "minItems", "maxItems", "items", "minimum",
	}
	for name, p := range body.Properties {
		if p.Value.Type == nil {
			return fmt.Errorf("%s needs a type", name)
		}
		inward := p.Value
		if inward.Items != nil {
			inward = inward.Items.Value
		}
		if inward.Type.Includes(openapi3.TypeObject) {
			if err := checkDerivable(inward); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if inward == p.Value {
				continue
			}
		}
		var keywords map[string]any
		if err := json.Unmarshal(encode(p.Value), &keywords); err != nil {
			return err
		}
		for keyword := range keywords {
			if !slices.Contains(known, keyword) {
				return fmt.Errorf("%s: no mutation is derived from %s yet", name, keyword)
			}
		}
	}
	return nil
}
