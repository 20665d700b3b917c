//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// attempt runs one of the program's commands on a node's machine, which may fail.
func (w *world) attempt(n int, args ...string) (out string, code int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + w.net.namespace(n), w.binary}, args...)...)
	text, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		w.Error(err)
	}
	return string(text), 0
}

// at runs a command against a node.
func (w *world) at(n int, args ...string) (out string, code int) {
	w.Helper()
	return w.attempt(n, append([]string{"--addr", "unix:" + w.path("a"+strconv.Itoa(n))}, args...)...)
}

// token makes a join token at the first node.
func (w *world) token(args ...string) string {
	w.Helper()
	for _, word := range strings.Fields(w.command(1, append([]string{"cluster", "token", "--addr", "unix:" + w.path("a1")}, args...)...)) {
		if strings.HasPrefix(word, "spoolhost-join-") {
			return word
		}
	}
	w.Fatal("no token")
	return ""
}

// candidate writes the configuration of a further node.
func (w *world) candidate(shared string, change func(string) string) (path string) {
	w.Helper()
	path = w.path("4.hcl")
	w.ok(os.WriteFile(path, []byte(change(w.configuration(nodes+1, shared))), 0o600))
	return path
}

func asItIs(s string) string { return s }

// members gives the nodes that the first one knows.
func (w *world) members() (names []string) {
	w.Helper()
	var status struct {
		Members []struct{ Node, Role string }
	}
	w.ok(json.Unmarshal([]byte(w.command(1, "cluster", "status", "-o", "json", "--addr", "unix:"+w.path("a1"))), &status))
	for _, m := range status.Members {
		names = append(names, m.Node)
	}
	slices.Sort(names)
	return names
}

// refusal is a command that must fail, with a text that names the object and the remedy.
type refusal struct {
	name string
	args []string
	code int
	text string
}

func (w *world) refuse(at int, list ...refusal) {
	w.Helper()
	var asked sync.WaitGroup
	for _, r := range list {
		asked.Go(func() {
			out, code := w.at(at, r.args...)
			w.refused(r, out, code)
		})
	}
	asked.Wait()
}

func (w *world) refused(r refusal, out string, code int) {
	w.Helper()
	if code != r.code || !strings.Contains(out, r.text) || strings.Count(strings.TrimSpace(out), "\n") > 0 {
		w.Errorf("%s: exit %d, want %d with %q: %s", r.name, code, r.code, r.text, out)
	}
}

// testMistakes is what operators of clusters do wrong: each gets a line that helps, and no
// mistake leaves anything behind.
func testMistakes(t *testing.T, binary string) {
	w := newWorld(t, binary, 1, false)
	w.found()
	_, err := w.nodes[1].CreateSpooler(t.Context(), &apiv1.CreateSpoolerRequest{Name: "ALPHA", PreferredOwners: []string{"n1"}})
	w.ok(err)
	w.until("ALPHA is online", func() string { return w.offline("ALPHA") })
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"joining", w.mistakesOfJoining}, {"joining again", w.joinsAgain}, {"moving", w.mistakesOfMoving}, {"deleting", w.mistakesOfDeleting}, {"sharing", w.cannotShare}, {"publishing", w.publishes}, {"removing", w.removesNodes}, {"quorum", w.losesQuorum},
	} {
		w.Logf("%8.3fs %s", time.Since(w.began).Seconds(), step.name)
		step.run()
	}
}

func (w *world) mistakesOfJoining() {
	w.Helper()
	token, elsewhere, readonly := w.token(), w.path("elsewhere"), w.path("s4")
	for _, dir := range []string{elsewhere, readonly} {
		w.ok(os.Mkdir(dir, 0o700))
	}
	w.ok(run("mount", "--bind", w.path("t"), readonly))
	defer func() { _ = run("umount", "-l", readonly) }()
	w.ok(run("mount", "-o", "remount,bind,ro", readonly))
	tries := []struct {
		refusal
		token, shared string
		change        func(string) string
	}{
		{refusal{"no token", nil, 2, "not a join token"}, "spoolhost-join-nonsense", w.path("t"), asItIs},
		{refusal{"a forged token", nil, 4, "not one of this cluster"}, token + "x", w.path("t"), asItIs},
		{refusal{"another cluster's name", nil, 2, `cluster "chaos"`}, token, w.path("t"), func(s string) string { return strings.Replace(s, `"chaos"`, `"other"`, 1) }},
		{refusal{"a name that is taken", nil, 7, "another name"}, token, w.path("t"), func(s string) string { return strings.Replace(s, `"n4"`, `"N3"`, 1) }},
		{refusal{"a directory that is not shared", nil, 7, "mount the same file system"}, token, elsewhere, asItIs},
		{refusal{"a directory that cannot be written", nil, 6, "cannot be written"}, token, readonly, asItIs},
		{refusal{"no directory", nil, 6, "cannot be written"}, token, w.path("nowhere"), asItIs},
		{refusal{"another engine", nil, 7, `engine = "embedded"`}, token, w.path("t"), func(s string) string {
			before, _, _ := strings.Cut(s, "listen = \"10.")
			return before + "engine = \"external\"\n  endpoints = [\"http://10.0.0.1:2379\"]\n}\n"
		}},
	}
	for _, try := range tries {
		out, code := w.attempt(4, "cluster", "join", try.token, "--config", w.candidate(try.shared, try.change))
		w.refused(try.refusal, out, code)
	}
	short := w.token("--valid", "1s")
	taken := w.candidate(w.path("t"), func(s string) string { return strings.Replace(s, `"n4"`, `"n3"`, 1) }) // refused while it is valid
	w.until("a token has run out", func() string {
		out, code := w.attempt(4, "cluster", "join", short, "--config", taken)
		if code == 4 && strings.Contains(out, "ran out") {
			return ""
		}
		return out
	})
	if got := w.members(); !slices.Equal(got, []string{"n1", "n2", "n3"}) {
		w.Errorf("after what was refused, the nodes are %v", got)
	}
	if left, _ := filepath.Glob(w.path("t/.spoolhost-join*")); len(left) > 0 {
		w.Errorf("left in the shared directory: %v", left)
	}
}

// joinsAgain: a node whose answer was lost runs the same command again; nobody else can
// use its token.
func (w *world) joinsAgain() {
	w.Helper()
	token, config := w.token(), w.candidate(w.path("t"), asItIs)
	w.command(4, "cluster", "join", token, "--config", config)
	out, code := w.attempt(4, "cluster", "join", token, "--config", config)
	w.refused(refusal{name: "a host that is in a cluster", code: 7, text: "in a cluster already"}, out, code)
	w.ok(os.RemoveAll(w.path("d4/cluster")))
	w.command(4, "cluster", "join", token, "--config", config)
	other := w.candidate(w.path("t"), func(s string) string { return strings.NewReplacer("/d4", "/d5", `"n4"`, `"n5"`).Replace(s) })
	out, code = w.attempt(4, "cluster", "join", token, "--config", other)
	w.refused(refusal{name: "a used token", code: 4, text: "used already"}, out, code)
	w.candidate(w.path("t"), asItIs)
	w.nodes = append(w.nodes, w.newNode(4))
	w.boot(4)
	w.votes(4)
}

func (w *world) votes(count int) {
	w.Helper()
	w.until("all etcd members have a vote", func() string {
		out := w.command(1, "cluster", "status", "--addr", "unix:"+w.path("a1"), "-o", "json")
		if strings.Count(out, `"member"`)+strings.Count(out, `"leader"`) == count {
			return ""
		}
		return out
	})
}

func (w *world) mistakesOfMoving() {
	w.Helper()
	w.command(1, "node", "drain", "n3", "--addr", "unix:"+w.path("a1"))
	w.refuse(2,
		refusal{"an unknown node", []string{"spooler", "move", "ALPHA", "--to", "n9"}, 3, "not there now"},
		refusal{"where it is", []string{"spooler", "move", "ALPHA", "--to", "n1"}, 7, "already"},
		refusal{"a drained node", []string{"spooler", "move", "ALPHA", "--to", "n3"}, 7, "node resume n3"},
		refusal{"an unknown spooler", []string{"spooler", "move", "NOBODY", "--to", "n2"}, 3, "does not exist"},
		refusal{"a node that cannot be drained", []string{"node", "drain", "n9"}, 3, "not there now"},
		refusal{"a node that owns something", []string{"cluster", "remove", "n1"}, 7, "node drain n1"},
		refusal{"the node that is asked", []string{"cluster", "remove", "n2"}, 7, "ask another node"},
		refusal{"a node that there is not", []string{"cluster", "remove", "n9"}, 3, "has no node"},
	)
	w.command(1, "node", "resume", "n3", "--addr", "unix:"+w.path("a1"))
}

// mistakesOfDeleting: a spooler with a job that is to print is not deleted by the way.
func (w *world) mistakesOfDeleting() {
	w.Helper()
	document := w.path("document")
	w.ok(os.WriteFile(document, []byte("text"), 0o600))
	w.addPrinter(w.Context(), "ALPHA", "kept")
	w.says(1, "paused", "printer", "pause", "kept", "--spooler", "ALPHA")
	w.says(2, "queued", "print", document, "--printer", "kept", "--spooler", "ALPHA")
	w.refuse(3,
		refusal{"a spooler with a job", []string{"spooler", "delete", "ALPHA"}, 7, "--force"},
		refusal{"a spooler that there is not", []string{"spooler", "delete", "NOBODY"}, 3, "does not exist"},
	)
	w.says(3, "", "job", "cancel", "1", "--spooler", "ALPHA")
}

// cannotShare: a node on which the shared directory is read-only refuses jobs, every node says
// so and why, and it is over by itself.
func (w *world) cannotShare() {
	w.Helper()
	heal, err := w.remount(w.path("s2"), true)
	w.ok(err)
	w.refuse(2, refusal{"a job where nothing can be written", []string{"print", w.path("document"), "--printer", "kept", "--spooler", "ALPHA"}, 6, "mount it read-write"})
	for _, question := range [][]string{{"cluster", "status"}, {"node", "list"}, {"spooler", "show", "ALPHA"}, {"why", "spooler", "ALPHA"}, {"why", "printer", "kept", "--spooler", "ALPHA"}} {
		w.until("node 3 says it by "+question[0], func() string {
			out, _ := w.at(3, question...)
			if strings.Contains(out, "n2") && strings.Contains(out, "does not take jobs") && strings.Contains(out, "mounted read-only; mount it read-write") {
				return ""
			}
			return out
		})
	}
	w.ok(heal())
	w.until("it is over", func() string {
		told, _ := w.at(2, "events", "--id", "713")
		list, _ := w.at(3, "node", "list")
		if strings.Contains(told, "can be used again") && !strings.Contains(list, "does not take jobs") {
			return ""
		}
		return told + list
	})
}

// removesNodes takes out one that runs and one that is dead; the first ends and says why,
// stays out, and joins again.
func (w *world) removesNodes() {
	w.Helper()
	w.command(1, "cluster", "remove", "n4", "--addr", "unix:"+w.path("a1"))
	gone := func() {
		w.until("a node that was removed ends", func() string {
			select {
			case <-w.nodes[4].exited:
				return ""
			default:
				return "it runs"
			}
		})
		w.nodes[4].gone(patience)
		log, err := os.ReadFile(w.path("n4.log"))
		w.ok(err)
		if lines := strings.Split(strings.TrimSpace(string(log)), "\n"); !strings.Contains(lines[len(lines)-1], "removed") {
			w.Errorf("the last word of a node that was removed: %s", lines[len(lines)-1])
		}
	}
	gone()
	w.ok(w.nodes[4].start())
	gone()
	log, err := os.ReadFile(w.path("n4.log"))
	w.ok(err)
	if n := strings.Count(string(log), "spoolhost is ready"); n != 1 {
		w.Errorf("a node that was removed said %d times that it is ready, and was so once", n)
	}
	w.ok(os.RemoveAll(w.path("d4/cluster")))
	w.command(4, "cluster", "join", w.token(), "--config", w.path("4.hcl"))
	w.boot(4)
	w.votes(4)
	w.nodes[4].signal(syscall.SIGKILL)
	w.nodes[4].gone(patience)
	w.command(1, "cluster", "remove", "n4", "--addr", "unix:"+w.path("a1"))
	if got := w.members(); !slices.Equal(got, []string{"n1", "n2", "n3"}) {
		w.Errorf("after a dead node was removed, the nodes are %v", got)
	}
}

// losesQuorum: without it nothing is accepted, nothing false is said, and all returns by
// itself.
func (w *world) losesQuorum() {
	w.Helper()
	document := w.path("document")
	w.ok(os.WriteFile(document, []byte("text"), 0o600))
	w.addPrinter(w.Context(), "ALPHA", "quick")
	for _, n := range w.nodes[2:4] {
		n.signal(syscall.SIGKILL)
		n.gone(patience)
	}
	w.until("the node knows that it is cut off", func() string {
		out, _ := w.at(1, "spooler", "show", "ALPHA")
		if strings.Contains(out, "unknown") && strings.Contains(out, "no quorum") {
			return ""
		}
		return out
	})
	w.refuse(1,
		refusal{"a job without quorum", []string{"print", document, "--printer", "quick", "--spooler", "ALPHA"}, 6, "retry later"},
		refusal{"a question without quorum", []string{"printer", "list", "--spooler", "ALPHA"}, 6, "no quorum"},
		refusal{"a removal without quorum", []string{"cluster", "remove", "n3"}, 6, "retry later"},
	)
	if out, code := w.at(1, "node", "list"); code != 0 || strings.Contains(out, "online") {
		w.Errorf("nodes without quorum: %d: %s", code, out)
	}
	for n := 2; n <= 3; n++ {
		w.boot(n)
	}
	w.until("ALPHA is online again", func() string { return w.offline("ALPHA") })
	if out, code := w.at(1, "print", document, "--printer", "quick", "--spooler", "ALPHA", "--wait"); code != 0 {
		w.Errorf("printing after the quorum is back: %d: %s", code, out)
	}
}
