package server

import (
	"net"
	"testing"
)

func TestConnectionsOfABrokerShareTheirRoomWithThoseToProviders(t *testing.T) {
	t.Parallel()
	socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	r := &room{most: 16}
	l := newConnections(socket, 100, 100, nil)
	l.room = r
	clients := func(n int) (taken []*connection) {
		for range n {
			near, far := net.Pipe()
			t.Cleanup(func() { _ = far.Close() })
			if c := l.add(near); c != nil {
				l.mu.Lock()
				c.turn(false) // it is in a request
				l.mu.Unlock()
				taken = append(taken, c)
			}
		}
		return taken
	}
	first := clients(10)
	var leave []func()
	for range 5 {
		left, err := r.enter()
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, left)
	}
	if got := clients(3); len(first) != 10 || len(got) != 0 {
		t.Errorf("%d and %d more came in", len(first), len(got))
	}
	last, err := r.enter()
	if err != nil {
		t.Fatalf("a client that is in cannot be passed on: %v", err)
	}
	if _, err := r.enter(); err == nil {
		t.Error("there is no room, and one more came in")
	}
	for _, left := range append(leave, last) {
		left()
	}
	_ = first[0].Close()
	_ = first[0].Close() // which counts once
	if got := r.taken.Load(); got != 9 {
		t.Errorf("%d are counted, want 9", got)
	}
	if got := clients(6); len(got) != 6 {
		t.Errorf("%d came in", len(got))
	}
}
