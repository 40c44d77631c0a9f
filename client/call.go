package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// perCall is what a context asks of the requests that are made with it.
type perCall struct {
	idempotencyKey, ifMatch string
	tag                     *string
}

type perCallKey struct{}

func withCall(ctx context.Context, change func(*perCall)) context.Context {
	p, _ := ctx.Value(perCallKey{}).(perCall)
	change(&p)
	return context.WithValue(ctx, perCallKey{}, p)
}

// WithIdempotencyKey returns a context for one create of a secret or a lease. If the create is made
// again with the same key and the same body within a day, by another process, too, nothing is done,
// and the answer is what it was.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return withCall(ctx, func(p *perCall) { p.idempotencyKey = key })
}

// WithIfMatch returns a context for a change of a secret that succeeds only if the secret still has
// this entity tag, which [WithETag] finds. Otherwise it is an [*Error] of the status 412.
func WithIfMatch(ctx context.Context, tag string) context.Context {
	return withCall(ctx, func(p *perCall) { p.ifMatch = tag })
}

// WithETag returns a context for a request whose answer is one secret: tag becomes that secret's
// entity tag.
func WithETag(ctx context.Context, tag *string) context.Context {
	return withCall(ctx, func(p *perCall) { p.tag = tag })
}

// query returns the parameters of a page that are not empty, with the ? before them.
func query(limit int, parameters map[string]string) string {
	values := url.Values{}
	for name, value := range parameters {
		if value != "" {
			values.Set(name, value)
		}
	}
	if limit != 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// ask puts what the context asks into the header of a request.
func (p perCall) ask(h http.Header) {
	for name, value := range map[string]string{
		"Idempotency-Key": p.idempotencyKey, "If-Match": p.ifMatch,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
}

// take puts what the context asked for where it said.
func (p perCall) take(h http.Header) {
	if tag := h.Get("ETag"); p.tag != nil && tag != "" {
		*p.tag = tag
	}
}
