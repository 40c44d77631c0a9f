package catalog

import (
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
)

// What a mask shows and hides, in characters. The numbers are the contract's.
const (
	maskHead   = 6
	maskTail   = 3
	maskHidden = 16 // at least this many stay hidden, or nothing is shown
	maskMiddle = "••••"
)

// Mask returns what a read shows in place of v: its first 6 characters, four bullets whatever its
// length, and its last 3 (sk-pro••••789). A value of fewer than 25 characters, of which fewer than
// 16 would stay hidden, is four bullets alone; so is one that is not valid UTF-8, which has no
// characters to count.
//
// A character is a Unicode code point, and is shown as it is, control characters and combining
// marks included: the mask of a preset's value has none, because the contract refuses them there,
// and a custom value may have anything. Whoever writes a mask to a terminal makes it safe for one,
// as with every other text that came from a user.
func Mask(v plaintext.Value) string {
	b := v.Reveal()
	if !utf8.Valid(b) || utf8.RuneCount(b) < maskHead+maskHidden+maskTail {
		return maskMiddle
	}
	head, tail := 0, len(b)
	for range maskHead {
		_, size := utf8.DecodeRune(b[head:])
		head += size
	}
	for range maskTail {
		_, size := utf8.DecodeLastRune(b[:tail])
		tail -= size
	}
	return string(b[:head]) + maskMiddle + string(b[tail:])
}
