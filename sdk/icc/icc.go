// Package icc reads the header and the tag table of ICC colour profiles (ISO 15076-1), and
// refuses what is none. Point and Print modules and the host import it: under the policy
// "color" nothing else is copied to a client.
//
// It reads nothing of a profile's colours, and nothing that lies outside the profile's own
// bounds; its memory does not grow with what a profile says of itself.
package icc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of a profile.
const (
	// MaxSize is the largest profile that Parse takes, in bytes.
	MaxSize = 64 << 20
	// MaxTags is how many tags it may have.
	MaxTags = 256

	headerSize = 128
	entrySize  = 12
)

// Profile is what a profile says of itself.
type Profile struct {
	// Size is the length of the profile in bytes, header included.
	Size int64
	// Major and Minor are the profile's version: 2.4, 4.3.
	Major, Minor int
	// Class, Space and PCS are signatures: "prtr", "CMYK", "Lab ".
	Class, Space, PCS string
	// Created may be zero.
	Created time.Time
	// Description is what people see of it, cleaned; it may be empty.
	Description string
	// ID is the MD5 that the profile carries, or zero.
	ID   [16]byte
	Tags []Tag
}

// Tag is an entry of the tag table.
type Tag struct {
	Signature string
	Offset    int64
	Size      int64
}

// Parse reads the profile in r, which has so many bytes. What is no profile is
// spoolerr.Invalid with ERROR_INVALID_DATA, and the message says what is wrong.
func Parse(r io.ReaderAt, size int64) (*Profile, error) {
	if size < headerSize+4 || size > MaxSize {
		return nil, bad("it has %d bytes; a profile has %d to %d", size, headerSize+4, MaxSize)
	}
	header := make([]byte, headerSize+4)
	if err := readFull(r, header, 0); err != nil {
		return nil, err
	}
	p, err := parseHeader(header, size)
	if err != nil {
		return nil, err
	}
	count := binary.BigEndian.Uint32(header[headerSize:])
	if count == 0 || count > MaxTags || int64(count)*entrySize > size-headerSize-4 {
		return nil, bad("its tag table has %d entries, for which there is no room", count)
	}
	table := make([]byte, count*entrySize)
	if err := readFull(r, table, headerSize+4); err != nil {
		return nil, err
	}
	if err := p.parseTags(table); err != nil {
		return nil, err
	}
	p.Description, err = description(r, p.Tags)
	return p, err
}

func parseHeader(h []byte, size int64) (*Profile, error) {
	if string(h[36:40]) != "acsp" {
		return nil, bad("it has no profile signature (acsp)")
	}
	said := int64(binary.BigEndian.Uint32(h))
	// A length is a multiple of four, and some writers leave the padding out.
	if said != size && (said < size || said-size > 3) {
		return nil, bad("it says that it has %d bytes, and has %d", said, size)
	}
	p := &Profile{
		Size: size, Major: int(h[8]), Minor: int(h[9] >> 4), Class: string(h[12:16]), Space: string(h[16:20]), PCS: string(h[20:24]),
		Created: created(h[24:36]), ID: [16]byte(h[84:100]),
	}
	if p.Major < 2 || p.Major > 5 {
		return nil, bad("its version %d.%d is not 2 to 5", p.Major, p.Minor)
	}
	if !slices.Contains([]string{"scnr", "mntr", "prtr", "link", "spac", "abst", "nmcl", "cenc", "mid ", "mlnk", "mvis"}, p.Class) {
		return nil, bad("its class %q is unknown", p.Class)
	}
	for _, s := range []string{p.Space, p.PCS} {
		if !printable(s) && (p.Major < 5 || s != "\x00\x00\x00\x00") {
			return nil, bad("its colour space %q is no signature", s)
		}
	}
	return p, nil
}

// created gives zero for a date that is none.
func created(b []byte) time.Time {
	var n [6]int
	for i := range n {
		n[i] = int(binary.BigEndian.Uint16(b[2*i:]))
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	if t.Year() != n[0] || int(t.Month()) != n[1] || t.Day() != n[2] {
		return time.Time{}
	}
	return t
}

// parseTags checks that every tag lies in the profile, behind the table.
func (p *Profile) parseTags(table []byte) error {
	first := int64(headerSize + 4 + len(table))
	seen := make(map[string]bool)
	for e := range slices.Chunk(table, entrySize) {
		t := Tag{Signature: string(e[:4]), Offset: int64(binary.BigEndian.Uint32(e[4:])), Size: int64(binary.BigEndian.Uint32(e[8:]))}
		switch {
		case !printable(t.Signature):
			return bad("a tag's name %q is no signature", t.Signature)
		case seen[t.Signature]:
			return bad("tag %q is there twice", t.Signature)
		case t.Offset < first || t.Size < 8 || t.Offset+t.Size > p.Size:
			return bad("tag %q lies at %d with %d bytes, outside the profile", t.Signature, t.Offset, t.Size)
		}
		seen[t.Signature] = true
		p.Tags = append(p.Tags, t)
	}
	return nil
}

func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return bad("it ends after %d bytes", at+int64(n))
	}
	return spoolerr.Wrap(err, "the profile cannot be read")
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func bad(format string, args ...any) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "not an ICC profile: %s", fmt.Sprintf(format, args...))
}
