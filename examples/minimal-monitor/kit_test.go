package main

import (
	"testing"

	"github.com/spoolhost/spoolhost/sdk/monitortest"
)

// TestConformance is the one test that every monitor should have.
func TestConformance(t *testing.T) {
	monitortest.Run(t, monitortest.Serve(initialize), monitortest.Options{
		Settings: map[string]string{"address": "{{sink}}"},
	})
}
