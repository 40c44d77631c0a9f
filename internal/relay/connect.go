package relay

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// dialTime is how long it may take to connect to the broker, or to a proxy before it.
const dialTime = 10 * time.Second

// connect answers a program that takes the relay for its proxy. The tunnel is the broker's: it gets
// the program's credential, and decides about the host.
func (o Options) connect(w http.ResponseWriter, r *http.Request) {
	upstream, err := o.dial(r.Context())
	if err != nil {
		unreachable(w)
		return
	}
	defer upstream.Close() //nolint:errcheck // what was sent has arrived, or has not
	//nolint:bodyclose // it has none, or one that ends with the connection
	answer, from, err := askForTunnel(upstream, r.RequestURI, r.Header["Proxy-Authorization"])
	if err != nil {
		unreachable(w)
		return
	}
	if answer.StatusCode != http.StatusOK {
		passRefusal(w, answer)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		unreachable(w)
		return
	}
	defer conn.Close()                //nolint:errcheck // as above
	_ = conn.SetDeadline(time.Time{}) // that of the headers is over
	stop := context.AfterFunc(r.Context(), func() {
		_, _ = conn.Close(), upstream.Close() // the relay is closed
	})
	defer stop()
	const established = "HTTP/1.1 200 Connection Established\r\n\r\n"
	if _, err := io.WriteString(conn, established); err != nil {
		return
	}
	// A program that does not wait for the answer may have sent more.
	early := io.LimitReader(rw, int64(rw.Reader.Buffered()))
	done := make(chan struct{}, 2)
	go func() { pass(upstream, io.MultiReader(early, conn)); done <- struct{}{} }()
	go func() { pass(conn, from); done <- struct{}{} }()
	<-done
	<-done
}

// pass copies one direction of a tunnel, and says where it ends.
func pass(to net.Conn, from io.Reader) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = to.Close() // then the other direction ends, too
	}
}

// passRefusal passes on why there is no tunnel. Programs show the status at most.
func passRefusal(w http.ResponseWriter, answer *http.Response) {
	for _, name := range []string{"Proxy-Authenticate", "Keysake-Broker"} {
		if values := answer.Header[name]; values != nil {
			w.Header()[name] = values
		}
	}
	if answer.Header.Get("Keysake-Broker") == "" &&
		answer.StatusCode != http.StatusProxyAuthRequired {
		refuse(w, "what answers at the broker's address passes no tunnel on",
			http.StatusBadGateway)
		return
	}
	w.WriteHeader(answer.StatusCode)
}

// dial connects to the broker, through the proxy that the environment names, if there is one.
func (o Options) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var via *url.URL
	var err error
	if o.Transport.Proxy != nil {
		via, err = o.Transport.Proxy(&http.Request{URL: o.Broker})
	}
	if err != nil {
		return nil, err
	}
	first := cmp.Or(via, o.Broker)
	if first.Scheme != "http" && first.Scheme != "https" {
		return nil, errors.New("only proxies of http are passed")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addressOf(first))
	if err != nil {
		return nil, err
	}
	secured, err := o.secure(ctx, conn, first)
	if err == nil && via != nil {
		secured, err = o.throughProxy(ctx, secured, via)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// throughProxy asks a proxy for the connection to the broker.
func (o Options) throughProxy(ctx context.Context, conn net.Conn, via *url.URL) (net.Conn, error) {
	var login []string
	if via.User != nil {
		password, _ := via.User.Password()
		as := http.Request{Header: http.Header{}}
		as.SetBasicAuth(via.User.Username(), password)
		login = as.Header["Authorization"]
	}
	//nolint:bodyclose // it has none, or one that ends with the connection
	answer, from, err := askForTunnel(conn, addressOf(o.Broker), login)
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode != http.StatusOK || from.Buffered() > 0:
		return nil, fmt.Errorf("the proxy %s answers %d", via.Host, answer.StatusCode)
	}
	return o.secure(ctx, conn, o.Broker)
}

// askForTunnel asks for a connection to a target. What follows the answer is read from the reader.
func askForTunnel(
	conn net.Conn, target string, login []string,
) (*http.Response, *bufio.Reader, error) {
	r := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target,
		Header: http.Header{"User-Agent": nil},
	}
	if len(login) > 0 {
		r.Header["Proxy-Authorization"] = login
	}
	_ = conn.SetDeadline(time.Now().Add(dialTime))
	defer conn.SetDeadline(time.Time{}) //nolint:errcheck // it fails only with the connection
	if err := r.Write(conn); err != nil {
		return nil, nil, err
	}
	from := bufio.NewReader(conn)
	answer, err := http.ReadResponse(from, r)
	return answer, from, err
}

// secure begins TLS where a URL wants it.
func (o Options) secure(ctx context.Context, conn net.Conn, to *url.URL) (net.Conn, error) {
	if to.Scheme != "https" {
		return conn, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.Transport.TLSClientConfig != nil {
		config = o.Transport.TLSClientConfig.Clone()
	}
	config.ServerName, config.NextProtos = to.Hostname(), []string{"http/1.1"}
	secured := tls.Client(conn, config)
	return secured, secured.HandshakeContext(ctx)
}

func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
