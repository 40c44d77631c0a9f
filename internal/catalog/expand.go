package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// macroPattern is {class*count}: {a*93} stands for 93 letters, {1*40} for 40 digits.
var macroPattern = regexp.MustCompile(`\{([a1])\*([1-9][0-9]{0,4})\}`)

// maxExample is the length of the longest value that Keysake accepts.
const maxExample = 64 << 10

// expand replaces the macros of an example. The result is always the same, and never a real key.
func expand(example string) (string, error) {
	if rest := macroPattern.ReplaceAllString(example, ""); strings.ContainsAny(rest, "{}") {
		return "", fmt.Errorf("%q has braces that are not a macro such as {a*93}", example)
	}
	var b strings.Builder
	end := 0
	for _, m := range macroPattern.FindAllStringSubmatchIndex(example, -1) {
		count, err := strconv.Atoi(example[m[4]:m[5]])
		if err != nil || b.Len()+count > maxExample {
			return "", errors.New("the example is longer than a value may be")
		}
		b.WriteString(example[end:m[0]])
		alphabet := "abcdefghijklmnopqrstuvwxyz"
		if example[m[2]:m[3]] == "1" {
			alphabet = "1234567890"
		}
		for i := range count {
			b.WriteByte(alphabet[i%len(alphabet)])
		}
		end = m[1]
	}
	b.WriteString(example[end:])
	return b.String(), nil
}
