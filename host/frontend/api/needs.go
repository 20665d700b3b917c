package api

import (
	"maps"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// needs classifies every method.
func needs() map[string]access.Role {
	all := map[string]access.Role{
		apiv1.Host_GetStatus_FullMethodName: access.User,
		apiv1.Host_Explain_FullMethodName:   access.User,

		apiv1.Events_ListEvents_FullMethodName: access.Operator,

		apiv1.Monitors_AddMonitor_FullMethodName:     access.Administrator,
		apiv1.Monitors_ListMonitors_FullMethodName:   access.User,
		apiv1.Monitors_GetMonitor_FullMethodName:     access.User,
		apiv1.Monitors_RemoveMonitor_FullMethodName:  access.Administrator,
		apiv1.Monitors_RestartMonitor_FullMethodName: access.Operator,
		apiv1.Monitors_ResumeMonitor_FullMethodName:  access.Operator,
		apiv1.Monitors_UpgradeMonitor_FullMethodName: access.Administrator,
		apiv1.Monitors_UpdateMonitor_FullMethodName:  access.Administrator,

		apiv1.Ports_AddPort_FullMethodName:    access.Administrator,
		apiv1.Ports_ListPorts_FullMethodName:  access.User,
		apiv1.Ports_GetPort_FullMethodName:    access.User,
		apiv1.Ports_DeletePort_FullMethodName: access.Administrator,
		apiv1.Ports_UpdatePort_FullMethodName: access.Administrator,

		apiv1.Ports_SendRecvBidiData_FullMethodName: access.Operator,
		apiv1.Ports_SetPortTimeOuts_FullMethodName:  access.Administrator,
		apiv1.Ports_GetPrinterData_FullMethodName:   access.Administrator,

		apiv1.Printers_AddPrinter_FullMethodName:    access.Administrator,
		apiv1.Printers_ListPrinters_FullMethodName:  access.User,
		apiv1.Printers_GetPrinter_FullMethodName:    access.User,
		apiv1.Printers_UpdatePrinter_FullMethodName: access.Administrator,
		apiv1.Printers_PausePrinter_FullMethodName:  access.Operator,
		apiv1.Printers_ResumePrinter_FullMethodName: access.Operator,
		apiv1.Printers_PurgePrinter_FullMethodName:  access.Operator,
		apiv1.Printers_DeletePrinter_FullMethodName: access.Administrator,

		// Jobs: the owner or an operator, which the methods check.
		apiv1.Jobs_SubmitJob_FullMethodName:  access.User,
		apiv1.Jobs_ListJobs_FullMethodName:   access.User,
		apiv1.Jobs_GetJob_FullMethodName:     access.User,
		apiv1.Jobs_WatchJob_FullMethodName:   access.User,
		apiv1.Jobs_CancelJob_FullMethodName:  access.User,
		apiv1.Jobs_HoldJob_FullMethodName:    access.User,
		apiv1.Jobs_ReleaseJob_FullMethodName: access.User,
		apiv1.Jobs_RestartJob_FullMethodName: access.User,
		apiv1.Jobs_MoveJob_FullMethodName:    access.User,

		apiv1.Registry_ListKey_FullMethodName:     access.Operator,
		apiv1.Registry_GetValue_FullMethodName:    access.Operator,
		apiv1.Registry_ExportKey_FullMethodName:   access.Operator,
		apiv1.Registry_SetValue_FullMethodName:    access.Administrator,
		apiv1.Registry_DeleteValue_FullMethodName: access.Administrator,

		apiv1.Modules_AddModule_FullMethodName:    access.Administrator,
		apiv1.Modules_ListModules_FullMethodName:  access.User,
		apiv1.Modules_GetModule_FullMethodName:    access.User,
		apiv1.Modules_RemoveModule_FullMethodName: access.Administrator,

		// Whoever adds, configures and deletes ports.
		apiv1.Dialogues_Dialogue_FullMethodName: access.Administrator,

		// What a command of the session needs, session and monitor check.
		apiv1.Xcv_Session_FullMethodName: access.User,
	}
	maps.Copy(all, pointPrintNeeds())
	maps.Copy(all, clusterNeeds())
	return all
}

// clusterNeeds classifies the methods of clusters, and of modules that are stored in one.
func clusterNeeds() map[string]access.Role {
	return map[string]access.Role{
		apiv1.Cluster_GetCluster_FullMethodName:  access.User,
		apiv1.Cluster_GetNode_FullMethodName:     access.User,
		apiv1.Cluster_CreateToken_FullMethodName: access.Administrator,
		apiv1.Cluster_JoinCluster_FullMethodName: access.User, // the token is the proof
		apiv1.Cluster_RemoveNode_FullMethodName:  access.Administrator,

		apiv1.Spoolers_CreateSpooler_FullMethodName: access.Administrator,
		apiv1.Spoolers_ListSpoolers_FullMethodName:  access.User,
		apiv1.Spoolers_GetSpooler_FullMethodName:    access.User,
		apiv1.Spoolers_MoveSpooler_FullMethodName:   access.Administrator,
		apiv1.Spoolers_DeleteSpooler_FullMethodName: access.Administrator,
		apiv1.Nodes_ListNodes_FullMethodName:        access.User,
		apiv1.Nodes_DrainNode_FullMethodName:        access.Administrator,
		apiv1.Nodes_ResumeNode_FullMethodName:       access.Administrator,

		// Nodes only, which the method checks.
		apiv1.Ipp_PassIpp_FullMethodName:           access.User,
		apiv1.Events_ListNodeEvents_FullMethodName: access.User,

		apiv1.Modules_PublishModule_FullMethodName:      access.Administrator,
		apiv1.Modules_ListClusterModules_FullMethodName: access.User,
		apiv1.Modules_FetchModule_FullMethodName:        access.Administrator,
		apiv1.Modules_WithdrawModule_FullMethodName:     access.Administrator,
	}
}

// pointPrintNeeds classifies the methods of Point and Print.
func pointPrintNeeds() map[string]access.Role {
	return map[string]access.Role{
		apiv1.PrinterData_SetPrinterDataEx_FullMethodName:        access.Administrator,
		apiv1.PrinterData_GetPrinterDataEx_FullMethodName:        access.User,
		apiv1.PrinterData_EnumPrinterDataEx_FullMethodName:       access.User,
		apiv1.PrinterData_EnumPrinterKey_FullMethodName:          access.User,
		apiv1.PrinterData_DeletePrinterDataEx_FullMethodName:     access.Administrator,
		apiv1.PrinterData_DeletePrinterKey_FullMethodName:        access.Administrator,
		apiv1.PrinterData_WatchPrinter_FullMethodName:            access.User,
		apiv1.Drivers_AddPrinterDriver_FullMethodName:            access.Administrator,
		apiv1.Drivers_EnumPrinterDrivers_FullMethodName:          access.User,
		apiv1.Drivers_GetPrinterDriver_FullMethodName:            access.User,
		apiv1.Drivers_DeletePrinterDriver_FullMethodName:         access.Administrator,
		apiv1.Share_StatFiles_FullMethodName:                     access.User,
		apiv1.Share_ReadFile_FullMethodName:                      access.User,
		apiv1.Share_ListFiles_FullMethodName:                     access.User,
		apiv1.Share_PutFile_FullMethodName:                       access.Administrator,
		apiv1.Share_RemoveFile_FullMethodName:                    access.Administrator,
		apiv1.Connections_AddPrinterConnection_FullMethodName:    access.Administrator,
		apiv1.Connections_ListConnections_FullMethodName:         access.User,
		apiv1.Connections_GetConnection_FullMethodName:           access.User,
		apiv1.Connections_RefreshConnection_FullMethodName:       access.Operator,
		apiv1.Connections_DeletePrinterConnection_FullMethodName: access.Administrator,
	}
}
