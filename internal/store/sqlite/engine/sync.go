package engine

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Sync makes durable what was written to the database's file. It uses SQLite's own handle: whoever
// opens and closes the file anew loses the locks that the process has on it.
func (c *Conn) Sync() error {
	code := lib.Xsqlite3_file_control(c.tls, c.db, 0, lib.SQLITE_FCNTL_FILE_POINTER, c.out)
	if code != lib.SQLITE_OK {
		return c.failed(code)
	}
	file := c.pointer(0)
	methods := libc.AtomicLoadNUintptr(file, 0)
	xSync := libc.AtomicLoadNUintptr(methods+unsafe.Offsetof(lib.Tsqlite3_io_methods{}.FxSync), 0)
	// A C function is the address of a Go function's address.
	sync := *(*func(*libc.TLS, uintptr, int32) int32)(unsafe.Pointer(&struct{ uintptr }{xSync}))
	if code := sync(c.tls, file, lib.SQLITE_SYNC_NORMAL); code != lib.SQLITE_OK {
		return c.failed(code)
	}
	return nil
}
