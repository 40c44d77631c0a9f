package web

import (
	"slices"
	"strconv"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// end returns the end of what a form makes: one of those that the template "end" offers, in days
// from now, of which 0 stands for none.
func (r *request) end() (vault.Expiry, error) {
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	if err != nil || !slices.Contains([]int{0, 1, 7, 30, 365}, days) {
		return vault.Expiry{}, badForm(err)
	}
	if days == 0 {
		return vault.Expiry{}, nil
	}
	return vault.NewExpiry(time.Now().AddDate(0, 0, days))
}
