package vault

import (
	"errors"
	"fmt"
)

// A Kind says what went wrong in terms that a caller can act on.
type Kind int

// The kinds. A switch over them names every one.
const (
	Internal        Kind = iota // the zero value: anything not classified
	Invalid                     // the request breaks a rule; see Fields
	Unauthenticated             // the caller is unknown, or no longer known
	Denied                      // a scope is missing, or a quota is full
	NotFound                    // absent, or another user's: the answer is the same
	Conflict                    // the name is taken
	Changed                     // it is not what the caller saw
	Unavailable                 // the database cannot be written or read now
	BadGateway                  // a key service answered badly
	GatewayTimeout              // a key service did not answer in time
)

// A Field says which part of a request breaks which rule. It never repeats what was sent.
type Field struct {
	Name string // with dots, where it is inside another: run.id, secret_ids.0
	Rule Rule
	Msg  string
}

// A Rule is the kind of rule that a field breaks.
type Rule int

// The rules.
const (
	OneOf     Rule = iota // must be one of a list
	TooShort              // a text is empty
	TooLong               // a text has too many characters or bytes
	TooMany               // a list has too many elements
	TooSmall              // a number is below the least
	Pattern               // a text has other characters than it may have
	Required              // it is missing
	TooFew                // a list has too few elements
	UUID                  // it is no UUID
	GoodValue             // any other rule; the message says which
)

// An Error is what a use case returns. Its text is for people and never shows a value; its cause is
// for the log only.
type Error struct {
	Kind   Kind
	Detail string
	Fields []Field
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", e.Detail, e.Cause)
	}
	return e.Detail
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the first [Error] in err's chain, [Internal] if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// ErrTampered is in the cause of the [Internal] error for sealed data that does not open, so that
// the log can name it.
var ErrTampered = errors.New(
	"cannot open sealed data: it was tampered with, or the database is damaged",
)

// ErrNotFound is what a [Store] returns for a row that does not exist.
var ErrNotFound = &Error{Kind: NotFound, Detail: "Not found"}

func invalid(fields ...Field) error {
	return &Error{Kind: Invalid, Detail: "Validation error", Fields: fields}
}

// JoinInvalid returns one [Invalid] error with the fields of all, so that a caller learns of every
// broken rule at once. It returns nil if every error is nil, and the first error of another kind.
func JoinInvalid(errs ...error) error {
	var fields []Field
	for _, err := range errs {
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != Invalid {
			return err
		}
		fields = append(fields, e.Fields...)
	}
	if len(fields) == 0 {
		return nil
	}
	return invalid(fields...)
}

func denied(detail string) error { return &Error{Kind: Denied, Detail: detail} }

func unauthenticated() error {
	return &Error{
		Kind:   Unauthenticated,
		Detail: "The API key is missing, unknown, revoked or expired",
	}
}

func tampered(what string, cause error) error {
	return &Error{Kind: Internal, Detail: what, Cause: fmt.Errorf("%w (%w)", ErrTampered, cause)}
}
