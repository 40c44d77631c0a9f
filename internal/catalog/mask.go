package catalog

import (
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
)

// What a mask shows and hides, in characters, as the contract says.
const (
	maskHead   = 6
	maskTail   = 3
	maskHidden = 16 // if fewer would stay hidden, nothing is shown
	maskMiddle = "••••"
)

// Mask returns what a read shows in place of a value: its first 6 characters, always four bullets,
// and its last 3 (sk-pro••••789). The mask of a value with fewer than 25 characters, or of one that
// is not valid UTF-8, is only the bullets.
//
// A character is a Unicode code point, and a mask may have control characters and combining marks
// in it: the value of a custom secret may be anything. A program that writes a mask to a terminal
// has to escape it, like every text of a user.
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
