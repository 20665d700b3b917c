// Package served starts and ends the servers that are measured. The programs comparison and
// failover import it; it does not know what a server is for.
package served

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// Begin starts a server. What it says is added to a log file.
func Begin(cmd *exec.Cmd, log string) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	cmd.Stdout, cmd.Stderr = f, f
	return cmd.Start()
}

// Await waits until a server that was asked to end has ended, and ends it by force if that
// takes too long.
func Await(cmd *exec.Cmd, patience time.Duration) {
	limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	_ = cmd.Wait()
}

// FreeAddr gives a loopback address at which nobody listens.
func FreeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Until asks again and again; the time between two questions is short beside what is measured.
func Until(ctx context.Context, patience time.Duration, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("in vain: %s", what), err)
		}
	}
}
