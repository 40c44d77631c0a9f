package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// ServeHTTP implements [http.Handler].
//
// What it takes to admit a request is off the stack again while the answer streams. So the stack of
// a stream in which nothing happens can shrink to half: it uses less than a quarter.
func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := b.begin(w, r); f != nil {
		b.pass(f)
	}
}

// pass sends a request on, and its answer back.
func (b *Broker) pass(f *flow) {
	defer b.end(f)
	defer f.exchange.End()
	b.proxy.ServeHTTP(&f.replier, f.request)
}

// begin returns the flow of a request that is to be sent on. It answers all others, and returns
// nil.
func (b *Broker) begin(w http.ResponseWriter, r *http.Request) *flow {
	switch {
	case r.Method == http.MethodConnect:
		b.connect(w, r)
		return nil
	case r.RequestURI == authorityPath && r.Method == http.MethodGet:
		b.serveAuthority(w, r)
		return nil
	}
	t, err := parseTarget(r.RequestURI)
	if why, ok := errors.AsType[*refusal](err); ok {
		b.refuse(w, r, t.provider, why)
		return nil
	}
	return b.beginTo(w, r, t)
}

// beginTo is begin for a request to a target.
func (b *Broker) beginTo(w http.ResponseWriter, r *http.Request, t target) *flow {
	began := time.Now()
	p, found := b.providers[t.provider]
	if !found {
		b.refuse(w, r, "", refuse(ruleProvider, "There is no such provider"))
		return nil
	}
	f, why := b.admit(r, p, t)
	f.began = began
	if why != nil {
		b.observe(t.provider, string(why.rule))
		if f.grant.Lease != uuid.Nil {
			b.note(r, f, why)
		}
		b.answer(w, r, p, f.grant, why)
		return nil
	}
	b.prepare(w, r, f)
	return f
}

// refuse answers a request that has no lease, as far as is known.
func (b *Broker) refuse(w http.ResponseWriter, r *http.Request, provider string, why *refusal) {
	p := b.providers[provider]
	if p == nil {
		provider = ""
	}
	b.observe(provider, string(why.rule))
	b.answer(w, r, p, vault.Grant{}, why)
}

func (b *Broker) answer(
	w http.ResponseWriter, r *http.Request, p *provider, g vault.Grant, why *refusal,
) {
	lease := ""
	if g.Lease != uuid.Nil {
		lease = g.Lease.String()
	}
	why.answer(w, r, p, lease)
	linger(w, r.Body, r)
}

// How much of the rest of a refused body is taken, and for how long: it may never end.
const (
	lingerTime = time.Second
	maxLinger  = 4 << 20
)

// linger takes what a client of HTTP/1 still sends of a body after it was answered. If its
// connection were closed at once, its system would throw the answer away. HTTP/2 can say that the
// rest is not wanted.
func linger(w http.ResponseWriter, body io.Reader, r *http.Request) {
	if body == nil || body == http.NoBody {
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(lingerTime))
	if r.ProtoMajor == 1 && r.Header.Get("Expect") == "" {
		_ = control.Flush()
		_, _ = io.CopyN(io.Discard, body, maxLinger) // the client may be gone
	}
}

// admit decides whether a request gets a key, and which. The flow of one that does not says at
// least whose it is, if that is known.
func (b *Broker) admit(r *http.Request, p *provider, t target) (*flow, *refusal) {
	f := &flow{target: t}
	m, why := p.match(t)
	if why != nil {
		return f, why
	}
	if why := checkRequest(r, p); why != nil {
		return f, why
	}
	if why := checkOverride(r.Header, t); why != nil {
		return f, why
	}
	got, why := m.places.find(r, t, p.shape)
	if why != nil {
		return f, why
	}
	if f.grant, why = b.grant(r.Context(), got.placeholder); why != nil {
		return f, why
	}
	grant := f.grant
	lease, inside := r.Context().Value(leaseKey{}).(uuid.UUID)
	if inside && lease != grant.Lease {
		return f, refuse(ruleMismatch, "The placeholder is one of another lease")
	}
	if grant.Provider != p.entry.ID {
		return f, refuse(ruleMismatch, "The placeholder is one of another provider")
	}
	if m, why = m.settle(t.host, grant.Limits.Params); why != nil {
		return f, why
	}
	f.match = m
	if why := checkLease(r, t, grant.Limits); why != nil {
		return f, why
	}
	if m.isDenied(r.Method, t) {
		return f, refuse(rulePath, "What is asked for would work without Keysake: a credential "+
			"that outlives the lease")
	}
	if isWebSocket(r) && !slices.Contains(m.attach.Stream, "websocket") {
		return f, refuse(ruleUpgrade, "The catalog has no WebSocket for this path")
	}
	if isWebSocket(r) && grant.Limits.Tokens > 0 {
		return f, refuse(ruleUpgrade, "The lease has a limit of tokens, and those of a WebSocket "+
			"are not counted")
	}
	f.placeholder = got.placeholder
	f.credential, why = makeCredential(p.entry, b.recipeOf(m, grant), grant, got.user)
	if why != nil {
		return f, why
	}
	b.hold(f)
	if m.places.isMisplaced(f.own, r.Header, t) {
		return f, errMisplaced
	}
	if m.attach.NoRedact {
		f.masks = nil
	}
	why = f.quota.begin(grant.Limits, time.Now())
	f.counted = why == nil
	return f, why
}

// grant asks the vault what a placeholder stands for.
func (b *Broker) grant(ctx context.Context, placeholder string) (vault.Grant, *refusal) {
	g, err := b.grants.Grant(ctx, plaintext.FromString(placeholder))
	switch {
	case err == nil:
		return g, nil
	case vault.KindOf(err) == vault.Unauthenticated:
		why := refuse(rulePlaceholder, "The placeholder is unknown, or its lease has ended")
		if g.Why != "" && g.Lease != uuid.Nil {
			why.detail = "The lease cannot be used any more (" + string(g.Why) + ")"
		}
		return g, why
	}
	b.log.WarnContext(ctx, "a lease could not be looked up", "cause", err)
	return vault.Grant{}, unavailable()
}

// checkRequest refuses what no provider needs, and what servers read in different ways.
func checkRequest(r *http.Request, p *provider) *refusal {
	switch r.Method {
	case http.MethodTrace, "TRACK", http.MethodConnect:
		return refuse(ruleMethod, "This method shows what a request has, or is for proxies")
	}
	for name := range r.Trailer {
		for _, places := range p.places {
			if slices.Contains(places.headers, name) {
				return errTrailer
			}
		}
	}
	return nil
}

var errTrailer = &refusal{
	status: http.StatusBadRequest, rule: ruleOther,
	detail: "A credential may not be in a trailer",
}

// checkLease refuses what the lease does not allow, though the catalog does.
func checkLease(r *http.Request, t target, l vault.BrokerLimits) *refusal {
	if len(l.Methods) > 0 && !slices.Contains(l.Methods, r.Method) {
		return refuse(ruleMethod, "The lease does not allow this method")
	}
	if len(l.Paths) > 0 && !slices.ContainsFunc(l.Paths, func(prefix string) bool {
		return hasPathPrefix(t.path, prefix)
	}) {
		return refuse(rulePath, "The lease does not allow this path")
	}
	return nil
}

// prepare makes a request that was admitted one that is under way, until end.
func (b *Broker) prepare(w http.ResponseWriter, r *http.Request, f *flow) {
	ctx, cancel := context.WithCancelCause(r.Context())
	f.cancel, f.control = cancel, http.NewResponseController(w)
	f.passes = f.match.attach.PassEncodings
	f.idle, f.usage.names = f.match.idle, f.match.usage
	f.exchange.Start(w, r)
	f.replier = replier{w, f}
	f.request = r.WithContext(context.WithValue(ctx, flowKey{}, f))
	b.enter(f.placeholder, f)
}

// end counts and records a request that was sent on.
func (b *Broker) end(f *flow) {
	defer f.cancel(nil)
	b.leave(f.placeholder, f)
	f.quota.end(f.usage.tokens())
	why := f.finish()
	if ended, ok := errors.AsType[*refusal](context.Cause(f.request.Context())); ok {
		why = ended // though the answer had begun
	}
	outcome := "passed"
	if why != nil {
		outcome = string(why.rule)
	}
	b.observe(f.match.entry.ID, outcome)
	b.note(f.request, f, why)
}

// note records a request, with nothing of what it had but its method and the form of its path.
func (b *Broker) note(r *http.Request, f *flow, why *refusal) {
	one := vault.BrokeredRequest{
		User: f.grant.User, By: f.grant.By, Lease: f.grant.Lease, Secret: f.grant.Secret,
		At:     f.began,
		Method: methodName(r.Method), Host: f.match.host, Path: template(f.target.path),
		Status: f.status, Sent: f.sent.Load(), Received: f.received.Load(),
		Took: time.Since(f.began), Tokens: f.usage.tokens(), Counts: f.counted,
		Shown: b.shown(f), Stamp: f.grant.Stamp,
	}
	if remote, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		one.Client = remote.Addr().Unmap().WithZone("")
	}
	if why != nil {
		one.Status, one.Refused, one.Detail = why.status, string(why.rule), why.detail
	}
	if f.grant.Why != "" {
		b.record.addEnded(one)
		return
	}
	b.record.add(one)
}

// methodName returns a method that is known, because any word can be one.
func methodName(method string) string {
	if len(method) <= 16 && strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return method
	}
	return "other"
}
