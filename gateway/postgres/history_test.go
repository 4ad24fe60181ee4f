package postgres

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluse/sluse/gateway"
)

// The store alone, without what the Gateway checks anew: a past version is listed only when the current
// one allows it by its labels, by its person and by the labels of its parts, in the history of one
// record and in that of its type.
func TestHistoryAsksTheCurrentVersionInSQL(t *testing.T) {
	b := newBench(t)
	person := b.patient("100", "100-kari", kari).Person
	b.patient("100", "100-ola", ola)
	about := func(subject string, labels gateway.Labels, parts ...gateway.Part) func(*gateway.Draft) {
		return func(d *gateway.Draft) { d.Subject, d.Labels, d.Parts = ref("Patient", subject), labels, parts }
	}
	part := gateway.Part{Path: "CarePlan.activity[0]", Labels: gateway.Okonomi}
	first := map[string]string{} // version → what came after it
	for name, then := range map[string]func(*gateway.Draft){
		"same": about("100-kari", gateway.Plan), "label": about("100-kari", gateway.Plan|gateway.Rus),
		"person": about("100-ola", gateway.Plan), "nobody": about("", gateway.Plan), "part": about("100-kari", gateway.Plan, part),
	} {
		v1 := b.make(b.draft("100", ref("CarePlan", "100-"+name), "100-kari", gateway.Plan))
		first[v1.Reference.Version] = name
		b.set(b.next(v1, then))
	}
	for _, tt := range []struct {
		mask gateway.Labels
		want string
	}{
		{gateway.Plan, "same"}, {gateway.Plan | gateway.Rus, "label same"}, {gateway.Plan | gateway.Okonomi, "part same"},
	} {
		scope := permitting(tt.mask)
		scope.Self, scope.Person = true, person // as a token bound to one patient reaches records of others
		var of, all []string
		b.see(func(v *view) error {
			for _, name := range slices.Sorted(slices.Values([]string{"same", "label", "person", "nobody", "part"})) {
				list, err := v.history(b.ctx, scope, ref("CarePlan", "100-"+name), gateway.Window{}, 10, gateway.Cursor{})
				if err != nil && gateway.CodeOf(err) != gateway.NotFound {
					return err
				}
				for _, r := range list {
					if first[r.Reference.Version] != "" {
						of = append(of, first[r.Reference.Version])
					}
				}
			}
			list, err := v.history(b.ctx, scope, ref("CarePlan", ""), gateway.Window{}, 100, gateway.Cursor{})
			for _, r := range list {
				if first[r.Reference.Version] != "" {
					all = append(all, first[r.Reference.Version])
				}
			}
			return err
		})
		slices.Sort(all)
		if strings.Join(of, " ") != tt.want || strings.Join(all, " ") != tt.want {
			t.Errorf("%v: past versions %v of records, %v of the type, want %s", tt.mask.Codes(), of, all, tt.want)
		}
	}
}

// A version of a record with thousands of them is found by its key, in the history of one record and in that of a type: to
// look through all of them for each takes the square of their number, and more time than a request has.
func TestVersionIsFoundByItsKey(t *testing.T) {
	b, heard := listening(t)
	person := b.patient("100", "100-kari", kari).Person
	made := b.make(b.draft("100", ref("CarePlan", "100-c"), "100-kari", gateway.Plan))
	b.set(b.next(made, func(d *gateway.Draft) { d.Method = gateway.Update }))
	self := permitting(gateway.Plan)
	self.Self, self.Person = true, person
	b.see(func(v *view) error {
		for _, scope := range []gateway.Scope{own("100"), permitting(gateway.Plan), self} {
			for _, id := range []string{"100-c", ""} {
				if _, err := v.history(b.ctx, scope, ref("CarePlan", id), gateway.Window{}, 10, gateway.Cursor{}); err != nil && gateway.CodeOf(err) != gateway.NotFound {
					return err
				}
			}
		}
		return nil
	})
	searched := regexp.MustCompile(`on history p.*\n.*Index Cond:.*\n.*Filter: .*(vkey|version) = `)
	whole := regexp.MustCompile(`Hash.* Join|resource_name on resource r.*\n.*Index Cond: \(type = \$\d+\)\n`)
	b.plans(heard, "from history p", 3, func(sql, plan string) {
		if searched.MatchString(plan) {
			t.Errorf("a version is looked for among all of its record:\n%s\n%s", sql, plan)
		}
		if whole.MatchString(plan) {
			t.Errorf("what the party has fetched, or all that there is of the type, is read whole:\n%s\n%s", sql, plan)
		}
	})
}
