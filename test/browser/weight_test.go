package browser_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/keysake/keysake/internal/apptest"
)

// What a page may weigh, and how soon it is to be seen on this machine. The latter is printed and
// not demanded: it is the machine's as well.
const (
	maxWeight  = 100_000
	paintsGoal = 200
)

// A figure is what Chromium says of one visit, as at a first one.
type figure struct {
	paint  float64 // milliseconds until there is something to see
	weight float64 // bytes of all that was loaded
	shift  float64 // of the layout, cumulative
}

// measure visits a page, and returns its figure.
func (b *tab) measure(path string) (f figure) {
	b.t.Helper()
	b.mu.Lock()
	b.weight = 0
	b.mu.Unlock()
	b.visit(path)
	f.paint = eval[float64](b, `new Promise((done) => new PerformanceObserver((list, o) => {
		for (const e of list.getEntries()) if (e.name === "first-contentful-paint") {
			o.disconnect(); done(e.startTime); }
	}).observe({type: "paint", buffered: true}))`)
	f.shift = eval[float64](b, `new Promise((done) => { let sum = 0;
		new PerformanceObserver((list) => list.getEntries().forEach((e) => sum += e.value))
			.observe({type: "layout-shift", buffered: true});
		setTimeout(() => done(sum), 300); })`)
	b.mu.Lock()
	defer b.mu.Unlock()
	f.weight = b.weight
	return f
}

// It prints a row for each page: run it with -v.
func TestEveryPageIsLightAndDoesNotMove(t *testing.T) {
	s := apptest.Start(t)
	b := openTab(t, s)
	pages := b.furnished(t)
	b.run("as at a first visit", network.SetCacheDisabled(true))
	var table strings.Builder
	row := func(cells ...any) {
		fmt.Fprintf(&table, "\n%-12s %14v %10v %14v %14v", cells...)
	}
	row("page", "first paint", "weight", "shift at 360", "shift at 1440")
	var worst figure
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		b.look(360, "light")
		f := b.measure(pages[name])
		b.look(1440, "dark")
		wide := b.measure(pages[name])
		row(name, fmt.Sprintf("%.0f ms", f.paint), fmt.Sprintf("%.1f kB", f.weight/1000),
			fmt.Sprintf("%.5f", f.shift), fmt.Sprintf("%.5f", wide.shift))
		worst = figure{
			max(worst.paint, f.paint), max(worst.weight, f.weight),
			max(worst.shift, f.shift, wide.shift),
		}
		if f.weight == 0 || f.weight > maxWeight || f.shift > 0 || wide.shift > 0 {
			t.Errorf("%s: %.0f bytes, layout shift %g and %g", name, f.weight, f.shift, wide.shift)
		}
	}
	row("worst", fmt.Sprintf("%.0f ms", worst.paint), fmt.Sprintf("%.1f kB", worst.weight/1000),
		fmt.Sprintf("%.5f", worst.shift), "")
	row("goal", fmt.Sprintf("%d ms", paintsGoal), fmt.Sprintf("%d kB", maxWeight/1000), "0", "0")
	t.Log(table.String())
}

// noPages are the routes that show none: files, streams, and what leads elsewhere. The last one
// needs an authenticator: the test of passkeys visits it.
var noPages = []string{
	"/{$}", "/ui/{$}", "/ui/static/{file}", "/ui/sign-in/provider", "/ui/sign-in/callback",
	"/ui/leases/{id}/requests", "/ui/audit/export", "/account/device", "/login/device",
	"/ui/passkeys/{id}/remove",
}

// routePattern finds the pages where they are mounted.
var routePattern = regexp.MustCompile(`(?:\bget\("|"GET )(/[^"]*)"`)

// The tests of this package visit what furnished returns. It must have every page that there is.
func TestEveryPageOfTheRoutesIsAmongThoseThatAreVisited(t *testing.T) {
	s := apptest.Start(t)
	pages := openTab(t, s).furnished(t)
	sources, err := filepath.Glob("../../internal/web/*.go")
	apptest.Must(t, err)
	routes := http.NewServeMux()
	unseen := map[string]bool{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		apptest.Must(t, err)
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		for _, route := range routePattern.FindAllStringSubmatch(string(text), -1) {
			routes.Handle("GET "+route[1], http.NotFoundHandler())
			unseen["GET "+route[1]] = !slices.Contains(noPages, route[1])
		}
	}
	if len(unseen) < 20 {
		t.Fatalf("%d routes were found", len(unseen))
	}
	for _, path := range pages {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		apptest.Must(t, err)
		_, pattern := routes.Handler(request)
		unseen[pattern] = false
	}
	for route, isUnseen := range unseen {
		if isUnseen {
			t.Errorf("%s: furnished has no page of it", route)
		}
	}
}
