// Package format knows what documents look like: their media types by their first bytes,
// and the compressions of IPP.
//
// The IPP front end imports it. It reads documents and changes nothing in them.
package format

import (
	"bytes"
	"net/http"
	"strings"
	"unicode/utf8"
)

// The media types of documents that printers know.
const (
	OctetStream = "application/octet-stream"
	PDF         = "application/pdf"
	PostScript  = "application/postscript"
	PCL         = "application/vnd.hp-PCL"
	PCLXL       = "application/vnd.hp-PCLXL"
	PWGRaster   = "image/pwg-raster"
	CUPSRaster  = "application/vnd.cups-raster"
	CUPSRaw     = "application/vnd.cups-raw"
	URF         = "image/urf"
	JPEG        = "image/jpeg"
	PNG         = "image/png"
	TIFF        = "image/tiff"
	OpenXPS     = "application/oxps"
	Text        = "text/plain"
)

// Known gives every media type that a printer takes of which nothing is declared.
func Known() []string {
	return []string{
		OctetStream, PDF, PostScript, PWGRaster, URF, JPEG, PNG, TIFF, PCL, PCLXL, OpenXPS, Text, CUPSRaster, CUPSRaw,
	}
}

// magic is how documents of a type begin.
type magic struct{ prefix, mime string }

func magics() []magic {
	return []magic{
		{"%!", PostScript}, {"\x04%!", PostScript}, {"\xc5\xd0\xd3\xc6", PostScript},
		{"\x1bE", PCL}, {"\x1b&l", PCL}, {"\x1b*t", PCL}, {") HP-PCL XL;", PCLXL}, {"( HP-PCL XL;", PCLXL},
		{"UNIRAST\x00", URF}, {"RaS2PwgRaster", PWGRaster}, {"RaS2", PWGRaster}, {"2SaR", PWGRaster},
		{"RaS3", CUPSRaster}, {"3SaR", CUPSRaster}, {"RaSt", CUPSRaster}, {"tSaR", CUPSRaster},
		{"\xff\xd8\xff", JPEG}, {"\x89PNG\r\n\x1a\n", PNG}, {"II*\x00", TIFF}, {"MM\x00*", TIFF},
	}
}

// pjl is the universal exit language, which wraps documents of other languages.
const pjl = "\x1b%-12345X"

// Detect gives the media type of a document by its first bytes; OctetStream if it is not
// known.
func Detect(head []byte) string {
	if after, ok := bytes.CutPrefix(head, []byte(pjl)); ok {
		return inPJL(after)
	}
	for _, m := range magics() {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return m.mime
		}
	}
	const room = 1024 // a PDF may begin with something else
	switch {
	case bytes.Contains(head[:min(len(head), room)], []byte("%PDF-")):
		return PDF
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) && bytes.Contains(head, []byte("FixedDoc")):
		return OpenXPS
	case plain(head):
		return Text
	}
	return OctetStream
}

// inPJL looks for the language that a PJL header enters.
func inPJL(rest []byte) string {
	const enter = "ENTER"
	upper := strings.ToUpper(string(rest))
	i := strings.Index(upper, enter)
	if i < 0 {
		return Detect(bytes.TrimLeft(rest, "\r\n"))
	}
	line, _, _ := strings.Cut(upper[i+len(enter):], "\n")
	_, language, _ := strings.Cut(line, "=")
	switch strings.TrimSpace(language) {
	case "POSTSCRIPT":
		return PostScript
	case "PDF":
		return PDF
	case "PCL":
		return PCL
	case "PCLXL":
		return PCLXL
	case "URF":
		return URF
	}
	return OctetStream
}

// plain says whether a document is text for people.
func plain(head []byte) bool {
	if len(head) == 0 {
		return false
	}
	for cut := 0; cut < utf8.UTFMax && !utf8.Valid(head) && len(head) > 0; cut++ {
		head = head[:len(head)-1] // a character may be cut in two
	}
	return utf8.Valid(head) && strings.HasPrefix(http.DetectContentType(head), "text/plain")
}

// Same compares media types, without their parameters and without regard to case.
func Same(a, b string) bool { return strings.EqualFold(essence(a), essence(b)) }

func essence(mime string) string {
	mime, _, _ = strings.Cut(mime, ";")
	return strings.TrimSpace(mime)
}
