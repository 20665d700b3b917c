package lpr

import (
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/netport"
)

// DefaultPort is that of the service "printer".
const DefaultPort = 515

// Settings is how to send to one queue.
type Settings struct {
	netport.Remote
	// Queue is the printer's name at the daemon.
	Queue string
	// Sender is the host name that the daemon is told.
	Sender string
	// WriteTimeout is how long one Write waits before it says that nothing moves.
	WriteTimeout time.Duration
	// AnswerTimeout is how long the daemon may take to answer a step.
	AnswerTimeout time.Duration
	// Format is the control file's print command: 'l' prints bytes as they are.
	Format byte
	// ControlFirst sends the control file before the data; some daemons want it, and
	// others hold the queue meanwhile.
	ControlFirst bool
	// ReservedPort connects from a port that only root can take.
	ReservedPort bool
	// Banner asks for a page with the user's name.
	Banner bool
}

// Formats are the print commands of RFC 1179 that take a file to be printed as a whole.
const Formats = "lfopcdgnrtv"

// CheckQueue says what is wrong with a queue's name, or nothing. A blank would end it.
func CheckQueue(queue string) (remedy string) {
	const most = 64
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	if queue == "" || len(queue) > most || strings.ContainsFunc(queue, bad) {
		return "give a queue name of 1 to 64 characters of ASCII without blanks, such as lp"
	}
	return ""
}
