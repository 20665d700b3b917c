package main

import (
	"bytes"
	"fmt"
)

// makePDF makes a PDF 1.4 of several pages, each with a line of text and a picture of
// about half a megabyte, so that printing it takes a while.
func makePDF(pages int) []byte {
	w := &pdfWriter{}
	w.buf.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	const firstPage = 4 // after the catalog, the page tree and the font
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", firstPage+3*i)
	}
	w.object("<< /Type /Catalog /Pages 2 0 R >>")
	w.object(fmt.Sprintf("<< /Type /Pages /Kids [ %s] /Count %d >>", kids, pages))
	w.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	for i := range pages {
		page := firstPage + 3*i
		w.object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "+
			"/Resources << /Font << /F1 3 0 R >> /XObject << /Im1 %d 0 R >> >> >>", page+1, page+2))
		text := fmt.Sprintf("BT /F1 24 Tf 56 780 Td (spoolhost demo, page %d of %d) Tj ET\n"+
			"q 483 0 0 644 56 100 cm /Im1 Do Q\n", i+1, pages)
		w.stream("", []byte(text))
		const width, height = 600, 800
		w.stream(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 ", width, height),
			picture(width, height, i))
	}
	return w.finish()
}

// picture is rings around a centre that wanders from page to page, with some grain.
func picture(width, height, page int) []byte {
	pix := make([]byte, 0, width*height)
	grain := uint32(page)*2654435761 + 1
	for y := range height {
		for x := range width {
			dx, dy := x-width/2-10*page, y-height/2
			grain = grain*1664525 + 1013904223
			pix = append(pix, byte((dx*dx+dy*dy)>>7)+byte(grain>>28))
		}
	}
	return pix
}

// pdfWriter numbers objects from 1 in the order they are written.
type pdfWriter struct {
	buf     bytes.Buffer
	offsets []int
}

func (w *pdfWriter) begin() {
	w.offsets = append(w.offsets, w.buf.Len())
	fmt.Fprintf(&w.buf, "%d 0 obj\n", len(w.offsets))
}

func (w *pdfWriter) object(body string) {
	w.begin()
	fmt.Fprintf(&w.buf, "%s\nendobj\n", body)
}

func (w *pdfWriter) stream(entries string, data []byte) {
	w.begin()
	fmt.Fprintf(&w.buf, "<< %s/Length %d >>\nstream\n", entries, len(data))
	w.buf.Write(data)
	w.buf.WriteString("\nendstream\nendobj\n")
}

// finish writes the table of offsets, whose lines have exactly 20 bytes.
func (w *pdfWriter) finish() []byte {
	start := w.buf.Len()
	fmt.Fprintf(&w.buf, "xref\n0 %d\n0000000000 65535 f \n", len(w.offsets)+1)
	for _, offset := range w.offsets {
		fmt.Fprintf(&w.buf, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&w.buf, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(w.offsets)+1, start)
	return w.buf.Bytes()
}
