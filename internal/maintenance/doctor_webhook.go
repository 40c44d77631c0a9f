package maintenance

import "github.com/keysake/keysake/internal/webhook"

// checkWebhook checks the settings of the operator's webhook, if there is one, as a server does at
// its start. The webhook is told nothing.
func (r *reporter) checkWebhook() {
	const name, advice = "webhook", "change what is said, or the server does not start"
	err := r.cfg.ValidateWebhook()
	if err == nil && r.cfg.WebhookURL == "" {
		return
	}
	if err != nil {
		r.fail(name, advice, "%v", err)
		return
	}
	if _, err := webhook.ReadKeys(r.cfg.WebhookKeyFile); err != nil {
		r.fail(name, advice, "--webhook-key-file: %v", err)
		return
	}
	r.ok(name, "its address and its key are in order: it was told nothing")
}
