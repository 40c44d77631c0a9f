package instance

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
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/plaintext"
)

// A Passphrase asks a person for the passphrase of a root key. It may be nil where there is no
// person.
type Passphrase func(ctx context.Context, prompt string) (plaintext.Value, error)

// maxPassphraseFile bounds what is read as passphrases, in bytes; maxPassphrases how many are
// tried, each of which takes its time.
const (
	maxPassphraseFile = 64 << 10
	maxPassphrases    = 8
)

// Passphrases are read from a file or a descriptor, one a line, or else asked for. A file is read
// each time, so that a running server takes up what was added to it; a descriptor can be read only
// once, and a person is not asked twice.
type Passphrases struct {
	File string
	FD   int
	Ask  Passphrase

	mu   sync.Mutex
	kept []rootkey.Passphrase
	made []rootkey.Passphrase // what a new root key was made of
}

// All returns what there is to try: first what a new root key was made of, then what was given.
// Nobody is asked before it comes to that.
func (p *Passphrases) All(ctx context.Context) iter.Seq2[rootkey.Passphrase, error] {
	return func(yield func(rootkey.Passphrase, error) bool) {
		for _, one := range p.news() {
			if !yield(one, nil) {
				return
			}
		}
		given, err := p.given(
			func() (plaintext.Value, error) { return p.Ask(ctx, "Passphrase of the root key") },
		)
		if err != nil {
			yield(plaintext.Value{}, err)
			return
		}
		for _, one := range given {
			if !yield(one, nil) {
				return
			}
		}
	}
}

// Before puts what a new root key was made of before others.
func (p *Passphrases) Before(
	others func(context.Context) iter.Seq2[rootkey.Passphrase, error],
) func(context.Context) iter.Seq2[rootkey.Passphrase, error] {
	return func(ctx context.Context) iter.Seq2[rootkey.Passphrase, error] {
		return func(yield func(rootkey.Passphrase, error) bool) {
			for _, one := range p.news() {
				if !yield(one, nil) {
					return
				}
			}
			others(ctx)(yield)
		}
	}
}

func (p *Passphrases) news() []rootkey.Passphrase {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// New returns the passphrase of a root key that is to be made: the first line, or what somebody
// types twice.
func (p *Passphrases) New(ctx context.Context) (rootkey.Passphrase, error) {
	given, err := p.given(func() (plaintext.Value, error) { return p.askTwice(ctx) })
	if err != nil {
		return plaintext.Value{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = given[:1]
	return given[0], nil
}

// given returns at least one passphrase, or an error.
func (p *Passphrases) given(
	ask func() (plaintext.Value, error),
) (found []rootkey.Passphrase, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.kept != nil:
		return p.kept, nil
	case p.File != "":
		return p.lines()
	case p.FD > 0:
		found, err = p.lines()
	case p.Ask == nil:
		return nil, errNobodyToAsk
	default:
		var typed plaintext.Value
		typed, err = ask()
		found = []rootkey.Passphrase{typed}
	}
	if err == nil {
		p.kept = found
	}
	return found, err
}

var errNobodyToAsk = errors.New(
	"there is nobody to ask for the passphrase: give --root-passphrase-file or --root-passphrase-fd",
)

func (p *Passphrases) askTwice(ctx context.Context) (plaintext.Value, error) {
	first, err := p.Ask(ctx, "New passphrase of the root key")
	if err != nil {
		return plaintext.Value{}, err
	}
	if first.Len() < rootkey.MinPassphrase {
		return plaintext.Value{}, rootkey.ErrShortPassphrase
	}
	second, err := p.Ask(ctx, "The same again")
	if err == nil && !bytes.Equal(first.Reveal(), second.Reveal()) {
		err = errors.New("the two passphrases differ")
	}
	if err != nil {
		return plaintext.Value{}, err
	}
	return first, nil
}

func (p *Passphrases) lines() ([]rootkey.Passphrase, error) {
	file, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("passphrase of the root key: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPassphraseFile+1))
	defer clear(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("passphrase of the root key: %w", err)
	}
	var all []rootkey.Passphrase
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			all = append(all, plaintext.New(line))
		}
	}
	switch {
	case len(text) > maxPassphraseFile, len(all) > maxPassphrases:
		return nil, fmt.Errorf(
			"passphrase of the root key: %s must have at most %d lines",
			file.Name(),
			maxPassphrases,
		)
	case len(all) == 0:
		return nil, fmt.Errorf("passphrase of the root key: %s is empty", file.Name())
	}
	return all, nil
}

// open opens the descriptor, or the file, which nobody but its owner may read. A pipe or a device
// is taken as well.
func (p *Passphrases) open() (*os.File, error) {
	if p.FD > 0 {
		return os.NewFile(uintptr(p.FD), fmt.Sprintf("file descriptor %d", p.FD)), nil
	}
	f, err := os.Open(p.File)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = privatefile.CheckMode(info)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.File, err), f.Close())
	}
	return f, nil
}
