package broker

// Advice says in one sentence what to do about a request that was refused by a rule: the same for
// everyone who shows it. It is empty for a rule that it does not know.
func Advice(name string) string { return advices()[rule(name)] }

// advices has a sentence for each rule.
func advices() map[rule]string {
	return map[rule]string{
		ruleTarget: "Send the path in its plain form, without dot segments, empty segments, " +
			"backslashes and needless escapes.",
		ruleProvider: "Use the addresses that the lease names, which \"keysake run --broker\" " +
			"sets.",
		ruleHost: "Send this key to the hosts of its own provider only; a key for another host " +
			"is a secret of its own.",
		rulePath: "If it is the lease that does not allow the path, take one that does; what the " +
			"provider's preset leaves out, or forbids, no lease adds.",
		ruleMethod: "If the program needs this method, take a lease that allows it.",
		ruleUpgrade: "Use plain requests here; if it is a limit of tokens that forbids the " +
			"WebSocket, take a lease without one.",
		ruleMissing: "Have the program send the placeholder where it would send the key.",
		ruleOther: "Have the program send the placeholder alone, with no other credential beside " +
			"it.",
		ruleMisplaced: "Have the program send the placeholder only where the provider expects " +
			"the key, and not in other headers, the query or the body.",
		rulePlaceholder: "Take a new lease: start the program again with \"keysake run " +
			"--broker\".",
		ruleMismatch: "Check which variable the program reads: this placeholder is for another " +
			"provider or another run.",
		ruleParameter: "Take a lease that says it, with \"keysake run --broker --param " +
			"NAME=VALUE\"; if the preset has no such parameter, the broker cannot use this key.",
		ruleValue: "Replace the value of the secret: what is stored has characters that no " +
			"request can carry.",
		ruleLimit: "Wait if it is a limit for a time; otherwise take a lease that allows more.",
		ruleAddress: "Ask whoever runs the server: the host has an address that the broker is " +
			"not allowed to connect to.",
		ruleUnavailable: "Try again; if it stays so, ask whoever runs the server.",
		ruleUpstream:    "Try again later: the provider did not answer.",
		ruleClient: "Nothing, if the program was stopped; otherwise give it more time to wait " +
			"for an answer.",
		ruleAnswer: "Ask for the whole text without a range, or for something else: this answer " +
			"cannot be passed on without the risk that a key is in it.",
	}
}
