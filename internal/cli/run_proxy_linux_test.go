package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// newAuthority returns a certificate that signs for some hosts, as a template has it, and its key.
func newAuthority(
	t *testing.T, template x509.Certificate,
) (*tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(1), true
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.IsCA, template.Subject.CommonName = true, "of a test"
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// A site is where a server and a broker run, each in a process of its own, before a stand-in for
// providers.
type site struct {
	dir     string
	url     string   // of the server
	egress  []string // flags that lead to the provider
	env     []string
	value   string        // of the secret STRIPE_API_KEY
	release chan struct{} // what slow answers wait for
}

// newSite starts a provider that says what it got.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		dir: t.TempDir(), value: "sk_live_" + strings.Repeat("x", 24),
		release: make(chan struct{}),
	}
	provider := httptest.NewUnstartedServer(http.HandlerFunc(s.answer))
	hosts := []string{"api.stripe.com", "other.example"}
	certificate, root := newAuthority(t, x509.Certificate{DNSNames: hosts})
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12,
	}
	provider.Config.ErrorLog = log.New(io.Discard, "", 0)
	provider.StartTLS()
	t.Cleanup(provider.Close)
	for _, host := range hosts {
		s.egress = append(s.egress, "--egress-allow", host+"="+provider.Listener.Addr().String())
	}
	apptest.Must(t, os.WriteFile(s.roots(), root, 0o600))
	return s
}

// roots is the file with who signed the provider's certificate.
func (s *site) roots() string { return filepath.Join(s.dir, "provider.pem") }

func (s *site) answer(w http.ResponseWriter, r *http.Request) {
	what := "no key"
	if r.Header.Get("Authorization") == "Bearer "+s.value {
		what = "key"
	}
	switch r.URL.Path {
	case "/v1/stream", "/v1/slow":
		_, _ = io.WriteString(w, "begun\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-s.release:
			_, _ = io.WriteString(w, "ended\n")
		}
	default:
		_, _ = fmt.Fprintf(w, "%s %s %s\n", r.Host, r.RequestURI, what)
	}
}

// start starts a server or a broker, and returns its address.
func (s *site) start(t *testing.T, args ...string) (string, *exec.Cmd) {
	t.Helper()
	out, logs := new(apptest.Buffer), new(apptest.Buffer)
	cmd := s.command(t, args...)
	cmd.Stdout, cmd.Stderr = out, logs
	apptest.Must(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			finish(t, cmd)
		}
		if t.Failed() {
			t.Log(args, logs)
		}
	})
	for deadline := time.Now().Add(timeout); ; time.Sleep(2 * time.Millisecond) {
		if _, at, found := strings.Cut(out.String(), "listening on "); found {
			at, _, _ = strings.Cut(at, "\n")
			return at, cmd
		} else if time.Now().After(deadline) {
			t.Fatalf("%v: it does not listen: %s", args, logs)
		}
	}
}

// finish stops a process, which must end well.
func finish(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	apptest.Must(t, cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %v", cmd.Args, err)
	}
}

// set stores the secret.
func (s *site) set(t *testing.T) {
	t.Helper()
	set := s.command(t, "secrets", "set", "--preset", "stripe")
	set.Stdin = strings.NewReader(s.value)
	if code, _, errs := outcome(set); code != 0 {
		t.Fatal(errs)
	}
}

// command is the program, as the user of the server.
func (s *site) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Args[0] = "keysake" // makes the test's binary run the program
	cmd.Dir = s.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "KEYSAKE_URL=" + s.url,
		"KEYSAKE_API_KEY_FILE=" + filepath.Join(s.dir, "data", "dev-api-key"),
		"SSL_CERT_FILE=" + s.roots(), "XDG_RUNTIME_DIR=" + s.dir,
	}
	cmd.Env = append(cmd.Env, s.env...)
	return cmd
}

// run runs a script of the shell at the broker.
func (s *site) run(t *testing.T, flags, script string) (code int, out, errs string) {
	t.Helper()
	args := append([]string{"run", "--broker"}, strings.Fields(flags)...)
	return outcome(s.command(t, append(args, "--", "sh", "-c", script)...))
}

// Programs that read the variables for proxies and certificates, each asking a host that it does
// not let anyone change.
const (
	askByCurl = `curl -sS https://api.stripe.com/v1/a%2Fb?c=d \
		-H "Authorization: Bearer $STRIPE_API_KEY"`
	askByPython = `python3 -c '
import os, urllib.request as u
r = u.Request("https://api.stripe.com/v1/a%2Fb?c=d")
r.add_header("Authorization", "Bearer " + os.environ["STRIPE_API_KEY"])
print(u.urlopen(r).read().decode(), end="")'`
	// Newer versions than some that are in use read HTTPS_PROXY by themselves.
	askByNode = `node -e '
const http = require("http"), https = require("https"), tls = require("tls")
const proxy = new URL(process.env.HTTPS_PROXY), host = "api.stripe.com"
const login = Buffer.from(proxy.username + ":" + proxy.password).toString("base64")
http.request({host: proxy.hostname, port: proxy.port, method: "CONNECT", path: host + ":443",
  headers: {"Proxy-Authorization": "Basic " + login}}).on("connect", (answer, socket) => {
    if (answer.statusCode != 200) throw new Error(answer.statusCode)
    https.get({host, port: 443, path: "/v1/a%2Fb?c=d",
      headers: {Authorization: "Bearer " + process.env.STRIPE_API_KEY},
      createConnection: () => tls.connect({socket, servername: host}),
    }, r => r.pipe(process.stdout))
}).end()'`
)

func TestAProgramWithFixedHostsReachesThemByAProxyAndTrustsAnAuthorityForThemAlone(t *testing.T) {
	s := newSite(t)
	s.url, _ = s.start(t, append([]string{
		"serve", "--dev", "--data", "data", "--listen", "127.0.0.1:0",
	}, s.egress...)...)
	s.set(t)
	const want = "api.stripe.com /v1/a%2Fb?c=d key\n"
	for name, script := range map[string]string{
		"curl": askByCurl, "Python": askByPython, "Node": askByNode,
	} {
		code, out, errs := s.run(t, "--preset stripe", script)
		if code != 0 || out != want ||
			!strings.Contains(errs, "STRIPE_API_KEY by a proxy") {
			t.Errorf("%s: exit code %d, %q and %q", name, code, out, errs)
		}
	}
	// git asks without its login first, and with another library for TLS than curl.
	_, out, errs := s.run(t, "--preset stripe", `GIT_CURL_VERBOSE=1 git \
		-c http.extraHeader="Authorization: Bearer $STRIPE_API_KEY" \
		ls-remote https://api.stripe.com/o/r.git`)
	if !strings.Contains(errs, "not valid: is this a git repository?") || out != "" {
		t.Errorf("git: %q and %q", out, errs)
	}
	const others = `curl -sS https://other.example/x; curl -sS http://other.example/x`
	code, out, errs := s.run(t, "--preset stripe", others)
	if code != 0 || strings.Contains(out, "other.example") ||
		!strings.Contains(out, "https alone") || !strings.Contains(errs, "response 403") {
		t.Errorf("another host: %d, %q and %q", code, out, errs)
	}
	code, out, errs = s.run(t, "--preset stripe --egress open",
		`curl -sS https://other.example/x && `+askByCurl)
	if code != 0 || out != "other.example /x no key\n"+want {
		t.Errorf("with --egress open: %d, %q and %q", code, out, errs)
	}
	_, out, _ = s.run(t, "--preset stripe --no-mask",
		`cat "$SSL_CERT_FILE"; env; ls -l "$SSL_CERT_FILE"`)
	provider, err := os.ReadFile(s.roots())
	if err != nil || !strings.Contains(out, string(provider)) || strings.Contains(out, s.value) ||
		strings.Contains(out, "PRIVATE") || !strings.Contains(out, "\n-rw------- ") {
		t.Errorf("the run has %s: %v", out, err)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "keysake-run-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left is %v: %v", left, err)
	}
}

func TestAnAuthorityForOtherHostsThanTheLeasesStartsNoRun(t *testing.T) {
	all := func(bits int) *net.IPNet {
		return &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)}
	}
	narrow := x509.Certificate{
		MaxPathLenZero: true, PermittedDNSDomainsCritical: true,
		PermittedDNSDomains: []string{"api.openai.com"},
		ExcludedIPRanges:    []*net.IPNet{all(32), all(128)},
	}
	const any, other = "could sign for any host", "which is no host of what this run names"
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		flags  string
		want   string
	}{
		"":              {func(*x509.Certificate) {}, "", ""},
		"of every host": {func(c *x509.Certificate) { c.PermittedDNSDomains = nil }, "", any},
		"of a whole TLD": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = []string{"com"}
		}, "", other},
		"of two labels that anyone is below": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = []string{"co.uk"}
		}, "", other},
		"of the domain of a host": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = []string{"openai.com"}
		}, "", other},
		"of what is below a host": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = []string{".api.openai.com"}
		}, "", other},
		"of another host, too": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = append(c.PermittedDNSDomains, "bank.example.com")
		}, "", other},
		"of a host that the run names": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = append(c.PermittedDNSDomains, "api.own.example")
		}, "--proxy-host api.own.example", ""},
		"of another provider's": {func(c *x509.Certificate) {
			c.PermittedDNSDomains = []string{"api.stripe.com"}
		}, "", other},
		"of addresses": {func(c *x509.Certificate) { c.ExcludedIPRanges = nil }, "", any},
		"of addresses of one kind": {func(c *x509.Certificate) {
			c.ExcludedIPRanges = []*net.IPNet{all(32), all(32)}
		}, "", any},
		"of most addresses": {func(c *x509.Certificate) {
			c.ExcludedIPRanges = []*net.IPNet{all(32), {
				IP: make(net.IP, 16), Mask: net.CIDRMask(1, 128),
			}}
		}, "", any},
		"of authorities":  {func(c *x509.Certificate) { c.MaxPathLenZero = false }, "", any},
		"as it is advice": {func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false }, "", any},
	} {
		template := narrow
		c.change(&template)
		_, authority := newAuthority(t, template)
		startsRun(t, name, authority, c.flags, c.want)
	}
	_, good := newAuthority(t, narrow)
	startsRun(t, "two", append(good, good...), "", any)
	startsRun(t, "none", []byte("no certificate"), "", any)
	s := serveLeases(t, map[string]string{"OPENAI_API_KEY": "value-of-one"})
	cmd := s.keysake(t, "run", "--broker", "--proxy", "--all", "--", "touch", "started")
	if code, _, errs := outcome(cmd); code != 1 || !strings.Contains(errs, "its URL has a path") {
		t.Errorf("below a path: exit code %d and %q", code, errs)
	}
}

// startsRun runs a command whose proxy has this authority. It must start, or not with this error.
func startsRun(t *testing.T, name string, authority []byte, flags, want string) {
	t.Helper()
	s := serveLeases(t, map[string]string{"OPENAI_API_KEY": "value-of-one"})
	s.change(func() {
		s.authority = authority
		s.lie = func(l *wire.Lease, _ *bundle.Payload) { l.Broker.URL = s.URL }
	})
	s.starts(t, name, "--proxy -s OPENAI_API_KEY "+flags, want)
}

// starts runs a command at the broker. It must start, or not with this error.
func (s *leaseServer) starts(t *testing.T, name, flags, want string) {
	t.Helper()
	args := append([]string{"run", "--broker"}, strings.Fields(flags)...)
	cmd := s.keysake(t, append(args, "--", "touch", "started")...)
	code, _, errs := outcome(cmd)
	_, failed := os.Stat(filepath.Join(cmd.Dir, "started"))
	if good := want == ""; (code == 0) != good || (failed == nil) != good || s.revoked != 1 ||
		!strings.Contains(errs, want) {
		t.Errorf("%s: exit code %d and %q", name, code, errs)
	}
}

// Which provider a secret is of, and which secrets there are, is the server's word. Who answers in
// its place would name a provider whose traffic they want to read.
func TestARunTrustsAnAuthorityForNoProviderThatItDidNotName(t *testing.T) {
	const openai, stripe = "api.openai.com", "api.stripe.com"
	const unnamed, other = "is no host of what this run names", `is a key of "stripe"`
	const nobodys = "which its name does not say"
	const variable = "has other secrets than were asked for"
	authority := func(host string) []byte {
		_, text := newAuthority(t, x509.Certificate{
			MaxPathLenZero: true, PermittedDNSDomainsCritical: true,
			PermittedDNSDomains: []string{host},
			ExcludedIPRanges: []*net.IPNet{
				{IP: make(net.IP, 4), Mask: net.CIDRMask(0, 32)},
				{IP: make(net.IP, 16), Mask: net.CIDRMask(0, 128)},
			},
		})
		return text
	}
	template := filepath.Join(t.TempDir(), "template")
	apptest.Must(t, os.WriteFile(template, []byte("A=keysake://OPENAI_API_KEY\n"), 0o600))
	for _, c := range []struct{ secret, flags, provider, host, variable, want string }{
		{"OPENAI_API_KEY", "--proxy -s OPENAI_API_KEY", "openai", openai, "", ""},
		{"OPENAI_API_KEY", "--proxy --preset openai", "openai", openai, "", ""},
		{"OPENAI_API_KEY", "--proxy --env-file " + template, "openai", openai, "", ""},
		{"OPENAI_API_KEY", "--proxy --file OPENAI_API_KEY", "openai", openai, "", ""},
		{"WORK", "--proxy -s WORK --map WORK=OPENAI_API_KEY", "openai", openai, "", ""},
		{"OPENAI_API_KEY", "--proxy --all --preset openai", "openai", openai, "", ""},
		{"OPENAI_API_KEY", "--proxy --all --proxy-host " + openai, "openai", openai, "", ""},
		{"OPENAI_API_KEY", "--proxy --all", "openai", openai, "", unnamed},
		{"OPENAI_API_KEY", "--proxy -s OPENAI_*", "openai", openai, "", unnamed},
		{"OPENAI_API_KEY", "--proxy -s " + idOf("OPENAI_API_KEY").String(), "openai", openai, "", unnamed},
		{"WORK", "--proxy -s WORK", "stripe", stripe, "", nobodys},
		{"WORK", "--proxy -s WORK", "other", stripe, "", unnamed},
		{"OPENAI_API_KEY", "--proxy -s OPENAI_API_KEY", "stripe", stripe, "", other},
		{"OPENAI_API_KEY", "--proxy --preset openai", "stripe", stripe, "", other},
		{"OPENAI_API_KEY", "--proxy -s OPENAI_API_KEY", "openai", stripe, "", unnamed},
		{"OPENAI_API_KEY", "--proxy -s OPENAI_API_KEY", "other", stripe, "", unnamed},
		{"OPENAI_API_KEY", "--all", "stripe", "", "", other},
		{"OPENAI_API_KEY", "--preset openai", "openai", "", "ANTHROPIC_BASE_URL", variable},
		{"WORK", "-s WORK", "other", "", "ANTHROPIC_BASE_URL", variable},
		{"WORK", "-s WORK", "openai", "", "OPENAI_BASE_URL", nobodys},
		{"WORK", "-s WORK", "github", "", "GITHUB_API_URL", nobodys},
		{"WORK", "-s WORK --map WORK=OPENAI_API_KEY", "openai", "", "OPENAI_BASE_URL", ""},
		{"WORK", "-s WORK", "other", "", "OTHER_BASE_URL", ""},
	} {
		s := serveLeases(t, map[string]string{c.secret: "value-of-one"})
		lie := func(l *wire.Lease, _ *bundle.Payload) {
			l.Broker.URL = s.URL
			l.Broker.Secrets[0].Provider = c.provider
			l.Broker.Secrets[0].BaseURLs = nil
			if c.variable != "" {
				l.Broker.Secrets[0].BaseURLs = []wire.BrokerVariable{
					{Name: c.variable, Path: "/x", Scheme: "any"},
				}
			}
		}
		s.change(func() { s.authority, s.lie = authority(c.host), lie })
		s.starts(t, fmt.Sprint(c), c.flags, c.want)
	}
}

// Programs read more in a text than one certificate: what they get is what was looked at.
func TestARunTrustsTheAuthorityThatWasLookedAtAndNoTextBesideIt(t *testing.T) {
	_, good := newAuthority(t, x509.Certificate{
		MaxPathLenZero: true, PermittedDNSDomainsCritical: true,
		PermittedDNSDomains: []string{"api.openai.com"},
		ExcludedIPRanges: []*net.IPNet{
			{IP: make(net.IP, 4), Mask: net.CIDRMask(0, 32)},
			{IP: make(net.IP, 16), Mask: net.CIDRMask(0, 128)},
		},
	})
	s := serveLeases(t, map[string]string{"OPENAI_API_KEY": "value-of-one"})
	s.change(func() {
		s.authority = append([]byte("-----BEGIN TRUSTED CERTIFICATE-----\nbeside: it\n"), good...)
		s.lie = func(l *wire.Lease, _ *bundle.Payload) { l.Broker.URL = s.URL }
	})
	cmd := s.keysake(t, "run", "--broker", "--proxy", "--preset", "openai", "--no-mask", "--",
		"sh", "-c", `cat "$SSL_CERT_FILE"`)
	code, out, errs := outcome(cmd)
	if code != 0 || strings.Contains(out, "TRUSTED") || !strings.Contains(out, string(good)) {
		t.Errorf("exit code %d, %q and %q", code, out, errs)
	}
}

func TestALeaseForTheBrokerHasTheLimitsOfItsRun(t *testing.T) {
	s := serveLeases(t, map[string]string{"ONE": "value-of-one"})
	flags := "--broker --all --egress open --limit requests_per_minute=60 --limit requests=1000 " +
		"--limit concurrent_requests=4 --limit bytes=5 --limit tokens=7 --limit methods=GET,POST " +
		"--limit path_prefixes=/v1/ --limit methods=PUT --param resource=own"
	s.environment(t, nil, strings.Fields(flags)...)
	want := &wire.BrokerLimits{
		RequestsPerMinute: new(int64(60)), ConcurrentRequests: new(int64(4)),
		Requests: new(int64(1000)), Bytes: new(int64(5)), Tokens: new(int64(7)),
		Methods: &[]string{"GET", "POST", "PUT"}, PathPrefixes: &[]string{"/v1/"},
		Egress: new("open"), Params: &[]string{"resource=own"},
	}
	if diff := cmp.Diff(want, s.limits); diff != "" {
		t.Error(diff)
	}
	for flags, want := range map[string]string{
		"--broker --limit requests":                "is no whole number",
		"--broker --limit egress=open":             "is not NAME=VALUE",
		"--broker --limit methods=":                "is not NAME=VALUE",
		"--broker --limit bytes=1M":                `"1M" is no whole number`,
		"--broker --limit bytes=1 --limit bytes=2": "it is there twice",
		"--limit bytes=1":                          "are for --broker",
		"--egress open":                            "are for --broker",
		"--proxy":                                  "are for --broker",
		"--proxy-host a.example":                   "are for --broker",
	} {
		leases := s.leases
		args := append(append([]string{"run", "--all"}, strings.Fields(flags)...), "--", "true")
		code, _, errs := outcome(s.keysake(t, args...))
		if code != 2 || !strings.Contains(errs, want) || s.leases != leases {
			t.Errorf("%s: exit code %d and %q", flags, code, errs)
		}
	}
}
