package faults_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// A cluster is three nodes of PostgreSQL, each with a Patroni, and three of etcd. The nodes reach
// each other and etcd by networks of their own, which a test can stall. Servers of Keysake reach
// the nodes without them: a leader that is cut off still has them.
type cluster struct {
	t        *testing.T
	password string
	nodes    []*node
}

// A node is a Patroni and what it starts.
type node struct {
	name string
	dir  string
	sql  string // the address of its PostgreSQL
	rest string // the address of its Patroni

	// What others ask of it goes by the first two, and what it asks of etcd by the third.
	toSQL, toREST, toEtcd *network

	alive io.Closer // what runs ends when it is closed
	ended chan struct{}
}

// The times of Patroni in seconds. Its own are 30, 10 and 10.
const (
	ttl          = 10
	loopWait     = 1
	retryTimeout = 3
)

// patroniSettings are those of one node. A watchdog would start the whole machine again. Patroni
// speaks etcd's second API: with the third, 3.0.2 of Debian 12 lets a leader that slept take the
// lock from the one that was elected meanwhile, whose changes are lost then
// (https://github.com/patroni/patroni/pull/2689).
const patroniSettings = `scope: keysake
name: %[1]s
restapi: {listen: "%[2]s", connect_address: "%[3]s"}
etcd: {proxy: "http://%[4]s"}
watchdog: {mode: "off"}
bootstrap:
  dcs:
    ttl: %[5]d
    loop_wait: %[6]d
    retry_timeout: %[7]d
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {wal_log_hints: "on", wal_sender_timeout: 5s, wal_receiver_timeout: 5s}
  initdb: [{encoding: UTF8}, {locale: C}]
postgresql:
  listen: "%[8]s"
  connect_address: "%[9]s"
  data_dir: %[10]s/data
  bin_dir: %[11]s
  pgpass: %[10]s/pgpass
  authentication:
    superuser: {username: keysake, password: %[12]s}
    replication: {username: replication, password: %[12]s}
  parameters: {unix_socket_directories: "%[10]s"}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 scram-sha-256
    - host replication replication 127.0.0.1/32 scram-sha-256
`

// patroniKeeper runs Patroni until its own input ends, and then ends it. PostgreSQL is no child of
// Patroni's: its number counts only for a process in its folder.
const patroniKeeper = `"$1" "$2/settings.yml" >>"$2/log" 2>&1 &
patroni=$!
echo $patroni >"$2/patroni.pid"
cat >/dev/null
kill -KILL $patroni 2>/dev/null
postgres=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null)
[ "$(readlink "/proc/$postgres/cwd")" = "$2/data" ] &&
	kill -KILL "$postgres" $(cat "/proc/$postgres/task/"*/children)
wait
`

// startCluster starts a cluster until the test ends.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	needs(t, "patroni")
	bin, err := pgtest.Programs()
	apptest.Must(t, err)
	c := &cluster{t: t, password: rand.Text()}
	for i, client := range startEtcd(t) {
		n := &node{
			name: fmt.Sprintf("node%d", i), dir: forPostgres(t), sql: freeAddress(t),
			rest: freeAddress(t), toEtcd: newNetwork(t, client),
		}
		n.toSQL, n.toREST = newNetwork(t, n.sql), newNetwork(t, n.rest)
		settings := fmt.Sprintf(patroniSettings, n.name, n.rest, n.toREST.address,
			n.toEtcd.address, ttl, loopWait, retryTimeout, n.sql, n.toSQL.address, n.dir, bin,
			c.password)
		file := filepath.Join(n.dir, "settings.yml")
		apptest.Must(t, os.WriteFile(file, []byte(settings), 0o644))
		n.start(t)
		t.Cleanup(func() {
			n.kill()
			if t.Failed() {
				log, _ := os.ReadFile(filepath.Join(n.dir, "log")) // without it nothing is shown
				t.Logf("the log of %s:\n%s", n.name, lastLines(string(log)))
			}
		})
		c.nodes = append(c.nodes, n)
	}
	c.whole()
	return c
}

func (n *node) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", patroniKeeper, "keeper", needs(t, "patroni"), n.dir)
	cmd.Dir = n.dir
	var err error
	cmd.SysProcAttr, err = pgtest.Unprivileged()
	apptest.Must(t, err)
	alive, err := cmd.StdinPipe()
	apptest.Must(t, err)
	apptest.Must(t, cmd.Start())
	ended := make(chan struct{})
	n.alive, n.ended = alive, ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended shows in its log
	}()
}

// kill ends Patroni and PostgreSQL with SIGKILL.
func (n *node) kill() {
	n.signal(syscall.SIGKILL)
	_ = n.alive.Close() // it may be closed
	<-n.ended
}

// signal sends a signal to all processes of the node: Patroni first, which could do something about
// the others.
func (n *node) signal(s syscall.Signal) {
	for _, is := range []struct{ file, dir string }{
		{"patroni.pid", n.dir}, {"data/postmaster.pid", filepath.Join(n.dir, "data")},
	} {
		pid := n.pid(is.file)
		if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || dir != is.dir {
			continue // it has ended
		}
		children, _ := pgtest.Children(pid) // it may have ended
		for _, p := range append([]int{pid}, children...) {
			_ = syscall.Kill(p, s) // it may have ended
		}
	}
}

// pid returns the number in a file's first line, or 0, which no process has.
func (n *node) pid(file string) int {
	text, _ := os.ReadFile(filepath.Join(n.dir, file)) // it may not be there
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// cutOff keeps the node from the others and from etcd, or lets it find them again.
func (n *node) cutOff(off bool) {
	for _, network := range []*network{n.toSQL, n.toREST, n.toEtcd} {
		if off {
			network.stall()
		} else {
			network.resume()
		}
	}
}

// url names whichever node can be written.
func (c *cluster) url() string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.sql)
	}
	return c.at(strings.Join(all, ",")) + "&target_session_attrs=read-write"
}

func (c *cluster) at(addresses string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("keysake", c.password), Host: addresses,
		Path: "/postgres", RawQuery: "sslmode=disable&connect_timeout=2",
	}
	return u.String()
}

// leader returns the node that can be written.
func (c *cluster) leader() (*node, error) {
	for _, n := range c.nodes {
		in, err := ask(c.at(n.sql), "SELECT pg_is_in_recovery()::text")
		if err == nil && in == "false" {
			return n, nil
		}
	}
	return nil, errors.New("no node can be written")
}

// whole waits until there is a leader, for whom the others are ready: one of them has each commit
// before it is answered, and Patroni knows which. It elects no other.
func (c *cluster) whole() {
	c.t.Helper()
	eventually(c.t, "the cluster is whole", func() error {
		n, err := c.leader()
		if err == nil {
			err = c.ready(n)
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond) // it takes seconds
		}
		return err
	})
}

func (c *cluster) ready(leader *node) error {
	standby, err := leader.synchronous()
	if err != nil {
		return err
	}
	const standbys = `SELECT count(*) || ' ' ||
		coalesce(string_agg(application_name, ' ') FILTER (WHERE sync_state = 'sync'), 'none')
		FROM pg_stat_replication WHERE state = 'streaming'`
	found, err := ask(c.at(leader.sql), standbys)
	if err == nil && found != "2 "+standby {
		err = fmt.Errorf("the leader has %s of its standbys, and Patroni %s", found, standby)
	}
	return err
}

// synchronous returns the name of the node that has each commit, as Patroni has stored it.
func (n *node) synchronous() (name string, err error) {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get("http://" + n.rest + "/cluster")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var found struct{ Members []struct{ Name, Role string } }
	if err := json.NewDecoder(res.Body).Decode(&found); err != nil {
		return "", err
	}
	for _, m := range found.Members {
		if m.Role == "sync_standby" {
			return m.Name, nil
		}
	}
	return "", errors.New("no standby is synchronous for Patroni")
}
