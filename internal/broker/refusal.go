package broker

import (
	"net/http"
	"time"
)

// A rule names why a request was not sent on. It is a label of metrics and part of the record.
type rule string

// The rules.
const (
	ruleTarget      rule = "target"      // the path means different things to different servers
	ruleProvider    rule = "provider"    // no such provider
	ruleHost        rule = "host"        // the provider has no such host
	rulePath        rule = "path"        // the provider, or the lease, has no such path
	ruleMethod      rule = "method"      // nor such a method
	ruleUpgrade     rule = "upgrade"     // nor such a protocol
	ruleMissing     rule = "missing"     // no placeholder
	ruleOther       rule = "other"       // another credential in the place of the placeholder
	ruleMisplaced   rule = "misplaced"   // a placeholder where no credential belongs
	rulePlaceholder rule = "placeholder" // it is unknown, or its lease has ended
	ruleMismatch    rule = "mismatch"    // the placeholder is another provider's
	ruleParameter   rule = "parameter"   // the host, or the credential, needs what is not known
	ruleValue       rule = "value"       // the value cannot be part of a request
	ruleLimit       rule = "limit"       // of the lease
	ruleAddress     rule = "address"     // the provider's host has an address that is not allowed
	ruleUnavailable rule = "unavailable" // it cannot be known whether the lease lives
	ruleUpstream    rule = "upstream"    // the provider does not answer
	ruleClient      rule = "client"      // it left before the answer
	ruleAnswer      rule = "answer"      // the provider's answer cannot be passed on
)

// A refusal is why a request is not sent on, and what its client is told. Its text shows nothing of
// what was sent.
type refusal struct {
	status int
	rule   rule
	detail string
	after  time.Duration // when the client may try again; 0: it should not
	final  bool          // it should not, even then
}

func (r *refusal) Error() string { return r.detail }

func refuse(why rule, detail string) *refusal {
	return &refusal{status: http.StatusForbidden, rule: why, detail: detail}
}

var errTarget = &refusal{
	status: http.StatusBadRequest, rule: ruleTarget,
	detail: "The path is not canonical: send it without dot segments, empty segments, " +
		"backslashes and characters that are not encoded",
}

// errGone is for the record alone.
var errGone = &refusal{status: 499, rule: ruleClient, detail: "The client left before the answer"}

func unavailable() *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, rule: ruleUnavailable, after: time.Second,
		detail: "Keysake cannot tell now whether the lease lives: try again",
	}
}
