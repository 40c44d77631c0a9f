package apicontract

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CheckAnswer says what in an answer is not as the document has it: the status, the content type, a
// header, the body. The path is that of the request as it was sent, escapes and all; a query is
// ignored. A path that is not in the document must give a 404, a method that the path does not have
// a 405 that allows exactly the ones it has, both with the common error body. HEAD may go wherever
// GET may.
func (d *Document) CheckAnswer(method, path string, resp *http.Response, body []byte) error {
	path, _, _ = strings.Cut(path, "?")
	err := d.checkAnswer(method, path, resp, body)
	if err != nil {
		return fmt.Errorf("%s %s → %d: %w", method, path, resp.StatusCode, err)
	}
	return nil
}

func (d *Document) checkAnswer(method, requested string, resp *http.Response, body []byte) error {
	p, found := d.find(requested)
	if !found {
		if resp.StatusCode != http.StatusNotFound {
			return errors.New("no such path is documented, so it must be a 404")
		}
		return d.check(d.noPath, method, resp, body)
	}
	op, found := d.operation(method, p)
	if !found {
		if resp.StatusCode != http.StatusMethodNotAllowed {
			return fmt.Errorf("%s has no such method, so it must be a 405", p.template)
		}
		return errors.Join(checkAllow(p, resp), d.check(d.noMethod, method, resp, body))
	}
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return errors.New("the method is documented, and not served")
	}
	r, found := op.responses[resp.StatusCode]
	if !found {
		return fmt.Errorf(
			"the status is not documented for %s; documented are %v",
			op.ID,
			op.Statuses,
		)
	}
	return d.check(r, method, resp, body)
}

func (d *Document) operation(method string, p path) (Operation, bool) {
	if method == http.MethodHead && !slices.Contains(p.methods, method) {
		method = http.MethodGet
	}
	i := slices.IndexFunc(
		d.operations,
		func(op Operation) bool { return op.Path == p.template && op.Method == method },
	)
	if i < 0 {
		return Operation{}, false
	}
	return d.operations[i], true
}

// checkAllow compares the header with the methods of the path. HEAD may be there where GET is.
func checkAllow(p path, resp *http.Response) error {
	allowed := strings.FieldsFunc(
		resp.Header.Get("Allow"),
		func(r rune) bool { return r == ',' || r == ' ' },
	)
	if slices.Contains(p.methods, http.MethodGet) {
		allowed = slices.DeleteFunc(allowed, func(m string) bool { return m == http.MethodHead })
	}
	slices.Sort(allowed)
	if want := slices.Sorted(slices.Values(p.methods)); !slices.Equal(allowed, want) {
		return fmt.Errorf("the header Allow must be %s", strings.Join(want, ", "))
	}
	return nil
}

func (d *Document) check(r *response, method string, resp *http.Response, body []byte) error {
	errs := []error{r.checkBody(method, resp, body)}
	for _, h := range r.headers {
		switch values := resp.Header.Values(h.name); {
		case len(values) > 1:
			errs = append(errs, fmt.Errorf("the header %s is there twice", h.name))
		case len(values) == 1:
			errs = append(errs, h.check(values[0]))
		case h.required || d.demanded[h.name]:
			errs = append(errs, fmt.Errorf("the header %s is missing", h.name))
		}
	}
	return errors.Join(errs...)
}

func (h header) check(value string) error {
	var v any = value
	if h.integer {
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("the header %s must be an integer", h.name)
		}
		v = n
	}
	if err := h.schema.Validate(v); err != nil {
		return fmt.Errorf("the header %s: %w", h.name, plain(err))
	}
	return nil
}

// checkBody checks the content type, and the body unless the method has none.
func (r *response) checkBody(method string, resp *http.Response, body []byte) error {
	sent := resp.Header.Get(contentType)
	if len(r.content) == 0 {
		if sent != "" || len(body) > 0 {
			return errors.New("there must be no body and no content type")
		}
		return nil
	}
	media, params, err := mime.ParseMediaType(sent)
	schema, found := r.content[media]
	if err != nil || !found {
		return fmt.Errorf("the content type %q is not documented", sent)
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return fmt.Errorf("the content type %q has a parameter other than charset=utf-8", sent)
		}
	}
	if method == http.MethodHead {
		if len(body) > 0 {
			return errors.New("HEAD must have no body")
		}
		return nil
	}
	var v any = string(body)
	if media == jsonType {
		if v, err = decodeJSON(body); err != nil {
			return err
		}
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("the body is not as documented: %w", plain(err))
	}
	return nil
}

// decodeJSON reads exactly one JSON value. Its errors do not quote the body.
func decodeJSON(body []byte) (any, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil || !utf8.Valid(body) {
		return nil, errors.New("the body is not one JSON value in UTF-8")
	}
	return v, nil
}
