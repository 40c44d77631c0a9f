package apicontract

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
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
		"", " ", "a b", "a\tb", "a\nb", " a", "a ", "a\n", "a\x00b", "\x00", "a\x1bb", "a\x7fb",
		"a\u0085b", "1a", "-a", ".a", "@", "a@", "@a", "a@b@c", "a-b", "a.b", "a=b", "a/b", "a$b",
		"A", "é", "ａ", "Å@", "a\u00a0b",
	}
}

// badTimes are not moments of RFC 3339.
func badTimes() []string {
	return []string{
		"", "tomorrow", "2099-01-01", "2099-02-31T00:00:00Z", "2099-01-01T00:00:00",
		"2099-01-01 00:00:00Z", "2099-01-01T25:00:00Z", "2099-01-01T00:00:00+0200", "4070908800",
	}
}

// badIDs are not UUIDs in the form of the contract, though some parsers accept the last four.
func badIDs() []string {
	return []string{
		"1", "not-a-uuid", "null", "00000000-0000-0000-0000-00000000000g",
		"00000000-0000-0000-0000-0000000000000", "00000000000000000000000000000000",
		"{00000000-0000-0000-0000-000000000000}", "urn:uuid:00000000-0000-0000-0000-000000000000",
		" 00000000-0000-0000-0000-000000000000",
	}
}

// flaws returns values that break s, each in one way.
func flaws(s *openapi3.Schema) (f []flaw) {
	for _, v := range samples() {
		if !s.Type.Includes(v.typ) && (v.typ != "integer" || !s.Type.Includes("number")) {
			f = append(f, flaw{"that is " + v.name, v.value})
		}
	}
	if s.Type.Includes("string") {
		f = append(f, badTexts(s)...)
	}
	if s.Type.Includes("integer") && s.Min != nil {
		least := int(*s.Min)
		for _, n := range []int{least - 1, math.MinInt64} {
			f = append(f, flaw{fmt.Sprintf("that is %d, less than %d", n, least), n})
		}
	}
	if s.Type.Includes("array") {
		f = append(f, badLists(s)...)
	}
	return f
}

func badTexts(s *openapi3.Schema) (f []flaw) {
	add := func(why, bad string) { f = append(f, flaw{why, bad}) }
	if s.MinLength > 0 {
		add(fmt.Sprintf("shorter than %d", s.MinLength), text(s.MinLength-1))
	}
	if s.MaxLength != nil {
		add(fmt.Sprintf("longer than %d", *s.MaxLength), text(*s.MaxLength+1))
	}
	if s.Pattern != "" {
		pattern := regexp.MustCompile(s.Pattern) // Load has compiled it
		for _, bad := range badStrings() {
			if uint64(len(bad)) >= s.MinLength && !pattern.MatchString(bad) {
				add(fmt.Sprintf("that is %q, against the pattern", bad), bad)
			}
		}
	}
	if s.Format == "date-time" {
		for _, bad := range badTimes() {
			add(fmt.Sprintf("that is %q, which is no time", bad), bad)
		}
	}
	if s.Format == "uuid" {
		for _, bad := range badIDs() {
			add(fmt.Sprintf("that is %q, which is no UUID", bad), bad)
		}
	}
	if len(s.Enum) > 0 {
		choice, _ := s.Enum[0].(string)
		for _, bad := range []string{"", "no-such-choice", strings.ToUpper(choice), choice + " "} {
			add(fmt.Sprintf("that is %q, which is no choice", bad), bad)
		}
	}
	return f
}

func badLists(s *openapi3.Schema) (f []flaw) {
	if s.MinItems > 0 {
		f = append(f, flaw{fmt.Sprintf("with fewer than %d items", s.MinItems), []any{}})
	}
	if s.Items == nil {
		return f
	}
	if s.MaxItems != nil {
		item := any("a")
		if choices := s.Items.Value.Enum; len(choices) > 0 {
			item = choices[0]
		}
		f = append(f, flaw{
			fmt.Sprintf("with more than %d items", *s.MaxItems),
			slices.Repeat([]any{item}, len(text(*s.MaxItems+1))),
		})
	}
	for _, bad := range flaws(s.Items.Value) {
		f = append(f, flaw{"with an item " + bad.name, []any{bad.value}})
	}
	return f
}

// text returns a text of n characters.
func text(n uint64) string {
	return strings.Repeat("a", int(n)) //nolint:gosec // a limit in openapi.yaml is far below 2⁶³
}
