package suite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/conformance/suite"
)

func report() *suite.Report {
	return &suite.Report{
		Base: "https://sluse.example/fhir", Software: "Sluse 1", Begun: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Took: 1500 * time.Millisecond,
		Results: []suite.Result{
			{Group: "search", Name: "Task.status", Outcome: suite.Passed, Took: 10 * time.Millisecond},
			{Group: "search", Name: "Task.<owner>", Outcome: suite.Failed, Reason: `500 & "internal"`, Took: 20 * time.Millisecond},
			{Group: "party", Name: "hidden", Outcome: suite.NotApplicable, Reason: "there is no token of another party"},
		},
	}
}

func TestReportForPeople(t *testing.T) {
	t.Parallel()
	for all, want := range map[bool][]string{
		false: {
			"Conformance of https://sluse.example/fhir (Sluse 1), 2026-03-02T09:00:00Z",
			`FAILED          search       Task.<owner>: 500 & "internal"`,
			"not applicable  party        hidden: there is no token of another party",
			"search              1        1                0",
			"all                 1        1                1   in 1.5 s",
		},
		true: {"passed          search       Task.status"},
	} {
		var b strings.Builder
		if err := report().WriteText(&b, all); err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if !strings.Contains(b.String(), line+"\n") {
				t.Errorf("all %v: no line %q in\n%s", all, line, b.String())
			}
		}
		if strings.Contains(b.String(), "Task.status") != all {
			t.Errorf("all %v: what passed is told otherwise", all)
		}
	}
}

func TestReportAsJUnit(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := report().WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="sluse conformance https://sluse.example/fhir" tests="3" failures="1" skipped="1" time="1.500">
  <testsuite name="search" tests="2" failures="1" skipped="0" time="0.030" timestamp="2026-03-02T09:00:00Z">
    <testcase classname="conformance.search" name="Task.status" time="0.010"></testcase>
    <testcase classname="conformance.search" name="Task.&lt;owner&gt;" time="0.020">
      <failure message="500 &amp; &#34;internal&#34;"></failure>
    </testcase>
  </testsuite>
  <testsuite name="party" tests="1" failures="0" skipped="1" time="0.000" timestamp="2026-03-02T09:00:00Z">
    <testcase classname="conformance.party" name="hidden" time="0.000">
      <skipped message="there is no token of another party"></skipped>
    </testcase>
  </testsuite>
</testsuites>`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// What is missing or wrong in the Config is told at once.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := suite.Run(t.Context(), suite.Config{Base: "host/fhir", Only: []string{"nonsense"}})
	for _, want := range []string{"Base", "Token", "Clock", "nonsense"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}
