package sqlite

import (
	"net/url"
	"strconv"
	"time"
)

// busyTimeout is how long a connection waits for the lock of another one. A process that was
// stopped in a transaction keeps it: until it goes on or ends, each update fails after this time.
const busyTimeout = 3 * time.Second

// What a connection keeps of the database at most, in KiB. It takes nearly twice as much memory: an
// allocation is rounded up to a power of two, so that a page of 4 KiB, with what SQLite notes of
// it, takes 8.
const (
	writerCache = 8 << 10
	readerCache = 1 << 10
	copierCache = 1 << 10
)

// settings are the PRAGMAs of every connection to a database that can be written. The last one
// bounds the pages that a connection keeps.
func settings(cacheKiB int) []string {
	return []string{
		busyTimeoutSetting(),
		"journal_mode(WAL)",
		"synchronous(FULL)", // a commit that was answered survives a power cut
		"foreign_keys(ON)",
		"secure_delete(ON)",     // what is deleted is overwritten; purge.go does the rest
		"temp_store(MEMORY)",    // no savepoint writes pages to another file
		"wal_autocheckpoint(0)", // the writer does it
		"trusted_schema(OFF)",
		"cache_size(-" + strconv.Itoa(cacheKiB) + ")",
	}
}

// WriterSettings are the PRAGMAs of the connection that writes, and MaxLog is how many pages its
// log has before it is copied into the database. The benchmark compares with SQLite alone.
func WriterSettings() []string { return settings(writerCache) }

// MaxLog is described at [WriterSettings].
const MaxLog = maxFrames

// readOnlySettings are those of a connection that only reads.
func readOnlySettings() []string {
	return []string{
		busyTimeoutSetting(),
		"query_only(ON)",
		"trusted_schema(OFF)",
		"cell_size_check(ON)",
	}
}

func busyTimeoutSetting() string {
	return "busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")"
}

// fileURL names the database in a file, with parameters of SQLite's own. It escapes a path that may
// have any character.
func fileURL(path string, parameters url.Values) string {
	escaped := (&url.URL{Path: path}).EscapedPath()
	return (&url.URL{Scheme: "file", Opaque: escaped, RawQuery: parameters.Encode()}).String()
}

// readOnlyURL is for reading alone. The log that a killed server left is read, but neither purged
// nor copied into the database: the next server that writes does that. SQLite looks for no log and
// takes no lock if the files are immutable.
func readOnlyURL(path string, immutable bool) string {
	parameters := url.Values{"mode": {"ro"}}
	if immutable {
		parameters.Set("immutable", "1")
	}
	return fileURL(path, parameters)
}
