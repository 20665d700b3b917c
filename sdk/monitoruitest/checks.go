package monitoruitest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

const everything = spool.ServerAccessAdminister | spool.ServerAccessEnumerate

func checks() []rule {
	return []rule{
		{monitortest.Rule{ID: "kind", Text: "The module describes itself as a monitorui that serves the service.", Source: "plugin/v1 Describe"}, checkKind},
		{monitortest.Rule{ID: "add", Text: "AddPort adds the port that it names.", Source: "AddPortUI; monitorui.UI"}, checkAdd},
		{monitortest.Rule{ID: "configure", Text: "ConfigurePort begins with what is set, and changes nothing if nothing is changed.", Source: "ConfigurePortUI"}, checkConfigure},
		{monitortest.Rule{ID: "delete", Text: "DeletePort asks before it deletes, and then the port is gone.", Source: "DeletePortUI"}, checkDelete},
		{monitortest.Rule{ID: "cancel", Text: "Cancelled at any page, a dialogue ends with ERROR_CANCELLED (1223) and leaves nothing behind.", Source: "AddPortUI, ConfigurePortUI, DeletePortUI; monitorui.Dialogue"}, checkCancel},
		{monitortest.Rule{ID: "gone", Text: "When the person is gone, the UI returns soon.", Source: "monitorui.UI"}, checkGone},
		{monitortest.Rule{ID: "unknown-port", Text: "A port that does not exist is an error that says so.", Source: "monitorui.UI"}, checkUnknownPort},
		{monitortest.Rule{ID: "refusal", Text: "What the server module refuses is explained, and never a success.", Source: "AddPortUI; XcvData's pdwStatus"}, checkRefusal},
		{monitortest.Rule{ID: "access", Text: "Without the right to administer, nothing is added and the error is ERROR_ACCESS_DENIED (5).", Source: "XcvOpenPort's GrantedAccess"}, checkAccess},
		{monitortest.Rule{ID: "only-xcv", Text: "The UI reaches its server module by XcvData, and calls nothing else of the host.", Source: "InitializePrintMonitorUI: UI and server DLL communicate by XcvData"}, checkOnlyXcv},
		{monitortest.Rule{ID: "secret", Text: "A secret is not shown again, told or logged.", Source: "form.Secret"}, checkSecret},
	}
}

func checkKind(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	m, err := b.subject.inner.Start(ctx, b.services)
	if err != nil {
		return err
	}
	defer m.Kill()
	d, err := pluginv1.NewPluginClient(m.Conn).Describe(ctx, &pluginv1.DescribeRequest{})
	if err == nil && (d.GetKind() != wire.KindMonitorUI || !slices.Contains(d.GetServices(), wire.ServiceMonitorUI) || d.GetName() == "") {
		err = fmt.Errorf("it is of kind %q, name %q, and serves %q", d.GetKind(), d.GetName(), d.GetServices())
	}
	return err
}

// add adds a port as the options say.
func (b *bench) add(ctx context.Context) (port string, p *person, err error) {
	p = &person{answers: b.opts.Answers}
	port, err = b.hold(ctx, monitoruiwire.AddPort, "", everything, p)
	if err == nil && !slices.ContainsFunc(b.ports(ctx), func(name string) bool { return spool.Fold(name) == spool.Fold(port) }) {
		err = fmt.Errorf("it says that it added port %q; the server module has %q", port, b.ports(ctx))
	}
	return port, p, err
}

func checkAdd(ctx context.Context, b *bench) error {
	_, p, err := b.add(ctx)
	if err == nil && len(p.pages) == 0 {
		err = fmt.Errorf("it asked nothing")
	}
	return err
}

func checkConfigure(ctx context.Context, b *bench) error {
	port, _, err := b.add(ctx)
	if err != nil {
		return err
	}
	before := b.state(ctx)
	unchanged := &person{}
	if _, err := b.hold(ctx, monitoruiwire.ConfigurePort, port, everything, unchanged); err != nil && spoolerr.KindOf(err) != spoolerr.Cancelled {
		return fmt.Errorf("with its own defaults: %w", err)
	}
	if len(unchanged.pages) == 0 {
		return fmt.Errorf("it asked nothing")
	}
	if after := b.state(ctx); after != before {
		return fmt.Errorf("its defaults are not what was set: the server module had\n%sand has\n%s", before, after)
	}
	return nil
}

func checkDelete(ctx context.Context, b *bench) error {
	port, _, err := b.add(ctx)
	if err != nil {
		return err
	}
	asked := false
	p := &person{answers: b.opts.Answers, before: func(form.Page) {
		asked = asked || !slices.Contains(b.heard(), portconfig.DeletePort)
	}}
	if _, err := b.hold(ctx, monitoruiwire.DeletePort, port, everything, p); err != nil {
		return err
	}
	switch left := b.ports(ctx); {
	case len(left) > 0:
		return fmt.Errorf("it says that the port is deleted; the server module has %q", left)
	case !asked:
		return fmt.Errorf("it deleted the port without asking")
	}
	return nil
}

// operations are all three, on a port that there is.
func operations(port string) []operation {
	return []operation{{monitoruiwire.AddPort, ""}, {monitoruiwire.ConfigurePort, port}, {monitoruiwire.DeletePort, port}}
}

type operation struct {
	what monitoruiwire.Operation
	port string
}

func checkCancel(ctx context.Context, b *bench) error {
	for _, op := range []monitoruiwire.Operation{monitoruiwire.AddPort, monitoruiwire.ConfigurePort, monitoruiwire.DeletePort} {
		for page := 1; ; page++ {
			done, err := cancelAt(ctx, b, op, page)
			if err != nil {
				return fmt.Errorf("%v, page %d: %w", op, page, err)
			}
			if done {
				break
			}
		}
	}
	return nil
}

// cancelAt gives up at one page; done says that there is no such page any more.
func cancelAt(ctx context.Context, b *bench, op monitoruiwire.Operation, page int) (done bool, err error) {
	if err := b.open(ctx); err != nil { // afresh
		return false, err
	}
	port := ""
	if op != monitoruiwire.AddPort {
		if port, _, err = b.add(ctx); err != nil {
			return false, err
		}
	}
	before := b.state(ctx)
	p := &person{answers: b.opts.Answers, cancelAt: page}
	_, err = b.hold(ctx, op, port, everything, p)
	switch {
	case len(p.pages) < page:
		return true, nil
	case err == nil:
		return false, fmt.Errorf("it went on")
	case spoolerr.KindOf(err) != spoolerr.Cancelled || spoolerr.CodeOf(err) != spoolerr.CodeCancelled:
		return false, fmt.Errorf("it ended with error %d: %w", uint32(spoolerr.CodeOf(err)), err)
	case b.state(ctx) != before:
		return false, fmt.Errorf("it left something behind: the server module had\n%sand has\n%s", before, b.state(ctx))
	}
	return false, nil
}

func checkGone(ctx context.Context, b *bench) error {
	port, _, err := b.add(ctx)
	if err != nil {
		return err
	}
	for _, op := range operations(port) {
		p := &person{answers: b.opts.Answers, leaveAt: 1}
		if _, err := b.hold(ctx, op.what, op.port, everything, p); err == nil {
			return fmt.Errorf("%v went on without the person", op.what)
		}
		if p.returned != nil {
			return fmt.Errorf("%v did not return within %v: %w", op.what, b.opts.Grace, p.returned)
		}
	}
	return nil
}

func checkUnknownPort(ctx context.Context, b *bench) error {
	for _, op := range operations("No such port")[1:] {
		_, err := b.hold(ctx, op.what, op.port, everything, &person{answers: b.opts.Answers})
		switch spoolerr.CodeOf(err) {
		case spoolerr.CodeUnknownPort, spoolerr.CodeInvalidName, spoolerr.CodeFileNotFound, spoolerr.CodeNotFound:
		default:
			return fmt.Errorf("%v of a port that does not exist: error %d, %w", op.what, uint32(spoolerr.CodeOf(err)), err)
		}
	}
	return nil
}

func checkRefusal(ctx context.Context, b *bench) error {
	const why = "the kit refuses this port"
	b.refuse = func(name string) error {
		if name == portconfig.AddPort {
			return spoolerr.New(spoolerr.Exists, 0, why)
		}
		return nil
	}
	p := &person{answers: b.opts.Answers}
	explained := false
	p.before = func(page form.Page) {
		text := page.Problem + page.Text
		for _, f := range page.Fields {
			text += f.Problem
		}
		if explained = strings.Contains(text, why); explained {
			p.cancelAt = len(p.pages)
		}
	}
	_, err := b.hold(ctx, monitoruiwire.AddPort, "", everything, p)
	switch {
	case err == nil:
		return fmt.Errorf("it says that it added a port that the server module refused")
	case !explained && !strings.Contains(err.Error(), why):
		return fmt.Errorf("the person does not learn why: %w", err)
	}
	return nil
}

func checkAccess(ctx context.Context, b *bench) error {
	before := b.state(ctx)
	b.refuse = func(name string) error {
		if slices.Contains([]string{portconfig.AddPort, portconfig.ConfigPort, portconfig.DeletePort}, name) {
			return spoolerr.New(spoolerr.Denied, 0, "%s needs SERVER_ACCESS_ADMINISTER", name)
		}
		return nil
	}
	_, err := b.hold(ctx, monitoruiwire.AddPort, "", spool.ServerAccessEnumerate, &person{answers: b.opts.Answers})
	if spoolerr.CodeOf(err) != spoolerr.CodeAccessDenied {
		return fmt.Errorf("it ended with error %d: %w", uint32(spoolerr.CodeOf(err)), err)
	}
	if b.state(ctx) != before {
		return fmt.Errorf("it left something behind")
	}
	return nil
}

func checkOnlyXcv(ctx context.Context, b *bench) error {
	port, _, err := b.add(ctx)
	if err != nil {
		return err
	}
	for _, op := range operations(port)[1:] {
		if _, err := b.hold(ctx, op.what, op.port, everything, &person{answers: b.opts.Answers}); err != nil && spoolerr.KindOf(err) != spoolerr.Cancelled {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.strange) > 0 {
		return fmt.Errorf("it called %s", strings.Join(b.strange, ", "))
	}
	return nil
}

func checkSecret(ctx context.Context, b *bench) error {
	const secret = "Kit5ecret"
	p := &person{answers: b.opts.Answers, secret: secret}
	port, err := b.hold(ctx, monitoruiwire.AddPort, "", everything, p)
	if err != nil {
		return err
	}
	shown := p.told
	later := &person{answers: b.opts.Answers, secret: secret}
	shown = append(shown, b.said...)
	if _, err := b.hold(ctx, monitoruiwire.ConfigurePort, port, everything, later); err != nil && spoolerr.KindOf(err) != spoolerr.Cancelled {
		return err
	}
	for _, page := range append(p.pages, later.pages...) {
		shown = append(shown, fmt.Sprintf("%+v", page))
	}
	for _, text := range append(append(shown, later.told...), b.said...) {
		if strings.Contains(text, secret) {
			return fmt.Errorf("a secret is in %s", spool.Quote(text))
		}
	}
	return nil
}
