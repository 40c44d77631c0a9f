package catalog

import "github.com/keysake/keysake/internal/base62"

// checksumGitHub names the checksum of GitHub's tokens: their last 6 characters are
// [base62.Checksum] of the characters between the prefix and them. GitHub published the idea
// (github.blog, "Behind GitHub's new authentication token formats", 2021). The details are from
// kingfisher's github.yml: its examples of ghp_, gho_, ghu_ and ghr_ verify, those of ghs_ do not.
const checksumGitHub = "github_crc32"

// checksumHolds reports whether a key that matches the format has the right checksum, if the format
// has one.
func (f format) checksumHolds(b []byte) bool {
	body := b[len(f.prefix):]
	if f.checksum != checksumGitHub || len(body) < base62.ChecksumLength {
		return true
	}
	end := len(body) - base62.ChecksumLength
	return string(body[end:]) == base62.Checksum(body[:end])
}
