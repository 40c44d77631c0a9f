package vault

import "crypto/hmac"

// Mark returns the mark of that data by the instance key that signs now, with RowMAC.
func (o *Operator) Mark(data []byte) ([]byte, error) {
	key, err := o.instance.first()
	if err != nil {
		return nil, err
	}
	sum := key.RowMAC(data)
	return sum[:], nil
}

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
