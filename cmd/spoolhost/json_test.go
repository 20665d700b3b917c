package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

func TestMessageJSON(t *testing.T) {
	at := timestamppb.New(time.Date(2026, 5, 1, 8, 30, 0, 500_000_000, time.UTC))
	for name, c := range map[string]struct {
		message proto.Message
		want    string
	}{
		"empty lists and scalars": {&apiv1.Port{}, `{"name":"","spooler":"","monitor":"","description":"","state":"","status":"","printers":[],"job":0}`},
		"64 bits are numbers":     {&apiv1.Port{Name: "P", Job: math.MaxUint64}, `{"name":"P","spooler":"","monitor":"","description":"","state":"","status":"","printers":[],"job":18446744073709551615}`},
		"no fields":               {&apiv1.DeletePortResponse{}, `{}`},
		"times":                   {&apiv1.ExplainEvent{Time: at, Text: "x"}, `{"time":"2026-05-01T08:30:00.5Z","text":"x","node":""}`},
		"no time":                 {&apiv1.ExplainEvent{}, `{"text":"","node":""}`},
		"unset message":           {&apiv1.GetJobResponse{}, `{}`},
		"bytes":                   {&apiv1.RegistryValue{Name: "n", Data: []byte{1, 2}}, `{"name":"n","type":"","data":"AQI=","text":""}`},
		"map in order":            {&apiv1.AddPortRequest{Settings: map[string]string{"b": "2", "a": "1"}}, `{"spooler":"","name":"","monitor":"","settings":{"a":"1","b":"2"}}`},
		"map of numbers":          {&apiv1.SpoolerStatus{Jobs: map[string]uint32{"held": 2}}, `{"name":"","state":"","monitors":0,"ports":0,"printers":0,"jobs":{"held":2},"problems":[]}`},
		"optional zero":           {&apiv1.PrinterSettings{Comment: proto.String(""), MaxAttempts: proto.Uint32(0)}, `{"ports":[],"comment":"","maxAttempts":0}`},
		"list of messages":        {&apiv1.RegistryKey{Path: `a\b`, Values: []*apiv1.RegistryValue{{}, {}}}, `{"path":"a\\b","values":[{"name":"","type":"","data":"","text":""},{"name":"","type":"","data":"","text":""}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := messageJSON(c.message)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestJobJSONHasWhatScriptsRead(t *testing.T) {
	job := &apiv1.Job{Id: 1 << 60, Size: 200_000_000, Attempts: []*apiv1.Attempt{{Number: 1, Outcome: "crashed", BytesSent: 1 << 40}}}
	text, err := messageJSON(job)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":1152921504606846976`, `"printer":""`, `"state":""`, `"size":200000000`, `"outcome":"crashed"`, `"bytesSent":1099511627776`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}

func TestListJSON(t *testing.T) {
	for want, list := range map[string][]*apiv1.ExplainEvent{
		`[]`:                       nil,
		`[{"text":"a","node":""}]`: {{Text: "a"}},
		`[{"text":"a","node":""},{"text":"b","node":""}]`: {{Text: "a"}, {Text: "b"}},
	} {
		if got, err := messagesJSON(list); err != nil || string(got) != want {
			t.Errorf("got %s (%v), want %s", got, err, want)
		}
	}
}

// TestEveryMessageOfTheAPI converts each message of the API, with every field set once,
// so that a new kind of field is found here and not by a person.
func TestEveryMessageOfTheAPI(t *testing.T) {
	for _, file := range []protoreflect.FileDescriptor{
		apiv1.File_spoolhost_api_v1_host_proto, apiv1.File_spoolhost_api_v1_jobs_proto, apiv1.File_spoolhost_api_v1_monitors_proto,
		apiv1.File_spoolhost_api_v1_ports_proto, apiv1.File_spoolhost_api_v1_printers_proto, apiv1.File_spoolhost_api_v1_registry_proto,
	} {
		for i := range file.Messages().Len() {
			checkEveryField(t, file.Messages().Get(i))
		}
	}
}

func checkEveryField(t *testing.T, d protoreflect.MessageDescriptor) {
	t.Helper()
	m := newMessage(t, d)
	for i := range d.Fields().Len() {
		if field := d.Fields().Get(i); !field.IsMap() && !field.IsList() {
			m.Set(field, m.NewField(field))
		} else if field.IsList() {
			list := m.Mutable(field).List()
			list.Append(list.NewElement())
		}
	}
	text, err := messageJSON(m.Interface())
	if err != nil || !json.Valid(text) {
		t.Errorf("%s: %v: %s", d.FullName(), err, text)
	}
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) protoreflect.Message {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return mt.New()
}

// FuzzJSONString holds appendString against the decoder that programs use.
func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c\n\t\x00", "\u009b31m\u202e\u2028", "\U0010ffff\U0001f600", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		text := appendString(nil, s)
		var back string
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Fatalf("%q became %s and came back as %q (%v)", s, text, back, err)
		}
		if i := strings.IndexFunc(string(text), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("%q would disturb a terminal", text)
		}
	})
}
