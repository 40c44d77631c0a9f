package apicontract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// An Operation is one method of one path.
type Operation struct {
	ID         string
	Method     string    // in capitals
	Path       string    // the template, as /api/v1/user/secrets/{secret_id}
	Parameters []string  // the names of the path's parameters, in order
	Public     bool      // needs no credentials
	Scope      string    // that an API key needs; empty where any will do
	Success    int       // the documented 2xx
	Statuses   []int     // all that are documented, in the order of the document
	HasBody    bool      // takes a JSON body
	Examples   []Example // of the body, in the order of the document

	body       *jsonschema.Schema
	shape      shape // of the body
	parameters []parameter
	responses  map[int]*response
}

// An Example is a documented body that must be accepted.
type Example struct {
	Name string
	Body []byte // JSON
}

// noScope is how the document writes that any valid API key will do.
const noScope = "none"

func (d *Document) readOperation(
	method, template string,
	p place,
	params []parameter,
) (Operation, error) {
	op := Operation{
		ID: p.text("operationId"), Method: strings.ToUpper(method), Path: template,
		Public: p.has("security") && len(p.list("security")) == 0, parameters: params,
		responses: map[int]*response{},
	}
	if scope := p.text("x-keysake-scope"); scope != noScope {
		op.Scope = scope
	}
	for _, param := range params {
		op.Parameters = append(op.Parameters, param.name)
	}
	errs := []error{d.readBody(&op, d.tree.child(p, "requestBody"))}
	responses := d.tree.child(p, "responses")
	for _, code := range d.tree.keys(responses) {
		status, err := strconv.Atoi(code)
		if err != nil {
			errs = append(
				errs,
				fmt.Errorf("%s: every status needs a number of its own", responses.pointer),
			)
			continue
		}
		r, err := d.readResponse(d.tree.child(responses, code))
		errs = append(errs, err)
		op.responses[status] = r
		op.Statuses = append(op.Statuses, status)
		if status/100 == 2 && op.Success == 0 {
			op.Success = status
		}
	}
	return op, errors.Join(errs...)
}

// readBody reads the schema and the examples of a request body, where there is one.
func (d *Document) readBody(op *Operation, p place) (err error) {
	if p.value == nil {
		return nil
	}
	media := d.tree.child(d.tree.child(p, "content"), jsonType)
	if op.body, err = d.compileMedia(media); err != nil {
		return err
	}
	op.HasBody = true
	examples := d.tree.child(media, "examples")
	for _, name := range d.tree.keys(examples) {
		body, err := json.Marshal(d.tree.child(d.tree.child(examples, name), "value").value)
		if err != nil {
			return err
		}
		op.Examples = append(op.Examples, Example{Name: name, Body: body})
	}
	op.shape, err = d.readShape(d.tree.child(media, "schema"))
	return err
}

// CheckBody says what is wrong with a request body. A client's tests can hold it against what they
// send.
func (op Operation) CheckBody(body []byte) error {
	if !op.HasBody {
		return fmt.Errorf("%s takes no body", op.ID)
	}
	v, err := decodeJSON(body)
	if err != nil {
		return err
	}
	if err := op.body.Validate(v); err != nil {
		return fmt.Errorf("body of %s: %w", op.ID, plain(err))
	}
	return nil
}
