package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	reports "github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func newBenchReportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "report FILE...", Short: "Draw results of several load tests into one report",
		Long: `Draw results of load tests, as "spoolhost bench -o json" prints them, into the same plots of
one page, such as before and after a change. The page needs nothing beside it.`,
		Example: `  spoolhost bench --setup --label before -o json > before.json
  spoolhost bench --setup --label after -o json > after.json
  spoolhost bench report before.json after.json --html report.html`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			group := reports.Group{Title: "Results"}
			for _, path := range args {
				r, err := readResult(path)
				if err != nil {
					return err
				}
				group.Results = append(group.Results, r)
			}
			page, err := createReport(out)
			if err != nil {
				return err
			}
			if err := page.write(reports.Page{Title: "Load tests", Groups: []reports.Group{group}}); err != nil {
				return err
			}
			return page.close()
		},
	}
	cmd.Flags().StringVar(&out, "html", "report.html", "the file to write")
	return cmd
}

func readResult(path string) (*bench.Result, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, spoolerr.New(spoolerr.NotFound, 0, "file %s does not exist", quotePath(path))
	}
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Denied, "file %s cannot be read", quotePath(path))
	}
	r := &bench.Result{}
	if err := json.Unmarshal(text, r); err != nil || r.Target == "" {
		return nil, usagef("file %s is no result of a load test; make one with \"spoolhost bench -o json\"", quotePath(path))
	}
	if r.Label == "" {
		r.Label = filepath.Base(path)
	}
	return r, nil
}

// reportFile is a page that is being written; a nil one is not wanted.
type reportFile struct{ f *os.File }

// createReport makes the file before the work begins: nobody wants to hear at its end
// that there is no such directory.
func createReport(path string) (*reportFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Denied, "the report cannot be written to %s", quotePath(path))
	}
	return &reportFile{f}, nil
}

func (r *reportFile) write(p reports.Page) error {
	if r == nil {
		return nil
	}
	return spoolerr.As(reports.HTML(r.f, p), spoolerr.Unavailable, "the report %s", quotePath(r.f.Name()))
}

func (r *reportFile) close() error {
	if r == nil {
		return nil
	}
	return spoolerr.As(r.f.Close(), spoolerr.Unavailable, "the report %s", quotePath(r.f.Name()))
}
