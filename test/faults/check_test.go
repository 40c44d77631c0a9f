package faults_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
)

// goroutinesMore is how many goroutines a server that recovered may have beyond those that it had
// before: connections of clients and of the database come and go. A leak is one for each request
// that failed, of which there are more.
const goroutinesMore = 4 * (loadUsers*loadWorkers + connections)

// A before is what servers were like before anything went wrong.
type before struct{ goroutines []float64 }

// look notes what the servers are like.
func look(t *testing.T, servers []*process) (b before) {
	t.Helper()
	for _, s := range servers {
		n, err := s.metric("go_goroutines")
		apptest.Must(t, err)
		b.goroutines = append(b.goroutines, n)
	}
	return b
}

// checkServers checks that all servers recovered by themselves, and keep nothing.
func (b before) checkServers(t *testing.T, servers []*process, url string) {
	t.Helper()
	for i, s := range servers {
		s.alive()
		eventually(t, "a server is ready", s.ready)
		eventually(t, "a server has no more goroutines than before", func() error {
			n, err := s.metric("go_goroutines")
			if err == nil && n > b.goroutines[i]+goroutinesMore {
				err = fmt.Errorf("%v, and %v before", n, b.goroutines[i])
			}
			return err
		})
	}
	// A server has one more, on which it listens.
	eventually(t, "no connection is in a transaction, and there are not too many", func() error {
		all, busy, err := sessions(t.Context(), url)
		if err == nil && (busy > 0 || all > len(servers)*(connections+1)) {
			err = fmt.Errorf("%d connections, %d are busy", all, busy)
		}
		return err
	})
}

// sessions returns how many connections the database has besides this one, and how many of them are
// in a transaction.
func sessions(ctx context.Context, url string) (all, busy int, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close(ctx)
	const count = `SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()
		AND application_name NOT LIKE 'Patroni%'`
	return all, busy, c.QueryRow(ctx, count).Scan(&all, &busy)
}

// ask returns the only column of the only row.
func ask(url, sql string) (text string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	return text, c.QueryRow(ctx, sql).Scan(&text)
}

// checkDatabase makes a backup and examines it: every ledger verifies and lists exactly the rows
// that there are, every value opens, and every audit chain holds.
func checkDatabase(t *testing.T, s *process, url string) {
	t.Helper()
	file, cfg := filepath.Join(t.TempDir(), "backup"), s.config(url)
	_, err := maintenance.Backup(t.Context(), cfg, nil, file, false)
	apptest.Must(t, err)
	beside := config.Config{Data: cfg.Data, Dev: true}
	report, err := maintenance.Doctor(t.Context(), beside, nil,
		maintenance.DoctorOptions{Sample: doctor.All, Backup: file})
	apptest.Must(t, err)
	checks := 0
	for _, c := range report.Checks {
		if !strings.HasPrefix(c.Name, "backup ") {
			continue // there is no database in the folder
		}
		checks++
		if c.Status != doctor.OK {
			t.Errorf("%s: %s %v", c.Name, c.Text, c.Details)
		}
	}
	if checks < 5 {
		t.Error(errors.New("the backup was not examined"))
	}
}
