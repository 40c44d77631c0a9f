package engine

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Sync makes durable what was written to the database's file. It uses SQLite's own handle: whoever
// opens and closes the file anew loses the locks that the process has on it.
func (c *Conn) Sync() error {
	file, err := c.file(lib.SQLITE_FCNTL_FILE_POINTER)
	if err != nil {
		return err
	}
	methods := libc.AtomicLoadNUintptr(file, 0)
	xSync := libc.AtomicLoadNUintptr(methods+unsafe.Offsetof(lib.Tsqlite3_io_methods{}.FxSync), 0)
	code := fromC[syncFunc](xSync)(c.tls, file, lib.SQLITE_SYNC_NORMAL)
	if code != lib.SQLITE_OK {
		return c.failed(code)
	}
	return nil
}

// file returns SQLite's own handle of one of the database's files.
func (c *Conn) file(op int32) (uintptr, error) {
	code := lib.Xsqlite3_file_control(c.tls, c.db, 0, op, c.out)
	if code != lib.SQLITE_OK {
		return 0, c.failed(code)
	}
	return c.pointer(0), nil
}
