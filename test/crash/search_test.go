package crash_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// Needles are byte sequences that must not be found, each in every form in which a program could
// write it down. They are told apart by what they are, never by what they hold.
type needles struct {
	byHead map[uint64][]needle // by their first headSize bytes
	// a bit for the hash of each head: nearly every place in a haystack is passed over by it
	filter []uint64
}

type needle struct {
	rest []byte
	what string
}

const (
	headSize   = 8
	filterBits = 1 << 26
	// gram is how many bytes of ASCII are looked for. Fewer are found by chance: a ciphertext of 20
	// MB has 2²⁴ places, and 50,000 needles of four bytes would be found in it some 200 times.
	gram = 8
	// characters is how many characters of a rare alphabet are looked for: four of them are 16
	// bytes.
	characters = 4
)

func newNeedles() *needles {
	return &needles{byHead: map[uint64][]needle{}, filter: make([]uint64, filterBits/64)}
}

func slot(head uint64) (word int, bit uint64) {
	at := head * 0x9e3779b97f4a7c15 >> 38 // the upper 26 bits
	return int(at / 64), 1 << (at % 64)
}

// add adds one sequence as it is.
func (n *needles) add(what string, sequence []byte) {
	if len(sequence) < headSize {
		panic("a needle that would be found by chance")
	}
	head := binary.BigEndian.Uint64(sequence)
	n.byHead[head] = append(n.byHead[head], needle{bytes.Clone(sequence[headSize:]), what})
	word, bit := slot(head)
	n.filter[word] |= bit
}

// addForms adds a sequence in every form.
func (n *needles) addForms(what string, sequence []byte) {
	n.add(what, sequence)
	for form, written := range forms(sequence) {
		n.add(what+", "+form, written)
	}
}

// addText adds every run of some characters of a text as it is, and in every form those runs that
// follow one another without a gap: half of a text has one of them in it, and so has whatever is
// longer than two. Of a very long text those are enough as it is, too.
func (n *needles) addText(what, text string) {
	const long = 1000
	size, step := gram, 1
	if r, _ := utf8.DecodeRuneInString(text); r >= rareFirst {
		size, step = characters*4, 4
	}
	for at := 0; at+size <= len(text); at += step {
		run := []byte(text[at : at+size])
		switch {
		case at%size == 0 && at < long:
			n.addForms(what, run)
		case at%size == 0 || len(text) < long:
			n.add(what, run)
		}
	}
}

// forms returns other ways to write some bytes.
func forms(b []byte) map[string][]byte {
	found := map[string][]byte{
		"in hex":         []byte(hex.EncodeToString(b)),
		"in capital hex": []byte(strings.ToUpper(hex.EncodeToString(b))),
		"in decimal":     []byte(strings.Trim(fmt.Sprintf("%d", b), "[]")),
		"as hex escapes": []byte(strings.ReplaceAll(fmt.Sprintf("% x", b), " ", `\x`)),
		"percent-encoded": []byte(
			strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("% x", b), " ", "%")),
		),
	}
	for shift := range 3 {
		for name, encoding := range map[string]*base64.Encoding{
			"base64": base64.RawStdEncoding, "URL base64": base64.RawURLEncoding,
		} {
			text := encoding.EncodeToString(append(make([]byte, shift), b...))
			// the characters that depend on nothing before and after
			text = text[(shift*8+5)/6 : (shift+len(b))*8/6]
			found[fmt.Sprintf("in %s after %d bytes", name, shift)] = []byte(text)
		}
	}
	if !utf8.Valid(b) {
		return found
	}
	if quoted := strings.Trim(strconv.QuoteToASCII(string(b)), `"`); quoted != string(b) {
		found["quoted"] = []byte(quoted)
	}
	if escaped := jsonEscaped(string(b)); escaped != string(b) {
		found["escaped for JSON"] = []byte(escaped)
	}
	return found
}

// jsonEscaped writes what is not ASCII as pairs of \u.
func jsonEscaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x10000 {
			b.WriteRune(r)
			continue
		}
		r -= 0x10000
		fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return b.String()
}

// in returns what of the needles is in the haystack.
func (n *needles) in(hay []byte) map[string]int {
	found := map[string]int{}
	for at := 0; at+headSize <= len(hay); at++ {
		head := binary.BigEndian.Uint64(hay[at:])
		if word, bit := slot(head); n.filter[word]&bit == 0 {
			continue
		}
		for _, candidate := range n.byHead[head] {
			if bytes.HasPrefix(hay[at+headSize:], candidate.rest) {
				found[candidate.what]++
			}
		}
	}
	return found
}

// A search that finds nothing proves something only if it would have found it.
func TestTheSearchFindsWhatItLooksFor(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	for alphabet, secret := range map[string]string{
		"ASCII": text(random, 48), "rare": rareText(random, 24),
	} {
		n := newNeedles()
		n.addText("it", secret)
		noise := []byte(
			strings.Repeat("time=2026-11-23T06:45:07Z level=INFO msg=request status=201\n", 1000),
		)
		if found := n.in(noise); len(found) > 0 {
			t.Errorf("%s: found where it is not: %v", alphabet, found)
		}
		half := secret[len(secret)/2:]
		for form, written := range forms([]byte(half)) {
			if len(n.in(append(bytes.Clone(noise), written...))) == 0 {
				t.Errorf("%s: the half is not found %s", alphabet, form)
			}
		}
		run := gram
		if alphabet == "rare" {
			run = characters * 4
		}
		for _, part := range []string{
			secret, half, secret[:run], secret[len(secret)-run:], secret[4 : 4+run],
		} {
			if n.in(append(bytes.Clone(noise), part...))["it"] == 0 {
				t.Errorf("%s: a part of %d bytes is not found", alphabet, len(part))
			}
		}
	}
}
