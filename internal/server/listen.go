package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

func (s *server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            readHeaderTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		// about clients that break the protocol, not about us
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *server) listen(ctx context.Context) (err error) {
	if s.tls() {
		pair, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		s.main.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{pair},
			MinVersion:   tls.VersionTLS12,
		}
	}
	var lc net.ListenConfig
	if s.mainSocket, err = lc.Listen(ctx, "tcp", s.cfg.Listen); err != nil {
		return err
	}
	if s.cfg.AdminListen == "" {
		return nil
	}
	if s.adminSock, err = lc.Listen(ctx, "tcp", s.cfg.AdminListen); err != nil {
		return errors.Join(err, s.mainSocket.Close())
	}
	return nil
}

func (s *server) tls() bool { return s.cfg.TLSCert != "" }

// url is where the server is reached from this machine.
func (s *server) url() string {
	if s.tls() {
		return "https://" + s.mainSocket.Addr().String()
	}
	return "http://" + s.mainSocket.Addr().String()
}
