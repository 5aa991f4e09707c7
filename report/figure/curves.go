package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curves draws a line through the points of each series; published ones are the series' own glyphs in
// diamonds, and no line joins them. An axis that spans more than a factor of ten is logarithmic.
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
	series, styles := map[string]*intervals{}, map[string]pen{} // a series and what is published of it look alike
	others, published := 0, false
	for i := range t.rows {
		v, err := t.numbers(i, x, y)
		if err != nil {
			return nil, err
		}
		name := t.text(i, "series")
		measured := t.text(i, "origin") == "published"
		if measured {
			name += ", published"
		}
		s := series[name]
		if s == nil {
			of := t.text(i, "series")
			if _, ok := styles[of]; !ok {
				styles[of] = pens[rank(of, &others)%len(pens)]
			}
			s = &intervals{pen: styles[of]}
			if measured {
				s.pen.line.Width, s.pen.glyph.Radius, s.pen.glyph.Shape = 0, 5.4, framed{s.pen.glyph}
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
		if s.pen.line.Width == 0 {
			published = true
			continue
		}
		line, glyph := s.pen.line, s.pen.glyph
		f.legend = append(f.legend, entry{text: name, line: &line, glyph: &glyph})
	}
	if published {
		glyph := publishedGlyph
		f.legend = append(f.legend, entry{text: "published", glyph: &glyph})
	}
	scaleLatency(&p.X)
	scaleRatio(&p.Y)
	return f, nil
}

// framed is a glyph in a diamond.
type framed struct{ inner draw.GlyphStyle }

func (f framed) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	diamond{}.DrawGlyph(c, style, at)
	inner := f.inner
	inner.Radius = style.Radius * 0.45
	c.DrawGlyph(inner, at)
}
