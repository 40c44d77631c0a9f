package maintenance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/privatefile"
)

// checkSignIn checks, where people sign in at a provider, whether they can: the provider, which is
// asked what it is, and the settings. It has one check, with each finding and what to do as a
// detail. Nothing of the client's secret is in it.
func (r *reporter) checkSignIn(ctx context.Context) {
	if r.cfg.OIDCIssuer == "" {
		return
	}
	c := doctor.Check{
		Name: "sign-in", Status: doctor.OK,
		Text: "people can sign in at " + r.cfg.OIDCIssuer + ", if it knows this server's id, " +
			"secret and callback: " + r.cfg.Callback(),
	}
	find := func(status doctor.Status, text, advice string) {
		c.Details = append(c.Details, text+": "+advice)
		if c.Status != doctor.Failed {
			c.Status = status
		}
	}
	r.examineProvider(ctx, find)
	r.examineSecret(find)
	if !strings.HasPrefix(r.cfg.PublicURL, "https:") {
		find(doctor.Warning, "--public-url is not https", "name the address at which people on "+
			"other machines reach the server: at this one they come back to their own")
	}
	if len(r.cfg.OIDCAllow) == 0 {
		find(doctor.Warning, "no claim is demanded of whoever signs in", "name one with "+
			"--oidc-allow, or link each person with keysake users link: nobody else comes in")
	}
	if c.Status != doctor.OK {
		c.Text = "something keeps people from signing in at " + r.cfg.OIDCIssuer
		c.Advice = "change what is said above, restart the server, and try it in a browser"
	}
	r.add(c)
}

// examineProvider asks the provider what it is, as the server does.
func (r *reporter) examineProvider(
	ctx context.Context, find func(status doctor.Status, text, advice string),
) {
	networks, hosts := r.cfg.Exceptions()
	transport := netguard.New(netguard.Options{Allow: networks, Hosts: hosts}).Transport()
	defer transport.CloseIdleConnections()
	provider := issuer.New(transport, nil).Provider(issuer.ProviderOptions{
		Issuer: r.cfg.OIDCIssuer,
	})
	for _, fault := range provider.Examine(ctx) {
		status := doctor.Failed
		switch {
		case errors.Is(fault.Err, netguard.ErrRefused):
			fault.Advice = "if it is yours, allow its network or host with --egress-allow"
		case fault.Away:
			status = doctor.Warning
		}
		find(status, fault.Err.Error(), fault.Advice)
	}
}

// examineSecret looks at the file with the secret of the client.
func (r *reporter) examineSecret(find func(status doctor.Status, text, advice string)) {
	file := r.cfg.OIDCClientSecretFile
	info, err := os.Stat(file)
	if err == nil && privatefile.CheckMode(info) != nil {
		find(doctor.Failed, "other users can read the client's secret in "+file,
			"run chmod 600 "+file+", and have the provider make another secret")
	}
	secret, err := os.ReadFile(file)
	defer clear(secret)
	switch {
	case err != nil:
		find(doctor.Failed, "the client's secret cannot be read: "+err.Error(),
			"name its file with --oidc-client-secret-file")
	case len(bytes.TrimSpace(secret)) == 0:
		find(doctor.Failed, file+" is empty", "write the client's secret into it")
	}
}
