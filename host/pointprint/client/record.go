package client

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// State is how a connection stands.
type State string

// The states.
const (
	// Connecting: steps 1 to 10 are under way, or were cut off; they are taken up again.
	Connecting State = "connecting"
	Connected  State = "connected"
	// Deleting: it is being deleted, or that was cut off; it is taken up again.
	Deleting State = "deleting"
)

// Connection is a printer of another host that this one's users print to.
type Connection struct {
	Name  Name  `json:"name"`
	State State `json:"state"`
	// Addresses are those of the server, in the order in which they are tried.
	Addresses []string `json:"addresses"`
	// Spooler is the one of the server that has the printer: a cluster spooler of the server's
	// name, or empty for the node's own.
	Spooler string `json:"spooler,omitempty"`
	// Identities are those of the addresses, as they were pinned at the first connection. An
	// address has none where the way to it proves it otherwise (this machine's own sockets).
	Identities map[string]string `json:"identities,omitempty"`
	// ChangeID is the printer's when it was last read.
	ChangeID uint32 `json:"change_id"`
	// Driver is the printer's; its name is empty if the server has none for this system.
	Driver Driver `json:"driver"`
	// Components are the CopyFiles keys.
	Components []Component `json:"components,omitempty"`
	Added      time.Time   `json:"added"`
	Refreshed  time.Time   `json:"refreshed"`
	// Trouble is why the last refresh failed; empty if it did not.
	Trouble string `json:"trouble,omitempty"`
}

// Driver is a printer's driver as a client keeps it.
type Driver struct {
	Name        string `json:"name,omitempty"`
	Environment string `json:"environment,omitempty"`
	Version     uint32 `json:"version,omitempty"`
	// Module is the event module, which is looked up among those installed here.
	Module string `json:"module,omitempty"`
	Files  []File `json:"files,omitempty"`
}

// Component is a CopyFiles key as a client keeps it.
type Component struct {
	// Key is the subkey's name: ICM.
	Key       string `json:"key"`
	Directory string `json:"directory"`
	Module    string `json:"module,omitempty"`
	// SourceDir and TargetDir are as the modules left them.
	SourceDir string `json:"source_dir,omitempty"`
	TargetDir string `json:"target_dir,omitempty"`
	Files     []File `json:"files,omitempty"`
	// Refused is why nothing of it was copied; empty if all was.
	Refused string `json:"refused,omitempty"`
}

// same says whether a component is as it was, so that nobody has to be told.
func (c Component) same(o Component) bool {
	return c.Directory == o.Directory && c.Module == o.Module && c.SourceDir == o.SourceDir && c.TargetDir == o.TargetDir &&
		c.Refused == o.Refused && slices.EqualFunc(c.Files, o.Files, File.same)
}

// path is the component's key among the printer data.
func (c Component) path() string { return copyFiles + `\` + c.Key }

// File is a file of a connection.
type File struct {
	Dir    confine.Rel `json:"dir"`
	Name   string      `json:"name"`
	Size   int64       `json:"size"`
	Digest string      `json:"digest"`
}

func (f File) same(o File) bool { return f.place() == o.place() && f.Digest == o.Digest }

// place is where the file is, in the form that two spellings share.
func (f File) place() string { return f.Dir.Key() + `\` + spool.Fold(f.Name) }

// files gives all files of the connection.
func (c *Connection) files() []File {
	files := slices.Clone(c.Driver.Files)
	for _, part := range c.Components {
		files = append(files, part.Files...)
	}
	return files
}

// component gives the component with a key, or nil.
func (c *Connection) component(key string) *Component {
	for i := range c.Components {
		if spool.Fold(c.Components[i].Key) == spool.Fold(key) {
			return &c.Components[i]
		}
	}
	return nil
}

const recordValue = "Record"

// save stores a connection.
func (c *Client) save(ctx context.Context, con *Connection) error {
	data, err := json.Marshal(con)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "connection %s", con.Name)
	}
	if _, err := c.cfg.Hive.CreateKey(ctx, con.Name.key()); err != nil {
		return err
	}
	if err := c.cfg.Hive.SetValues(ctx, con.Name.key(), registry.Bytes(recordValue, data)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := *con
	c.connections[con.Name.fold()] = &kept
	return nil
}

// load reads all connections. One whose record is damaged is reported and left alone.
func (c *Client) load(ctx context.Context) error {
	if exists, err := c.cfg.Hive.KeyExists(ctx, root); err != nil || !exists {
		return err
	}
	keys, err := c.cfg.Hive.SubKeys(ctx, root)
	if err != nil && spoolerr.KindOf(err) != spoolerr.Corrupt {
		return err
	}
	for _, k := range keys {
		con, err := c.read(ctx, k.Name)
		if err != nil {
			c.damaged(k.Name, err)
			continue
		}
		c.connections[con.Name.fold()] = con
	}
	return nil
}

func (c *Client) read(ctx context.Context, key string) (*Connection, error) {
	v, err := c.cfg.Hive.QueryValue(ctx, root+`\`+key, recordValue)
	if err != nil {
		return nil, err
	}
	var con Connection
	if err := json.Unmarshal(v.Data, &con); err != nil {
		return nil, spoolerr.As(err, spoolerr.Corrupt, "the record of connection %s", spool.Quote(key))
	}
	if !strings.EqualFold(con.Name.key(), root+`\`+key) {
		return nil, spoolerr.New(spoolerr.Corrupt, 0, "the record of connection %s is that of %s", spool.Quote(key), con.Name)
	}
	return &con, nil
}
