// Package confine keeps what a print server and vendors' modules say of files inside the
// places that are meant for it: it parses share paths, directories and file names, decides
// by policy and by content what may be copied, and writes and removes files below one
// directory without ever following a link.
//
// host/pointprint imports it, client and server. It knows no connection and no network.
package confine

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of a path.
const (
	MaxDepth = 8   // directories
	maxName  = 120 // UTF-16 units of one name
	maxPath  = 400 // bytes of a path, before it is looked at
)

// Share is the name of the share of driver and queue files.
const Share = "PRINT$"

// Rel is a path below a root: the checked names of its directories. The zero Rel is the
// root.
type Rel []string

// String gives the path with backslashes, as servers and registries have it.
func (r Rel) String() string { return strings.Join(r, `\`) }

// Path gives the path below dir in the form of this system.
func (r Rel) Path(dir string) string { return filepath.Join(append([]string{dir}, r...)...) }

// Key gives the form under which two paths are the same: names are case-insensitive.
func (r Rel) Key() string { return spool.Fold(r.String()) }

// ParseRel reads a path that is relative to a share, such as `Color` or `x64\3`. what says
// whose it is, for messages.
func ParseRel(what, path string) (Rel, error) { return parse(what, path, path, `\`) }

// ParseSource reads a directory in the PRINT$ share of a server, `\\SERVER\PRINT$\Color`.
func ParseSource(what, server, path string) (Rel, error) {
	rest, ok := strings.CutPrefix(path, `\\`)
	host, rest, ok2 := strings.Cut(rest, `\`)
	share, rest, ok3 := strings.Cut(rest, `\`)
	if !ok || !ok2 || !ok3 || len(path) > maxPath || spool.Fold(host) != spool.Fold(server) || spool.Fold(share) != spool.Fold(Share) {
		return nil, refuse(what, path, `it must be below \\`+server+`\`+Share)
	}
	return parse(what, path, rest, `\`)
}

// ParseTarget reads an absolute directory of this system, which must lie below root.
func ParseTarget(what, root, path string) (Rel, error) {
	separator := string(filepath.Separator)
	rest, ok := cutFold(path, strings.TrimSuffix(root, separator)+separator)
	if !ok {
		return nil, refuse(what, path, "it must be below "+root)
	}
	return parse(what, path, rest, separator)
}

// cutFold is strings.CutPrefix by the rules of this system's file names.
func cutFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) {
		return "", false
	}
	head := s[:len(prefix)]
	if head == prefix || filepath.Separator == '\\' && strings.EqualFold(head, prefix) {
		return s[len(prefix):], true
	}
	return "", false
}

func parse(what, whole, path, separator string) (Rel, error) {
	if len(path) > maxPath {
		return nil, refuse(what, whole, "it is too long")
	}
	names := strings.Split(path, separator)
	if len(names) > MaxDepth {
		return nil, refuse(what, whole, "it is too deep")
	}
	for _, name := range names {
		if why := fault(name); why != "" {
			return nil, refuse(what, whole, why)
		}
	}
	return Rel(names), nil
}

// CheckFileName refuses what is not the plain name of a file.
func CheckFileName(what, name string) error {
	if why := fault(name); why != "" {
		return refuse(what, name, why)
	}
	return nil
}

func refuse(what, path, why string) error {
	return spoolerr.New(spoolerr.Denied, spoolerr.CodeInvalidName, "%s %s is refused: %s", what, spool.Quote(path), why)
}

// fault says what is wrong with one name of a path; empty if nothing is. A name must mean
// the same file on every system, and look like what it is.
func fault(name string) string {
	switch {
	case name == "":
		return "a name in it is empty"
	case len(name) > 4*maxName || len(utf16.Encode([]rune(name))) > maxName:
		return "a name in it is too long"
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case !norm.NFC.IsNormalString(name):
		return "it is not in Unicode normal form C"
	case strings.ContainsAny(name, `\/:*?"<>|`):
		return `a name in it has one of \ / : * ? " < > |`
	case strings.HasPrefix(name, "."):
		return "a name in it begins with a dot"
	case strings.HasSuffix(name, ".") || name != strings.TrimSpace(name):
		return "a name in it ends with a dot, or begins or ends with a space"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }):
		return "a name in it has characters that do not print"
	case isDevice(name):
		return "a name in it is that of a device"
	case isShortName(name):
		return "a name in it may be the short form of another"
	}
	return ""
}

// isDevice knows the names that Windows takes for devices, also with an extension.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimSpace(base))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$":
		return true
	}
	number, ok := strings.CutPrefix(base, "COM")
	if !ok {
		number, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.ContainsAny(number, "0123456789¹²³")
}

// isShortName knows names such as PROGRA~1, by which Windows finds files of other names.
func isShortName(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	_, number, ok := strings.Cut(base, "~")
	return ok && len(base) <= 8 && number != "" && strings.Trim(number, "0123456789") == ""
}
