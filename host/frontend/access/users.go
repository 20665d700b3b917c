package access

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Users are the accounts of a file: a line "NAME:ROLE:HASH" for each, where HASH is of
// bcrypt, or "-" for one that has no password and comes with a certificate. The file is
// read again when it has changed.
type Users struct {
	path string
	key  [32]byte      // of the remembered passwords
	busy chan struct{} // hashing takes a processor for a while

	mu      sync.Mutex
	stamp   time.Time
	size    int64
	checked time.Time
	entries map[string]userEntry // by folded name
	known   map[string][]byte    // by folded name: what was proved, keyed, for this life only
}

type userEntry struct {
	name, hash string
	role       Role
}

// NoPassword is the hash of an account that comes with a certificate only.
const NoPassword = "-"

// bcryptCost is how hard guessing is made: about a quarter of a second for each guess.
const bcryptCost = 12

// OpenUsers reads the file, which must exist and be nobody's to read but its owner's and
// group's.
func OpenUsers(path string) (*Users, error) {
	const atATime = 2
	u := &Users{path: path, busy: make(chan struct{}, atATime)}
	_, _ = rand.Read(u.key[:])
	info, err := os.Stat(path)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.NotFound, "users file %s; make it with spoolhost ipp passwd", path)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, spoolerr.New(spoolerr.Denied, 0, "users file %s is open to everybody; chmod 600 it", path)
	}
	return u, u.load(info)
}

func (u *Users) load(info fs.FileInfo) error {
	data, err := os.ReadFile(u.path)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "users file %s", u.path)
	}
	entries, err := parseUsers(u.path, data)
	if err != nil {
		return err
	}
	u.entries, u.known = entries, make(map[string][]byte)
	u.stamp, u.size = info.ModTime(), info.Size()
	return nil
}

func parseUsers(path string, data []byte) (map[string]userEntry, error) {
	entries := make(map[string]userEntry)
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := parseUser(line)
		if err != nil {
			return nil, spoolerr.Wrap(err, "%s:%d", path, n)
		}
		entries[spool.Fold(e.name)] = e
	}
	return entries, lines.Err()
}

func parseUser(line string) (userEntry, error) {
	name, rest, ok1 := strings.Cut(line, ":")
	role, hash, ok2 := strings.Cut(rest, ":")
	if !ok1 || !ok2 || name == "" {
		return userEntry{}, spoolerr.New(spoolerr.Invalid, 0, "a line must be NAME:ROLE:HASH; make it with spoolhost ipp passwd")
	}
	r, err := ParseRole(role)
	if err != nil {
		return userEntry{}, err
	}
	if _, err := bcrypt.Cost([]byte(hash)); err != nil && hash != NoPassword {
		return userEntry{}, spoolerr.New(spoolerr.Invalid, 0, "the hash of %s is not of bcrypt; make it with spoolhost ipp passwd", spool.Quote(name))
	}
	return userEntry{name: name, hash: hash, role: r}, nil
}

// refresh reads the file again if it has changed; one that cannot be read leaves things as
// they were.
func (u *Users) refresh() {
	if time.Since(u.checked) < time.Second {
		return
	}
	u.checked = time.Now()
	if info, err := os.Stat(u.path); err == nil && (!info.ModTime().Equal(u.stamp) || info.Size() != u.size) {
		_ = u.load(info)
	}
}

func (u *Users) find(name string) (e userEntry, known []byte, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refresh()
	e, ok = u.entries[spool.Fold(name)]
	return e, u.known[spool.Fold(name)], ok
}

// Lookup gives the account of a name that something else has proved.
func (u *Users) Lookup(name string) (Caller, bool) {
	e, _, ok := u.find(name)
	return e.caller(), ok
}

func (e userEntry) caller() Caller {
	return Caller{UID: -1, Name: e.name, Account: e.name, Role: e.role}
}

// Verify gives the account of a name and its password. What is wrong, the name or the
// password, it does not tell, not even by the time that it takes.
func (u *Users) Verify(name, password string) (Caller, bool) {
	e, known, ok := u.find(name)
	proof := u.proof(e.hash, password)
	if ok && known != nil && hmac.Equal(known, proof) {
		return e.caller(), true
	}
	hash := e.hash
	if !ok || hash == NoPassword {
		hash = nobodysHash
	}
	u.busy <- struct{}{}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	<-u.busy
	if err != nil || !ok || e.hash == NoPassword {
		return Nobody(), false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known[spool.Fold(name)] = proof
	return e.caller(), true
}

// nobodysHash is of no password.
const nobodysHash = "$2a$12$hvpxsnpS/HjRRc7dJPgTGO3y6ewuIvfRYNoaXhc0i1uJhuD6hecQu"

// proof is what is remembered of a password that was right.
func (u *Users) proof(hash, password string) []byte {
	m := hmac.New(sha256.New, u.key[:])
	_, _ = fmt.Fprintf(m, "%s\x00%s", hash, password)
	return m.Sum(nil)
}

// SetUser adds an account to a users file or replaces it; an empty password makes one that
// comes with a certificate. The file is made if there is none.
func SetUser(path, name string, role Role, password string) error {
	if err := checkAccount(name, password); err != nil {
		return err
	}
	hash := NoPassword
	if password != "" {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcryptCost)
		if err != nil {
			return spoolerr.As(err, spoolerr.Invalid, "the password of %s", spool.Quote(name))
		}
		hash = string(h)
	}
	return changeUsers(path, func(entries map[string]userEntry) error {
		entries[spool.Fold(name)] = userEntry{name: name, role: role, hash: hash}
		return nil
	})
}

func checkAccount(name, password string) error {
	const shortest, longest = 8, 72 // bcrypt takes no more
	switch {
	case name == "" || len(name) > 255 || strings.ContainsAny(name, ":\r\n\t#") || strings.TrimSpace(name) != name:
		return spoolerr.New(spoolerr.Invalid, 0, "user name %s is not usable; use 1 to 255 characters without colon", spool.Quote(name))
	case password != "" && (len(password) < shortest || len(password) > longest):
		return spoolerr.New(spoolerr.Invalid, 0, "a password must have %d to %d bytes", shortest, longest)
	}
	return nil
}

// RemoveUser takes an account out of a users file.
func RemoveUser(path, name string) error {
	return changeUsers(path, func(entries map[string]userEntry) error {
		if _, ok := entries[spool.Fold(name)]; !ok {
			return spoolerr.New(spoolerr.NotFound, 0, "user %s is not in %s", spool.Quote(name), path)
		}
		delete(entries, spool.Fold(name))
		return nil
	})
}

// changeUsers writes the file anew beside the old one and puts it in its place.
func changeUsers(path string, change func(map[string]userEntry) error) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return spoolerr.As(err, spoolerr.Denied, "users file %s", path)
	}
	entries, err := parseUsers(path, data)
	if err != nil {
		return err
	}
	if err := change(entries); err != nil {
		return err
	}
	list := make([]userEntry, 0, len(entries))
	for _, e := range entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b userEntry) int { return cmp.Compare(spool.Fold(a.name), spool.Fold(b.name)) })
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s:%s:%s\n", e.name, e.role, e.hash)
	}
	return replaceFile(path, b.String())
}

func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".users-") // with mode 0600
	if err != nil {
		return spoolerr.As(err, spoolerr.Denied, "users file %s cannot be written", path)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return spoolerr.As(err, spoolerr.Unavailable, "users file %s cannot be written", path)
	}
	return nil
}
