package consenttest

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/consent"
)

// Answered is a class with what Go and Rego both answer.
type Answered struct {
	consent.Class
	Scope   gateway.Scope // of Go
	Crosses bool
	Covered gateway.Labels // told where something crosses only
	All     gateway.Labels // told always
}

// Tally counts what was asked.
type Tally struct {
	Refused int // sets that cannot be stored
	Sets    int // of which every class was asked
	Paired  int // larger: dimensions that no Consent names together were paired
	Larger  int // larger even so: classes at even distances were asked

	Classes, Permits         int // of the Sets
	MoreClasses, MorePermits int // of the others
	Cut                      int // combinations of the others that were not asked
}

// String tells what was asked, and what was not.
func (n Tally) String() string {
	return fmt.Sprintf("every class of %d sets: %d classes, %d permits; %d sets with dimensions paired and %d larger ones by samples: "+
		"%d classes, %d permits, %d combinations not asked; %d sets drawn that cannot be stored",
		n.Sets, n.Classes, n.Permits, n.Paired, n.Larger, n.MoreClasses, n.MorePermits, n.Cut, n.Refused)
}

// Run draws so many sets, from the seed on, asks Go and Rego about every class of each, which must agree, and gives the
// answers of each set to f. Of a set that has more classes than the limit a fortieth of that many is asked, once
// pairing has not helped, and what is left out is counted.
func (x *Trio) Run(t TB, first, draws int, f func(Set, []Answered) error) (n Tally) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // Rego makes much that is short-lived
	for seed := range draws {
		seed += first
		s, ok := x.Set(t, seed)
		if !ok {
			n.Refused++
			continue
		}
		if s.Classes.Strided {
			s.Classes = x.checker.Classes(s.Situation, s.Case.Now, x.limit/40, x.party)
		}
		answers, err := x.Answers(s)
		if err == nil {
			err = f(s, answers)
		}
		if err != nil {
			consents, _ := json.Marshal(s.Situation["consents"])
			t.Fatalf("seed %d: %v\n%s", seed, err, consents)
		}
		permits := 0
		for _, a := range answers {
			if a.Crosses && a.Record.Custodian != a.Question.Party.ID {
				permits++
			}
		}
		n.count(s.Classes, len(answers), permits)
	}
	return n
}

func (n *Tally) count(c *consent.Classes, asked, permits int) {
	switch {
	case c.Strided:
		n.Larger++
	case c.Paired:
		n.Paired++
	default:
		n.Sets, n.Classes, n.Permits = n.Sets+1, n.Classes+asked, n.Permits+permits
		return
	}
	n.MoreClasses, n.MorePermits, n.Cut = n.MoreClasses+asked, n.MorePermits+permits, n.Cut+c.Product-asked
}

// Answers asks Go and Rego about every class of the set that is taken.
func (x *Trio) Answers(s Set) (out []Answered, err error) {
	err = s.Each(func(c consent.Class) error {
		a := Answered{Class: c}
		var covered gateway.Labels
		if a.Scope, a.Crosses, covered, err = x.Scope(c); err != nil {
			return err
		}
		crosses, ruled, err := s.Releasable(c)
		if err != nil {
			return err
		}
		if crosses != a.Crosses || covered != ruled && c.Record.Labels != 0 { // a record has labels
			return fmt.Errorf("go: crosses %v, covered %v; rego: crosses %v, covered %v\n%s", a.Crosses, covered.Codes(), crosses, ruled.Codes(), Told(c))
		}
		if a.All = covered; a.Crosses {
			a.Covered = covered
		}
		out = append(out, a)
		return nil
	})
	return out, err
}

// Told describes a class.
func Told(c consent.Class) string {
	q, r := c.Question, c.Record
	return fmt.Sprintf("%s by %+v of %s at %s, message %q\nrecord %s held by %q of %s with %v, sent %v, from %s to %s", q.Action, q.Actor, q.Party.ID,
		q.Now, q.Message, r.Reference, r.Context, r.Custodian, r.Labels.Codes(), r.Sent, r.Low, r.High)
}
