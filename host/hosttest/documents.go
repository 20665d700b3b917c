package hosttest

import (
	"os"
	"strings"
)

// Documents names what lies in a host's directory of documents: those that have a file of
// their own, and segments beyond the one that small documents go into.
func Documents(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	segments := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".segment") {
			if segments++; segments == 1 {
				continue
			}
		}
		names = append(names, e.Name())
	}
	return names
}
