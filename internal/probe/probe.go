// Package probe asks a provider whether a key works: one harmless request, as the catalog describes
// it, to a host that the catalog names.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

// ErrNoCheck says that the catalog has no check for a key.
var ErrNoCheck = errors.New("there is no check for this kind of key")

// What a probe takes at most.
const (
	timeout = 10 * time.Second
	maxBody = 64 << 10
)

// A Prober asks providers. It is safe for concurrent use.
type Prober struct {
	catalog   *catalog.Catalog
	client    *http.Client
	userAgent string
}

// New returns a prober that asks through a transport, which must connect to public hosts alone.
func New(known *catalog.Catalog, transport http.RoundTripper, userAgent string) *Prober {
	return &Prober{
		catalog: known,
		client: &http.Client{
			Transport: transport,
			Timeout:   timeout,
			// The key is for the host that was asked, so a redirect is an answer like another.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		userAgent: userAgent,
	}
}

// CanProbe reports whether the catalog has a check for a key.
func (p *Prober) CanProbe(preset string, key plaintext.Value) bool {
	_, found := p.catalog.CheckOf(preset, key)
	return found
}

// Probe asks the provider once, and tries nothing again: some lock out who does. [ErrNoCheck]. An
// error that says Timeout is of a provider that did not answer in time, any other of one that could
// not be reached.
func (p *Prober) Probe(
	ctx context.Context, preset string, key plaintext.Value,
) (catalog.Finding, error) {
	check, found := p.catalog.CheckOf(preset, key)
	if !found {
		return catalog.Finding{}, ErrNoCheck
	}
	entry, _ := p.catalog.Entry(preset)
	request, err := p.request(ctx, entry, check.Request, key)
	if err != nil {
		return catalog.Finding{}, err
	}
	answered, err := p.ask(request)
	if err != nil {
		return catalog.Finding{}, err
	}
	finding := judge(check, answered)
	finding.extract(check.Extract, answered, key)
	return catalog.Finding(finding), nil
}

// ask sends a request and reads what it may of the answer. No error has a part of the request: its
// URL may have the key in it.
func (p *Prober) ask(request *http.Request) (answer, error) {
	response, err := p.client.Do(request)
	if err != nil {
		return answer{}, withoutURL(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read, or is of no use
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return answer{}, withoutURL(err)
	}
	return newAnswer(response.StatusCode, response.Header, body), nil
}

// withoutURL returns an error that net/http returned, without the address in it.
func withoutURL(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		if of.Timeout() {
			return fmt.Errorf("ask the provider: %w", context.DeadlineExceeded)
		}
		err = of.Err
	}
	return fmt.Errorf("ask the provider: %w", err)
}
