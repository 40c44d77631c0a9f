package apicontract

import (
	_ "embed"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// oas31 is the schema of OpenAPI 3.1 documents. It leaves open what a schema in them is.
//
//go:embed oas31.yaml
var oas31 []byte

// strictURL is the schema that a document is checked with.
const strictURL = "https://openapi.invalid/strict-3.1"

// strictForm fills in what oas31 leaves open: a schema is one of JSON Schema 2020-12, and has no
// keyword that JSON Schema does not know, as a misspelt one would be.
func strictForm(oas31ID string) any {
	return map[string]any{
		"$id":     strictURL,
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$ref":    oas31ID,
		"$defs": map[string]any{"schema": map[string]any{
			"$dynamicAnchor":        "meta",
			"$ref":                  "https://json-schema.org/draft/2020-12/schema",
			"unevaluatedProperties": false,
		}},
	}
}

// form returns the compiled schema of documents.
func form() (*jsonschema.Schema, error) {
	t, err := parse(oas31)
	if err != nil {
		return nil, err
	}
	id := place{value: t.root}.text("$id")
	c := newCompiler()
	if err := c.AddResource(id, t.root); err != nil {
		return nil, err
	}
	if err := c.AddResource(strictURL, strictForm(id)); err != nil {
		return nil, err
	}
	return c.Compile(strictURL)
}

// checkForm says where a document is not OpenAPI 3.1.
func checkForm(doc any) error {
	s, err := form()
	if err != nil {
		return err
	}
	if err := s.Validate(doc); err != nil {
		return fmt.Errorf("the document is not OpenAPI 3.1: %w", plain(err))
	}
	return nil
}
