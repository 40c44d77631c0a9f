package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// A drawing is an SVG document that is written from top to bottom. It follows the reader's choice
// of a light or a dark page, and says in words what it shows.
type drawing struct {
	strings.Builder

	width, height float64
}

// style has the colours, for a light page and for a dark one.
const style = `<style>
text{font:12px system-ui,sans-serif;fill:#24292f}.quiet{fill:#57606a}.right{text-anchor:end}
.middle{text-anchor:middle}.head{font-size:14px;font-weight:600}
.grid{stroke:#d0d7de}.mark{stroke:#24292f;stroke-width:2}.spread{stroke:#24292f}
.l0,.l1,.l2,.l3,.l4,.l5,.l6,.l7{fill:none;stroke-width:2}
.f0{fill:#0969da}.f1{fill:#8c959f}.f2{fill:#bc4c00}.f3{fill:#1a7f37}.f4{fill:#8250df}
.f5{fill:#bf3989}.f6{fill:#9a6700}.f7{fill:#1b7c83}
.l0{stroke:#0969da}.l1{stroke:#8c959f;stroke-dasharray:2 3}.l2{stroke:#bc4c00;stroke-dasharray:7 3}
.l3{stroke:#1a7f37;stroke-dasharray:10 3 2 3}.l4{stroke:#8250df;stroke-dasharray:4 2}
.l5{stroke:#bf3989;stroke-dasharray:1 2}.l6{stroke:#9a6700;stroke-dasharray:12 2}
.l7{stroke:#1b7c83;stroke-dasharray:3 6}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.grid{stroke:#3d444d}
.mark,.spread{stroke:#e6edf3}
.f0{fill:#4493f8}.f1{fill:#767e88}.f2{fill:#db6d28}.f3{fill:#3fb950}.f4{fill:#ab7df8}
.f5{fill:#db61a2}.f6{fill:#d29922}.f7{fill:#39c5cf}
.l0{stroke:#4493f8}.l1{stroke:#767e88}.l2{stroke:#db6d28}.l3{stroke:#3fb950}.l4{stroke:#ab7df8}
.l5{stroke:#db61a2}.l6{stroke:#d29922}.l7{stroke:#39c5cf}}
</style>
`

// colours is how many colours there are.
const colours = 8

// newDrawing begins a drawing with its title and what it shows.
func newDrawing(width, height float64, title, shows string) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" `+
		`role="img" aria-labelledby="t d">`+
		"\n<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n",
		num(width), num(height), num(width), html.EscapeString(title), html.EscapeString(shows))
	d.WriteString(style)
	d.text(8, 20, "head", title)
	return d
}

func (d *drawing) end() string {
	d.WriteString("</svg>\n")
	return d.String()
}

func (d *drawing) text(x, y float64, class, text string) {
	fmt.Fprintf(d, `<text x="%s" y="%s" class="%s">%s</text>`+"\n",
		num(x), num(y), class, html.EscapeString(text))
}

func (d *drawing) rect(x, y, width, height float64, class string) {
	fmt.Fprintf(d, `<rect x="%s" y="%s" width="%s" height="%s" class="%s"/>`+"\n",
		num(x), num(y), num(max(width, 0)), num(height), class)
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(d, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`+"\n",
		num(x1), num(y1), num(x2), num(y2), class)
}

func (d *drawing) dot(x, y float64, class string) {
	fmt.Fprintf(d, `<circle cx="%s" cy="%s" r="3.5" class="%s"/>`+"\n", num(x), num(y), class)
}

// path draws a line through points.
func (d *drawing) path(points [][2]float64, class string) {
	text := make([]string, len(points))
	for i, p := range points {
		text[i] = num(p[0]) + "," + num(p[1])
	}
	fmt.Fprintf(d, `<polyline points="%s" class="%s"/>`+"\n", strings.Join(text, " "), class)
}

// num writes a coordinate.
func num(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// figure writes a number with three digits that count, or all that it has before the point.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) >= 10_000:
		return grouped(int64(math.Round(v)))
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// grouped writes a whole number with a comma after each thousand.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
