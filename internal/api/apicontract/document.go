// Package apicontract holds what a server answers against openapi.yaml, and derives bad requests
// from it.
//
// It is for tests only. [Load] refuses a document that is not valid OpenAPI 3.1, whose references
// or examples are wrong, or that leaves out what this project wants of every operation.
// [Document.CheckAnswer] then checks one answer: its status, content type, headers and body.
// [Operation.Mutations] returns the requests that the server must refuse.
//
// The schemas of OpenAPI 3.1 are JSON Schema 2020-12, so a JSON Schema validator reads them where
// they stand. No message of this package has a value of the body that it is about.
package apicontract

import (
	"errors"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Document is a contract that was found to be in order. It may be used by many tests at once.
type Document struct {
	tree     tree
	compiler *jsonschema.Compiler

	operations []Operation
	paths      []path
	responses  map[string]*response // by pointer: most are shared
	noPath     *response            // to a path that is not in the document
	noMethod   *response            // to a method that the path does not have
	demanded   map[string]bool
}

// documentURL stands for the document in references and messages.
const documentURL = "https://openapi.invalid/openapi.yaml"

// The names, in components.responses, of the answers that belong to no operation.
const (
	noPathName   = "NoSuchPath"
	noMethodName = "MethodNotAllowed"
)

// Load reads and checks an OpenAPI 3.1 document in YAML. The error names all that is wrong with it.
func Load(doc []byte) (*Document, error) {
	t, err := parse(doc)
	if err != nil {
		return nil, err
	}
	if err := checkForm(t.root); err != nil {
		return nil, err
	}
	d := &Document{
		tree:      t,
		compiler:  newCompiler(),
		responses: map[string]*response{},
		demanded:  map[string]bool{},
	}
	if err := d.compiler.AddResource(documentURL, t.root); err != nil {
		return nil, err
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d, d.checkHouseRules()
}

// Operations returns the operations in the order of the document.
func (d *Document) Operations() []Operation { return slices.Clone(d.operations) }

// Operation returns the operation of that id.
func (d *Document) Operation(id string) (Operation, bool) {
	i := slices.IndexFunc(d.operations, func(op Operation) bool { return op.ID == id })
	if i < 0 {
		return Operation{}, false
	}
	return d.operations[i], true
}

// Demand makes documented headers that are optional required from here on: those that a server may
// be configured to leave out, and the one under test is not. It must not be called while answers
// are checked.
func (d *Document) Demand(headers ...string) {
	for _, h := range headers {
		d.demanded[h] = true
	}
}

// read takes the operations, paths and common answers out of the tree, and compiles every schema on
// the way.
func (d *Document) read() error {
	var errs []error
	paths := d.tree.at("paths")
	for _, template := range d.tree.keys(paths) {
		p, err := d.readPath(template, d.tree.child(paths, template))
		errs = append(errs, err)
		d.paths = append(d.paths, p)
	}
	common := func(name string) *response {
		r, err := d.readResponse(d.tree.at("components", "responses", name))
		errs = append(errs, err)
		return r
	}
	d.noPath, d.noMethod = common(noPathName), common(noMethodName)
	return errors.Join(errs...)
}

// compile returns the schema at p. Formats are asserted.
func (d *Document) compile(p place) (*jsonschema.Schema, error) {
	s, err := d.compiler.Compile(documentURL + "#" + p.fragment())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.pointer, err)
	}
	return s, nil
}

func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	return c
}

// noLoader keeps the validator from reading files or the network: a document stands on its own.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a reference may not leave the document", url)
}
