// Package access knows who calls a front end and what they may do: the roles, what the
// kernel says of a connection's other end, accounts with passwords, and who may use a
// printer or a job.
//
// The front ends import it. It serves nothing by itself.
package access

import (
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Role is what a caller may do; a greater one may do all that a smaller one may.
type Role int

// The roles.
const (
	User     Role = iota // prints, and sees and handles own jobs
	Operator             // handles printers' states and everybody's jobs
	Administrator
)

// String gives "user", "operator" or "administrator".
func (r Role) String() string {
	return [...]string{"user", "operator", "administrator"}[r]
}

// ParseRole is String in reverse.
func ParseRole(s string) (Role, error) {
	for r := User; r <= Administrator; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return User, spoolerr.New(spoolerr.Invalid, 0, "role %s is unknown; use user, operator or administrator", spool.Quote(s))
}

// Caller is who is at the other end.
type Caller struct {
	// UID is the caller's user on this machine; -1 if it is not known.
	UID  int64
	Name string
	Role Role
	// Account is the name that was proved by password or certificate; empty if none was.
	Account string
	// Node is the name of the node of this cluster that calls; empty if none does.
	Node string
}

// Nobody is a caller of whom nothing is known.
func Nobody() Caller { return Caller{UID: -1, Name: "nobody"} }

// Known says that the caller's name is proved, and not only said.
func (c Caller) Known() bool { return c.UID >= 0 || c.Account != "" || c.Node != "" }

// Owns says whether a job is the caller's own. One of whom only a name is known owns what
// came under that name in the same way.
func (c Caller) Owns(j *job.Job) bool {
	switch {
	case c.Account != "":
		return spool.Fold(c.Account) == spool.Fold(j.Account)
	case c.UID >= 0:
		return c.UID == j.UID
	}
	return j.UID < 0 && j.Account == "" && c.Name != "" && spool.Fold(c.Name) == spool.Fold(j.User)
}

// MayHandle says whether the caller may see and change a job.
func (c Caller) MayHandle(j *job.Job) bool {
	return c.Role >= Operator || c.Known() && c.Owns(j)
}

// MayPrint says whether a printer's lists let the caller print. An operator always may.
func (c Caller) MayPrint(allow, deny []string) bool {
	if c.Role >= Operator {
		return true
	}
	if slices.ContainsFunc(deny, c.is) {
		return false
	}
	return len(allow) == 0 || c.Known() && slices.ContainsFunc(allow, c.is)
}

// is says whether an entry of a list, a name or "@GROUP", means the caller.
func (c Caller) is(entry string) bool {
	group, isGroup := strings.CutPrefix(entry, "@")
	if !isGroup {
		return spool.Fold(entry) == spool.Fold(c.Name)
	}
	if !c.Known() {
		return false
	}
	u, err := user.Lookup(c.Name)
	return err == nil && inGroup(u, group)
}

// Identifier finds out by the kernel's help who called.
type Identifier struct {
	// Operators is the name of the group whose members operate, or empty.
	Operators string
	// LookupUID gives the user at the other end of a connection; nil is PeerUID.
	LookupUID func(net.Conn) (int64, error)
}

// Identify says who is at the other end of a connection on this machine.
func (i Identifier) Identify(conn net.Conn) Caller {
	lookup := i.LookupUID
	if lookup == nil {
		lookup = PeerUID
	}
	uid, err := lookup(conn)
	if err != nil || uid < 0 {
		return Nobody()
	}
	c := Caller{UID: uid}
	c.Name, c.Role = i.identify(uid)
	return c
}

func (i Identifier) identify(uid int64) (string, Role) {
	name := "uid " + strconv.FormatInt(uid, 10)
	u, err := user.LookupId(strconv.FormatInt(uid, 10))
	if err == nil {
		name = u.Username
	}
	switch {
	case uid == 0 || uid == int64(os.Getuid()):
		return name, Administrator
	case err == nil && i.Operators != "" && inGroup(u, i.Operators):
		return name, Operator
	}
	return name, User
}

func inGroup(u *user.User, group string) bool {
	g, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}
