package main

import (
	"strings"
	"testing"
)

const stream = `{"Action":"output","Package":"k/vault","Output":"tests on SQLite\n"}
{"Action":"pass","Package":"k/vault","Test":"TestA"}
{"Action":"output","Package":"k/vault","Output":"tests on PostgreSQL\n"}
{"Action":"pass","Package":"k/vault","Test":"TestA"}
{"Action":"skip","Package":"k/vault","Test":"TestB"}
{"Action":"output","Package":"k/vault","Output":"ok  \tk/vault\t1.0s\n"}
{"Action":"pass","Package":"k/vault"}
{"Action":"pass","Package":"k/store/postgres","Test":"TestC"}
{"Action":"pass","Package":"k/cli","Test":"TestScripts/PostgreSQL/init"}
{"Action":"pass","Package":"k/cli","Test":"TestScripts/SQLite/init"}
{"Action":"pass","Package":"k/cli","Test":"TestD"}
`

func TestTestsAreCountedByTheirDatabase(t *testing.T) {
	var out strings.Builder
	got, err := count(strings.NewReader(stream), &out)
	if err != nil {
		t.Fatal(err)
	}
	const want = "ok  \tk/vault\t1.0s\nskipped: k/vault TestB\n" +
		"tests that passed: 2 on SQLite, 3 on PostgreSQL, 1 on no database or a file; skipped: 1\n"
	if got.failed || out.String()+got.String() != want {
		t.Errorf("got %q and %q", out.String(), got)
	}
}

func TestOfAPackageThatFailsTheTestsThatPassedAreNotShown(t *testing.T) {
	const failing = `{"Action":"output","Package":"k","Test":"TestA","Output":"why\n"}
{"Action":"output","Package":"k","Test":"TestB","Output":"fine\n"}
{"Action":"output","Package":"k","Test":"TestC","Output":"where it hung\n"}
{"Action":"fail","Package":"k","Test":"TestA"}
{"Action":"pass","Package":"k","Test":"TestB"}
{"Action":"output","Package":"k","Output":"FAIL\n"}
{"Action":"fail","Package":"k"}
`
	var out strings.Builder
	got, err := count(strings.NewReader(failing), &out)
	if err != nil || !got.failed || out.String() != "why\nwhere it hung\nFAIL\n" {
		t.Errorf("%+v %v %q", got, err, out.String())
	}
}

func TestAPackageThatDoesNotBuildIsShown(t *testing.T) {
	const failing = `{"ImportPath":"k","Action":"build-output","Output":"no such name\n"}
{"ImportPath":"k","Action":"build-fail"}
`
	var out strings.Builder
	got, err := count(strings.NewReader(failing), &out)
	if err != nil || !got.failed || out.String() != "no such name\n" {
		t.Errorf("%+v %v %q", got, err, out.String())
	}
}
