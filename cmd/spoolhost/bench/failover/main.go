// Command failover measures how long a cluster spooler is away: three nodes on this machine,
// each a real host with an etcd member, and the time from a move, a kill or a hang until the
// new owner's first byte is at a printer; and how long clients wait meanwhile until their
// documents are accepted. The script "failover.sh" beside its folder builds and starts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
)

func main() {
	mockmonitor.ServeIfAsked(mockmonitor.Options{}) // the monitor that hangs
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

// settings are the command line.
type settings struct {
	spoolhost, dir string
	rows           []string
	printers       []int
	turns          int
	spoolers       int
	lease          time.Duration
	verbose        bool
}

func parse() (s settings, err error) {
	f := flag.NewFlagSet("failover", flag.ExitOnError)
	f.StringVar(&s.spoolhost, "spoolhost", "", "the program to measure")
	f.StringVar(&s.dir, "dir", "", "a directory for everything, with a short name: sockets are in it")
	rows := f.String("rows", "move,crash,hung,accept,accept-led", "what is measured: move, crash, hung, accept, accept-led, limits")
	printers := f.String("printers", "10,1000,10000", "how many printers the spooler has, one after the other")
	f.IntVar(&s.turns, "turns", 3, "turns of each row")
	f.IntVar(&s.spoolers, "spoolers", 100, "how many spoolers the row limits makes")
	f.DurationVar(&s.lease, "lease", 5*time.Second, "the nodes' lease")
	f.BoolVar(&s.verbose, "v", false, "show the steps of moves")
	if err := f.Parse(os.Args[1:]); err != nil {
		return s, err
	}
	if s.spoolhost == "" || s.dir == "" {
		return s, fmt.Errorf("use the script cmd/spoolhost/bench/failover.sh, or give --spoolhost and --dir")
	}
	s.rows = strings.Split(*rows, ",")
	for text := range strings.SplitSeq(*printers, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return s, fmt.Errorf("--printers %q is not a list of numbers", *printers)
		}
		s.printers = append(s.printers, n)
	}
	return s, nil
}

func run(ctx context.Context) error {
	s, err := parse()
	if err != nil {
		return err
	}
	b := &bench{settings: s}
	defer b.close()
	if err := b.start(ctx); err != nil {
		return err
	}
	fmt.Printf("| row | printers | seconds, least, median and most of the turns | wanted | load |\n|---|---|---|---|---|\n")
	for _, name := range s.rows {
		row, known := map[string]func(context.Context) error{
			"move": b.moves, "crash": b.crashes, "hung": b.hung, "accept": b.accepts, "accept-led": b.acceptsLed, "limits": b.limits,
		}[name]
		if !known {
			return fmt.Errorf("there is no row %q", name)
		}
		if err := row(ctx); err != nil {
			return fmt.Errorf("row %s: %w", name, err)
		}
	}
	return nil
}

// tell prints a line of the table.
func tell(row string, printers int, all []time.Duration, wanted string) {
	var text []string
	for _, d := range spread(all) {
		text = append(text, fmt.Sprintf("%.3f", d.Seconds()))
	}
	fmt.Printf("| %s | %d | %s | %s | %.1f |\n", row, printers, strings.Join(text, ", "), wanted, procs.Load())
}
