package main

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// newModuleFiles is the module that module new writes.
//
//go:embed newmodule
var newModuleFiles embed.FS

// newModule is what the templates ask for.
type newModule struct {
	// Name is the monitor's name, Slug that of its executable, UI that of its dialogues'.
	Name, Slug, UI string
	// Path is the Go module's path, Go the language's version, SDK that of the sdk.
	Path, Go, SDK string
	// Checkout is a directory in which the sdk is; empty for the released one.
	Checkout string
	AddTitle string
}

const newModuleLong = `Write a port monitor in Go into the new directory DIR: the server, its dialogues, a go.mod, and a
test that checks it against the contract. It builds, passes, and prints documents to a TCP port
as they are; what your printer wants comes in place of that.`

func newModuleNewCommand(opts *options) *cobra.Command {
	var name, checkout string
	cmd := &cobra.Command{
		Use: "new DIR [--name NAME]", Short: "Write a new port monitor, ready to build", Long: newModuleLong,
		Example: `  spoolhost module new acme --name "Acme Port"
  cd acme && go mod tidy && go test ./... && go build .`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := describeModule(args[0], name, checkout)
			if err != nil {
				return err
			}
			if err := writeModule(args[0], m); err != nil {
				return err
			}
			return newOutput(cmd, opts).done("%s is written; next: cd %s && go mod tidy && go test ./...", m.Name, args[0])
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the monitor's name (default made of DIR)")
	cmd.Flags().StringVar(&checkout, "sdk", "", "use the sdk in this checkout of spoolhost, rather than the released one")
	completeFlag(cmd, "name", cobra.NoFileCompletions)
	return cmd
}

func describeModule(dir, name, checkout string) (newModule, error) {
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
		name = strings.ToUpper(slug[:1]) + slug[1:] + " Port"
	}
	if err := spool.CheckName("monitor", name); err != nil {
		return newModule{}, err
	}
	m := newModule{
		Name: name, Slug: slug, UI: slug + "ui", Path: "example.com/" + slug, Go: "1.26.0", SDK: wire.BuildVersion(),
		AddTitle: "Add a port of " + name,
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
	return fs.WalkDir(newModuleFiles, "newmodule", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return writeTemplate(path, filepath.Join(dir, strings.TrimSuffix(strings.TrimPrefix(path, "newmodule/"), ".tmpl")), m)
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
