package main

import (
	"fmt"
	"io"
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

// differences tells, cell by cell, where what happened is not what the story says.
func differences(got, want []row) []string {
	var faults []string
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			faults = append(faults, fmt.Sprintf("rad %d mangler: %s", i+1, want[i]))
			continue
		case i >= len(want):
			faults = append(faults, fmt.Sprintf("rad %d er for mye: %s", i+1, got[i]))
			continue
		}
		g, w := got[i].cells(), want[i].cells()
		for j, name := range []string{"steg", "hvem", "til hvem", "hva", "krysser", "holdes tilbake", "hvorfor"} {
			if g[j] != w[j] {
				faults = append(faults, fmt.Sprintf("rad %d, %s: %q, fortellingen sier %q", i+1, name, g[j], w[j]))
			}
		}
	}
	return faults
}

func (r row) cells() [7]string {
	return [7]string{fmt.Sprint(r.Step), r.From, r.To, r.What, r.Crossed, r.Withheld, r.Why}
}

// String is the row as one line.
func (r row) String() string {
	cells := r.cells()
	return strings.Join(cells[:], " | ")
}
