package apicontract

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxFindings keeps a message readable: the first few findings tell the story.
const maxFindings = 8

// plain turns a validator's error into one line for each thing that is wrong, without the values that are wrong.
func plain(err error) error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	found := findings(invalid, nil)
	if more := len(found) - maxFindings; more > 0 {
		found = append(found[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(found, "; "))
}

// findings appends a line for each error that has no cause of its own.
func findings(e *jsonschema.ValidationError, lines []string) []string {
	for _, cause := range e.Causes {
		lines = findings(cause, lines)
	}
	if len(e.Causes) > 0 {
		return lines
	}
	at := "/" + strings.Join(e.InstanceLocation, "/")
	switch k := e.ErrorKind.(type) {
	case *kind.Pattern: // the validator's own text quotes the value
		return append(lines, fmt.Sprintf("at %s: does not match the pattern %s", at, k.Want))
	case *kind.Format:
		return append(lines, fmt.Sprintf("at %s: is not a valid %s", at, k.Want))
	default:
		alone := &jsonschema.ValidationError{ErrorKind: e.ErrorKind}
		return append(lines, "at "+at+": "+strings.TrimPrefix(alone.Error(), "at '': "))
	}
}
