package vault_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

// benchUsers have benchSecrets each.
const (
	benchUsers   = 16
	benchSecrets = 50
)

// BenchmarkUseCases is what most requests ask of the domain, each on a database in a file.
func BenchmarkUseCases(b *testing.B) {
	p := open(b, b.TempDir(), 1_000_000, 5)
	b.Cleanup(func() { p.must(p.db.Close()) })
	p.initialize(1)
	token, err := p.CreateAdmin(b.Context(), username("admin"), keyName("first"))
	p.must(err)
	p.admin = p.authenticated(token)
	users, secrets := make([]vault.Actor, benchUsers), make([]vault.Secret, benchUsers)
	for i := range users {
		users[i] = p.user(fmt.Sprint("user-", i))
		for n := range benchSecrets {
			secrets[i] = p.secret(users[i], fmt.Sprint("NAME_", n), fake("x"))
		}
	}
	next := 0
	turn := func() int { next = (next + 1) % benchUsers; return next }
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"authenticate", func() { p.authenticated(token) }},
		{"read", func() {
			i := turn()
			_, err := p.GetSecret(b.Context(), users[i], secrets[i].ID)
			p.must(err)
		}},
		{"list", func() {
			_, err := p.ListSecrets(b.Context(), users[turn()])
			p.must(err)
		}},
		{"list what is not in memory", func() {
			p.ForgetRows()
			_, err := p.ListSecrets(b.Context(), users[turn()])
			p.must(err)
		}},
		{"authenticate and read anew", func() {
			p.restart() // nothing is in memory
			p.authenticated(token)
			i := turn()
			_, err := p.GetSecret(b.Context(), users[i], secrets[i].ID)
			p.must(err)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.do()
			}
		})
	}
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprint("create, ", clients), func(b *testing.B) {
			b.ReportAllocs()
			createAll(b, p, users, clients)
		})
	}
}

// createAll makes b.N secrets, some at once. Half of the time of one alone is the disk's.
func createAll(b *testing.B, p *fixture, users []vault.Actor, clients int) {
	b.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range clients {
		all.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				name := fmt.Sprintf("C_%d_%d_%d", clients, b.N, i)
				who := users[i%benchUsers]
				_, err := p.CreateSecret(b.Context(), who, custom(name, fake("x")))
				p.must(err)
			}
		})
	}
	all.Wait()
}
