package maintenance_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/maintenance"
)

const idHost = "id.example.org"

// idPair is the certificate of the provider, which has to be trusted before anything else is.
var idPair = apptest.TrustedPair(idHost)

func TestADoctorChecksWhetherPeopleCanSignIn(t *testing.T) {
	s := newSite(t)
	s.Stop(t)
	provider, address := issuertest.StartAs(t, idHost, idPair)
	provider.Serve(&issuertest.Client{ID: "keysake"})
	secret := filepath.Join(t.TempDir(), "secret")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		apptest.Must(t, os.WriteFile(secret, []byte(text), 0o600))
		apptest.Must(t, os.Chmod(secret, mode))
	}
	const canary = "canary-of-the-client"
	good := s.cfg
	good.EgressAllow = []config.Egress{{Host: idHost, At: netip.MustParseAddrPort(address)}}
	good.PublicURL = "https://keysake.example.org/"
	good.SignIn = config.SignIn{
		OIDCIssuer: provider.URL, OIDCClientID: "keysake", OIDCClientSecretFile: secret,
		OIDCAllow: []config.Claim{{Name: "groups", Value: "keysake"}},
	}
	for what, c := range map[string]struct {
		change func(*config.Config)
		status doctor.Status
		finds  []string // what each finding tells
	}{
		"all is well": {func(*config.Config) {}, doctor.OK, nil},
		"a provider that is away": {func(*config.Config) {
			provider.SetDown(true)
		}, doctor.Warning, []string{"answered 500"}},
		"one that nobody reaches": {func(cfg *config.Config) {
			cfg.EgressAllow[0].At = netip.MustParseAddrPort("127.0.0.1:1")
		}, doctor.Warning, []string{"connection refused"}},
		"one at a private address": {func(cfg *config.Config) {
			cfg.EgressAllow, cfg.OIDCIssuer = nil, "https://127.0.0.1"
		}, doctor.Failed, []string{"allow its network or host with --egress-allow"}},
		"another issuer": {func(cfg *config.Config) {
			cfg.OIDCIssuer += "/"
		}, doctor.Failed, []string{"give --oidc-issuer exactly as the document has it"}},
		"no secret": {func(*config.Config) {
			remove(t, secret)
		}, doctor.Failed, []string{"the client's secret cannot be read"}},
		"an empty secret": {func(*config.Config) {
			write(" \n", 0o600)
		}, doctor.Failed, []string{"is empty: write the client's secret into it"}},
		"a secret for all": {func(*config.Config) {
			write(canary, 0o644)
		}, doctor.Failed, []string{"run chmod 600"}},
		"for everybody, of this machine, and away": {func(cfg *config.Config) {
			cfg.OIDCAllow, cfg.PublicURL = nil, "http://127.0.0.1:8420"
			provider.SetDown(true)
		}, doctor.Warning, []string{"answered 500", "is not https", "--oidc-allow"}},
	} {
		t.Run(what, func(t *testing.T) {
			write(canary, 0o600)
			provider.SetDown(false)
			cfg := good
			cfg.EgressAllow = append([]config.Egress(nil), good.EgressAllow...)
			c.change(&cfg)
			checks := examine(t, cfg, maintenance.DoctorOptions{})
			got := checks["sign-in"]
			if got.Status != c.status || len(got.Details) != len(c.finds) ||
				(got.Advice == "") != (c.status == doctor.OK) {
				t.Errorf("%+v", got)
			}
			for i, want := range c.finds {
				if i < len(got.Details) && !strings.Contains(got.Details[i], want) {
					t.Errorf("%q does not say %q", got.Details[i], want)
				}
			}
			if strings.Contains(fmt.Sprint(got), canary) {
				t.Error("the secret is in it")
			}
			if checks["values"].Status != doctor.OK {
				t.Errorf("the others depend on it: %+v", checks["values"])
			}
		})
	}
	write(canary, 0o600)
	provider.SetDown(false)
	checks := examine(t, good, maintenance.DoctorOptions{})
	const callback = ": https://keysake.example.org/ui/sign-in/callback"
	if !strings.HasSuffix(checks["sign-in"].Text, callback) {
		t.Errorf("it names another callback: %s", checks["sign-in"].Text)
	}
	if _, checked := examine(t, s.cfg, maintenance.DoctorOptions{})["sign-in"]; checked {
		t.Error("it is checked where nobody signs in at a provider")
	}
}
