package document

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	nameLen    = 32 // 128 random bits in hexadecimal
	unfinished = ".part"
	segmentEnd = ".segment"
)

// place is where a document lies. Its id says it: "NAME" for the file NAME, and
// "NAME-OFFSET-LENGTH", in hexadecimal, for a part of the segment NAME.
type place struct {
	file           string
	segmented      bool
	offset, length int64
}

// newName makes a name. rand.Read never fails.
func newName() string {
	var b [nameLen / 2]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func isName(s string) bool {
	ok := len(s) == nameLen
	for _, c := range []byte(s) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	return ok
}

func segmentID(name string, offset, length int64) string {
	return fmt.Sprintf("%s-%x-%x", name, offset, length)
}

// parseID keeps everything that is not an id, such as a path, away from the directory.
func parseID(id string) (place, error) {
	if isName(id) {
		return place{file: id}, nil
	}
	name, rest, _ := strings.Cut(id, "-")
	from, long, ok := strings.Cut(rest, "-")
	offset, err1 := strconv.ParseInt(from, 16, 63)
	length, err2 := strconv.ParseInt(long, 16, 63)
	at := place{file: name, segmented: true, offset: offset, length: length}
	if !ok || !isName(name) || err1 != nil || err2 != nil || offset < 0 || length < 0 || offset > segmentSize || length > MaxInline || segmentID(name, offset, length) != id {
		return place{}, spoolerr.New(spoolerr.Invalid, 0, "%s is no document id; use one that the host gave out", quote(id))
	}
	return at, nil
}
