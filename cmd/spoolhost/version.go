package main

import (
	"context"
	"encoding/json"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// versionTimeout bounds the question to the host, which is a courtesy here.
const versionTimeout = 2 * time.Second

// versions is what "version" shows. It is the one JSON object that is no API message.
type versions struct {
	Client clientVersion `json:"client"`
	Host   hostVersion   `json:"host"`
}

type clientVersion struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

type hostVersion struct {
	Address   string `json:"address"`
	Reachable bool   `json:"reachable"`
	Version   string `json:"version"`
	Error     string `json:"error,omitempty"`
}

func newVersionCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this command and of the host",
		Long: `Show the version of this command, and that of the host if one can be reached. That no
host runs is not an error here.`,
		Example: `  spoolhost version
  spoolhost version -o json | jq -r .client.version`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versions{Client: buildInfo(), Host: askVersion(cmd.Context(), opts)}
			return showVersions(newOutput(cmd, opts), v)
		},
	}
}

// buildInfo is what the Go build recorded of this binary.
func buildInfo() clientVersion {
	v := clientVersion{Version: wire.BuildVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}

func askVersion(ctx context.Context, opts *options) hostVersion {
	timeout := versionTimeout
	if opts.bounded {
		timeout = opts.timeout
	}
	host, err := connect(&options{addr: opts.addr, proof: opts.proof, timeout: timeout, bounded: true}, io.Discard)
	if err != nil {
		return hostVersion{Address: opts.addr, Error: clean(err.Error())}
	}
	defer host.Close()
	status, err := host.GetStatus(ctx, &apiv1.GetStatusRequest{})
	if err != nil {
		return hostVersion{Address: host.addr.String(), Error: clean(err.Error())}
	}
	return hostVersion{Address: host.addr.String(), Reachable: true, Version: status.GetVersion()}
}

func showVersions(o output, v versions) error {
	if o.json {
		return o.raw(json.Marshal(v))
	}
	var s sheet
	s.add("client", strings.TrimSpace("spoolhost "+v.Client.Version+", "+v.Client.Go+", "+v.Client.Platform))
	s.add("revision", v.Client.Revision)
	if v.Host.Reachable {
		s.add("host", "spoolhost "+v.Host.Version+" at "+v.Host.Address)
	} else {
		s.add("host", v.Host.Error)
	}
	var b strings.Builder
	s.write(&b)
	return o.text(&b)
}
