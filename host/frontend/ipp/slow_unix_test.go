//go:build unix

package ipp_test

import (
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/job"
)

// slowClients opens connections that send a beginning and then nothing more, in kinds by
// turns; it gives how many there are.
func slowClients(b *bench, n int, kinds []string) {
	b.Helper()
	var mu sync.Mutex
	var open []net.Conn
	b.Cleanup(func() {
		for _, c := range open {
			_ = c.Close()
		}
	})
	const atATime = 64
	slots := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			c, err := net.Dial("tcp", b.addr)
			if err != nil {
				b.Errorf("connection %d: %v", i, err)
				return
			}
			_, _ = io.WriteString(c, kinds[i%len(kinds)]) // it may be closed already
			mu.Lock()
			defer mu.Unlock()
			open = append(open, c)
		})
	}
	all.Wait()
}

// Ten thousand clients who connect, begin and fall silent do not stop a print.
func TestSlowClients(t *testing.T) {
	n := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const ours = 4096 // the server's connections, and everything else of this process
	if room := int(limit.Cur) - ours; room < n {
		n = max(room, 100)
		t.Logf("this process may open %d files: %d clients", limit.Cur, n)
	}
	b := newBench(t, func(c *host.Config) { c.IPP.Limits.Connections = 1000 })
	head, err := b.request(goipp.OpPrintJob).EncodeBytes()
	b.ok(err)
	post := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ipp\r\n"
	slowClients(b, n, []string{
		"", "P", post, post + "Content-Length: 1000\r\n\r\n" + string(head[:20]),
		post + "Transfer-Encoding: chunked\r\n\r\n4\r\n\x02\x00\x00\x02\r\n",
	})
	for range 3 {
		b.state(b.print("x"), job.Printed)
		b.client.CloseIdleConnections()
	}
}

// Nor do as many that have begun a document each as the server keeps connections.
func TestSilentDocuments(t *testing.T) {
	b := newBench(t, func(c *host.Config) { c.IPP.Limits.Connections = 64 })
	head, err := b.request(goipp.OpPrintJob).EncodeBytes()
	b.ok(err)
	slowClients(b, 64, []string{"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ipp\r\nContent-Length: 100000\r\n\r\n" + string(head) + "the beginning"})
	b.until("there is room again", func() bool { // those that are silent longest go, after a while
		status, err := b.try()
		return err == nil && status == 200
	})
}
