package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

// print writes what was asked for. A failure is an error: half a list, or a new key that nobody
// saw, is no success.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.stdout, text)
	return err
}

// note tells people something beside what was asked for, in a line of its own.
func (a *app) note(format string, args ...any) {
	// Nobody is left to tell that standard error does not work.
	_, _ = fmt.Fprintln(a.stderr, clean(fmt.Sprintf(format, args...)))
}

// printJSON writes v as the API has it.
func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	// In JSON such characters stand in strings only, where an escape means the same; the encoder
	// leaves some as they are.
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return a.print(strings.Join(lines, "\n") + "\n")
}

// A table is rows of columns for people; the first is the heading.
type table [][]string

func (a *app) printTable(rows table) error {
	var text, aligned strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				text.WriteByte('\t')
			}
			text.WriteString(clean(cell))
		}
		text.WriteByte('\n')
	}
	w := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.print(aligned.String())
}

// clean makes s harmless for a terminal: what could move the cursor, turn the text or begin another
// line is shown as \u001b.
func clean(s string) string {
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

// or returns what stands in a table for s: s, or a hyphen where there is none.
func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// moment writes a time as people read it, in UTC.
func moment(t *wire.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// yesNo writes a fact in a table.
func yesNo(fact bool) string {
	if fact {
		return "yes"
	}
	return "no"
}

// jsonFlag defines --json, the same for every command that prints data.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON, as the API has it")
}
