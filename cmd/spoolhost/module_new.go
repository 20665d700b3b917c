package main

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// newModuleFiles are the modules that module new writes: a folder for each kind, and what
// all have.
//
//go:embed newmodule
var newModuleFiles embed.FS

// newModule is what the templates ask for.
type newModule struct {
	// Name is the module's name, Slug that of its executable, UI that of its dialogues'.
	Kind, Name, Slug, UI string
	// Setting is what the monitor calls the address that the dialogues ask for.
	Setting string
	// Path is the Go module's path, Go the language's version, SDK that of the sdk.
	Path, Go, SDK string
	// Checkout is a directory in which the sdk is; empty for the released one.
	Checkout string
	AddTitle string
}

const newModuleLong = `Write a module in Go into the new directory DIR, with a go.mod and a test that checks it against
the contract. It builds and passes; what your printer wants comes in place of what it does.

    monitor     a port monitor with its dialogues: it sends documents to a TCP port as they are
    monitorui   dialogues of a monitor that has none
    pointprint  a Point and Print module: it leaves the directories of the files alone
    driver      the event module of a printer driver: it gives new printers a default`

// moduleKinds are the kinds of modules that can be written.
func moduleKinds() []string {
	return []string{wire.KindMonitor, wire.KindMonitorUI, wire.KindPointPrint, wire.KindDriver}
}

func newModuleNewCommand(opts *options) *cobra.Command {
	var kind, name, checkout string
	cmd := &cobra.Command{
		Use: "new DIR [--kind KIND] [--name NAME]", Short: "Write a new module, ready to build", Long: newModuleLong,
		Example: `  spoolhost module new acme --name "Acme Port"
  cd acme && go mod tidy && go test ./... && go build .
  spoolhost module new acme-color --kind pointprint`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := describeModule(args[0], kind, name, checkout)
			if err != nil {
				return err
			}
			if err := writeModule(args[0], m); err != nil {
				return err
			}
			return newOutput(cmd, opts).done("%s is written; next: cd %s && go mod tidy && go test ./...", m.Name, args[0])
		},
	}
	cmd.Flags().StringVar(&kind, "kind", wire.KindMonitor, "what to write: "+strings.Join(moduleKinds(), ", "))
	cmd.Flags().StringVar(&name, "name", "", "the module's name (default made of DIR)")
	cmd.Flags().StringVar(&checkout, "sdk", "", "use the sdk in this checkout of spoolhost, rather than the released one")
	completeFlag(cmd, "kind", cobra.FixedCompletions(moduleKinds(), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "name", cobra.NoFileCompletions)
	return cmd
}

func describeModule(dir, kind, name, checkout string) (newModule, error) {
	if !slices.Contains(moduleKinds(), kind) {
		return newModule{}, usagef("kind %q is unknown; give %s", kind, strings.Join(moduleKinds(), ", "))
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return newModule{}, usagef("directory %q: %v", dir, err)
	}
	base := filepath.Base(whole)
	slug := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(base), "-"), "-")
	if slug == "" {
		return newModule{}, usagef("no name can be made of the directory %q; use letters and digits", dir)
	}
	if name == "" {
		name = strings.ToUpper(slug[:1]) + slug[1:] + map[string]string{wire.KindMonitor: " Port"}[kind]
	}
	if err := spool.CheckName(kind, name); err != nil {
		return newModule{}, err
	}
	m := newModule{
		Kind: kind, Name: name, Slug: slug, UI: slug + "ui", Setting: "address", Path: "example.com/" + slug, Go: "1.26.0", SDK: wire.BuildVersion(),
		AddTitle: "Add a port of " + name,
	}
	if kind == wire.KindMonitorUI {
		m.UI, m.Setting = slug, "to" // that of mockmonitor
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(m.SDK) {
		m.SDK = "v0.0.0" // of a build that is no release
	}
	if checkout == "" {
		return m, nil
	}
	if m.Checkout, err = filepath.Abs(checkout); err != nil {
		return m, usagef("directory %q: %v", checkout, err)
	}
	if _, err := os.Stat(filepath.Join(m.Checkout, "sdk", "monitor")); err != nil {
		return m, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "there is no sdk in %q; give a checkout of spoolhost", checkout)
	}
	return m, nil
}

// writeModule writes into a directory that is new or empty.
func writeModule(dir string, m newModule) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return spoolerr.New(spoolerr.Exists, 0, "directory %q is not empty; give another", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usagef("directory %q: %v", dir, err)
	}
	from := []string{"newmodule/go.mod.tmpl", "newmodule/" + m.Kind}
	if m.Kind == wire.KindMonitorUI {
		from = append(from, "newmodule/monitor/ui") // the same dialogues, without the monitor
	}
	for _, root := range from {
		if err := writeTemplates(root, dir, m); err != nil {
			return err
		}
	}
	return nil
}

// writeTemplates writes a file, or all that is in a folder.
func writeTemplates(root, dir string, m newModule) error {
	return fs.WalkDir(newModuleFiles, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		if path == root {
			name = filepath.Base(path)
		}
		return writeTemplate(path, filepath.Join(dir, strings.TrimSuffix(name, ".tmpl")), m)
	})
}

func writeTemplate(from, to string, m newModule) error {
	t, err := template.ParseFS(newModuleFiles, from)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, m); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return usagef("directory %q: %v", filepath.Dir(to), err)
	}
	if err := os.WriteFile(to, text.Bytes(), 0o644); err != nil {
		return usagef("file %q: %v", to, err)
	}
	return nil
}
