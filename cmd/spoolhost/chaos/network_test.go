//go:build linux

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// network is a switch in this machine with namespaces as machines at it. Machine 0 is the
// test itself, with the printers; the external etcd is machine nodes+1.
type network struct {
	name  string // begins the name of everything
	place int

	mu   sync.Mutex
	cuts map[[2]int]int // how many faults keep packets from one to the other
}

// run runs a command of the machine's administration.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// lacking ends a test that this machine cannot run. Where every test must run, as in .ci/run,
// that is a failure.
func lacking(t *testing.T, err error) {
	t.Helper()
	const what = "this test needs root, mounts, network namespaces and ip (apt-get install iproute2)"
	if os.Getenv("CHAOS_REQUIRED") != "" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// namespaces are named after the process, so that what a killed test left is found.
const namespacePrefix = "spch"

// newNetwork makes a network with a name and addresses of its own; several of one process
// have different places.
func newNetwork(t *testing.T, machines, place int) *network {
	t.Helper()
	sweepNamespaces()
	n := &network{name: namespacePrefix + strconv.Itoa(os.Getpid()) + string(rune('a'+place)), place: place, cuts: make(map[[2]int]int)}
	t.Cleanup(n.close)
	steps := [][]string{
		{"link", "add", n.name, "type", "bridge"}, {"link", "set", n.name, "up"}, {"addr", "add", n.address(0) + "/24", "dev", n.name},
	}
	for m := 1; m <= machines; m++ {
		ns, plug := n.namespace(m), n.name+strconv.Itoa(m)
		steps = append(steps, []string{"netns", "add", ns},
			[]string{"link", "add", plug, "type", "veth", "peer", "name", "eth0", "netns", ns}, []string{"link", "set", plug, "master", n.name, "up"},
			[]string{"-n", ns, "addr", "add", n.address(m) + "/24", "dev", "eth0"},
			[]string{"-n", ns, "link", "set", "lo", "up"}, []string{"-n", ns, "link", "set", "eth0", "up"})
	}
	for _, s := range steps {
		if err := run("ip", s...); err != nil {
			lacking(t, err)
		}
	}
	return n
}

func (n *network) namespace(machine int) string { return n.name + "-" + strconv.Itoa(machine) }

// address is of a network that the process has to itself, as far as one can tell.
func (n *network) address(machine int) string {
	return fmt.Sprintf("10.%d.%d.%d", 128+60*n.place+os.Getpid()/250%60, os.Getpid()%250, machine+1)
}

// command is one that runs on a machine, and ends with the test.
func (n *network) command(machine int, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + n.namespace(machine), name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return cmd
}

// cut lets no packet pass from one machine to another, without telling anybody: it goes to
// an address of the wire that nobody has. Another cut of the same way may go on after mend.
func (n *network) cut(from, to int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]int{from, to}]++
	return n.neighbour(from, "replace", n.address(to), "lladdr", "02:00:00:00:00:01", "nud", "permanent")
}

func (n *network) mend(from, to int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cuts[[2]int{from, to}]--; n.cuts[[2]int{from, to}] > 0 {
		return nil
	}
	return n.neighbour(from, "del", n.address(to))
}

func (n *network) neighbour(machine int, args ...string) error {
	if machine == 0 {
		return run("ip", append(append([]string{"neigh"}, args...), "dev", n.name)...)
	}
	return run("ip", append(append([]string{"-n", n.namespace(machine), "neigh"}, args...), "dev", "eth0")...)
}

func (n *network) close() {
	removeNamespaces(n.name)
	_ = run("ip", "link", "del", n.name)
}

// removeNamespaces removes machines; nothing of theirs runs any more.
func removeNamespaces(name string) {
	found, _ := filepath.Glob("/run/netns/" + name + "-*")
	for _, path := range found {
		_ = run("ip", "netns", "del", filepath.Base(path))
	}
}

// sweepNamespaces removes what tests left that were killed.
func sweepNamespaces() {
	found, _ := filepath.Glob("/run/netns/" + namespacePrefix + "*-*")
	for _, path := range found {
		name, _, _ := strings.Cut(filepath.Base(path), "-")
		pid, err := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(name, namespacePrefix), "abcdefgh"))
		if err == nil && syscall.Kill(pid, 0) != nil {
			removeNamespaces(name)
			_ = run("ip", "link", "del", name)
		}
	}
}
