package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// BrokerLimits bound what the broker does for a lease, over all its secrets together. Zero stands
// for no limit. They narrow what the catalog allows and never widen it.
type BrokerLimits struct {
	PerMinute  int      `json:"per_minute,omitempty"`  // requests
	Concurrent int      `json:"concurrent,omitempty"`  // requests
	Requests   int64    `json:"requests,omitempty"`    // in all
	Bytes      int64    `json:"bytes,omitempty"`       // of bodies in both directions, in all
	Tokens     int64    `json:"tokens,omitempty"`      // as the provider reports them, in all
	Methods    []string `json:"methods,omitempty"`     // the only ones
	Paths      []string `json:"paths,omitempty"`       // prefixes of the provider's own paths
	OpenEgress bool     `json:"open_egress,omitempty"` // the proxy passes other hosts on untouched
	// Params are those of hosts, such as the resource of Azure: what the catalog leaves open.
	Params map[string]string `json:"params,omitempty"`
}

const (
	maxBrokerNumber = 1 << 53 // of a limit: a JSON number is exact up to it
	maxBrokerRate   = 1_000_000
	maxBrokerList   = 20
	maxBrokerPath   = 256
)

// Text returns the limits as they are stored, empty where there are none.
func (l BrokerLimits) Text() string {
	text, _ := json.Marshal(l) // numbers and texts: it does not fail
	if string(text) == "{}" {
		return ""
	}
	return string(text)
}

var errNotLimits = errors.New("the value is not the limits of a broker")

// ParseBrokerLimits is the reverse of [BrokerLimits.Text].
func ParseBrokerLimits(text string) (l BrokerLimits, err error) {
	if text != "" && json.Unmarshal([]byte(text), &l) != nil || l.Text() != text {
		return BrokerLimits{}, errNotLimits
	}
	return l, nil
}

// Check returns what is wrong with limits. Invalid.
func (l BrokerLimits) Check() error {
	var wrong []Field
	number := func(name string, n, most int64) {
		if n < 0 || n > most {
			wrong = append(wrong, Field{
				"broker." + name, GoodValue, fmt.Sprintf("Must be between 1 and %d", most),
			})
		}
	}
	number("requests_per_minute", int64(l.PerMinute), maxBrokerRate)
	number("concurrent_requests", int64(l.Concurrent), maxBrokerRate)
	number("requests", l.Requests, maxBrokerNumber)
	number("bytes", l.Bytes, maxBrokerNumber)
	number("tokens", l.Tokens, maxBrokerNumber)
	wrong = append(wrong, checkBrokerList("methods", l.Methods, checkMethod)...)
	wrong = append(wrong, checkBrokerList("path_prefixes", l.Paths, checkPathPrefix)...)
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// NewParams reads params of hosts, each as NAME=VALUE. Invalid. Whether the catalog has them is
// found out with the secrets of the lease.
func NewParams(all []string) (map[string]string, error) {
	wrong := checkBrokerList("params", all, func(text string) string {
		name, value, _ := strings.Cut(text, "=")
		if name == "" || value == "" || len(text) > maxBrokerPath {
			return "Must be NAME=VALUE"
		}
		return ""
	})
	if len(wrong) > 0 {
		return nil, invalid(wrong...)
	}
	params := map[string]string{}
	for i, text := range all {
		name, value, _ := strings.Cut(text, "=")
		if _, twice := params[name]; twice {
			return nil, invalid(Field{
				fmt.Sprintf("broker.params.%d", i), GoodValue, "This parameter is there twice",
			})
		}
		params[name] = value
	}
	return params, nil
}

// ParamTexts is the reverse of [NewParams].
func (l BrokerLimits) ParamTexts() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(l.Params)) {
		all = append(all, name+"="+l.Params[name])
	}
	return all
}

// NewEgress reports whether the proxy passes hosts on untouched that are no secret's. Invalid: the
// text says neither.
func NewEgress(text string) (open bool, err error) {
	if text != "open" && text != "deny" {
		return false, invalid(Field{"broker.egress", OneOf, "Must be deny or open"})
	}
	return text == "open", nil
}

func checkBrokerList(name string, list []string, wrong func(string) string) (fields []Field) {
	name = "broker." + name
	if len(list) > maxBrokerList {
		return []Field{{name, TooMany, fmt.Sprintf("At most %d", maxBrokerList)}}
	}
	for i, text := range list {
		if msg := wrong(text); msg != "" {
			fields = append(fields, Field{name + "." + strconv.Itoa(i), Pattern, msg})
		}
	}
	return fields
}

func checkMethod(text string) string {
	if slices.Contains(
		[]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, text) {
		return ""
	}
	return "Must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"
}

// checkPathPrefix accepts only what has one form: a path that can be written in two ways would be
// refused in one and let through in the other.
func checkPathPrefix(text string) string {
	odd := strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`?#%\;"`, r)
	})
	if !strings.HasPrefix(text, "/") || len(text) > maxBrokerPath || odd ||
		strings.Contains(text, "//") || slices.Contains(strings.Split(text, "/"), "..") ||
		slices.Contains(strings.Split(text, "/"), ".") {
		return "Must begin with / and have no .., //, query or escaped characters"
	}
	return ""
}
