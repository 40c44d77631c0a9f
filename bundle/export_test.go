package bundle

import (
	"bytes"
	"slices"
)

// SmallOrder returns copies of the points to which nothing is sealed.
func SmallOrder() [][]byte {
	points := slices.Clone(smallOrder)
	for i, p := range points {
		points[i] = bytes.Clone(p)
	}
	return points
}

// Info is what a bundle is bound to.
func Info(b Binding, to Recipient) []byte { return b.info(to) }

// Marshal writes a payload.
func Marshal(p Payload, lease [16]byte) ([]byte, error) { return p.marshal(lease) }

// Unmarshal reads a payload.
func Unmarshal(b []byte, lease [16]byte) (Payload, error) { return unmarshal(b, lease) }

// SealText seals a text that need not be a payload.
func SealText(to Recipient, b Binding, text []byte) ([]byte, error) {
	return to.seal(b.info(to), text)
}

// RequestInfo is what a sealed request is bound to.
func RequestInfo(r Request, to Recipient) []byte { return r.info(to) }
