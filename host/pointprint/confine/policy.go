package confine

import (
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Policy says which queue-specific files a client copies (CopyFilesPolicy 0, 1 and 2).
type Policy string

// The policies.
const (
	None Policy = "none"
	// Color takes colour profiles: key CopyFiles\ICM, Directory Color, Module mscms.
	Color Policy = "color"
	All   Policy = "all"
)

// ParsePolicy reads a policy.
func ParsePolicy(s string) (Policy, error) {
	switch p := Policy(s); p {
	case None, Color, All:
		return p, nil
	}
	return "", spoolerr.New(spoolerr.Invalid, 0, `%s is not "none", "color" or "all"`, spool.Quote(s))
}

// Component is a CopyFiles key as a policy sees it.
type Component struct {
	// Key is the subkey's name: ICM.
	Key, Directory, Module string
}

// Check refuses a component that the policy does not take.
func (p Policy) Check(c Component) error {
	deny := func(why string) error {
		return spoolerr.New(spoolerr.Denied, spoolerr.CodeAccessDenied, "CopyFiles\\%s is not copied: the policy copy_files = %q %s",
			strings.Trim(spool.Quote(c.Key), `"`), string(p), why)
	}
	switch p {
	case All:
		return nil
	case Color:
		switch {
		case spool.Fold(c.Key) != "icm":
			return deny(`takes the key CopyFiles\ICM only`)
		case spool.Fold(c.Directory) != "color":
			return deny("takes the Directory Color only, not " + spool.Quote(c.Directory))
		case ModuleName(c.Module) != "mscms":
			return deny("takes the Module mscms only, not " + spool.Quote(c.Module))
		}
		return nil
	}
	return deny("takes nothing")
}

// ModuleName gives the name under which a module is looked up among those that are installed:
// without the ending of a Windows file, and never a path, which no installed module has.
func ModuleName(module string) string { return strings.TrimSuffix(spool.Fold(module), ".dll") }
