package rootkey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"

	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

// Each passphrase takes its time to try, so a file may hold only a few.
const (
	maxPassphraseFile = 64 << 10 // bytes
	maxPassphrases    = 8
)

// Ask asks a person for a passphrase.
type Ask func(ctx context.Context, prompt string) (Passphrase, error)

// A Source reads passphrases: from a file or a descriptor, one per line, or by asking a person. It
// reads a file every time, so that a running server notices a new line. It reads a descriptor, and
// asks, only once.
type Source struct {
	File string
	FD   int // 0 for none
	Ask  Ask // nil if there is no person to ask

	mu      sync.Mutex
	given   []Passphrase // by the descriptor or the person
	created []Passphrase // of a new root key
}

// New returns the passphrase for a new root key: the first line, or what a person types twice.
func (s *Source) New(ctx context.Context) (Passphrase, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	given, err := s.read(func() (Passphrase, error) { return s.askTwice(ctx) })
	if err != nil {
		return Passphrase{}, err
	}
	s.created = given[:1]
	return given[0], nil
}

// all returns the passphrases to try. It reads none before the caller has tried those of new keys.
func (o *Opener) all(ctx context.Context) iter.Seq2[Passphrase, error] {
	return func(yield func(Passphrase, error) bool) {
		for _, s := range []*Source{o.NewSource, o.Source} {
			for _, p := range s.createdNow() {
				if !yield(p, nil) {
					return
				}
			}
		}
		given, err := o.Source.existing(ctx)
		if err != nil {
			yield(Passphrase{}, err)
			return
		}
		for _, p := range given {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *Source) createdNow() []Passphrase {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created
}

func (s *Source) existing(ctx context.Context) ([]Passphrase, error) {
	if s == nil {
		return nil, errNoPassphrase
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(func() (Passphrase, error) { return s.Ask(ctx, "Passphrase of the root key") })
}

var errNoPassphrase = errors.New("there is no passphrase: give a file or a file descriptor")

// read returns at least one passphrase or an error. It holds the lock, so that a person is asked
// only once.
func (s *Source) read(ask func() (Passphrase, error)) ([]Passphrase, error) {
	if s.given != nil {
		return s.given, nil
	}
	if s.File != "" {
		return s.lines()
	}
	var found []Passphrase
	var err error
	switch {
	case s.FD > 0:
		found, err = s.lines()
	case s.Ask == nil:
		return nil, errNoPassphrase
	default:
		found = make([]Passphrase, 1)
		found[0], err = ask()
	}
	if err != nil {
		return nil, err
	}
	s.given = found
	return found, nil
}

func (s *Source) askTwice(ctx context.Context) (Passphrase, error) {
	first, err := s.Ask(ctx, "New passphrase of the root key")
	if err != nil {
		return Passphrase{}, err
	}
	if first.Len() < MinPassphrase {
		return Passphrase{}, ErrShortPassphrase
	}
	second, err := s.Ask(ctx, "The same again")
	if err != nil {
		return Passphrase{}, err
	}
	if !bytes.Equal(first.Reveal(), second.Reveal()) {
		return Passphrase{}, errors.New("the two passphrases differ")
	}
	return first, nil
}

func (s *Source) lines() ([]Passphrase, error) {
	file, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("passphrase of the root key: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPassphraseFile+1))
	defer clear(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("passphrase of the root key: %w", err)
	}
	var found []Passphrase
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			found = append(found, plaintext.New(line))
		}
	}
	switch {
	case len(text) > maxPassphraseFile, len(found) > maxPassphrases:
		return nil, fmt.Errorf("passphrase of the root key: %s must have at most %d lines",
			file.Name(), maxPassphrases)
	case len(found) == 0:
		return nil, fmt.Errorf("passphrase of the root key: %s is empty", file.Name())
	}
	return found, nil
}

// open opens the descriptor or the file. The file may be a pipe or a device, whose mode does not
// matter.
func (s *Source) open() (*os.File, error) {
	if s.FD > 0 {
		return os.NewFile(uintptr(s.FD), fmt.Sprintf("file descriptor %d", s.FD)), nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = privatefile.CheckMode(info)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.File, err), f.Close())
	}
	return f, nil
}
