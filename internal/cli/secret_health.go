package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keysake/keysake/wire"
)

// healthText returns what is known of a secret in a few words, and nothing if that is nothing.
func (a *app) healthText(h wire.SecretHealth) string {
	warned := a.warnings(h)
	if h.Outcome != nil && !slices.Contains(h.Warnings, wire.WarnInvalid) {
		warned = append([]string{*h.Outcome}, warned...)
	}
	return strings.Join(warned, ", ")
}

// warnings returns what is to be said of a secret.
func (a *app) warnings(h wire.SecretHealth) (all []string) {
	at := h.ExpiresAt
	if key := h.KeyExpiresAt; key != nil && (at == nil || key.Before(at.Time)) {
		at = key
	}
	for _, w := range h.Warnings {
		switch {
		case w == wire.WarnExpired && at != nil:
			w = "expired " + at.Format(time.DateOnly)
		case w == wire.WarnExpiresSoon && at != nil:
			w = "expires " + at.Format(time.DateOnly)
		case w == wire.WarnSuspected && h.RefusedAt != nil:
			w = "refused at " + formatTime(h.RefusedAt) + " (probe it)"
		case w == wire.WarnUnused:
			days := int(a.now().Sub(h.UnusedSince.Time) / (24 * time.Hour))
			w = fmt.Sprintf("unused %d days", days)
		}
		all = append(all, w)
	}
	return all
}
