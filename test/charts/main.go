// Charts draws docs/performance/*.svg and writes the tables of docs/performance.md, from the JSON
// of the benchmark, the soak and the stages in docs/performance. Where one is missing, its charts
// and tables are left as they are.
//
//	go run ./test/charts [-docs docs]
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keysake/keysake/test/figures"
)

func main() {
	docs := flag.String("docs", "docs", "the folder of performance.md")
	flag.Parse()
	if err := write(*docs); err != nil {
		fmt.Fprintln(os.Stderr, "charts:", err)
		os.Exit(1)
	}
}

// write draws all charts and writes the tables.
func write(docs string) error {
	files, err := render(docs)
	for path, text := range files {
		err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600))
	}
	return err
}

// render returns the texts of all files that follow from the figures, by their paths.
func render(docs string) (map[string]string, error) {
	folder := filepath.Join(docs, "performance")
	charts, tables := map[string]string{}, map[string]string{}
	bench, err := optional(figures.Read(filepath.Join(folder, "bench.json")))
	if err != nil {
		return nil, err
	}
	if bench != nil {
		benchCharts(bench, charts)
		benchTables(bench, tables)
	}
	postgres, err := optional(figures.Read(filepath.Join(folder, "bench-postgres.json")))
	if err != nil {
		return nil, err
	}
	if postgres != nil {
		tables["postgres"] = postgresTable(postgres)
	}
	growth, err := optional(figures.Read(filepath.Join(folder, "bench-growth.json")))
	if err != nil {
		return nil, err
	}
	if growth != nil && len(growth.Growth) > 1 {
		charts["growth"], tables["growth"] = growthChart(growth), growthTable(growth)
	}
	soak, err := optional(figures.ReadSoak(filepath.Join(folder, "soak.json")))
	if err != nil {
		return nil, err
	}
	if soak != nil {
		charts["soak"], tables["soak"] = soakChart(soak), soakTables(soak)
	}
	stages, err := optional(figures.ReadStages(filepath.Join(folder, "stages.json")))
	if err != nil {
		return nil, err
	}
	if stages != nil {
		charts["stages"], tables["stages"] = stagesChart(stages), stagesTable(stages)
	}
	files := map[string]string{}
	for name, text := range charts {
		files[filepath.Join(folder, name+".svg")] = text
	}
	page := filepath.Join(docs, "performance.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	files[page], err = fill(string(text), tables)
	return files, err
}

// optional returns nil for a file that is missing.
func optional[T any](found *T, err error) (*T, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return found, err
}

// fill puts each table between its comments on the page.
func fill(page string, tables map[string]string) (string, error) {
	for name, table := range tables {
		begin, end := "<!-- figures: "+name+" -->\n", "<!-- end -->"
		before, after, found := strings.Cut(page, begin)
		_, after, ended := strings.Cut(after, end)
		if !found || !ended {
			return "", fmt.Errorf("performance.md has no place for %s", name)
		}
		page = before + begin + "\n" + table + "\n" + end + after
	}
	return page, nil
}

// table writes a table of Markdown, of which all columns but the first are numbers.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	align := "|---|" + strings.Repeat("--:|", len(head)-1)
	fmt.Fprintf(&b, "| %s |\n%s\n", strings.Join(head, " | "), align)
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// origin says where and when figures were measured.
func origin(m figures.Machine, at, commit string, changed bool) string {
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if changed {
		commit += " with changes"
	}
	return fmt.Sprintf("*%s, commit %s, %s, %d cores, %s.*\n", at, commit, m.CPU, m.Cores, m.Go)
}
