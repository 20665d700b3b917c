package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	monitoruiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitorui/v1"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

// renderer is the person's side of a dialogue: what shows pages and brings answers. A
// person who gives up is spoolerr.Cancelled.
type renderer interface {
	page(ctx context.Context, p form.Page) (form.Answers, error)
	notice(n monitoruiwire.Notice)
}

// dialogueFlags say how a dialogue is answered.
type dialogueFlags struct {
	set  []string
	noUI bool
}

func (f *dialogueFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "an answer or setting, FIELD=VALUE (repeatable); for a file its path")
	cmd.Flags().BoolVar(&f.noUI, "no-ui", false, "ask nothing: take the answers of --set, and defaults for the others")
	completeFlag(cmd, "set", cobra.NoFileCompletions)
}

// scripted says that nobody is to be asked.
func (f *dialogueFlags) scripted() bool { return f.noUI || len(f.set) > 0 }

// renderer chooses who answers: the command line, or the person at the terminal.
func (f *dialogueFlags) renderer(cmd *cobra.Command) (renderer, error) {
	if f.scripted() {
		values, err := parseSettings(f.set)
		return &script{values: values, used: map[string]bool{}, out: cmd.ErrOrStderr()}, err
	}
	in, out, ok := terminal(cmd)
	if !ok {
		return nil, usagef("a dialogue needs a terminal, and this is none; give the answers with --set FIELD=VALUE, or --no-ui to take the defaults")
	}
	return &forms{in: in, out: out}, nil
}

// hold holds a dialogue with whoever answers.
func (f *dialogueFlags) hold(ctx context.Context, c *call, cmd *cobra.Command, begin *apiv1.DialogueBegin) (*apiv1.Port, error) {
	r, err := f.renderer(cmd)
	if err != nil {
		return nil, err
	}
	p, err := holdDialogue(ctx, c, begin, r)
	if s, ok := r.(*script); ok && err == nil && len(s.unused()) > 0 {
		fmt.Fprintf(c.out.err, "spoolhost: nothing asked for %s, which --set gave\n", strings.Join(s.unused(), ", "))
	}
	return p, err
}

// terminal gives the terminal that a dialogue can be held at. Standard output is left to
// the result.
func terminal(cmd *cobra.Command) (in, out *os.File, ok bool) {
	in, isFile := cmd.InOrStdin().(*os.File)
	out, alsoFile := cmd.ErrOrStderr().(*os.File)
	if !isFile || !alsoFile || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil, nil, false
	}
	return in, out, true
}

type dialogueStream interface {
	Send(*apiv1.DialogueRequest) error
	Recv() (*apiv1.DialogueResponse, error)
}

// holdDialogue holds one dialogue and gives the port as it is then.
func holdDialogue(ctx context.Context, c *call, begin *apiv1.DialogueBegin, r renderer) (*apiv1.Port, error) {
	// Ended early, the stream is broken off, and the host leaves nothing behind.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Dialogue(ctx)
	if err != nil {
		return nil, err
	}
	begin.Spooler = c.spooler
	if err := sendDialogue(stream, &apiv1.DialogueRequest{Request: &apiv1.DialogueRequest_Begin{Begin: begin}}); err != nil {
		return nil, err
	}
	var why error // why this side gave up
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil, dialogueError(err, why)
		}
		switch resp := m.GetResponse().(type) {
		case *apiv1.DialogueResponse_Page:
			if why, err = answerPage(ctx, stream, r, resp.Page); err != nil {
				return nil, err
			}
		case *apiv1.DialogueResponse_Notice:
			r.notice(monitoruiwire.NoticeFromProto(resp.Notice))
		case *apiv1.DialogueResponse_Outcome:
			return resp.Outcome.GetPort(), nil
		}
	}
}

// dialogueError prefers the reason why this side gave up to what the host says of it.
func dialogueError(err, why error) error {
	switch {
	case why != nil && spoolerr.KindOf(why) != spoolerr.Cancelled:
		return why
	case why != nil && spoolerr.KindOf(err) == spoolerr.Unavailable: // the host gave up, as it was told to
		return spoolerr.New(spoolerr.Cancelled, 0, "cancelled; nothing was changed")
	}
	return broken(err)
}

// answerPage has one page answered. Whoever gives up gives a reason, and the host is told.
func answerPage(ctx context.Context, stream dialogueStream, r renderer, m *monitoruiv1.Page) (gaveUp, err error) {
	page, err := monitoruiwire.PageFromProto(m)
	if err != nil {
		return nil, err
	}
	answers, gaveUp := r.page(ctx, page)
	if gaveUp != nil {
		return gaveUp, sendDialogue(stream, &apiv1.DialogueRequest{Request: &apiv1.DialogueRequest_Cancel{Cancel: &monitoruiv1.Cancel{}}})
	}
	return nil, sendDialogue(stream, &apiv1.DialogueRequest{Request: &apiv1.DialogueRequest_Answers{Answers: monitoruiwire.AnswersToProto(answers)}})
}

// sendDialogue reports nothing when the host has ended the stream: what it said is still to
// be received.
func sendDialogue(stream dialogueStream, m *apiv1.DialogueRequest) error {
	if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// script answers from the command line.
type script struct {
	values map[string]string
	used   map[string]bool
	out    io.Writer
}

func (s *script) page(_ context.Context, p form.Page) (form.Answers, error) {
	answers := form.Answers{}
	var wrong []string
	for _, f := range p.Fields {
		if f.Problem != "" { // the answers were refused, and no others are to be had
			wrong = append(wrong, f.Name+": "+f.Problem)
		}
		value, ok := s.values[f.Name]
		if !ok {
			continue
		}
		s.used[f.Name] = true
		answer, err := readAnswer(f, value)
		if err != nil {
			return nil, err
		}
		answers[f.Name] = answer
	}
	if judged, _, ok := p.Judge(answers); !ok && len(wrong) == 0 {
		for _, f := range judged.Fields {
			if f.Problem != "" {
				wrong = append(wrong, f.Name+": "+f.Problem)
			}
		}
	}
	if p.Problem != "" {
		wrong = append(wrong, p.Problem)
	}
	if len(wrong) > 0 {
		return nil, usagef("page %q cannot be answered by --set: %s%s", p.Title, strings.Join(wrong, "; "), fieldList(p))
	}
	return answers, nil
}

// fieldList says what a page asks for.
func fieldList(p form.Page) string {
	var names []string
	for _, f := range p.Fields {
		name := f.Name
		if f.Type == form.OneOf {
			var values []string
			for _, c := range f.Choices {
				values = append(values, c.Value)
			}
			name += " (" + strings.Join(values, ", ") + ")"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	return "; its fields are " + strings.Join(names, ", ")
}

func (s *script) notice(n monitoruiwire.Notice) { fmt.Fprintln(s.out, noticeLine(n)) }

// unused gives the names that no page asked for.
func (s *script) unused() []string {
	var names []string
	for name := range s.values {
		if !s.used[name] {
			names = append(names, name)
		}
	}
	return names
}

func noticeLine(n monitoruiwire.Notice) string {
	if n.Percent < 0 {
		return clean(n.Text)
	}
	return fmt.Sprintf("%s (%d %%)", clean(n.Text), n.Percent)
}

// readAnswer makes an answer of what a person wrote: for a file, its path.
func readAnswer(f form.Field, value string) (form.Answer, error) {
	if f.Type != form.File || value == "" {
		return form.Answer{Value: value}, nil
	}
	file, err := os.Open(value)
	if err != nil {
		return form.Answer{}, spoolerr.As(err, spoolerr.NotFound, "field %s", f.Name)
	}
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, form.MaxFile+1))
	if err != nil {
		return form.Answer{}, spoolerr.As(err, spoolerr.Unavailable, "field %s", f.Name)
	}
	return form.Answer{Value: value, Content: content}, nil
}
