package host

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// memberFile is what a node keeps of how it came into the cluster.
const memberFile = "member.json"

type memberRecord struct {
	Cluster string            `json:"cluster"`
	Node    string            `json:"node"`
	Engine  string            `json:"engine"`
	Members map[string]string `json:"members,omitempty"`
	Joined  bool              `json:"joined"` // not the first
}

func clusterDir(data string) string { return filepath.Join(data, "cluster") }

func identityDir(data string) string { return filepath.Join(data, "identity") }

func loadMember(c *ClusterConfig, data string) (m memberRecord, t trust.Membership, err error) {
	raw, err := os.ReadFile(filepath.Join(clusterDir(data), memberFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, t, spoolerr.New(spoolerr.Precondition, 0,
			"this host is not in cluster %s yet: for its first node run spoolhost cluster init, for others spoolhost cluster join, with the same configuration", spool.Quote(c.Name))
	}
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return m, t, spoolerr.As(err, spoolerr.Corrupt, "the record of the cluster in %s is damaged; let the node join again", clusterDir(data))
	}
	if m.Cluster != c.Name || m.Node != c.Node || m.Engine != c.Engine {
		return m, t, spoolerr.New(spoolerr.Precondition, 0,
			"this host is node %s of cluster %s with the engine %s, and its cluster block says node %s of %s with %s; correct the block, or remove %s and let it join anew",
			spool.Quote(m.Node), spool.Quote(m.Cluster), m.Engine, spool.Quote(c.Node), spool.Quote(c.Name), c.Engine, clusterDir(data))
	}
	t, err = trust.LoadMembership(clusterDir(data))
	return m, t, err
}

func saveMember(data string, m memberRecord, t trust.Membership) error {
	if err := t.Save(clusterDir(data)); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "record of the cluster")
	}
	return trust.WriteFile(filepath.Join(clusterDir(data), memberFile), raw, 0o600) // last: with it, the host is in the cluster
}
