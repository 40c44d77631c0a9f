package apicontract

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxFindings keeps a message readable: the first few findings tell the story.
const maxFindings = 8

// plain turns a validator's error into one line for each thing that is wrong, without the values
// that are wrong.
func plain(err error) error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	found := findings(invalid)
	// What has an error is not evaluated, and then not allowed either: that only repeats the error.
	if real := slices.DeleteFunc(
		slices.Clone(found),
		func(f finding) bool { return f.text == notAllowed },
	); len(
		real,
	) > 0 {
		found = real
	}
	var lines []string
	for i, f := range found {
		if i == maxFindings {
			lines = append(lines, fmt.Sprintf("and %d more", len(found)-i))
			break
		}
		lines = append(lines, f.at+": "+f.text)
	}
	return errors.New(strings.Join(lines, "; "))
}

// A finding is one thing that is wrong at one place of a value.
type finding struct{ at, text string }

// notAllowed is found where a schema says false.
const notAllowed = "is not allowed here"

// findings returns the errors that have no cause of their own.
func findings(e *jsonschema.ValidationError) (all []finding) {
	for _, cause := range e.Causes {
		all = append(all, findings(cause)...)
	}
	if len(e.Causes) > 0 {
		return all
	}
	f := finding{at: "at /" + strings.Join(e.InstanceLocation, "/")}
	switch k := e.ErrorKind.(type) {
	case *kind.Pattern: // the validator's own text quotes the value
		f.text = "does not match the pattern " + k.Want
	case *kind.Format:
		f.text = "is not a valid " + k.Want
	case *kind.FalseSchema:
		f.text = notAllowed
	default:
		alone := &jsonschema.ValidationError{ErrorKind: e.ErrorKind}
		f.text = strings.TrimPrefix(alone.Error(), "at '': ")
	}
	return []finding{f}
}
