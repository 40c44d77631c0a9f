// Package base62 writes numbers and checksums with the digits of API keys: 0-9, A-Z, a-z.
package base62

import (
	"hash/crc32"
	"math/big"
	"strings"
)

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// ChecksumLength is the length of a checksum: 62⁶ is above 2³².
const ChecksumLength = 6

// Encode writes a big-endian number with leading zeros, in length digits. A number that needs more
// digits loses its highest ones.
func Encode(number []byte, length int) string {
	text := make([]byte, length)
	n, base, digit := new(big.Int).SetBytes(number), big.NewInt(int64(len(digits))), new(big.Int)
	for i := length - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = digits[digit.Int64()]
	}
	return string(text)
}

// Checksum returns the CRC-32 (IEEE 802.3) of text in [ChecksumLength] digits.
func Checksum(text []byte) string {
	var sum [ChecksumLength]byte
	rest := crc32.ChecksumIEEE(text)
	for i := len(sum) - 1; i >= 0; i-- {
		sum[i] = digits[rest%uint32(len(digits))]
		rest /= uint32(len(digits))
	}
	return string(sum[:])
}

// IsDigit reports whether c is one of the 62 digits.
func IsDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// Decode returns the number that [Encode] wrote, big-endian in so many bytes, and false for a text
// that has other characters or a number that is too large.
func Decode(text []byte, size int) ([]byte, bool) {
	number := make([]byte, size)
	for _, c := range text {
		carry := strings.IndexByte(digits, c)
		if carry < 0 {
			return nil, false
		}
		for i := size - 1; i >= 0; i-- {
			carry += int(number[i]) * len(digits)
			number[i], carry = byte(carry), carry>>8 //nolint:gosec // the rest is carried
		}
		if carry > 0 {
			return nil, false
		}
	}
	return number, true
}
