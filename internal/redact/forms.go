package redact

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxEncoded is the length in bytes above which only the value itself is looked for, which bounds
// the memory that its many forms take.
const maxEncoded = 16 << 10

// forms returns the texts by which a value is found, the value itself first, and those of base64,
// which line breaks may interrupt.
func forms(value []byte) (all, base64 [][]byte) {
	addTo := func(forms *[][]byte, form string) {
		if utf8.RuneCountInString(form) < MinLength {
			return
		}
		if !slices.ContainsFunc(*forms, func(have []byte) bool { return string(have) == form }) {
			*forms = append(*forms, []byte(form))
		}
	}
	add := func(form string) { addTo(&all, form) }
	// A shell's $(...) takes the line endings from the end of what it reads.
	for _, v := range [][]byte{value, bytes.TrimRight(value, "\r\n")} {
		if utf8.RuneCount(v) < MinLength {
			continue
		}
		add(string(v))
		// A terminal writes a carriage return before each line feed.
		add(strings.ReplaceAll(string(v), "\n", "\r\n"))
		if len(v) > maxEncoded {
			continue
		}
		addBase64(func(form string) { addTo(&base64, form) }, v)
		addURL(add, string(v))
		addJSON(add, string(v))
	}
	return all, base64
}

// addBase64 adds what a value becomes inside a longer text that is encoded as a whole. How it looks
// depends on how many bytes stand before it, modulo 3. The characters at its ends have some bits of
// its neighbours, so they belong to it only where there is no neighbour.
func addBase64(add func(string), v []byte) {
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 {
			padded := alphabet.EncodeToString(append(make([]byte, before), v...))
			first := (before*8 + 5) / 6
			whole := (before + len(v)) * 8 / 6
			add(padded[first:whole])
			add(strings.TrimRight(padded, "=")[first:])
			add(padded[first:])
		}
	}
}

// addURL adds the forms that the usual functions give a value in a URL. They differ in what they
// leave as it is.
func addURL(add func(string), v string) {
	for _, keep := range []string{
		"",                 // application/x-www-form-urlencoded
		"!'()*",            // JavaScript's encodeURIComponent
		"/",                // Python's quote
		"$&+=:@",           // Go's PathEscape
		"!'()*$&+,/:;=?@#", // JavaScript's encodeURI
	} {
		for _, hex := range []string{"%%%02X", "%%%02x"} {
			encoded := percent(v, keep, hex)
			add(encoded)
			add(strings.ReplaceAll(encoded, "%20", "+"))
		}
	}
}

func percent(v, keep, hex string) string {
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-_.~", c) >= 0 || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, hex, c)
	}
	return b.String()
}

// jsonStyle is what a writer of JSON escapes though it need not.
type jsonStyle struct{ html, ascii, slash bool }

// addJSON adds the forms that a value has inside a string of JSON.
func addJSON(add func(string), v string) {
	for _, html := range []bool{false, true} {
		for _, ascii := range []bool{false, true} {
			for _, slash := range []bool{false, true} {
				add(jsonStyle{html, ascii, slash}.escape(v))
			}
		}
	}
}

func (s jsonStyle) escape(v string) string {
	var b strings.Builder
	for _, r := range v {
		switch {
		case r == '"' || r == '\\' || r == '/' && s.slash:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ', s.html && strings.ContainsRune("<>&\u2028\u2029", r), s.ascii && r >= 0x7f:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
