package crash_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
)

// The characters of the rare alphabet are of a private plane: no program writes one by itself, and
// by chance four of them in a row are found in 2⁶⁴ bytes.
const (
	rareFirst = 0xF0000
	rareCount = 0xFFFE
)

func rareText(random *rand.Rand, n int) string {
	runes := make([]rune, n)
	for i := range runes {
		runes[i] = rareFirst + rune(random.IntN(rareCount))
	}
	return string(runes)
}

// What a mask shows, in characters.
const (
	shownHead = 6
	shownTail = 3
)

// A canary is a value that must not be found.
type canary struct {
	value string
	// visible: the characters that the mask shows are unique too, and must be found in answers
	// only.
	visible bool
}

// newCanary returns the i-th value, of one of the kinds that people have.
func newCanary(random *rand.Rand, i int) canary {
	switch i % 8 {
	case 0, 1, 2, 3:
		return canary{rareText(random, 25+random.IntN(40)), true}
	case 4:
		return canary{"sk-proj-" + text(random, 74) + "T3BlbkFJ" + text(random, 74), false}
	case 5:
		return canary{"ghp_" + text(random, 36), false}
	case 6: // with what JSON, SQL and shells escape
		return canary{text(random, 20) + "\"\\\n\t<>&'`$" + text(random, 30), false}
	}
	if i%64 == 7 {
		return canary{text(random, 30_000), false} // of several pages
	}
	return canary{text(random, 40), true}
}

// hide adds what must never be found of a canary anywhere.
func (c canary) hide(n *needles, what string) {
	runes := []rune(c.value)
	n.addText("the hidden part of "+what, string(runes[shownHead:len(runes)-shownTail]))
}

// seal adds what the mask shows, which must not be found at rest.
func (c canary) seal(n *needles, what string) {
	if c.visible {
		runes := []rune(c.value)
		n.addText("the whole of "+what, c.value)
		if tail := []byte(string(runes[len(runes)-shownTail:])); len(tail) >= headSize {
			n.addForms("the end of "+what, tail)
			n.addForms("the beginning of "+what, []byte(string(runes[:shownHead])))
		}
	}
}

func TestNothingOfAValueIsOnDiskOrInLogs(t *testing.T) {
	t.Parallel()
	const good = 1000
	random := newRandom(t)
	data := newData(t)
	p := start(t, data, "--log-level", "debug", "--log-format", "json", "--auth-failure-limit", "0")
	atRest, anywhere := newNeedles(), newNeedles()
	next := 0
	fresh := func(what string) string {
		c := newCanary(random, next)
		next++
		c.hide(anywhere, what)
		c.hide(atRest, what)
		c.seal(atRest, what)
		return c.value
	}
	hideKeys(t, p, atRest)
	var libraries []*library
	for i := range 4 {
		l := newLibrary(p, fmt.Sprintf("user-%d", i))
		libraries = append(libraries, l)
		hideKey(atRest, fmt.Sprintf("the API key of user %d", i), l.key)
	}
	answers := &apptest.Buffer{}
	sendGood(t, p, libraries, good, fresh)
	sendBad(t, p, libraries[0], fresh, answers)
	readBack(t, p, libraries, answers)

	search := func(when string) {
		t.Helper()
		for name, content := range files(t, data) {
			if name != "root.key" && name != "dev-api-key" && name != "keysake.lock" &&
				name != "keysake.db.write-lock" {
				report(t, when+", in "+name, atRest.in(content), len(content))
			}
		}
		report(t, when+", in the log", atRest.in([]byte(p.logs.String())), len(p.logs.String()))
		report(
			t, when+", in what people read", atRest.in([]byte(p.out.String())), len(p.out.String()),
		)
		report(
			t, when+", in the answers", anywhere.in([]byte(answers.String())),
			len(answers.String()),
		)
	}
	search("while the server runs")
	if !slices.Contains(slices.Collect(maps.Keys(files(t, data))), "keysake.db-wal") {
		t.Error("there was no journal to search")
	}
	p.stop()
	search("after the server stopped")
	checkFolder(t, data, libraries) // and the values were not just thrown away
}

// hideKeys adds the root key and the dev user's API key.
func hideKeys(t *testing.T, p *process, n *needles) {
	t.Helper()
	root := files(t, p.data)["root.key"]
	for at := 0; at+gram <= len(root); at++ {
		n.addForms("the root key", root[at:at+gram])
	}
	hideKey(n, "the API key of dev", p.devKey())
}

func hideKey(n *needles, what string, key plaintext.Value) {
	b := key.Reveal()
	n.addText(what, string(b[shownHead:len(b)-shownTail]))
}

// report tells what was found.
func report(t *testing.T, where string, found map[string]int, searched int) {
	t.Helper()
	if searched == 0 {
		t.Errorf("%s: there was nothing to search", where)
	}
	for i, what := range slices.Sorted(maps.Keys(found)) {
		if i == 20 {
			t.Errorf("%s: and more, %d in all", where, len(found))
			return
		}
		t.Errorf("%s: found %s, %d times", where, what, found[what])
	}
}

// sendGood stores secrets; some get a second value, and some are deleted.
func sendGood(
	t *testing.T, p *process, libraries []*library, count int, fresh func(string) string,
) {
	t.Helper()
	type job struct {
		l           *library
		name        string
		value, next string
	}
	jobs := make(chan job, count)
	for i := range count {
		j := job{
			l:     libraries[i%len(libraries)],
			name:  fmt.Sprintf("SECRET_%d", i),
			value: fresh(fmt.Sprintf("value %d", i)),
		}
		if i%5 == 0 {
			j.next = fresh(fmt.Sprintf("the second value %d", i))
		}
		jobs <- j
	}
	close(jobs)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for j := range jobs {
				ctx, c := context.Background(), p.client(j.l.key)
				err := j.l.create(ctx, c, j.name, plaintext.FromString(j.value))
				if err == nil && j.next != "" {
					err = j.l.update(ctx, c, j.name, plaintext.FromString(j.next))
				}
				if err == nil && j.next != "" && j.name[len(j.name)-1] == '0' {
					err = j.l.remove(ctx, c, j.name)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// readBack reads everything that can be read.
func readBack(t *testing.T, p *process, libraries []*library, answers io.Writer) {
	t.Helper()
	get := func(key plaintext.Value, path string) {
		t.Helper()
		send(
			t, p, answers, path, http.StatusOK,
			request{method: http.MethodGet, path: path, key: key},
		)
	}
	for _, l := range libraries {
		list, err := p.client(l.key).ListSecrets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		get(l.key, "/api/v1/user/secrets")
		get(l.key, "/api/v1/user/secrets/presets")
		get(l.key, "/api/v1/user/api-keys")
		get(l.key, "/api/v1/user")
		for _, n := range list.Secrets[:20] {
			get(l.key, "/api/v1/user/secrets/"+n.ID)
		}
	}
	get(p.devKey(), "/api/v1/admin/users")
}
