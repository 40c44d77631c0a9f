package cli

import (
	"strconv"
	"strings"

	"github.com/keysake/keysake/wire"
)

// brokerLimits reads the limits of a lease for the broker: NAME=VALUE, with the names of the API,
// and what else it has for the broker. The server checks the values.
func (in *running) brokerLimits() (*wire.BrokerLimits, error) {
	if len(in.limits) == 0 && in.egress == "" && len(in.params) == 0 {
		return nil, nil
	}
	out := new(wire.BrokerLimits)
	if in.egress != "" {
		out.Egress = &in.egress
	}
	if len(in.params) > 0 {
		out.Params = &in.params
	}
	numbers := map[string]**int64{
		"requests_per_minute": &out.RequestsPerMinute, "requests": &out.Requests,
		"concurrent_requests": &out.ConcurrentRequests, "bytes": &out.Bytes, "tokens": &out.Tokens,
	}
	lists := map[string]**[]string{"methods": &out.Methods, "path_prefixes": &out.PathPrefixes}
	for _, text := range in.limits {
		name, value, _ := strings.Cut(text, "=")
		number, list := numbers[name], lists[name]
		switch {
		case list != nil && value != "":
			if *list == nil {
				*list = new([]string)
			}
			**list = append(**list, strings.Split(value, ",")...)
		case number != nil && *number == nil:
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, usagef("--limit %s: %q is no whole number", name, value)
			}
			*number = &n
		case number != nil:
			return nil, usagef("--limit %s: it is there twice", name)
		default:
			return nil, usagef("--limit: %q is not NAME=VALUE with a NAME of requests, "+
				"requests_per_minute, concurrent_requests, bytes, tokens, methods or "+
				"path_prefixes", text)
		}
	}
	return out, nil
}
