package broker

import "strings"

// isEndpoint reports whether a plain path is that of an endpoint, as generously as any server reads
// it: in letters of any case, with a slash, a dot or a space at the end, or with a format such as
// ".json". In a pattern, "*" stands for one or more segments: an encoded slash is one in a plain
// path.
func isEndpoint(path, pattern string) bool {
	path, _, _ = strings.Cut(path, "?") // it was encoded, and some servers decode it too early
	got, rest, more := strings.Cut(path, "/")
	want, wantedRest, wanted := strings.Cut(pattern, "/")
	more = more && rest != ""
	switch {
	case want == "*" && !more:
		return got != "" && !wanted
	case want == "*":
		return wanted && isEndpoint(rest, wantedRest) || isEndpoint(rest, pattern)
	case more != wanted || !isSegment(got, want, !more):
		return false
	}
	return !more || isEndpoint(rest, wantedRest)
}

func isSegment(got, want string, isLast bool) bool {
	got = strings.TrimRight(got, " .")
	if isLast && len(got) > len(want) && got[len(want)] == '.' {
		got = got[:len(want)]
	}
	return strings.EqualFold(got, want)
}
