package faults_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// startEtcd starts three members until the test ends, and returns the addresses for their clients.
// Their own times are ten times shorter, for machines that do nothing else. They speak etcd's
// second API as well, which is off by itself.
func startEtcd(t *testing.T) (clients []string) {
	t.Helper()
	program := needs(t, "etcd")
	var members, peers []string
	token := rand.Text()
	for i := range 3 {
		clients, peers = append(clients, freeAddress(t)), append(peers, freeAddress(t))
		members = append(members, fmt.Sprintf("etcd%d=http://%s", i, peers[i]))
	}
	for i := range 3 {
		dir := forPostgres(t)
		start(t, exec.Command(program, "--name", fmt.Sprintf("etcd%d", i),
			"--data-dir", filepath.Join(dir, "data"),
			"--listen-client-urls", "http://"+clients[i],
			"--advertise-client-urls", "http://"+clients[i],
			"--listen-peer-urls", "http://"+peers[i],
			"--initial-advertise-peer-urls", "http://"+peers[i],
			"--initial-cluster", strings.Join(members, ","), "--initial-cluster-token", token,
			"--enable-v2", "--heartbeat-interval", "500", "--election-timeout", "5000",
			"--logger", "zap", "--log-outputs", filepath.Join(dir, "log")))
	}
	for _, client := range clients { // a Patroni that finds no etcd ends
		eventually(t, "etcd is healthy", func() error {
			res, err := http.Get("http://" + client + "/health")
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return errors.New(res.Status)
			}
			return nil
		})
	}
	return clients
}

// start starts a program for PostgreSQL's user until the test ends, or it is killed.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var err error
	cmd.SysProcAttr, err = pgtest.Unprivileged()
	apptest.Must(t, err)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	apptest.Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
}
