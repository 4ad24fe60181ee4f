package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// table prints the rows under the titles of their steps.
func table(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := 0
	for _, r := range rows {
		if r.Step != last {
			last = r.Step
			fmt.Fprintf(t, "\n%d. %s\n", r.Step, steps[r.Step-1].title)
			fmt.Fprintln(t, "   hvem → til hvem\thva\tkrysser\tholdes tilbake\thvorfor")
		}
		fmt.Fprintf(t, "   %s → %s\t%s\t%s\t%s\t%s\n", r.From, r.To, r.What, r.Crossed, r.Withheld, r.Why)
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// differences tells, cell by cell, where what happened is not what the story says. Rows are held
// against each other step by step, so that one too many or too few shifts only those of its step.
func differences(got, want []row) []string {
	var faults []string
	for n := range steps {
		g, w := ofStep(got, n+1), ofStep(want, n+1)
		for i := range max(len(g), len(w)) {
			switch {
			case i >= len(g):
				faults = append(faults, fmt.Sprintf("steg %d, rad %d mangler: %s", n+1, i+1, w[i]))
			case i >= len(w):
				faults = append(faults, fmt.Sprintf("steg %d, rad %d er for mye: %s", n+1, i+1, g[i]))
			default:
				faults = append(faults, g[i].differs(w[i], i+1)...)
			}
		}
	}
	return faults
}

func ofStep(rows []row, n int) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Step != n })
}

func (r row) differs(want row, n int) (faults []string) {
	g, w := r.cells(), want.cells()
	for j, name := range []string{"fra", "til", "hva", "krysser", "holdes tilbake", "hvorfor"} {
		if g[j] != w[j] {
			faults = append(faults, fmt.Sprintf("steg %d, rad %d, %s: %q, fortellingen sier %q", r.Step, n, name, g[j], w[j]))
		}
	}
	return faults
}

func (r row) cells() [6]string { return [6]string{r.From, r.To, r.What, r.Crossed, r.Withheld, r.Why} }

// String is the row as one line.
func (r row) String() string {
	cells := r.cells()
	return strings.Join(cells[:], " | ")
}
