package api

import (
	"net/http"
	"strconv"
	"strings"
)

// A MinClient is the oldest version of a client program that is still answered.
type MinClient struct {
	Name string // as in the User-Agent; case does not matter
	// Version is up to six numbers separated by dots, then perhaps a pre-release: 1.4, 2.0.0-rc.1,
	// 1.2.3b1.
	Version string
}

// checkClientVersion refuses a client that is older than one of the minima, with the version that
// it needs in Upgrade, as RFC 9110, section 15.5.22, demands. A program that is named here and
// tells no version that can be read is too old.
func checkClientVersion(minima []MinClient, h http.Header) error {
	name, version := firstProduct(h.Get("User-Agent"))
	for _, least := range minima {
		if !strings.EqualFold(name, least.Name) {
			continue
		}
		if have, ok := parseVersion(version); ok {
			want, _ := parseVersion(least.Version)
			if have.compare(want) >= 0 {
				continue
			}
		}
		return &problem{
			status: http.StatusUpgradeRequired,
			detail: "This client is too old: " + least.Name + " " + least.Version +
				" or newer is needed",
			header: http.Header{
				"Upgrade":    {least.Name + "/" + least.Version},
				"Connection": {"Upgrade"},
			},
		}
	}
	return nil
}

// firstProduct returns the first product token of a User-Agent (RFC 9110, section 10.1.5) and its
// version, which may be empty.
func firstProduct(userAgent string) (name, version string) {
	token, _, _ := strings.Cut(strings.TrimLeft(userAgent, " \t"), " ")
	name, version, _ = strings.Cut(token, "/")
	return name, version
}

// A version is numbers, then perhaps a pre-release, which comes before the release of the numbers.
type version struct {
	numbers [maxParts]uint32
	pre     string
}

// maxParts bounds the numbers of a version: 2026.4.1.2 has four.
const maxParts = 6

// parseVersion reads a version as semantic versioning and Python's PEP 440 write it. Build marks
// (+…) do not count; a post-release (.post1) counts as its release, since nothing was taken away.
func parseVersion(s string) (v version, ok bool) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "+")
	end := 0
	for end < len(s) && (isDigit(s[end]) || s[end] == '.' && end+1 < len(s) && isDigit(s[end+1])) {
		end++
	}
	parts := strings.Split(s[:end], ".")
	if len(parts) > maxParts {
		return version{}, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return version{}, false
		}
		v.numbers[i] = uint32(n)
	}
	v.pre = strings.ToLower(strings.TrimLeft(s[end:], ".-_"))
	if strings.HasPrefix(v.pre, "post") {
		v.pre = ""
	}
	return v, !strings.ContainsFunc(v.pre, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// compare is negative if v comes before w. Of two pre-releases of the same numbers, the parts of
// letters and of digits decide, in turn.
func (v version) compare(w version) int {
	for i := range v.numbers {
		if v.numbers[i] != w.numbers[i] {
			return sign(v.numbers[i] < w.numbers[i])
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	return comparePre(v.pre, w.pre)
}

// comparePre compares runs of digits as numbers and everything else as text: rc.2 comes before
// rc.10.
func comparePre(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x != "" && y != "" {
			a, b = a[len(x):], b[len(y):]
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return sign(len(x) < len(y))
			}
			if x != y {
				return sign(x < y)
			}
			continue
		}
		if a[0] != b[0] {
			return sign(a[0] < b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// digits returns the digits that s begins with.
func digits(s string) string {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return s[:end]
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}
