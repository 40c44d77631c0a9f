package apicontract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// checkHouseRules says where the document leaves out what OpenAPI does not ask for and this project
// does.
func (d *Document) checkHouseRules() error {
	var errs []error
	ids := map[string]bool{}
	for _, op := range d.operations {
		p := d.tree.child(d.tree.at("paths", op.Path), strings.ToLower(op.Method))
		if err := checkOperation(op, p); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", op.Method, op.Path, err))
		}
		if ids[op.ID] {
			errs = append(errs, fmt.Errorf("the operationId %s is there twice", op.ID))
		}
		ids[op.ID] = true
	}
	return errors.Join(errs...)
}

func checkOperation(op Operation, p place) error {
	var errs []error
	for _, field := range []string{"operationId", "summary", "description", "x-keysake-scope"} {
		if p.text(field) == "" {
			errs = append(errs, fmt.Errorf("%s is missing", field))
		}
	}
	if len(p.list("tags")) != 1 {
		errs = append(errs, errors.New("there must be one tag"))
	}
	if !p.has("security") {
		errs = append(
			errs,
			errors.New("security is missing: say [] for an operation that is open to anyone"),
		)
	}
	if op.Public && op.Scope != "" {
		errs = append(errs, errors.New("an operation that is open to anyone needs no scope"))
	}
	if op.Success == 0 {
		errs = append(errs, errors.New("no success is documented"))
	}
	for _, status := range op.Statuses {
		if status == 401 && op.Public || status == 400 && !op.HasBody {
			errs = append(errs, fmt.Errorf("%d cannot happen here", status))
		}
	}
	return errors.Join(append(errs, needStatuses(op))...)
}

// needStatuses says which errors are missing that an operation of this kind can give.
func needStatuses(op Operation) error {
	want := []int{405, 500, 503}
	if !op.Public {
		want = append(want, 401, 426, 429)
	}
	if op.Scope != "" {
		want = append(want, 403)
	}
	if op.HasBody {
		want = append(want, 400, 413, 415, 422)
	}
	if len(op.Parameters) > 0 {
		want = append(want, 404, 422)
	}
	for _, status := range want {
		if !slices.Contains(op.Statuses, status) {
			return fmt.Errorf("the status %d is not documented", status)
		}
	}
	return nil
}
