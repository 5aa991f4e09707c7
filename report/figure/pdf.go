package figure

import (
	"io"
	"sync"
	"time"

	pdf "codeberg.org/go-pdf/fpdf"
	stdfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgpdf"
)

// Page is a place for a figure in a paper: its width, and the size of the text in it, in points. The
// text has the metrics of Times, as that of the paper.
type Page struct {
	Width  vg.Length
	Points float64
}

// The columns of a USENIX page: two of 3.33 inches with 0.33 between them, text of 10 points with
// captions of 9 (usenix2019_v3.sty).
var (
	Column = Page{3.33 * vg.Inch, 8}
	Wide   = Page{7 * vg.Inch, 9}
)

// PDF writes the figure for a place in a paper. The same figure gives the same bytes.
func (f *Figure) PDF(w io.Writer, p Page) error {
	sameBytes()
	text := font.Font{Typeface: "Liberation", Variant: "Serif", Size: font.Length(p.Points)}
	c := vgpdf.New(p.Width, f.height*vg.Length(p.Points/fontPts))
	o := &outlines{Canvas: c}
	f.draw(draw.New(o), text)
	if o.err != nil {
		return o.err
	}
	_, err := c.WriteTo(w)
	return err
}

// sameBytes has documents without the time of their making, and their objects in order.
var sameBytes = sync.OnceFunc(func() {
	pdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
	pdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
	pdf.SetDefaultCatalogSort(true)
})

// outlines is a canvas on which text is areas. The document then has no fonts, of which the library
// would make temporary files.
type outlines struct {
	*vgpdf.Canvas
	err error
}

// FillString fills the glyphs of a text from at, the left end of its base line.
func (o *outlines) FillString(face font.Face, at vg.Point, text string) {
	var buffer sfnt.Buffer
	em := fixed.I(int(face.Face.UnitsPerEm())) // glyphs in units of the font: nothing is rounded
	scale := face.Font.Size / vg.Length(face.Face.UnitsPerEm())
	for _, r := range text {
		glyph, err := face.Face.GlyphIndex(&buffer, r)
		if err != nil {
			o.err = err
			return
		}
		segments, err := face.Face.LoadGlyph(&buffer, glyph, em, nil)
		if err != nil {
			o.err = err
			return
		}
		if path := glyphPath(segments, at, scale); len(path) > 0 {
			o.Fill(path)
		}
		advance, err := face.Face.GlyphAdvance(&buffer, glyph, em, stdfont.HintingNone)
		if err != nil {
			o.err = err
			return
		}
		at.X += vg.Length(advance) / 64 * scale
	}
}

// glyphPath is a glyph as a path. The y axis of a font's glyphs points down.
func glyphPath(segments sfnt.Segments, at vg.Point, scale vg.Length) (path vg.Path) {
	point := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + vg.Length(p.X)/64*scale, Y: at.Y - vg.Length(p.Y)/64*scale}
	}
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if len(path) > 0 {
				path.Close()
			}
			path.Move(point(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(point(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(point(s.Args[0]), point(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
		}
	}
	if len(path) > 0 {
		path.Close()
	}
	return path
}
