package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Avahi is the responder of Linux and BSD machines, spoken to over D-Bus. It has its name
// from its owner: when this process dies, however it dies, Avahi says goodbye for it.
type Avahi struct{}

// The names of Avahi's D-Bus interface, from its introspection files.
const (
	avahiName      = "org.freedesktop.Avahi"
	serverIface    = avahiName + ".Server"
	groupIface     = avahiName + ".EntryGroup"
	stateChanged   = groupIface + ".StateChanged"
	serverState    = serverIface + ".StateChanged"
	ownerChanged   = "org.freedesktop.DBus.NameOwnerChanged"
	taken          = avahiName + ".CollisionError"
	groupCollision = int32(3)
	groupFailure   = int32(4)
	serverRunning  = int32(2)
)

type avahiSession struct {
	conn    *dbus.Conn
	server  dbus.BusObject
	host    string
	changes chan Change
	signals chan *dbus.Signal
	stop    chan struct{}
	workers sync.WaitGroup
	once    sync.Once
}

// Open connects to the system's message bus and finds Avahi running.
func (Avahi) Open(ctx context.Context) (_ Session, retErr error) {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return nil, fmt.Errorf("the system's message bus: %w", err)
	}
	s := &avahiSession{
		conn: conn, server: conn.Object(avahiName, "/"), changes: make(chan Change, 16),
		signals: make(chan *dbus.Signal, 64), stop: make(chan struct{}),
	}
	defer func() {
		if retErr != nil {
			_ = conn.Close()
		}
	}()
	conn.Signal(s.signals)
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(avahiName), dbus.WithMatchInterface(groupIface)},
		{dbus.WithMatchSender(avahiName), dbus.WithMatchInterface(serverIface)},
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, avahiName)},
	} {
		if err := conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return nil, fmt.Errorf("the system's message bus: %w", err)
		}
	}
	var state int32
	if err := s.server.CallWithContext(ctx, serverIface+".GetState", 0).Store(&state); err != nil {
		return nil, fmt.Errorf("avahi-daemon: %w", err)
	}
	if state != serverRunning {
		return nil, fmt.Errorf("avahi-daemon is not ready (state %d)", state)
	}
	if err := s.server.CallWithContext(ctx, serverIface+".GetHostNameFqdn", 0).Store(&s.host); err != nil {
		return nil, fmt.Errorf("avahi-daemon: its host name: %w", err)
	}
	s.workers.Add(1)
	go s.follow()
	return s, nil
}

// follow turns signals into changes until the session is closed or Avahi goes.
func (s *avahiSession) follow() {
	defer s.workers.Done()
	defer close(s.changes)
	for {
		select {
		case <-s.stop:
			return
		case sig, ok := <-s.signals:
			if !ok || !s.heard(sig) {
				return
			}
		}
	}
}

// heard passes a signal on; false says that the session is over: Avahi went, or began
// anew under another host name.
func (s *avahiSession) heard(sig *dbus.Signal) bool {
	switch sig.Name {
	case ownerChanged, serverState:
		return false
	case stateChanged:
		if len(sig.Body) == 0 {
			return true
		}
		state, _ := sig.Body[0].(int32)
		if state != groupCollision && state != groupFailure {
			return true
		}
		select {
		case s.changes <- Change{Group: string(sig.Path), Taken: state == groupCollision}:
		case <-s.stop:
			return false
		}
	}
	return true
}

func (s *avahiSession) Host() string           { return s.host }
func (s *avahiSession) Changes() <-chan Change { return s.changes }

func (s *avahiSession) Close() {
	s.once.Do(func() {
		close(s.stop)
		_ = s.conn.Close()
		s.workers.Wait()
	})
}

func (s *avahiSession) Alternative(ctx context.Context, name string) (other string, err error) {
	err = s.server.CallWithContext(ctx, serverIface+".GetAlternativeServiceName", 0, name).Store(&other)
	return other, err
}

func (s *avahiSession) Publish(ctx context.Context, p Printer, at []Place) (Group, error) {
	var path dbus.ObjectPath
	if err := s.server.CallWithContext(ctx, serverIface+".EntryGroupNew", 0).Store(&path); err != nil {
		return nil, err
	}
	g := &avahiGroup{object: s.conn.Object(avahiName, path), name: p.Name, types: []string{"_ipp._tcp"}, at: at}
	if p.Secure {
		g.types = append(g.types, "_ipps._tcp")
	}
	err := g.fill(ctx, p)
	if err == nil {
		err = g.call(ctx, "Commit")
	}
	if err == nil {
		return g, nil
	}
	_ = g.Withdraw(context.WithoutCancel(ctx))
	var refused dbus.Error
	if errors.As(err, &refused) && refused.Name == taken {
		return nil, ErrTaken
	}
	return nil, err
}

// avahiGroup is an entry group: the records of one printer, which come and go together.
type avahiGroup struct {
	object dbus.BusObject
	name   string
	types  []string
	at     []Place
}

func (g *avahiGroup) ID() string { return string(g.object.Path()) }

func (g *avahiGroup) fill(ctx context.Context, p Printer) error {
	for _, at := range g.at {
		for _, kind := range g.types {
			if err := g.call(ctx, "AddService", at.avahi(), at.family(), uint32(0), g.name, kind, "", "", at.Port, txt(p.Text)); err != nil {
				return err
			}
			for _, sub := range p.Subtypes {
				if err := g.call(ctx, "AddServiceSubtype", at.avahi(), at.family(), uint32(0), g.name, kind, "", sub+"._sub."+kind); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g *avahiGroup) SetText(ctx context.Context, text []string) error {
	for _, at := range g.at {
		for _, kind := range g.types {
			if err := g.call(ctx, "UpdateServiceTxt", at.avahi(), at.family(), uint32(0), g.name, kind, "", txt(text)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *avahiGroup) Withdraw(ctx context.Context) error { return g.call(ctx, "Free") }

func (g *avahiGroup) call(ctx context.Context, method string, args ...any) error {
	return g.object.CallWithContext(ctx, groupIface+"."+method, 0, args...).Err
}

func txt(text []string) [][]byte {
	entries := make([][]byte, len(text))
	for i, t := range text {
		entries[i] = []byte(t)
	}
	return entries
}

// avahi gives the interface as Avahi numbers it: -1 is all.
func (p Place) avahi() int32 {
	if p.Interface == 0 {
		return -1
	}
	return int32(p.Interface)
}

// family gives the protocol as Avahi numbers it.
func (p Place) family() int32 {
	switch p.Family {
	case 4:
		return 0
	case 6:
		return 1
	}
	return -1
}
