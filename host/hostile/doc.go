// Package hostile is the matrix: every way we know in which a module can misbehave, each
// as a real process in a real host, while another queue prints without a break. It has
// tests only, and nobody imports it.
//
// A row of the table (rows_*_test.go) says what the module does and what the operator
// sees; house_test.go is the host with its good queue and its invariants, module_test.go
// the process. A row alone: go test ./host/hostile -run 'Matrix/calls/WritePort_panics'.
package hostile
