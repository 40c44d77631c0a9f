// Package apicontract checks a server's answers against openapi.yaml and derives bad requests from
// it.
//
// It is for tests only. [Load] refuses a document that is not valid OpenAPI 3.1.
// [Document.CheckAnswer] checks one answer: its status, content type, headers and body.
// [Operation.Mutations] returns requests that the server must refuse.
//
// A library validates the document. Answers are checked by a JSON Schema validator, which compiles
// each schema once and whose errors can be rewritten without the values they are about: no message
// of this package repeats a part of a body.
package apicontract

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// A Document is a valid contract. Many tests may use it at the same time.
type Document struct {
	spec       *openapi3.T
	compiler   *jsonschema.Compiler
	operations []Operation
	paths      *http.ServeMux      // finds the template of a path
	methods    map[string][]string // of each template
	noPath     response            // to a path that is not documented
	noMethod   response            // to a method that the path does not have
	demanded   map[string]bool
}

// documentURL stands for the document in references and messages.
const documentURL = "https://openapi.invalid/openapi.yaml"

// Load reads and validates an OpenAPI 3.1 document in YAML.
func Load(text []byte) (*Document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if !spec.IsOpenAPI31OrLater() {
		return nil, errors.New("openapi: must be 3.1")
	}
	err = spec.Validate(context.Background(), openapi3.EnableExamplesValidation())
	if err != nil {
		return nil, err
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	d := &Document{
		spec: spec, compiler: jsonschema.NewCompiler(), paths: http.NewServeMux(),
		methods: map[string][]string{}, demanded: map[string]bool{},
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, tree); err != nil {
		return nil, err
	}
	return d, d.read()
}

// read compiles every schema of a request or an answer.
func (d *Document) read() error {
	var errs []error
	for template, item := range d.spec.Paths.Map() {
		d.paths.Handle(template, http.NotFoundHandler())
		for method, op := range item.Operations() {
			read, err := d.readOperation(method, template, item, op)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s %s: %w", method, template, err))
			}
			d.operations = append(d.operations, read)
			d.methods[template] = append(d.methods[template], method)
		}
		slices.Sort(d.methods[template])
	}
	slices.SortFunc(d.operations, func(a, b Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	for name, r := range map[string]*response{
		"NoSuchPath": &d.noPath, "MethodNotAllowed": &d.noMethod,
	} {
		ref := d.spec.Components.Responses[name]
		if ref == nil {
			errs = append(errs, fmt.Errorf("components.responses.%s is missing", name))
			continue
		}
		var err error
		*r, err = d.readResponse("#/components/responses/"+name, ref.Value)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Operations returns the operations in the order of their paths and methods.
func (d *Document) Operations() []Operation { return slices.Clone(d.operations) }

// Demand makes optional headers required: those that a server may be configured to leave out, but
// the one under test is not. It must not be called while answers are checked.
func (d *Document) Demand(headers ...string) {
	for _, h := range headers {
		d.demanded[h] = true
	}
}

// compile returns the schema at a reference. Formats are asserted.
func (d *Document) compile(ref string) (*jsonschema.Schema, error) {
	return d.compiler.Compile(documentURL + ref)
}

// location returns where an element is defined: at its reference, if it is one.
func location(path, ref string) string {
	if ref != "" {
		return ref
	}
	return path
}

// escape makes a key a token of a JSON pointer in a URL.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
}
