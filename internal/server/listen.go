package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
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
		// debug, because these are the faults of clients
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
	if s.mainSocket, err = lc.Listen(ctx, "tcp", s.cfg.Listen); err != nil {
		return err
	}
	if s.cfg.AdminListen == "" {
		return nil
	}
	if s.adminSocket, err = lc.Listen(ctx, "tcp", s.cfg.AdminListen); err != nil {
		return errors.Join(err, s.mainSocket.Close())
	}
	return nil
}

// url returns the URL of the server on this machine.
func (s *server) url() string {
	if s.tls() {
		return "https://" + s.mainSocket.Addr().String()
	}
	return "http://" + s.mainSocket.Addr().String()
}
