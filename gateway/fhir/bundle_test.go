package fhir_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway/fhir"
)

func TestWriteSearchset(t *testing.T) {
	t.Parallel()
	two := 2
	resource := `{ "resourceType":"Observation","id":"a", "status":"final","code":{"text":"<ø&>"},"valueQuantity":{"value":1.10} }`
	var b bytes.Buffer
	err := fhir.WriteSearchset(&b, []fhir.Link{{Relation: "self", URL: "http://x/fhir/Observation?a=b&c"}, {Relation: "next", URL: "http://x/\"y"}}, &two,
		slices.Values([]fhir.Entry{{FullURL: "http://x/fhir/Observation/a", Resource: []byte(resource), Mode: "match"}, {Resource: fhir.OperationOutcome(nil, "nb"), Mode: "outcome"}}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resourceType":"Bundle","type":"searchset","total":2,"link":[{"relation":"self","url":"http://x/fhir/Observation?a=b&c"},{"relation":"next","url":"http://x/\"y"}],"entry":[` +
		`{"fullUrl":"http://x/fhir/Observation/a","resource":` + resource + `,"search":{"mode":"match"}},{"resource":` + string(fhir.OperationOutcome(nil, "nb")) + `,"search":{"mode":"outcome"}}]}`
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
	if issues := fhir.Validate(parse(t, b.String())); issues != nil {
		t.Error(issues)
	}
}

func TestWriteBundles(t *testing.T) {
	t.Parallel()
	var empty, history bytes.Buffer
	if err := fhir.WriteSearchset(&empty, nil, nil, slices.Values([]fhir.Entry(nil))); err != nil || empty.String() != `{"resourceType":"Bundle","type":"searchset"}` {
		t.Error(empty.String(), err)
	}
	err := fhir.WriteHistory(&history, nil, nil, slices.Values([]fhir.Entry{
		{FullURL: "http://x/Patient/a", Method: "DELETE", URL: "Patient/a", Status: "204", ETag: `W/"2"`, LastModified: "2026-01-01T00:00:00Z"},
		{FullURL: "http://x/Patient/a", Resource: []byte(`{"resourceType":"Patient","id":"a"}`), Method: "PUT", URL: "Patient/a", Status: "201"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if issues := fhir.Validate(parse(t, history.String())); issues != nil {
		t.Error(issues, history.String())
	}
	large := fhir.Entry{Resource: []byte(`{"resourceType":"Basic","id":"` + strings.Repeat("a", 40<<10) + `"}`)}
	if err := fhir.WriteSearchset(full{}, nil, nil, slices.Values([]fhir.Entry{large, large})); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
