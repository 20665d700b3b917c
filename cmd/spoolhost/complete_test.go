package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func TestCompletion(t *testing.T) {
	f := startFake(t)
	f.jobs = []*apiv1.Job{{Id: 1, Printer: "Office", State: "printed"}, {Id: 2, Printer: "Office", State: "queued", Title: "a\nb"}}
	for line, want := range map[string]string{
		"print -p ":                "Office\tidle\n",
		"printer show ":            "Office\tidle\n",
		"printer show Office ":     ":4\n",
		"printer add X --port ":    "P1\tAcme Port\n",
		"printer add X --policy ":  "retry\nhold\ncancel\n",
		"port add X --monitor ":    "Acme Port\trunning\n",
		"port show ":               "P1\tAcme Port\n",
		"monitor show ":            "Acme Port\trunning\n",
		"job show ":                "2\tqueued on Office: a b\n1\tprinted on Office:\n",
		"job cancel 2 ":            "1\tprinted on Office:\n:4",
		"job move 1 --printer ":    "Office\tidle\n",
		"why ":                     "job\tTell what",
		"why job ":                 "2\tqueued",
		"job list --spooler ":      "node\tonline-incomplete\n",
		"status -o ":               "table\njson\n",
		"registry set a b --type ": "REG_SZ\nREG_EXPAND_SZ\n",
	} {
		t.Run(line, func(t *testing.T) {
			args := append([]string{cobra.ShellCompRequestCmd}, strings.Split("--addr "+f.addr+" "+line, " ")...)
			runCLI(t.Context(), strings.NewReader(""), args...).want(t, exitOK, want, "")
		})
	}
}

// TestCompletionWithoutHost: the Tab key says nothing and does not fail.
func TestCompletionWithoutHost(t *testing.T) {
	checkLeaks(t)
	runCLI(t.Context(), strings.NewReader(""), cobra.ShellCompRequestCmd, "--addr", "unix:/nowhere", "print", "-p", "").want(t, exitOK, ":4\n", "")
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		runCLI(t.Context(), strings.NewReader(""), "completion", shell).want(t, exitOK, "spoolhost", "")
	}
}
