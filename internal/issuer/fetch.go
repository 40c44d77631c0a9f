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
}

var (
	errOtherIssuer = errors.New("the document is of another issuer")
	errKeysURL     = errors.New("the address of the keys is not an https URL")
)

// fetch asks an issuer for its keys.
func (v *Verifier) fetch(ctx context.Context, issuer string) ([]publicKey, error) {
	var said discovery
	err := v.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &said)
	if err != nil {
		return nil, err
	}
	if said.Issuer != issuer { // character by character, as OpenID Connect Discovery demands
		return nil, errOtherIssuer
	}
	at, err := url.Parse(said.Keys)
	if err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil {
		return nil, errKeysURL
	}
	var set keyDocument
	if err := v.get(ctx, said.Keys, &set); err != nil {
		return nil, err
	}
	return set.publicKeys()
}

// get reads a JSON document. No error has anything of it.
func (v *Verifier) get(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "keysake")
	response, err := v.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", address, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = errors.New("it is too long")
	}
	if err == nil && json.Unmarshal(body, into) != nil {
		err = errors.New("it is not the JSON that was expected")
	}
	if err != nil {
		return fmt.Errorf("the document at %s: %w", address, err)
	}
	return nil
}
