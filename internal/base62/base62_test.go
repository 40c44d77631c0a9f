package base62_test

import (
	"bytes"
	"testing"

	"github.com/keysake/keysake/internal/base62"
)

func TestANumberIsWrittenInAFixedNumberOfDigits(t *testing.T) {
	for want, number := range map[string][]byte{
		"":       {1},
		"000":    nil,
		"00z":    {61},
		"0010":   {62},
		"0000GZ": {0x04, 0x03}, // 1027 = 16 × 62 + 35
		"4gfFC3": {0xff, 0xff, 0xff, 0xff},
		"fFC3":   {0xff, 0xff, 0xff, 0xff}, // the highest digits do not fit
	} {
		if got := base62.Encode(number, len(want)); got != want {
			t.Errorf("%x is %s, want %s", number, got, want)
		}
	}
}

func TestANumberIsReadAsItWasWritten(t *testing.T) {
	for _, number := range [][]byte{
		{0, 0, 0}, {0, 1, 2}, {0xff, 0xff, 0xff}, bytes.Repeat([]byte{0xfe, 0x01}, 8),
	} {
		got, ok := base62.Decode([]byte(base62.Encode(number, 22)), len(number))
		if !ok || !bytes.Equal(got, number) {
			t.Errorf("%x is read as %x, %t", number, got, ok)
		}
	}
	for text, size := range map[string]int{"4gfFC4": 4, "0048": 1, "a-b": 8, "é": 8, "1": 0} {
		if got, ok := base62.Decode([]byte(text), size); ok {
			t.Errorf("%s is read as %x", text, got)
		}
	}
	if got, ok := base62.Decode([]byte("0000047"), 1); !ok || got[0] != 255 {
		t.Errorf("255 is read as %x, %t", got, ok)
	}
}

func TestAChecksumIsTheCRC32InSixDigits(t *testing.T) {
	// CRC-32 of "123456789" is cbf43926, the check value that its specifications give.
	if got := base62.Checksum([]byte("123456789")); got != "3jZRME" {
		t.Errorf("got %s", got)
	}
}

func TestOnlyLettersAndDigitsOfASCIIAreDigits(t *testing.T) {
	count := 0
	for c := range 256 {
		if base62.IsDigit(byte(c)) {
			count++
		}
	}
	if count != 62 || base62.IsDigit('_') || base62.IsDigit('/') || base62.IsDigit(0xe9) {
		t.Errorf("there are %d digits, or an odd one", count)
	}
}
