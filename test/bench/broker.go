package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// What is measured of the broker, by its names in the figures.
const (
	calling   = "call"        // a provider, with a body of a kilobyte in each direction
	beginning = "first event" // from when the provider wrote it
	idleCalls = "idle streams, "

	maxBrokerWarmUp = 500 * time.Millisecond
	// beginnings is how many streams are begun in a round.
	beginnings = 60
)

// A brokerBench is a server with a broker, beside a bare proxy. Both ask the same stand-in.
type brokerBench struct {
	settings

	found                    *figures.Run
	identity                 standIn
	provider, bare, server   *load.Process
	broker, base, credential string
}

// measureBroker measures the broker in turn with a bare httputil.ReverseProxy, and with the
// provider itself.
func (b *bench) measureBroker(ctx context.Context) error {
	m := &brokerBench{settings: b.settings, found: b.found}
	m.warmUp = min(m.warmUp, maxBrokerWarmUp)
	if m.found.Settings.Rounds == 0 {
		m.found.Settings = figures.Settings{
			Rounds: b.rounds, Seconds: b.time.Seconds(), WarmUp: m.warmUp.Seconds(), DriveProc: 1,
		}
	}
	limit := raiseDescriptors(descriptorsFor(b.streams))
	if most := streamsWith(limit); most < b.streams {
		m.streams = most
		m.found.Settings.Fewer = fmt.Sprintf("%d idle streams instead of %d: "+
			"this system allows a process %d open files", most, b.streams, limit)
	}
	defer m.kill()
	if err := m.start(ctx, b.dir); err != nil {
		return err
	}
	for i := range b.rounds {
		r := &round{bench: b, number: i}
		if err := m.measureRound(ctx, r); err != nil {
			return fmt.Errorf("broker, round %d: %w", i+1, err)
		}
	}
	if m.streams > 0 {
		if err := m.measureIdle(ctx); err != nil {
			return err
		}
	}
	return m.server.Stop()
}

// start starts the stand-in, the bare proxy and the server, and makes a lease.
func (m *brokerBench) start(ctx context.Context, dir string) (err error) {
	if m.identity, err = newStandIn(); err != nil {
		return err
	}
	if m.provider, err = startSelf(ctx, providerCommand, m.identity); err != nil {
		return err
	}
	m.identity.Key, m.identity.Address = nil, m.provider.Address
	if m.bare, err = startSelf(ctx, proxyCommand, m.identity); err != nil {
		return err
	}
	m.bare.Metrics = "http://" + m.bare.Address + metricsPath
	trusted := filepath.Join(dir, "provider.pem")
	if err := os.WriteFile(trusted, m.identity.Certificate, 0o600); err != nil {
		return err
	}
	data := filepath.Join(dir, "brokered")
	m.server, err = load.StartWith(ctx, []string{"SSL_CERT_FILE=" + trusted}, m.binary, data,
		"--floors", data+".floors", "--dev", "--egress-allow",
		providerHost+"="+m.provider.Address)
	if err != nil {
		return err
	}
	return m.lease(ctx)
}

// lease makes a secret and a lease of it for the broker.
func (m *brokerBench) lease(ctx context.Context) error {
	api, err := m.server.API()
	if err != nil {
		return err
	}
	defer api.Close()
	id, _, err := api.Make(ctx, load.SecretsPath+"/preset", api.Admin,
		`{"provider":"openai","value":"`+load.Value+`"}`)
	if err != nil {
		return err
	}
	body, err := api.Do(ctx, "POST", load.LeasesPath, api.Admin,
		`{"delivery":"broker","secret_ids":["`+id+`"]}`)
	if err != nil {
		return err
	}
	var made struct {
		Broker struct {
			URL     string
			Secrets []struct{ Placeholder string }
		}
	}
	if err := json.Unmarshal(body, &made); err != nil {
		return err
	}
	at, err := url.Parse(made.Broker.URL)
	if err == nil && len(made.Broker.Secrets) != 1 {
		err = errors.New("the lease has no placeholder")
	}
	if err == nil {
		m.broker, m.base = at.Host, "/openai"
		m.credential = made.Broker.Secrets[0].Placeholder
	}
	return err
}

func (m *brokerBench) kill() {
	for _, p := range []*load.Process{m.server, m.bare, m.provider} {
		if p != nil {
			p.Kill()
		}
	}
}

// A way to the provider is through the broker, through the bare proxy, or direct.
type way struct {
	side    string
	process *load.Process // whose processor time counts
	base    string        // of paths
	dial    func(context.Context) (net.Conn, error)
}

func (m *brokerBench) ways() []way {
	plain := func(address string) func(context.Context) (net.Conn, error) {
		return func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	secure := tls.Dialer{Config: m.identity.trusting()}
	return []way{
		{figures.Keysake, m.server, m.base, plain(m.broker)},
		{figures.Bare, m.bare, "", plain(m.bare.Address)},
		{figures.Direct, m.provider, "", func(ctx context.Context) (net.Conn, error) {
			return secure.DialContext(ctx, "tcp", m.provider.Address)
		}},
	}
}

// request writes a request. Every way gets the same, but for what its path begins with.
func (m *brokerBench) request(w way, method, path, body string) []byte {
	return load.AppendRequest(nil, method, w.base+path, m.credential, body)
}

//nolint:gochecknoglobals // a constant
var callBody = `{"model":"gpt-5","messages":[{"role":"user","content":"` +
	strings.Repeat("A question of some length. ", 35) + `"}]}`

func (m *brokerBench) measureRound(ctx context.Context, r *round) error {
	for _, clients := range []int{clients16, 1} {
		var sides []side
		for _, w := range m.ways() {
			request := m.request(w, "POST", callPath, callBody)
			j := job{calling, "200", 0, func([]byte) []byte { return request }}
			sides = append(sides, side{w.side, func() (figures.Sample, error) {
				return m.driveBy(ctx, w.process, func(ctx context.Context) (*load.Link, error) {
					conn, err := w.dial(ctx)
					if err != nil {
						return nil, err
					}
					return load.On(conn, patience())
				}, clients, j)
			}})
		}
		if err := r.inTurn(calling, clients, sides...); err != nil {
			return err
		}
	}
	var sides []side
	for _, w := range m.ways() {
		sides = append(sides, side{w.side, func() (figures.Sample, error) {
			return m.measureBeginnings(ctx, w)
		}})
	}
	return r.inTurn(beginning, 1, sides...)
}

// measureBeginnings begins streams one after the other. What is measured is the time from when the
// provider wrote the first event to when it is here.
func (m *brokerBench) measureBeginnings(ctx context.Context, w way) (figures.Sample, error) {
	request := m.request(w, "POST", eventsPath, callBody)
	took := make([]time.Duration, 0, beginnings)
	buf := make([]byte, 4<<10)
	began := time.Now()
	for range beginnings {
		conn, err := w.dial(ctx)
		if err != nil {
			return figures.Sample{}, err
		}
		answer, err := firstEvent(conn, request, buf)
		now := time.Now()
		_ = conn.Close() // it has an endless answer
		if err != nil {
			return figures.Sample{}, err
		}
		_, written, _ := bytes.Cut(answer, []byte(eventMark))
		text, _, _ := bytes.Cut(written, []byte("\n"))
		at, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return figures.Sample{}, err
		}
		took = append(took, now.Sub(time.Unix(0, at)))
	}
	return figures.Summarise(took, time.Since(began)), nil
}

// firstEvent sends a request and reads its answer to the end of the first event.
func firstEvent(conn net.Conn, request, buf []byte) ([]byte, error) {
	if err := conn.SetDeadline(patience()); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	for n := 0; n < len(buf); {
		read, err := conn.Read(buf[n:])
		if err != nil {
			return nil, err
		}
		n += read
		_, event, found := bytes.Cut(buf[:n], []byte(eventMark))
		if found && bytes.Contains(event, []byte("\n\n")) {
			return buf[:n], nil
		}
	}
	return nil, fmt.Errorf("there is no event: %s", buf)
}
