package supervisor

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestParseLine(t *testing.T) {
	for name, c := range map[string]struct{ raw, level, text string }{
		"plain":          {"hello\n", "info", "hello"},
		"carriage":       {"hello\r\n", "info", "hello"},
		"empty":          {"\n", "info", ""},
		"hclog":          {`{"@level":"warn","@message":"low toner","@module":"m","@timestamp":"t"}` + "\n", "warn", "low toner"},
		"slog":           {`{"@level":"ERROR","@message":"jam","tray":2}`, "error", `jam {"tray":2}`},
		"debug":          {`{"@level":"trace","@message":"x"}`, "debug", "x"},
		"unknown level":  {`{"@level":"loud","@message":"x"}`, "info", "x"},
		"number message": {`{"@message":1}`, "info", `{"@message":1}`},
		"number level":   {`{"@message":"x","@level":1}`, "info", "x"},
		"null":           {`{"@message":null}`, "info", `{"@message":null}`},
		"not an object":  {`["@message"]`, "info", `["@message"]`},
		"cut":            {`{"@message":"x"`, "info", `{"@message":"x"`},
		"escape":         {"\x1b[31mred", "info", "\ufffd[31mred"},
		"escape in json": {`{"@message":"\u001b[2J"}`, "info", "\ufffd[2J"},
		"not utf-8":      {"\xff", "info", "\ufffd"},
		"huge fields":    {`{"@message":"x","a":"` + strings.Repeat("y", 2*maxFieldText) + `"}`, "info", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseLine([]byte(c.raw)); got.Level != c.level || got.Text != c.text {
				t.Errorf("got %q %q, want %q %q", got.Level, got.Text, c.level, c.text)
			}
		})
	}
}

func FuzzOutput(f *testing.F) {
	f.Add([]byte("plain\n"))
	f.Add([]byte(`{"@message":1,"@level":{},"@timestamp":[]}` + "\n"))
	f.Add([]byte(`{"@message":"m","@level":"warn","k":"v"}` + "\n\n\x00\xff"))
	f.Add([]byte(strings.Repeat("{\"a\":", 500)))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := newOutput(time.Now, func(l Line) { sane(t, l) })
		o.consume(bufio.NewReader(strings.NewReader(string(data))))
		w := &lineWriter{out: o}
		_, _ = w.Write(data)
		w.end()
		o.flush()
		for _, l := range o.Tail() {
			sane(t, l)
		}
	})
}

func sane(t *testing.T, l Line) {
	t.Helper()
	switch l.Level {
	case "debug", "info", "warn", "error":
	default:
		t.Errorf("level %q", l.Level)
	}
	if !utf8.ValidString(l.Text) || strings.ContainsFunc(l.Text, unicode.IsControl) || len(l.Text) > 4*maxLine {
		t.Errorf("text %q", l.Text)
	}
}

// TestOutputRate: what is above the rate is counted, reported, and still in the tail.
func TestOutputRate(t *testing.T) {
	now := time.Unix(1000, 0)
	var got []Line
	o := newOutput(func() time.Time { return now }, func(l Line) { got = append(got, l) })
	for i := range lineBurst + 500 {
		o.add(fmt.Appendf(nil, "%d\n", i))
	}
	if len(got) != lineBurst {
		t.Fatalf("%d lines passed", len(got))
	}
	if tail := o.Tail(); len(tail) != tailLines || tail[tailLines-1].Text != fmt.Sprint(lineBurst+499) {
		t.Errorf("the tail ends with %v", tail[len(tail)-1])
	}
	now = now.Add(time.Second)
	o.add([]byte("after a second\n"))
	want := []string{"lines left out because the module writes too many: 500", "after a second"}
	for i, l := range got[lineBurst:] {
		if l.Text != want[i] {
			t.Errorf("line %d is %q", i, l.Text)
		}
	}
	got = nil
	for range 2 * lineBurst {
		o.add([]byte("more\n"))
	}
	o.flush()
	o.flush()
	if last := got[len(got)-1].Text; !strings.HasPrefix(last, "lines left out") {
		t.Errorf("the end says %q", last)
	}
}

func TestLastWords(t *testing.T) {
	o := newOutput(time.Now, nil)
	if o.lastWords() != "" || o.panicText() != "" {
		t.Error("words without output")
	}
	o.add([]byte("one\n"))
	o.add([]byte(strings.Repeat("ä", maxLine/2) + "\n"))
	if w := o.lastWords(); len(w) > 400 || !utf8.ValidString(w) {
		t.Errorf("%d bytes of last words", len(w))
	}
	o.add([]byte("panic: no paper\n"))
	for range 10 * tailLines {
		o.add([]byte("\tmain.go:12 +0x1\n"))
	}
	if o.lastWords() != "panic: no paper" || o.panicText() != ": panic: no paper" {
		t.Errorf("last words %q", o.lastWords())
	}
}

// TestLineWriter: go-plugin's streams come in pieces of up to 1 KiB.
func TestLineWriter(t *testing.T) {
	o := newOutput(time.Now, nil)
	w := &lineWriter{out: o}
	for _, piece := range []string{"on", "e\n\ntw", "", "o\nlong ", strings.Repeat("x", 3*maxLine), "\nthree"} {
		if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	w.end()
	w.end()
	var got []string
	for _, l := range o.Tail() {
		got = append(got, l.Text[:min(len(l.Text), 6)])
	}
	if want := "one||two|long x|three"; strings.Join(got, "|") != want {
		t.Errorf("lines %q, want %q", got, want)
	}
}

func TestReadLine(t *testing.T) {
	r := bufio.NewReader(strings.NewReader(strings.Repeat("x", 100_000) + "\nnext\nlast"))
	for _, want := range []int{maxLine, 5, 4} {
		line, _ := readLine(r)
		if len(line) != want {
			t.Errorf("a line of %d bytes, want %d", len(line), want)
		}
	}
}

const goodCert = "MIIBxzCCAW2gAwIBAgIUAKnotacertificatebutlongenoughtopassforone"

func TestCheckHandshake(t *testing.T) {
	const dir = "/run/x/plugin-dir1"
	for name, c := range map[string]struct{ line, want string }{
		"good":             {"1|1|unix|" + dir + "/s|grpc|" + goodCert + "|false", ""},
		"six fields":       {"1|1|unix|" + dir + "/s|grpc|" + goodCert, ""},
		"five fields":      {"1|1|unix|" + dir + "/s|grpc", "instead of a handshake"},
		"eight fields":     {"1|1|unix|" + dir + "/s|grpc|" + goodCert + "|false|", "instead of a handshake"},
		"empty":            {"", "instead of a handshake"},
		"core version":     {"2|1|unix|" + dir + "/s|grpc|" + goodCert, "core protocol"},
		"version":          {"1|2|unix|" + dir + "/s|grpc|" + goodCert, "protocol version"},
		"version with +":   {"1|+1|unix|" + dir + "/s|grpc|" + goodCert, "protocol version"},
		"tcp":              {"1|1|tcp|10.0.0.5:22|grpc|" + goodCert, "network"},
		"unixgram":         {"1|1|unixgram|" + dir + "/s|grpc|" + goodCert, "network"},
		"outside":          {"1|1|unix|/run/docker.sock|grpc|" + goodCert, "directory"},
		"dots":             {"1|1|unix|" + dir + "/../s|grpc|" + goodCert, "directory"},
		"deeper":           {"1|1|unix|" + dir + "/a/s|grpc|" + goodCert, "directory"},
		"double slash":     {"1|1|unix|" + dir + "//s|grpc|" + goodCert, "directory"},
		"the directory":    {"1|1|unix|" + dir + "|grpc|" + goodCert, "directory"},
		"relative":         {"1|1|unix|s|grpc|" + goodCert, "directory"},
		"abstract":         {"1|1|unix|@s|grpc|" + goodCert, "directory"},
		"no address":       {"1|1|unix||grpc|" + goodCert, "directory"},
		"net/rpc":          {"1|1|unix|" + dir + "/s|netrpc|" + goodCert, "not grpc"},
		"no certificate":   {"1|1|unix|" + dir + "/s|grpc||false", "no certificate"},
		"too short a cert": {"1|1|unix|" + dir + "/s|grpc|AAAA|false", "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkHandshake(fillIn(c.line, ""), dir)
			if c.want == "" && err == nil {
				return
			}
			if c.want == "" || err == nil || !strings.Contains(err.Error(), c.want) || !isKind(err, spoolerr.Invalid) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestFillIn: only a module that names no certificate gets the one that it was offered.
func TestFillIn(t *testing.T) {
	for line, want := range map[string]string{
		"1|1|unix|/d/s|grpc|":       "1|1|unix|/d/s|grpc|C",
		"1|1|unix|/d/s|grpc||false": "1|1|unix|/d/s|grpc|C|false",
		"1|1|unix|/d/s|grpc|X":      "1|1|unix|/d/s|grpc|X",
		"1|1|unix|/d/s|grpc":        "1|1|unix|/d/s|grpc",
		"":                          "",
	} {
		if got := fillIn(line, "C"); got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
}

func isKind(err error, k spoolerr.Kind) bool { return spoolerr.KindOf(err) == k }

func FuzzHandshake(f *testing.F) {
	f.Add("1|1|unix|/d/s|grpc|" + goodCert + "|false\n")
	f.Add("1|1|tcp|127.0.0.1:1|grpc|" + goodCert + "\n")
	f.Add(strings.Repeat("|", 9000))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		line, err := readLimitedLine(bufio.NewReader(strings.NewReader(text)), maxHandshake)
		if err != nil {
			if !isKind(err, spoolerr.Invalid) || len(err.Error()) > 1000 {
				t.Errorf("error %v", err)
			}
			return
		}
		if checkHandshake(line, "/d") == nil && !strings.HasPrefix(line, "1|1|unix|/d/") {
			t.Errorf("accepted %q", line)
		}
	})
}
