package engine

import (
	"fmt"
	"strconv"
	"strings"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// A Stmt is a prepared statement of a connection, and the row that it has reached.
type Stmt struct {
	conn *Conn
	stmt uintptr

	params []int // which argument each parameter of SQLite's is: they come in the order of the text

	// What texts and blobs are bound to: memory outside of Go's, which SQLite reads without copying
	// it until the statement is reset.
	args     uintptr
	argsSize int
}

const (
	// maxKept bounds the memory that a statement keeps for its arguments.
	maxKept = 16 << 10
	// maxArgs bounds the arguments of one execution: SQLite refuses more anyway.
	maxArgs = 1 << 30
)

// short makes a number one of SQLite's: of a parameter, of a column, of at most maxArgs bytes.
func short(n int) int32 { return int32(n) } //nolint:gosec // so it fits

// numberParameters finds out which parameter is which: the name of one is $ with its number.
func (s *Stmt) numberParameters() error {
	s.params = make([]int, lib.Xsqlite3_bind_parameter_count(s.conn.tls, s.stmt))
	for i := range s.params {
		name := libc.GoString(lib.Xsqlite3_bind_parameter_name(s.conn.tls, s.stmt, short(i+1)))
		number, err := strconv.Atoi(strings.TrimPrefix(name, "$"))
		if err != nil || number < 1 || number > len(s.params) {
			return fmt.Errorf("sqlite: a parameter is named %.20q", name)
		}
		s.params[i] = number - 1
	}
	return nil
}

// Bind sets all parameters. An argument is a string, an int64, a []byte or nil. A nil slice is
// NULL.
func (s *Stmt) Bind(args []any) error {
	if len(args) != len(s.params) {
		return fmt.Errorf("sqlite: %d arguments for %d parameters", len(args), len(s.params))
	}
	if err := s.makeRoom(args); err != nil {
		return err
	}
	next := s.args
	for i, number := range s.params {
		n, tls := short(i+1), s.conn.tls
		var code int32
		switch v := args[number].(type) {
		case string:
			copy(libc.GoBytes(next, len(v)), v)
			code = lib.Xsqlite3_bind_text(tls, s.stmt, n, next, short(len(v)), lib.SQLITE_STATIC)
			next += uintptr(len(v))
		case int64:
			code = lib.Xsqlite3_bind_int64(tls, s.stmt, n, v)
		case []byte:
			if v == nil {
				code = lib.Xsqlite3_bind_null(tls, s.stmt, n)
				break
			}
			copy(libc.GoBytes(next, len(v)), v)
			code = lib.Xsqlite3_bind_blob(tls, s.stmt, n, next, short(len(v)), lib.SQLITE_STATIC)
			next += uintptr(len(v))
		case nil:
			code = lib.Xsqlite3_bind_null(tls, s.stmt, n)
		default:
			return fmt.Errorf("sqlite: an argument has type %T", v)
		}
		if code != lib.SQLITE_OK {
			return s.conn.failed(code)
		}
	}
	return nil
}

// makeRoom makes args large enough for all texts and blobs. It is never nil, which would be NULL.
func (s *Stmt) makeRoom(args []any) error {
	size := 1
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
	}
	if size <= s.argsSize {
		return nil
	}
	if size > maxArgs {
		return &Error{lib.SQLITE_TOOBIG, "the arguments are too long"}
	}
	s.freeArgs()
	s.args = libc.Xmalloc(s.conn.tls, types.Size_t(size))
	if s.args == 0 {
		return &Error{lib.SQLITE_NOMEM, "out of memory"}
	}
	s.argsSize = size
	return nil
}

func (s *Stmt) freeArgs() {
	libc.Xfree(s.conn.tls, s.args)
	s.args, s.argsSize = 0, 0
}

// Step goes to the next row. It is false after the last one.
func (s *Stmt) Step() (bool, error) {
	switch code := lib.Xsqlite3_step(s.conn.tls, s.stmt); code {
	case lib.SQLITE_ROW:
		return true, nil
	case lib.SQLITE_DONE:
		return false, nil
	default:
		return false, s.conn.failed(code)
	}
}

// Reset ends the execution of the statement, so that it can be executed again. If that failed, Step
// has returned the error.
func (s *Stmt) Reset() {
	lib.Xsqlite3_reset(s.conn.tls, s.stmt)
	if s.argsSize > maxKept {
		s.freeArgs()
	}
}

func (s *Stmt) finalize() {
	lib.Xsqlite3_finalize(s.conn.tls, s.stmt)
	s.freeArgs()
}

// IsNull reports whether a column of the row is NULL.
func (s *Stmt) IsNull(column int) bool { return s.kind(column) == lib.SQLITE_NULL }

// Int returns an integer, and 0 for every other type.
func (s *Stmt) Int(column int) int64 {
	if s.kind(column) != lib.SQLITE_INTEGER {
		return 0
	}
	return lib.Xsqlite3_column_int64(s.conn.tls, s.stmt, short(column))
}

// Text returns a text, and an empty one for every other type.
func (s *Stmt) Text(column int) string {
	if s.kind(column) != lib.SQLITE_TEXT {
		return ""
	}
	text := lib.Xsqlite3_column_text(s.conn.tls, s.stmt, short(column))
	return string(s.bytes(column, text))
}

// Bytes returns a blob, and nil for every other type.
func (s *Stmt) Bytes(column int) []byte {
	if s.kind(column) != lib.SQLITE_BLOB {
		return nil
	}
	blob := lib.Xsqlite3_column_blob(s.conn.tls, s.stmt, short(column))
	return append([]byte{}, s.bytes(column, blob)...)
}

func (s *Stmt) kind(column int) int32 {
	return lib.Xsqlite3_column_type(s.conn.tls, s.stmt, short(column))
}

// bytes returns SQLite's own memory of a column: it is valid until the next step.
func (s *Stmt) bytes(column int, at uintptr) []byte {
	if at == 0 {
		return nil
	}
	return libc.GoBytes(at, int(lib.Xsqlite3_column_bytes(s.conn.tls, s.stmt, short(column))))
}
