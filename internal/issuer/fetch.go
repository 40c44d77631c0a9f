package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// maxDocument is how long a document of an issuer may be.
const maxDocument = 256 << 10

func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		// Who an issuer is must not depend on where it leads.
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// A discovery is what an issuer says of itself.
type discovery struct {
	Issuer string `json:"issuer"`
	Keys   string `json:"jwks_uri"`

	// Of one where people sign in:

	Authorize   string   `json:"authorization_endpoint"`
	Token       string   `json:"token_endpoint"`
	Methods     []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	Algorithms  []string `json:"id_token_signing_alg_values_supported"`
}

var (
	errOtherIssuer = errors.New("the document is of another issuer")
	errDocument    = errors.New("it is too long, or not the JSON that was expected")
	errKeysURL     = errors.New("the address of the keys is not an https URL")
)

// fetch asks an issuer what it is, and for its keys.
func (v *Verifier) fetch(
	ctx context.Context, issuer string,
) (said discovery, keys []publicKey, err error) {
	if err = v.get(ctx, discoveryOf(issuer), &said); err != nil {
		return said, nil, err
	}
	if said.Issuer != issuer { // character by character, as OpenID Connect Discovery demands
		return said, nil, errOtherIssuer
	}
	if _, ok := httpsURL(said.Keys); !ok {
		return said, nil, errKeysURL
	}
	var set keyDocument
	if err := v.get(ctx, said.Keys, &set); err != nil {
		return said, nil, err
	}
	keys, err = set.publicKeys()
	return said, keys, err
}

// discoveryOf returns where an issuer says what it is.
func discoveryOf(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

func httpsURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	return u, err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// get reads a JSON document. No error has anything of it.
func (v *Verifier) get(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	status, err := v.ask(request, into)
	if err == nil && status != http.StatusOK {
		err = &statusError{address, status}
	}
	return err
}

// A statusError is what an issuer answers in place of a document.
type statusError struct {
	address string
	status  int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answered %d", e.address, e.status) }

// ask sends a request, and reads the JSON document in the answer, if that is one of success or says
// what was wrong with the request. Otherwise the status alone tells.
func (v *Verifier) ask(request *http.Request, into any) (status int, err error) {
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "keysake")
	response, err := v.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	switch response.StatusCode {
	case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized:
	default:
		return response.StatusCode, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err == nil && (len(body) > maxDocument ||
		json.Unmarshal(body, into) != nil && response.StatusCode == http.StatusOK) {
		err = errDocument
	}
	if err != nil {
		return 0, fmt.Errorf("the document at %s: %w", request.URL, err)
	}
	return response.StatusCode, nil
}
