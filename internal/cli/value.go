package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const valueHelp = `On a terminal, you are asked for the value, which is not shown. Otherwise it is
read from standard input, or from the file that --from-file names. It is never
an argument, where other programs could read it. From standard input or a file,
one line ending (\n or \r\n) is removed; nothing else is changed.`

// A valueSource is where a command reads a value from.
type valueSource struct{ file string }

func valueFlags(cmd *cobra.Command) *valueSource {
	src := new(valueSource)
	cmd.Flags().StringVar(&src.file, "from-file", "",
		"read it from `FILE`, or from standard input if that is -")
	return src
}

var errTooLong = fmt.Errorf("the value is too long: Keysake stores at most %d bytes",
	vault.MaxValueBytes)

// readValue reads a value from its source. A prompt calls it what.
func (a *app) readValue(
	ctx context.Context, src *valueSource, what string,
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
	return readContext(ctx, func() (plaintext.Value, error) { return readLimited(a.stdin) })
}

// readLimited reads a value of at most the length that a secret may have, and removes one line
// ending.
func readLimited(r io.Reader) (plaintext.Value, error) {
	buf := make([]byte, vault.MaxValueBytes+len("\r\n")+1)
	defer clear(buf)
	n, err := io.ReadFull(r, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return plaintext.Value{}, fmt.Errorf("read the value: %w", err)
	}
	b := buf[:n]
	if line, ended := bytes.CutSuffix(b, []byte("\n")); ended {
		b = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(b) > vault.MaxValueBytes {
		return plaintext.Value{}, errTooLong
	}
	return plaintext.New(b), nil
}
