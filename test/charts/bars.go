package main

// A bar is one row of a chart of bars. Its parts lie behind each other from the left.
type bar struct {
	label string
	parts []part
	text  string // at its end
	// low and high are the smallest and the largest of all rounds; 0 for none.
	low, high float64
}

type part struct {
	value  float64
	colour int
}

// A barChart is bars on one axis.
type barChart struct {
	title, shows, unit string
	log                bool
	legend             []string // of the colours
	mark               float64  // a line across all bars; 0 for none
	bars               []bar
}

const (
	chartWidth = 760
	labelWidth = 290
	textWidth  = 160
	barHeight  = 14
	rowHeight  = 24
)

func (c barChart) draw() string {
	top := 40 + rowHeight*float64((len(c.legend)+legendColumns-1)/legendColumns)
	bottom := top + rowHeight*float64(len(c.bars))
	d := newDrawing(chartWidth, bottom+40, c.title, c.shows)
	d.legend(c.legend, 40)
	values := []float64{c.mark}
	for _, b := range c.bars {
		values = append(values, b.sum(), b.high)
	}
	x := newAxis(labelWidth, chartWidth-textWidth, c.log, values...)
	for _, tick := range x.ticks() {
		d.line(x.at(tick), top, x.at(tick), bottom, "grid")
		d.text(x.at(tick), bottom+16, "middle quiet", figure(tick))
	}
	d.text(x.to, bottom+32, "right quiet", c.unit)
	for i, b := range c.bars {
		d.bar(b, x, top+rowHeight*float64(i)+5)
	}
	if c.mark > 0 {
		d.line(x.at(c.mark), top, x.at(c.mark), bottom, "mark")
	}
	return d.end()
}

func (b bar) sum() (sum float64) {
	for _, p := range b.parts {
		sum += p.value
	}
	return sum
}

func (d *drawing) bar(b bar, x axis, y float64) {
	d.text(labelWidth-8, y+11, "right", b.label)
	sum := 0.0
	for _, p := range b.parts {
		d.rect(x.at(sum), y, x.at(sum+p.value)-x.at(sum), barHeight, class("f", p.colour))
		sum += p.value
	}
	if b.high > b.low {
		d.line(x.at(b.low), y+barHeight/2, x.at(b.high), y+barHeight/2, "spread")
	}
	d.text(x.to+10, y+11, "quiet", b.text)
}

// legendColumns is how many colours are explained in a row.
const legendColumns = 4

// legend writes what the colours stand for.
func (d *drawing) legend(names []string, y float64) {
	for i, name := range names {
		x := 8 + float64(i%legendColumns)*(chartWidth-8)/legendColumns
		y := y + float64(i/legendColumns)*(rowHeight-4)
		d.rect(x, y, 12, 12, class("f", i))
		d.text(x+17, y+10, "quiet", name)
	}
}

func class(letter string, colour int) string {
	return letter + string(rune('0'+colour%colours))
}
