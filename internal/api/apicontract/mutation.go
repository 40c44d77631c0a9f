package apicontract

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Mutation is a documented example with one thing wrong with it. The server must refuse it.
type Mutation struct {
	Name string
	Body []byte
	Want int   // the status: 422, or 400 for what is not JSON
	Loc  []any // the part at fault; an answer may go further inward, as to one item of a list
}

// unknownField is a name that no body has.
const unknownField = "surely_unknown"

// Mutations derives bad bodies from the schema and the first example: each required property left
// out, each property of every other type and breaking each of its rules, a property that is
// unknown, there twice or in another case, another value than an object, and what is not JSON.
// There are none for an operation without a body.
func (op Operation) Mutations() []Mutation {
	if !op.HasBody {
		return nil
	}
	var base map[string]any
	if json.Unmarshal(op.Examples[0].Body, &base) != nil {
		return nil // Load has seen that it is an object
	}
	m := append(notAnObject(), notJSON(op.Examples[0].Body)...)
	with := func(what, name string, value any) {
		m = append(m, invalid(what, edited(base, name, value), "body", name))
	}
	with("an unknown field", unknownField, "text")
	for _, p := range op.shape.properties {
		if p.required {
			m = append(
				m,
				invalid(p.name+" left out", encode(without(base, p.name)), "body", p.name),
			)
		}
		for _, f := range p.rule.flaws() {
			with(p.name+" "+f.name, p.name, f.value)
		}
		if value, ok := base[p.name]; ok {
			m = append(m, misnamed(base, p.name, value)...)
		}
	}
	return m
}

// misnamed has a property that is there twice, and one in another case.
func misnamed(base map[string]any, name string, value any) []Mutation {
	twice := append([]byte("{"), member(name, value)...)
	twice = append(append(twice, ','), encode(base)[1:]...)
	m := []Mutation{invalid(name+" there twice", twice, "body")}
	first, size := utf8.DecodeRuneInString(name)
	if other := string(unicode.ToUpper(first)) + name[size:]; other != name {
		m = append(
			m,
			invalid(
				name+" in another case",
				edited(without(base, name), other, value),
				"body",
				other,
			),
		)
	}
	return m
}

// notAnObject has JSON of every other type, and an object that goes too deep.
func notAnObject() (m []Mutation) {
	for _, v := range samples() {
		if v.typ != "object" {
			m = append(m, invalid("a body that is "+v.name, encode(v.value), "body"))
		}
	}
	deep := `{"` + unknownField + `":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}"
	return append(m, invalid("a body that goes 1000 deep", []byte(deep), "body"))
}

func notJSON(example []byte) []Mutation {
	bad := func(name string, body string) Mutation {
		return Mutation{
			Name: name,
			Body: []byte(body),
			Want: http.StatusBadRequest,
			Loc:  []any{"body"},
		}
	}
	whole := string(example)
	return []Mutation{
		bad("an empty body", ""),
		bad("a body that is cut off", whole[:len(whole)-1]),
		bad("a body with more after it", whole+whole),
		bad("a body in another syntax", "name=value"),
		bad("a body that is not UTF-8", `{"`+unknownField+`":"`+"\xff"+`"}`),
	}
}

func invalid(name string, body []byte, loc ...any) Mutation {
	return Mutation{Name: name, Body: body, Want: http.StatusUnprocessableEntity, Loc: loc}
}
