package main

import "slices"

// A lineChart is panels below each other on one horizontal axis.
type lineChart struct {
	title, shows string
	unit         string // of the horizontal axis
	log          bool   // the horizontal axis
	panels       []panel
}

// A panel is lines on one vertical axis.
type panel struct {
	title string
	log   bool
	lines []line
}

// A line has a value for each place.
type line struct {
	name   string
	at     []float64
	values []float64
	dots   bool
}

const (
	panelHeight = 190
	panelHead   = 28
	left        = 76
	nameWidth   = 150
)

func (c lineChart) draw() string {
	bottom := 32 + float64(len(c.panels))*(panelHeight+panelHead)
	d := newDrawing(chartWidth, bottom+40, c.title, c.shows)
	x := newAxis(left, chartWidth-nameWidth, c.log, c.places()...)
	for i, p := range c.panels {
		top := 32 + float64(i)*(panelHeight+panelHead) + panelHead
		d.panel(p, x, top, top+panelHeight)
	}
	for _, tick := range x.ticks() {
		d.text(x.at(tick), bottom+18, "middle quiet", figure(tick))
	}
	d.text(x.to, bottom+34, "right quiet", c.unit)
	return d.end()
}

func (c lineChart) places() (all []float64) {
	for _, p := range c.panels {
		for _, l := range p.lines {
			all = append(all, l.at...)
		}
	}
	return all
}

func (d *drawing) panel(p panel, x axis, top, bottom float64) {
	d.text(8, top-8, "", p.title)
	var values []float64
	for _, l := range p.lines {
		values = append(values, l.values...)
	}
	y := newAxis(bottom-8, top+8, p.log, values...)
	for _, tick := range y.ticks() {
		d.line(x.from, y.at(tick), x.to, y.at(tick), "grid")
		d.text(left-6, y.at(tick)+4, "right quiet", figure(tick))
	}
	type name struct {
		y      float64
		colour int
		text   string
	}
	var names []name
	for i, l := range p.lines {
		points := make([][2]float64, len(l.values))
		for j, v := range l.values {
			points[j] = [2]float64{x.at(l.at[j]), y.at(v)}
			if l.dots {
				d.dot(points[j][0], points[j][1], class("f", i))
			}
		}
		if len(points) > 0 {
			d.path(points, class("l", i))
			names = append(names, name{points[len(points)-1][1], i, l.name})
		}
	}
	// the names stand at the ends of their lines, and none upon another
	slices.SortStableFunc(names, func(a, b name) int { return int(a.y - b.y) })
	next := top
	for _, n := range names {
		next = max(next+15, n.y+4)
		d.rect(x.to+8, next-9, 10, 10, class("f", n.colour))
		d.text(x.to+22, next, "quiet", n.text)
	}
}
