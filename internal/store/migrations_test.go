package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAMigrationIsAFileOfGoose(t *testing.T) {
	t.Parallel()
	const text = "-- What it is for.\n\n-- +goose Up\n\n-- A table;\nCREATE TABLE a (\n" +
		"\tb TEXT -- of;\n);\nCREATE INDEX c ON a (b); -- quick\n"
	want := Migration{12, []string{
		"CREATE TABLE a (\n\tb TEXT -- of;\n);", "CREATE INDEX c ON a (b);",
	}}
	got, err := parseMigration("0012_more.sql", text)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for text, want := range map[string]error{
		"SELECT 1;\n": errNoUp,
		"":            errNoUp,
		"-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n": errDirective,
		"-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n":  errDirective,
		"-- +goose Up\nSELECT 1\n":                             errNoEnd,
	} {
		if _, err := parseMigration("0001_a.sql", text); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
	}
	if _, err := parseMigration("a.sql", "-- +goose Up\n"); err == nil {
		t.Error("a file without a number was taken")
	}
}
