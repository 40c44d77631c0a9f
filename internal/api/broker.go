package api

import (
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// errNoBroker is the answer where there is no broker.
func errNoBroker() error {
	return &vault.Error{Kind: vault.Invalid, Detail: "Validation error", Fields: []vault.Field{{
		Name: "delivery", Rule: vault.GoodValue, Msg: "This server has no broker",
	}}}
}

// parseLimits reads the limits of a lease for the broker.
func parseLimits(in wire.BrokerLimits) (vault.BrokerLimits, error) {
	out := vault.BrokerLimits{
		PerMinute:  int(least(in.RequestsPerMinute)),
		Concurrent: int(least(in.ConcurrentRequests)),
		Requests:   least(in.Requests), Bytes: least(in.Bytes), Tokens: least(in.Tokens),
	}
	if in.Methods != nil && len(*in.Methods) > 0 {
		out.Methods = *in.Methods
	}
	if in.PathPrefixes != nil && len(*in.PathPrefixes) > 0 {
		out.Paths = *in.PathPrefixes
	}
	var err error
	if in.Egress != nil {
		out.OpenEgress, err = vault.NewEgress(*in.Egress)
	}
	var paramsErr error
	if in.Params != nil && len(*in.Params) > 0 {
		out.Params, paramsErr = vault.NewParams(*in.Params)
	}
	return out, vault.JoinInvalid(out.Check(), err, paramsErr)
}

// least returns a limit, for which zero stands if there is none: one of 0 is as wrong as -1.
func least(limit *int64) int64 {
	switch {
	case limit == nil:
		return 0
	case *limit == 0:
		return -1
	}
	return *limit
}

func limitsBody(l vault.BrokerLimits) wire.BrokerLimits {
	egress := wire.EgressDeny
	if l.OpenEgress {
		egress = wire.EgressOpen
	}
	body := wire.BrokerLimits{
		RequestsPerMinute:  limitOrNull(int64(l.PerMinute)),
		ConcurrentRequests: limitOrNull(int64(l.Concurrent)),
		Requests:           limitOrNull(l.Requests), Bytes: limitOrNull(l.Bytes),
		Tokens: limitOrNull(l.Tokens), Egress: &egress,
	}
	if len(l.Methods) > 0 {
		body.Methods = &l.Methods
	}
	if len(l.Paths) > 0 {
		body.PathPrefixes = &l.Paths
	}
	if params := l.ParamTexts(); len(params) > 0 {
		body.Params = &params
	}
	return body
}

func limitOrNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// brokeredBodies say what programs get for each secret of a lease that was just made.
func brokeredBodies(v *vault.Service, made vault.Delivered) []wire.BrokeredSecret {
	return bodiesOf(made.Placeholders, func(p vault.Placeholder) wire.BrokeredSecret {
		use := v.UseAtBroker(p.Provider, made.Limits.Params)
		return wire.BrokeredSecret{
			SecretID: p.Secret.String(), Name: p.Name, Provider: p.Provider,
			Placeholder: string(p.Value.Reveal()),
			BaseURLs: bodiesOf(use.BaseURLs, func(b vault.BrokerVariable) wire.BrokerVariable {
				return wire.BrokerVariable{Name: b.Name, Path: b.Path, Scheme: b.Scheme}
			}),
			Unset: append([]string{}, use.Unset...),
			Git: bodiesOf(use.Git, func(g vault.BrokerGit) wire.BrokerGit {
				return wire.BrokerGit{URL: g.URL, Path: g.Path, User: g.User}
			}),
			GH: append([]string{}, use.GH...), NeedsProxy: use.NeedsProxy,
		}
	})
}

func listBrokered(v *vault.Service) handler {
	return handleGet(func(r *request) (wire.BrokeredRequestList, error) {
		lease, err := r.pathID("lease_id")
		if err != nil {
			return wire.BrokeredRequestList{}, err
		}
		q := r.query("after", "limit", "refused")
		in := vault.BrokeredQuery{
			Lease: lease, After: q.id("after"), Limit: q.number("limit", vault.MaxBrokeredPage),
			Refused: q.flag("refused"),
		}
		if err := q.err(); err != nil {
			return wire.BrokeredRequestList{}, err
		}
		found, err := v.ListBrokered(r.Context(), r.actor, in)
		return wire.BrokeredRequestList{Requests: bodiesOf(found, brokeredBody)}, err
	})
}

func brokeredBody(r vault.BrokeredRequest) wire.BrokeredRequest {
	body := wire.BrokeredRequest{
		ID: r.ID.String(), At: wire.At(r.At), Method: r.Method, Host: r.Host, Path: r.Path,
		Status: int64(r.Status), BytesSent: r.Sent, BytesReceived: r.Received,
		DurationMicros: r.Took.Microseconds(), Tokens: r.Tokens,
		Refused: orNull(r.Refused), Detail: orNull(r.Detail),
	}
	if r.Secret != uuid.Nil {
		body.SecretID = orNull(r.Secret.String())
	}
	return body
}
