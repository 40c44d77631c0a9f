//go:build unix

package server

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/test/load"
)

const (
	benchUsers   = 64
	benchSecrets = 50 // of each
	benchClients = 16
)

// A bench is a server that is filled, and the requests that are measured. Reads and
// lists are of secrets that stay.
type bench struct {
	*server

	tokens []string
	reads  [][]byte
	lists  [][]byte
	next   atomic.Int64
}

func newServerBench(b *testing.B) *bench {
	b.Helper()
	s := opened(b)
	run(b, s)
	api, err := (&load.Process{Address: s.mainSocket.Addr().String(), Data: s.cfg.Data}).API()
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()
	f := &bench{
		server: s, tokens: make([]string, benchUsers), reads: make([][]byte, benchUsers),
		lists: make([][]byte, benchUsers),
	}
	err = load.Each(benchUsers, func(i int) (err error) {
		f.tokens[i], err = api.User(b.Context(), fmt.Sprintf("user-%d", i))
		var id string
		for n := 0; n < benchSecrets && err == nil; n++ {
			id, _, err = api.Make(
				b.Context(), load.SecretsPath, f.tokens[i], load.NamedSecret(n))
		}
		path := load.SecretsPath
		f.reads[i] = load.AppendRequest(nil, "GET", path+"/"+id, f.tokens[i], "")
		f.lists[i] = load.AppendRequest(nil, "GET", path, f.tokens[i], "")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// works calls measure with each kind of request, and with the status of its answer.
func (f *bench) works(
	b *testing.B, measure func(b *testing.B, want int, request func() []byte),
) {
	b.Helper()
	b.Run("read", func(b *testing.B) {
		measure(b, http.StatusOK, func() []byte { return f.reads[f.next.Add(1)%benchUsers] })
	})
	b.Run("list", func(b *testing.B) {
		measure(b, http.StatusOK, func() []byte { return f.lists[f.next.Add(1)%benchUsers] })
	})
	b.Run("create", func(b *testing.B) {
		measure(b, http.StatusCreated, func() []byte {
			n := int(f.next.Add(1))
			return load.AppendRequest(nil, "POST", load.SecretsPath, f.tokens[n%benchUsers],
				load.NamedSecret(benchSecrets+n))
		})
	})
}

// share does something b.N times, by some clients at once. The processor time is that of the whole
// process.
func share(b *testing.B, do func() error) {
	b.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	before := processorTime()
	b.ResetTimer()
	for range benchClients {
		all.Go(func() {
			for n.Add(1) <= int64(b.N) {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkRequest is whole requests without a socket.
func BenchmarkRequest(b *testing.B) {
	f := newServerBench(b)
	f.works(b, func(b *testing.B, want int, request func() []byte) {
		b.Helper()
		share(b, func() error {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request())))
			if err != nil {
				return err
			}
			answer := httptest.NewRecorder()
			if f.main.Handler.ServeHTTP(answer, r); answer.Code != want {
				return fmt.Errorf("%d: %s", answer.Code, answer.Body)
			}
			return nil
		})
	})
}
