package apicontract

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// An Operation is one method of one path.
type Operation struct {
	ID         string
	Method     string    // in capitals
	Path       string    // the template, as /api/v1/user/secrets/{secret_id}
	Parameters []string  // the names of the path's parameters, in order
	Public     bool      // needs no credentials
	Scope      string    // that an API key needs; empty if any will do
	Success    int       // the documented 2xx
	Statuses   []int     // all that are documented, ascending
	HasBody    bool      // takes a JSON body
	Examples   []Example // of the body, by name
	Sealed     bool      // takes the body sealed, too
	HasForm    bool      // takes a form, from which nothing is derived

	parameters openapi3.Parameters
	body       *openapi3.Schema
	bodySchema *jsonschema.Schema
	responses  map[int]response
}

// An Example is a documented body that must be accepted.
type Example struct {
	Name string
	Body []byte // JSON
}

const (
	jsonType   = "application/json"
	sealedType = "application/keysake-sealed+json"
	formType   = "application/x-www-form-urlencoded"
)

func (d *Document) readOperation(
	method, template string, item *openapi3.PathItem, in *openapi3.Operation,
) (Operation, error) {
	op := Operation{
		ID: in.OperationID, Method: method, Path: template, parameters: item.Parameters,
		Public:    in.Security != nil && len(*in.Security) == 0,
		responses: map[int]response{},
	}
	if scope, _ := in.Extensions["x-keysake-scope"].(string); scope != "none" {
		op.Scope = scope
	}
	for _, p := range item.Parameters {
		op.Parameters = append(op.Parameters, p.Value.Name)
	}
	at := "#/paths/" + escape(template) + "/" + strings.ToLower(method)
	var errs []error
	if in.RequestBody != nil {
		body := location(at+"/requestBody", in.RequestBody.Ref)
		content := in.RequestBody.Value.Content
		if op.HasForm = content[formType] != nil; !op.HasForm {
			errs = append(errs, d.readBody(&op, body, content[jsonType]))
		}
		op.Sealed = content[sealedType] != nil
	}
	for code, r := range in.Responses.Map() {
		status, err := strconv.Atoi(code)
		if err != nil {
			errs = append(errs, fmt.Errorf("the response %s must be a status", code))
			continue
		}
		read, err := d.readResponse(location(at+"/responses/"+code, r.Ref), r.Value)
		errs = append(errs, err)
		op.responses[status] = read
		if status/100 == 2 {
			op.Success = status
		}
	}
	op.Statuses = slices.Sorted(maps.Keys(op.responses))
	return op, errors.Join(errs...)
}

// readBody reads the schema and the examples of a request body.
func (d *Document) readBody(op *Operation, at string, media *openapi3.MediaType) (err error) {
	if media == nil || len(media.Examples) == 0 {
		return errors.New("a request body must be JSON and have an example")
	}
	op.HasBody, op.body = true, media.Schema.Value
	op.bodySchema, err = d.compile(at + "/content/" + escape(jsonType) + "/schema")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(media.Examples)) {
		body, err := json.Marshal(media.Examples[name].Value.Value)
		if err != nil {
			return err
		}
		op.Examples = append(op.Examples, Example{Name: name, Body: body})
	}
	return checkDerivable(op.body)
}

// CheckBody says what is wrong with a request body.
func (op Operation) CheckBody(body []byte) error {
	if !op.HasBody {
		return fmt.Errorf("%s takes no body", op.ID)
	}
	v, err := decodeJSON(body)
	if err != nil {
		return err
	}
	return withoutValues(op.bodySchema.Validate(v))
}

// URL returns the path with its parameters filled in, in order. The documented examples stand in
// for those that are not given.
func (op Operation) URL(parameters ...string) string {
	path := op.Path
	for i, p := range op.parameters {
		value, _ := p.Value.Example.(string)
		if i < len(parameters) {
			value = parameters[i]
		}
		path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", url.PathEscape(value))
	}
	return path
}

// BadURLs returns paths in which one parameter that must be a UUID is none. Each must be a 422 with
// that parameter at fault.
func (op Operation) BadURLs() (urls []string) {
	for _, p := range op.parameters {
		if p.Value.Schema.Value.Format != "uuid" {
			continue
		}
		example, _ := p.Value.Example.(string)
		for _, bad := range badIDs() {
			urls = append(urls, strings.Replace(op.URL(), example, url.PathEscape(bad), 1))
		}
	}
	return urls
}
