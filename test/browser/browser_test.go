// Package browser_test drives the pages with a real Chromium: each page and form, in both themes,
// on a phone and a desktop, with and without scripts. axe-core looks for what keeps people out;
// nothing may ask another site, break the Content-Security-Policy, or have a value in it.
package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/keysake/keysake/internal/apptest"
)

// patience is how long one step may take on a machine that is busy.
const patience = 3 * time.Minute

// A tab is a page of Chromium on a server, and what was seen of it.
type tab struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // chromedp's tab is a context
	server *apptest.Server

	mu     sync.Mutex
	weight float64 // bytes that were loaded since it was reset
	faults []string
}

// chromium returns the browser. make browser-programs installs it.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is missing: make browser-programs, or apt-get install chromium")
	return ""
}

// openTab starts Chromium and opens a tab, which is watched for requests to other sites, for
// what the policy forbids, and for errors of scripts.
func openTab(t *testing.T, s *apptest.Server) *tab {
	t.Helper()
	profile, err := os.MkdirTemp("", "browser")
	apptest.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) }) // Chromium may write to its end
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patience), chromedp.UserDataDir(profile),
		chromedp.Flag("disable-component-update", true),
		// whatever it asks of its own is not the site's, and finds nobody
		chromedp.Flag("host-resolver-rules",
			"MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"))
	all, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(all)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); closeTab() })
	b := &tab{t: t, ctx: ctx, server: s}
	chromedp.ListenTarget(ctx, b.watch)
	apptest.Must(t, chromedp.Run(ctx)) // whose context is the life of the browser
	b.run("start", network.Enable(), log.Enable(), runtime.Enable())
	return b
}

func (b *tab) watch(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		// Chromium has pictures of its own, such as that of a calendar in a field
		url, own := e.Request.URL, b.server.URL+"/"
		if !strings.HasPrefix(url, own) && !strings.HasPrefix(url, "data:") {
			b.faults = append(b.faults, "a request to "+url)
		}
	case *network.EventLoadingFinished:
		b.weight += e.EncodedDataLength
	case *log.EventEntryAdded:
		// an answer that is an error is the test's own wish
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork {
			b.faults = append(b.faults, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Error())
	}
}

func (b *tab) assertClean(what string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		b.t.Errorf("%s: %s", what, fault)
	}
	b.faults = nil
}

func (b *tab) run(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *tab) visit(path string) {
	b.t.Helper()
	b.run("visit "+path, chromedp.Navigate(b.server.URL+path), chromedp.WaitReady("main"))
}

// look makes the window as wide as this, in a theme.
func (b *tab) look(width int, theme string) {
	b.t.Helper()
	b.run("look", chromedp.EmulateViewport(int64(width), 900),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme},
		}))
}

// press presses a button or follows a link by its words, and waits for the page that follows.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.run("press "+selector, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.ByQuery))
		return err
	}))
}

func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.run("fill "+selector, chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// eval returns what a script in the page says.
func eval[T any](b *tab, script string) (result T) {
	b.t.Helper()
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}
	b.run("evaluate", chromedp.Evaluate(script, &result, wait))
	return result
}

// text returns what people read.
func (b *tab) text() string {
	b.t.Helper()
	return eval[string](b, "document.body.innerText")
}

// screenshot keeps a picture of the whole page among the artefacts of the test.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	var picture []byte
	b.run("screenshot", chromedp.FullScreenshot(&picture, 100))
	dir := b.t.ArtifactDir()
	if takesPictures() {
		dir, name, picture = os.Getenv(pictureFolder), inDocs[name], small(b.t, picture)
	}
	apptest.Must(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
}

// axeVersion is the checker of accessibility. make browser-programs brings it from npm.
const axeVersion = "4.11.0"

var axeSource = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(
		filepath.Join(cache, "keysake-tests", "axe-core-"+axeVersion, "package", "axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("axe-core is missing: make browser-programs: %w", err)
	}
	return string(text), nil
})

// assertAccessible has axe-core find nothing on the page.
func (b *tab) assertAccessible(what string) {
	b.t.Helper()
	source, err := axeSource()
	apptest.Must(b.t, err)
	b.run("load axe", chromedp.Evaluate(source, nil))
	found := eval[string](b, `axe.run(document, {runOnly: {type: "tag", values: [
		"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}).then((r) =>
		JSON.stringify(
		r.violations.map((v) => v.id + ": " + v.help + ": " +
			v.nodes.map((n) => n.html.slice(0, 160)).join(" | "))))`)
	var violations []string
	apptest.Must(b.t, json.Unmarshal([]byte(found), &violations))
	for _, v := range violations {
		b.t.Errorf("%s: %s", what, v)
	}
}
