package vault_test

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// withChecksum makes a token of a body, by the description of tokens and not by their code. No body
// of a test is random: none is anybody's.
func withChecksum(body string) string {
	n := uint64(crc32.ChecksumIEEE([]byte(body)))
	sum := ""
	for range 6 {
		sum = string(base62[n%62]) + sum
		n /= 62
	}
	return body + sum
}

// parses tells whether a text is taken for a token.
func parses(text string) bool {
	_, ok := vault.HashToken(plaintext.FromString(text))
	return ok
}

func TestANewTokenHasTheFormOfTokens(t *testing.T) {
	form := regexp.MustCompile(`^ksk_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 1000 {
		token := string(vault.NewToken().Reveal())
		if !form.MatchString(token) || withChecksum(token[:47]) != token {
			t.Fatal("it has not")
		}
		if seen[token] || seen[token[4:20]] {
			t.Fatal("it is there twice")
		}
		seen[token], seen[token[4:20]] = true, true
	}
}

func TestEveryNewTokenParsesToItsSHA256(t *testing.T) {
	for range 1000 {
		token := vault.NewToken()
		hash, ok := vault.HashToken(token)
		if !ok || hash != vault.TokenHash(sha256.Sum256(token.Reveal())) {
			t.Fatal("it does not")
		}
	}
}

func TestATokenWithOneOtherCharacterNeverParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := withChecksum("ksk_" + rapid.StringMatching("[0-9A-Za-z]{43}").Draw(t, "body"))
		if !parses(token) {
			t.Fatal("it does not parse as it is")
		}
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		other := rapid.OneOf(rapid.SampledFrom([]byte(base62)), rapid.Byte()).Draw(t, "other")
		if changed := token[:at] + string([]byte{other}) + token[at+1:]; changed != token &&
			parses(changed) {
			t.Fatal("it parses")
		}
		if parses(token[:at]+token[at+1:]) || parses(token[:at]+string(token[at])+token[at:]) {
			t.Fatal("it parses with a character too few or too many")
		}
	})
}

func TestSwappedNeighboursDoNotParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := []byte(
			withChecksum("ksk_" + rapid.StringMatching("[0-9A-Za-z]{43}").Draw(t, "body")),
		)
		at := rapid.IntRange(0, len(token)-2).Draw(t, "at")
		// between the body and the checksum there is a chance of one in billions
		if token[at] == token[at+1] || at == 46 {
			t.Skip("nothing to swap")
		}
		token[at], token[at+1] = token[at+1], token[at]
		if parses(string(token)) {
			t.Fatal("they do")
		}
	})
}

// tokenSeeds has tokens and what almost is one.
func tokenSeeds() []string {
	zeros := withChecksum("ksk_" + strings.Repeat("0", 43))
	last := withChecksum("ksk_" + strings.Repeat("z", 43))
	return []string{
		"",
		"ksk_",
		zeros,
		last,
		withChecksum("ksk_" + base62[:43]),
		withChecksum("KSK_" + base62[:43]),
		withChecksum("ksk-" + base62[:43]),
		zeros + " ",
		" " + zeros,
		zeros + "\n",
		zeros + zeros,
		zeros[:52],
		strings.ToUpper(last),
		strings.ToLower(last),
		withChecksum("ksk_" + strings.Repeat("-", 43)),
		withChecksum("ksk_" + strings.Repeat("\x00", 43)),
		withChecksum("ksk_" + strings.Repeat("\xff", 43)),
		withChecksum("ksk_" + strings.Repeat("é", 21) + "0"),
		withChecksum("ghp_" + base62[:43]),
		withChecksum(base62[:47]),
		strings.Repeat("k", 1<<16),
	}
}

func TestTheTokenFuzzerHasSeedsOfBothKinds(t *testing.T) {
	count := map[bool]int{}
	for _, s := range tokenSeeds() {
		count[parses(s)]++
	}
	if count[true] != 3 || count[false] < 10 {
		t.Errorf("%d of the seeds parse, %d do not", count[true], count[false])
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range tokenSeeds() {
		f.Add(s)
	}
	form := regexp.MustCompile(`\Aksk_[0-9A-Za-z]{49}\z`)
	f.Fuzz(func(t *testing.T, text string) {
		hash, ok := vault.HashToken(plaintext.FromString(text))
		if want := form.MatchString(text) && withChecksum(text[:47]) == text; ok != want {
			t.Errorf("it parses: %v, want %v", ok, want)
		}
		if ok && hash != vault.TokenHash(sha256.Sum256([]byte(text))) {
			t.Errorf("the hash is %s", fmt.Sprintf("%x", hash))
		}
	})
}
