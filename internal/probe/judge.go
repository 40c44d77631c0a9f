package probe

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"

	"github.com/keysake/keysake/internal/catalog"
)

// A finding is a [catalog.Finding] in the making.
type finding catalog.Finding

// Judge returns what the rules of a check make of an answer with a body.
func Judge(check catalog.Check, status int, h http.Header, body []byte) catalog.Outcome {
	return judge(check, newAnswer(status, h, body)).Outcome
}

// judge returns what the rules of a check make of an answer. One in another shape than the
// provider's is that of a gateway, and tells nothing.
func judge(check catalog.Check, a answer) finding {
	f := finding{Outcome: catalog.OutcomeIndeterminate, Check: check.ID, Status: a.status}
	if !a.hasShape(check.Shape) {
		f.Note = "the answer is not in the form of the provider's"
		return f
	}
	for _, rule := range check.Rules {
		if a.holds(rule.When) {
			f.Outcome, f.Note = rule.Then, rule.Note
			return f
		}
	}
	return f
}

func (a answer) hasShape(pointers []string) bool {
	if len(pointers) == 0 {
		return a.json != nil
	}
	return slices.ContainsFunc(pointers, func(p string) bool {
		_, found := a.at(p)
		return found
	})
}

// holds reports whether every part of a condition does.
func (a answer) holds(when catalog.When) bool {
	if len(when.Status) > 0 && !slices.Contains(when.Status, a.status) {
		return false
	}
	for name, want := range when.Header {
		got := a.header.Values(name)
		if len(got) == 0 || (want != "*" && !slices.Contains(got, want)) {
			return false
		}
	}
	for pointer, wanted := range when.JSON {
		got, found := a.at(pointer)
		if !found || !slices.ContainsFunc(wanted, func(want any) bool {
			return want == "*" && got != nil || reflect.DeepEqual(got, want)
		}) {
			return false
		}
	}
	if when.Body == "" {
		return true
	}
	pattern, err := regexp.Compile(when.Body)
	return err == nil && pattern.Match(a.body)
}
