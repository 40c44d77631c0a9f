package apicontract

import (
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	jsonType    = "application/json"
	contentType = "Content-Type"
)

// A response is what the document says of one status.
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

func (d *Document) readResponse(p place) (*response, error) {
	if p.value == nil {
		return nil, fmt.Errorf("there is nothing at %s", p.pointer)
	}
	if r, done := d.responses[p.pointer]; done {
		return r, nil
	}
	r := &response{content: map[string]*jsonschema.Schema{}}
	d.responses[p.pointer] = r
	var errs []error
	content := d.tree.child(p, "content")
	for _, media := range d.tree.keys(content) {
		s, err := d.compileMedia(d.tree.child(content, media))
		errs = append(errs, err)
		r.content[media] = s
	}
	headers := d.tree.child(p, "headers")
	for _, name := range d.tree.keys(headers) {
		h, err := d.readHeader(name, d.tree.child(headers, name))
		errs = append(errs, err)
		r.headers = append(r.headers, h)
	}
	return r, errors.Join(errs...)
}

func (d *Document) readHeader(name string, p place) (h header, err error) {
	object, _ := p.value.(map[string]any)
	h.name = name
	h.required, _ = object["required"].(bool)
	schema := d.tree.child(p, "schema")
	h.integer = schema.text("type") == "integer"
	if h.schema, err = d.compile(schema); err != nil {
		return h, err
	}
	if text, ok := object["example"]; ok {
		if err := h.check(fmt.Sprint(text)); err != nil {
			return h, fmt.Errorf("%s: the example: %w", p.pointer, err)
		}
	}
	return h, nil
}

// compileMedia compiles the schema of a body and holds its examples against it. A body without an
// example is an error.
func (d *Document) compileMedia(p place) (*jsonschema.Schema, error) {
	s, err := d.compile(place{pointer: p.pointer + "/schema"})
	if err != nil {
		return nil, err
	}
	examples := d.tree.child(p, "examples")
	if len(d.tree.keys(examples)) == 0 {
		return nil, fmt.Errorf("%s: there is no example", p.pointer)
	}
	for _, name := range d.tree.keys(examples) {
		if err := s.Validate(
			d.tree.child(d.tree.child(examples, name), "value").value,
		); err != nil {
			return nil, fmt.Errorf("%s: the example %s: %w", p.pointer, name, plain(err))
		}
	}
	return s, nil
}
