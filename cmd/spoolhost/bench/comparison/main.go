// Command comparison measures spoolhost beside CUPS: it starts a private server of each,
// gives both the same work in turns, and prints how many times better or worse one is, with
// the spread over the turns. The script "compare" beside its folder builds and starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == sendfileArg {
		exit(sendfile(os.Args[2], os.Args[3]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "comparison:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// scale is how much is done.
type scale struct {
	turns                               int
	jobs50, jobs1, accepts, idle        int // documents
	large                               string
	queues, queued, hung, kills, probes int
}

func scales() map[string]scale {
	return map[string]scale{
		"full":  {turns: 7, jobs50: 3000, jobs1: 1500, accepts: 2000, idle: 500, large: "1GiB", queues: 10_000, queued: 100_000, hung: 3000, kills: 5, probes: 2000},
		"quick": {turns: 3, jobs50: 600, jobs1: 300, accepts: 400, idle: 100, large: "256MiB", queues: 1000, queued: 5000, hung: 600, kills: 3, probes: 500},
		"check": {turns: 1, jobs50: 100, jobs1: 20, accepts: 40, idle: 10, large: "4MiB", queues: 20, queued: 100, hung: 60, kills: 1, probes: 50},
	}
}

// settings are the command line.
type settings struct {
	spoolhost, dir, html string
	rows                 []string
	scale                scale
}

func parse() (s settings, list bool, err error) {
	f := flag.NewFlagSet("compare", flag.ExitOnError)
	f.StringVar(&s.spoolhost, "spoolhost", "", "the program to measure")
	f.StringVar(&s.dir, "dir", "", "directory for everything; the servers' paths are below it")
	f.StringVar(&s.html, "html", "", "write a page with plots to this file")
	f.BoolVar(&list, "list", false, "list the rows and end")
	quick := f.Bool("quick", false, "less of everything")
	check := f.Bool("check", false, "hardly anything: only that it works and nothing is lost or doubled")
	turns := f.Int("turns", 0, "turns of each row")
	f.Func("row", "only this row; may be repeated", func(name string) error {
		if !slices.ContainsFunc(rows(), func(r row) bool { return r.name == name }) {
			return fmt.Errorf("there is no row %q; --list lists them", name)
		}
		s.rows = append(s.rows, name)
		return nil
	})
	if err := f.Parse(os.Args[1:]); err != nil {
		return s, list, err
	}
	size := "full"
	if *quick {
		size = "quick"
	}
	if *check {
		size = "check"
	}
	if s.scale = scales()[size]; *turns > 0 {
		s.scale.turns = *turns
	}
	if !list && (s.spoolhost == "" || s.dir == "") {
		return s, list, fmt.Errorf("use the script cmd/spoolhost/bench/compare, or give --spoolhost and --dir")
	}
	return s, list, nil
}

func run(ctx context.Context) error {
	s, list, err := parse()
	if err != nil {
		return err
	}
	if list {
		for _, r := range rows() {
			fmt.Printf("%-12s %s\n", r.name, r.work)
		}
		return nil
	}
	cups, err := exec("cupsd", "/usr/sbin/cupsd")
	if err != nil {
		return err
	}
	var failed error
	e := &env{settings: s, cupsd: cups, tally: &tally{}}
	for _, r := range rows() {
		if len(s.rows) > 0 && !slices.Contains(s.rows, r.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", r.name, r.work)
		if err := e.measure(ctx, r); err != nil {
			failed = fmt.Errorf("row %s: %w", r.name, err)
			break // what was measured until then is shown
		}
	}
	fmt.Print(e.tally.text())
	return errors.Join(failed, e.page())
}

// measure runs a row in a directory of its own.
func (e *env) measure(ctx context.Context, r row) (err error) {
	e.row, e.prepare = r.name, nil
	if e.work, err = os.MkdirTemp(e.dir, "r"); err != nil {
		return err
	}
	if err := os.Chmod(e.work, 0o755); err != nil { // CUPS' backends are another user
		return err
	}
	defer func() { _ = os.RemoveAll(e.work) }()
	return r.run(ctx, e)
}

func (e *env) page() error {
	if e.html == "" {
		return nil
	}
	f, err := os.Create(e.html)
	if err != nil {
		return err
	}
	page := report.Page{Title: "spoolhost and CUPS: the same work in turns", Tables: []report.Table{e.tally.table()}, Groups: e.groups}
	if err := report.HTML(f, page); err != nil {
		return err
	}
	return f.Close()
}

// exec finds a program on the path, or where Debian keeps it.
func exec(name, usual string) (string, error) {
	for dir := range strings.SplitSeq(os.Getenv("PATH"), string(os.PathListSeparator)) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	if _, err := os.Stat(usual); err == nil {
		return usual, nil
	}
	return "", fmt.Errorf("%s is missing", name)
}
