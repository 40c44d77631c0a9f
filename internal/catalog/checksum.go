package catalog

import "hash/crc32"

// checksumGitHub names the checksum of GitHub's tokens: the last 6 characters are the CRC-32 (IEEE)
// of those between the prefix and them, in base 62 with the digits 0-9A-Za-z, filled up with zeros.
// GitHub published the idea (github.blog, "Behind GitHub's new authentication token formats",
// 2021); kingfisher's github.yml has the details, by which its examples of ghp_, gho_, ghu_ and
// ghr_ verify, and those of ghs_ do not.
const checksumGitHub = "github_crc32"

const gitHubChecksumLength = 6

// checksumHolds is false where the format has a checksum and b, which matches the format, does not
// have the right one.
func (f format) checksumHolds(b []byte) bool {
	body := b[len(f.prefix):]
	if f.checksum != checksumGitHub || len(body) < gitHubChecksumLength {
		return true
	}
	end := len(body) - gitHubChecksumLength
	return string(body[end:]) == base62(crc32.ChecksumIEEE(body[:end]))
}

func base62(n uint32) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var text [gitHubChecksumLength]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = digits[n%62]
		n /= 62
	}
	return string(text[:])
}
