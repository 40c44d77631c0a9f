package api

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// A query reads the parameters of a request's query, and collects what is wrong with them. A
// parameter is there once or not at all, and none is there that the operation does not have.
type query struct {
	values map[string][]string
	faults []wire.FieldError
}

func (r *request) query(names ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil { // what cannot be read would filter nothing
		q.fault(wire.TypeValue, "Must be pairs of name=value, joined by &, and percent-encoded")
	}
	for name := range q.values {
		if !slices.Contains(names, name) {
			q.fault(wire.TypeExtra, "Extra inputs are not permitted", echoable(name)...)
		}
	}
	return q
}

func (q *query) fault(typ, msg string, place ...any) {
	q.faults = append(q.faults, wire.FieldError{
		Loc: append([]any{"query"}, place...), Msg: msg, Type: typ,
	})
}

// err returns the answer to what is wrong, nil if nothing is.
func (q *query) err() error {
	if len(q.faults) == 0 {
		return nil
	}
	return invalid(q.faults[:min(len(q.faults), maxFaults)]...)
}

// get returns a parameter, and whether it is there.
func (q *query) get(name string) (string, bool) {
	values := q.values[name]
	if len(values) > 1 {
		q.fault(wire.TypeValue, "Must be there once", name)
	}
	return append(values, "")[0], len(values) == 1
}

// text returns a text of at most [maxQueryText] characters, empty if it was left out.
func (q *query) text(name string) string {
	text, found := q.get(name)
	switch {
	case !found:
	case text == "":
		q.fault(wire.TypeTooShort, "Must not be empty", name)
	case !utf8.ValidString(text):
		q.fault(wire.TypeString, "Must be UTF-8", name)
	case utf8.RuneCountInString(text) > maxQueryText:
		q.fault(wire.TypeTooLong,
			"Must have at most "+strconv.Itoa(maxQueryText)+" characters", name)
	}
	return text
}

// id returns a UUID, nil if it was left out.
func (q *query) id(name string) uuid.UUID {
	text, found := q.get(name)
	if !found {
		return uuid.Nil
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		q.fault(wire.TypeUUID, "Must be a UUID", name)
	}
	return id
}

// moment returns a time, the zero time if it was left out.
func (q *query) moment(name string) time.Time {
	text, found := q.get(name)
	var at wire.Timestamp
	if found && at.UnmarshalJSON([]byte(strconv.Quote(text))) != nil {
		q.fault(wire.TypeDatetime, "Must be a time in the form of RFC 3339", name)
	}
	return at.Time
}

// number returns a number from 1 up to the most, 0 if it was left out.
func (q *query) number(name string, most int) int {
	text, found := q.get(name)
	if !found {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most || text != strconv.Itoa(n) {
		q.fault(wire.TypeInt, "Must be a number from 1 to "+strconv.Itoa(most), name)
	}
	return n
}

// flag returns whether a parameter is true; false if it was left out.
func (q *query) flag(name string) bool {
	text, found := q.get(name)
	if found && text != "true" && text != "false" {
		q.fault(wire.TypeBool, "Must be true or false", name)
	}
	return text == "true"
}

// inQuery places the faults of a use case without a body where they were sent: in the query.
func inQuery(err error) error {
	if e, ok := errors.AsType[*vault.Error](err); ok && e.Kind == vault.Invalid {
		p := problemOf(err)
		for i := range p.errors {
			p.errors[i].Loc[0] = "query"
		}
		return p
	}
	return err
}
