package apicontract

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A path is a template and what it answers to.
type path struct {
	template string
	segments []string
	methods  []string // in the order of the document
}

// isMethod tells whether a field of a path is an operation.
func isMethod(field string) bool {
	return slices.Contains(
		[]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"},
		field,
	)
}

func (d *Document) readPath(template string, p place) (path, error) {
	var errs []error
	var params []parameter
	for i := range p.list("parameters") {
		param, err := d.readParameter(d.tree.item(d.tree.child(p, "parameters"), i))
		errs = append(errs, err)
		params = append(params, param)
	}
	if names := parameterNames(
		template,
	); !slices.EqualFunc(
		names,
		params,
		func(n string, p parameter) bool { return n == p.name },
	) {
		errs = append(
			errs,
			fmt.Errorf("%s: parameters must declare %v, in this order", template, names),
		)
	}
	read := path{template: template, segments: strings.Split(template, "/")}
	for _, method := range d.tree.keys(p) {
		if !isMethod(method) {
			continue
		}
		op, err := d.readOperation(method, template, d.tree.child(p, method), params)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", op.Method, template, err))
		}
		d.operations = append(d.operations, op)
		read.methods = append(read.methods, op.Method)
	}
	return read, errors.Join(errs...)
}

func (d *Document) readParameter(p place) (param parameter, err error) {
	param.name = p.text("name")
	param.example = p.text("example")
	if p.text("in") != "path" {
		return param, fmt.Errorf("%s: only path parameters are known here yet", p.pointer)
	}
	if param.schema, err = d.compile(d.tree.child(p, "schema")); err != nil {
		return param, err
	}
	if err := param.schema.Validate(param.example); err != nil {
		return param, fmt.Errorf("%s: the example: %w", p.pointer, plain(err))
	}
	param.uuid = d.tree.child(p, "schema").text("format") == "uuid"
	return param, nil
}

func parameterNames(template string) (names []string) {
	for segment := range strings.SplitSeq(template, "/") {
		if isParameter(segment) {
			names = append(names, strings.Trim(segment, "{}"))
		}
	}
	return names
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

// find returns the path that a request's path belongs to. As OpenAPI has it, a fixed segment goes
// before a parameter. A path with escapes that it does not need belongs to none.
func (d *Document) find(requested string) (best path, found bool) {
	if u, err := url.ParseRequestURI(requested); err != nil || u.RawPath != "" {
		return path{}, false
	}
	segments := strings.Split(requested, "/")
	for _, p := range d.paths {
		if p.matches(segments) && (!found || p.before(best)) {
			best, found = p, true
		}
	}
	return best, found
}

func (p path) matches(segments []string) bool {
	return slices.EqualFunc(p.segments, segments, func(own, requested string) bool {
		return own == requested || isParameter(own) && requested != ""
	})
}

// before tells whether p has a fixed segment where other, which matches the same, has a parameter.
func (p path) before(other path) bool {
	for i := range p.segments {
		if own, its := isParameter(p.segments[i]), isParameter(other.segments[i]); own != its {
			return its
		}
	}
	return false
}
