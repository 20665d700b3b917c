package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"

	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

// forms shows pages at a terminal.
type forms struct{ in, out *os.File }

// page shows one page. Esc and Ctrl-C give up.
func (t *forms) page(ctx context.Context, p form.Page) (form.Answers, error) {
	inputs := make([]*input, 0, len(p.Fields))
	fields := make([]huh.Field, 0, len(p.Fields)+1)
	for _, f := range p.Fields {
		in := &input{field: f, text: f.Default, yes: f.Default == "true"}
		inputs, fields = append(inputs, in), append(fields, in.show())
	}
	if len(fields) == 0 {
		fields = append(fields, huh.NewNote().Title(p.Title).Description(explanation(p)).Next(true).NextLabel("Go on"))
	}
	group := huh.NewGroup(fields...)
	if len(p.Fields) > 0 {
		group = group.Title(p.Title).Description(explanation(p))
	}
	err := huh.NewForm(group).WithInput(t.in).WithOutput(t.out).WithKeyMap(keys()).
		WithProgramOptions(tea.WithInput(t.in), tea.WithOutput(t.out), tea.WithoutSignalHandler()).RunWithContext(ctx)
	switch {
	case errors.Is(err, huh.ErrUserAborted) || ctx.Err() != nil:
		return nil, spoolerr.New(spoolerr.Cancelled, 0, "cancelled")
	case err != nil:
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the terminal cannot show the page")
	}
	answers := make(form.Answers, len(inputs))
	for _, in := range inputs {
		if answers[in.field.Name], err = in.answer(); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (t *forms) notice(n monitoruiwire.Notice) { fmt.Fprintln(t.out, noticeLine(n)) }

// keys are the usual ones, and Esc to give up.
func keys() *huh.KeyMap {
	k := huh.NewDefaultKeyMap()
	k.Quit = key.NewBinding(key.WithKeys("esc", "ctrl+c"), key.WithHelp("esc", "cancel"))
	k.Select.Filter.SetEnabled(false)
	return k
}

func explanation(p form.Page) string {
	return strings.TrimSpace(strings.TrimSpace(warning(p.Problem)+"\n"+p.Text) + "\nEsc cancels.")
}

func warning(problem string) string {
	if problem == "" {
		return ""
	}
	return "! " + problem
}

// input is a field while it is being answered.
type input struct {
	field form.Field
	text  string
	yes   bool
}

// show makes the field that the terminal shows.
func (in *input) show() huh.Field {
	help := strings.TrimSpace(warning(in.field.Problem) + "\n" + in.field.Help)
	switch in.field.Type {
	case form.OneOf:
		options := make([]huh.Option[string], 0, len(in.field.Choices))
		for _, c := range in.field.Choices {
			label := c.Label
			if label == "" {
				label = c.Value
			}
			options = append(options, huh.NewOption(label, c.Value))
		}
		return huh.NewSelect[string]().Title(in.title()).Description(help).Options(options...).Value(&in.text).Validate(in.validate)
	case form.Check:
		return huh.NewConfirm().Title(in.title()).Description(help).Value(&in.yes).Validate(func(yes bool) error {
			return in.validate(fmt.Sprint(yes))
		})
	case form.Secret:
		return huh.NewInput().Title(in.title()).Description(help).EchoMode(huh.EchoModePassword).Value(&in.text).Validate(in.validate)
	}
	return huh.NewInput().Title(in.title()).Description(help).Value(&in.text).Validate(in.validate)
}

func (in *input) title() string {
	if in.field.Required && in.field.Type != form.Check && in.field.Type != form.OneOf {
		return in.field.Label + " *"
	}
	return in.field.Label
}

// validate says at once what the host would say later.
func (in *input) validate(value string) error {
	answer, err := readAnswer(in.field, value)
	if err != nil {
		return err
	}
	if problem := in.field.Refusal(answer); problem != "" {
		return errors.New(problem)
	}
	return nil
}

func (in *input) answer() (form.Answer, error) {
	if in.field.Type == form.Check {
		return form.Answer{Value: fmt.Sprint(in.yes)}, nil
	}
	return readAnswer(in.field, in.text)
}
