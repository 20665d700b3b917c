package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const childEnv = "SPOOLHOST_EVENTLOG_TEST_FULL"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Println(fullDisk(path))
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string, opts Options) *Log {
	t.Helper()
	l, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func logPath(t testing.TB) string { return filepath.Join(t.TempDir(), "events.log") }

func job(n int) Event {
	return Event{ID: JobAccepted, Spooler: "NODE", Object: Job, Name: fmt.Sprint(n), Text: fmt.Sprintf("job %d accepted", n)}
}

func seqs(events []Event) string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprint(e.Seq))
	}
	return strings.Join(all, " ")
}

func TestSelect(t *testing.T) {
	at := time.Unix(1000, 0)
	l := open(t, logPath(t), Options{Now: func() time.Time { at = at.Add(time.Second); return at }})
	for _, e := range []Event{
		{ID: HostStarted, Object: Host, Text: "host started"},
		{ID: JobAccepted, Spooler: "NODE", Object: Job, Name: "7", Related: []string{Relation(Printer, "P1")}},
		{ID: PortOffline, Spooler: "NODE", Object: Port, Name: "IP_1", Severity: Error, Related: []string{Relation(Job, "7"), Relation(Printer, "P1")}},
		{ID: JobAccepted, Spooler: "NTPRINT", Object: Job, Name: "7"},
		{ID: MonitorExited, Spooler: "NODE", Object: Monitor, Name: "7", Severity: Warning},
		{ID: PrinterPaused, Spooler: "NODE", Object: Printer, Name: "p1"},
	} {
		l.Add(e)
	}
	cases := []struct {
		filter Filter
		want   string
	}{
		{Filter{}, "1 2 3 4 5 6"},
		{Filter{Limit: 2}, "5 6"},
		{Filter{Limit: 2, Object: Job}, "2 4"},
		{Filter{Object: Job, Name: "7"}, "2 3 4"},
		{Filter{Object: Job, Name: "7", Spooler: "node"}, "2 3"},
		{Filter{Object: Printer, Name: "P1"}, "2 3 6"},
		{Filter{Name: "7"}, "2 4 5"},
		{Filter{MinSeverity: Warning}, "3 5"},
		{Filter{MinSeverity: Error}, "3"},
		{Filter{IDs: []ID{HostStarted, PrinterPaused}}, "1 6"},
		{Filter{AfterSeq: 4}, "5 6"},
		{Filter{Since: time.Unix(1005, 0)}, "5 6"},
		{Filter{Spooler: "none"}, ""},
	}
	for _, c := range cases {
		if got := seqs(l.Select(c.filter)); got != c.want {
			t.Errorf("%+v chose %q, want %q", c.filter, got, c.want)
		}
	}
}

func TestReopen(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	for i := range 20 {
		l.Add(job(i))
	}
	want := l.Select(Filter{Limit: 8})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path, Options{Ring: 8})
	got := l.Select(Filter{})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read back\n%v, want\n%v", got, want)
	}
	l.Add(job(20))
	if got := seqs(l.Select(Filter{})); got != "14 15 16 17 18 19 20 21" {
		t.Errorf("the ring holds %q", got)
	}
	if l.Last() != 21 {
		t.Errorf("last is %d", l.Last())
	}
}

// twoLines writes a log of two events, and gives its text.
func twoLines(t *testing.T) (path string, text []byte) {
	t.Helper()
	path = logPath(t)
	l := open(t, path, Options{})
	l.Add(job(1))
	l.Add(job(2))
	_ = l.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestDamagedLines(t *testing.T) {
	path, good := twoLines(t)
	lines := bytes.SplitAfter(good, []byte{'\n'})
	mixed := slices.Concat([]byte("garbage\n\n{}\n[1]\n\x00\x00\xff\n"), lines[0],
		[]byte(`{"seq":"x"}`+"\n"), bytes.Repeat([]byte("long"), maxLine), []byte("\n"), lines[1], []byte(`{"seq":99,"ti`))
	if err := os.WriteFile(path, mixed, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path, Options{})
	if got := seqs(l.Select(Filter{})); got != "1 2" {
		t.Errorf("read %q", got)
	}
	l.Add(job(3)) // must not be glued to the torn line
	_ = l.Close()
	if got := seqs(open(t, path, Options{}).Select(Filter{})); got != "1 2 3" {
		t.Errorf("after appending: %q", got)
	}
}

// Numbers go on where all that the memory has room for is damaged.
func TestDamagedTail(t *testing.T) {
	path, good := twoLines(t)
	if err := os.WriteFile(path, append(good, strings.Repeat("garbage\n", 10)...), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path, Options{Ring: 8})
	if l.Last() != 2 {
		t.Errorf("the last event is number %d, not 2", l.Last())
	}
}

func TestRotation(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{MaxSize: 2000, Ring: 1000})
	for i := range 100 {
		l.Add(job(i))
		l.Flush()
	}
	_ = l.Close()
	files, err := filepath.Glob(path + "*")
	if len(files) != 2 || err != nil {
		t.Errorf("files %q, %v", files, err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || info.Size() > 2000 || info.Size() == 0 || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	got := open(t, path, Options{Ring: 1000}).Select(Filter{})
	if len(got) < 10 || got[len(got)-1].Seq != 100 {
		t.Fatalf("%d events are left, the last %+v", len(got), got[len(got)-1])
	}
	for i := 1; i < len(got); i++ {
		if got[i].Seq != got[i-1].Seq+1 {
			t.Errorf("%d follows %d", got[i].Seq, got[i-1].Seq)
		}
	}
	for ring := 1; ring <= len(got); ring++ { // from the new file alone, and from both
		if last := open(t, path, Options{Ring: ring}).Select(Filter{}); seqs(last) != seqs(got[len(got)-ring:]) {
			t.Errorf("a ring of %d has %q", ring, seqs(last))
		}
	}
}

func TestHostileText(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	related := slices.Repeat([]string{"x\n"}, 100)
	l.Add(Event{ID: ModuleLogLine, Object: Monitor, Name: "a\x1b[2J\nb", Related: related, Text: "\xff" + strings.Repeat("界", 5000)})
	l.Flush()
	e := l.Select(Filter{})[0]
	if e.Name != "a [2J b" || len(e.Related) != maxRelated || e.Related[0] != "x " || len(e.Text) > maxText ||
		!strings.HasSuffix(e.Text, "界...") {
		t.Errorf("got %q %q, %d bytes of text", e.Name, e.Related, len(e.Text))
	}
	if related[0] != "x\n" {
		t.Error("the caller's slice was changed")
	}
	if got := open(t, path, Options{}).Select(Filter{}); len(got) != 1 || got[0].Text != e.Text {
		t.Errorf("read back %d events", len(got))
	}
}

func TestRunAndFollow(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	l.Add(job(1))
	l.Add(job(2))
	l.Add(job(3))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runCtx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(runCtx); err != nil {
			t.Error(err)
		}
	})
	var adders sync.WaitGroup
	for i := 4; i <= 50; i += 2 {
		adders.Go(func() {
			l.Add(job(i))
			l.Add(Event{ID: HostStarted, Object: Host})
		})
	}
	var got []uint64
	for e := range l.Follow(ctx, Filter{Object: Job, Limit: 30}) {
		got = append(got, e.Seq)
		if len(got) == 26 {
			break
		}
	}
	if !slices.IsSorted(got) || len(got) != 26 {
		t.Errorf("followed %v", got)
	}
	adders.Wait()
	stop()
	wg.Wait()
	lines, err := os.ReadFile(path)
	if n := bytes.Count(lines, []byte{'\n'}); n != 51 || err != nil {
		t.Errorf("the file has %d lines, %v", n, err)
	}
}

func TestFollowEnds(t *testing.T) {
	l := open(t, logPath(t), Options{})
	l.Add(job(1))
	var wg sync.WaitGroup
	seen := make(chan uint64, 10)
	wg.Go(func() {
		for e := range l.Follow(context.Background(), Filter{AfterSeq: l.Last()}) {
			seen <- e.Seq
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		for range l.Follow(ctx, Filter{Limit: 1}) {
			cancel()
		}
	})
	<-ctx.Done()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if len(seen) > 0 {
		t.Errorf("an old event was followed: %d", <-seen)
	}
	l.Add(job(2))
	if got := seqs(l.Select(Filter{})); got != "1 2" {
		t.Errorf("after close the memory holds %q", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l.Flush()
}

func TestFailingFile(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{MaxSize: 200})
	l.Add(job(1))
	l.Flush()
	if err := os.Rename(filepath.Dir(path), filepath.Dir(path)+".away"); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 6; i++ { // needs a new file, and there is no folder for it
		l.Add(job(i))
		l.Flush()
	}
	if err := os.Rename(filepath.Dir(path)+".away", filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	l.Add(job(6))
	l.Flush()
	notices := l.Select(Filter{IDs: []ID{EventsNotWritten}})
	if len(notices) != 2 || !strings.Contains(notices[1].Text, "5 events") {
		t.Errorf("notices %+v", notices)
	}
	if got := len(l.Select(Filter{Object: Job})); got != 6 {
		t.Errorf("the memory holds %d jobs", got)
	}
	_ = l.Close()
	got := open(t, path, Options{}).Select(Filter{})
	if len(got) < 2 || got[len(got)-1].ID != EventsNotWritten {
		t.Errorf("the file holds %+v", got)
	}
}

// fullDisk is the test binary's other life: a process that may write 10,000 bytes to a file.
func fullDisk(path string) string {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10000, Max: 10000}); err != nil {
		return err.Error()
	}
	l, err := Open(path, Options{})
	if err != nil {
		return err.Error()
	}
	for i := range 200 {
		l.Add(job(i))
		l.Flush()
	}
	notices := l.Select(Filter{IDs: []ID{EventsNotWritten}})
	if got := len(l.Select(Filter{Object: Job})); got != 200 || len(notices) != 1 {
		return fmt.Sprintf("the memory holds %d jobs and the notices %v", got, notices)
	}
	return fmt.Sprint("passed ", l.Close())
}

func TestFullDisk(t *testing.T) {
	path := logPath(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "passed <nil>" {
		t.Fatalf("%v\n%s", err, out)
	}
	l := open(t, path, Options{}) // begins after the torn line
	before := len(l.Select(Filter{}))
	l.Add(job(1000))
	_ = l.Close()
	if after := len(open(t, path, Options{}).Select(Filter{})); after != before+1 || before < 20 {
		t.Errorf("%d events, then %d", before, after)
	}
}

// A writer that is not served must cost a bounded amount of memory.
func TestNobodyWrites(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{Ring: 10})
	long := Event{ID: ModuleLogLine, Object: Monitor, Text: strings.Repeat("x", maxText)}
	for range 1000 {
		l.Add(long)
	}
	if len(l.waiting) > maxWaiting || l.dropped == 0 || len(l.Select(Filter{})) != 10 {
		t.Errorf("%d bytes wait, %d dropped", len(l.waiting), l.dropped)
	}
	l.Flush()
	if got := l.Select(Filter{Limit: 1})[0]; got.ID != EventsNotWritten {
		t.Errorf("got %+v", got)
	}
}

func TestOpenFails(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "no", "events.log"), Options{}); err == nil {
		t.Error("opened a log in a missing folder")
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("opened a folder as a log")
	}
}

// The numbers are frozen: operators filter by them.
func TestIDs(t *testing.T) {
	var b strings.Builder
	for _, id := range IDs() {
		fmt.Fprintf(&b, "%d %s\n", id, id)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "ids.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(golden) {
		t.Errorf("ids changed; numbers are never reused:\n%s", b.String())
	}
	if !slices.IsSorted(IDs()) {
		t.Error("the table is not in order")
	}
	if got := ID(999).String(); got != "event 999" {
		t.Errorf("unknown id: %q", got)
	}
}

func TestSeverity(t *testing.T) {
	for s := Info; s <= Error; s++ {
		text, _ := json.Marshal(s)
		var back Severity
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("%v came back as %v, %v", s, back, err)
		}
	}
	var s Severity
	if err := s.UnmarshalText([]byte("fatal")); err == nil {
		t.Error("an unknown severity was accepted")
	}
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05Z","id":500,"severity":"info","object":"job","text":"x"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := readLines(bytes.NewReader(data), 0, func(e Event) {
			if e.Seq == 0 || e.Object == "" || e.Time.IsZero() {
				t.Fatalf("read %+v", e)
			}
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	l := open(b, logPath(b), Options{})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.Run(ctx) })
	e := job(1)
	for b.Loop() {
		l.Add(e)
	}
	cancel()
	wg.Wait()
}
