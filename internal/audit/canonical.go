package audit

import (
	"encoding/binary"
	"net/netip"
)

// canonicalTag begins the canonical bytes. A change of the form below needs a new tag.
const canonicalTag = "keysake audit entry v1\n"

// Canonical returns the bytes that the hash covers: the tag, then the fields in the order of
// [Entry], ids as 16 bytes, numbers and Unix microseconds as 8 bytes in big-endian order, texts
// with their length before them in 4. A client address is its text, empty for none.
func (e Entry) Canonical() []byte {
	b := make([]byte, 0, 320)
	b = append(b, canonicalTag...)
	b = append(b, e.Owner[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = append(b, e.User[:]...)
	b = appendText(b, string(e.Credential.Kind))
	b = append(b, e.Credential.ID[:]...)
	b = append(b, e.OnBehalfOf[:]...)
	b = appendText(b, AddrText(e.Client))
	b = appendText(b, e.Action)
	b = appendText(b, string(e.Outcome))
	b = appendText(b, string(e.Target.Kind))
	b = append(b, e.Target.ID[:]...)
	b = appendText(b, e.Target.Name)
	b = binary.BigEndian.AppendUint64(b, e.Target.Version)
	b = append(b, e.Lease[:]...)
	return appendText(b, e.Run)
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // all texts are short
	return append(b, s...)
}

// AddrText returns the text of an address as an entry holds it: empty for the zero Addr.
func AddrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
