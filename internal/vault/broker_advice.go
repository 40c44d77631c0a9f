package vault

// RefusalAdvice says in one sentence what to do about a request that the broker refused by a rule:
// the same for everyone who shows it. It is empty for a rule that it does not know.
func RefusalAdvice(rule string) string { return refusalAdvices()[rule] }

// refusalAdvices has a sentence for each rule of the broker.
func refusalAdvices() map[string]string {
	return map[string]string{
		"target": "Send the path in its plain form, without dot segments, empty segments, " +
			"backslashes and needless escapes.",
		"provider": "Use the addresses that the lease names, which \"keysake run --broker\" sets.",
		"host": "Send this key to the hosts of its own provider only; a key for another host is " +
			"a secret of its own.",
		"path": "If it is the lease that does not allow the path, take one that does; what the " +
			"provider's preset leaves out, or forbids, no lease adds.",
		"method": "If the program needs this method, take a lease that allows it.",
		"upgrade": "Use plain requests here; if it is a limit of tokens that forbids the " +
			"WebSocket, take a lease without one.",
		"missing": "Have the program send the placeholder where it would send the key.",
		"other": "Have the program send the placeholder alone, with no other credential beside " +
			"it.",
		"misplaced": "Have the program send the placeholder only where the provider expects the " +
			"key, and not in other headers, the query or the body.",
		"placeholder": "Take a new lease: start the program again with \"keysake run --broker\".",
		"mismatch": "Check which variable the program reads: this placeholder is for another " +
			"provider or another run.",
		"parameter": "Take a lease that says it, with \"keysake run --broker --param " +
			"NAME=VALUE\"; if the preset has no such parameter, the broker cannot use this key.",
		"value": "Replace the value of the secret: what is stored has characters that no request " +
			"can carry.",
		"limit": "Wait if it is a limit for a time; otherwise take a lease that allows more.",
		"address": "Ask whoever runs the server: the host has an address that the broker is not " +
			"allowed to connect to.",
		"unavailable": "Try again; if it stays so, ask whoever runs the server.",
		"upstream":    "Try again later: the provider did not answer.",
		"client": "Nothing, if the program was stopped; otherwise give it more time to wait for " +
			"an answer.",
		"answer": "Ask for the whole text without a range, or for something else: this answer " +
			"cannot be passed on without the risk that a key is in it.",
	}
}
