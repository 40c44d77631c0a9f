package apicontract

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// A shape is the schema of a request body as the mutations need it: an object, closed, of
// properties that are not objects themselves.
type shape struct{ properties []property }

type property struct {
	name     string
	required bool
	rule     rule
}

// A rule is what one property must keep to.
type rule struct {
	types     []string
	enum      []any
	minLength int
	maxLength int // 0 for no limit
	pattern   *regexp.Regexp
	format    string
	minItems  int
	maxItems  int // 0 for no limit
	minimum   *int
	items     *rule
}

// onlyKnown refuses a schema of a request with a keyword that would silently go without mutations.
func (d *Document) onlyKnown(p place, known ...string) error {
	for _, keyword := range d.tree.keys(p) {
		if !slices.Contains(known, keyword) {
			return fmt.Errorf("%s: no mutation is derived from %s yet", p.pointer, keyword)
		}
	}
	return nil
}

func (d *Document) readShape(p place) (s shape, err error) {
	object, _ := p.value.(map[string]any)
	if object["type"] != "object" || object["additionalProperties"] != false {
		return s, fmt.Errorf(
			"%s: a request body must be an object with additionalProperties: false",
			p.pointer,
		)
	}
	errs := []error{
		d.onlyKnown(p, "type", "description", "additionalProperties", "required", "properties"),
	}
	properties := d.tree.child(p, "properties")
	for _, name := range d.tree.keys(properties) {
		r, err := d.readRule(d.tree.child(properties, name))
		errs = append(errs, err)
		s.properties = append(
			s.properties,
			property{name, slices.Contains(p.list("required"), any(name)), r},
		)
	}
	return s, errors.Join(errs...)
}

func (d *Document) readRule(p place) (r rule, err error) {
	err = d.onlyKnown(
		p,
		"type",
		"description",
		"examples",
		"writeOnly",
		"enum",
		"minLength",
		"maxLength",
		"pattern",
		"format",
		"minItems",
		"maxItems",
		"items",
		"minimum",
	)
	if err != nil {
		return r, err
	}
	object, _ := p.value.(map[string]any)
	types := p.list("type")
	if one := p.text("type"); one != "" {
		types = []any{one}
	}
	for _, t := range types {
		name, _ := t.(string)
		r.types = append(r.types, name)
	}
	if len(r.types) == 0 || slices.Contains(r.types, "object") {
		return r, fmt.Errorf(
			"%s: a property of a request needs a type, and one other than object",
			p.pointer,
		)
	}
	r.enum, r.format = p.list("enum"), p.text("format")
	r.minLength, _ = object["minLength"].(int)
	r.maxLength, _ = object["maxLength"].(int)
	r.minItems, _ = object["minItems"].(int)
	r.maxItems, _ = object["maxItems"].(int)
	if minimum, given := object["minimum"].(int); given {
		r.minimum = &minimum
	}
	if text := p.text("pattern"); text != "" {
		if r.pattern, err = regexp.Compile(text); err != nil {
			return r, fmt.Errorf("%s: %w", p.pointer, err)
		}
	}
	if p.has("items") {
		items, err := d.readRule(d.tree.child(p, "items"))
		r.items = &items
		return r, err
	}
	return r, nil
}
