package apicontract

import (
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A parameter is a part of a path that the caller fills in.
type parameter struct {
	name    string
	example string
	uuid    bool
	schema  *jsonschema.Schema
}

// badIDs are no UUIDs in the form that the contract has, though some readers take the last four for
// one.
func badIDs() []string {
	return []string{
		"1",
		"not-a-uuid",
		"null",
		"00000000-0000-0000-0000-00000000000g",
		"00000000-0000-0000-0000-0000000000000",
		"00000000000000000000000000000000",
		"{00000000-0000-0000-0000-000000000000}",
		"urn:uuid:00000000-0000-0000-0000-000000000000",
		" 00000000-0000-0000-0000-000000000000",
	}
}

// URL returns the path with the parameters filled in, in order; the documented examples stand in
// for those that are not given.
func (op Operation) URL(parameters ...string) string {
	path := op.Path
	for i, p := range op.parameters {
		value := p.example
		if i < len(parameters) {
			value = parameters[i]
		}
		path = strings.ReplaceAll(path, "{"+p.name+"}", url.PathEscape(value))
	}
	return path
}

// BadURLs returns paths in which one parameter that must be a UUID is none. Each must be a 422 with
// that parameter at fault.
func (op Operation) BadURLs() (urls []string) {
	examples := make([]string, len(op.parameters))
	for i, p := range op.parameters {
		examples[i] = p.example
	}
	for i, p := range op.parameters {
		if !p.uuid {
			continue
		}
		for _, bad := range badIDs() {
			values := slices.Clone(examples)
			values[i] = bad
			urls = append(urls, op.URL(values...))
		}
	}
	return urls
}
