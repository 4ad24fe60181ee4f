// Package suite is the black-box suite as a library: it asks any installation over HTTP what its
// CapabilityStatement promises, and reports what holds. It knows FHIR R4 and the stated deviations,
// and nothing of how Sluse is built.
//
// The suite writes records about a patient of its own making, without a national identity number, and
// deletes what it wrote. What cannot be deleted stays: the ledger, and versions that are past.
package suite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says what is asked, and as whom.
type Config struct {
	// Base is the FHIR base, absolute: "https://host/fhir". Required.
	Base string
	// Token is an access token of a party that may write records of its own. Required.
	Token string
	// Other is an access token of another party. Without it the checks between parties are not applicable.
	Other string
	// Endpoint is an address that the installation allows for notifications, and that answers 2xx. Without
	// it no subscription is made.
	Endpoint string
	// Lasting lets the run write what cannot be deleted: a Provenance.
	Lasting bool
	// Patience is how long to wait for what the server does in the background; default 60 s.
	Patience time.Duration
	// Only names the groups to be checked; default all of Groups.
	Only []string
	// Types names the types that the groups interaction and search look at; default all that are promised.
	Types []string
	// Client does the requests. It must not follow redirects to elsewhere with the token. Default: one with a time limit of 30 s.
	Client *http.Client
	// Clock tells the time. Required.
	Clock func() time.Time
	// Random makes the mark by which the suite knows its own. Default: the system's.
	Random io.Reader
}

func (c *Config) validate() error {
	var faults []error
	c.Base = strings.TrimSuffix(c.Base, "/")
	if u, err := url.Parse(c.Base); err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		faults = append(faults, errors.New("suite: Base must be an absolute URL without a query"))
	}
	if c.Token == "" {
		faults = append(faults, errors.New("suite: Token is missing"))
	}
	if c.Endpoint != "" && !absolute(c.Endpoint) {
		faults = append(faults, errors.New("suite: Endpoint must be an absolute URL without user, query and fragment"))
	}
	if c.Patience <= 0 {
		c.Patience = time.Minute
	}
	if c.Clock == nil {
		faults = append(faults, errors.New("suite: Clock is missing"))
	}
	for _, name := range c.Only {
		if !slices.Contains(Groups(), name) {
			faults = append(faults, fmt.Errorf("suite: no group %q: there are %s", name, strings.Join(Groups(), " ")))
		}
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 30 * time.Second}
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return errors.Join(faults...)
}

// groups in the order in which they are checked.
var groups = []struct {
	name string
	run  func(*session)
}{
	{"metadata", checkMetadata},
	{"description", checkDescription},
	{"credentials", checkCredentials},
	{"interaction", checkInteractions},
	{"search", checkSearch},
	{"result", checkResults},
	{"format", checkFormats},
	{"fault", checkFaults},
	{"limit", checkLimits},
	{"condition", checkConditions},
	{"patch", checkPatches},
	{"bundle", checkBundles},
	{"history", checkHistory},
	{"paging", checkPaging},
	{"operation", checkOperations},
	{"form", checkFormsAndDocuments},
	{"subscription", checkSubscriptions},
	{"provenance", checkProvenance},
	{"export", checkExports},
	{"party", checkParties},
}

// Groups names what Config.Only may hold.
func Groups() (names []string) {
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

// session is one run.
type session struct {
	Config
	ctx       context.Context
	statement statement
	mark      string // in every identifier that this run writes
	patient   string // "Patient/id" of the suite's own
	group     string
	report    *Report
	made      []string // "Type/id" of what may have to be deleted
}

// Run checks an installation. An error means that it could not be asked at all; what does not hold is
// in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	raw := make([]byte, 6)
	if _, err := io.ReadFull(c.Random, raw); err != nil {
		return nil, err
	}
	s := &session{Config: c, ctx: ctx, mark: "sluse-" + hex.EncodeToString(raw), report: &Report{Base: c.Base, Begun: c.Clock()}}
	if err := s.readStatement(); err != nil {
		return nil, err
	}
	s.report.Software = strings.TrimSpace(s.statement.Software.Name + " " + s.statement.Software.Version)
	for _, g := range groups {
		if len(c.Only) > 0 && !slices.Contains(c.Only, g.name) {
			continue
		}
		s.group = g.name
		g.run(s)
		if err := ctx.Err(); err != nil {
			return s.report, err
		}
	}
	s.cleanUp()
	s.report.Took = c.Clock().Sub(s.report.Begun)
	return s.report, nil
}

// trial is one check under way.
type trial struct {
	*session
	faults []string
}

// ended is how a check ends before its last line.
type ended struct{ reason string } // not applicable, when there is a reason

func (t *trial) errorf(format string, args ...any) {
	t.faults = append(t.faults, fmt.Sprintf(format, args...))
}

func (t *trial) fatalf(format string, args ...any) {
	t.errorf(format, args...)
	panic(ended{})
}

// notApplicable ends a check that says nothing about this installation.
func (t *trial) notApplicable(format string, args ...any) {
	panic(ended{fmt.Sprintf(format, args...)})
}

// check does one and records what came of it.
func (s *session) check(name string, do func(*trial)) {
	t := &trial{session: s}
	begun := s.Clock()
	result := Result{Group: s.group, Name: name, Outcome: Passed}
	func() {
		defer func() {
			switch e := recover().(type) {
			case nil:
			case ended:
				if e.reason != "" {
					result.Outcome, result.Reason = NotApplicable, e.reason
				}
			default:
				panic(e)
			}
		}()
		do(t)
	}()
	if len(t.faults) > 0 {
		result.Outcome, result.Reason = Failed, strings.Join(t.faults, "; ")
	}
	result.Took = s.Clock().Sub(begun)
	s.report.Results = append(s.report.Results, result)
}

// forget leaves a record behind: the run was allowed to.
func (s *session) forget(reference string) {
	s.made = slices.DeleteFunc(s.made, func(r string) bool { return r == reference })
}

// cleanUp deletes what is left, the last first, and reports what it could not.
func (s *session) cleanUp() {
	s.group = "cleanup"
	s.check("nothing is left behind", func(t *trial) {
		var left []string
		for _, reference := range slices.Backward(s.made) {
			kind, _, _ := strings.Cut(reference, "/")
			if !s.statement.does(kind, "delete") {
				left = append(left, reference)
				continue
			}
			if a := t.ask(http.MethodDelete, "/"+reference, nil); a.status >= 300 && a.status != http.StatusGone && a.status != http.StatusNotFound {
				t.errorf("DELETE %s: %s", reference, a)
			}
		}
		if len(left) > 0 && len(t.faults) == 0 {
			t.notApplicable("the server deletes none of these types: %s", strings.Join(left, " "))
		}
	})
}
