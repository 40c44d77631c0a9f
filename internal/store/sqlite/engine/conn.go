// Package engine is SQLite by its own interface: connections, prepared statements and columns,
// over the translation of SQLite in modernc.org/sqlite/lib. It has what package sqlite needs.
package engine

import (
	"fmt"
	"strings"
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// A Conn is one connection to a database. One goroutine uses it at a time.
type Conn struct {
	tls   *libc.TLS
	db    uintptr
	stmts map[string]*Stmt
	out   uintptr // room for what SQLite returns through pointers

	gatherer *gatherer // nil if SQLite writes the log itself
}

// outSize is the size of a Conn's out: two pointers.
const outSize = 16

// Open opens the database that a URI names. SQLite's file format and locks are shared with every
// other connection, of this process and of others.
func Open(uri string) (*Conn, error) {
	c := &Conn{tls: libc.NewTLS(), stmts: map[string]*Stmt{}}
	c.out = libc.Xmalloc(c.tls, outSize)
	name, err := libc.CString(uri)
	if err != nil || c.out == 0 {
		c.free()
		return nil, &Error{lib.SQLITE_NOMEM, "out of memory"}
	}
	defer libc.Xfree(c.tls, name)
	// No mutex: one goroutine uses a connection at a time.
	const flags = lib.SQLITE_OPEN_READWRITE | lib.SQLITE_OPEN_CREATE | lib.SQLITE_OPEN_URI |
		lib.SQLITE_OPEN_NOMUTEX
	code := lib.Xsqlite3_open_v2(c.tls, name, c.out, flags, 0)
	c.db = c.pointer(0)
	if code != lib.SQLITE_OK {
		err := c.failed(code)
		lib.Xsqlite3_close_v2(c.tls, c.db) // there is one even after an error
		c.free()
		return nil, err
	}
	lib.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	return c, nil
}

// Close ends all statements and the connection.
func (c *Conn) Close() error {
	for _, s := range c.stmts {
		s.finalize()
	}
	if code := lib.Xsqlite3_close(c.tls, c.db); code != lib.SQLITE_OK {
		return c.failed(code)
	}
	c.free()
	return nil
}

func (c *Conn) free() {
	if c.gatherer != nil {
		c.gatherer.free(c.tls)
	}
	libc.Xfree(c.tls, c.out)
	c.tls.Close()
}

// pointer returns what SQLite wrote to the nth place of out.
func (c *Conn) pointer(n int) uintptr {
	return libc.AtomicLoadNUintptr(c.out+uintptr(n)*8, 0)
}

// Prepare returns the statement for a text. It is prepared at the first use, and kept.
func (c *Conn) Prepare(text string) (*Stmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	s, err := c.prepare(text, lib.SQLITE_PREPARE_PERSISTENT)
	if err == nil {
		c.stmts[text] = s
	}
	return s, err
}

// Run executes a statement that is not kept. Its rows, if it has any, are ignored.
func (c *Conn) Run(text string) error {
	s, err := c.prepare(text, 0)
	if err != nil {
		return err
	}
	defer s.finalize()
	for more := true; more; {
		if more, err = s.Step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) prepare(text string, flags uint32) (*Stmt, error) {
	sql, err := libc.CString(text)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, sql)
	const statement, rest = 0, 1
	code := lib.Xsqlite3_prepare_v3(c.tls, c.db, sql, -1, flags, c.out, c.out+8)
	if code != lib.SQLITE_OK {
		return nil, c.failed(code)
	}
	s := &Stmt{conn: c, stmt: c.pointer(statement)}
	if after := text[c.pointer(rest)-sql:]; s.stmt == 0 || strings.TrimSpace(after) != "" {
		s.finalize()
		return nil, fmt.Errorf("sqlite: not exactly one statement: %.80q", text)
	}
	if err := s.numberParameters(); err != nil {
		s.finalize()
		return nil, err
	}
	return s, nil
}

// Changes returns how many rows the last INSERT, UPDATE or DELETE changed.
func (c *Conn) Changes() int64 { return lib.Xsqlite3_changes64(c.tls, c.db) }

// SetBusyTimeout sets how long the connection waits for a lock.
func (c *Conn) SetBusyTimeout(d time.Duration) {
	lib.Xsqlite3_busy_timeout(c.tls, c.db, short(int(d.Milliseconds())))
}

// PagesWritten returns how many pages the connection has written since it was last asked.
func (c *Conn) PagesWritten() int { return c.status(lib.SQLITE_DBSTATUS_CACHE_WRITE, true) }

// Kept returns how many bytes the connection has of pages that it may read again.
func (c *Conn) Kept() int { return c.status(lib.SQLITE_DBSTATUS_CACHE_USED, false) }

// Shrink gives back what the connections of this process keep and do not use.
func (c *Conn) Shrink() { lib.Xsqlite3_db_release_memory(c.tls, c.db) }

// status returns what SQLite counts of a connection.
func (c *Conn) status(of int32, reset bool) int {
	const current, highest = 0, 8
	code := lib.Xsqlite3_db_status(c.tls, c.db, of, c.out+current, c.out+highest,
		libc.Bool32(reset))
	if code != lib.SQLITE_OK {
		return 0 // it is OK for every counter that there is
	}
	return int(libc.AtomicLoadNInt32(c.out+current, 0))
}
