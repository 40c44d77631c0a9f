package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/keysake/keysake/internal/api"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/middleware"
	providers "github.com/keysake/keysake/internal/probe"
	"github.com/keysake/keysake/internal/web"
	"github.com/keysake/keysake/internal/webhook"
)

// outside is who beyond this machine the configuration names.
type outside struct {
	signIn  *issuer.ProviderOptions // nil for none
	webhook []webhook.Key           // none without a webhook
}

// newOutside reads the files that the configuration names of others.
func newOutside(cfg config.Config) (o outside, err error) {
	if o.signIn, err = providerOptions(cfg); err == nil {
		o.webhook, err = webhookKeys(cfg)
	}
	return o, err
}

// newServer returns a server that does not listen yet. lostLines counts what could not be logged.
func newServer(
	cfg config.Config, i *instance.Instance, log *slog.Logger, lostLines func() uint64,
	brokerSocket net.Listener, others outside,
) *server {
	s := &server{
		cfg: cfg, instance: i, log: log, strangers: middleware.NewStrangers(),
		room: newRoom(cfg, false),
	}
	s.certificate.certFile, s.certificate.keyFile = cfg.TLSCert, cfg.TLSKey
	metrics := newMetrics(i.Store.Stats, lostLines)
	metrics.watchAudit(i)
	metrics.watchTampering(i.Vault.Tamperings)
	metrics.watchDisputes(i.Vault.Disputes)
	metrics.watchLockdown(i.Vault.LockedDown)
	metrics.watchConnections(s)
	guard := newGuard(cfg, s.room)
	i.Vault.AskBy(metrics.probed(providers.New(
		i.Catalog, guard.Transport(), "keysake-probe",
	)))
	verifier := issuer.New(guard.Transport(), nil)
	i.Vault.VerifyTokensBy(verifier)
	if others.signIn != nil {
		s.provider = verifier.Provider(*others.signIn)
	}
	s.notifier = s.newNotifier(others.webhook, guard, metrics)
	s.shareRates()
	around := middleware.Options{
		TrustedProxies: cfg.TrustedProxies, Log: log, Strangers: s.strangers,
		Observe: metrics.observe,
	}
	handler := api.New(api.Options{
		Vault:      i.Vault,
		Identity:   identity.New(i.Vault),
		MinClients: minClients(cfg),
		RateLimits: api.RateLimits{
			PerKey: cfg.RateLimit, Burst: cfg.RateBurst,
			PerUser: cfg.UserRateLimit, UserBurst: cfg.UserRateBurst,
			Failures: cfg.AuthFailureLimit, Sharing: s.sharing,
		},
		Middleware: around,
		BrokerURL:  cfg.BrokerURL,
	})
	s.sessions = identity.NewSessions(i.Vault, plainHTTP(cfg))
	stopping := make(chan struct{})
	pages := web.New(web.Options{
		Vault:      i.Vault,
		Sessions:   s.sessions,
		Provider:   s.provider,
		Passkeys:   s.passkeySite,
		Failures:   cfg.AuthFailureLimit,
		Middleware: around,
		Stopping:   stopping,
		Fleet:      s.fleet,
	})
	s.main = s.newHTTPServer(s.withProbes(withPages(pages, handler)))
	s.main.RegisterOnShutdown(sync.OnceFunc(func() { close(stopping) }))
	if brokerSocket != nil {
		s.broker = s.newBroker(brokerSocket, guard, metrics)
	}
	s.admin = s.newHTTPServer(s.withProbes(metrics.handler()))
	return s
}

// withPages answers requests for pages, and passes every other one to next unchanged.
func withPages(pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if web.Serves(r.URL) {
			pages.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// plainHTTP reports whether browsers reach the server over HTTP: a development server.
func plainHTTP(cfg config.Config) bool {
	return cfg.Dev && cfg.TLSCert == "" && !cfg.BehindTLSProxy
}

// A messenger is a database through which servers tell each other.
type messenger interface {
	Send(ctx context.Context, texts []string) error
	Hear(hear func(message string))
}

// shareRates has the limits of rates shared with other servers, if that is configured.
func (s *server) shareRates() {
	if others, ok := s.instance.Store.(messenger); ok && s.cfg.SharedRateLimits {
		s.sharing = middleware.NewSharing(others.Send)
		others.Hear(s.sharing.Hear)
	}
}

func minClients(cfg config.Config) []api.MinClient {
	minima := make([]api.MinClient, len(cfg.MinClients))
	for i, m := range cfg.MinClients {
		minima[i] = api.MinClient(m)
	}
	return minima
}
