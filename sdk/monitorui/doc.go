// Package monitorui is what a vendor imports to give a port monitor its dialogues: the
// counterpart of MONITORUI. A UI shows nothing. It asks for pages of fields, which the
// person sees in whatever front end is at hand, and it reaches its server module by
// Dialogue.Xcv, with the person's rights, and no other way.
//
//	func main() { monitorui.Serve(acmeUI{}, monitorui.Name("acmeui")) }
//
//	func (acmeUI) AddPort(ctx context.Context, d monitorui.Dialogue) (string, error) {
//		answers, err := d.Ask(ctx, form.Page{Title: "Add an Acme port", Fields: []form.Field{
//			{Name: "address", Label: "Address of the printer", Required: true},
//		}})
//		if err != nil {
//			return "", err // the person gave up, or is gone
//		}
//		name := "ACME_" + answers.Text("address")
//		_, err = d.Xcv(ctx, "AddPort", portconfig.Encode(name, answers.Settings()))
//		return name, err
//	}
//
// The server module names its UI by answering the data name MonitorUI with the name under
// which the UI is installed. sdk/monitoruitest checks a UI against the contract.
package monitorui
