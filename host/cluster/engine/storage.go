package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Storage is the shared directory as one node has it.
type Storage struct {
	Dir, Node string
	Authority *trust.Authority
}

// Check makes sure that the directory is the cluster's; it reads only.
func (s Storage) Check() error { return CheckShared(s.Dir, s.Authority) }

// probeSize is what a probe writes: a full file system often has room for less.
const probeSize = 4 << 10

// lowSpace is when it is said that a file system is nearly full.
const lowSpace = 16 << 20

// Probe makes sure that documents can be written: the directory is the cluster's, keeps a
// small file, and has room. Its errors name the directory and what to do.
func (s Storage) Probe() error {
	if err := s.Check(); err != nil {
		return err
	}
	path := filepath.Join(s.Dir, ".spoolhost-probe-"+spool.Fold(s.Node))
	err := writeSynced(path, strings.Repeat("probe\n", probeSize/len("probe\n")))
	_ = os.Remove(path) // on a full file system there is one; on one that is read-only there is none
	if err != nil {
		return err
	}
	if free, known := freeSpace(s.Dir); known && free < lowSpace {
		return spoolerr.New(spoolerr.NoSpace, 0, "shared directory %s is nearly full; %s are left, and larger documents are refused: free space there", s.Dir, sizeText(free))
	}
	return nil
}

func sizeText(n uint64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
