// Package backup has the format of backups: writing one from a [Source] of rows, and reading one
// back as such a source.
//
// format.md, beside this file, says every byte. The format knows no database: what one kind wrote,
// another can load. It has what the database has, sealed as it is there, and never a root key. Its
// digest finds damage; who may write the file can also make a new digest, and is kept out by the
// file's mode and place. The package is pure: it reads and writes what it is given.
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

// What begins a backup: the format's number and a line end follow.
const magic = "keysake backup "

// Limits on what is read.
const (
	maxLine     = 1 << 20 // bytes of a line
	maxRootKeys = 1000
)

// What can be wrong with a backup. Match with errors.Is. No message has anything of its rows.
var (
	ErrNotBackup = errors.New("this is no backup of Keysake")
	ErrNewer     = errors.New("the backup is of a newer format: use a newer keysake")
	ErrCutShort  = errors.New("the backup is cut short, or its last line was changed")
	ErrDigest    = errors.New(
		"the backup was changed or damaged: its contents do not have its digest",
	)
	// ErrContents: the digest is right, and what it covers is not what the format says.
	ErrContents = errors.New("the backup does not hold what its format says")
)

// A Source has the rows of one moment. Every sequence can be asked for more than once, and at the
// same time as others; it ends after the first error. Its order is that of the ids as bytes: users
// by id, audit entries by owner and number, versions by user, secret and number, and the others by
// user and id.
type Source interface {
	// RootKeys returns all root keys, oldest first.
	RootKeys(ctx context.Context) ([]RootKey, error)
	// Count returns how many rows there are.
	Count(ctx context.Context) (Count, error)
	Instances(ctx context.Context) iter.Seq2[Instance, error]
	Users(ctx context.Context) iter.Seq2[User, error]
	OwnerKeys(ctx context.Context) iter.Seq2[OwnerKey, error]
	APIKeys(ctx context.Context) iter.Seq2[APIKey, error]
	Secrets(ctx context.Context) iter.Seq2[Secret, error]
	Versions(ctx context.Context) iter.Seq2[Version, error]
	AuditEntries(ctx context.Context) iter.Seq2[AuditEntry, error]
}

// A Count says how many rows each table has.
type Count struct {
	Instances    int64 `json:"instance"`
	Users        int64 `json:"users"`
	OwnerKeys    int64 `json:"owner_keys"`
	APIKeys      int64 `json:"api_keys"`
	Secrets      int64 `json:"secrets"`
	Versions     int64 `json:"secret_versions"`
	AuditEntries int64 `json:"audit_entries"`
}

// A Manifest says what a backup holds.
type Manifest struct {
	Format    int       `json:"format"`
	Schema    int64     `json:"schema"` // of the database that it was made from
	CreatedAt time.Time `json:"created_at"`
	RootKeys  []RootKey `json:"root_keys"`
	Rows      Count     `json:"rows"`
	Heads     Heads     `json:"audit_heads"`
}

// Heads stand for the ends of all audit chains, which themselves are in the rows of the users.
type Heads struct {
	Chains   int64  `json:"chains"`
	Instance Head   `json:"instance"` // of what touches no library
	Digest   Digest `json:"sha256"`   // over the ends of all chains
}

// A Head is the end of one chain.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash Digest `json:"hash"`
}

// headsOf is the sum of all users' heads.
func headsOf(ctx context.Context, src Source) (h Heads, err error) {
	sum := sha256.New()
	for i, err := range src.Instances(ctx) {
		if err != nil {
			return h, err
		}
		h.Instance = Head{Seq: i.AuditSeq, Hash: i.AuditHash}
		h.Chains++
		sum.Write(h.Instance.bytes(i.ID))
	}
	for u, err := range src.Users(ctx) {
		if err != nil {
			return h, err
		}
		h.Chains++
		sum.Write(Head{Seq: u.AuditSeq, Hash: u.AuditHash}.bytes(u.ID))
	}
	sum.Sum(h.Digest[:0])
	return h, nil
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

func magicLine(format int) string { return magic + strconv.Itoa(format) + "\n" }

// A trailer is the last line. Its length does not depend on the digest.
func trailer(d Digest) string { return `{"sha256":"` + d.String() + "\"}\n" }

func contents(line int64, what string) error {
	return fmt.Errorf("%w: line %d: %s", ErrContents, line, what)
}
