package postgres

import (
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
