package web

import (
	"net/http"

	"github.com/keysake/keysake/internal/vault"
)

// showUsage shows what all users together use, by day.
func (s *site) showUsage(w http.ResponseWriter, r *request) error {
	days := 30
	if r.URL.Query().Get("days") == "90" {
		days = vault.MaxUsageDays
	}
	usage, err := s.Vault.ServerUsage(r.Context(), r.session.Actor, days)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "usage", view{
		Title: "Usage", Here: "usage", Data: map[string]any{
			"Charts": usageCharts(usage), "Days": days, "Cut": len(usage) < days,
		},
	})
}

func usageCharts(usage []vault.UsageDay) (charts []chart) {
	if len(usage) == 0 {
		return nil
	}
	for _, of := range []struct {
		title, one, many string
		count            func(vault.UsageDay) int64
	}{
		{"Active users", "user", "users", func(d vault.UsageDay) int64 { return d.Users }},
		{"Leases", "lease", "leases", func(d vault.UsageDay) int64 { return d.Leases }},
		{"Runs", "run", "runs", func(d vault.UsageDay) int64 { return d.Runs }},
		{"Uses of secrets", "use", "uses", func(d vault.UsageDay) int64 { return d.Secrets }},
	} {
		counts := make([]int64, len(usage))
		for i, d := range usage {
			counts[i] = of.count(d)
		}
		charts = append(charts, newChart(of.title, of.one, of.many, usage[0].Day, counts))
	}
	charts[0].Distinct = true
	return charts
}
