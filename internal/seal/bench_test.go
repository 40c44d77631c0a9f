package seal_test

import (
	"testing"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

const benchMask = "abc-d••••wxyz"

func benchKey(b *testing.B) (seal.OwnerKey, seal.Binding) {
	b.Helper()
	b.ReportAllocs()
	return newOwnerKey(b), newBinding(b)
}

func BenchmarkOpenMask(b *testing.B) {
	k, at := benchKey(b)
	blob := k.SealMask(at, benchMask)
	for b.Loop() {
		if _, err := k.OpenMask(at, blob); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealVersion(b *testing.B) {
	k, at := benchKey(b)
	v := plaintext.New(make([]byte, 48))
	for b.Loop() {
		k.SealValue(at, v)
		k.SealMask(at, benchMask)
	}
}

func BenchmarkUnwrapOwnerKey(b *testing.B) {
	root, err := seal.NewRootKey(make([]byte, seal.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	k, at := benchKey(b)
	blob, err := root.Wrap(b.Context(), at.User, k)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := root.Unwrap(b.Context(), at.User, k.ID(), blob); err != nil {
			b.Fatal(err)
		}
	}
}
