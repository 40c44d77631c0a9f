package engine

import (
	"fmt"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// An Error is one that SQLite returned. Its text has names of the schema, and no values.
type Error struct {
	Code int // the extended result code
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.Text, e.Code) }

// Primary returns the result code without its extension.
func (e *Error) Primary() int { return e.Code & 0xff }

// failed returns the error of a call that has just returned a code.
func (c *Conn) failed(code int32) error {
	text := libc.GoString(lib.Xsqlite3_errstr(c.tls, code))
	if c.db == 0 {
		return &Error{int(code), text}
	}
	if extended := lib.Xsqlite3_extended_errcode(c.tls, c.db); extended&0xff == code&0xff {
		code = extended
		text = libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db))
	}
	return &Error{int(code), text}
}
