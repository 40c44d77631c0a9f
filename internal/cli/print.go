package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// print writes to standard output. A failure is an error: half a list, or a new key that was not
// seen, is no success.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.stdout, text)
	return err
}

// infof writes one line to standard error.
func (a *app) infof(format string, args ...any) {
	// If standard error fails, there is no place left to report it.
	_, _ = fmt.Fprintln(a.stderr, escape(fmt.Sprintf(format, args...)))
}

// count returns n with its noun.
func count[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// jsonFlag adds --json to a command that prints data.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// show prints v as JSON, or as the grid that rows makes of it.
func show[T any](a *app, v T, asJSON bool, rows func(T) grid) error {
	if asJSON {
		return a.printJSON(v)
	}
	return a.printGrid(rows(v))
}

func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	// The encoder leaves some unsafe characters as they are. They can only stand in strings, where
	// an escape means the same.
	var text strings.Builder
	for line := range strings.Lines(b.String()) {
		text.WriteString(escape(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return a.print(text.String())
}

// escape makes s safe for a terminal: characters that could move the cursor, reverse the text or
// begin another line become \u001b and the like.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r > 0xffff && isUnsafe(r):
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case isUnsafe(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isUnsafe(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
