package localmon

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// partName is the name under which a document grows. It begins with a dot, so that
// whoever watches the directory passes over it, and it is the same for every document
// of a port: what a crash left behind is found and removed by the next one.
func partName(server, port string) string {
	h := fnv.New64a()
	h.Write([]byte(spool.Fold(server) + "\x00" + spool.Fold(port)))
	return fmt.Sprintf(".spoolhost-%016x.part", h.Sum64())
}

// documentName is the name of a document in a directory, without its extension.
func documentName(doc spool.Doc) string {
	return fmt.Sprintf("%d-%d-%s", doc.JobID, doc.Attempt, fileTitle(doc.Title))
}

// fileTitle makes a title fit for a file name: letters and digits of any script stay,
// and hyphens and dots between them; all else, and so every slash, becomes one
// underscore.
func fileTitle(title string) string {
	const most = 80 // bytes: a name has 255, and numbers and extension want some
	var b strings.Builder
	for _, r := range title {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '.' {
			r = '_'
		}
		if b.Len()+len(string(r)) > most {
			break
		}
		if r != '_' || !strings.HasSuffix(b.String(), "_") {
			b.WriteRune(r)
		}
	}
	if name := strings.Trim(b.String(), "_.-"); name != "" {
		return name
	}
	return "untitled"
}
