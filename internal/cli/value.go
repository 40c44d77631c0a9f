package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const valueHelp = `The value is asked for without showing it if standard input is a terminal, and is else read from standard
input, or from the file of --from-file. It is never an argument, where other programs could read it. From a file or
standard input one line end is taken off (\n or \r\n, as editors and echo put there) and nothing else is changed.`

// A valueSource is where a command takes a value from.
type valueSource struct{ file string }

func valueFlags(cmd *cobra.Command) *valueSource {
	src := new(valueSource)
	cmd.Flags().StringVar(&src.file, "from-file", "", "read it from `FILE`; - is standard input")
	return src
}

// maxTyped is the longest line that every system's terminal hands over whole; of a longer one the
// rest is lost without a word.
const maxTyped = 1000

var (
	errTyped = fmt.Errorf(
		"a value of more than %d bytes can be cut off by the terminal: use standard input or --from-file",
		maxTyped,
	)
	errManyLines = errors.New(
		"a key of several lines cannot be pasted at a prompt, which takes one: use standard input or --from-file",
	)
	errTooLong = fmt.Errorf(
		"the value has more than %d bytes, which is the most that Keysake takes",
		wire.MaxValueBytes,
	)
)

// readValue takes a value from its source. what names it in the prompt.
func (a *app) readValue(
	ctx context.Context,
	src *valueSource,
	what string,
) (plaintext.Value, error) {
	if src.file != "" && src.file != "-" {
		f, err := os.Open(src.file)
		if err != nil {
			return plaintext.Value{}, fmt.Errorf("--from-file: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		return readLimited(f)
	}
	if tty, ok := terminal(a.stdin); ok {
		return a.readHidden(ctx, tty, what)
	}
	return await(ctx, func() (plaintext.Value, error) { return readLimited(a.stdin) })
}

// readLimited reads all of r, takes one line end off, and refuses what is too long for any secret.
func readLimited(r io.Reader) (plaintext.Value, error) {
	buf := make([]byte, wire.MaxValueBytes+len("\r\n")+1)
	defer clear(buf)
	n, err := io.ReadFull(r, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return plaintext.Value{}, fmt.Errorf("read the value: %w", err)
	}
	b := buf[:n]
	if line, ended := bytes.CutSuffix(b, []byte("\n")); ended {
		b = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(b) > wire.MaxValueBytes {
		return plaintext.Value{}, errTooLong
	}
	return plaintext.New(b), nil
}

// readHidden asks for a value on a terminal that does not show what is typed. When ctx ends, the
// terminal shows again what is typed.
func (a *app) readHidden(ctx context.Context, tty *os.File, what string) (plaintext.Value, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return plaintext.Value{}, fmt.Errorf("ask for the value: %w", err)
	}
	if err := a.ask(what + " (not shown): "); err != nil {
		return plaintext.Value{}, err
	}
	typed, err := await(ctx, func() (plaintext.Value, error) {
		b, err := term.ReadPassword(fd)
		return plaintext.Own(b), err
	})
	a.note("")
	switch {
	case ctx.Err() != nil:
		return plaintext.Value{}, errors.Join(ctx.Err(), term.Restore(fd, before))
	case err != nil:
		return plaintext.Value{}, fmt.Errorf("ask for the value: %w", err)
	case bytes.HasPrefix(typed.Reveal(), []byte("-----BEGIN ")):
		return plaintext.Value{}, errManyLines
	case typed.Len() > maxTyped:
		return plaintext.Value{}, errTyped
	}
	return typed, nil
}

// canConfirm is an error where nobody can be asked: then --yes is needed.
func (a *app) canConfirm() error {
	if _, ok := terminal(a.stdin); !ok {
		return usagef("nobody can be asked whether this is meant: add --yes if it is")
	}
	return nil
}

// confirm asks a question that only yes answers.
func (a *app) confirm(ctx context.Context, question string) error {
	if err := a.ask(question + " [y/N] "); err != nil {
		return err
	}
	line, err := await(
		ctx,
		func() (string, error) { return bufio.NewReader(a.stdin).ReadString('\n') },
	)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was deleted")
}

func (a *app) ask(prompt string) error {
	_, err := io.WriteString(a.stderr, clean(prompt))
	return err
}

func terminal(r io.Reader) (*os.File, bool) {
	f, ok := r.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// await returns what read does, or the end of ctx if that is first: then what is read later counts
// for nothing.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		if ctx.Err() == nil {
			return r.value, r.err
		}
	case <-ctx.Done():
	}
	var none T
	return none, ctx.Err()
}
