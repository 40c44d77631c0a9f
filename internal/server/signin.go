package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/passkey"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// providerOptions returns how people sign in at the provider that the configuration names, and nil
// if it names none. Where a browser comes back to is the configuration's word, never a request's.
func providerOptions(cfg config.Config) (*issuer.ProviderOptions, error) {
	if cfg.OIDCIssuer == "" {
		return nil, nil //nolint:nilnil // it is no error to have none
	}
	at, err := vault.ParseIssuer(cfg.OIDCIssuer)
	if err != nil {
		return nil, errors.New("--oidc-issuer must be the provider's https URL without a query, " +
			"as \"issuer\" in its /.well-known/openid-configuration has it")
	}
	secret, err := os.ReadFile(cfg.OIDCClientSecretFile)
	if err == nil && len(bytes.TrimSpace(secret)) == 0 {
		err = errors.New("the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("--oidc-client-secret-file: %w", err)
	}
	return &issuer.ProviderOptions{
		Name:   cmp.Or(cfg.OIDCName, at.Host),
		Issuer: cfg.OIDCIssuer, ClientID: cfg.OIDCClientID,
		Secret:   plaintext.Own(bytes.TrimRight(secret, "\r\n")),
		Redirect: cfg.Callback(),
		Scopes:   cfg.OIDCScopes, Username: cfg.OIDCUsernameClaim,
		Allow: claims(cfg.OIDCAllow), Admin: claims(cfg.OIDCAdmin),
	}, nil
}

func claims(of []config.Claim) (all []vault.Claim) {
	for _, c := range of {
		all = append(all, vault.Claim(c))
	}
	return all
}

// checkProvider says in the log if nobody can sign in at the provider now. The server serves all
// the same, and people come in as soon as the provider answers.
func (s *server) checkProvider(ctx context.Context) {
	if s.provider == nil {
		return
	}
	if err := s.provider.Check(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "nobody can sign in at the provider now",
			"issuer", s.provider.Issuer, "cause", err)
	}
}

// passkeySite returns where passkeys are good: at the address that the configuration says, and
// never one that a request does. A development server is at localhost, because its own address is a
// number, for which browsers make none.
func (s *server) passkeySite() *passkey.Site {
	address := s.cfg.PublicURL
	if address == "" && plainHTTP(s.cfg) {
		_, port, _ := net.SplitHostPort(s.mainSocket.Addr().String())
		address = "http://localhost:" + port
	}
	site, _ := passkey.NewSite(address)
	return site
}
