package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
)

const (
	trustVariable         = "KEYSAKE_TRUST"
	identityVariable      = "KEYSAKE_IDENTITY_TOKEN"
	identityFileVariable  = "KEYSAKE_IDENTITY_TOKEN_FILE"
	audienceVariable      = "KEYSAKE_IDENTITY_AUDIENCE"
	githubURLVariable     = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubTokenVariable   = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	projectedFile         = "/var/run/secrets/keysake/token"
	maxIdentityTokenBytes = 16 << 10
	identityTimeout       = 20 * time.Second
)

// errIdentity is an error of authentication.
var errIdentity = errors.New("the server did not take the identity token")

// errNoIdentity says where an identity token is looked for.
var errNoIdentity = fmt.Errorf(
	"%w: there is none: name a file with --identity-token-file or %s, set %s, or run in a GitHub "+
		"Actions job with the permission id-token: write", errNoLogin, identityFileVariable,
	identityVariable)

// connectAs returns a client for a run: by the rule of trust that is named, with a credential that
// is good for this run, or by the current login.
func (a *app) connectAs(ctx context.Context, in *running) (*client.Client, error) {
	rule := cmp.Or(in.trust, a.getenv(trustVariable))
	if rule == "" {
		if in.identityFile != "" {
			return nil, usagef("--identity-token-file needs --trust, or the variable %s: %s",
				trustVariable, `"keysake trust list" shows the ids of rules`)
		}
		return a.connectFor(in.actFor)
	}
	if in.actFor != "" {
		return nil, usagef("--for needs an API key, and no rule of trust: unset %s", trustVariable)
	}
	if !uuidPattern.MatchString(rule) {
		return nil, usagef("a rule of trust is named by its id: \"keysake trust list\" shows it")
	}
	to := a.serverOnly()
	token, err := a.identityToken(ctx, in.identityFile, strings.TrimRight(to.URL, "/"))
	if err != nil {
		return nil, err
	}
	c, err := a.client(to)
	if err != nil {
		return nil, err
	}
	given, err := c.Exchange(ctx, rule, token)
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Type != "" &&
		refused.Status == http.StatusUnauthorized {
		return nil, fmt.Errorf("%w: %s", errIdentity, refused.Detail)
	}
	if err != nil {
		return nil, err
	}
	to.APIKey = plaintext.FromString(given.AccessToken)
	return a.client(to)
}

// serverOnly returns the server of the current login, without an API key.
func (a *app) serverOnly() login {
	to := login{URL: a.getenv(urlVariable)}
	if stored, err := a.storedLogin(); to.URL == "" && err == nil {
		to.URL, to.CACert = stored.URL, stored.CACert
	}
	to.URL = cmp.Or(to.URL, defaultURL)
	to.CACert = cmp.Or(a.caCert, a.getenv(caCertVariable), to.CACert)
	return to
}

// identityToken finds the token that says what runs here.
func (a *app) identityToken(
	ctx context.Context, file, server string,
) (token plaintext.Value, err error) {
	file = cmp.Or(file, a.getenv(identityFileVariable))
	given := a.getenv(identityVariable)
	ask := a.getenv(githubURLVariable)
	switch {
	case file != "":
		token, err = readIdentity(file)
	case given != "":
		token = plaintext.FromString(strings.TrimSpace(given))
	case ask != "":
		audience := cmp.Or(a.getenv(audienceVariable), server)
		token, err = askGitHub(ctx, ask, a.getenv(githubTokenVariable), audience)
	default:
		token, err = readIdentity(projectedFile)
		if errors.Is(err, os.ErrNotExist) {
			err = errNoIdentity
		}
	}
	if err == nil && token.Len() == 0 {
		err = errors.New("the identity token is empty")
	}
	return token, err
}

func readIdentity(file string) (plaintext.Value, error) {
	b, err := readSmall(file, maxIdentityTokenBytes)
	if err != nil {
		return plaintext.Value{}, fmt.Errorf("the identity token: %w", err)
	}
	return trimmed(plaintext.Own(b)), nil
}

// askGitHub asks GitHub Actions for a token of the job. No error has the address or what was
// presented to it.
func askGitHub(
	ctx context.Context, address, bearer, audience string,
) (plaintext.Value, error) {
	failed := func(why string) (plaintext.Value, error) {
		return plaintext.Value{}, errors.New("ask GitHub for a token of this job: " + why)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && !isLoopbackHost(u.Hostname()) {
		return failed(githubURLVariable + " is no https URL")
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return failed(githubURLVariable + " is no https URL")
	}
	request.Header.Set("Authorization", "Bearer "+bearer)
	request.Header.Set("Accept", "application/json")
	response, err := noRedirects.Do(request)
	if err != nil {
		return failed("it does not answer")
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusOK {
		return failed(fmt.Sprintf("it answered %d; the job needs the permission id-token: write",
			response.StatusCode))
	}
	b, err := io.ReadAll(io.LimitReader(response.Body, 2*maxIdentityTokenBytes))
	defer clear(b)
	var answer struct {
		Value plaintext.Value `json:"value"`
	}
	if err != nil || json.Unmarshal(b, &answer) != nil {
		return failed("its answer is not what was expected")
	}
	return answer.Value, nil
}

// noRedirects sends what is presented to the host that was named, and to no other.
//
//nolint:gochecknoglobals // nothing writes to it
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}
