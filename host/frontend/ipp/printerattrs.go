package ipp

import (
	"crypto/sha1" //nolint:gosec // a name in the form of RFC 9562, not a secret
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"
	"github.com/google/uuid"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/format"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// The groups of a printer's attributes that requested-attributes may name.
const (
	groupDescription = "printer-description"
	groupTemplate    = "job-template"
)

// shown is a printer as one request sees it.
type shown struct {
	*Server
	*request
	p          spooler.PrinterView
	conditions []spooler.Condition
	described  goipp.Attributes
}

func (s *Server) getPrinterAttributes(r *request) (*reply, error) {
	if r.target.printer == "" {
		if err := s.useDefault(r); err != nil {
			return nil, err
		}
	}
	if mime, has, err := attr.ReadText(r.msg.Operation, "document-format"); err != nil {
		return nil, err
	} else if has && !takes(r.printer, mime) {
		return nil, notTaken(r.printer, mime, true)
	}
	w, err := wantedPrinter(r, "all")
	if err != nil {
		return nil, err
	}
	return group(goipp.TagPrinterGroup, s.showPrinter(r, r.printer, w)), nil
}

// wantedPrinter reads requested-attributes.
func wantedPrinter(r *request, unasked ...string) (attr.Wanted, error) {
	names, has, err := attr.ReadTexts(r.msg.Operation, "requested-attributes")
	if err == nil && !has {
		names = unasked
	}
	return attr.Want(names, groupDescription, groupTemplate), err
}

// showPrinter makes the wanted attributes of a printer, and only those.
func (s *Server) showPrinter(r *request, p spooler.PrinterView, w attr.Wanted) goipp.Attributes {
	v := &shown{Server: s, request: r, p: p}
	list := attr.Select(w, s.ofPrinters, v)
	for _, a := range v.description() {
		g := groupDescription
		if templateOf(a.Name) {
			g = groupTemplate
		}
		if w.Has(a.Name, g) && !attr.Has(list, a.Name) {
			list = append(list, a)
		}
	}
	if w.Asks("media-col-database") {
		sizes, _, _ := attr.ReadTexts(v.description(), "media-supported")
		list = append(list, attr.Collections("media-col-database", mediaCols(sizes)...))
	}
	return list
}

func (v *shown) description() goipp.Attributes {
	if v.described == nil {
		v.described = describe(v.p)
	}
	return v.described
}

func (v *shown) ports() []spooler.Condition {
	if v.conditions == nil {
		v.conditions = v.spooler.Conditions(v.p.Name)
	}
	return v.conditions
}

func (v *shown) uri(secure bool) string {
	return base{host: v.base.host, secure: secure}.uri(v.printerPath(v.p.Name))
}

// uris gives the addresses of the printer, and what each offers; the lists go in parallel.
func (v *shown) uris() (uris, security, authentication []string) {
	proof := "requesting-user-name"
	if v.cfg.Users != nil && v.cfg.Anonymous != AnonymousNetwork && !v.local {
		proof = "basic"
	}
	if !v.base.secure || v.cfg.TLS == nil {
		uris, security, authentication = []string{v.uri(false)}, []string{"none"}, []string{proof}
	}
	if v.cfg.TLS != nil {
		uris, security, authentication = append(uris, v.uri(true)), append(security, "tls"), append(authentication, proof)
	}
	return uris, security, authentication
}

// uuid names a printer for good: a UUID of version 5 of what it is and when it was made.
func (v *shown) uuid() string {
	name := fmt.Sprintf("spoolhost %s %s %d", spool.Fold(v.spooler.Name()), spool.Fold(v.p.Name), v.p.Created.UnixNano())
	return uuidOf(name)
}

func uuidOf(name string) string {
	u := sha1.Sum([]byte(name)) //nolint:gosec // see above
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return uuid.UUID(u[:16]).URN()
}

func (v *shown) changed() time.Time {
	if v.p.Changed.IsZero() {
		return v.cfg.Started
	}
	return v.p.Changed
}

func (v *shown) kinds() int {
	const bw, colour, duplex, copies, small, medium, isDefault, rejecting = 0x4, 0x8, 0x10, 0x40, 0x200, 0x400, 0x20000, 0x80000
	kind := bw | colour | duplex | copies | small | medium
	if v.p.Rejecting {
		kind |= rejecting
	}
	if spool.Fold(v.spooler.DefaultPrinter()) == spool.Fold(v.p.Name) {
		kind |= isDefault
	}
	return kind
}

// alert gives the device's troubles in the form of the Printer MIB.
func (v *shown) alerts() (alerts, texts []string) {
	for _, reason := range printerReasons(v.p, v.ports()) {
		severity := "other"
		for suffix, name := range map[string]string{"-error": "critical", "-warning": "warning"} {
			if strings.HasSuffix(reason, suffix) {
				severity = name
			}
		}
		alerts = append(alerts, fmt.Sprintf("code=other;severity=%s;group=generalPrinter", severity))
		texts = append(texts, reason)
	}
	return alerts, texts
}

func (v *shown) operations() []int {
	codes := make([]int, 0, len(v.table))
	for code := range v.table {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

type printerSource = attr.Source[*shown]

// printerSources are the attributes that follow from the printer's state and record.
func printerSources() []printerSource {
	return slices.Concat(identitySources(), stateSources(), abilitySources(), notifySources(), jobTemplateSources(), cupsSources())
}

func described(name string, from func(v *shown) goipp.Attribute) printerSource {
	return printerSource{Name: name, Group: groupDescription, From: from}
}

func identitySources() []printerSource {
	return []printerSource{
		described("printer-uri-supported", func(v *shown) goipp.Attribute { u, _, _ := v.uris(); return attr.URI("", u...) }),
		described("uri-security-supported", func(v *shown) goipp.Attribute { _, s, _ := v.uris(); return attr.Keyword("", s...) }),
		described("uri-authentication-supported", func(v *shown) goipp.Attribute { _, _, a := v.uris(); return attr.Keyword("", a...) }),
		described("printer-name", func(v *shown) goipp.Attribute { return attr.Name("", v.p.Name) }),
		described("printer-dns-sd-name", func(v *shown) goipp.Attribute { return attr.Name("", serviceName(v.p.Name)) }),
		described("printer-info", func(v *shown) goipp.Attribute { return attr.Text("", attr.Cut(cmpOr(v.p.Comment, v.p.Name), 127)) }),
		described("printer-location", func(v *shown) goipp.Attribute { return attr.Text("", attr.Cut(v.p.Location, 127)) }),
		described("printer-uuid", func(v *shown) goipp.Attribute { return attr.URI("", v.uuid()) }),
		described("printer-more-info", func(v *shown) goipp.Attribute {
			return attr.URI("", strings.Replace(v.base.uri("/"), "ipp", "http", 1))
		}),
		described("printer-device-id", func(v *shown) goipp.Attribute {
			if declared, ok := attr.Find(v.description(), "printer-device-id"); ok {
				return declared
			}
			model, _, _ := attr.ReadText(v.description(), "printer-make-and-model")
			maker, rest, _ := strings.Cut(model, " ")
			return attr.Text("", fmt.Sprintf("MFG:%s;MDL:%s;CMD:%s;", maker, rest, commandSets(v.p)))
		}),
		described("printer-kind", func(*shown) goipp.Attribute { return attr.Keyword("", "document") }),
	}
}

// commandSets gives the languages of a printer for its IEEE 1284 device id.
func commandSets(p spooler.PrinterView) string {
	names := map[string]string{
		format.PDF: "PDF", format.PostScript: "PS", format.PCL: "PCL", format.PCLXL: "PCLXL", format.PWGRaster: "PWGRaster",
		format.URF: "URF", format.JPEG: "JPEG", format.Text: "TXT",
	}
	var sets []string
	for _, f := range formats(p) {
		if name := names[f]; name != "" {
			sets = append(sets, name)
		}
	}
	return strings.Join(sets, ",")
}

func stateSources() []printerSource {
	return []printerSource{
		described("printer-state", func(v *shown) goipp.Attribute { return attr.Enum("", printerState(v.p)) }),
		described("printer-state-reasons", func(v *shown) goipp.Attribute { return attr.Keyword("", printerReasons(v.p, v.ports())...) }),
		described("printer-state-message", func(v *shown) goipp.Attribute { return attr.Text("", v.p.Reason) }),
		described("printer-state-change-time", func(v *shown) goipp.Attribute { return attr.UnixTime("", v.changed()) }),
		described("printer-state-change-date-time", func(v *shown) goipp.Attribute { return attr.Time("", v.changed()) }),
		described("printer-config-change-time", func(v *shown) goipp.Attribute { return attr.UnixTime("", v.changed()) }),
		described("printer-config-change-date-time", func(v *shown) goipp.Attribute { return attr.Time("", v.changed()) }),
		described("printer-is-accepting-jobs", func(v *shown) goipp.Attribute { return attr.Bool("", !v.p.Rejecting) }),
		described("printer-up-time", func(v *shown) goipp.Attribute { return attr.UnixTime("", v.cfg.Now()) }),
		described("printer-current-time", func(v *shown) goipp.Attribute { return attr.Time("", v.cfg.Now()) }),
		described("queued-job-count", func(v *shown) goipp.Attribute { return attr.Int("", v.p.Jobs) }),
		described("printer-alert", func(v *shown) goipp.Attribute { a, _ := v.alerts(); return attr.Octets("", a...) }),
		described("printer-alert-description", func(v *shown) goipp.Attribute { _, t := v.alerts(); return attr.Text("", t...) }),
	}
}

func abilitySources() []printerSource {
	keywords := func(name string, values ...string) printerSource {
		return described(name, func(*shown) goipp.Attribute { return attr.Keyword("", values...) })
	}
	return []printerSource{
		described("charset-configured", func(*shown) goipp.Attribute { return attr.Charset("", "utf-8") }),
		described("charset-supported", func(*shown) goipp.Attribute { return attr.Charset("", "utf-8", "us-ascii") }),
		described("natural-language-configured", func(*shown) goipp.Attribute { return attr.Language("", "en") }),
		described("generated-natural-language-supported", func(*shown) goipp.Attribute { return attr.Language("", "en") }),
		described("operations-supported", func(v *shown) goipp.Attribute { return attr.Enum("", v.operations()...) }),
		keywords("ipp-versions-supported", "1.0", "1.1", "2.0", "2.1", "2.2"),
		keywords("ipp-features-supported", "job-save", "subscription-object", "document-object"),
		keywords("compression-supported", format.Compressions()...),
		keywords("pdl-override-supported", "not-attempted"),
		described("document-format-supported", func(v *shown) goipp.Attribute { return attr.Mime("", formats(v.p)...) }),
		described("document-format-default", func(v *shown) goipp.Attribute {
			if takes(v.p, format.OctetStream) {
				return attr.Mime("", format.OctetStream)
			}
			return attr.Mime("", formats(v.p)[0])
		}),
		described("document-format-preferred", func(v *shown) goipp.Attribute {
			if takes(v.p, format.PDF) {
				return attr.Mime("", format.PDF)
			}
			return attr.Mime("", formats(v.p)[0])
		}),
		described("job-spooling-supported", func(v *shown) goipp.Attribute { return attr.Keyword("", spooling(v.p)) }),
		described("multiple-document-jobs-supported", func(*shown) goipp.Attribute { return attr.Bool("", true) }),
		described("multiple-operation-time-out", func(*shown) goipp.Attribute { return attr.Int("", int(spooler.IncomingTimeout.Seconds())) }),
		keywords("multiple-operation-time-out-action", "hold-job"),
		described("job-ids-supported", func(*shown) goipp.Attribute { return attr.Bool("", true) }),
		described("job-k-octets-supported", func(*shown) goipp.Attribute { return attr.Range("", 0, 1<<31-1) }),
		described("preferred-attributes-supported", func(*shown) goipp.Attribute { return attr.Bool("", false) }),
		keywords("job-creation-attributes-supported", templates()...),
		keywords("document-creation-attributes-supported", "document-name", "document-format", "compression"),
		keywords("job-settable-attributes-supported", append([]string{"job-name"}, templates()...)...),
		keywords("job-privacy-attributes", "default"), keywords("job-privacy-scope", "default"),
		keywords("subscription-privacy-attributes", "default"), keywords("subscription-privacy-scope", "default"),
		keywords("which-jobs-supported", whichJobs()...),
		keywords("identify-actions-supported", "display"), keywords("identify-actions-default", "display"),
		keywords("printer-get-attributes-supported", "document-format"),
		described("printer-settable-attributes-supported", func(*shown) goipp.Attribute { return attr.Keyword("", settables()...) }),
		described("requesting-user-name-allowed", func(v *shown) goipp.Attribute { return listed(v.p.Allow) }),
		described("requesting-user-name-denied", func(v *shown) goipp.Attribute { return listed(v.p.Deny) }),
	}
}

// spooling says when a document prints (PWG 5100.7): "spool" is when it is whole; "automatic"
// leaves it to the printer, which may begin with a long one while it comes.
func spooling(p spooler.PrinterView) string {
	if p.StartPrinting == spooler.WhileSpooling {
		return "automatic"
	}
	return "spool"
}

// listed makes a list of names, and nothing of an empty one.
func listed(names []string) goipp.Attribute {
	if len(names) == 0 {
		return goipp.Attribute{}
	}
	return attr.Name("", names...)
}

func settables() []string {
	names := []string{"printer-info", "printer-location", "document-format-supported", "requesting-user-name-allowed", "requesting-user-name-denied", "job-priority-default"}
	for _, a := range defaults() {
		names = append(names, a.Name)
	}
	return names
}

func jobTemplateSources() []printerSource {
	of := func(name string, from func(v *shown) goipp.Attribute) printerSource {
		return printerSource{Name: name, Group: groupTemplate, From: from}
	}
	return []printerSource{
		of("copies-default", func(*shown) goipp.Attribute { return attr.Int("", 1) }),
		of("copies-supported", func(*shown) goipp.Attribute { return attr.Range("", 1, spooler.MaxCopies) }),
		of("job-hold-until-default", func(*shown) goipp.Attribute { return attr.Keyword("", "no-hold") }),
		of("job-hold-until-supported", func(*shown) goipp.Attribute { return attr.Keyword("", holds()...) }),
		of("job-priority-default", func(v *shown) goipp.Attribute { return attr.Int("", int(v.p.DefaultPriority)) }),
		of("job-priority-supported", func(*shown) goipp.Attribute { return attr.Int("", spool.MaxPriority) }),
	}
}

func cupsSources() []printerSource {
	return []printerSource{
		described("device-uri", func(v *shown) goipp.Attribute {
			if v.caller.Role < access.Operator { // where the device is, is the operators' business
				return goipp.Attribute{}
			}
			return attr.URI("", deviceURI(v.p))
		}),
		described("printer-type", func(v *shown) goipp.Attribute { return attr.Enum("", v.kinds()) }),
		described("printer-is-shared", func(*shown) goipp.Attribute { return attr.Bool("", true) }),
		described("printer-is-temporary", func(*shown) goipp.Attribute { return attr.Bool("", false) }),
		described("printer-op-policy", func(*shown) goipp.Attribute { return attr.Name("", "default") }),
		described("printer-error-policy", func(v *shown) goipp.Attribute { return attr.Name("", v.p.Policy+"-job") }),
		described("job-quota-period", func(*shown) goipp.Attribute { return attr.Int("", 0) }),
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
