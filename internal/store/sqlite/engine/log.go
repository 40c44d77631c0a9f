package engine

import (
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

const (
	// maxGathered bounds the memory for what is gathered of the log.
	maxGathered = 1000 << 10
	// maxWrite is what SQLite writes to a file at once at most.
	maxWrite = 1<<17 - 1
)

// A gatherer stands between SQLite and the file of its write-ahead log. SQLite writes each page in
// two pieces. They are gathered, and written at once before the file is synced, or read.
//
// For others nothing changes: SQLite tells them of a commit after the sync. What is gathered when a
// transaction is rolled back is dropped.
type gatherer struct {
	methods uintptr // of the file, in place of SQLite's own
	buf     uintptr
	from    int64 // in the file
	n       int   // bytes that are gathered

	read, write transferFunc // SQLite's own
	sync        syncFunc

	kept []any // functions that SQLite has the address of
}

type (
	transferFunc = func(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// fromC makes a function of its address: a C function is the address of a Go function's address.
func fromC[F any](at uintptr) F {
	return *(*F)(unsafe.Pointer(&struct{ uintptr }{at})) //nolint:gosec // SQLite's own functions
}

// toC returns the address of a function. It is valid for as long as g is.
func toC[F any](g *gatherer, f F) uintptr {
	g.kept = append(g.kept, f)
	return *(*uintptr)(unsafe.Pointer(&f)) //nolint:gosec // g keeps what is there
}

// GatherLog lets the connection write the pages of a commit at once. It is for a database that was
// read, so that its log is open; without a log nothing changes.
func (c *Conn) GatherLog() error {
	file, err := c.file(lib.SQLITE_FCNTL_JOURNAL_POINTER)
	if err != nil {
		return err
	}
	own := libc.AtomicLoadNUintptr(file, 0)
	if own == 0 {
		return nil
	}
	const size = int(unsafe.Sizeof(lib.Tsqlite3_io_methods{}))
	g := &gatherer{
		methods: libc.Xmalloc(c.tls, types.Size_t(size)), buf: libc.Xmalloc(c.tls, maxGathered),
	}
	c.gatherer = g
	if g.methods == 0 || g.buf == 0 {
		return &Error{lib.SQLITE_NOMEM, "out of memory"}
	}
	copy(libc.GoBytes(g.methods, size), libc.GoBytes(own, size))
	var m lib.Tsqlite3_io_methods
	read, write := g.methods+unsafe.Offsetof(m.FxRead), g.methods+unsafe.Offsetof(m.FxWrite)
	sync := g.methods + unsafe.Offsetof(m.FxSync)
	g.read = fromC[transferFunc](libc.AtomicLoadNUintptr(read, 0))
	g.write = fromC[transferFunc](libc.AtomicLoadNUintptr(write, 0))
	g.sync = fromC[syncFunc](libc.AtomicLoadNUintptr(sync, 0))
	libc.AtomicStoreNUintptr(read, toC(g, g.flushAndRead), 0)
	libc.AtomicStoreNUintptr(write, toC(g, g.gather), 0)
	libc.AtomicStoreNUintptr(sync, toC(g, g.flushAndSync), 0)
	lib.Xsqlite3_rollback_hook(c.tls, c.db, toC(g, g.drop), 0)
	libc.AtomicStoreNUintptr(file, g.methods, 0)
	return nil
}

// gather is in place of xWrite.
func (g *gatherer) gather(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
	if g.n > 0 && at != g.from+int64(g.n) || g.n+int(n) > maxGathered {
		if code := g.flush(tls, file); code != lib.SQLITE_OK {
			return code
		}
	}
	if g.n == 0 {
		g.from = at
	}
	copy(libc.GoBytes(g.buf+uintptr(g.n), int(n)), libc.GoBytes(buf, int(n)))
	g.n += int(n)
	return lib.SQLITE_OK
}

// flush writes what is gathered. If that fails, it stays gathered until the transaction is rolled
// back.
func (g *gatherer) flush(tls *libc.TLS, file uintptr) int32 {
	for done := 0; done < g.n; {
		n := min(g.n-done, maxWrite)
		code := g.write(tls, file, g.buf+uintptr(done), short(n), g.from+int64(done))
		if code != lib.SQLITE_OK {
			return code
		}
		done += n
	}
	g.n = 0
	return lib.SQLITE_OK
}

// flushAndRead is in place of xRead: a transaction that is larger than SQLite's cache reads what it
// has written.
func (g *gatherer) flushAndRead(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
	if code := g.flush(tls, file); code != lib.SQLITE_OK {
		return code
	}
	return g.read(tls, file, buf, n, at)
}

// flushAndSync is in place of xSync.
func (g *gatherer) flushAndSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	if code := g.flush(tls, file); code != lib.SQLITE_OK {
		return code
	}
	return g.sync(tls, file, flags)
}

func (g *gatherer) drop(*libc.TLS, uintptr) { g.n = 0 }

func (g *gatherer) free(tls *libc.TLS) {
	libc.Xfree(tls, g.methods)
	libc.Xfree(tls, g.buf)
}
