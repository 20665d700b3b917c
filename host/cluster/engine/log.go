package engine

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap/zapcore"
)

// core is a zap core that writes to a hclog: what etcd says from warnings on, and that as
// warnings, for an error of etcd's is seldom one of the host's.
type core struct {
	log    hclog.Logger
	fields []zapcore.Field
}

// Enabled implements zapcore.Core.
func (c *core) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

// With implements zapcore.Core.
func (c *core) With(f []zapcore.Field) zapcore.Core {
	return &core{log: c.log, fields: append(c.fields[:len(c.fields):len(c.fields)], f...)}
}

// Check implements zapcore.Core.
func (c *core) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(m)
	}
	var args []any
	for k, v := range m.Fields {
		args = append(args, k, v)
	}
	c.log.Debug(e.Message, args...)
	// When a host stops, its member's listener is closed under it.
	if e.Level >= zapcore.ErrorLevel && !strings.Contains(fmt.Sprint(m.Fields["error"]), "use of closed network connection") {
		c.log.Warn(e.Message, args...)
	}
	return nil
}

// Sync implements zapcore.Core.
func (c *core) Sync() error { return nil }
