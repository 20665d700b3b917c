package lprmon

import (
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// parse checks settings strictly and fills in the defaults. An empty Sender is the
// spooler's name, which is not a setting.
func parse(c portconfig.Config) (lpr.Settings, error) {
	r := portconfig.Read(c)
	s := lpr.Settings{
		Remote:        netport.ReadRemote(r, lpr.DefaultPort),
		Queue:         r.Required("queue"),
		Sender:        r.Text("sender", ""),
		WriteTimeout:  r.Duration("writeTimeout", 30*time.Second, time.Millisecond, time.Hour),
		AnswerTimeout: r.Duration("answerTimeout", 60*time.Second, time.Millisecond, time.Hour),
		Format:        readFormat(r),
		ControlFirst:  r.Bool("controlFirst", false),
		ReservedPort:  r.Bool("reservedPort", false),
		Banner:        r.Bool("banner", false),
	}
	if remedy := lpr.CheckQueue(s.Queue); remedy != "" && s.Queue != "" {
		r.Problem("queue", "%s", remedy)
	}
	if _, remedy := netport.CheckHost(s.Sender); remedy != "" && s.Sender != "" {
		r.Problem("sender", "%s", remedy)
	}
	return s, r.Err()
}

func readFormat(r *portconfig.Reader) byte {
	const asItIs = "l"
	text := r.Text("format", asItIs)
	if len(text) != 1 || !strings.Contains(lpr.Formats, text) {
		r.Problem("format", "give one of the letters %s; l prints the document as it is", lpr.Formats)
		return asItIs[0]
	}
	return text[0]
}

// codec keeps settings in the registry.
type codec struct{}

func (codec) Values(c portconfig.Config) ([]registry.Value, error) {
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	return []registry.Value{
		registry.String("HostName", s.Host),
		registry.Uint32("PortNumber", uint32(s.Port)),
		registry.String("Queue", s.Queue),
		registry.String("Sender", s.Sender),
		registry.Uint32("ConnectTimeout", ports.Milliseconds(s.ConnectTimeout)),
		registry.Uint32("WriteTimeout", ports.Milliseconds(s.WriteTimeout)),
		registry.Uint32("AnswerTimeout", ports.Milliseconds(s.AnswerTimeout)),
		registry.Uint32("KeepAlive", uint32(s.KeepAlive/time.Second)),
		registry.String("Format", string(rune(s.Format))),
		ports.Flag("ControlFirst", s.ControlFirst),
		ports.Flag("ReservedPort", s.ReservedPort),
		ports.Flag("Banner", s.Banner),
	}, nil
}

func (codec) Settings(s ports.Stored) (map[string]string, error) {
	f := ports.NewForm(s)
	f.Text("host", "HostName")
	f.Number("port", "PortNumber")
	f.Text("queue", "Queue")
	f.Text("sender", "Sender")
	f.Time("connectTimeout", "ConnectTimeout", time.Millisecond)
	f.Time("writeTimeout", "WriteTimeout", time.Millisecond)
	f.Time("answerTimeout", "AnswerTimeout", time.Millisecond)
	f.Time("keepAlive", "KeepAlive", time.Second)
	f.Text("format", "Format")
	f.Flag("controlFirst", "ControlFirst")
	f.Flag("reservedPort", "ReservedPort")
	f.Flag("banner", "Banner")
	return f.Settings, f.Err
}

func (codec) Merge(current, changed map[string]string) map[string]string {
	return ports.Overlay(current, changed)
}

func (codec) Info(c portconfig.Config) spool.PortInfo {
	info := spool.PortInfo{Name: c.Name, Type: spool.PortTypeWrite | spool.PortTypeNetAttached}
	if s, err := parse(c); err != nil {
		info.Description = "damaged: " + err.Error()
	} else {
		info.Description = "lpr " + s.Address() + " queue " + s.Queue
	}
	return info
}
