package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/served"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

const (
	nodes = 3
	// patience bounds every wait for a node.
	patience = 5 * time.Minute
	// resource and grace are the nodes' time-outs.
	resource = 5 * time.Second
	grace    = time.Second
)

// node is one host.
type node struct {
	name, config, log string
	cmd               *exec.Cmd
	conn              *grpc.ClientConn
	apiv1.JobsClient
	apiv1.PrintersClient
	apiv1.PortsClient
	apiv1.SpoolersClient
	apiv1.NodesClient
	apiv1.MonitorsClient
	apiv1.ClusterClient
}

// bench is the cluster, and the printers that its documents come to.
type bench struct {
	settings
	paper *paper
	nodes []*node
	made  map[string]bool // spoolers
}

// start makes the cluster.
func (b *bench) start(ctx context.Context) (err error) {
	b.made = make(map[string]bool)
	if b.paper, err = listen(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "shared"), 0o700); err != nil {
		return err
	}
	for i := range nodes {
		n, err := b.newNode(ctx, i+1)
		if err != nil {
			return err
		}
		b.nodes = append(b.nodes, n)
		how := []string{"cluster", "init", "--config", n.config}
		if i > 0 {
			token, err := b.command(ctx, "--addr", "unix:"+b.socket(1), "cluster", "token")
			if err != nil {
				return err
			}
			how = append([]string{"cluster"}, strings.Fields(token)[2:4]...)
			how = append(how, "--config", n.config)
		}
		if _, err := b.command(ctx, how...); err != nil {
			return err
		}
		if err := b.up(ctx, n); err != nil {
			return err
		}
	}
	return until(ctx, "all nodes are members", func() error {
		status, err := b.command(ctx, "--addr", "unix:"+b.socket(1), "cluster", "status", "-o", "json")
		if err == nil && (strings.Contains(status, `"learner"`) || strings.Count(status, `"member"`) < nodes-1) {
			err = errors.New(status)
		}
		return err
	})
}

func (b *bench) socket(number int) string { return filepath.Join(b.dir, fmt.Sprintf("s%d", number)) }

func (b *bench) command(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, b.spoolhost, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("spoolhost %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (b *bench) newNode(ctx context.Context, number int) (*node, error) {
	n := &node{name: fmt.Sprintf("n%d", number), config: filepath.Join(b.dir, fmt.Sprintf("%d.hcl", number)), log: filepath.Join(b.dir, fmt.Sprintf("%d.log", number))}
	api, err := served.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	peer, err := served.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`data   = %q
listen = ["unix:%s", "tls:%s"]
resource_timeout = "%v"
kill_grace       = "%v"
cluster {
  name   = "bench"
  node   = %q
  shared = %q
  listen = %q
  lease  = "%v"
}
`, filepath.Join(b.dir, "d"+n.name), b.socket(number), api, resource, grace, n.name, filepath.Join(b.dir, "shared"), peer, b.lease)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	quick := backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 100 * time.Millisecond}
	n.conn, err = grpc.NewClient("unix:"+b.socket(number), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}))
	if err != nil {
		return nil, err
	}
	n.JobsClient, n.PrintersClient, n.PortsClient = apiv1.NewJobsClient(n.conn), apiv1.NewPrintersClient(n.conn), apiv1.NewPortsClient(n.conn)
	n.SpoolersClient, n.NodesClient, n.MonitorsClient = apiv1.NewSpoolersClient(n.conn), apiv1.NewNodesClient(n.conn), apiv1.NewMonitorsClient(n.conn)
	n.ClusterClient = apiv1.NewClusterClient(n.conn)
	return n, nil
}

// up starts a node that does not run, and waits until it is one of the cluster.
func (b *bench) up(ctx context.Context, n *node) error {
	if n.cmd != nil {
		return nil
	}
	n.cmd = exec.Command(b.spoolhost, "serve", "--config", n.config, "--ipp", "none", "--log-level", "debug")
	if err := served.Begin(n.cmd, n.log); err != nil {
		return err
	}
	return until(ctx, n.name+" is online", func() error {
		r, err := n.ListNodes(ctx, &apiv1.ListNodesRequest{})
		if err != nil {
			return err
		}
		for _, m := range r.GetNodes() {
			if m.GetName() == n.name && m.GetState() == "online" {
				return nil
			}
		}
		return errors.New("it is not a member yet")
	})
}

// kill ends a node as a power failure does.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.cmd = nil
}

func (b *bench) close() {
	for _, n := range b.nodes {
		if n.cmd != nil {
			_ = n.cmd.Process.Signal(os.Interrupt)
		}
	}
	for _, n := range b.nodes {
		if n.cmd != nil {
			served.Await(n.cmd, patience/10)
		}
		_ = n.conn.Close()
	}
	if b.paper != nil {
		b.paper.close()
	}
}

func until(ctx context.Context, what string, ask func() error) error {
	return served.Until(ctx, patience, what, ask)
}

// executable is this program's file.
func executable() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(self)
}
