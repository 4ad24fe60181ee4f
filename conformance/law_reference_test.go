//go:build reference

package conformance_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluse/sluse/policies/cases"
)

// elsewhere are rows of the table of law that say that something may be disclosed, and which Sluse does not do.
var elsewhere = map[string]cases.Decision{
	"S01": cases.OutOfScope, // anonymous numbers: no record holds them
}

// Every row of the table of law has a case, with the decision of the table; and there is no case more.
func TestEveryRowOfTheLawHasACase(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(reference(t), "fhir-no", "policy", "decision-table.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := cases.LoadLegal()
	if err != nil {
		t.Fatal(err)
	}
	decided := map[string]cases.Decision{}
	for _, table := range tables {
		for _, l := range table.Cases {
			decided[l.ID] = l.Decision
		}
	}
	if len(rows) < 64 || rows[0][0] != "id" || rows[0][7] != "decision" {
		t.Fatalf("the table has %d rows, or other columns", len(rows))
	}
	for _, row := range rows[1:] {
		want := cases.Decision(row[7])
		if other, ok := elsewhere[row[0]]; ok {
			want = other
		}
		if decided[row[0]] != want {
			t.Errorf("%s: the cases say %q, the table %q", row[0], decided[row[0]], want)
		}
		delete(decided, row[0])
	}
	for id := range decided {
		t.Errorf("%s is no row of the table", id)
	}
}
