package sqlite

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// busyTimeout is how long a connection waits for the lock of another one. A process that was
// stopped in a transaction keeps it: until it goes on or ends, each update fails after this time.
const busyTimeout = 3 * time.Second

// dsn has the settings of every connection: a PRAGMA that is executed reaches only one.
func dsn(path string) string {
	return fileURL(path, url.Values{"_pragma": {
		busyTimeoutSetting(),
		"journal_mode(WAL)",
		"synchronous(FULL)", // a commit that was answered survives a power cut
		"foreign_keys(ON)",
		"secure_delete(ON)",     // what is deleted is overwritten; purge.go does the rest
		"temp_store(MEMORY)",    // no savepoint writes pages to another file
		"cache_size(-65536)",    // KiB, a connection at most
		"wal_autocheckpoint(0)", // the writer does it
		"trusted_schema(OFF)",
	}})
}

// readOnlyDSN is for reading alone. The log that a killed server left is read, but neither purged
// nor copied into the database: the next server that writes does that. SQLite looks for no log and
// takes no lock if the files are immutable.
func readOnlyDSN(path string, immutable bool) string {
	settings := url.Values{
		"mode": {"ro"},
		"_pragma": {
			busyTimeoutSetting(),
			"query_only(ON)",
			"trusted_schema(OFF)",
			"cell_size_check(ON)",
		},
	}
	if immutable {
		settings.Set("immutable", "1")
	}
	return fileURL(path, settings)
}

func busyTimeoutSetting() string {
	return "busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")"
}

// fileURL escapes a path that may have any character.
func fileURL(path string, settings url.Values) string {
	escaped := (&url.URL{Path: path}).EscapedPath()
	return (&url.URL{Scheme: "file", Opaque: escaped, RawQuery: settings.Encode()}).String()
}

// setBusyTimeout sets how long the connection waits for a lock. It is no prepared statement: SQLite
// applies this setting while it parses the statement.
func (c *conn) setBusyTimeout(ctx context.Context, d time.Duration) error {
	_, err := c.sql.ExecContext(context.WithoutCancel(ctx),
		"PRAGMA busy_timeout = "+strconv.FormatInt(d.Milliseconds(), 10))
	return err
}
