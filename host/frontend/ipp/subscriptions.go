package ipp

import (
	"slices"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/notify"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// pollAgain is how soon a client should ask for events again.
const pollAgain = 10 * time.Second

// notifyEvents are the values of notify-events.
func notifyEvents() []string {
	return []string{
		"job-completed", "job-config-changed", "job-created", "job-progress", "job-state-changed", "job-stopped",
		"printer-config-changed", "printer-state-changed", "printer-stopped", "printer-queue-order-changed",
		"printer-added", "printer-deleted", "printer-modified", "printer-restarted", "printer-shutdown",
	}
}

func notifySources() []printerSource {
	return []printerSource{
		described("notify-events-default", func(*shown) goipp.Attribute { return attr.Keyword("", "job-completed") }),
		described("notify-events-supported", func(*shown) goipp.Attribute { return attr.Keyword("", notifyEvents()...) }),
		described("notify-pull-method-supported", func(*shown) goipp.Attribute { return attr.Keyword("", "ippget") }),
		described("notify-lease-duration-default", func(*shown) goipp.Attribute { return attr.Int("", seconds(notify.DefaultLease)) }),
		described("notify-lease-duration-supported", func(*shown) goipp.Attribute { return attr.Range("", 0, seconds(notify.MaxLease)) }),
		described("notify-max-events-supported", func(*shown) goipp.Attribute { return attr.Int("", notify.MaxEvents) }),
		described("notify-attributes-supported", func(*shown) goipp.Attribute {
			return attr.Keyword("", "printer-state-change-time", "notify-lease-expiration-time", "notify-subscriber-user-name")
		}),
		described("ippget-event-life", func(*shown) goipp.Attribute { return attr.Int("", seconds(notify.EventLife)) }),
	}
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// createPrinterSubscriptions makes a subscription of each group that asks for one.
func (s *Server) createPrinterSubscriptions(r *request) (*reply, error) {
	return s.subscribe(r, 0)
}

func (s *Server) createJobSubscriptions(r *request) (*reply, error) {
	id, _, err := attr.ReadInt(r.msg.Operation, "notify-job-id")
	if err != nil {
		return nil, err
	}
	j, err := r.spooler.Queue().Get(r.ctx, uint64(max(id, 0)))
	if err != nil {
		return nil, err
	}
	if !r.mayHandle(j) {
		return nil, fail(goipp.StatusErrorNotAuthorized, "job %d belongs to somebody else", id)
	}
	return s.subscribe(r, j.ID)
}

// subscribeJob makes the subscriptions that came with a new job. That one cannot be made
// is no reason to refuse the job.
func (s *Server) subscribeJob(r *request, out *reply) error {
	if !slices.ContainsFunc(r.msg.Groups, isSubscription) {
		return nil
	}
	subscribe := s.subscribe
	if r.recorded {
		subscribe = s.subscribeElsewhere
	}
	made, err := subscribe(r, r.job.ID)
	if err != nil {
		out.status = goipp.StatusOkIgnoredSubscriptions
		return nil //nolint:nilerr // the job is accepted
	}
	out.groups = append(out.groups, made.groups...)
	if made.status != goipp.StatusOk {
		out.status = goipp.StatusOkIgnoredSubscriptions
	}
	return nil
}

// subscribeElsewhere has the owner of the spooler make the subscriptions of a job that was
// taken here: there its events happen, and there a client's questions for them go.
func (s *Server) subscribeElsewhere(r *request, job uint64) (*reply, error) {
	asked := *r
	asked.msg = *goipp.NewRequest(goipp.DefaultVersion, goipp.OpCreateJobSubscriptions, r.msg.RequestID)
	asked.msg.Groups = goipp.Groups{{Tag: goipp.TagOperationGroup, Attrs: goipp.Attributes{
		attr.Charset("attributes-charset", "utf-8"), attr.Language("attributes-natural-language", "en"),
		attr.URI("printer-uri", r.base.uri(r.printerPath(r.printer.Name))), attr.Int("notify-job-id", int(job)),
	}}}
	for _, g := range r.msg.Groups {
		if isSubscription(g) {
			asked.msg.Groups.Add(g)
		}
	}
	answer, err := s.passFor(&asked, ownerPatience)
	if err != nil || answer.whole == nil {
		return answer, err
	}
	defer answer.close()
	var m goipp.Message
	if err := decodeMessage(&m, answer.whole); err != nil {
		return nil, fail(goipp.StatusErrorInternal, "the owner's answer cannot be read: %v", err)
	}
	made := &reply{status: goipp.Status(m.Code)}
	for _, g := range m.Groups {
		if isSubscription(g) {
			made.groups = append(made.groups, g)
		}
	}
	return made, nil
}

func isSubscription(g goipp.Group) bool { return g.Tag == goipp.TagSubscriptionGroup }

func (s *Server) subscribe(r *request, job uint64) (*reply, error) {
	out := ok()
	made, failed := 0, 0
	for _, g := range r.msg.Groups {
		if !isSubscription(g) {
			continue
		}
		sub, err := s.subscription(r, g.Attrs, job)
		if err == nil {
			sub, err = s.notify.Add(sub)
		}
		if err != nil {
			failed++
			out.groups = append(out.groups, goipp.Group{Tag: goipp.TagSubscriptionGroup, Attrs: goipp.Attributes{attr.Enum("notify-status-code", int(failureOf(err).status))}})
			continue
		}
		made++
		list := goipp.Attributes{attr.Int("notify-subscription-id", sub.ID)}
		if job == 0 {
			list = append(list, attr.Int("notify-lease-duration", seconds(sub.Lease)))
		}
		out.groups = append(out.groups, goipp.Group{Tag: goipp.TagSubscriptionGroup, Attrs: list})
	}
	switch {
	case made == 0 && failed == 0:
		return nil, fail(goipp.StatusErrorBadRequest, "%s needs a group of subscription attributes", r.op.name)
	case made == 0:
		out.status = goipp.StatusErrorIgnoredAllSubscriptions
	case failed > 0:
		out.status = goipp.StatusOkIgnoredSubscriptions
	}
	return out, nil
}

// subscription reads one group of a request.
func (s *Server) subscription(r *request, list goipp.Attributes, job uint64) (sub notify.Subscription, err error) {
	if attr.Has(list, "notify-recipient-uri") {
		return sub, fail(goipp.StatusErrorURIScheme, "events are not sent out; ask for them with notify-pull-method ippget")
	}
	method, has, err := attr.ReadText(list, "notify-pull-method")
	if err != nil || !has || method != "ippget" {
		return sub, fail(goipp.StatusErrorAttributesOrValues, "notify-pull-method must be ippget")
	}
	sub = notify.Subscription{
		Spooler: r.spooler.Name(), Printer: r.printer.Name, Job: job, Owner: r.user, Known: r.caller.Known(), Lease: notify.DefaultLease,
	}
	if sub.Events, has, err = attr.ReadTexts(list, "notify-events"); err == nil && !has {
		sub.Events = []string{"job-completed"}
	}
	if err != nil {
		return sub, err
	}
	if len(sub.Events) > notify.MaxEvents {
		return sub, fail(goipp.StatusErrorAttributesOrValues, "too many notify-events")
	}
	if a, ok := attr.Find(list, "notify-user-data"); ok {
		if data, is := a.Values[0].V.(goipp.Binary); is && len(data) <= 63 {
			sub.UserData = data
		}
	}
	if n, has, err := attr.ReadInt(list, "notify-lease-duration"); err != nil {
		return sub, err
	} else if has {
		sub.Lease = time.Duration(n) * time.Second
	}
	return sub, nil
}

// mySubscription finds a subscription that the caller may see.
func (s *Server) mySubscription(r *request, id int) (notify.Subscription, error) {
	sub, err := s.notify.Get(id)
	if err != nil {
		return sub, err
	}
	if !r.subscribed(sub) {
		return sub, fail(goipp.StatusErrorNotAuthorized, "subscription %d belongs to somebody else", id)
	}
	return sub, nil
}

func (r *request) subscribed(sub notify.Subscription) bool {
	return r.caller.Role >= access.Operator || spool.Fold(sub.Owner) == spool.Fold(r.user) && sub.Known == r.caller.Known()
}

func (s *Server) subscriptionID(r *request) (notify.Subscription, error) {
	id, _, err := attr.ReadInt(r.msg.Operation, "notify-subscription-id")
	if err != nil {
		return notify.Subscription{}, err
	}
	return s.mySubscription(r, id)
}

func (s *Server) getSubscriptionAttributes(r *request) (*reply, error) {
	sub, err := s.subscriptionID(r)
	if err != nil {
		return nil, err
	}
	return group(goipp.TagSubscriptionGroup, s.showSubscription(r, sub)), nil
}

func (s *Server) showSubscription(r *request, sub notify.Subscription) goipp.Attributes {
	list := goipp.Attributes{
		attr.Int("notify-subscription-id", sub.ID), attr.Int("notify-sequence-number", sub.Sequence),
		attr.Keyword("notify-events", sub.Events...), attr.Keyword("notify-pull-method", "ippget"),
		attr.Name("notify-subscriber-user-name", sub.Owner), attr.UnixTime("notify-printer-up-time", s.cfg.Now()),
		attr.URI("notify-printer-uri", r.base.uri(r.printerPath(sub.Printer))), attr.Int("notify-time-interval", sub.Interval),
		attr.Charset("notify-charset", "utf-8"), attr.Language("notify-natural-language", "en"),
	}
	if sub.Job != 0 {
		list = append(list, attr.Int("notify-job-id", int(sub.Job)))
	} else {
		list = append(list, attr.Int("notify-lease-duration", seconds(sub.Lease)), attr.UnixTime("notify-lease-expiration-time", sub.Ends))
	}
	if len(sub.UserData) > 0 {
		list = append(list, attr.Octets("notify-user-data", string(sub.UserData)))
	}
	return list
}

func (s *Server) getSubscriptions(r *request) (*reply, error) {
	mine, _, err := attr.ReadBool(r.msg.Operation, "my-subscriptions")
	if err != nil {
		return nil, err
	}
	job, _, err := attr.ReadInt(r.msg.Operation, "notify-job-id")
	if err != nil {
		return nil, err
	}
	limit, _, err := attr.ReadInt(r.msg.Operation, "limit")
	if err != nil {
		return nil, err
	}
	list := s.notify.List(func(sub notify.Subscription) bool {
		return spool.Fold(sub.Spooler) == spool.Fold(r.spooler.Name()) && r.subscribed(sub) &&
			(r.printer.Name == "" || spool.Fold(sub.Printer) == spool.Fold(r.printer.Name)) &&
			(sub.Job == uint64(max(job, 0))) && (!mine || spool.Fold(sub.Owner) == spool.Fold(r.user))
	})
	out := ok()
	for i, sub := range list {
		if limit > 0 && i == limit {
			break
		}
		out.groups = append(out.groups, goipp.Group{Tag: goipp.TagSubscriptionGroup, Attrs: s.showSubscription(r, sub)})
	}
	return out, nil
}

func (s *Server) renewSubscription(r *request) (*reply, error) {
	sub, err := s.subscriptionID(r)
	if err != nil {
		return nil, err
	}
	lease := seconds(notify.DefaultLease)
	for _, list := range []goipp.Attributes{r.msg.Operation, r.msg.Subscription} {
		if n, has, err := attr.ReadInt(list, "notify-lease-duration"); err != nil {
			return nil, err
		} else if has {
			lease = n
		}
	}
	if sub, err = s.notify.Renew(sub.ID, time.Duration(lease)*time.Second); err != nil {
		return nil, err
	}
	return group(goipp.TagSubscriptionGroup, goipp.Attributes{attr.Int("notify-lease-duration", seconds(sub.Lease))}), nil
}

func (s *Server) cancelSubscription(r *request) (*reply, error) {
	sub, err := s.subscriptionID(r)
	if err != nil {
		return nil, err
	}
	return ok(), s.notify.Cancel(sub.ID)
}

// getNotifications gives the events of subscriptions. It never waits: clients are told
// when to ask again.
func (s *Server) getNotifications(r *request) (*reply, error) {
	ids, err := integers(r.msg.Operation, "notify-subscription-ids")
	if err != nil {
		return nil, err
	}
	from, err := integers(r.msg.Operation, "notify-sequence-numbers")
	if err != nil {
		return nil, err
	}
	out := ok()
	out.operation = goipp.Attributes{attr.Int("notify-get-interval", seconds(pollAgain)), attr.UnixTime("printer-up-time", s.cfg.Now())}
	for i, id := range ids {
		sub, err := s.mySubscription(r, id)
		if err != nil {
			return nil, err
		}
		first := 0
		if i < len(from) {
			first = from[i]
		}
		events, err := s.notify.Since(id, first)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			out.groups = append(out.groups, goipp.Group{Tag: goipp.TagEventNotificationGroup, Attrs: s.showEvent(r, sub, e)})
		}
	}
	return out, nil
}

func integers(list goipp.Attributes, name string) (ns []int, err error) {
	a, _ := attr.Find(list, name)
	for _, v := range a.Values {
		n, is := v.V.(goipp.Integer)
		if !is || len(a.Values) > notify.MaxSubscriptions {
			return nil, &attr.SyntaxError{Name: name, Want: "integers, and not too many"}
		}
		ns = append(ns, int(n))
	}
	return ns, nil
}

func (s *Server) showEvent(r *request, sub notify.Subscription, e notify.Numbered) goipp.Attributes {
	list := goipp.Attributes{
		attr.Int("notify-subscription-id", sub.ID), attr.Int("notify-sequence-number", e.Sequence),
		attr.Keyword("notify-subscribed-event", e.Name), attr.Keyword("notify-event", e.Name), attr.Text("notify-text", e.Text),
		attr.Charset("notify-charset", "utf-8"), attr.Language("notify-natural-language", "en"), attr.UnixTime("printer-up-time", e.At),
	}
	if len(sub.UserData) > 0 {
		list = append(list, attr.Octets("notify-user-data", string(sub.UserData)))
	}
	if e.Printer != "" {
		list = append(list, attr.URI("notify-printer-uri", r.base.uri(r.printerPath(e.Printer))), attr.Name("printer-name", e.Printer))
		if p, err := r.spooler.Printer(e.Printer); err == nil {
			w := attr.Want([]string{"printer-state", "printer-state-reasons", "printer-is-accepting-jobs"})
			list = append(list, s.showPrinter(r, p, w)...)
		}
	}
	if e.Job != 0 {
		list = append(list, attr.Int("notify-job-id", int(e.Job)))
		if j, err := r.spooler.Queue().Get(r.ctx, e.Job); err == nil {
			list = append(list, s.showJob(r, j, attr.Want([]string{"job-state", "job-state-reasons", "job-name"}), &ranks{})...)
		}
	}
	return list
}
