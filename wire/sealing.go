package wire

import "time"

// A SealingKey is the answer to GET /sealing-key: the public key to which the body of a request can
// be sealed.
type SealingKey struct {
	ID        string       `json:"id"`
	Recipient string       `json:"recipient"`  // x-wing: and the key
	Server    string       `json:"server"`     // UUID; what is sealed is bound to it
	ExpiresAt time.Time    `json:"expires_at"` // get the next one then
	Others    []SealingAlt `json:"others"`     // for libraries that lack the suite
}

// A SealingAlt is the same server's key of another suite.
type SealingAlt struct {
	ID        string `json:"id"`
	Recipient string `json:"recipient"`
}

// Sealed is the body of a sealed request. Its media type is application/keysake-sealed+json, with
// the id of the key as the parameter key.
type Sealed struct {
	Sealed string `json:"sealed" required:"true"` // base64
}
