package vault

// The token's functions, for their own tests.
var (
	NewToken  = newToken
	HashToken = hashToken
)
