package issuer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// maxSignIn is how long ago a person may have shown the provider who they are. A provider is asked
// to have them do so again otherwise, so that a session is as new as it looks.
const maxSignIn = 15 * time.Minute

// ProviderOptions are what the configuration says of a provider of sign-ins.
type ProviderOptions struct {
	Name     string // that people know it by
	Issuer   string
	ClientID string
	Secret   plaintext.Value
	Redirect string // where browsers come back to
	Scopes   string // separated by spaces
	Username string // the claim that has the name of a new user
	// Allow are claims that everybody must have. Without any, nobody becomes a user by signing in.
	Allow []vault.Claim
	// Admin are claims that an admin must have. Without any, nobody is one.
	Admin []vault.Claim
}

// A Provider is an issuer at which people sign in: with the authorization code flow and PKCE. It is
// safe for concurrent use.
//
// It keeps nothing of a sign-in. What must be the same at its end is derived from a random text,
// the attempt, which the browser keeps that began it.
type Provider struct {
	ProviderOptions

	verifier *Verifier
}

// Provider returns a provider whose tokens are verified as v verifies those of rules. What is known
// of it is kept apart: users can have so many issuers asked that one is forgotten.
func (v *Verifier) Provider(o ProviderOptions) *Provider {
	own := *v
	own.known, own.asked = newCache[*keySet](1), newCache[time.Time](1)
	return &Provider{o, &own}
}

// Check returns nil if people can be sent to the provider. BadGateway: it cannot be asked, or does
// not say where to.
func (p *Provider) Check(ctx context.Context) error {
	_, err := p.Address(ctx, plaintext.Value{})
	return err
}

// Address returns where a browser is to go for a sign-in. BadGateway: the provider cannot be asked.
func (p *Provider) Address(ctx context.Context, attempt plaintext.Value) (string, error) {
	said, err := p.verifier.described(ctx, p.Issuer)
	if err != nil {
		return "", away(err)
	}
	u, ok := httpsURL(said.Authorize)
	if _, alsoOK := httpsURL(said.Token); !ok || !alsoOK {
		return "", away(errors.New("it does not say where people sign in, by https"))
	}
	challenge := sha256.Sum256([]byte(p.derived(attempt, "verifier")))
	q := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": p.ClientID, "redirect_uri": p.Redirect,
		"scope": p.Scopes, "state": p.derived(attempt, "state"),
		"nonce":                 p.derived(attempt, "nonce"),
		"code_challenge":        base64.RawURLEncoding.EncodeToString(challenge[:]),
		"code_challenge_method": "S256",
		"max_age":               strconv.Itoa(int(maxSignIn / time.Second)),
	} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// derived returns a text of an attempt for one purpose, which tells nothing of another one.
func (p *Provider) derived(attempt plaintext.Value, purpose string) string {
	text := "keysake sign-in\n" + purpose + "\n" + p.Issuer + "\n" + p.ClientID + "\n"
	sum := sha256.Sum256(append([]byte(text), attempt.Reveal()...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Person returns who has signed in, by the query with which a browser comes back. Unauthenticated:
// the sign-in is not the one of the attempt, or not accepted. Denied: the provider refused it.
// BadGateway: the provider cannot be asked, or does not answer as it should.
func (p *Provider) Person(
	ctx context.Context, attempt plaintext.Value, query url.Values,
) (vault.Person, error) {
	state := p.derived(attempt, "state")
	if subtle.ConstantTimeCompare([]byte(one(query, "state")), []byte(state)) != 1 {
		return vault.Person{}, refused("this browser did not begin the sign-in", nil)
	}
	said, err := p.verifier.described(ctx, p.Issuer)
	if err != nil {
		return vault.Person{}, away(err)
	}
	// A code of another issuer must not be shown to this one (RFC 9207).
	if (said.NamesItself || query.Has("iss")) && one(query, "iss") != p.Issuer {
		return vault.Person{}, refused("the answer is of another issuer", nil)
	}
	if query.Has("error") {
		return vault.Person{}, refusedThere(one(query, "error"))
	}
	token, err := p.redeem(ctx, said, one(query, "code"), p.derived(attempt, "verifier"))
	if err != nil {
		return vault.Person{}, err
	}
	return p.person(ctx, token, p.derived(attempt, "nonce"))
}

// one returns what a query has under a name, and nothing if it has that several times.
func one(query url.Values, name string) string {
	if all := query[name]; len(all) == 1 {
		return all[0]
	}
	return ""
}

// refusedThere is for what a provider says in place of a code. Of its words only those of the
// standard are repeated.
func refusedThere(code string) error {
	switch code {
	case "access_denied", "login_required", "interaction_required", "consent_required":
		return &vault.Error{
			Kind: vault.Denied, Detail: "The sign-in was refused or broken off at the provider",
			Cause: errors.New(code),
		}
	}
	return away(fmt.Errorf("it sent the browser back with an error%s", known(code)))
}

// away is for a provider without which nobody can sign in at it.
func away(cause error) error {
	return &vault.Error{
		Kind: vault.BadGateway, Cause: cause,
		Detail: "The provider of sign-ins cannot be reached, or does not answer as it should. " +
			"Try again later, or ask for a sign-in link",
	}
}

// redeem exchanges a code for an ID token.
func (p *Provider) redeem(
	ctx context.Context, said discovery, code, verifier string,
) (string, error) {
	if code == "" {
		return "", refused("there is no code", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	request, err := p.tokenRequest(ctx, said, code, verifier)
	if err != nil {
		return "", away(err)
	}
	var answer struct {
		Token string `json:"id_token"`
		Error string `json:"error"`
	}
	status, err := p.verifier.ask(request, &answer)
	switch {
	case err != nil:
		return "", away(err)
	case status == http.StatusBadRequest && answer.Error == "invalid_grant":
		return "", refused("the provider does not know the code, or not any more", nil)
	case status != http.StatusOK:
		return "", away(fmt.Errorf("its token endpoint answered %d%s: %w", status,
			known(answer.Error), errTokenEndpoint))
	case answer.Token == "":
		return "", away(errors.New("its token endpoint answered without an ID token"))
	}
	return answer.Token, nil
}

var errTokenEndpoint = errors.New("are the client's id, its secret and the address for its " +
	"browsers as the provider has them?")

// The ways in which a client presents its secret.
const (
	basic = "client_secret_basic"
	post  = "client_secret_post"
)

// tokenRequest presents the client by Basic, as every provider takes it, but for one that says that
// it does not.
func (p *Provider) tokenRequest(
	ctx context.Context, said discovery, code, verifier string,
) (*http.Request, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier},
		"redirect_uri": {p.Redirect},
	}
	secret := string(p.Secret.Reveal())
	inForm := slices.Contains(said.Methods, post) && !slices.Contains(said.Methods, basic)
	if inForm {
		form.Set("client_id", p.ClientID)
		form.Set("client_secret", secret)
	}
	request, err := http.NewRequestWithContext(
		ctx, http.MethodPost, said.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !inForm { // RFC 6749, section 2.3.1
		request.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(secret))
	}
	return request, nil
}

// known returns an error code of OAuth after a space, and nothing of what else a provider or a link
// may say.
func known(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type",
		"unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable",
		"request_not_supported":
		return " " + code
	}
	return ""
}
