package main

import "github.com/keysake/keysake/test/figures"

func stagesChart(s *figures.Stages) string {
	c := barChart{
		title: "Where the processor time of a request goes",
		shows: "The processor time of a read, of a list of 50 and of a create, by the part of " +
			"the program in which it is spent. The table has the numbers.",
		unit: "µs", legend: s.Names,
	}
	for _, w := range s.Works {
		b := bar{label: w.Work}
		for i, v := range w.Micros {
			b.parts = append(b.parts, part{v, i})
		}
		b.text = figure(b.sum())
		c.bars = append(c.bars, b)
	}
	return c.draw()
}

func stagesTable(s *figures.Stages) string {
	head, rows := []string{"µs a request"}, [][]string{}
	for _, w := range s.Works {
		head = append(head, w.Work)
	}
	for i, name := range s.Names {
		row := []string{name}
		for _, w := range s.Works {
			row = append(row, figure(w.Micros[i]))
		}
		rows = append(rows, row)
	}
	return origin(s.Machine, day(s.At), s.Commit, s.Changed) + "\n" + table(head, rows)
}
