package api_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/wire"
)

// An aviary makes canaries, values that belong to no user, and remembers where each was let out.
// All have the same mark in them, twice, so that one search finds them all, and their halves too.
type aviary struct {
	mark   string
	places []string // by number
	tokens map[string]int
	caught []answer
}

func newAviary() *aviary {
	return &aviary{mark: "cnry" + rand.Text()[:14], tokens: map[string]int{}}
}

// letOut returns a canary for a place.
func (a *aviary) letOut(place string) string {
	a.places = append(a.places, place)
	return fmt.Sprintf("%s%04dXx%04d%s", a.mark, len(a.places)-1, len(a.places)-1, a.mark)
}

// rich is a canary with characters that every writer escapes in its own way.
func (a *aviary) rich(place string) string {
	c := a.letOut(place)
	return c[:len(c)/2] + `"\</+&é€%` + c[len(c)/2:]
}

// see keeps an answer, and takes note of the token in it.
func (a *aviary) see(got answer) {
	var made wire.APIKey
	if json.Unmarshal(got.body, &made) == nil && made.Key != "" {
		a.tokens[made.Key] = len(a.caught)
	}
	a.caught = append(a.caught, got)
}

// forms are the ways in which text can be written down.
func forms(text string) map[string]string {
	all := map[string]string{
		"as it is":         text,
		"in hex":           hex.EncodeToString([]byte(text)),
		"in capital hex":   strings.ToUpper(hex.EncodeToString([]byte(text))),
		"in a URL":         url.QueryEscape(text),
		"as numbers":       strings.Trim(fmt.Sprintf("%d", []byte(text)), "[]"),
		"in capitals":      strings.ToUpper(text),
		"in small letters": strings.ToLower(text),
		"quoted":           strings.Trim(fmt.Sprintf("%+q", text), `"`),
		"backwards":        backwards(text),
	}
	for shift := range 3 { // where it stands in what was encoded decides its letters
		for name, e := range map[string]*base64.Encoding{
			"base64": base64.RawStdEncoding, "URL's base64": base64.RawURLEncoding,
		} {
			padded := e.EncodeToString([]byte(strings.Repeat(" ", shift) + text + " "))
			all[fmt.Sprintf("in %s at %d", name, shift)] = padded[4 : 4*len(text)/3-2]
		}
	}
	return all
}

func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// A needle is one form of something that must not be found.
type needle struct {
	what, form string
	text       []byte
	token      string // empty for a canary
}

// window is how many bytes of a needle tell that it could be one.
const window = 8

// needles are what is searched for, by their first bytes: one pass over the text looks for all of
// them.
type needles map[string][]needle

// needles returns all there are once everything was let out.
func (a *aviary) needles() needles {
	all := needles{}
	add := func(n needle) { all[string(n.text[:window])] = append(all[string(n.text[:window])], n) }
	for form, text := range forms(a.mark) {
		add(needle{"a canary", form, []byte(text), ""})
	}
	for token := range a.tokens {
		for form, text := range forms(token[10:]) { // the mask shows less
			add(needle{"an API key", form, []byte(text), token})
		}
	}
	return all
}

// search returns what is in text and must not be. The token that text itself is about may be there.
func (a *aviary) search(all needles, text []byte, own string) (found []string) {
	for i := range max(0, len(text)-window+1) {
		for _, n := range all[string(text[i:i+window])] {
			if !bytes.HasPrefix(text[i:], n.text) || n.token != "" && n.token == own {
				continue
			}
			what := n.what + " " + n.form + ", " + a.whose(text[i:])
			if !slices.Contains(found, what) {
				found = append(found, what)
			}
		}
	}
	return found
}

// whose returns the place of a canary, if its number can be read.
func (a *aviary) whose(text []byte) string {
	var n int
	if _, err := fmt.Sscanf(string(text[min(len(a.mark), len(text)):]), "%04d", &n); err != nil ||
		n >= len(a.places) {
		return "of an unknown place"
	}
	return a.places[n]
}

func TestNothingOfWhatIsSentComesBackOrIsWrittenDown(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			admin := freeAddress(t)
			s := start(t, func(c *config.Config) {
				c.LogFormat, c.AdminListen = format, admin
				c.MinClients = []config.MinClient{{Name: "dreadnode-sdk", Version: "2.1.0"}}
			})
			birds := newAviary()
			birds.tokens[text(s.Key)] = -1
			s.seen = birds.see
			s.goodValues(t, birds)
			for _, op := range operations(t) {
				at := s.target(t, op)
				s.badBodies(t, birds, op, at)
				s.badPlaces(t, birds, op, at)
			}
			s.badPaths(t, birds)
			s.brokenRequests(t, birds)
			if len(birds.places) < 500 || len(birds.tokens) < 5 {
				t.Fatalf("%d canaries and %d API keys: too few to tell",
					len(birds.places), len(birds.tokens))
			}
			s.searchAll(t, birds, admin)
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// searchAll looks wherever something could be: every answer, the log, the metrics, and the files,
// while the server runs and when it has stopped.
func (s *site) searchAll(t *testing.T, birds *aviary, admin string) {
	t.Helper()
	query := birds.letOut("in the query of the metrics")
	needles := birds.needles()
	look := func(where string, text []byte, own string) {
		for _, found := range birds.search(needles, text, own) {
			t.Errorf("%s has %s", where, found)
		}
	}
	for i, got := range birds.caught {
		own := ""
		for token, made := range birds.tokens {
			if made == i {
				own = token
			}
		}
		var headers bytes.Buffer
		if err := got.header.Write(&headers); err != nil {
			t.Fatal(err)
		}
		look(fmt.Sprintf("the body of a %d", got.status), got.body, own)
		look(fmt.Sprintf("the headers of a %d", got.status), headers.Bytes(), "")
	}
	resp, err := s.http.Get("http://" + admin + "/metrics?" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(metrics, []byte("keysake_http_requests_total")) {
		t.Fatalf("there are no metrics: %v", err)
	}
	look("the answer with the metrics", metrics, "")
	s.eachFile(t, look)
	s.Stop(t)
	s.eachFile(t, look)
	log := s.Logs.String()
	if !strings.Contains(log, "level=DEBUG") && !strings.Contains(log, `"level":"DEBUG"`) {
		t.Error("the log is not that of all levels")
	}
	look("the log", []byte(log), "")
}

func (s *site) eachFile(t *testing.T, look func(where string, text []byte, own string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Data, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		own := ""
		if filepath.Base(name) == "dev-api-key" {
			own = text(s.Key)
		}
		look(filepath.Base(name), content, own)
	}
	if s.DatabaseURL != "" {
		s.eachRow(t, look)
		eachFileOfPostgres(t, look)
	}
}

// eachFileOfPostgres looks at what PostgreSQL has written besides the tables: its write-ahead log,
// which has all that was ever written into them, and its log for people.
func eachFileOfPostgres(t *testing.T, look func(where string, text []byte, own string)) {
	t.Helper()
	dir := pgtest.Of(t).Socket()
	files, err := filepath.Glob(filepath.Join(dir, "data", "pg_wal", "0*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no write-ahead log: %v", err)
	}
	for _, name := range append(files, filepath.Join(dir, "log")) {
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was used again under another name
		}
		if err != nil {
			t.Fatal(err)
		}
		look("PostgreSQL's "+filepath.Base(name), content, "")
	}
}

// eachRow looks at the rows of all tables, in which bytes are in hex.
func (s *site) eachRow(t *testing.T, look func(where string, text []byte, own string)) {
	t.Helper()
	db := s.database(t)
	names, err := db.QueryContext(t.Context(),
		"SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
	if err != nil {
		t.Fatal(err)
	}
	tables := scanAll(t, names)
	if len(tables) < 10 {
		t.Fatalf("the tables are %q", tables)
	}
	for _, line := range tables {
		table := strings.TrimSpace(strings.TrimPrefix(line, "tablename="))
		rows, err := db.QueryContext(t.Context(), "SELECT t::text FROM "+table+" AS t")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range scanAll(t, rows) {
			look("table "+table, []byte(row), "")
		}
	}
}

func TestTheSearchForCanariesFindsThemInEveryForm(t *testing.T) {
	birds := newAviary()
	canary := birds.rich("in this test")
	token := "ksk_" + rand.Text() + rand.Text()
	birds.tokens[token] = 0
	needles := birds.needles()
	for _, hidden := range []string{canary, token} {
		for form, text := range map[string]string{
			"as it is": hidden, "its first half": hidden[:len(hidden)/2],
			"its second half": hidden[len(hidden)/2:], "quoted": fmt.Sprintf("%q", hidden),
			"JSON": encode(t, members{"a": hidden}), "JSON in JSON": encode(t, encode(t, hidden)),
			"hex":          hex.EncodeToString([]byte("a" + hidden)),
			"spaced bytes": fmt.Sprintf("%d", []byte(hidden)),
			"a query":      url.Values{"a": {hidden}}.Encode(), "a path": url.PathEscape(hidden),
			"base64":           base64.StdEncoding.EncodeToString([]byte(hidden)),
			"base64 with more": base64.StdEncoding.EncodeToString([]byte(`{"a":"` + hidden + `"}`)),
			"base64 of basic":  base64.URLEncoding.EncodeToString([]byte("me:" + hidden)),
			"base64, shifted":  base64.RawStdEncoding.EncodeToString([]byte("ab" + hidden)),
		} {
			if hidden == token && strings.HasPrefix(form, "its ") {
				continue // a token has no mark in its halves
			}
			text = "before " + text + " after"
			if found := birds.search(needles, []byte(text), ""); len(found) == 0 {
				t.Errorf("%s is not found", form)
			}
		}
	}
	if found := birds.search(needles, []byte(token), token); len(found) > 0 {
		t.Errorf("a token is found where it may be: %v", found)
	}
	mask := canary[:6] + "••••" + canary[len(canary)-3:]
	if found := birds.search(needles, []byte(mask), ""); len(found) > 0 {
		t.Errorf("a mask is taken for a canary: %v", found)
	}
}
