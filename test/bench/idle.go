package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/keysake/keysake/test/load"
)

// measureIdle opens streams in which nothing happens, and reads how much memory they take.
func (m *brokerBench) measureIdle(ctx context.Context) error {
	for _, w := range m.ways()[:2] {
		what := idleStreams(w.side, strconv.Itoa(m.streams))
		m.note("before "+what, w.process)
		conns := make([]net.Conn, m.streams)
		request := m.request(w, "GET", idlePath, "")
		err := load.Each(m.streams, func(i int) (err error) {
			if conns[i], err = w.dial(ctx); err == nil {
				_, err = firstEvent(conns[i], request, make([]byte, 2<<10))
			}
			return err
		})
		if err == nil {
			m.note(what, w.process)
		}
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (m *brokerBench) note(what string, p *load.Process) {
	m.found.Memory = note(m.found.Memory, what, float64(p.Memory()))
}

func idleStreams(side, n string) string { return idleCalls + side + ", " + n }

// otherDescriptors is more than a server needs for anything but its streams.
const otherDescriptors = 1024

// descriptorsFor returns how many descriptors a server needs to have so many streams: the broker
// keeps half of them for its API, and each stream may have a connection to the provider.
func descriptorsFor(streams int) uint64 {
	return uint64(4*streams) + otherDescriptors //nolint:gosec // streams are counted: 0 or more
}

// streamsWith returns how many streams a server may have with so many descriptors.
func streamsWith(limit uint64) int {
	return int((max(limit, otherDescriptors) - otherDescriptors) / 4) //nolint:gosec // a quarter
}
