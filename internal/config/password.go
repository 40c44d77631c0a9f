package config

import (
	"errors"
	"net/url"
	"strings"
)

// checkPassword refuses a password among the arguments, which every user of the machine can read.
func (s *Settings) checkPassword() error {
	for _, f := range s.fields {
		if f.target == &s.cfg.DatabaseURL && f.given && hasPassword(s.cfg.DatabaseURL) {
			return errors.New("--database-url has a password, which other users of this machine " +
				"can read in the list of processes: give the URL without it, and the password " +
				"with --database-password-file or PGPASSFILE, or the URL in " +
				Variable(f.flag))
		}
	}
	return nil
}

// hasPassword reports whether the URL of a database, which may be malformed, has a password.
func hasPassword(text string) bool {
	_, rest, _ := strings.Cut(text, "//")
	rest, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 &&
		strings.Contains(authority[:at], ":") {
		return true
	}
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if clear, err := url.QueryUnescape(name); err == nil {
			name = clear
		}
		if name == "password" || name == "sslpassword" {
			return true
		}
	}
	return false
}
