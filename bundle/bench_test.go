package bundle_test

import (
	"testing"

	"github.com/keysake/keysake/bundle"
)

func BenchmarkSeal(b *testing.B) {
	for _, suite := range bundle.Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			to, p := newKey(b, suite).Recipient(), payload("A", "one", "B", "two", "C", "three")
			for b.Loop() {
				mustSeal(b, to, p)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, suite := range bundle.Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			k := newKey(b, suite)
			sealed := mustSeal(b, k.Recipient(), payload("A", "one", "B", "two", "C", "three"))
			for b.Loop() {
				if _, err := bundle.Open(k, somewhere, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseRecipient(b *testing.B) {
	for _, suite := range bundle.Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			text := newKey(b, suite).Recipient().String()
			for b.Loop() {
				if _, err := bundle.ParseRecipient(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewKey(b *testing.B) {
	for _, suite := range bundle.Suites() {
		b.Run(suite.String(), func(b *testing.B) {
			for b.Loop() {
				newKey(b, suite)
			}
		})
	}
}
