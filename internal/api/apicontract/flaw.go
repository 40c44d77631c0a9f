package apicontract

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A flaw is a value that breaks a rule.
type flaw struct {
	name  string
	value any
}

// A sample is a value of one type.
type sample struct {
	name, typ string
	value     any
}

// samples returns one of each type.
func samples() []sample {
	return []sample{
		{"a string", "string", "text"},
		{"a number", "integer", 7},
		{"a fraction", "number", 1.5},
		{"a boolean", "boolean", true},
		{"a list", "array", []any{}},
		{"an object", "object", map[string]any{}},
		{"null", "null", nil},
	}
}

// badStrings are tried against a pattern; those that it does not match make flaws.
func badStrings() []string {
	return []string{
		"",
		" ",
		"a b",
		"a\tb",
		"a\nb",
		" a",
		"a ",
		"a\n",
		"a\x00b",
		"\x00",
		"a\x1bb",
		"a\x7fb",
		"a\u0085b",
		"1a",
		"-a",
		".a",
		"@",
		"a@",
		"@a",
		"a@b@c",
		"a-b",
		"a.b",
		"a=b",
		"a/b",
		"a$b",
		"A",
		"é",
		"ａ",
		"Å@",
		"a\u00a0b",
	}
}

// badTimes are no moments of RFC 3339.
func badTimes() []string {
	return []string{
		"",
		"tomorrow",
		"2099-01-01",
		"2099-02-31T00:00:00Z",
		"2099-01-01T00:00:00",
		"2099-01-01 00:00:00Z",
		"2099-01-01T25:00:00Z",
		"2099-01-01T00:00:00+0200",
		"4070908800",
	}
}

// flaws returns values that break r, each in one way.
func (r rule) flaws() (f []flaw) {
	for _, s := range samples() {
		if !r.takes(s.typ) {
			f = append(f, flaw{"that is " + s.name, s.value})
		}
	}
	if slices.Contains(r.types, "string") {
		f = append(f, r.badTexts()...)
	}
	if slices.Contains(r.types, "integer") && r.minimum != nil {
		for _, n := range []int{*r.minimum - 1, math.MinInt64} {
			f = append(f, flaw{fmt.Sprintf("that is %d, less than %d", n, *r.minimum), n})
		}
	}
	if slices.Contains(r.types, "array") {
		f = append(f, r.badLists()...)
	}
	return f
}

func (r rule) takes(typ string) bool {
	return slices.Contains(r.types, typ) || typ == "integer" && slices.Contains(r.types, "number")
}

func (r rule) badTexts() (f []flaw) {
	if r.minLength > 0 {
		f = append(
			f,
			flaw{fmt.Sprintf("shorter than %d", r.minLength), strings.Repeat("a", r.minLength-1)},
		)
	}
	if r.maxLength > 0 {
		f = append(
			f,
			flaw{fmt.Sprintf("longer than %d", r.maxLength), strings.Repeat("a", r.maxLength+1)},
		)
	}
	for _, s := range badStrings() {
		if r.pattern != nil && len(s) >= r.minLength && !r.pattern.MatchString(s) {
			f = append(f, flaw{fmt.Sprintf("that is %q, against the pattern", s), s})
		}
	}
	if r.format == "date-time" {
		for _, s := range badTimes() {
			f = append(f, flaw{fmt.Sprintf("that is %q, which is no time", s), s})
		}
	}
	if len(r.enum) > 0 {
		choice, _ := r.enum[0].(string)
		for _, s := range []string{"", "no-such-choice", strings.ToUpper(choice), choice + " "} {
			f = append(f, flaw{fmt.Sprintf("that is %q, which is no choice", s), s})
		}
	}
	return f
}

func (r rule) badLists() (f []flaw) {
	if r.minItems > 0 {
		f = append(
			f,
			flaw{fmt.Sprintf("with fewer than %d items", r.minItems), make([]string, r.minItems-1)},
		)
	}
	if r.items == nil {
		return f
	}
	if r.maxItems > 0 {
		item := any("a")
		if len(r.items.enum) > 0 {
			item = r.items.enum[0]
		}
		f = append(
			f,
			flaw{
				fmt.Sprintf("with more than %d items", r.maxItems),
				slices.Repeat([]any{item}, r.maxItems+1),
			},
		)
	}
	for _, bad := range r.items.flaws() {
		f = append(f, flaw{"with an item " + bad.name, []any{bad.value}})
	}
	return f
}
