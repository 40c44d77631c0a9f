package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Fault is what keeps people from signing in at a provider.
type Fault struct {
	Err    error
	Advice string
	Away   bool // the provider does not answer now, and may another time
}

// Examine asks the provider what it is, without what is known of it, and returns what is wrong. It
// signs nobody in, so whether the provider knows the client is not found out.
func (p *Provider) Examine(ctx context.Context) (faults []Fault) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	v, said := p.verifier, discovery{}
	if err := v.get(ctx, discoveryOf(p.Issuer), &said); err != nil {
		return []Fault{unanswered(err)}
	}
	add := func(advice, format string, args ...any) {
		faults = append(faults, Fault{Err: fmt.Errorf(format, args...), Advice: advice})
	}
	if said.Issuer != p.Issuer {
		add("give --oidc-issuer exactly as the document has it, with or without a slash at its end",
			"the document at %s is of another issuer: %.200q", discoveryOf(p.Issuer), said.Issuer)
	}
	for _, endpoint := range []struct{ name, url string }{
		{"authorization_endpoint", said.Authorize}, {"token_endpoint", said.Token},
	} {
		if _, ok := httpsURL(endpoint.url); !ok {
			add("name a provider at which people sign in",
				"the provider has no https URL as %s", endpoint.name)
		}
	}
	lacks := func(said []string, known ...string) bool {
		isKnown := func(one string) bool { return slices.Contains(known, one) }
		return len(said) > 0 && !slices.ContainsFunc(said, isKnown)
	}
	if lacks(said.Algorithms, algorithms...) {
		add("have it sign ID tokens for this client with one of "+strings.Join(algorithms, ", "),
			"the provider signs with no algorithm that is accepted")
	}
	if lacks(said.Methods, basic, post) {
		add("have it take the client's secret by "+basic+" or "+post,
			"the provider takes no secret of a client")
	}
	if fault := v.examineKeys(ctx, said.Keys); fault.Err != nil {
		faults = append(faults, fault)
	}
	return faults
}

// examineKeys fetches the keys of an issuer.
func (v *Verifier) examineKeys(ctx context.Context, address string) Fault {
	const advice = "have the provider publish a key for one of the accepted algorithms"
	if _, ok := httpsURL(address); !ok {
		return Fault{Err: errKeysURL, Advice: advice}
	}
	var set keyDocument
	if err := v.get(ctx, address, &set); err != nil {
		return unanswered(err)
	}
	_, err := set.publicKeys()
	return Fault{Err: err, Advice: advice}
}

// unanswered is for a document that cannot be had. A provider that says that it is not there, or
// something else, is none.
func unanswered(err error) Fault {
	status, isStatus := errors.AsType[*statusError](err)
	if isStatus && status.status < http.StatusInternalServerError || errors.Is(err, errDocument) {
		return Fault{Err: err, Advice: "check --oidc-issuer: no provider is there"}
	}
	return Fault{
		Err: err, Away: true,
		Advice: "check that the provider runs, and that this machine reaches and trusts it",
	}
}
