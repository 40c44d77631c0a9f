package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAServerMakesACheckpointWhenOneIsDueAndNotBefore(t *testing.T) {
	s := opened(t)
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	notes := func() int {
		found, err := filepath.Glob(filepath.Join(s.cfg.Data, "checkpoints", "*", "*.note"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	s.scheduleCheckpoint(t.Context())
	if s.makeCheckpoint(t.Context()); notes() != 0 || !s.checkpointDue.IsZero() {
		t.Error("one was made, and --checkpoint-every is 0")
	}
	s.cfg.CheckpointEvery = time.Hour
	s.scheduleCheckpoint(t.Context())
	if s.makeCheckpoint(t.Context()); notes() != 0 || s.checkpointDue.IsZero() {
		t.Error("one was made at the start, or none is due")
	}
	s.checkpointDue = time.Now().Add(-time.Second)
	s.makeCheckpoint(t.Context())
	s.makeCheckpoint(t.Context())
	if n := notes(); n != 1 || time.Until(s.checkpointDue) < 59*time.Minute {
		t.Errorf("%d were made, and the next is due at %s", n, s.checkpointDue)
	}
	line := regexp.MustCompile(`msg="audit checkpoint" number=1 hash=[0-9a-f]{64} chains=2 ` +
		`root=[0-9a-f]{64} file=\S+1.note\n.* msg="audit head" chain=[0-9a-f-]{36} ` +
		`number=\d hash=[0-9a-f]{64}\n`)
	if !line.MatchString(log.String()) {
		t.Errorf("the log is\n%s", &log)
	}
	answer := httptest.NewRecorder()
	s.admin.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`(?m)^keysake_audit_instance_entries [2-9]$`,
		`(?m)^keysake_instance_ledger_fill_ratio 0\.000\d+$`,
		`(?m)^keysake_audit_checkpoint_timestamp_seconds 1\.\d+e\+09$`,
	} {
		if !regexp.MustCompile(want).MatchString(answer.Body.String()) {
			t.Errorf("the metrics lack %s:\n%s", want, answer.Body)
		}
	}
}

func TestACheckpointThatCannotBeMadeIsLoggedAndTriedLater(t *testing.T) {
	s := opened(t)
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	s.cfg.Checkpoints = filepath.Join(s.cfg.Data, "keysake.db", "below a file")
	s.cfg.CheckpointEvery = time.Hour
	s.checkpointDue = time.Now()
	s.makeCheckpoint(t.Context())
	wait := time.Until(s.checkpointDue)
	if !strings.Contains(log.String(), `level=WARN msg="no checkpoint of the audit log was`) ||
		wait > checkpointRetry || wait < time.Minute {
		t.Errorf("the next is due at %s, and the log is\n%s", s.checkpointDue, &log)
	}
}

func TestTheNextCheckpointIsDueWhenTheScheduleSays(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		last  time.Time
		every time.Duration
		want  time.Time
	}{
		{time.Time{}, 0, time.Time{}},
		{time.Time{}, time.Hour, now.Add(time.Minute)},
		{now.Add(-2 * time.Hour), time.Hour, now.Add(time.Minute)},
		{now.Add(-time.Minute), time.Hour, now.Add(59 * time.Minute)},
		{now.Add(time.Hour), time.Hour, now.Add(time.Minute)},
	} {
		if got := nextCheckpoint(c.last, now, c.every); !got.Equal(c.want) {
			t.Errorf("after %s, every %s: %s, want %s", c.last, c.every, got, c.want)
		}
	}
}

func TestTheLogHasTheAuditHeadAtTheStartAndAtTheEnd(t *testing.T) {
	s := opened(t)
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	t.Run("served", func(t *testing.T) { run(t, s) })
	if n := strings.Count(log.String(), `msg="audit head" chain=`); n != 2 {
		t.Errorf("%d lines in\n%s", n, &log)
	}
}
