//go:build linux

package chaos

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

var (
	seed   = flag.Uint64("chaos.seed", 0, "the seed of the faults; 0 takes a new one")
	count  = flag.Int("chaos.faults", 8, "how many faults there are")
	engine = flag.String("chaos.engine", "embedded", "embedded, or external: three etcd of /usr/bin")
	binary = flag.String("chaos.binary", "", "the program; it is built if this is not given")
	only   = flag.String("chaos.only", "", "these kinds of faults only, such as kill,move")
	keep   = flag.Bool("chaos.keep", false, "keep the directory with the logs of all nodes")
)

const mockName = "Mock Monitor"

func spoolerNames() []string { return []string{"ALPHA", "BETA"} }

// printerNames are of each spooler: a quick printer and a slow one at the monitor that comes
// along, and one at the mock.
func printerNames() []string { return []string{"quick", "slow", "mock"} }

func TestMain(m *testing.M) {
	hosttest.ServeMonitor()
	unraced.Main(m)
}

// TestClusters shares the program, and the time that clusters wait.
func TestClusters(t *testing.T) {
	program := program(t)
	t.Run("Chaos", func(t *testing.T) { t.Parallel(); testChaos(t, program) })
	t.Run("Mistakes", func(t *testing.T) { t.Parallel(); testMistakes(t, program) })
}

func testChaos(t *testing.T, binary string) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano() % 1_000_000)
	}
	external := *engine == "external"
	t.Logf("seed %d: %d faults, %s etcd; the same again: -chaos.seed %d -chaos.faults %d -chaos.engine %s", s, *count, *engine, s, *count, *engine)
	w := newWorld(t, binary, 0, external)
	w.found()
	w.furnish()
	t.Logf("%8.3fs the cluster works", time.Since(w.began).Seconds())
	w.load = newLoad(w, "s"+strconv.FormatUint(s, 10))
	ctx, cancel := context.WithCancel(context.Background())
	wait := w.load.start(ctx)
	pause(ctx, lease)
	list := kinds(external)
	if *only != "" {
		list = strings.Split(*only, ",")
	}
	w.play(ctx, planned(s, *count, list))
	t.Logf("%8.3fs the faults are over", time.Since(w.began).Seconds())
	pause(ctx, lease)
	cancel()
	wait()
	found := w.settle()
	w.powerCut(found)
	e := w.evidence(found)
	w.judge(e)
	if !w.Failed() {
		w.spoil(e)
	}
}

// powerCut ends all nodes at once when all is printed, and starts them again: nothing that
// is finished may print once more.
func (w *world) powerCut(found []outcome) {
	w.Helper()
	at := w.history.now()
	for i := range found {
		if found[i].Seen == 0 && (found[i].State == "printed" || found[i].State == "cancelled") {
			found[i].Seen = at
		}
	}
	for _, n := range w.nodes[1:] {
		n.signal(syscall.SIGKILL)
	}
	for _, n := range w.nodes[1:] {
		n.gone(patience)
		w.ok(n.start())
	}
	for _, name := range spoolerNames() {
		w.until(name+" is online after the power cut", func() string { return w.offline(name) })
	}
	pause(context.Background(), lease)
}

// program gives the binary that is tested.
func program(t *testing.T) string {
	if *binary != "" {
		return *binary
	}
	path := filepath.Join(t.TempDir(), "spoolhost")
	if out, err := exec.Command("go", "build", "-o", path, "..").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v: %s", err, out)
	}
	return path
}

// found makes the cluster.
func (w *world) found() {
	w.Helper()
	if w.external {
		w.startEtcd()
	}
	w.command(1, "cluster", "init", "--config", w.path("1.hcl"))
	w.boot(1)
	for n := 2; n <= nodes; n++ {
		w.command(n, "cluster", "join", w.token(), "--config", w.path(strconv.Itoa(n)+".hcl"))
		w.boot(n)
	}
	if w.external {
		return
	}
	w.votes(nodes)
}

// boot starts a node and waits until it answers.
func (w *world) boot(n int) {
	w.Helper()
	w.ok(w.nodes[n].start())
	w.until("node "+strconv.Itoa(n)+" answers", func() string {
		ctx, cancel := context.WithTimeout(context.Background(), requestTime)
		defer cancel()
		if _, err := w.nodes[n].ListNodes(ctx, &apiv1.ListNodesRequest{}); err != nil {
			return err.Error()
		}
		return ""
	})
}

// furnish installs the mock on all nodes and makes the spoolers with their printers.
func (w *world) furnish() {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	self, err := unraced.Executable()
	w.ok(err)
	for n := 1; n <= nodes; n++ {
		w.insist("the mock is installed", func() error {
			_, err := w.nodes[n].AddMonitor(ctx, &apiv1.AddMonitorRequest{Name: mockName, Module: self, Args: []string{hosttest.MonitorArg}})
			return err
		})
	}
	for i, name := range spoolerNames() {
		w.insist("spooler "+name+" is made", func() error {
			_, err := w.nodes[1].CreateSpooler(ctx, &apiv1.CreateSpoolerRequest{Name: name, PreferredOwners: []string{"n" + strconv.Itoa(i+1)}})
			return err
		})
		w.until(name+" is online", func() string { return w.offline(name) })
		for _, printer := range printerNames() {
			w.addPrinter(ctx, name, printer)
		}
	}
}

func (w *world) addPrinter(ctx context.Context, spooler, printer string) {
	w.Helper()
	rest := time.Duration(0)
	if printer == "slow" {
		rest = 20 * time.Millisecond
	}
	port, err := w.devices.listen(w.net.address(0), spooler, printer, rest)
	w.ok(err)
	monitor, settings := "Standard TCP/IP Port", map[string]string{"host": w.net.address(0), "port": strconv.Itoa(port), "connectTimeout": "5s"}
	if printer == "mock" {
		monitor = mockName
		settings = map[string]string{"to": w.net.address(0) + ":" + strconv.Itoa(port), "short": "16384", "delay": "10ms"}
	}
	w.insist("port "+printer+" is added", func() error {
		_, err := w.nodes[1].AddPort(ctx, &apiv1.AddPortRequest{Spooler: spooler, Name: printer, Monitor: monitor, Settings: settings})
		return err
	})
	attempts := uint32(0)
	w.insist("printer "+printer+" is added", func() error {
		_, err := w.nodes[1].AddPrinter(ctx, &apiv1.AddPrinterRequest{
			Spooler: spooler, Name: printer, Settings: &apiv1.PrinterSettings{Ports: []string{printer}, MaxAttempts: &attempts},
		})
		return err
	})
}

// insist asks again as long as the answer is that it should: a busy machine may lose a lease
// of two seconds before there is any fault.
func (w *world) insist(what string, ask func() error) {
	w.Helper()
	again := false
	w.until(what, func() string {
		err := ask()
		if again && status.Code(err) == codes.AlreadyExists {
			return "" // it was made the time before, and the answer was lost
		}
		if again = status.Code(err) == codes.Unavailable; again {
			return err.Error()
		}
		w.ok(err)
		return ""
	})
}

// offline says what a spooler lacks to be online; empty if it is.
func (w *world) offline(name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	r, err := w.nodes[1].GetSpooler(ctx, &apiv1.GetSpoolerRequest{Name: name})
	switch s := r.GetClusterSpooler(); {
	case err != nil:
		return err.Error()
	case s.GetState() != "online":
		return s.GetState() + " at " + s.GetOwner() + ": " + strings.Join(s.GetProblems(), "; ")
	}
	return ""
}

// settle lets the healed cluster come to rest: what was never acknowledged is sent again,
// what is held is released, and all is printed. It gives what has become of all jobs.
func (w *world) settle() []outcome {
	w.Helper()
	w.devices.hurry.Store(true)
	for _, name := range spoolerNames() {
		w.until(name+" is online again", func() string { return w.offline(name) })
	}
	for _, t := range w.load.jobs {
		if t.ID == 0 {
			w.until("job "+t.Key+" is acknowledged", func() string {
				if err := w.load.submit(1, w.nodes[1+t.number%nodes], t); err != nil {
					return err.Error()
				}
				return ""
			})
		}
	}
	var found []outcome
	left := -1
	for progress := time.Now(); time.Since(progress) < patience; pause(context.Background(), 200*time.Millisecond) {
		list, unfinished := w.outcomes()
		if found = list; unfinished == 0 {
			break
		}
		if unfinished != left {
			left, progress = unfinished, time.Now()
		}
	}
	return found
}

// outcomes lists all jobs, and releases those that are held.
func (w *world) outcomes() (found []outcome, unfinished int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen := make(map[string]time.Duration)
	for _, t := range w.load.jobs {
		seen[t.Key] = t.seen
	}
	for _, name := range spoolerNames() {
		jobs, err := listJobs(ctx, w.nodes[2], name, true)
		if err != nil {
			w.Logf("the jobs of %s: %v", name, err)
			unfinished++
		}
		for _, j := range jobs {
			o := outcome{ID: j.GetId(), Spooler: name, Printer: j.GetPrinter(), Key: j.GetTitle(), State: j.GetState(), Reason: j.GetReason(), Seen: seen[j.GetTitle()]}
			for _, a := range j.GetAttempts() {
				o.Attempts = append(o.Attempts, a.GetOutcome())
				if a.GetTries() <= 1 { // else several that failed are one, with the first one's time and the last one's owner
					o.Begun = append(o.Begun, begun{a.GetStartedAt().AsTime(), a.GetEpoch()})
				}
			}
			found = append(found, o)
			if o.State != "printed" && o.State != "cancelled" {
				unfinished++
			}
			if o.State == "held" {
				_, _ = w.nodes[3].ReleaseJob(ctx, &apiv1.ReleaseJobRequest{Spooler: name, Id: o.ID}) // seen again if it fails
			}
		}
	}
	return found, unfinished
}

// evidence is all that was written down.
type evidence struct {
	asked     []submitted
	found     []outcome
	conns     []connection
	ops       []porcupine.Operation
	revisions []revision
	lists     []listing // a few: they are judged as they come
}

func (w *world) evidence(found []outcome) evidence {
	w.Helper()
	e := evidence{found: found, conns: w.devices.records(), ops: w.history.operations(), lists: w.load.answers, revisions: w.revisions()}
	for _, t := range w.load.jobs {
		e.asked = append(e.asked, t.submitted)
	}
	return e
}

// problems is what the judges say of it.
func (e evidence) problems() []string {
	printers := make(map[string][]string)
	for _, name := range spoolerNames() {
		printers[name] = printerNames()
	}
	return slices.Concat(checkJobs(e.asked, e.found), checkPaper(e.found, e.conns), checkOwners(e.conns), checkEpochs(e.found),
		checkWrites(spoolerNames(), e.revisions), checkLists(printers, e.lists), checkHistory(e.ops, patience))
}

// judge has every judge look at it.
func (w *world) judge(e evidence) {
	w.Helper()
	problems := e.problems()
	for text, times := range w.load.problems {
		problems = append(problems, fmt.Sprintf("%s (%d times)", text, times))
	}
	const most = 40
	for _, p := range problems[:min(len(problems), most)] {
		w.Error(p)
	}
	w.tell(e, len(problems))
}

// tell says how much was tried.
func (w *world) tell(e evidence, problems int) {
	attempts := make(map[string]int)
	for _, o := range e.found {
		for _, a := range o.Attempts {
			attempts[a]++
		}
	}
	var text []string
	for _, what := range slices.Sorted(maps.Keys(w.load.counts)) {
		text = append(text, fmt.Sprintf("%d %s", w.load.counts[what], what))
	}
	w.Logf("%.0f s, %d jobs, %d connections, %d requests, %d revisions; attempts %v; %s; %d problems", time.Since(w.began).Seconds(), len(e.found), len(e.conns),
		len(e.ops), len(e.revisions), attempts, strings.Join(text, ", "), problems)
	if w.Failed() {
		for n := 1; n <= nodes; n++ {
			if info, err := os.Stat(w.path("n" + strconv.Itoa(n) + ".log")); err == nil {
				w.Logf("node %d wrote %d bytes of log", n, info.Size())
			}
		}
	}
}
