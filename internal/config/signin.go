package config

import (
	"errors"
	"fmt"
	"strings"
)

// A SignIn is where people sign in to the pages: a provider of OpenID Connect. Without an issuer
// there is none.
type SignIn struct {
	OIDCIssuer           string
	OIDCName             string // that people know it by; empty for the host of the issuer
	OIDCClientID         string
	OIDCClientSecretFile string
	OIDCScopes           string
	OIDCUsernameClaim    string
	OIDCAllow            []Claim
	OIDCAdmin            []Claim
}

// CallbackPath is where a provider sends browsers back to.
const CallbackPath = "/ui/sign-in/callback"

// Callback returns the address that a provider must know for this server.
func (c Config) Callback() string { return strings.TrimSuffix(c.PublicURL, "/") + CallbackPath }

// A Claim is one that somebody must have, with exactly this text.
type Claim struct{ Name, Value string }

func parseClaim(text string) (Claim, error) {
	name, value, _ := strings.Cut(text, "=")
	if name == "" || value == "" {
		return Claim{}, fmt.Errorf("%q must be CLAIM=VALUE, such as groups=keysake", text)
	}
	return Claim{name, value}, nil
}

func (c *Config) signInSettings() []setting {
	return []setting{
		{
			&c.PublicURL, "public-url", "URL", "",
			"address of this server, as browsers reach it: https, or http on this machine; " +
				"needed where people sign in at a provider or with passkeys",
		},
		{
			&c.OIDCIssuer, "oidc-issuer", "URL", "",
			"provider of OpenID Connect at which people sign in to the pages; it must know " +
				"PUBLIC-URL" + CallbackPath + " as the address for this client",
		},
		{
			&c.OIDCName, "oidc-name", "NAME", "",
			"name of the provider on the sign-in page; the default is the host of --oidc-issuer",
		},
		{
			&c.OIDCClientID, "oidc-client-id", "ID", "",
			"id of this server at the provider",
		},
		{
			&c.OIDCClientSecretFile, "oidc-client-secret-file", "FILE", "",
			"file with the secret of this server at the provider",
		},
		{
			&c.OIDCScopes, "oidc-scopes", "SCOPES", "openid profile email",
			"what the provider is asked for, separated by spaces; some give groups for a further " +
				"scope alone",
		},
		{
			&c.OIDCUsernameClaim, "oidc-username-claim", "CLAIM", "preferred_username",
			"claim with the name for a new user, which gets an end of its own: it tells nobody " +
				"apart",
		},
		{
			&c.OIDCAllow, "oidc-allow", "CLAIM=VALUE", "",
			"claim that whoever signs in must have, as a text or in a list; repeatable: all of " +
				"them. Who has them becomes a user; without any, only whom an admin has linked " +
				"comes in",
		},
		{
			&c.OIDCAdmin, "oidc-admin", "CLAIM=VALUE", "",
			"claim that makes an admin for a session; repeatable: all of them. Without any, " +
				"nobody is an admin by signing in",
		},
	}
}

// SignInFlags are the settings that decide how people sign in at a provider.
func SignInFlags() (flags []string) {
	for _, s := range new(Config).signInSettings() {
		flags = append(flags, s.flag)
	}
	return flags
}

// validateSignIn refuses settings with which people could not sign in.
func (c Config) validateSignIn() error {
	u, ok := safeURL(c.PublicURL)
	if c.PublicURL != "" && (!ok || u.Path != "" && u.Path != "/") {
		return errors.New("--public-url must be an https URL without a path, or an http URL of " +
			"this machine, such as https://keysake.example.org")
	}
	if c.OIDCIssuer == "" {
		if c.OIDCClientID != "" || c.OIDCClientSecretFile != "" || len(c.OIDCAllow) > 0 ||
			len(c.OIDCAdmin) > 0 || c.OIDCName != "" {
			return errors.New("--oidc-issuer is missing: name the provider that the other " +
				"settings --oidc-… are for")
		}
		return nil
	}
	for _, needed := range []struct{ flag, value string }{
		{"public-url", c.PublicURL},
		{"oidc-client-id", c.OIDCClientID},
		{"oidc-client-secret-file", c.OIDCClientSecretFile},
	} {
		if needed.value == "" {
			return fmt.Errorf("--%s is missing: --oidc-issuer needs it", needed.flag)
		}
	}
	if !strings.Contains(" "+c.OIDCScopes+" ", " openid ") {
		return errors.New("--oidc-scopes must have openid among them")
	}
	return nil
}
