package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

func TestALockdownShowsInTheProbeTheMetricsAndTheLog(t *testing.T) {
	t.Parallel()
	s, admin := startWithAdmin(t)
	cfg := apptest.Config(t)
	cfg.Data = s.Data
	shows := func(probe, metric string) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second) // what is remembered ends after a moment
		for {
			status, text := get(t, "GET", s.URL+"/readyz")
			_, page := get(t, "GET", admin+"/metrics")
			if status == 200 && text == probe && strings.Contains(page, metric) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("readyz says %q, and the metrics do not say %q", text, metric)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	shows("ready\n", "keysake_lockdown 0")
	apptest.Must(t, maintenance.SetLockdown(t.Context(), cfg, nil, true))
	shows("ready, locked down\n", "keysake_lockdown 1")
	logs(t, s, "the server is locked down")
	apptest.Must(t, maintenance.SetLockdown(t.Context(), cfg, nil, false))
	shows("ready\n", "keysake_lockdown 0")
	logs(t, s, "the lockdown was lifted")
}

func TestALockdownOfTheConfigurationShowsFromTheStart(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.Lockdown = true })
	if _, text := get(t, "GET", s.URL+"/readyz"); text != "ready, locked down\n" {
		t.Errorf("readyz says %q", text)
	}
	logs(t, s, "until a restart without --lockdown")
}

// logs waits until the log has a line with a text.
func logs(t *testing.T, s *apptest.Server, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if strings.Contains(s.Logs.String(), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q", text)
		}
	}
}
