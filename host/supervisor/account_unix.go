//go:build unix

package supervisor

import (
	"errors"
	"os"
	"os/user"
	"strconv"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// account is a user of the operating system.
type account struct {
	name     string
	uid, gid int
}

// findAccount finds a user by name or number. It gives nil for the host's own user, who
// needs no change, and an error where the host may not change.
func findAccount(name string) (*account, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no user is chosen
	}
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return nil, spoolerr.New(spoolerr.NotFound, 0, "user %s does not exist on this system; name one that does", spool.Quote(name))
	}
	a := &account{name: u.Username}
	if a.uid, err = strconv.Atoi(u.Uid); err == nil {
		a.gid, err = strconv.Atoi(u.Gid)
	}
	switch {
	case err != nil:
		return nil, spoolerr.As(err, spoolerr.Internal, "user %s", spool.Quote(name))
	case a.uid == os.Geteuid():
		return nil, nil //nolint:nilnil // no change
	case os.Geteuid() != 0:
		return nil, spoolerr.New(spoolerr.Denied, 0,
			"it is to run as user %s, but the host runs as %s and only root may change; run the host as root, or choose no user", spool.Quote(u.Username), ownName())
	}
	return a, nil
}

func ownName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Geteuid())
}

// own gives files to the account.
func (a *account) own(paths ...string) error {
	if a == nil {
		return nil
	}
	for _, p := range paths {
		if err := os.Lchown(p, a.uid, a.gid); err != nil {
			return err
		}
	}
	return nil
}
