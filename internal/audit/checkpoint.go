package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
)

// checkpointTag is the first line of a checkpoint.
const checkpointTag = "keysake checkpoint v1"

// What can be wrong with a checkpoint or its key. Match with errors.Is.
var (
	ErrKey       = errors.New("this is not a public key of checkpoints")
	ErrNote      = errors.New("this is not a signed checkpoint")
	ErrSignature = errors.New("the checkpoint was changed, or another key signed it")
)

// A Checkpoint says in which state all chains of an instance were at one moment. It shows how many
// chains there are, and no id of any. format.md, next to this file, has the form of its note.
type Checkpoint struct {
	InstanceKey uuid.UUID // the id of the key that signed
	Number      uint64    // from 1, without a gap
	At          time.Time // truncated to microseconds
	Chains      uint64    // of users, deleted ones too, and of the instance
	Root        Hash      // of the Merkle tree of their heads
	Before      Hash      // of the checkpoint before; zero for the first
}

// checkpointTime is the layout of the time: always with six digits after the point.
const checkpointTime = "2006-01-02T15:04:05.000000Z"

// text returns what is signed.
func (c Checkpoint) text() string {
	return strings.Join([]string{
		checkpointTag,
		c.InstanceKey.String(),
		strconv.FormatUint(c.Number, 10),
		c.At.UTC().Format(checkpointTime),
		strconv.FormatUint(c.Chains, 10),
		c.Root.String(),
		c.Before.String(),
	}, "\n") + "\n"
}

// Hash returns the SHA-256 of what is signed: another signature does not change it.
func (c Checkpoint) Hash() Hash { return sha256.Sum256([]byte(c.text())) }

// Sign returns the checkpoint as a signed note (C2SP signed-note), by the key that belongs to the
// instance key.
func (c Checkpoint) Sign(key ed25519.PrivateKey) ([]byte, error) {
	if parsed, err := parseCheckpoint(c.text()); err != nil || parsed != c {
		return nil, errors.New("audit: a note cannot hold this checkpoint")
	}
	s, err := newSigner(c.InstanceKey, key)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.text()}, s)
}

// OpenCheckpoint returns the checkpoint of a signed note that one of the keys signed, which have
// the form of [VerifierKey]. The errors are [ErrKey], [ErrNote] and [ErrSignature].
func OpenCheckpoint(signed []byte, keys ...string) (Checkpoint, error) {
	known, err := verifiers(keys)
	if err != nil {
		return Checkpoint{}, err
	}
	opened, err := note.Open(signed, known)
	if unverified, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return Checkpoint{}, fmt.Errorf("%w: %s", ErrSignature, signers(unverified.Note))
	}
	if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return Checkpoint{}, ErrSignature
	}
	if err != nil {
		return Checkpoint{}, ErrNote
	}
	c, err := parseCheckpoint(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, by := range opened.Sigs {
		if by.Name == keyName(c.InstanceKey) {
			return c, nil
		}
	}
	return Checkpoint{}, ErrSignature
}

func signers(n *note.Note) string {
	var names []string
	for _, s := range n.UnverifiedSigs {
		names = append(names, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
	}
	return "it is signed by " + strings.Join(names, ", ")
}

// parseCheckpoint accepts only what text returns.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 8 {
		return c, ErrNote
	}
	var errs [6]error
	c.InstanceKey, errs[0] = uuid.Parse(lines[1])
	c.Number, errs[1] = strconv.ParseUint(lines[2], 10, 64)
	c.At, errs[2] = time.Parse(checkpointTime, lines[3])
	c.Chains, errs[3] = strconv.ParseUint(lines[4], 10, 64)
	c.Root, errs[4] = parseHash(lines[5])
	c.Before, errs[5] = parseHash(lines[6])
	if errors.Join(errs[:]...) != nil || c.text() != text || c.Number == 0 {
		return Checkpoint{}, ErrNote
	}
	return c, nil
}

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = parseHash(string(text))
	return err
}

func parseHash(text string) (h Hash, err error) {
	if len(text) != hex.EncodedLen(len(h)) {
		return h, errors.New("a hash has 64 hexadecimal digits")
	}
	_, err = hex.Decode(h[:], []byte(text))
	return h, err
}
