package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

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
			time.Sleep(settled)
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

// settled is how long streams have been idle when the memory of their server is read.
const settled = 3 * time.Second

func (m *brokerBench) note(what string, p *load.Process) {
	m.found.Memory = note(m.found.Memory, what, float64(p.Memory()))
}

func idleStreams(side, n string) string { return idleCalls + side + ", " + n }

const (
	// apiDescriptors are kept for the API, or half of all if that is less.
	apiDescriptors = 8192
	// otherDescriptors is more than a server needs for anything but connections.
	otherDescriptors = 512
)

// descriptorsFor returns how many descriptors a server needs to have so many streams. Connections
// to the stand-in carry many of them.
func descriptorsFor(streams int) uint64 {
	//nolint:gosec // streams are counted: 0 or more
	return uint64(streams+streams/8) + apiDescriptors + otherDescriptors
}

// streamsWith returns how many streams a server may have with so many descriptors: clients may take
// all but a sixteenth of the broker's share.
func streamsWith(limit uint64) int {
	limit -= min(limit, min(limit/2, apiDescriptors)+otherDescriptors)
	return int(limit - limit/16 - limit/100) //nolint:gosec // less than the descriptors
}
