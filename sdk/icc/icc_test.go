package icc_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/icc"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func parse(b []byte) (*icc.Profile, error) { return icc.Parse(bytes.NewReader(b), int64(len(b))) }

func TestParse(t *testing.T) {
	p, err := parse(icctest.Profile("HP Color LaserJet"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Description != "HP Color LaserJet" || p.Class != "prtr" || p.Space != "CMYK" || p.PCS != "Lab " || p.Major != 2 || p.Minor != 4 {
		t.Errorf("got %+v", p)
	}
	if want := time.Date(1999, 12, 31, 23, 59, 58, 0, time.UTC); !p.Created.Equal(want) {
		t.Errorf("created %v, want %v", p.Created, want)
	}
}

func TestParseMultiLocalized(t *testing.T) {
	b := icctest.Profile("x")
	tag := 128 + 4 + 12
	copy(b[tag:], "mluc")
	binary.BigEndian.PutUint32(b[tag+8:], 1)
	binary.BigEndian.PutUint32(b[tag+12:], 12)
	copy(b[tag+16:], "deDE")
	binary.BigEndian.PutUint32(b[tag+20:], 4)
	binary.BigEndian.PutUint32(b[tag+24:], 28)
	copy(b[tag+28:], "\x00G\x00r")
	p, err := parse(b)
	if err != nil || p.Description != "Gr" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestRefused(t *testing.T) {
	good := icctest.Profile("x")
	change := func(f func([]byte) []byte) []byte { return f(bytes.Clone(good)) }
	put32 := func(at int, n uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], n); return b }
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                      {nil, "bytes"},
		"PE executable":              {append([]byte("MZ"), make([]byte, 500)...), "acsp"},
		"ELF executable":             {append([]byte("\x7fELF"), make([]byte, 500)...), "acsp"},
		"script":                     {[]byte("#!/bin/sh\n" + strings.Repeat("# acsp\n", 100)), "acsp"},
		"cut short":                  {good[:len(good)-10], "says that it has"},
		"something behind it":        {append(bytes.Clone(good), "MZ..."...), "says that it has"},
		"DLL with acsp at its place": {change(func(b []byte) []byte { copy(b, "MZ\x90\x00"); return b }), "says that it has"},
		"version":                    {change(func(b []byte) []byte { b[8] = 9; return b }), "version"},
		"class":                      {change(func(b []byte) []byte { copy(b[12:], "evil"); return b }), "class"},
		"colour space":               {change(func(b []byte) []byte { copy(b[16:], "\x1b[2J"); return b }), "colour space"},
		"no tags":                    {change(put32(128, 0)), "tag table"},
		"many tags":                  {change(put32(128, 1<<31)), "tag table"},
		"tag name":                   {change(put32(132, 1)), "signature"},
		"tag over the header":        {change(put32(136, 0)), "outside"},
		"tag beyond the end":         {change(put32(140, 1<<20)), "outside"},
		"tag that wraps around":      {change(put32(136, 0xfffffff0)), "outside"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(c.data)
			if !errors.Is(err, spoolerr.CodeInvalidData) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ERROR_INVALID_DATA with %q", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(icctest.Profile("a profile"))
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err != nil {
			return
		}
		if len(p.Tags) == 0 || len(p.Tags) > icc.MaxTags || len(p.Description) > 8192 {
			t.Errorf("bounds: %d tags, %d bytes of description", len(p.Tags), len(p.Description))
		}
		for _, tag := range p.Tags {
			if tag.Offset < 144 || tag.Offset+tag.Size > int64(len(b)) {
				t.Errorf("tag %+v lies outside", tag)
			}
		}
	})
}
