package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// paths returns the method and the path of every request that a job has left.
func paths(j job) (found []string) {
	for request := j.next(nil); request != nil; request = j.next(nil) {
		words := strings.Fields(string(request))
		found = append(found, words[0]+" "+words[1])
	}
	return found
}

// smallLibrary has two readers, of whom each has two secrets that may be deleted.
func smallLibrary() *library {
	l := &library{
		readers: make([]reader, 2), writers: []string{"a", "b"}, presets: []string{"openai"},
		spare: []string{"one", "two", "three"}, keys: []string{"key"},
	}
	for i := range l.readers {
		for n := range kept + 2 {
			l.readers[i].ids = append(l.readers[i].ids, uuid.UUID{byte(i), byte(n)})
		}
	}
	return l
}

func TestADeletionTakesEachSecretOnceAndNoneThatIsRead(t *testing.T) {
	l := smallLibrary()
	var want []string
	for _, id := range []uuid.UUID{
		l.readers[0].ids[kept], l.readers[1].ids[kept],
		l.readers[0].ids[kept+1], l.readers[1].ids[kept+1],
	} {
		want = append(want, "DELETE /api/v1/user/secrets/"+id.String())
	}
	if diff := cmp.Diff(want, paths(l.deletes(0, 100))); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:3], paths(l.deletes(1, 2))); diff != "" {
		t.Errorf("the second and third (-want +got):\n%s", diff)
	}
	for range 100 {
		request := string(l.read(nil))
		for _, deleted := range want {
			if _, id, _ := strings.Cut(deleted, "secrets/"); strings.Contains(request, id) {
				t.Fatalf("%s is read", id)
			}
		}
	}
}

func TestARequestThatRunsOutIsMadeOnce(t *testing.T) {
	l := smallLibrary()
	all := l.revokes(1, 100)
	if all.supply != 2 {
		t.Errorf("a supply of %d", all.supply)
	}
	warm, rest := paths(all.atMost(1)), paths(all)
	if len(warm) != 1 || len(rest) != 1 || all.next(nil) != nil {
		t.Errorf("%q to warm up, %q after that", warm, rest)
	}
}

func TestCreatesGoFromUserToUserAndFromThePresetsToNames(t *testing.T) {
	j := smallLibrary().creates()
	var bodies []string
	for range 4 {
		_, request, _ := strings.Cut(string(j.next(nil)), "Bearer ")
		token, _, _ := strings.Cut(request, "\r\n")
		var body struct{ Provider, Name string }
		if err := json.Unmarshal(load.Body([]byte(request)), &body); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, token+" "+body.Provider+" "+body.Name)
	}
	want := []string{"a openai ", "b openai ", "a openai BENCH_2", "b openai BENCH_3"}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheRateOfPgbenchIsWhatItPrints(t *testing.T) {
	const out = "latency average = 9.210 ms\ninitial connection time = 47.112 ms\n" +
		"tps = 6949.135711 (without initial connection time)\n"
	got, err := parsePgbench(strings.NewReader(out))
	if err != nil || got.PerSecond != 6949.135711 || got.P50 != 9210 {
		t.Errorf("%v a second, p50 %v (%v)", got.PerSecond, got.P50, err)
	}
	if _, err := parsePgbench(strings.NewReader("pgbench (15.13)\n")); err == nil {
		t.Error("no rate is taken for one")
	}
}

func TestSizesAreAscendingNumbers(t *testing.T) {
	if got, err := parseSizes("1000,100000"); err != nil || !cmp.Equal(got, []int{1000, 100_000}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "x", "1000,", "2000,1000", "1000,1000", "1", "1000001"} {
		if _, err := parseSizes(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTheFloorAnswersWithTheSamples(t *testing.T) {
	in, feed := io.Pipe()
	lines, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serveFloor(in, out) }()
	go feed.Write([]byte(`{"Create":"Y3JlYXRl","Read":"cmVhZA==","List":"bGlzdA=="}`))
	line := make([]byte, 100)
	n, err := lines.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + strings.TrimSpace(strings.TrimPrefix(string(line[:n]), floorPrefix))
	for _, c := range []struct{ method, path, want string }{
		{"POST", load.SecretsPath, "create"},
		{"GET", load.SecretsPath, "list"},
		{"GET", load.SecretsPath + "/some", "read"},
		{"GET", metricsPath, "go_memstats_mallocs_total "},
	} {
		req, err := http.NewRequest(c.method, base+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || !strings.HasPrefix(string(body), c.want) {
			t.Errorf("%s %s: %q, %v", c.method, c.path, body, err)
		}
		res.Body.Close()
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// twoSizes is a run in which a read has become slower, and a list has not.
func twoSizes() *figures.Run {
	run := &figures.Run{Growth: []figures.Size{{Secrets: 1000}, {Secrets: 2000}}}
	for i := range run.Growth {
		size := &run.Growth[i]
		for work, p50 := range map[string]float64{reading: float64(100 + 100*i), listing: 300} {
			size.Rows = figures.Add(size.Rows, figures.Keysake, work, clients16,
				figures.Sample{P50: p50, P99: 2 * p50})
		}
	}
	run.Goals = goals(run)
	return run
}

func TestGoalsAreCalledReachedOrMissed(t *testing.T) {
	got := map[string]bool{}
	for _, g := range twoSizes().Goals {
		got[g.What] = g.Reached
	}
	want := map[string]bool{
		"read, 16 clients, p50, 2000 secrets / 1000": false,
		"read, 16 clients, p99, 2000 secrets / 1000": true,
		"list, 16 clients, p50, 2000 secrets / 1000": true,
		"list, 16 clients, p99, 2000 secrets / 1000": true,
		"start to first answer, 2000 secrets":        false, // it was not measured
		"memory after the load, 2000 secrets":        false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, g := range goals(&figures.Run{Rows: []*figures.Row{{Side: figures.Keysake}}}) {
		if g.Reached {
			t.Errorf("%s was reached, and not measured", g.What)
		}
	}
}

func TestTheTableHasEveryRowAndGoal(t *testing.T) {
	run := twoSizes()
	run.Settings.Rounds = 2
	run.Rows = figures.Add(run.Rows, figures.SQLite, creating, 64, figures.Sample{PerSecond: 7})
	run.Rows = figures.Add(run.Rows, figures.SQLite, creating, 64, figures.Sample{PerSecond: 9})
	run.Memory = note(note(nil, memoryIdle, 24e6), memoryIdle, 26e6)
	var out bytes.Buffer
	if err := printTables(&out, run); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"64 a commit", "7/8/9", "24.0", "25.0", "26.0", "1000 secrets of", "200/200/200",
		"≤ 1.20", "2.00", "missed", "reached",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &out)
		}
	}
}

func TestThereAreNoMoreIdleStreamsThanDescriptors(t *testing.T) {
	for limit, want := range map[uint64]int{0: 0, 1024: 0, 20_000: 10_478} {
		if got := streamsWith(limit); got != want {
			t.Errorf("%d descriptors are for %d streams, want %d", limit, got, want)
		}
	}
	for _, streams := range []int{1, 1000, 10_000, 100_000} {
		if got := streamsWith(descriptorsFor(streams)); got < streams {
			t.Errorf("the descriptors for %d streams are for %d", streams, got)
		}
	}
}
