package apicontract

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CheckAnswer says what in an answer is not as documented: the status, the content type, a header,
// the body. The path is that of the request as it was sent, with its escapes; a query is ignored. A
// path that is not documented must give a 404, and a method that the path does not have a 405 that
// allows exactly the ones it has. HEAD is allowed wherever GET is.
func (d *Document) CheckAnswer(method, path string, resp *http.Response, body []byte) error {
	path, _, _ = strings.Cut(path, "?")
	if err := d.checkAnswer(method, path, resp, body); err != nil {
		return fmt.Errorf("%s %s → %d: %w", method, path, resp.StatusCode, err)
	}
	return nil
}

func (d *Document) checkAnswer(method, requested string, resp *http.Response, body []byte) error {
	template, found := d.find(requested)
	if !found {
		if resp.StatusCode != http.StatusNotFound {
			return errors.New("no such path is documented, so it must be a 404")
		}
		return d.check(d.noPath, method, resp, body)
	}
	methods := d.methods[template]
	documented := method
	if method == http.MethodHead {
		documented = http.MethodGet
	}
	if !slices.Contains(methods, documented) {
		if resp.StatusCode != http.StatusMethodNotAllowed {
			return fmt.Errorf("%s has no such method, so it must be a 405", template)
		}
		return errors.Join(checkAllow(methods, resp), d.check(d.noMethod, method, resp, body))
	}
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return errors.New("the method is documented, but not served")
	}
	i := slices.IndexFunc(d.operations, func(op Operation) bool {
		return op.Path == template && op.Method == documented
	})
	op := d.operations[i]
	r, found := op.responses[resp.StatusCode]
	if !found {
		return fmt.Errorf("%s documents %v, not this status", op.ID, op.Statuses)
	}
	return d.check(r, method, resp, body)
}

// find returns the template that a request's path belongs to. A fixed segment wins over a
// parameter. A path with escapes that it does not need belongs to none.
func (d *Document) find(requested string) (template string, found bool) {
	u, err := url.ParseRequestURI(requested)
	if err != nil || u.RawPath != "" || path.Clean(u.Path) != u.Path {
		return "", false
	}
	_, template = d.paths.Handler(&http.Request{Method: http.MethodGet, URL: u})
	return template, template != ""
}

// checkAllow compares the header with the methods of the path. HEAD may be there if GET is.
func checkAllow(methods []string, resp *http.Response) error {
	allowed := strings.FieldsFunc(resp.Header.Get("Allow"), func(r rune) bool {
		return r == ',' || r == ' '
	})
	if slices.Contains(methods, http.MethodGet) {
		allowed = slices.DeleteFunc(allowed, func(m string) bool { return m == http.MethodHead })
	}
	slices.Sort(allowed)
	if !slices.Equal(allowed, methods) {
		return fmt.Errorf("the header Allow must be %s", strings.Join(methods, ", "))
	}
	return nil
}

func (d *Document) check(r response, method string, resp *http.Response, body []byte) error {
	errs := []error{r.checkBody(method, resp, body)}
	for _, h := range r.headers {
		switch values := resp.Header.Values(h.name); {
		case len(values) > 1:
			errs = append(errs, fmt.Errorf("the header %s is set twice", h.name))
		case len(values) == 1:
			if err := h.check(values[0]); err != nil {
				errs = append(errs, fmt.Errorf("the header %s: %w", h.name, err))
			}
		case h.required || d.demanded[h.name]:
			errs = append(errs, fmt.Errorf("the header %s is missing", h.name))
		}
	}
	return errors.Join(errs...)
}

func (h header) check(value string) error {
	if !h.integer {
		return withoutValues(h.schema.Validate(value))
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return errors.New("must be an integer")
	}
	return withoutValues(h.schema.Validate(n))
}

// checkBody checks the content type, and the body unless the method has none.
func (r response) checkBody(method string, resp *http.Response, body []byte) error {
	sent := resp.Header.Get("Content-Type")
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
	return withoutValues(schema.Validate(v))
}

// decodeJSON reads exactly one JSON value. Its errors do not quote the body.
func decodeJSON(body []byte) (any, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil || !utf8.Valid(body) {
		return nil, errors.New("the body is not one JSON value in UTF-8")
	}
	return v, nil
}
