package ipp

import (
	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
)

// operation is one operation of IPP: what it acts on, who may ask for it, what a request
// for it must bring, and what it does.
type operation struct {
	name  string
	aim   aim
	role  access.Role
	owner bool // on a job: only its owner and operators
	way   way  // for a spooler that is not open here
	needs []string
	run   func(*Server, *request) (*reply, error)
}

// run carries out a request whose caller is known.
func (s *Server) run(r *request) (*reply, error) {
	for _, name := range r.op.needs {
		if !attr.Has(r.msg.Operation, name) {
			return nil, fail(goipp.StatusErrorBadRequest, "%s needs %s", r.op.name, name)
		}
	}
	if err := readTarget(r); err != nil {
		return nil, err
	}
	if !s.findSpooler(r) {
		return s.runElsewhere(r)
	}
	return s.runHere(r)
}

// runHere carries out a request for the spooler that was found.
func (s *Server) runHere(r *request) (*reply, error) {
	if err := find(r); err != nil {
		return nil, err
	}
	if r.op.owner && r.job != nil && !r.mayHandle(r.job) {
		return nil, fail(goipp.StatusErrorNotAuthorized, "job %d belongs to somebody else; its owner or an operator may do this", r.job.ID)
	}
	return r.op.run(s, r)
}

// operations is the table of what this front end can do.
func operations() map[int]operation {
	table := make(map[int]operation)
	for _, part := range []map[goipp.Op]operation{printing(), jobOperations(), printerOperations(), documentOperations(), subscriptionOperations(), cupsOperations()} {
		for code, op := range part {
			table[int(code)] = op
		}
	}
	return table
}

func printing() map[goipp.Op]operation {
	return map[goipp.Op]operation{
		goipp.OpPrintJob:     {name: "Print-Job", aim: atPrinter, way: atAny, run: (*Server).printJob},
		goipp.OpValidateJob:  {name: "Validate-Job", aim: atPrinter, way: atAny, run: (*Server).validateJob},
		goipp.OpCreateJob:    {name: "Create-Job", aim: atPrinter, way: atAny, run: (*Server).createJob},
		goipp.OpSendDocument: {name: "Send-Document", aim: atJob, owner: true, way: atAny, needs: []string{"last-document"}, run: (*Server).sendDocument},
		goipp.OpCloseJob:     {name: "Close-Job", aim: atJob, owner: true, way: atAny, run: (*Server).closeJob},
	}
}

func jobOperations() map[goipp.Op]operation {
	return map[goipp.Op]operation{
		goipp.OpGetJobAttributes:  {name: "Get-Job-Attributes", aim: atJob, way: ownerNow, run: (*Server).getJobAttributes},
		goipp.OpGetJobs:           {name: "Get-Jobs", aim: atPrinterOrAll, run: (*Server).getJobs},
		goipp.OpCancelJob:         {name: "Cancel-Job", aim: atJobOrAll, owner: true, run: (*Server).cancelJob},
		goipp.OpHoldJob:           {name: "Hold-Job", aim: atJob, owner: true, run: (*Server).holdJob},
		goipp.OpReleaseJob:        {name: "Release-Job", aim: atJob, owner: true, run: (*Server).releaseJob},
		goipp.OpRestartJob:        {name: "Restart-Job", aim: atJob, owner: true, run: (*Server).restartJob},
		goipp.OpReprocessJob:      {name: "Reprocess-Job", aim: atJob, owner: true, run: (*Server).resubmitJob},
		goipp.OpResubmitJob:       {name: "Resubmit-Job", aim: atJob, owner: true, run: (*Server).resubmitJob},
		goipp.OpSetJobAttributes:  {name: "Set-Job-Attributes", aim: atJob, owner: true, run: (*Server).setJobAttributes},
		goipp.OpCancelJobs:        {name: "Cancel-Jobs", aim: atPrinterOrAll, role: access.Operator, run: (*Server).cancelJobs},
		goipp.OpCancelMyJobs:      {name: "Cancel-My-Jobs", aim: atPrinterOrAll, run: (*Server).cancelMyJobs},
		goipp.OpCancelCurrentJob:  {name: "Cancel-Current-Job", aim: atPrinter, run: (*Server).cancelCurrentJob},
		goipp.OpSuspendCurrentJob: {name: "Suspend-Current-Job", aim: atPrinter, role: access.Operator, run: (*Server).suspendCurrentJob},
		goipp.OpResumeJob:         {name: "Resume-Job", aim: atJob, role: access.Operator, run: (*Server).releaseJob},
		goipp.OpPromoteJob:        {name: "Promote-Job", aim: atJob, role: access.Operator, run: (*Server).promoteJob},
		goipp.OpScheduleJobAfter:  {name: "Schedule-Job-After", aim: atJob, role: access.Operator, run: (*Server).scheduleJobAfter},
	}
}

func printerOperations() map[goipp.Op]operation {
	operate := func(name string, change func(*Server, *request) error) operation {
		return operation{name: name, aim: atPrinter, role: access.Operator, run: func(s *Server, r *request) (*reply, error) {
			return ok(), change(s, r)
		}}
	}
	return map[goipp.Op]operation{
		goipp.OpGetPrinterAttributes:        {name: "Get-Printer-Attributes", aim: atPrinterOrAll, way: ownerNow, run: (*Server).getPrinterAttributes},
		goipp.OpGetPrinterSupportedValues:   {name: "Get-Printer-Supported-Values", aim: atPrinter, run: (*Server).getSupportedValues},
		goipp.OpSetPrinterAttributes:        {name: "Set-Printer-Attributes", aim: atPrinter, role: access.Administrator, run: (*Server).setPrinterAttributes},
		goipp.OpIdentifyPrinter:             {name: "Identify-Printer", aim: atPrinter, run: (*Server).identifyPrinter},
		goipp.OpPausePrinter:                operate("Pause-Printer", pausePrinter),
		goipp.OpPausePrinterAfterCurrentJob: operate("Pause-Printer-After-Current-Job", pausePrinter),
		goipp.OpResumePrinter:               operate("Resume-Printer", resumePrinter),
		goipp.OpEnablePrinter:               operate("Enable-Printer", acceptJobs),
		goipp.OpDisablePrinter:              operate("Disable-Printer", rejectJobs),
		goipp.OpHoldNewJobs:                 operate("Hold-New-Jobs", holdNewJobs),
		goipp.OpReleaseHeldNewJobs:          operate("Release-Held-New-Jobs", releaseHeldNewJobs),
		goipp.OpPurgeJobs:                   operate("Purge-Jobs", purgeJobs),
		goipp.OpDeactivatePrinter:           operate("Deactivate-Printer", deactivatePrinter),
		goipp.OpActivatePrinter:             operate("Activate-Printer", activatePrinter),
		goipp.OpRestartPrinter:              operate("Restart-Printer", activatePrinter),
		goipp.OpShutdownPrinter:             operate("Shutdown-Printer", deactivatePrinter),
		goipp.OpStartupPrinter:              operate("Startup-Printer", activatePrinter),
	}
}

func documentOperations() map[goipp.Op]operation {
	number := []string{"document-number"}
	return map[goipp.Op]operation{
		goipp.OpGetDocuments:          {name: "Get-Documents", aim: atJob, owner: true, run: (*Server).getDocuments},
		goipp.OpGetDocumentAttributes: {name: "Get-Document-Attributes", aim: atJob, owner: true, needs: number, run: (*Server).getDocumentAttributes},
		goipp.OpSetDocumentAttributes: {name: "Set-Document-Attributes", aim: atJob, owner: true, needs: number, run: (*Server).setDocumentAttributes},
		goipp.OpCancelDocument:        {name: "Cancel-Document", aim: atJob, owner: true, needs: number, run: (*Server).cancelDocument},
		goipp.OpValidateDocument:      {name: "Validate-Document", aim: atPrinter, way: atAny, run: (*Server).validateJob},
	}
}

func subscriptionOperations() map[goipp.Op]operation {
	id := []string{"notify-subscription-id"}
	return map[goipp.Op]operation{
		goipp.OpCreatePrinterSubscriptions: {name: "Create-Printer-Subscriptions", aim: atPrinterOrAll, run: (*Server).createPrinterSubscriptions},
		goipp.OpCreateJobSubscriptions: {name: "Create-Job-Subscriptions", aim: atPrinterOrAll, needs: []string{"notify-job-id"},
			run: (*Server).createJobSubscriptions},
		goipp.OpGetSubscriptionAttributes: {name: "Get-Subscription-Attributes", aim: atPrinterOrAll, needs: id, run: (*Server).getSubscriptionAttributes},
		goipp.OpGetSubscriptions:          {name: "Get-Subscriptions", aim: atPrinterOrAll, run: (*Server).getSubscriptions},
		goipp.OpRenewSubscription:         {name: "Renew-Subscription", aim: atPrinterOrAll, needs: id, run: (*Server).renewSubscription},
		goipp.OpCancelSubscription:        {name: "Cancel-Subscription", aim: atPrinterOrAll, needs: id, run: (*Server).cancelSubscription},
		goipp.OpGetNotifications: {name: "Get-Notifications", aim: atPrinterOrAll, needs: []string{"notify-subscription-ids"},
			run: (*Server).getNotifications},
	}
}

func cupsOperations() map[goipp.Op]operation {
	return map[goipp.Op]operation{
		goipp.OpCupsGetDefault:       {name: "CUPS-Get-Default", run: (*Server).cupsGetDefault},
		goipp.OpCupsGetPrinters:      {name: "CUPS-Get-Printers", run: (*Server).cupsGetPrinters},
		goipp.OpCupsGetClasses:       {name: "CUPS-Get-Classes", run: (*Server).cupsGetClasses},
		goipp.OpCupsGetDevices:       {name: "CUPS-Get-Devices", role: access.Operator, run: (*Server).cupsGetDevices},
		goipp.OpCupsAddModifyPrinter: {name: "CUPS-Add-Modify-Printer", role: access.Administrator, needs: []string{"printer-uri"}, run: (*Server).cupsAddModifyPrinter},
		goipp.OpCupsDeletePrinter:    {name: "CUPS-Delete-Printer", aim: atPrinter, role: access.Administrator, run: (*Server).cupsDeletePrinter},
		goipp.OpCupsSetDefault:       {name: "CUPS-Set-Default", aim: atPrinter, role: access.Administrator, run: (*Server).cupsSetDefault},
		goipp.OpCupsAcceptJobs: {name: "CUPS-Accept-Jobs", aim: atPrinter, role: access.Operator, run: func(s *Server, r *request) (*reply, error) {
			return ok(), acceptJobs(s, r)
		}},
		goipp.OpCupsRejectJobs: {name: "CUPS-Reject-Jobs", aim: atPrinter, role: access.Operator, run: func(s *Server, r *request) (*reply, error) {
			return ok(), rejectJobs(s, r)
		}},
		goipp.OpCupsMoveJob:         {name: "CUPS-Move-Job", aim: atJobOrAll, owner: true, run: (*Server).cupsMoveJob},
		goipp.OpCupsAuthenticateJob: {name: "CUPS-Authenticate-Job", aim: atJob, owner: true, run: (*Server).cupsAuthenticateJob},
		goipp.OpCupsGetDocument:     {name: "CUPS-Get-Document", aim: atJob, owner: true, run: (*Server).cupsGetDocument},
	}
}
