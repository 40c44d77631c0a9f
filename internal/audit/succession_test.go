package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// succeed gives the house another key, and returns what the one before says of it.
func (h *house) succeed(t *testing.T, by byte, id uuid.UUID) (signed []byte) {
	t.Helper()
	s := audit.Succession{From: h.signer, At: houseTime, Last: uint64(len(h.checkpoints))}
	if n := len(h.checkpoints); n > 0 {
		s.Hash = h.checkpoints[n-1].Hash()
	}
	next := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{by}, 32))
	var err error
	if s.Key, err = audit.VerifierKey(id, next.Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	if signed, err = s.Sign(h.key); err != nil {
		t.Fatal(err)
	}
	h.key, h.signer = next, id
	return signed
}

func TestTheFirstKeyVerifiesWhatItsSuccessorsSign(t *testing.T) {
	h := newHouse()
	trust := audit.Trust{Keys: []string{h.verifier(t)}}
	first := h.checkpoint(t)
	trust.Earlier = first.earlier()
	list := audit.AppendSuccession(nil, h.succeed(t, 8, fakeID(0xe8)))
	h.checkpoint(t)
	second := h.succeed(t, 9, fakeID(0xe9))
	list = audit.AppendSuccession(list, second)
	last := h.checkpoint(t)
	x := audit.Export{Note: last.note, Successions: list, Leaves: last.leaves}
	report, err := trust.Verify(bytes.NewReader(h.write(t, x)))
	if err != nil || len(report.Faults) > 0 || len(report.Successions) != 2 {
		t.Errorf("%v: %+v", err, report)
	}
	for what, list := range map[string][]byte{
		"none": nil, "the second alone": audit.AppendSuccession(nil, second),
		"no list": []byte("00001"),
	} {
		x.Successions = list
		if _, err := trust.Verify(bytes.NewReader(h.write(t, x))); err == nil {
			t.Errorf("with %s, nothing is wrong", what)
		}
	}
	x.Successions = nil
	trust.Keys = append(trust.Keys, h.verifier(t))
	if report, err := trust.Verify(bytes.NewReader(h.write(t, x))); err != nil ||
		len(report.Faults) > 0 || len(report.Successions) > 0 {
		t.Errorf("with both keys: %v: %+v", err, report)
	}
}

func TestASuccessionThatAnotherKeySignedLeadsNowhere(t *testing.T) {
	h, other := newHouse(), newHouse()
	trust := audit.Trust{Keys: []string{h.verifier(t)}}
	other.key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))
	list := audit.AppendSuccession(nil, other.succeed(t, 8, fakeID(0xe8)))
	k := other.checkpoint(t)
	x := audit.Export{Note: k.note, Successions: list, Leaves: k.leaves}
	_, err := trust.Verify(bytes.NewReader(other.write(t, x)))
	if !errors.Is(err, audit.ErrSignature) {
		t.Errorf("it leads to another key: %v", err)
	}
}

func TestACheckpointOnTheWrongSideOfASuccessionIsAFork(t *testing.T) {
	h := newHouse()
	trust := audit.Trust{Keys: []string{h.verifier(t)}}
	h.checkpoint(t)
	old := h.key
	list := audit.AppendSuccession(nil, h.succeed(t, 8, fakeID(0xe8)))
	after := h.key
	h.key, h.signer = old, instanceKey
	late := h.checkpoint(t) // by the old key, which goes on somewhere else
	trust.Earlier = late.earlier()
	h.key, h.signer = after, fakeID(0xe8)
	k := h.checkpoint(t)
	x := audit.Export{Note: k.note, Successions: list, Leaves: k.leaves}
	report, err := trust.Verify(bytes.NewReader(h.write(t, x)))
	if err != nil {
		t.Fatal(err)
	}
	assertNamed(t, report, audit.ErrFork)
}

func TestOldSuccessionsMakeRoomForNewOnes(t *testing.T) {
	h := newHouse()
	var list, signed []byte
	for range 300 {
		signed = h.succeed(t, 8, fakeID(0xe8))
		list = audit.AppendSuccession(list, signed)
	}
	if len(list) > 64<<10 || !bytes.HasSuffix(list, signed) {
		t.Errorf("%d bytes of successions are kept", len(list))
	}
}
