package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/webhook"
)

const (
	// noticeInterval is how often there may be something to tell.
	noticeInterval = 5 * time.Second
	// maxNoticed is how many events may wait for users to be looked at: what there is to tell of
	// them is not lost meanwhile.
	maxNoticed = 1000
	// retryJitter is the part of a pause by which attempts are spread.
	retryJitter = 8
)

// A notifier tells the operator's webhook what is to be said of secrets, one event at a time.
type notifier struct {
	vault *vault.Service
	to    *webhook.Endpoint

	gone         bool // the receiver wants no more
	sent, failed atomic.Uint64

	chore
}

// webhookKeys returns the keys that sign what the webhook is told; none without one.
func webhookKeys(cfg config.Config) ([]webhook.Key, error) {
	if cfg.WebhookURL == "" {
		return nil, nil
	}
	keys, err := webhook.ReadKeys(cfg.WebhookKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--webhook-key-file: %w", err)
	}
	return keys, nil
}

// newNotifier returns who tells the webhook, or nil if there is none. Its connections are guarded,
// but for a development server's to this machine.
func (s *server) newNotifier(keys []webhook.Key, guard *netguard.Guard, m *metrics) *notifier {
	if len(keys) == 0 {
		return nil
	}
	var transport http.RoundTripper = guard.Transport()
	if s.cfg.Dev && strings.HasPrefix(s.cfg.WebhookURL, "http:") {
		transport = netguard.Quiet(&http.Transport{DialContext: new(net.Dialer).DialContext})
	}
	n := &notifier{
		vault: s.instance.Vault, to: webhook.New(s.cfg.WebhookURL, keys, transport),
		chore: s.newChore("webhook"),
	}
	m.count("keysake_webhook_sent_total", "Events that the webhook took.", n.sent.Load)
	m.count("keysake_webhook_failed_total", "Attempts to send an event that failed.",
		n.failed.Load)
	m.count("keysake_webhook_dropped_total", "Events that the webhook will never get.",
		n.vault.DroppedEvents)
	m.gauge("keysake_webhook_waiting", "Events that wait to be sent to the webhook.",
		func(ctx context.Context) (float64, error) {
			waiting, err := n.vault.WaitingEvents(ctx)
			return float64(waiting), err
		})
	return n
}

// start begins to tell, until stop.
func (n *notifier) start(ctx context.Context) { n.begin(ctx, noticeInterval, n.pass) }

// pass finds out what there is to tell, and sends what is due. It ends with the first event that
// does not arrive.
func (n *notifier) pass(ctx context.Context) error {
	if n.gone {
		return nil
	}
	users, err := n.vault.UsersToNotice(ctx)
	if err != nil {
		return err
	}
	due, err := n.vault.EventsDue(ctx)
	if err != nil || len(users)+len(due) == 0 {
		return err
	}
	return n.alone(ctx, func() error { return errors.Join(n.notice(ctx), n.send(ctx)) })
}

// notice has the vault look at users of whose secrets there may be something to tell, while there
// is room for it.
func (n *notifier) notice(ctx context.Context) error {
	users, err := n.vault.UsersToNotice(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, user := range users {
		waiting, err := n.vault.WaitingEvents(ctx)
		if err == nil && waiting < maxNoticed {
			err = n.vault.Notice(ctx, user)
		}
		if err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil || waiting >= maxNoticed {
			break
		}
	}
	return errors.Join(failed...)
}

// send sends what is due.
func (n *notifier) send(ctx context.Context) error {
	due, err := n.vault.EventsDue(ctx)
	for _, e := range due {
		arrived, err := n.deliver(ctx, e)
		if err != nil || !arrived {
			return err
		}
	}
	return err
}

// deliver sends an event once, and reports whether it has arrived. The error is that of the server
// itself.
func (n *notifier) deliver(ctx context.Context, e vault.StoredEvent) (arrived bool, err error) {
	message := webhook.Message{ID: e.ID.String(), Body: e.Body}
	failed := n.to.Send(ctx, message, time.Now())
	switch {
	case failed == nil:
		n.sent.Add(1)
		// Also when the server stops meanwhile: it would be sent a second time.
		return true, n.vault.ForgetEvent(context.WithoutCancel(ctx), e.ID)
	case ctx.Err() != nil:
		return false, ctx.Err() // the server stops: that is no failure of the webhook's
	}
	n.failed.Add(1)
	e.Attempts++
	pause, again := webhook.Pause(e.Attempts)
	n.gone = errors.Is(failed, webhook.ErrGone)
	if n.gone || !again {
		n.log.WarnContext(ctx, "an event is not sent to the webhook any more", "event", e.ID,
			"attempts", e.Attempts, "all_until_a_restart", n.gone, "cause", failed)
		return false, n.vault.DropEvent(ctx, e.ID)
	}
	pause += rand.N(pause / retryJitter) //nolint:gosec // it need not be secret
	e.DueAt = time.Now().Add(pause)
	n.log.WarnContext(ctx, "the webhook did not take an event", "event", e.ID,
		"attempts", e.Attempts, "next_in", pause.Round(time.Second), "cause", failed)
	return false, n.vault.RetryEvent(ctx, e)
}
