package catalog

import "github.com/keysake/keysake/internal/base62"

// checksumGitHub names the checksum of GitHub's tokens: the last 6 characters are the CRC-32 (IEEE)
// of those between the prefix and them, in base 62 with the digits 0-9A-Za-z, filled up with zeros.
// GitHub published the idea (github.blog, "Behind GitHub's new authentication token formats",
// 2021); kingfisher's github.yml has the details, by which its examples of ghp_, gho_, ghu_ and
// ghr_ verify, and those of ghs_ do not.
const checksumGitHub = "github_crc32"

// checksumHolds is false where the format has a checksum and b, which matches the format, does not
// have the right one.
func (f format) checksumHolds(b []byte) bool {
	body := b[len(f.prefix):]
	if f.checksum != checksumGitHub || len(body) < base62.ChecksumLength {
		return true
	}
	end := len(body) - base62.ChecksumLength
	return string(body[end:]) == base62.Checksum(body[:end])
}
