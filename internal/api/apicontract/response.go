package apicontract

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A response is what is documented of one status.
type response struct {
	content map[string]*jsonschema.Schema // by media type; empty for an answer without a body
	headers []header
}

type header struct {
	name     string
	required bool
	integer  bool
	schema   *jsonschema.Schema
}

func (d *Document) readResponse(at string, in *openapi3.Response) (response, error) {
	r := response{content: map[string]*jsonschema.Schema{}}
	var errs []error
	for media := range in.Content {
		schema, err := d.compile(at + "/content/" + escape(media) + "/schema")
		errs = append(errs, err)
		r.content[media] = schema
	}
	for name, ref := range in.Headers {
		schema, err := d.compile(location(at+"/headers/"+name, ref.Ref) + "/schema")
		h := header{name, ref.Value.Required, ref.Value.Schema.Value.Type.Is("integer"), schema}
		if err == nil && ref.Value.Example != nil {
			err = h.check(fmt.Sprint(ref.Value.Example))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the header %s: %w", name, err))
		}
		r.headers = append(r.headers, h)
	}
	return r, errors.Join(errs...)
}

// withoutValues rewrites a validator's error as one line for each fault, without the values at
// fault.
func withoutValues(err error) error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	return errors.New(strings.Join(slices.Compact(faults(invalid)), "; "))
}

// faults returns the errors that have no cause of their own.
func faults(e *jsonschema.ValidationError) (all []string) {
	for _, cause := range e.Causes {
		all = append(all, faults(cause)...)
	}
	if len(e.Causes) > 0 {
		return all
	}
	at := "at /" + strings.Join(e.InstanceLocation, "/") + ": "
	switch k := e.ErrorKind.(type) {
	case *kind.Pattern: // the validator's own text quotes the value
		return []string{at + "does not match the pattern " + k.Want}
	case *kind.Format:
		return []string{at + "is not a valid " + k.Want}
	}
	alone := &jsonschema.ValidationError{ErrorKind: e.ErrorKind}
	return []string{at + strings.TrimPrefix(alone.Error(), "at '': ")}
}
