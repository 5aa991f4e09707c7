package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// Curves draws a line through the points of each series; published ones are diamonds that no line
// joins. An axis that spans more than a factor of ten is logarithmic.
//
// The CSV has one row per point with the columns series, x and y (the second and third, whose
// names are those of the axes), and origin: modelled or published.
func Curves(text []byte) (*Figure, error) {
	t, err := readTable(text, "series", "origin")
	if err != nil {
		return nil, err
	}
	x, y := t.named(1), t.named(2)
	p := newPanel(x, y)
	f := &Figure{panels: []*plot.Plot{p}, height: 250}
	var names []string
	series := map[string]*intervals{}
	others := 0
	for i := range t.rows {
		v, err := t.numbers(i, x, y)
		if err != nil {
			return nil, err
		}
		name := t.text(i, "series")
		published := t.text(i, "origin") == "published"
		if published {
			name += ", published"
		}
		s := series[name]
		if s == nil {
			s = &intervals{pen: pens[rank(t.text(i, "series"), &others)%len(pens)]}
			if published {
				s.pen.line.Width, s.pen.glyph.Radius, s.pen.glyph.Shape = 0, publishedGlyph.Radius, diamond{}
			}
			series[name] = s
			names = append(names, name)
		}
		s.add(v[0], v[1], v[1], v[1])
	}
	for _, name := range names {
		s := series[name]
		s.sort()
		p.Add(s)
		e := entry{text: name, glyph: &draw.GlyphStyle{}}
		*e.glyph = s.pen.glyph
		if s.pen.line.Width > 0 {
			line := s.pen.line
			e.line = &line
		}
		f.legend = append(f.legend, e)
	}
	scaleLatency(&p.X)
	scaleRatio(&p.Y)
	return f, nil
}
