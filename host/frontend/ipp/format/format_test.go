package format

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	for _, c := range []struct{ head, want string }{
		{"%PDF-1.7\n", PDF}, {"garbage before %PDF-1.4", PDF}, {"%!PS-Adobe-3.0\n", PostScript}, {"\x04%!PS", PostScript},
		{"\x1bE\x1b&l0O", PCL}, {"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE = PCLXL \r\n) HP-PCL XL", PCLXL},
		{"\x1b%-12345X@PJL\n@PJL enter language=postscript\n%!", PostScript}, {"\x1b%-12345X\x1bE", PCL}, {"\x1b%-12345X", OctetStream},
		{"UNIRAST\x00\x00", URF}, {"RaS2PwgRaster\x00", PWGRaster}, {"RaS3", CUPSRaster}, {"\xff\xd8\xff\xe0", JPEG},
		{"\x89PNG\r\n\x1a\nxx", PNG}, {"hello, printer\n", Text}, {"Grüße", Text}, {strings.Repeat("x", 4095) + "\xc3", Text},
		{"\x00\x01\x02", OctetStream}, {"", OctetStream}, {"PK\x03\x04...[Content_Types] FixedDocSeq", OpenXPS}, {"PK\x03\x04", OctetStream},
	} {
		if got := Detect([]byte(c.head)); got != c.want {
			t.Errorf("%.40q is %s, want %s", c.head, got, c.want)
		}
	}
}

func pack(t testing.TB, data []byte, how string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	default:
		w, _ = flate.NewWriter(&b, 6)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecompress(t *testing.T) {
	data := bytes.Repeat([]byte("document "), 10000)
	for _, c := range []struct{ compression, how string }{{"gzip", "gzip"}, {"deflate", "flate"}, {"deflate", "zlib"}} {
		packed := pack(t, data, c.how)
		r, ok := Decompress(c.compression, bytes.NewReader(packed))
		if !ok {
			t.Fatal(c.compression)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s as %s: %d bytes, %v", c.how, c.compression, len(got), err)
		}
		r, _ = Decompress(c.compression, bytes.NewReader(packed[:len(packed)-5]))
		if _, err := io.ReadAll(r); !errors.Is(err, ErrCompressed) {
			t.Errorf("%s cut short: %v", c.how, err)
		}
		broken := errors.New("line cut")
		r, _ = Decompress(c.compression, io.MultiReader(bytes.NewReader(packed[:20]), failing{broken}))
		if _, err := io.ReadAll(r); !errors.Is(err, broken) || errors.Is(err, ErrCompressed) {
			t.Errorf("%s on a broken line: %v", c.how, err)
		}
	}
	if _, ok := Decompress("compress", nil); ok {
		t.Error("an unknown compression")
	}
	if r, ok := Decompress("none", strings.NewReader("x")); !ok || r == nil {
		t.Error("no compression")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzDetect(f *testing.F) {
	f.Add([]byte("\x1b%-12345X\x1b%-12345X@PJL ENTER LANGUAGE=PDF"))
	f.Add([]byte("%PDF-"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if got := Detect(head); !strings.Contains(got, "/") {
			t.Errorf("%q", got)
		}
	})
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte("x"), true)
	f.Add(pack(f, []byte("hello"), "zlib"), false)
	f.Fuzz(func(t *testing.T, data []byte, gz bool) {
		how := map[bool]string{true: "gzip", false: "deflate"}[gz]
		r, _ := Decompress(how, bytes.NewReader(data))
		if _, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20)); err != nil && !errors.Is(err, ErrCompressed) {
			t.Errorf("%v", err)
		}
	})
}
