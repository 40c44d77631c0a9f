package crash_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/plaintext"
)

// A held request has been begun: the server reads its body, and the body does not come yet.
type held struct {
	name string
	body string
	conn net.Conn
	from *bufio.Reader
}

// hold begins to create a secret, and returns when the server asks for the body.
func hold(t *testing.T, p *process, l *library, name string, value plaintext.Value) *held {
	t.Helper()
	conn, err := net.Dial("tcp", p.host())
	if err != nil {
		t.Fatal(err)
	}
	return holdOn(t, conn, l, name, value)
}

// holdOn is hold on a connection of the caller's.
func holdOn(
	t *testing.T, conn net.Conn, l *library, name string, value plaintext.Value,
) *held {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	h := &held{
		name: name,
		body: fmt.Sprintf(`{"name":%q,"value":%q}`, name, value.Reveal()),
		conn: conn,
		from: bufio.NewReader(conn),
	}
	_, err := fmt.Fprintf(
		conn,
		"POST /api/v1/user/secrets HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		l.key.Reveal(), len(h.body),
	)
	if err != nil {
		t.Fatal(err)
	}
	if status := h.answer(t); status != http.StatusContinue {
		t.Fatalf("got %d, want %d", status, http.StatusContinue)
	}
	return h
}

// answer reads the next answer and returns its status.
func (h *held) answer(t *testing.T) int {
	t.Helper()
	res, err := http.ReadResponse(h.from, nil)
	if err != nil {
		t.Fatalf("%s: no answer: %v", h.name, err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Errorf("%s: the answer broke off: %v", h.name, err)
	}
	return res.StatusCode
}

func TestGracefulStop(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	data := newData(t)
	p := start(t, data, "--shutdown-timeout", patience.String())
	l := newLibrary(p, "somebody")
	workers := newWorkers([]*library{l, newLibrary(p, "else")}, 4, random)
	work := startLoad(t, p, workers)
	work.reach(p, 200)
	var begun []*held
	for i := range 20 {
		value := plaintext.FromString(text(random, 40))
		name := fmt.Sprintf("HELD_%d", i)
		l.set(name, state{values: []plaintext.Value{value}})
		begun = append(begun, hold(t, p, l, name, value))
	}
	p.terminate()
	p.until(
		"says that it stops", func() bool { return strings.Contains(p.logs.String(), "stopping") },
	)
	for _, h := range begun {
		if _, err := io.WriteString(h.conn, h.body); err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
		if status := h.answer(t); status != http.StatusCreated {
			t.Errorf(
				"%s was begun before the stop and got %d, want %d", h.name, status,
				http.StatusCreated,
			)
		}
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.logs)
	}
	work.all.Wait()
	// The journal's contents are in the database: whoever copies the one file has it all.
	want := []string{
		"dev-api-key", "keysake.db", "keysake.db.reserve", "keysake.db.write-lock", "keysake.dev",
		"keysake.keys", "keysake.lock", "root.key",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files(t, data)))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	checkFolder(t, data, []*library{l, workers[len(workers)-1].library})
	p = start(t, data)
	checkAPI(t, p, []*library{l, workers[len(workers)-1].library})
	p.stop()
}

func TestSecondServerRefusesToStart(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	data := newData(t)
	first := start(t, data)
	l := newLibrary(first, "somebody")
	if err := l.create(
		t.Context(), first.client(l.key), "TOKEN", plaintext.FromString(text(random, 40)),
	); err != nil {
		t.Fatal(err)
	}
	before := files(t, data)["dev-api-key"]
	second := launch(t, data, nil)
	if code := second.wait(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	second.wantLog("another keysake is running")
	if out := second.out.String(); out != "" {
		t.Errorf("the second server announces itself: %q", out)
	}
	if !cmp.Equal(before, files(t, data)["dev-api-key"]) {
		t.Error("the second server changed the API key")
	}
	if err := l.create(
		t.Context(), first.client(l.key), "SECOND", plaintext.FromString(text(random, 40)),
	); err != nil {
		t.Error(err)
	}
	first.kill() // which leaves nothing that would keep the next one out
	third := start(t, data)
	checkAPI(t, third, []*library{l})
	third.stop()
	checkFolder(t, data, []*library{l})
}
