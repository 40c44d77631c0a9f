package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/keysake/keysake/internal/api"
)

// The deadlines of a connection's phases. A route may set others, as package middleware says.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 20 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
)

func (s *server) newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            readHeaderTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ConnState:                    follow,
		ConnContext:                  withConnection,
		// debug, because these are the faults of clients, which are counted
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *server) tls() bool { return s.cfg.TLSCert != "" }

// listen binds the addresses of the configuration, or none of them.
func (s *server) listen(ctx context.Context) (err error) {
	if s.tls() {
		if err := s.certificate.load(); err != nil {
			return err
		}
		s.main.TLSConfig = s.certificate.config()
	}
	var lc net.ListenConfig
	main, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return err
	}
	most, each := s.connectionLimits(ctx)
	s.connections = newConnections(main, most, each, s.cfg.TrustedProxies)
	if !s.tls() {
		s.connections.answer = api.Busy()
	}
	s.mainSocket = s.connections
	if s.cfg.AdminListen == "" {
		return nil
	}
	admin, err := lc.Listen(ctx, "tcp", s.cfg.AdminListen)
	if err != nil {
		return errors.Join(err, s.mainSocket.Close())
	}
	s.adminSocket = newConnections(admin, adminConnections, adminConnections, nil)
	return nil
}

const (
	// maxConnections is how many connections are open at most, unless the settings say otherwise.
	maxConnections = 8192
	minConnections = 4
	// adminConnections is the same for --admin-listen.
	adminConnections = 8
	// keptFiles is how many files the rest of the program may open while it serves: the database,
	// keys, the helper of key services, and the connections of --admin-listen.
	keptFiles = 16 + adminConnections
)

// connectionLimits returns how many connections may be open, in total and of one address. The limit
// of open files is stronger than the settings.
func (s *server) connectionLimits(ctx context.Context) (most, each int) {
	most = cmp.Or(s.cfg.MaxConnections, maxConnections)
	if limit, open := openFiles(); limit > 0 {
		room := max(minConnections, limit-open-keptFiles)
		if s.broker != nil {
			room = max(minConnections, room/2) // the other half is the broker's
		}
		if room < s.cfg.MaxConnections {
			s.log.WarnContext(ctx, "--max-connections is more than the limit of open files allows",
				"open_files", limit, "connections", room)
		}
		most = min(most, room)
	}
	each = cmp.Or(s.cfg.MaxConnectionsEach, max(1, most/2))
	return most, min(each, most)
}

// url returns the URL of the server on this machine.
func (s *server) url() string {
	if s.tls() {
		return "https://" + s.mainSocket.Addr().String()
	}
	return "http://" + s.mainSocket.Addr().String()
}
