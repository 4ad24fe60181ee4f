package suite

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Outcome is what came of one check.
type Outcome string

// The outcomes.
const (
	Passed        Outcome = "passed"
	Failed        Outcome = "failed"
	NotApplicable Outcome = "not applicable" // says nothing about this installation, for the reason given
)

// Result is one check.
type Result struct {
	Group, Name string
	Outcome     Outcome
	Reason      string // of a failure, or why it is not applicable
	Took        time.Duration
}

// Report is one run.
type Report struct {
	Base, Software string
	Begun          time.Time
	Took           time.Duration
	Results        []Result
}

// Count tells how many checks had the outcome.
func (r *Report) Count(o Outcome) (n int) {
	for _, one := range r.Results {
		if one.Outcome == o {
			n++
		}
	}
	return n
}

// WriteText writes the report for people: every failure, every check that was not applicable with its
// reason, and with all every other as well; then the figures.
func (r *Report) WriteText(w io.Writer, all bool) error {
	p := printer{w: w}
	p.printf("Conformance of %s (%s), %s\n\n", r.Base, r.Software, r.Begun.Format(time.RFC3339))
	for _, one := range r.Results {
		switch {
		case one.Outcome == Failed:
			p.printf("FAILED          %-12s %s: %s\n", one.Group, one.Name, one.Reason)
		case one.Outcome == NotApplicable:
			p.printf("not applicable  %-12s %s: %s\n", one.Group, one.Name, one.Reason)
		case all:
			p.printf("passed          %-12s %s\n", one.Group, one.Name)
		}
	}
	p.printf("\n%-12s %8s %8s %16s\n", "", Passed, Failed, NotApplicable)
	for _, g := range r.groups() {
		p.printf("%-12s %8d %8d %16d\n", g.name, g.count(Passed), g.count(Failed), g.count(NotApplicable))
	}
	p.printf("%-12s %8d %8d %16d   in %.1f s\n", "all", r.Count(Passed), r.Count(Failed), r.Count(NotApplicable), r.Took.Seconds())
	return p.err
}

// printer remembers the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// grouped are the results of one group.
type grouped struct {
	name    string
	results []Result
}

func (g grouped) count(o Outcome) int { return (&Report{Results: g.results}).Count(o) }

// groups are the results by group, in the order in which they came.
func (r *Report) groups() (list []grouped) {
	for _, one := range r.Results {
		if len(list) == 0 || list[len(list)-1].name != one.Group {
			list = append(list, grouped{name: one.Group})
		}
		last := &list[len(list)-1]
		last.results = append(last.results, one)
	}
	return list
}

// The elements of JUnit XML that every reader of it knows.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the report as JUnit XML: a test suite for each group, what is not applicable as
// skipped.
func (r *Report) WriteJUnit(w io.Writer) error {
	out := junitSuites{
		Name: "sluse conformance " + r.Base, Tests: len(r.Results), Failures: r.Count(Failed),
		Skipped: r.Count(NotApplicable), Time: seconds(r.Took),
	}
	for _, g := range r.groups() {
		one := junitSuite{Name: g.name, Tests: len(g.results), Failures: g.count(Failed), Skipped: g.count(NotApplicable), Timestamp: r.Begun.Format(time.RFC3339)}
		var took time.Duration
		for _, result := range g.results {
			c := junitCase{Class: "conformance." + g.name, Name: result.Name, Time: seconds(result.Took)}
			switch result.Outcome {
			case Failed:
				c.Failure = &junitMessage{result.Reason}
			case NotApplicable:
				c.Skipped = &junitMessage{result.Reason}
			case Passed:
			}
			took += result.Took
			one.Cases = append(one.Cases, c)
		}
		one.Time = seconds(took)
		out.Suites = append(out.Suites, one)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	return e.Close()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
