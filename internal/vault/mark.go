package vault

import "crypto/hmac"

// Marked reports whether an instance key that is believed made the mark of that data, with
// RowMAC. Nobody else can.
func (o *Operator) Marked(data, mark []byte) bool {
	for _, key := range o.instance.all() {
		if sum := key.RowMAC(data); hmac.Equal(sum[:], mark) {
			return true
		}
	}
	return false
}
