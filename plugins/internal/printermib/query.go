package printermib

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Agent is where to ask.
type Agent struct {
	Host      string
	Port      int
	Community string
	// V1 speaks SNMPv1 rather than v2c.
	V1 bool
	// Index is the printer's hrDeviceIndex.
	Index int
	// Timeout is how long an answer may take; a question is asked twice.
	Timeout time.Duration
}

// The subtrees that are asked for. Those of a table end before the column.
const (
	oidSysName     = ".1.3.6.1.2.1.1.5"
	oidSysLocation = ".1.3.6.1.2.1.1.6"

	oidDeviceDescr   = ".1.3.6.1.2.1.25.3.2.1.3"
	oidDeviceStatus  = ".1.3.6.1.2.1.25.3.2.1.5"
	oidPrinterStatus = ".1.3.6.1.2.1.25.3.5.1.1"
	oidErrorState    = ".1.3.6.1.2.1.25.3.5.1.2"

	oidGeneralName   = ".1.3.6.1.2.1.43.5.1.1.16"
	oidGeneralSerial = ".1.3.6.1.2.1.43.5.1.1.17"
	oidInput         = ".1.3.6.1.2.1.43.8.2.1"
	oidLifeCount     = ".1.3.6.1.2.1.43.10.2.1.4"
	oidSupplies      = ".1.3.6.1.2.1.43.11.1.1"
	oidColorant      = ".1.3.6.1.2.1.43.12.1.1.4"
	oidConsole       = ".1.3.6.1.2.1.43.16.5.1.2"
	oidAlert         = ".1.3.6.1.2.1.43.18.1.1"
)

// mostRows bounds what one subtree may answer.
const mostRows = 500

// Query asks for everything. A printer that does not answer, or does not know the
// community, is spoolerr.Unavailable.
func Query(ctx context.Context, a Agent) (State, error) {
	s, err := open(ctx, a)
	if err != nil {
		return State{}, a.wrap(ctx, err)
	}
	defer s.close()
	b := newBuilder(a.Index)
	for _, subtree := range []string{
		oidPrinterStatus, oidErrorState, oidDeviceStatus, oidDeviceDescr, oidSysName, oidSysLocation, oidGeneralName,
		oidGeneralSerial, oidSupplies, oidColorant, oidInput, oidLifeCount, oidConsole, oidAlert,
	} {
		if err := s.walk(subtree, b); err != nil {
			return State{}, a.wrap(ctx, err)
		}
	}
	return b.state(), nil
}

// session is a socket to an agent.
type session struct {
	snmp *gosnmp.GoSNMP
	stop func() bool
}

func open(ctx context.Context, a Agent) (*session, error) {
	g := &gosnmp.GoSNMP{
		Context: ctx, Target: a.Host, Port: uint16(a.Port), Transport: "udp", Community: a.Community,
		Version: gosnmp.Version2c, Timeout: a.Timeout, Retries: 1, MaxRepetitions: 20,
	}
	if a.V1 {
		g.Version = gosnmp.Version1
	}
	if err := g.Connect(); err != nil {
		return nil, err
	}
	// An answer under way is not waited for when the caller gives up.
	return &session{g, context.AfterFunc(ctx, func() { _ = g.Conn.SetDeadline(time.Unix(1, 0)) })}, nil
}

func (s *session) close() {
	s.stop()
	_ = s.snmp.Conn.Close()
}

var errEnough = errors.New("enough rows")

func (s *session) walk(subtree string, b *builder) error {
	rows := 0
	take := func(v gosnmp.SnmpPDU) error {
		if rows++; rows > mostRows {
			return errEnough
		}
		b.take(subtree, v)
		return nil
	}
	walk := s.snmp.BulkWalk
	if s.snmp.Version == gosnmp.Version1 {
		walk = s.snmp.Walk
	}
	if err := walk(subtree, take); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

func (a Agent) wrap(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return spoolerr.Wrap(ctx.Err(), "asking %s by SNMP was given up", spool.Quote(a.Host))
	}
	e := spoolerr.New(spoolerr.Unavailable, spoolerr.CodeBidiDeviceOffline,
		"%s does not answer by SNMP at port %d; check that the printer is on, that SNMP is, and the setting snmpCommunity", spool.Quote(a.Host), a.Port)
	e.Err = err
	return e
}

// row takes the subtree off a name and gives the numbers that follow.
func row(subtree, name string) []int {
	rest, ok := strings.CutPrefix(name, subtree+".")
	if !ok {
		return nil
	}
	var numbers []int
	for part := range strings.SplitSeq(rest, ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil
		}
		numbers = append(numbers, int(n))
	}
	return numbers
}
