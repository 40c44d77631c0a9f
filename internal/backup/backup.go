// Package backup reads and writes the backup format: named tables of rows.
//
// format.md, next to this file, specifies every byte. The package knows no database and none of its
// tables: [Write] writes what a [Source] describes, and a [File] is such a source again. Values
// stay sealed as they are in the database, and no root key is in a backup. The digest finds damage,
// not forgery: the file's mode and location keep others from writing it. The package does no I/O of
// its own.
package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"
)

// Format is the number of the format that this version writes. It reads this one and all before it.
const Format = 1

// Magic begins a backup. The format's number and a line feed follow.
const Magic = "keysake backup "

// Limits on what is read.
const (
	maxLine   = 1 << 20 // bytes of a line
	maxTables = 1000
)

// What can be wrong with a backup. Match with errors.Is. No message quotes a row.
var (
	ErrNotBackup = errors.New("this is not a Keysake backup")
	ErrNewer     = errors.New("the backup has a newer format: use a newer keysake")
	ErrCutShort  = errors.New("the backup is cut short, or its last line was changed")
	ErrDigest    = errors.New("the backup is damaged or was changed: its digest does not match")
	// ErrContents: the digest matches, but what it covers breaks the format.
	ErrContents = errors.New("the backup breaks its format")
)

// A Source has the rows of one moment. A sequence can be read more than once, and while others are
// read; it ends after the first error.
type Source interface {
	// Tables describes all tables, each after those that it refers to.
	Tables(ctx context.Context) ([]Table, error)
	// Rows returns the rows of a table in the ascending order of its key.
	Rows(ctx context.Context, table string) iter.Seq2[Row, error]
}

// A Manifest says what a backup holds.
type Manifest struct {
	Format    int       `json:"format"`
	Schema    int64     `json:"schema"` // version of the schema of the database it was made from
	CreatedAt time.Time `json:"created_at"`
	Audit     *AuditEnd `json:"audit,omitzero"`
	Tables    []Table   `json:"tables"`
}

// An AuditEnd says where the audit log of the instance ended when the backup began. Whoever keeps
// the manifest elsewhere can tell later whether the log still has that entry.
type AuditEnd struct {
	Chain      string `json:"chain"`      // its id
	Number     uint64 `json:"number"`     // of the last entry
	Hash       Digest `json:"hash"`       // of that entry
	Checkpoint string `json:"checkpoint"` // of all chains: a signed note
}

// A Digest is SHA-256, written in hexadecimal.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return errors.New("a digest has 64 hexadecimal digits")
	}
	_, err := hex.Decode(d[:], text)
	return err
}

func magicLine(format int) string { return Magic + strconv.Itoa(format) + "\n" }

// trailer is the last line. Its length does not depend on the digest.
func trailer(d Digest) string { return `{"sha256":"` + d.String() + "\"}\n" }

func contentsError(line int64, what string) error {
	return fmt.Errorf("%w: line %d: %s", ErrContents, line, what)
}
