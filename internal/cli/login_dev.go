package cli

import (
	"cmp"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

// devLogin returns the login of the development server that "keysake serve --dev" started in this
// folder, so that a first try needs no other. It is one for this machine only, and no file of
// others is believed. The error is [errNoLogin] without it.
func devLogin(address string) (login, error) {
	path := filepath.Join(".keysake-dev", "dev-api-key")
	address = cmp.Or(address, defaultURL)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || privatefile.CheckMode(info) != nil ||
		!isLocal(address) {
		return login{}, errNoLogin
	}
	key, err := readSmall(path, maxTicketBytes)
	if err != nil {
		return login{}, errNoLogin
	}
	defer clear(key)
	return login{
		URL: address, APIKey: plaintext.FromString(strings.TrimSpace(string(key))), from: path,
	}, nil
}

// isLocal reports whether the address is one of this machine.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}
