package crash_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
)

// hangUp sends SIGHUP.
func (p *process) hangUp() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

// serves reports whether a new connection gets a certificate that trust accepts.
func (p *process) serves(trust *x509.CertPool) bool {
	conn, err := tls.Dial("tcp", p.host(), &tls.Config{RootCAs: trust})
	return err == nil && conn.Close() == nil
}

func TestANewCertificateIsServedAndRequestsFinish(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first := apptest.WriteCertificate(t, cert, key)
	p := start(t, newData(t), "--tls-cert", cert, "--tls-key", key)
	p.trust = first
	l := newLibrary(p, "somebody")
	conn, err := tls.Dial("tcp", p.host(), &tls.Config{RootCAs: first})
	if err != nil {
		t.Fatal(err)
	}
	h := holdOn(t, conn, l, "HELD", plaintext.FromString(text(random, 40)))

	second := apptest.WriteCertificate(t, cert, key)
	p.hangUp()
	p.until("serves the second certificate", func() bool { return p.serves(second) })
	if p.serves(first) {
		t.Error("the first certificate is still served")
	}
	if _, err := io.WriteString(conn, h.body); err != nil {
		t.Error(err)
	}
	if status := h.answer(t); status != http.StatusCreated {
		t.Errorf("a request that was begun before SIGHUP got %d, want %d", status,
			http.StatusCreated)
	}

	third := apptest.WriteCertificate(t, cert, key)
	p.until("serves the third certificate by itself", func() bool { return p.serves(third) })

	if err := os.WriteFile(cert, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.hangUp()
	p.until("says that it keeps its certificate", func() bool {
		return strings.Contains(p.logs.String(), "the one before is kept")
	})
	if !p.serves(third) {
		t.Error("the last whole certificate is not served any more")
	}
	p.stop()
}

func TestAHangupDoesNotEndAServer(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	p := start(t, newData(t))
	l := newLibrary(p, "somebody")
	h := hold(t, p, l, "HELD", plaintext.FromString(text(random, 40)))
	for range 3 {
		p.hangUp()
	}
	p.terminate()
	p.until("stops", func() bool { return strings.Contains(p.logs.String(), "msg=stopping") })
	p.hangUp() // nor while it waits for requests
	if _, err := io.WriteString(h.conn, h.body); err != nil {
		t.Error(err)
	}
	if status := h.answer(t); status != http.StatusCreated {
		t.Errorf("the request got %d, want %d", status, http.StatusCreated)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.logs)
	}
}

var lostLines = regexp.MustCompile(`(?m)^keysake_log_lines_lost_total [1-9]`)

func TestAServerOutlivesTheReaderOfItsLog(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	log, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	admin := freeAddress(t)
	toPipe := func(cmd *exec.Cmd) { cmd.Stderr = stderr }
	p := launch(t, newData(t), toPipe, "--admin-listen", admin, "--log-level", "debug")
	if err := stderr.Close(); err != nil { // the child has its own
		t.Fatal(err)
	}
	p.ready()
	if _, err := bufio.NewReader(log).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	l := newLibrary(p, "somebody")
	for _, name := range []string{"ONE", "TWO", "THREE"} {
		value := plaintext.FromString(text(random, 40))
		if err := l.create(t.Context(), p.client(l.key), name, value); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || !lostLines.Match(page) {
		t.Errorf("the metrics do not count the lines that were lost (%v)", err)
	}
	p.alive()
	p.stop()
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}
