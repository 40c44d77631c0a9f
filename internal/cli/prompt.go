package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/keysake/keysake/plaintext"
)

var errManyLines = errors.New("several lines came without a mark that they were pasted, and none " +
	"was taken: use standard input or --from-file")

// terminal returns r as a file if it is a terminal.
func terminal(r io.Reader) (*os.File, bool) {
	f, ok := r.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// readHidden asks for a value on a terminal and does not show what is typed. It leaves the terminal
// as it was, even when ctx ends.
func (a *app) readHidden(ctx context.Context, tty *os.File, what string) (plaintext.Value, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return plaintext.Value{}, fmt.Errorf("ask for the value: %w", err)
	}
	if err := a.ask(what + " (not shown): "); err != nil {
		return plaintext.Value{}, err
	}
	if _, err := term.MakeRaw(fd); err != nil {
		return plaintext.Value{}, fmt.Errorf("ask for the value: %w", err)
	}
	_, _ = tty.WriteString(bracketedOn) // without it, a paste of several lines is refused
	text, err := a.keyboard(tty).hidden(ctx)
	_, _ = tty.WriteString(bracketedOff)
	dropInput(fd)
	if restored := term.Restore(fd, before); err == nil {
		err = restored
	}
	a.infof("")
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errManyLines), errors.Is(err, errTooLong):
		return plaintext.Value{}, err
	case err != nil:
		return plaintext.Value{}, fmt.Errorf("ask for the value: %w", err)
	}
	return plaintext.Own(text), nil
}

// passphrase asks for the passphrase of a root key. It never reads it from a pipe, whose content is
// meant for something else.
func (a *app) passphrase(ctx context.Context, prompt string) (plaintext.Value, error) {
	tty, ok := terminal(a.stdin)
	if !ok {
		return plaintext.Value{}, errors.New("cannot ask for the passphrase: " +
			"standard input is not a terminal: use --root-passphrase-file or --root-passphrase-fd")
	}
	return a.readHidden(ctx, tty, prompt)
}

// yesFlag adds --yes to a command that asks before a deletion.
func yesFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("yes", false, "do not ask for confirmation")
}

// canConfirm returns a usage error without --yes if there is no terminal to confirm on.
func (a *app) canConfirm(yes bool) error {
	if _, ok := terminal(a.stdin); !ok && !yes {
		return usagef("standard input is not a terminal: add --yes to confirm")
	}
	return nil
}

// confirm asks before what cannot be undone, unless --yes says so. Anything but y or yes is an
// error.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if err := a.ask(question + " [y/N] "); err != nil {
		return err
	}
	line, err := a.readLine(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errors.New("not confirmed: nothing was changed")
}

// readLine returns the answer to a question. Several lines that come at once are none: the rest is
// dropped, so that the shell does not get it.
func (a *app) readLine(ctx context.Context) (string, error) {
	if tty, ok := terminal(a.stdin); ok {
		keys := a.keyboard(tty)
		line, err := keys.line(ctx)
		if err == nil && keys.swallow() {
			line = ""
		}
		dropInput(int(tty.Fd()))
		return line, err
	}
	return readContext(ctx, func() (string, error) {
		return bufio.NewReader(a.stdin).ReadString('\n')
	})
}

func (a *app) ask(prompt string) error {
	_, err := io.WriteString(a.stderr, escape(prompt))
	return err
}

// readContext returns the result of read, or the error of ctx if that ends first. A result that
// comes later is dropped.
func readContext[T any](ctx context.Context, read func() (T, error)) (T, error) {
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
