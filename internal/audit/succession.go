package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
)

// successionTag is the first line of a succession.
const successionTag = "keysake succession v1"

// A Succession says that the checkpoints of an instance are signed by another key from now on. The
// key before signs it. format.md, next to this file, has the form of its note.
type Succession struct {
	From uuid.UUID // the instance key whose key signed it
	Key  string    // the public key that signs from now on, in the form of [VerifierKey]
	At   time.Time // truncated to microseconds
	Last uint64    // the number of the last checkpoint before; 0 for none
	Hash Hash      // of that checkpoint; zero for none
}

func (s Succession) text() string {
	return strings.Join([]string{
		successionTag,
		s.From.String(),
		s.Key,
		s.At.UTC().Format(checkpointTime),
		strconv.FormatUint(s.Last, 10),
		s.Hash.String(),
	}, "\n") + "\n"
}

// Sign returns the succession as a signed note, by the key that belongs to From.
func (s Succession) Sign(key ed25519.PrivateKey) ([]byte, error) {
	if parsed, err := parseSuccession(s.text()); err != nil || parsed != s {
		return nil, errors.New("audit: a note cannot hold this succession")
	}
	by, err := newSigner(s.From, key)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: s.text()}, by)
}

// OpenSuccession returns the succession of a signed note that one of the keys signed. The errors
// are those of [OpenCheckpoint].
func OpenSuccession(signed []byte, keys ...string) (Succession, error) {
	known, err := verifiers(keys)
	if err != nil {
		return Succession{}, err
	}
	opened, err := note.Open(signed, known)
	if err != nil {
		return Succession{}, ErrSignature
	}
	s, err := parseSuccession(opened.Text)
	if err != nil {
		return Succession{}, err
	}
	for _, by := range opened.Sigs {
		if by.Name == keyName(s.From) {
			return s, nil
		}
	}
	return Succession{}, ErrSignature
}

// parseSuccession accepts only what text returns.
func parseSuccession(text string) (s Succession, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 7 {
		return s, ErrNote
	}
	var errs [5]error
	s.From, errs[0] = uuid.Parse(lines[1])
	s.Key = lines[2]
	_, errs[1] = note.NewVerifier(s.Key)
	s.At, errs[2] = time.Parse(checkpointTime, lines[3])
	s.Last, errs[3] = strconv.ParseUint(lines[4], 10, 64)
	s.Hash, errs[4] = parseHash(lines[5])
	if errors.Join(errs[:]...) != nil || s.text() != text {
		return Succession{}, ErrNote
	}
	return s, nil
}

// AppendSuccession appends a signed succession to those that lead to the key that signed it, and
// drops the oldest that an export has no room for. What is no list of notes counts as none.
func AppendSuccession(list, signed []byte) []byte {
	notes, err := parseSuccessions(list)
	if err != nil {
		notes = nil
	}
	notes = append(notes, signed)
	size := 0
	for at := range slices.Backward(notes) {
		if size += 4 + len(notes[at]); size > maxPart {
			notes = notes[at+1:]
			break
		}
	}
	var b []byte
	for _, n := range notes {
		b = appendText(b, string(n))
	}
	return b
}

func parseSuccessions(b []byte) (notes [][]byte, err error) {
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, fmt.Errorf("%w: its successions", ErrExport)
		}
		n := int(binary.BigEndian.Uint32(b))
		if n < 0 || n > len(b)-4 {
			return nil, fmt.Errorf("%w: its successions", ErrExport)
		}
		notes, b = append(notes, b[4:4+n]), b[4+n:]
	}
	return notes, nil
}

// succeeded returns the keys with those to which successions lead from them, and these.
func succeeded(keys []string, list []byte) ([]string, []Succession, error) {
	notes, err := parseSuccessions(list)
	if err != nil {
		return nil, nil, err
	}
	var used []Succession
	for _, signed := range notes {
		s, err := OpenSuccession(signed, keys...)
		if err != nil || slices.Contains(keys, s.Key) {
			continue // of a key before the first that is believed, or of another history
		}
		keys, used = append(slices.Clone(keys), s.Key), append(used, s)
	}
	return keys, used, nil
}

// checkSuccessions checks that the checkpoints are on the right sides of the successions.
func (v *verification) checkSuccessions() {
	for _, s := range v.Successions {
		switch {
		case v.Earlier != nil && v.Earlier.InstanceKey == s.From && v.Earlier.Number > s.Last,
			v.Checkpoint.InstanceKey != s.From && v.Checkpoint.Number <= s.Last:
			v.fault(fmt.Errorf("%w: the key of %s was succeeded after checkpoint %d", ErrFork,
				s.From, s.Last))
		}
	}
}
