package server_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

var (
	seriesPattern = regexp.MustCompile(`^(keysake_\w+)(?:\{(.*)\})? (\S+)$`)
	labelPattern  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// labels returns the values of each label of our own metrics.
func labels(t *testing.T, page string) map[string][]string {
	t.Helper()
	values := map[string][]string{}
	n := 0
	for line := range strings.Lines(page) {
		series := seriesPattern.FindStringSubmatch(strings.TrimSpace(line))
		if series == nil {
			continue
		}
		n++
		for _, label := range labelPattern.FindAllStringSubmatch(series[2], -1) {
			if !slices.Contains(values[label[1]], label[2]) {
				values[label[1]] = append(values[label[1]], label[2])
			}
		}
	}
	if n == 0 {
		t.Fatal("there are no metrics of ours")
	}
	for _, list := range values {
		slices.Sort(list)
	}
	return values
}

func TestNoLabelOfAMetricIsOfAUsersChoosing(t *testing.T) {
	t.Parallel()
	s, admin := startWithAdmin(t)
	made, err := s.Client(t).CreateSecret(
		t.Context(), wire.CreateSecret{Name: "CHOSEN", Value: plaintext.FromString("any-value")},
	)
	apptest.Must(t, err)
	for _, path := range []string{
		"/api/v1/user/secrets/" + made.ID, "/api/v1/user/secrets/chosen", "/api/v1/chosen",
		"/chosen?chosen=chosen", "//chosen", "/api/v1/user/secrets/%2fchosen",
		"/healthz", "/readyz",
	} {
		for _, method := range []string{"GET", "CHOSEN", "chosen", "PROPFIND", "TRACE"} {
			ask(t, s, method, path)
		}
	}
	_, page := get(t, "GET", admin+"/metrics")
	if strings.Contains(strings.ToLower(page), "chosen") || strings.Contains(page, made.ID) {
		t.Error("the metrics have what a user chose")
	}
	got := labels(t, page)
	delete(got, "le")
	want := map[string][]string{
		"method": {"GET", "POST", "TRACE", "other"},
		"route": {
			"/api/v1/sealing-key", "/api/v1/user/secrets", "/api/v1/user/secrets/{secret_id}",
			"unmatched",
		},
		"status": {"200", "201", "404", "405", "422"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the labels are not those of the routes:\n%s", diff)
	}
	for _, name := range []string{
		"keysake_http_requests_total{", "keysake_store_updates_total ",
		"keysake_store_commits_total ", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(page, "\n"+name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// ask asks as the user dev and drops the answer.
func ask(t *testing.T, s *apptest.Server, method, path string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	apptest.Must(t, err)
	req.Header.Set("X-Api-Key", string(s.Key.Reveal()))
	resp, err := http.DefaultClient.Do(req)
	apptest.Must(t, err)
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAnAddressForThemThereAreNoMetrics(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	if status, body := get(t, "GET", s.URL+"/metrics"); status != 404 ||
		!strings.Contains(body, "not_found_error") {
		t.Errorf("answered %d", status)
	}
}
