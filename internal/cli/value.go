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
an argument, where other programs could read it. A file is taken byte for byte.
From standard input, the line ending of a single line (\n or \r\n) is removed. For
a provider's key, it is removed from a file as well.

Several lines can be pasted at the prompt if the terminal marks what is pasted, as
nearly all do. Otherwise they are refused, and none gets to the shell but one that
comes more than a second after the one before.`

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

// readValue reads a value from its source. A prompt calls it what. Of a single line, the ending is
// removed, but not of one in a file, unless the value is a key.
func (a *app) readValue(
	ctx context.Context, src *valueSource, what string, isKey bool,
) (plaintext.Value, error) {
	if src.file != "" && src.file != "-" {
		f, err := os.Open(src.file)
		if err != nil {
			return plaintext.Value{}, fmt.Errorf("--from-file: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		return readLimited(f, isKey)
	}
	if tty, ok := terminal(a.stdin); ok {
		return a.readHidden(ctx, tty, what)
	}
	return readContext(ctx, func() (plaintext.Value, error) { return readLimited(a.stdin, true) })
}

// readLimited reads a value of at most the length that a secret may have.
func readLimited(r io.Reader, line bool) (plaintext.Value, error) {
	buf := make([]byte, vault.MaxValueBytes+len("\r\n")+1)
	defer clear(buf)
	n, err := io.ReadFull(r, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return plaintext.Value{}, fmt.Errorf("read the value: %w", err)
	}
	b := buf[:n]
	if line {
		b = withoutEnd(b)
	}
	if len(b) > vault.MaxValueBytes {
		return plaintext.Value{}, errTooLong
	}
	return plaintext.New(b), nil
}

// withoutEnd returns a single line without its ending. The last ending of several lines is a part
// of what they are: a private key without it is none.
func withoutEnd(b []byte) []byte {
	line, ended := bytes.CutSuffix(b, []byte("\n"))
	if !ended || bytes.ContainsRune(line, '\n') {
		return b
	}
	return bytes.TrimSuffix(line, []byte("\r"))
}

// trimmed returns an API key without the white space around it.
func trimmed(key plaintext.Value) plaintext.Value {
	return plaintext.New(bytes.TrimSpace(key.Reveal()))
}
