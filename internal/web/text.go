package web

import (
	"fmt"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// doneText says what was just done. A page is told by one of these words, never by a text, so that
// a link from elsewhere puts no words into it.
func doneText(done string) string {
	switch done {
	case "signed-in":
		return "You are signed in."
	case "signed-out":
		return "You are signed out. The session is ended, here and on the server."
	case "stored":
		return "Stored. The value is sealed: no page shows it again."
	case "all-stored":
		return "Stored, all of them. The values are sealed: no page shows them again."
	case "updated":
		return "Updated. Programs get the new value with their next lease."
	case "renamed":
		return "Renamed. Programs get it under the new name with their next lease."
	case "rolled-back":
		return "Rolled back. The old value is the current one again, as a new version."
	case "asked":
		return "The provider was asked: its answer is below."
	case "no-check":
		return "Nobody was asked: there is no harmless request that would tell."
	case "expiry-set":
		return "Set. The list says so in time."
	case "expiry-cleared":
		return "Taken away. It expires only if its provider says so."
	case "deleted":
		return "Deleted, with all of its versions."
	case "revoked":
		return "Revoked. Nothing gets a value by this lease any more."
	case "revoked-late":
		return "Revoked. The value was handed out before, which nothing takes back: if you do " +
			"not trust that program any more, make a new key at the provider, and update the " +
			"secret."
	case "key-revoked":
		return "Revoked, with all that it made. It works nowhere any more."
	case "device-confirmed":
		return "The program is let in: it fetches its API key within seconds. Close this page."
	case "passkey-added":
		return "Added. You can sign in with it from now on."
	case "passkey-removed":
		return "Removed, with all that came by it. It lets nobody in any more."
	case "device-refused":
		return "Refused. The program gets nothing."
	case "granted":
		return "It may act for you from now on."
	case "withdrawn":
		return "Withdrawn. It acts for you no more, and the leases that it asked for have ended."
	case "session-ended":
		return "Ended. That browser is signed out."
	}
	return doneToUserText(done)
}

// doneToUserText is doneText for what admins do.
func doneToUserText(done string) string {
	switch done {
	case "user-created":
		return "The user is created. Nobody can sign in as that user yet: make a link below."
	case "user-disabled":
		return "Disabled. No API key, session or lease of this user works any more."
	case "user-enabled":
		return "Enabled. What was neither revoked nor has expired works again."
	case "user-to-be-deleted":
		return "Disabled now, and deleted later, unless an admin calls that off."
	case "user-kept":
		return "Called off. The user stays, and stays disabled until you enable them."
	case "user-deleted":
		return "Deleted, with all that the user had."
	}
	return ""
}

// ago says how long ago a time was.
func ago(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	if passed := time.Since(at); passed >= time.Minute {
		return span(passed) + " ago"
	}
	return "just now"
}

// until says how long there is until a time.
func until(at time.Time) string {
	switch left := time.Until(at); {
	case at.IsZero():
		return "never"
	case left <= 0:
		return ago(at)
	case left < time.Minute:
		return "in less than a minute"
	default:
		return "in " + span(left)
	}
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*365*day:
		return count(int(d/(365*day)), "year", "years")
	case d >= 2*30*day:
		return count(int(d/(30*day)), "month", "months")
	case d >= day:
		return count(int(d/day), "day", "days")
	case d >= time.Hour:
		return count(int(d/time.Hour), "hour", "hours")
	}
	return count(int(d/time.Minute), "minute", "minutes")
}

// millis is how long something took that took little.
func millis(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// bytesText is a size in its largest unit.
func bytesText(n int64) string {
	const unit = 1 << 10
	if n < unit {
		return count(int(n), "byte", "bytes")
	}
	size, at := float64(n)/unit, 0
	for size >= unit && at < len("KMGT")-1 {
		size, at = size/unit, at+1
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGT"[at])
}

func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func day(at time.Time) string     { return at.UTC().Format("2 Jan 2006") }
func exact(at time.Time) string   { return at.UTC().Format("2006-01-02 15:04:05 UTC") }
func machine(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// actionText says an action of the audit log in words. What it does not know stays as it is.
func actionText(action string) string {
	if text, found := actionTexts()[action]; found {
		return text
	}
	return action
}

func actionTexts() map[string]string {
	return map[string]string{
		"secret.create": "Secret added", "secret.update": "Value replaced",
		"secret.rename": "Secret renamed", "secret.import": "Secret imported",
		"secret.rollback": "Older value restored", "secret.delete": "Secret deleted",
		"secret.deadline": "Expiry set", "secret.probe": "Provider asked",
		"lease.create": "Lease made", "lease.revoke": "Lease revoked",
		"lease.redeem": "Ticket redeemed",
		"lease.use":    "Used at the broker", "lease.dispute": "Ticket presented again",
		"api-key.create": "API key made", "api-key.create-for": "API key made by an admin",
		"api-key.revoke": "API key revoked", "api-key.revoke-only": "API key replaced",
		"api-key.revoke-self": "Signed out, or key ended itself",
		"session.create":      "Signed in", "session.end": "Session ended",
		"session.shut-out": "Session ended: no longer let in",
		"device.confirm":   "Program let in", "device.refuse": "Program refused",
		"device.login": "Program fetched its API key", "library.stop": "Emergency stop",
		"trust.add": "Rule of trust made", "trust.remove": "Rule of trust removed",
		"trust.exchange": "Let in by a rule of trust",
		"grant.add":      "Somebody may act for you", "grant.remove": "Grant withdrawn",
		"user.act-for":  "Acting for another user",
		"identity.link": "Linked to a sign-in", "identity.unlink": "Sign-in unlinked",
		"passkey.add": "Passkey added", "passkey.remove": "Passkey removed",
		"passkey.dispute":         "Passkey refused, because there may be two of it",
		"session.confirm":         "Session confirmed",
		"sign-in-link.create":     "Sign-in link made by an admin",
		"sign-in-link.create-own": "Sign-in link made", "user.create": "User created",
		"user.disable": "User disabled", "user.enable": "User enabled",
		"owner-key.rotate": "Owner key rotated", "user.confirm": "Repair confirmed",
		"user.delete-later": "User to be deleted", "user.keep": "Deletion called off",
		"user.delete": "User deleted", "user.list": "Users listed",
		"api-key.list-all": "API keys of all users listed", "fleet.get": "Servers looked at",
		"usage.list-all": "Usage of all users looked at",
	}
}

// stateText says what a state of a lease means.
func stateText(state vault.LeaseState) string {
	switch state {
	case vault.LeaseActive:
		return "Open"
	case vault.LeaseRedeemed:
		return "Handed out"
	case vault.LeaseExpired:
		return "Expired"
	case vault.LeaseRevoked:
		return "Revoked"
	case vault.LeaseDisputed:
		return "Disputed"
	}
	return string(state)
}

// healthText says what a provider answered about a key.
func healthText(h vault.Health) string {
	if h.At.IsZero() {
		return "not asked"
	}
	switch fmt.Sprint(h.Outcome) {
	case "valid":
		return "works"
	case "valid_limited":
		return "works, but not for everything"
	case "blocked":
		return "blocked by its provider"
	case "invalid":
		return "refused by its provider"
	case "rate_limited":
		return "asked too often: try later"
	}
	return "the answer says neither"
}
