package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// A certificate is the pair of --tls-cert and --tls-key. A change of the files reaches the next
// connection; those that are open keep what they have. One goroutine reads the files.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	read              [2]os.FileInfo // of the files when they were last read; nil if missing
}

// load reads the files. If it fails, the pair that was read before is kept.
func (c *certificate) load() error {
	c.read = c.stat() // before reading: what changes from now on is noticed
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) stat() (infos [2]os.FileInfo) {
	for n, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			infos[n] = info
		}
	}
	return infos
}

// changed reports whether a file is not the one that was last read.
func (c *certificate) changed() bool {
	for n, now := range c.stat() {
		before := c.read[n]
		if (now == nil) != (before == nil) {
			return true
		}
		if now != nil && (!os.SameFile(now, before) || now.Size() != before.Size() ||
			!now.ModTime().Equal(before.ModTime())) {
			return true
		}
	}
	return false
}

// config has the pair as it is at each handshake.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
		MinVersion: tls.VersionTLS12,
	}
}

// reloadCertificate reads the certificate again if its files have changed, or if the operator asks
// for it.
func (s *server) reloadCertificate(ctx context.Context, asked bool) {
	if !s.tls() || !asked && !s.certificate.changed() {
		return
	}
	if err := s.certificate.load(); err != nil {
		s.log.WarnContext(ctx, "the certificate cannot be read: the one before is kept",
			"cause", err)
		return
	}
	s.log.InfoContext(ctx, "the certificate was read again",
		"valid_until", s.certificate.current.Load().Leaf.NotAfter.Format(time.RFC3339))
}
