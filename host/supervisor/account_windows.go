package supervisor

import (
	"os/user"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type account struct {
	name     string
	uid, gid int
}

// findAccount gives nil, the host's own user: here a process cannot be given to another
// without that one's password.
func findAccount(name string) (*account, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no user is chosen
	}
	return nil, spoolerr.New(spoolerr.Unsupported, 0, "a module cannot run as another user on Windows; choose none, and run the host as a service of little rights")
}

func ownName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func (a *account) own(...string) error { return nil }
