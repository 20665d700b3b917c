//go:build linux

package chaos

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A judge that refuses nothing is worth nothing: each is shown what it must refuse, and
// the nearest thing that it must not.

func expect(t *testing.T, name string, problems []string, want string) {
	t.Helper()
	got := strings.Join(problems, "; ")
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("%s: want %q, got %q", name, want, got)
	}
}

func TestPaperIsJudged(t *testing.T) {
	a, b := paperOf("a-1", 5000), paperOf("b-2", 5000)
	cases := []struct {
		name  string
		bytes []byte
		whole bool
		bad   string
	}{
		{"whole", a, true, ""},
		{"a part", a[:3000], false, ""},
		{"a part of the head", a[:7], false, ""},
		{"two documents", append(a[:len(a):len(a)], b...), false, "follow the end"},
		{"another's bytes inside", append(a[:2000:2000], b[2000:]...), false, "not the document's"},
		{"bytes missing", append(a[:2000:2000], a[2100:]...), false, "not the document's"},
		{"bytes twice", append(a[:2000:2000], a[1900:4000]...), false, "not the document's"},
		{"no head", a[100:], false, "does not begin"},
	}
	for _, c := range cases {
		for _, step := range []int{1, 97, len(c.bytes)} {
			var r reading
			for at := 0; at < len(c.bytes); at += step {
				r.take(c.bytes[at:min(at+step, len(c.bytes))])
			}
			if r.Whole != c.whole || (r.Bad == "") != (c.bad == "") || !strings.Contains(r.Bad, c.bad) {
				t.Errorf("%s by %d: whole %t, bad %q", c.name, step, r.Whole, r.Bad)
			}
		}
	}
}

func TestJobsAreJudged(t *testing.T) {
	asked := submitted{Spooler: "S", Printer: "P", Key: "k", ID: 7}
	good := outcome{ID: 7, Spooler: "S", Printer: "P", Key: "k", State: "printed"}
	with := func(change func(*outcome)) []outcome { o := good; change(&o); return []outcome{o} }
	expect(t, "good", checkJobs([]submitted{asked}, []outcome{good}), "")
	expect(t, "never acknowledged", checkJobs([]submitted{{Key: "k"}}, nil), "")
	expect(t, "lost", checkJobs([]submitted{asked}, nil), "is lost")
	expect(t, "twice", checkJobs([]submitted{asked}, []outcome{good, good}), "2 times")
	expect(t, "another id", checkJobs([]submitted{asked}, with(func(o *outcome) { o.ID = 8 })), "acknowledged as 7")
	expect(t, "another printer", checkJobs([]submitted{asked}, with(func(o *outcome) { o.Printer = "Q" })), "is at Q")
	expect(t, "cancelled by nobody", checkJobs([]submitted{asked}, with(func(o *outcome) { o.State = "cancelled" })), "nobody had asked")
	expect(t, "unprinted", checkJobs([]submitted{asked}, with(func(o *outcome) { o.State = "held" })), "is held")
	expect(t, "stray", checkJobs(nil, []outcome{good}), "nobody submitted")
}

func TestEpochsAreJudged(t *testing.T) {
	at := func(seconds int, epoch uint64) begun { return begun{time.Unix(int64(seconds), 0), epoch} }
	one := outcome{ID: 1, Spooler: "S", Begun: []begun{at(1, 4), at(3, 6)}}
	with := func(spooler string, list ...begun) []outcome {
		return []outcome{one, {ID: 2, Spooler: spooler, Begun: list}}
	}
	expect(t, "good", checkEpochs(with("S", at(2, 4), at(4, 6), at(5, 9))), "")
	expect(t, "another spooler's", checkEpochs(with("T", at(4, 4))), "")
	expect(t, "an owner that was none any more", checkEpochs(with("S", at(4, 4))), "attempt 1 of job 2 of S (), epoch 4 began 1.000 s after attempt 2 of job 1")
}

func TestPaperOfJobsIsJudged(t *testing.T) {
	job := outcome{ID: 7, Spooler: "S", Printer: "P", Key: "k", State: "printed", Attempts: []string{"printed"}, Seen: time.Second}
	again := job
	again.Attempts = []string{"interrupted", "printed"}
	out := connection{Number: 1, Spooler: "S", Printer: "P", First: time.Millisecond, reading: reading{Key: "k", Whole: true}}
	with := func(change func(*connection)) []connection { c := out; change(&c); return []connection{c} }
	expect(t, "good", checkPaper([]outcome{job}, []connection{out}), "")
	expect(t, "never whole", checkPaper([]outcome{job}, with(func(c *connection) { c.Whole = false })), "never came out whole")
	expect(t, "an attempt that nobody recorded", checkPaper([]outcome{job}, append(with(func(c *connection) { c.Whole = false }), out)), "1 attempts are recorded")
	expect(t, "twice", checkPaper([]outcome{job}, []connection{out, out}), "whole 2 times")
	expect(t, "twice with a reason", checkPaper([]outcome{again}, []connection{out, out}), "")
	expect(t, "three times", checkPaper([]outcome{again}, []connection{out, out, out}), "whole 3 times")
	expect(t, "after its end", checkPaper([]outcome{job}, append(with(func(c *connection) { c.First, c.Whole = 2*time.Second, false }), out)), "had been told printed")
	expect(t, "of nobody", checkPaper([]outcome{job}, append(with(func(c *connection) { c.Key = "x" }), out)), "no job has")
	expect(t, "elsewhere", checkPaper([]outcome{job}, with(func(c *connection) { c.Printer = "Q" })), "is of job 7")
	expect(t, "garbled", checkPaper([]outcome{job}, append(with(func(c *connection) { c.Key, c.Bad = "", "garbled" }), out)), "garbled")
}

func TestOwnersAreJudged(t *testing.T) {
	conns := []connection{{Number: 1, Limit: 10, By: 2, reading: reading{Total: 10}}, {Number: 2, Limit: -1, reading: reading{Total: 5}}}
	expect(t, "good", checkOwners(conns), "")
	conns[0].Total = 11
	expect(t, "late bytes", checkOwners(conns), "1 bytes came after the first byte of connection 2")
}

func TestListsAreJudged(t *testing.T) {
	want := map[string][]string{"S": {"P", "Q"}}
	expect(t, "good", checkLists(want, []listing{{Spooler: "S", Printers: []string{"Q", "P"}}, {Spooler: "S", Err: "retry later"}}), "")
	expect(t, "without one", checkLists(want, []listing{{Spooler: "S", Printers: []string{"Q"}}}), "without P")
	expect(t, "hung", checkLists(want, []listing{{Spooler: "S", Err: "deadline", Hung: true}}), "no answer")
}

func TestHistoriesAreJudged(t *testing.T) {
	op := func(name string, a answer) porcupine.Operation {
		if a.Verdict == "" {
			a.Verdict = done
		}
		return porcupine.Operation{Input: request{Op: name, Key: "k"}, Output: a}
	}
	submit := op("submit", answer{ID: 7, State: "queued"})
	get := func(state string) porcupine.Operation { return op("get", answer{State: state}) }
	lost := func(name string) porcupine.Operation { return op(name, answer{Verdict: unknown}) }
	no := func(name string) porcupine.Operation { return op(name, answer{Verdict: refused}) }
	cases := []struct {
		name string
		ops  []porcupine.Operation
		ok   bool
	}{
		{"printed", []porcupine.Operation{submit, get("queued"), get("printing"), get("queued"), get("printed")}, true},
		{"back from the end", []porcupine.Operation{submit, get("printed"), get("printing")}, false},
		{"gone", []porcupine.Operation{submit, op("get", answer{Verdict: missing})}, false},
		{"two jobs of one key", []porcupine.Operation{submit, op("submit", answer{ID: 8, State: "queued"})}, false},
		{"the same again", []porcupine.Operation{submit, op("submit", answer{ID: 7, State: "printed"})}, true},
		{"printed although held", []porcupine.Operation{submit, op("hold", answer{}), get("held"), get("printed")}, false},
		{"printed before the hold", []porcupine.Operation{submit, op("hold", answer{}), get("printing"), get("printed")}, true},
		{"held and forgotten", []porcupine.Operation{submit, op("hold", answer{}), get("queued")}, false},
		{"held by nobody", []porcupine.Operation{submit, get("held")}, false},
		{"held by the host", []porcupine.Operation{submit, op("get", answer{State: "held", ByHost: true})}, true},
		{"cancelled", []porcupine.Operation{submit, op("cancel", answer{}), get("cancelled"), no("hold")}, true},
		{"cancelled by nobody", []porcupine.Operation{submit, get("cancelled")}, false},
		{"cancelled late by an unknown request", []porcupine.Operation{submit, lost("cancel"), get("queued"), get("cancelled")}, true},
		{"cancelled by an unknown hold", []porcupine.Operation{submit, lost("hold"), get("queued"), get("cancelled")}, false},
		{"cancelled by an unknown request", []porcupine.Operation{submit, lost("cancel"), get("cancelled")}, true},
		{"cancel undone", []porcupine.Operation{submit, op("cancel", answer{}), get("queued")}, false},
		{"refused although it waits", []porcupine.Operation{submit, no("hold"), get("queued")}, false},
		{"refused at its end", []porcupine.Operation{submit, no("hold"), get("printed")}, true},
		{"submitted unknown, then again", []porcupine.Operation{lost("submit"), submit, get("printed")}, true},
		{"released", []porcupine.Operation{submit, op("hold", answer{}), get("held"), op("release", answer{}), get("printed")}, true},
	}
	for _, c := range cases {
		for i := range c.ops {
			c.ops[i].Call, c.ops[i].Return = int64(10*i), int64(10*i+5)
		}
		problems := checkHistory(c.ops, time.Minute)
		if (len(problems) == 0) != c.ok {
			t.Errorf("%s: %v", c.name, problems)
		}
	}
}

// TestOldOwnersAreCaught: printers note, by the kernel's count, what has come from an old
// owner when the first byte of the next one is read, and see what comes later.
func TestOldOwnersAreCaught(t *testing.T) {
	for late, want := range map[string]string{"": "", "late!": "5 bytes came after the first byte of connection 2"} {
		d := &devices{began: time.Now()}
		port, err := d.listen("127.0.0.1", "S", "P", 0)
		if err != nil {
			t.Fatal(err)
		}
		send := func(c net.Conn, text string, number, total int) {
			t.Helper()
			_, err := c.Write([]byte(text))
			for deadline := time.Now().Add(time.Minute); err == nil; <-time.After(time.Millisecond) {
				if list := d.records(); len(list) >= number && int(list[number-1].Total) == total {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("connection %d: the printer has not read %d bytes", number, total)
				}
			}
			t.Fatal(err)
		}
		old := owner(t, "127.0.0.1", port)
		send(old, "old owner", 1, 9)
		next := owner(t, "127.0.0.2", port)
		send(next, "new owner", 2, 9)
		send(old, late, 1, 9+len(late))
		expect(t, "late bytes "+late, checkOwners(d.records()), want)
		d.close()
		_, _ = old.Close(), next.Close()
	}
}

// owner connects from an address of its own.
func owner(t *testing.T, from string, port int) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWritesAreJudged: by the owner, under its epoch, in the order of revisions.
func TestWritesAreJudged(t *testing.T) {
	put := func(node, key, value string) revision {
		return revision{Writer: node, Writes: []written{{Key: key, Value: []byte(value)}}}
	}
	own := func(node string, epoch int) revision {
		return put("any", "cluster/owner/s", fmt.Sprintf(`{"node":%q,"epoch":%d}`, node, epoch))
	}
	attempt := func(node string, epoch int, outcome string) revision {
		return put(node, "job/s/active/01", fmt.Sprintf(`{"attempts":[{"number":1,"epoch":%d,"outcome":%q}]}`, epoch, outcome))
	}
	taken := put("b", "job/s/active/01", `{}`)
	cases := []struct {
		name string
		list []revision
		want string
	}{
		{"the owner", []revision{own("a", 1), taken, attempt("a", 1, "printing"), attempt("a", 1, "printed")}, ""},
		{"the next says what became of it", []revision{own("a", 1), taken, attempt("a", 1, "printing"), own("b", 2), attempt("b", 1, "interrupted")}, ""},
		{"another spooler", []revision{own("a", 1), put("b", "job/t/done/01", "{}")}, ""},
		{"an old owner", []revision{own("a", 1), taken, own("b", 2), attempt("a", 1, "printing")}, `is written by "a"`},
		{"an old owner's end", []revision{own("a", 1), taken, attempt("a", 1, "printing"), own("b", 2), attempt("b", 1, "printed")}, "under epoch 1"},
		{"an earlier epoch", []revision{own("a", 1), taken, own("a", 3), attempt("a", 1, "printing")}, "under epoch 1"},
		{"a job that is changed elsewhere", []revision{own("a", 1), taken, taken}, `is written by "b"`},
		{"a registry", []revision{own("a", 1), put("b", "registry/s/x", "")}, `is written by "b"`},
		{"a state", []revision{own("a", 1), put("b", "cluster/state/s", "{}")}, `is written by "b"`},
		{"nobody's", []revision{taken, put("a", "job/s/done/01", "{}")}, `is written by "a"`},
	}
	for _, c := range cases {
		expect(t, c.name, checkWrites([]string{"S"}, c.list), c.want)
	}
}
