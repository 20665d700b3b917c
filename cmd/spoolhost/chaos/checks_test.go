//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// outcome is a job as the cluster has it when all is over.
type outcome struct {
	ID               uint64
	Spooler, Printer string
	Key              string // its title
	State, Reason    string
	Attempts         []string // how they came out
	Begun            []begun  // the same, when and by whom
	// Seen is when a client first was told that it had finished; 0 for never before the end.
	Seen time.Duration
}

// begun is an attempt as its owner wrote it down.
type begun struct {
	At    time.Time
	Epoch uint64
}

// submitted is a job as its clients know it.
type submitted struct {
	Spooler, Printer, Key string
	ID                    uint64 // 0: no submission was answered
	Cancelled             bool   // somebody asked for that
}

// checkJobs: nothing that was acknowledged is lost, and all that can print has printed.
func checkJobs(asked []submitted, found []outcome) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	jobs := make(map[string][]outcome)
	for _, o := range found {
		jobs[o.Key] = append(jobs[o.Key], o)
	}
	for _, s := range asked {
		list := jobs[s.Key]
		switch {
		case len(list) > 1:
			problem("job %s was submitted with one key and is there %d times", s.Key, len(list))
		case len(list) == 0 && s.ID != 0:
			problem("job %s (%s, id %d) was acknowledged and is lost", s.Key, s.Spooler, s.ID)
		case len(list) == 0:
		case s.ID != 0 && list[0].ID != s.ID:
			problem("job %s was acknowledged as %d and is %d", s.Key, s.ID, list[0].ID)
		case list[0].Spooler != s.Spooler || list[0].Printer != s.Printer:
			problem("job %s for %s of %s is at %s of %s", s.Key, s.Printer, s.Spooler, list[0].Printer, list[0].Spooler)
		case list[0].State == "cancelled" && !s.Cancelled:
			problem("job %s was cancelled, and nobody had asked for that: %s", s.Key, list[0].Reason)
		case list[0].State != "printed" && list[0].State != "cancelled":
			problem("job %s (id %d of %s) is %s at the end: %s", s.Key, s.ID, s.Spooler, list[0].State, list[0].Reason)
		}
		delete(jobs, s.Key)
	}
	for key, list := range jobs {
		problem("job %s (id %d of %s) is there, and nobody submitted it", key, list[0].ID, list[0].Spooler)
	}
	return problems
}

// checkPaper: what came out is whole, is a job's of that printer, and is there twice only if
// an attempt between ended in a way that leaves open what had been printed.
func checkPaper(found []outcome, conns []connection) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	jobs := make(map[string]outcome)
	for _, o := range found {
		jobs[o.Key] = o
	}
	whole, tries := make(map[string]int), make(map[string]int)
	for _, c := range conns {
		if c.Bad != "" {
			problem("%s: %s", c.text(), c.Bad)
		}
		if c.Key == "" {
			continue
		}
		o, known := jobs[c.Key]
		if !known {
			problem("%s: no job has this document", c.text())
			continue
		}
		if o.Spooler != c.Spooler || o.Printer != c.Printer {
			problem("%s: it is of job %d for %s of %s", c.text(), o.ID, o.Printer, o.Spooler)
		}
		tries[c.Key]++
		if c.Whole {
			whole[c.Key]++
		}
		if o.Seen > 0 && c.First > o.Seen {
			problem("%s: its job %d had been told %s %.3f s before", c.text(), o.ID, o.State, (c.First - o.Seen).Seconds())
		}
	}
	for _, o := range found {
		if o.State == "printed" && whole[o.Key] == 0 {
			problem("job %d of %s (%s) is recorded as printed, and never came out whole in %d connections; attempts %v", o.ID, o.Spooler, o.Key, tries[o.Key], o.Attempts)
		}
		if tries[o.Key] > len(o.Attempts) {
			problem("job %d of %s (%s) came out in %d connections, and %d attempts are recorded: %v", o.ID, o.Spooler, o.Key, tries[o.Key], len(o.Attempts), o.Attempts)
		}
		if most := 1 + excuses(o.Attempts); whole[o.Key] > most {
			problem("job %d of %s (%s) came out whole %d times; attempts %v", o.ID, o.Spooler, o.Key, whole[o.Key], o.Attempts)
		}
	}
	return problems
}

// checkEpochs: no owner begins anything once the next one has. All machines have one clock,
// and an owner reads it before it writes.
func checkEpochs(found []outcome) (problems []string) {
	type attempt struct {
		begun
		text string
	}
	spoolers := make(map[string][]attempt)
	for _, o := range found {
		for i, b := range o.Begun {
			text := fmt.Sprintf("attempt %d of job %d of %s (%s), epoch %d", i+1, o.ID, o.Spooler, o.Key, b.Epoch)
			spoolers[o.Spooler] = append(spoolers[o.Spooler], attempt{b, text})
		}
	}
	for _, list := range spoolers {
		slices.SortFunc(list, func(a, b attempt) int { return a.At.Compare(b.At) })
		var last attempt
		for _, a := range list {
			if a.Epoch < last.Epoch {
				problems = append(problems, fmt.Sprintf("%s began %.3f s after %s", a.text, a.At.Sub(last.At).Seconds(), last.text))
				continue
			}
			last = a
		}
	}
	return problems
}

// excuses counts the attempts that may have printed without being recorded as printed.
func excuses(attempts []string) (n int) {
	for _, a := range attempts {
		switch a {
		case "interrupted", "crashed", "timed-out", "unconfirmed", "stopped", "cancelled":
			n++
		}
	}
	return n
}

// checkOwners: nobody's bytes come after the first byte of who follows him.
func checkOwners(conns []connection) (problems []string) {
	for _, c := range conns {
		if c.Limit >= 0 && c.Total > c.Limit {
			by := conns[c.By-1]
			problems = append(problems, fmt.Sprintf("%s: %d bytes came after the first byte of %s", c.text(), c.Total-c.Limit, by.text()))
		}
	}
	return problems
}

func (c connection) text() string {
	return fmt.Sprintf("connection %d from %s to %s of %s, opened at %.3fs, first byte at %.3fs, %d bytes, document %q",
		c.Number, c.Source, c.Printer, c.Spooler, c.Opened.Seconds(), c.First.Seconds(), c.Total, c.Key)
}

// listing is one answer to "which printers are there".
type listing struct {
	Node     int
	Spooler  string
	At, Took time.Duration
	Printers []string
	Err      string
	Hung     bool // it did not end, though its node was never stopped
}

// checkLists: an answer has every printer, and there is always one, be it a refusal.
func checkLists(want map[string][]string, lists []listing) (problems []string) {
	for _, l := range lists {
		at := fmt.Sprintf("the printers of %s, asked of node %d at %.3fs for %.3fs", l.Spooler, l.Node, l.At.Seconds(), l.Took.Seconds())
		var lacks []string
		for _, p := range want[l.Spooler] {
			if !slices.Contains(l.Printers, p) {
				lacks = append(lacks, p)
			}
		}
		switch {
		case l.Hung:
			problems = append(problems, at+": no answer")
		case l.Err == "" && len(lacks) > 0:
			problems = append(problems, at+": without "+strings.Join(lacks, ", "))
		}
	}
	return problems
}
