//go:build linux

package chaos

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// A document says what it is: "CHAOS KEY LENGTH CRC" on a line, and a body that nobody else
// has, so that a byte of another document, a byte twice and a byte too few are all seen.
const paperMark = "CHAOS"

func paperOf(key string, length int) []byte {
	body := make([]byte, 0, length+len(key)+16)
	for n := 0; len(body) < length; n++ {
		body = append(body, key...)
		body = fmt.Appendf(body, "#%07d;", n)
	}
	body = body[:length]
	head := fmt.Sprintf("%s %s %d %08x\n", paperMark, key, length, crc32.ChecksumIEEE(body))
	return append([]byte(head), body...)
}

// reading is what came over one connection, judged byte by byte.
type reading struct {
	Key   string
	Whole bool
	Bad   string // what no document has
	Total int64

	head []byte
	want []byte // all of the document, once its head is known
}

func (r *reading) take(p []byte) {
	r.Total += int64(len(p))
	if r.Bad != "" {
		return
	}
	if r.want == nil {
		r.head = append(r.head, p...)
		line, _, found := bytes.Cut(r.head, []byte("\n"))
		if !found {
			if len(r.head) > 200 {
				r.Bad = fmt.Sprintf("it does not begin as a document: %q", r.head[:40])
			}
			return
		}
		if r.want, r.Key = expected(string(line)); r.want == nil {
			r.Bad = fmt.Sprintf("it does not begin as a document: %q", line)
			return
		}
		p, r.Total = r.head, int64(len(r.head))
	}
	at := r.Total - int64(len(p))
	if r.Total > int64(len(r.want)) {
		r.Bad = fmt.Sprintf("%d bytes follow the end of the document", r.Total-int64(len(r.want)))
	} else if !bytes.Equal(p, r.want[at:r.Total]) {
		r.Bad = fmt.Sprintf("the bytes from %d on are not the document's", at)
	}
	r.Whole = r.Bad == "" && r.Total == int64(len(r.want))
}

// expected makes the document that a head announces.
func expected(head string) (document []byte, key string) {
	f := strings.Fields(head)
	if len(f) != 4 || f[0] != paperMark {
		return nil, ""
	}
	length, err := strconv.Atoi(f[2])
	if err != nil || length < 0 || length > 1<<26 {
		return nil, ""
	}
	if document = paperOf(f[1], length); !strings.HasPrefix(string(document), head+"\n") {
		return nil, ""
	}
	return document, f[1]
}
