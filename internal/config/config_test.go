package config_test

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/spf13/pflag"

	"github.com/keysake/keysake/internal/config"
)

// load returns the settings for these flags and variables.
func load(t *testing.T, env map[string]string, args ...string) (config.Config, error) {
	t.Helper()
	s := config.New()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	s.AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		return config.Config{}, err
	}
	return s.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func mustLoad(t *testing.T, env map[string]string, args ...string) config.Config {
	t.Helper()
	c, err := load(t, env, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return c
}

var instanceKey = uuid.UUID{6: 0x80, 8: 0x80, 15: 1}

// comparable lets cmp compare what has unexported fields.
var comparable = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func TestWithoutFlagsAndVariablesTheDefaultsApply(t *testing.T) {
	want := config.Config{
		Listen:            "127.0.0.1:8420",
		Data:              "/srv/keysake",
		KeyCacheTTL:       time.Hour,
		KeyServiceTimeout: 8 * time.Second,

		DatabaseConnections: 16,

		RateLimit:        100,
		RateBurst:        200,
		UserRateLimit:    300,
		UserRateBurst:    600,
		AuthFailureLimit: 300,
		MaxSecrets:       200,
		KeepVersions:     5,
		MinFreeSpace:     64,
		LogFormat:        "text",
		LogLevel:         slog.LevelInfo,
		ShutdownTimeout:  15 * time.Second,
		CheckpointEvery:  24 * time.Hour,
		DeleteDelay:      24 * time.Hour,
		SignIn: config.SignIn{
			OIDCScopes: "openid profile email", OIDCUsernameClaim: "preferred_username",
		},
	}
	got := mustLoad(t, nil, "--data", "/srv/keysake")
	if diff := cmp.Diff(want, got, comparable); diff != "" {
		t.Error(diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

func TestEverySettingHasAFlagAndAVariable(t *testing.T) {
	texts := map[string]string{
		"listen":               "0.0.0.0:443",
		"data":                 "/d",
		"dev":                  "true",
		"keys":                 "/srv/keys",
		"database-url":         "postgres://k@db/k",
		"database-connections": "9",
		"database-pooler":      "true",
		"root-key":             "file:/k",

		"database-password-file": "/w",

		"instance-key":         instanceKey.String(),
		"root-passphrase-file": "/p",
		"root-passphrase-fd":   "0",
		"key-cache-ttl":        "2h",
		"key-service-timeout":  "5s",
		"kms-helper":           "/h",
		"min-client":           "a=1.2.3b1,b=2.0-rc.1",
		"rate-limit":           "2.5",
		"rate-burst":           "3",
		"user-rate-limit":      "7.5",
		"user-rate-burst":      "8",
		"auth-failure-limit":   "4",
		"trusted-proxies":      "10.1.2.3/8, 192.0.2.1,::1",
		"tls-cert":             "c.pem",
		"tls-key":              "k.pem",
		"behind-tls-proxy":     "true",
		"admin-listen":         ":9",
		"broker-url":           "https://broker.example.org",
		"broker-listen":        "127.0.0.1:8421",
		"egress-allow":         "10.0.0.0/8,api.example.com=127.0.0.1:8443",
		"webhook-url":          "https://hook.example.org/keysake",
		"webhook-key-file":     "/hook",
		"max-connections":      "8",
		"max-connections-each": "9",
		"max-secrets":          "5",
		"keep-versions":        "6",
		"min-free-space":       "7",
		"log-format":           "json",
		"log-level":            "debug",
		"shutdown-timeout":     "1m",
		"checkpoints":          "/cp",
		"checkpoint-every":     "0",
		"delete-delay":         "90m",
		"no-delete-now":        "true",
		"lockdown":             "true",
		"presets":              "/presets",
		"public-url":           "https://keysake.example.org",
		"oidc-issuer":          "https://id.example.org/acme",
		"oidc-name":            "Acme",
		"oidc-client-id":       "keysake",
		"oidc-scopes":          "openid groups",
		"oidc-username-claim":  "nickname",
		"oidc-allow":           "groups=staff,email=mia@example.org",
		"oidc-admin":           "groups=admins=1",

		"oidc-client-secret-file": "/secret",
	}
	want := config.Config{
		Listen:              "0.0.0.0:443",
		Data:                "/d",
		Dev:                 true,
		DatabaseURL:         "postgres://k@db/k",
		DatabaseConnections: 9,
		DatabasePooler:      true,

		DatabasePasswordFile: "/w",

		Keys:               "/srv/keys",
		RootKeys:           []string{"file:/k"},
		InstanceKeys:       []uuid.UUID{instanceKey},
		RootPassphraseFile: "/p",
		KeyCacheTTL:        2 * time.Hour,
		KeyServiceTimeout:  5 * time.Second,
		KMSHelper:          "/h",
		MinClients: []config.MinClient{
			{Name: "a", Version: "1.2.3b1"},
			{Name: "b", Version: "2.0-rc.1"},
		},
		RateLimit:        2.5,
		RateBurst:        3,
		UserRateLimit:    7.5,
		UserRateBurst:    8,
		AuthFailureLimit: 4,
		TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"),
			netip.MustParsePrefix("192.0.2.1/32"),
			netip.MustParsePrefix("::1/128"),
		},
		TLSCert:        "c.pem",
		TLSKey:         "k.pem",
		BehindTLSProxy: true,
		AdminListen:    ":9",
		BrokerListen:   "127.0.0.1:8421",
		BrokerURL:      "https://broker.example.org",
		EgressAllow: []config.Egress{
			{Network: netip.MustParsePrefix("10.0.0.0/8")},
			{Host: "api.example.com", At: netip.MustParseAddrPort("127.0.0.1:8443")},
		},
		WebhookURL:     "https://hook.example.org/keysake",
		WebhookKeyFile: "/hook",

		MaxConnections:     8,
		MaxConnectionsEach: 9,

		MaxSecrets:      5,
		KeepVersions:    6,
		MinFreeSpace:    7,
		LogFormat:       "json",
		LogLevel:        slog.LevelDebug,
		ShutdownTimeout: time.Minute,
		Checkpoints:     "/cp",
		Lockdown:        true,
		DeleteDelay:     90 * time.Minute,
		NoDeleteNow:     true,
		Presets:         "/presets",
		PublicURL:       "https://keysake.example.org",
		SignIn: config.SignIn{
			OIDCIssuer: "https://id.example.org/acme", OIDCName: "Acme", OIDCClientID: "keysake",
			OIDCClientSecretFile: "/secret", OIDCScopes: "openid groups",
			OIDCUsernameClaim: "nickname",
			OIDCAllow:         []config.Claim{{"groups", "staff"}, {"email", "mia@example.org"}},
			OIDCAdmin:         []config.Claim{{"groups", "admins=1"}},
		},
	}
	env := map[string]string{}
	var args []string
	for flag, text := range texts {
		env[config.Variable(flag)] = text
		args = append(args, "--"+flag+"="+text)
	}
	if diff := cmp.Diff(want, mustLoad(t, nil, args...), comparable); diff != "" {
		t.Errorf("by flags: %s", diff)
	}
	if diff := cmp.Diff(want, mustLoad(t, env), comparable); diff != "" {
		t.Errorf("by variables: %s", diff)
	}
	if err := want.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAFlagOverridesItsVariableAndAVariableTheDefault(t *testing.T) {
	env := map[string]string{
		"KEYSAKE_MAX_SECRETS": "7",
		"KEYSAKE_MIN_CLIENT":  "a=1,b=2",
		"KEYSAKE_RATE_BURST":  "",
	}
	if c := mustLoad(t, env); c.MaxSecrets != 7 || len(c.MinClients) != 2 {
		t.Errorf("the variables did not win over the defaults: %+v", c)
	}
	if c := mustLoad(t, env); c.RateBurst != 200 {
		t.Errorf("an empty variable set --rate-burst to %d", c.RateBurst)
	}
	c := mustLoad(t, env, "--max-secrets=8", "--min-client=c=3")
	if c.MaxSecrets != 8 {
		t.Errorf("the flag did not win: %d", c.MaxSecrets)
	}
	if diff := cmp.Diff([]config.MinClient{{Name: "c", Version: "3"}}, c.MinClients); diff != "" {
		t.Error(diff)
	}
	if c := mustLoad(t, map[string]string{"KEYSAKE_DEV": "true"}, "--dev=false"); c.Dev {
		t.Error("a flag could not turn off what the variable turned on")
	}
}

func TestAListGrowsWithEachFlag(t *testing.T) {
	c := mustLoad(t, nil, "--min-client=a=1", "--min-client=b=2,c=3")
	if len(c.MinClients) != 3 {
		t.Errorf("got %v", c.MinClients)
	}
}

func TestAListOfKeysMayHaveACommaInItAndSpacesInAVariable(t *testing.T) {
	want := []string{"file:/a,b", "file:/c"}
	for _, c := range []config.Config{
		mustLoad(t, nil, "--root-key", want[0], "--root-key", want[1]),
		mustLoad(t, map[string]string{"KEYSAKE_ROOT_KEY": " file:/a,b  file:/c\n"}),
	} {
		if diff := cmp.Diff(want, c.RootKeys); diff != "" {
			t.Error(diff)
		}
	}
}

func TestACommandTakesOnlyTheSettingsItNames(t *testing.T) {
	s := config.New("data", "root-key")
	fs := pflag.NewFlagSet("init", pflag.ContinueOnError)
	s.AddFlags(fs)
	if fs.Lookup("listen") != nil || fs.Lookup("data") == nil {
		t.Error("the wrong flags are defined")
	}
	env := map[string]string{"KEYSAKE_LISTEN": "0.0.0.0:1", "KEYSAKE_DATA": "/d"}
	c, err := s.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil || c.Listen != "127.0.0.1:8420" || c.Data != "/d" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestTheDefaultRootKeyAndTheKeysFileAreNextToTheDataFolder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]string{
		"/srv/k/": "/srv/k.root-key",
		".":       wd + ".root-key",
		"d":       filepath.Join(wd, "d.root-key"),
	} {
		if url, err := mustLoad(t, nil, "--data", data).DefaultRootKey(); err != nil ||
			url != "file:"+want {
			t.Errorf("the key of %s is %s, want file:%s (%v)", data, url, want, err)
		}
	}
	for want, args := range map[string][]string{
		"file:" + wd + "/.keysake-dev/root.key": {"--dev"},
		"file:" + wd + "/d/root.key":            {"--dev", "--data", "d"},
	} {
		if url, err := mustLoad(t, nil, args...).DefaultRootKey(); err != nil || url != want {
			t.Errorf("%v has %s (%v)", args, url, err)
		}
	}
	for want, args := range map[string][]string{
		"/srv/k.keys":          {"--data", "/srv/k/"},
		"/etc/keys":            {"--data", "/srv/k", "--keys", "/etc/keys"},
		wd + "/d.keys":         {"--data", "d"},
		wd + "/d/keysake.keys": {"--data", "d", "--dev"},
		wd + "/other":          {"--data", "d", "--dev", "--keys", "other"},
	} {
		if path, err := mustLoad(t, nil, args...).KeysFile(); err != nil || path != want {
			t.Errorf("%v has %s (%v)", args, path, err)
		}
	}
}

func TestAValueThatCannotBeParsedIsRefusedWithTheNameOfItsSetting(t *testing.T) {
	for flag, text := range map[string]string{
		"dev": "perhaps", "rate-limit": "many", "rate-burst": "1.5", "auth-failure-limit": "x",
		"max-secrets": "x", "keep-versions": "x", "instance-key": "1",
		"log-level": "info+1", "shutdown-timeout": "15",
	} {
		if _, err := load(t, nil, "--"+flag+"="+text); err == nil ||
			!strings.Contains(err.Error(), "--"+flag) {
			t.Errorf("--%s=%s: %v", flag, text, err)
		}
		name := config.Variable(flag)
		if _, err := load(t, map[string]string{name: text}); err == nil ||
			!strings.Contains(err.Error(), name+": must be") {
			t.Errorf("%s=%s: %v", name, text, err)
		}
	}
	for _, text := range []string{
		"keysake", "=1", "a b=1", "a=", "a=x", "a=1.2.3.4.5.6.7", "a=1,", "a=v1", "a=1.", "a=1-",
		"a=1-1",
	} {
		if _, err := load(t, nil, "--min-client="+text); err == nil {
			t.Errorf("--min-client=%s was taken", text)
		}
	}
	for _, text := range []string{"proxy", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.1,", "10"} {
		if _, err := load(t, nil, "--trusted-proxies="+text); err == nil {
			t.Errorf("--trusted-proxies=%s was taken", text)
		}
	}
}

func TestAnExceptionOfEgressIsANetworkOrAHostWithItsAddress(t *testing.T) {
	for _, text := range []string{
		"any", "host", "Host=127.0.0.1:1", "=127.0.0.1:1", "host=127.0.0.1", "host=127.0.0.1:0",
		"host=other:443", "10.0.0.0/33", "",
	} {
		if _, err := load(t, nil, "--egress-allow="+text); err == nil {
			t.Errorf("--egress-allow=%s was taken", text)
		}
	}
}

func TestAnInvalidSettingIsRefusedInOneLineThatNamesItsFlag(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // how the message begins
	}{
		{"--data=", "--data is missing"},
		{"--data=/", "--data must not be the root"},
		{"--root-passphrase-fd=-1", "--root-passphrase-fd must be"},
		{"--key-cache-ttl=9s", "--key-cache-ttl must be at least 10s"},
		{"--key-service-timeout=0s", "--key-service-timeout must be"},
		{"--key-service-timeout=10s", "--key-service-timeout must be"},
		{"--listen=0.0.0.0:8420", "--listen 0.0.0.0:8420 would send secrets over the network unencrypted"},
		{"--listen=:8420", "--listen :8420 would"},
		{"--listen=[::]:8420", "--listen [::]:8420 would"},
		{"--listen=192.0.2.1:1", "--listen 192.0.2.1:1 would"},
		{"--listen=keysake.example.org:1", "--listen keysake.example.org:1 would"},
		{"--listen=127.0.0.1", `--listen "127.0.0.1" must be ADDRESS:PORT`},
		{"--listen=127.0.0.1:http", `--listen "127.0.0.1:http" must be`},
		{"--listen=127.0.0.1:65536", `--listen "127.0.0.1:65536" must be`},
		{"--broker-url=http://broker.example.org", "--broker-url must be an https URL"},
		{"--broker-url=127.0.0.1:8421", "--broker-url must be an https URL"},
		{"--admin-listen=9", `--admin-listen "9" must be`},
		{"--broker-listen=9", `--broker-listen "9" must be`},
		{"--broker-listen=0.0.0.0:8421", "--broker-listen 0.0.0.0:8421 would send placeholders"},
		{"--tls-cert=c", "--tls-cert needs --tls-key"},
		{"--tls-key=k", "--tls-key needs --tls-cert"},
		{"--min-client=a=1,A=2", "--min-client has A twice"},
		{"--trusted-proxies=0.0.0.0/0", "--trusted-proxies 0.0.0.0/0 would"},
		{"--trusted-proxies=::/0", "--trusted-proxies ::/0 would"},
		{"--rate-limit=-1", "--rate-limit must be"},
		{"--rate-limit=NaN", "--rate-limit must be"},
		{"--rate-limit=Inf", "--rate-limit must be"},
		{"--rate-burst=0", "--rate-burst must be"},
		{"--user-rate-burst=0", "--user-rate-burst must be"},
		{"--user-rate-limit=-1", "--user-rate-limit must be"},
		{"--user-rate-limit=NaN", "--user-rate-limit must be"},
		{"--auth-failure-limit=-1", "--auth-failure-limit must be"},
		{"--max-secrets=0", "--max-secrets must be"},
		{"--keep-versions=0", "--keep-versions must be"},
		{"--keep-versions=101", "--keep-versions must be"},
		{"--max-connections=-1", "--max-connections must be"},
		{"--max-connections-each=-1", "--max-connections-each must be"},
		{"--database-url=mysql://db", "--database-url must begin with postgres://"},
		{"--database-password-file=f", "--database-password-file needs --database-url"},
		{"--database-url=postgres://db --database-connections=1", "--database-connections must be"},
		{"--min-free-space=-1", "--min-free-space must be"},
		{"--log-format=xml", "--log-format must be"},
		{"--shutdown-timeout=0s", "--shutdown-timeout must be"},
		{"--no-delete-now --delete-delay=0", "--no-delete-now needs a --delete-delay"},
		{"--delete-delay=-1s", "--delete-delay must be 0 or more"},
		{"--checkpoint-every=1s", "--checkpoint-every must be at least 1m0s, or 0"},
	} {
		err := mustLoad(t, nil, strings.Fields("--data=/d "+c.args)...).Validate()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

func TestASignInNeedsAllOfItsSettings(t *testing.T) {
	whole := map[string]string{
		"oidc-issuer": "https://id.example.org", "oidc-client-id": "keysake",
		"oidc-client-secret-file": "/secret", "public-url": "https://keysake.example.org/",
	}
	for _, c := range []struct{ flag, value, want string }{
		{"", "", ""},
		{"public-url", "http://localhost:8420", ""},
		{"oidc-issuer", "https://id.example.org/realms/acme/", ""},
		{"oidc-issuer", "", "--oidc-issuer is missing"},
		{"oidc-client-id", "", "--oidc-client-id is missing: --oidc-issuer needs it"},
		{"oidc-client-secret-file", "", "--oidc-client-secret-file is missing"},
		{"public-url", "", "--public-url is missing"},
		{"public-url", "http://keysake.example.org", "--public-url must be an https URL"},
		{"public-url", "https://keysake.example.org/ui", "--public-url must be an https URL"},
		{"public-url", "https://keysake.example.org?x", "--public-url must be an https URL"},
		{"public-url", "https://u@keysake.example.org", "--public-url must be an https URL"},
		{"oidc-scopes", "profile openidx", "--oidc-scopes must have openid"},
	} {
		args := []string{"--data=/d"}
		for flag, value := range whole {
			if flag != c.flag {
				args = append(args, "--"+flag+"="+value)
			}
		}
		if c.flag != "" {
			args = append(args, "--"+c.flag+"="+c.value)
		}
		err := mustLoad(t, nil, args...).Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil ||
			!strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("--%s=%s: %v", c.flag, c.value, err)
		}
	}
	for _, text := range []string{"groups", "=x", "groups=", "groups=a,b", ""} {
		if _, err := load(t, nil, "--data=/d", "--oidc-allow="+text); err == nil {
			t.Errorf("--oidc-allow=%s is accepted", text)
		}
	}
}

func TestAWebhookIsReachedByHTTPSAndSignsWhatItIsTold(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"--webhook-url=https://hook.example.org/a?b --webhook-key-file=/k", ""},
		{"--dev --webhook-url=http://127.0.0.1:1/a --webhook-key-file=/k", ""},
		{"--dev --webhook-url=http://[::1]:1/a --webhook-key-file=/k", ""},
		{"--webhook-url=https://hook.example.org", "--webhook-key-file is missing"},
		{"--webhook-key-file=/k", "--webhook-url is missing"},
		{"--webhook-url=http://127.0.0.1:1 --webhook-key-file=/k", "--webhook-url must be"},
		{"--dev --webhook-url=http://hook.example --webhook-key-file=/k", "--webhook-url must be"},
		{"--webhook-url=hook.example.org --webhook-key-file=/k", "--webhook-url must be"},
		{"--webhook-url=https:// --webhook-key-file=/k", "--webhook-url must be"},
		{"--webhook-url=https://u:p@h.example --webhook-key-file=/k", "--webhook-url must be"},
		{"--webhook-url=https://h.example/#a --webhook-key-file=/k", "--webhook-url must be"},
	} {
		err := mustLoad(t, nil, strings.Fields("--data=/d "+c.args)...).Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil ||
			!strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

func TestAPasswordInAnArgumentIsRefusedAndOneInAVariableIsNot(t *testing.T) {
	const secret = "hunter2"
	for _, url := range []string{
		"postgres://k:" + secret + "@db/k",
		"postgres://k:" + secret + "@one:5432,two:5433/k",
		"postgres://k:p@" + secret + "@db",
		"postgres://k@db/k?sslmode=require&password=" + secret,
		"postgres://k@db/k?pass%77ord=" + secret,
		"postgres://k@db/k?sslpassword=" + secret + "#x",
		"postgres://:" + secret + "@",
	} {
		_, err := load(t, nil, "--data=/d", "--database-url="+url)
		if err == nil || strings.Contains(err.Error(), secret) ||
			!strings.Contains(err.Error(), "KEYSAKE_DATABASE_URL") {
			t.Errorf("%s: %v", url, err)
		}
		env := map[string]string{"KEYSAKE_DATABASE_URL": url}
		if c := mustLoad(t, env, "--data=/d"); c.DatabaseURL != url || c.Validate() != nil {
			t.Errorf("%s in a variable is refused", url)
		}
	}
	for _, url := range []string{
		"postgres://k@db:5432/k?passfile=/p", "postgres:///k?host=/run/postgresql",
		"postgres://k@[::1]:5432,db:1/k@b?application_name=a:b@c",
	} {
		mustLoad(t, nil, "--data=/d", "--database-url="+url)
	}
}

func TestAnotherAddressThanLoopbackNeedsTLSOrAProxy(t *testing.T) {
	for _, args := range [][]string{
		{"--listen=0.0.0.0:1", "--behind-tls-proxy"},
		{"--listen=:1", "--tls-cert=c", "--tls-key=k"},
		{"--listen=localhost:1"},
		{"--listen=[::1]:0"},
		{"--listen=127.3.3.3:1"},
		{"--rate-limit=0", "--auth-failure-limit=0"},
	} {
		if err := mustLoad(t, nil, append(args, "--data=/d")...).Validate(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestAllInvalidSettingsAreReportedAtOnce(t *testing.T) {
	err := mustLoad(t, nil, "--listen=x", "--rate-burst=0").Validate()
	if err == nil || len(strings.Split(err.Error(), "\n")) != 3 {
		t.Errorf("got %v", err)
	}
}

func TestTheReferenceHasEverySetting(t *testing.T) {
	page := config.Reference()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.New().AddFlags(fs)
	n := 0
	fs.VisitAll(func(f *pflag.Flag) {
		n++
		if !strings.Contains(page, "`--"+f.Name) ||
			!strings.Contains(page, "`"+config.Variable(f.Name)+"`") ||
			f.Usage == "" {
			t.Errorf("--%s is not on the page", f.Name)
		}
	})
	if n != 57 || strings.Count(page, "\n| `--") != n {
		t.Errorf("%d flags, and a page of another number of lines", n)
	}
}
