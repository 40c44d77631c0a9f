package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/netguard"
)

// newGuard returns what decides where this server may connect to for its users.
func newGuard(cfg config.Config, in *room) *netguard.Guard {
	networks, hosts := cfg.Exceptions()
	return netguard.New(netguard.Options{Allow: networks, Hosts: hosts, Enter: in.enter})
}

// listenBroker binds the address of the broker, if there is to be one, and completes the
// configuration with the address at which programs reach it.
func listenBroker(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	var lc net.ListenConfig
	address, isDefault := cfg.BrokerListen, false
	if address == config.NoBroker || address == "" && !cfg.Dev {
		return nil, nil
	}
	if address == "" {
		address, isDefault = nextPort(cfg.Listen), true
	}
	socket, err := lc.Listen(ctx, "tcp", address)
	if err != nil && isDefault {
		socket, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	if cfg.BrokerURL == "" && (cfg.Dev || cfg.TLSCert == "" && !cfg.BehindTLSProxy) {
		cfg.BrokerURL = "http://" + socket.Addr().String()
		if cfg.TLSCert != "" {
			cfg.BrokerURL = "https://" + socket.Addr().String()
		}
	}
	return socket, nil
}

// nextPort returns the address of the port after that of another one, or of any port.
func nextPort(address string) string {
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || port == 1<<16-1 {
		return "127.0.0.1:0"
	}
	return net.JoinHostPort("127.0.0.1", strconv.FormatUint(port+1, 10))
}

// A brokerServer serves the broker on a socket of its own.
type brokerServer struct {
	http    *http.Server
	broker  *broker.Broker
	socket  net.Listener
	tls     bool
	running sync.WaitGroup
	end     context.CancelFunc
}

// newBroker returns the broker on a socket. It has no deadlines but for headers: its streams end
// with their leases.
func (s *server) newBroker(socket net.Listener, guard *netguard.Guard, m *metrics) *brokerServer {
	clients := newConnections(socket, maxBrokerConnections, maxBrokerConnections, nil)
	clients.room = s.room
	b := &brokerServer{socket: clients, tls: s.tls()}
	b.broker = broker.New(broker.Options{
		Grants: s.instance.Vault, Catalog: s.instance.Catalog, Upstream: guard.Transport(),
		Dial: guard.DialContext, Log: s.log, Observe: m.brokered(),
	})
	b.http = s.newHTTPServer(b.broker)
	b.http.ReadTimeout, b.http.WriteTimeout = 0, 0
	b.http.MaxHeaderBytes = maxBrokerHeader
	b.http.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: brokerStreamBuffer}
	b.http.Protocols = new(http.Protocols)
	b.http.Protocols.SetHTTP1(true)
	b.http.Protocols.SetHTTP2(true)
	b.http.Protocols.SetUnencryptedHTTP2(true)
	if b.tls {
		b.http.TLSConfig = s.certificate.config()
	}
	m.watchBroker(b.broker.Stats)
	return b
}

// maxBrokerConnections is how many connections to the broker are open at most.
const maxBrokerConnections = 16 << 10

// maxBrokerHeader is more than a request to a provider has.
const maxBrokerHeader = 64 << 10

// brokerStreamBuffer is how much of a request waits here for a provider that reads slowly.
const brokerStreamBuffer = 64 << 10

// start begins what a broker does beside its requests.
func (b *brokerServer) start(ctx context.Context) {
	ctx, b.end = context.WithCancel(context.WithoutCancel(ctx))
	b.running.Go(func() { b.broker.Run(ctx) })
}

// stop waits for the requests that are under way until ctx is done, ends the rest, and keeps what
// is to be recorded.
func (b *brokerServer) stop(ctx context.Context) error {
	err := b.http.Shutdown(ctx)
	b.broker.Drain(ctx)
	b.end()
	b.running.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		err = b.http.Close()
	}
	return err
}

// brokered returns what counts the requests of the broker, by provider, and by the rule of those
// that it refused.
func (m *metrics) brokered() func(provider, outcome string) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keysake_broker_requests_total",
		Help: "Requests to the broker, by provider and outcome: passed, or the rule of a refusal.",
	}, []string{"provider", "outcome"})
	m.registry.MustRegister(requests)
	return func(provider, outcome string) {
		requests.WithLabelValues(provider, outcome).Inc()
	}
}

func (m *metrics) watchBroker(stats func() broker.Stats) {
	m.gauge("keysake_broker_open_requests", "Requests of the broker that are under way.",
		func(context.Context) (float64, error) { return float64(stats().Open), nil })
	m.count("keysake_broker_echoes_total", "Answers in which a provider repeated a key, which was "+
		"replaced.", func() uint64 { return stats().Echoed })
	m.count(
		"keysake_broker_unscrubbed_total",
		"Answers of text in which a key was not looked for: "+
			"a part of a document, or a coding that the client did not ask for.",
		func() uint64 { return stats().Unscrubbed },
	)
	m.count("keysake_broker_records_lost_total", "Requests of the broker that were not recorded.",
		func() uint64 { return stats().Lost })
}

func (s *server) stopBroker(ctx context.Context) error {
	if s.broker == nil {
		return nil
	}
	return s.broker.stop(ctx)
}

// closeBroker gives the socket back of a broker that was never served.
func (s *server) closeBroker() error {
	if s.broker == nil {
		return nil
	}
	return s.broker.socket.Close()
}
