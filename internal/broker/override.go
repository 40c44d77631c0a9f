package broker

import (
	"net/http"
	"strings"
)

// checkOverride refuses a request that tells its server to take it for another one: for one with
// another method, path or header than those that were looked at.
func checkOverride(h http.Header, t target) *refusal {
	for name := range h {
		if len(name) < len("X-Http-Method") || name[0] != 'X' {
			continue
		}
		// Some servers take an underscore for a hyphen.
		switch http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) {
		case "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
			return errOtherMethod
		case "X-Original-Url", "X-Rewrite-Url":
			return refuse(rulePath, "The request has another path in a header")
		}
	}
	if t.query == "" {
		return nil
	}
	for name := range queryValues(t.query) {
		switch strings.ToLower(name) {
		case "$httpmethod", "$httpheaders", "_method":
			return errOtherMethod
		}
	}
	return nil
}

var errOtherMethod = refuse(ruleMethod,
	"The request has another method, or more headers, in a header or a parameter")
