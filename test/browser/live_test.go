package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
)

// item finds a request on the page of a lease.
func item(path string) string {
	return `//ol[@data-stream]/li[contains(., "` + path + `")]`
}

// With scripts the page of a lease shows requests as they come; without, it has a link.
func TestRequestsAppearOnThePageOfTheirLease(t *testing.T) {
	s := apptest.Start(t)
	b := openTab(t, s)
	b.look(360, "light")
	b.signIn()
	lease := s.LeaseForBroker(t, plaintext.FromString(canary()))
	b.visit("/ui/leases/" + lease.ID)
	b.run("live", chromedp.WaitVisible(`//span[@id="live"][contains(., "Live")]`))
	if text := b.text(); !strings.Contains(text, "None yet") {
		t.Errorf("the page does not say that there was none:\n%s", text)
	}
	s.AskInVain(t, lease, "/v1/models")
	b.run("the first", chromedp.WaitVisible(item("v1/models")))
	s.AskInVain(t, lease, "/v1/files")
	b.run("the second", chromedp.WaitVisible(item("v1/files")))
	order := eval[string](b, `Array.from(document.querySelectorAll("ol[data-stream] .what"),
		(e) => e.innerText).join(" ")`)
	if order != "GET api.openai.com/v1/files GET api.openai.com/v1/models" {
		t.Errorf("the page has %s", order)
	}
	if strings.Contains(b.text(), "None yet") {
		t.Error("the page says that there was none")
	}
	b.assertAccessible("a live page")
	b.assertNoCanary("a live page")
	b.screenshot("live")
	apptest.Must(t, second(s.Client(t).RevokeLease(t.Context(), lease.ID)))
	b.run("its end", chromedp.WaitVisible(`//span[@id="live"][contains(., "has ended")]`))

	b.run("no scripts", emulation.SetScriptExecutionDisabled(true))
	b.visit("/ui/leases/" + lease.ID)
	b.press(`section[aria-labelledby=requests] a[href="/ui/leases/` + lease.ID + `"]`)
	if text := b.text(); !strings.Contains(text, "the newest first") ||
		!strings.Contains(text, "v1/models") {
		t.Errorf("without scripts:\n%s", text)
	}
	b.assertClean("a live page")
}

func second[T any](_ T, err error) error { return err }
