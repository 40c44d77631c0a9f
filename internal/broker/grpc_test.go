package broker_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A credentialLog has the credentials with which calls of gRPC came.
type credentialLog struct {
	mu  sync.Mutex
	all []string
}

func (c *credentialLog) add(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, metadata.ValueFromIncomingContext(ctx, "authorization")...)
}

// grpcProvider is a server of gRPC that remembers credentials.
func grpcProvider() (*grpc.Server, *health.Server, *credentialLog) {
	seen, checks := &credentialLog{}, health.NewServer()
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(
			ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler,
		) (any, error) {
			seen.add(ctx)
			return next(ctx, in)
		}),
		grpc.StreamInterceptor(func(
			s any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler,
		) error {
			seen.add(stream.Context())
			return next(s, stream)
		}))
	grpc_health_v1.RegisterHealthServer(server, checks)
	return server, checks, seen
}

// grpcThrough returns a client of gRPC that takes the broker for its proxy.
func (s *site) grpcThrough(l lease, trust *x509.CertPool) grpc_health_v1.HealthClient {
	const host = "api.x.ai"
	secure := credentials.NewTLS(&tls.Config{RootCAs: trust, ServerName: host})
	conn := must(grpc.NewClient("passthrough:///"+host+":443",
		grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(func(ctx context.Context, to string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
			if err != nil {
				return nil, err
			}
			_, _ = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n"+
				"Proxy-Authorization: Bearer %s\r\n\r\n", to, to, l.placeholder)
			_ = established(bufio.NewReader(conn))
			return conn, nil
		})))
	s.t.Cleanup(func() { _ = conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

func TestACallOfGRPCPassesAndStreamsUntilItsLeaseEnds(t *testing.T) {
	t.Parallel()
	server, checks, seen := grpcProvider()
	defer server.Stop()
	s := start(t, server.ServeHTTP)
	l := s.lease("xai", withGranted(false))
	trust, _ := s.authority(l)
	client := s.grpcThrough(l, trust)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+l.placeholder)
	got, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil || got.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("%v: %v", got, err)
	}
	// An error of the provider's is in the trailers.
	_, err = client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "none"})
	if status.Code(err) != codes.NotFound || status.Convert(err).Message() != "unknown service" {
		t.Errorf("the provider's error is %v", err)
	}
	_, err = client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("without a placeholder: %v", err)
	}
	stream, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING,
		grpc_health_v1.HealthCheckResponse_NOT_SERVING,
	} {
		checks.SetServingStatus("", want)
		if got, err := stream.Recv(); err != nil || got.Status != want {
			t.Fatalf("%v, want %v: %v", got, want, err)
		}
	}
	s.revoke(l)
	if got, err := stream.Recv(); err == nil {
		t.Errorf("after the end of the lease: %v", got)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.all) != 3 || slices.ContainsFunc(seen.all, func(c string) bool {
		return c != "Bearer "+l.value
	}) {
		t.Errorf("%d calls came, or with another credential", len(seen.all))
	}
}
