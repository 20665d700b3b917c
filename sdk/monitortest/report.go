package monitortest

import "slices"

// Rule is one sentence of the contract.
type Rule struct {
	// ID is stable: scripts may rely on it.
	ID string `json:"id"`
	// Text says what holds for a monitor that keeps the rule.
	Text string `json:"rule"`
	// Source is where the rule comes from: a function's documentation, or the SDK's.
	Source string `json:"source"`
}

// Outcome is what became of a check.
type Outcome string

// The outcomes.
const (
	Pass       Outcome = "pass"
	Fail       Outcome = "fail"
	NotChecked Outcome = "not checked"
)

// Result is a rule and how the monitor stood it.
type Result struct {
	Rule
	Outcome Outcome `json:"outcome"`
	// Detail says what the monitor did, or why the rule was not checked.
	Detail string `json:"detail,omitempty"`
	// Output is what the module wrote last, if the rule was broken.
	Output []string `json:"output,omitempty"`
}

// Report is the outcome of all checks.
type Report struct {
	// Subject is the executable's path, or empty for a monitor in this process.
	Subject string   `json:"subject"`
	Results []Result `json:"results"`
}

// With gives the ids of the rules with an outcome.
func (r Report) With(outcome Outcome) []string {
	var ids []string
	for _, result := range r.Results {
		if result.Outcome == outcome {
			ids = append(ids, result.ID)
		}
	}
	return ids
}

// OK says that rules were checked and none was broken.
func (r Report) OK() bool {
	return len(r.With(Fail)) == 0 && len(r.With(Pass)) > 0
}

// Rules gives all rules, in the order in which they are checked.
func Rules() []Rule {
	var rules []Rule
	for _, c := range checks(Options{}) {
		rules = append(rules, c.Rule)
	}
	return rules
}

// checks gives those that opts ask for.
func checks(opts Options) []check {
	all := slices.Concat(startChecks(), capabilityChecks(), xcvChecks(), portChecks(), documentChecks(),
		deviceChecks(), instanceChecks(), registryChecks(), processChecks())
	if len(opts.Only) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(c check) bool { return !slices.Contains(opts.Only, c.ID) })
}
