package cli

import (
	"strconv"
	"strings"

	"github.com/keysake/keysake/wire"
)

// brokerLimits reads the limits of a lease for the broker: NAME=VALUE, with the names of the API,
// and what the proxy does with other hosts. The server checks the values.
func brokerLimits(all []string, egress string) (*wire.BrokerLimits, error) {
	if len(all) == 0 && egress == "" {
		return nil, nil
	}
	out := new(wire.BrokerLimits)
	if egress != "" {
		out.Egress = &egress
	}
	numbers := map[string]**int64{
		"requests_per_minute": &out.RequestsPerMinute, "requests": &out.Requests,
		"concurrent_requests": &out.ConcurrentRequests, "bytes": &out.Bytes, "tokens": &out.Tokens,
	}
	lists := map[string]**[]string{"methods": &out.Methods, "path_prefixes": &out.PathPrefixes}
	for _, text := range all {
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
