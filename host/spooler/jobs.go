package spooler

import (
	"context"
	"errors"
	"fmt"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// The operations on jobs. by names the person who asked, for the record. One that prints
// is told to stop; what was asked for is carried out when its attempt has ended, also if
// the host dies before.

// CancelJob ends a job for good.
func (s *Spooler) CancelJob(ctx context.Context, id uint64, by string) error {
	if elsewhere, err := s.cancelElsewhere(ctx, id, by); elsewhere {
		return err
	}
	return s.act(ctx, eventlog.JobCancelled, "cancelled by "+by, func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Cancel(ctx, id, "cancelled by "+by)
	})
}

// HoldJob keeps a job from printing.
func (s *Spooler) HoldJob(ctx context.Context, id uint64, by string) error {
	return s.act(ctx, eventlog.JobHeld, "held by "+by, func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Hold(ctx, id)
	})
}

// ReleaseJob undoes HoldJob.
func (s *Spooler) ReleaseJob(ctx context.Context, id uint64, by string) error {
	return s.act(ctx, eventlog.JobReleased, "released by "+by, func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Release(ctx, id)
	})
}

// RestartJob prints a job from its first byte.
func (s *Spooler) RestartJob(ctx context.Context, id uint64, by string) error {
	return s.act(ctx, eventlog.JobRestarted, "restarted by "+by, func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Restart(ctx, id)
	})
}

// MoveJob moves a job to another printer of this spooler.
func (s *Spooler) MoveJob(ctx context.Context, id uint64, printer, by string) error {
	s.mu.Lock()
	target := s.lookup(printer)
	if target == nil {
		s.mu.Unlock()
		return unknownPrinter(printer)
	}
	target.submitting++ // it must not be deleted meanwhile
	name := target.Name
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		target.submitting--
	}()
	return s.act(ctx, eventlog.JobMoved, fmt.Sprintf("moved to printer %s by %s", spool.Quote(name), by), func(ctx context.Context) (*job.Job, error) {
		return s.cfg.Queue.Move(ctx, id, name)
	})
}

func (s *Spooler) act(ctx context.Context, id eventlog.ID, text string, change func(context.Context) (*job.Job, error)) error {
	j, err := change(ctx)
	if err != nil {
		return err
	}
	s.jobEvent(id, eventlog.Info, j, text, "")
	s.mu.Lock()
	s.stopAsked(j, errors.New(text))
	s.mu.Unlock()
	if j.State.Final() && j.DocumentGone {
		s.removeDocuments(ctx, j)
	}
	s.kick(j.Printer)
	return nil
}

// rules gives a printer's rules, or the defaults if the printer is gone.
func (s *Spooler) rules(printer string) job.Rules {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pr := s.lookup(printer); pr != nil {
		return pr.Rules
	}
	return newRecord(printer, s.cfg.Now()).Rules
}
