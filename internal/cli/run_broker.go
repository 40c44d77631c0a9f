package cli

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/environ"
	"github.com/keysake/keysake/internal/relay"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// brokerTTL is how long a lease of a run lasts at the longest, if the run does not say. It ends
// with the run.
const brokerTTL = 24 * time.Hour

// endTime is how long the end of a run waits for the server.
const endTime = 10 * time.Second

// A brokering is a run whose values are at the broker: its lease, and what leads programs there.
type brokering struct {
	lease    string
	end      func() error // of the lease
	relay    *relay.Relay
	dir      string // of the run
	settings []environ.Setting
	remove   []string // variables that the command does not get
	proxied  bool     // programs are led to the broker's proxy
	named    naming
	hosts    []string // that the proxy may stand for
}

// leaseAtBroker takes a lease for the broker, and starts the relay. The values that it returns are
// placeholders.
func (a *app) leaseAtBroker(
	ctx context.Context, c *client.Client, in *running, p *plan, body wire.CreateLease,
	wanted []string,
) (leased, error) {
	limits, err := in.brokerLimits()
	if err != nil {
		return leased{}, err
	}
	known, err := catalog.Load()
	if err != nil {
		return leased{}, err
	}
	named := in.naming(known, p)
	body.Delivery, body.Recipient, body.Broker = wire.DeliveryBroker, nil, limits
	if body.TTLSeconds == nil {
		body.TTLSeconds = new(int64(brokerTTL / time.Second))
	}
	made, err := c.CreateLease(ctx, body)
	if err != nil {
		return leased{}, err
	}
	b := &brokering{
		lease: made.ID, proxied: in.proxy, named: named,
		hosts: append(named.hosts(in.params), in.proxyHosts...),
	}
	b.end = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		_, err := c.RevokeLease(ctx, made.ID)
		return err
	}
	given := leased{values: map[string]plaintext.Value{}, broker: b}
	err = a.toBroker(ctx, b, given, made, wanted)
	if err != nil {
		return leased{}, errors.Join(err, b.close())
	}
	return given, nil
}

// toBroker starts the relay, and notes what the command gets.
func (a *app) toBroker(
	ctx context.Context, b *brokering, given leased, made wire.Lease, wanted []string,
) error {
	if made.Broker == nil || len(made.Broker.Secrets) != len(wanted) {
		return errNotAsked
	}
	hosts := map[string]string{}
	for i, s := range made.Broker.Secrets {
		if s.Name != wanted[i] || checkVariable(s.Name) != nil || s.Placeholder == "" ||
			!isLeading(b.named.catalog, s) {
			return errNotAsked
		}
		if err := b.named.check(s); err != nil {
			return err
		}
		given.values[s.Name] = plaintext.FromString(s.Placeholder)
		for _, host := range s.GH {
			hosts[host] = "/" + s.Provider + "/@" + host
		}
	}
	at, err := url.Parse(made.Broker.URL)
	if err != nil || at.Host == "" {
		return errNotAsked
	}
	transport, err := a.brokerTransport()
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(a.getenv("XDG_RUNTIME_DIR"), "keysake-run-"); err != nil {
		return err
	}
	b.relay, err = relay.Start(relay.Options{
		Broker: at, Transport: transport, Dir: b.dir, Hosts: hosts,
	})
	if err != nil {
		return err
	}
	if err := a.lead(b, made.Broker.Secrets); err != nil || !b.proxied {
		return err
	}
	return a.setProxy(ctx, b, made.Broker, transport)
}

// brokerTransport returns the way to the broker. It waits for answers as long as they take.
func (a *app) brokerTransport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSHandshakeTimeout: endTime, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
	}
	authority := a.serverOnly().CACert // a run may have no login
	if authority == "" {
		return t, nil
	}
	pool, err := readAuthority(authority)
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, err
}

// lead notes the variables that lead programs to the broker.
func (a *app) lead(b *brokering, secrets []wire.BrokeredSecret) error {
	before, err := a.gitSettings()
	if err != nil {
		return err
	}
	var git [][2]string
	for _, s := range secrets {
		if s.NeedsProxy && !b.proxied {
			b.proxied = true
			a.infof("Programs reach the provider of %s by a proxy, and by that no other hosts: "+
				"--egress open lets them.", s.Name)
		}
		b.remove = append(b.remove, s.Unset...)
		for _, v := range s.BaseURLs {
			if v.Scheme == "https_only" {
				continue // the relay has no certificate
			}
			b.set(v.Name, b.relay.URL+v.Path)
		}
		for _, g := range s.Git {
			git = append(git, gitPairs(b.relay.URL+g.Path, g, s.Placeholder)...)
		}
	}
	for i, pair := range git {
		b.set(fmt.Sprint("GIT_CONFIG_KEY_", before+i), pair[0])
		b.set(fmt.Sprint("GIT_CONFIG_VALUE_", before+i), pair[1])
	}
	if len(git) > 0 {
		b.set(gitCount, strconv.Itoa(before+len(git)))
	}
	if b.relay.Socket != "" {
		if err := a.ghConfig(b); err != nil {
			return err
		}
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		b.set(name, withoutProxy(a.getenv(name)))
	}
	return nil
}

func (b *brokering) set(name, value string) {
	b.settings = append(b.settings, environ.Setting{
		Name: name, Value: plaintext.FromString(value),
	})
}

// environment adds to an environment what leads programs to the broker, and takes away what would
// give them two credentials.
func (b *brokering) environment(env []string, secrets []environ.Setting) ([]string, error) {
	remove := slices.DeleteFunc(slices.Clone(b.remove), func(name string) bool {
		return slices.ContainsFunc(secrets, func(s environ.Setting) bool { return s.Name == name })
	})
	all, _, err := environ.Environment{Base: env, Remove: remove}.With(b.settings)
	return all, err
}

// withoutProxy adds the relay to the hosts that programs reach without a proxy.
func withoutProxy(hosts string) string {
	switch strings.TrimSpace(hosts) {
	case "":
		return "127.0.0.1,localhost"
	case "*":
		return hosts
	}
	return hosts + ",127.0.0.1,localhost"
}

const gitCount = "GIT_CONFIG_COUNT"

// gitSettings returns how many settings git has by the environment already: more are added to them.
func (a *app) gitSettings() (int, error) {
	text := a.getenv(gitCount)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is set, and not to a number: unset it", gitCount)
	}
	return n, nil
}

// gitPairs lead git to the broker for a URL, with a placeholder.
func gitPairs(to string, g wire.BrokerGit, placeholder string) [][2]string {
	login := base64.StdEncoding.EncodeToString([]byte(g.User + ":" + placeholder))
	return [][2]string{
		{"url." + to + ".insteadOf", g.URL},
		{"http." + to + ".extraHeader", "Authorization: Basic " + login},
	}
}

// ghConfig makes a folder of settings for gh: the user's own, with the socket.
func (a *app) ghConfig(b *brokering) error {
	own := a.getenv("GH_CONFIG_DIR")
	if config := a.getenv("XDG_CONFIG_HOME"); own == "" && config != "" {
		own = filepath.Join(config, "gh")
	}
	if home := a.getenv("HOME"); own == "" && home != "" {
		own = filepath.Join(home, ".config", "gh")
	}
	const most = 1 << 20
	text, err := readSmall(filepath.Join(own, "config.yml"), most)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the settings of gh: %w", err)
	}
	var settings strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "http_unix_socket:") {
			settings.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	fmt.Fprintf(&settings, "http_unix_socket: %q\n", b.relay.Socket)
	dir := filepath.Join(b.dir, "gh")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	b.set("GH_CONFIG_DIR", dir)
	return os.WriteFile(filepath.Join(dir, "config.yml"), []byte(settings.String()), 0o600)
}

// close ends the lease, the relay and what was made for the run.
func (b *brokering) close() error {
	if b == nil {
		return nil
	}
	err := b.end()
	if err != nil {
		err = fmt.Errorf("the lease of this run, %s, has not ended: revoke it with "+
			"\"keysake lease revoke\": %w", b.lease, err)
	}
	if b.relay != nil {
		err = errors.Join(err, b.relay.Close())
	}
	if b.dir != "" {
		err = errors.Join(err, os.RemoveAll(b.dir))
	}
	return err
}
