package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/keysake/keysake/internal/vault"
)

// A terminal that was asked with bracketedOn marks what is pasted with pasteBegin and pasteEnd.
const (
	bracketedOn  = "\x1b[?2004h"
	bracketedOff = "\x1b[?2004l"
	pasteBegin   = "[200~" // after ESC
	pasteEnd     = "\x1b[201~"
)

// How long nothing comes when a paste is over. One that the terminal does not mark is noticed by
// characters in a row that come faster than a person types; a slow connection brings it in pieces.
const (
	quiet      = 50 * time.Millisecond
	quietPaste = time.Second
	fast       = 10 * time.Millisecond
	fastRow    = 4
)

// A keyboard reads a terminal for all prompts of a command, so that none loses what another read.
type keyboard struct {
	typed chan byte

	last  time.Time // when the last character came
	row   int       // how many came fast before it
	paste bool      // so fast that it is a paste
}

// keyboard returns the one of the terminal.
func (a *app) keyboard(tty *os.File) *keyboard {
	if a.keys == nil {
		a.keys = &keyboard{typed: make(chan byte, 1<<10)}
		go a.keys.read(tty)
	}
	return a.keys
}

func (k *keyboard) read(tty io.Reader) {
	defer close(k.typed)
	buf := make([]byte, 1<<10)
	for {
		n, err := tty.Read(buf)
		for _, b := range buf[:n] {
			k.typed <- b
		}
		clear(buf)
		if err != nil {
			return
		}
	}
}

// next returns the next byte. [io.EOF]: there will be none.
func (k *keyboard) next(ctx context.Context) (byte, error) {
	select {
	case b, ok := <-k.typed:
		if !ok {
			return 0, io.EOF
		}
		return b, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// soon is next for a byte that comes within this time, if at all.
func (k *keyboard) soon(within time.Duration) (byte, bool) {
	select {
	case b, ok := <-k.typed:
		return b, ok
	case <-time.After(within):
		return 0, false
	}
}

// swallow drops what comes without a pause, and reports whether there was something.
func (k *keyboard) swallow() (some bool) {
	pause := quiet
	if k.paste {
		pause = quietPaste
	}
	for {
		if _, ok := k.soon(pause); !ok {
			return some
		}
		some, pause = true, quietPaste
	}
}

// clock notices characters that come as fast as nobody types.
func (k *keyboard) clock(b byte) {
	if !utf8.RuneStart(b) {
		return
	}
	now := time.Now()
	k.row++
	if now.Sub(k.last) > fast {
		k.row = 0
	}
	k.last = now
	k.paste = k.paste || k.row >= fastRow
}

// line returns a line of a terminal that edits it by itself.
func (k *keyboard) line(ctx context.Context) (string, error) {
	var line []byte
	k.row, k.paste = 0, false
	for {
		b, err := k.next(ctx)
		if err != nil || b == '\n' {
			return string(line), err
		}
		line = append(line, b)
	}
}

// The keys that mean something on a raw terminal.
const (
	keyInterrupt = 0x03
	keyEnd       = 0x04
	keyBackspace = 0x08
	keyEraseLine = 0x15
	keyEscape    = 0x1b
	keyDelete    = 0x7f
)

// keyHeader begins a private key in PEM, which has more than one line.
const keyHeader = "-----BEGIN "

// hidden returns what is typed or pasted on a raw terminal until Enter. A terminal that marks
// pastes may paste several lines. What another one pastes after the first line is dropped, and all
// of it refused: the shell would get the rest.
func (k *keyboard) hidden(ctx context.Context) (text []byte, err error) {
	k.row, k.paste = 0, false
	for {
		b, err := k.next(ctx)
		switch {
		case err != nil:
			return nil, err
		case b == keyInterrupt:
			return nil, context.Canceled
		case b == '\r' || b == '\n':
			isKey := bytes.HasPrefix(text, []byte(keyHeader)) && !bytes.ContainsRune(text, '\n')
			k.paste = k.paste || isKey
			if k.swallow() || isKey {
				return nil, errManyLines
			}
			return text, nil
		case b == keyEnd && len(text) == 0:
			return nil, io.EOF
		case b == keyEscape:
			pasted, err := k.escape(ctx)
			if err != nil {
				return nil, err
			}
			text = append(text, pasted...)
		case b == keyBackspace || b == keyDelete:
			_, size := utf8.DecodeLastRune(text)
			text = text[:len(text)-size]
		case b == keyEraseLine:
			text = text[:0]
		case b >= ' ' || b == '\t':
			k.clock(b)
			text = append(text, b)
		}
		if len(text) > vault.MaxValueBytes {
			k.swallow()
			return nil, errTooLong
		}
	}
}

// escape reads what follows ESC: a paste, which it returns, or a key that means nothing here.
func (k *keyboard) escape(ctx context.Context) ([]byte, error) {
	var sequence []byte
	for len(sequence) < len(pasteBegin) {
		b, ok := k.soon(quiet)
		if !ok {
			return nil, nil
		}
		sequence = append(sequence, b)
		if last := len(sequence) > 1 && b >= '@' && b <= '~'; last || sequence[0] != '[' {
			break
		}
	}
	if string(sequence) != pasteBegin {
		return nil, nil
	}
	return k.pasted(ctx)
}

// pasted returns what a terminal pastes, with line breaks of one kind. Of what is too long, more
// than may be is returned, and no more.
func (k *keyboard) pasted(ctx context.Context) ([]byte, error) {
	var text []byte
	tail := make([]byte, len(pasteEnd))
	for string(tail) != pasteEnd {
		b, err := k.next(ctx)
		if err != nil {
			return nil, err
		}
		tail = append(tail[1:], b)
		if len(text) <= vault.MaxValueBytes+len(pasteEnd) {
			text = append(text, b)
		}
	}
	text = bytes.TrimSuffix(text, []byte(pasteEnd))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return withoutEnd(bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))), nil
}
