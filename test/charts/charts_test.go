package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const docs = "../../docs"

func TestThePageFollowsFromTheFigures(t *testing.T) {
	files, err := render(docs)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not current: make charts\n%s", path, diff)
		}
	}
}

func TestEveryChartIsOnThePageAndSaysInWordsWhatItShows(t *testing.T) {
	files, err := render(docs)
	if err != nil {
		t.Fatal(err)
	}
	page := files[filepath.Join(docs, "performance.md")]
	for path, text := range files {
		name := filepath.Base(path)
		if filepath.Ext(name) != ".svg" {
			continue
		}
		if !strings.Contains(page, "](performance/"+name+")") {
			t.Errorf("%s is not on the page", name)
		}
		if !strings.Contains(text, `role="img" aria-labelledby="t d"`) {
			t.Errorf("%s has no title for those who do not see it", name)
		}
		d := xml.NewDecoder(strings.NewReader(text))
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
		err = nil
	}
}

func TestAnAxisHoldsItsValuesAndHasAFewTicks(t *testing.T) {
	for _, c := range []struct {
		log    bool
		values []float64
	}{
		{false, []float64{0.3}},
		{false, []float64{1, 7, 99}},
		{false, []float64{123456}},
		{true, []float64{0.02, 15}},
		{true, []float64{1000}},
		{false, nil},
	} {
		a := newAxis(100, 500, c.log, c.values...)
		for _, v := range c.values {
			if at := a.at(v); at < 100 || at > 500 {
				t.Errorf("%v: %v is at %v", c, v, at)
			}
		}
		if n := len(a.ticks()); n < 2 || n > 8 {
			t.Errorf("%v: %d ticks", c, n)
		}
	}
}

func TestNumbersArePrintedShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.456: "0.46", 12.34: "12.3", 999.6: "1000", 1234: "1234", 1234567: "1,234,567",
		-12345: "-12,345",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v is printed as %s, want %s", v, got, want)
		}
	}
}
