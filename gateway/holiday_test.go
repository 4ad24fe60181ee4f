package gateway

import (
	"testing"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// TestEaster: Easter Sundays of the published calendar, first and last possible day among them.
func TestEaster(t *testing.T) {
	for year, want := range map[int]string{1818: "03-22", 2008: "03-23", 2024: "03-31", 2025: "04-20", 2026: "04-05", 2027: "03-28", 2028: "04-16", 2038: "04-25", 1943: "04-25"} {
		m, d := easter(year)
		if got := time.Date(year, m, d, 0, 0, 0, 0, time.UTC).Format("01-02"); got != want {
			t.Errorf("%d: %s, want %s", year, got, want)
		}
	}
}

// TestWorkday: the public holidays of 2026 that fall on weekdays, and the days beside them.
func TestWorkday(t *testing.T) {
	rest := map[string]bool{}
	for _, day := range []string{"2026-01-01", "2026-04-02", "2026-04-03", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25", "2026-12-25"} {
		rest[day] = true
	}
	free := 0
	for day := time.Date(2026, 1, 1, 12, 0, 0, 0, fhir.Oslo()); day.Year() == 2026; day = day.AddDate(0, 0, 1) {
		weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
		if want := !weekend && !rest[day.Format(time.DateOnly)]; Workday(day) != want {
			t.Errorf("%s: working day %v", day.Format(time.DateOnly), !want)
		}
		if !weekend && !Workday(day) {
			free++
		}
	}
	if free != len(rest) {
		t.Errorf("%d holidays on weekdays, want %d", free, len(rest))
	}
	for at, want := range map[string]bool{ // a day is a day in Norway, wherever the clock is
		"2027-05-17T12:00:00+02:00": false, "2026-05-13T22:30:00Z": false, "2026-05-14T21:59:00Z": false, "2026-05-14T22:00:00Z": true,
		"2026-12-24T12:00:00+01:00": true, "2026-12-31T22:59:00Z": true, "2026-12-31T23:00:00Z": false,
	} {
		if got := Workday(rfc3339(t, at)); got != want {
			t.Errorf("%s: working day %v", at, got)
		}
	}
}

func rfc3339(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestDeadlines: when what is owed is due, across Easter, 17 May, the changes of summer time and New Year.
func TestDeadlines(t *testing.T) {
	for _, c := range []struct{ name, code, at, due string }{
		{"a weekday", "helseopplysninger-due", "2026-03-17T10:00:00+01:00", "2026-03-18T10:00:00+01:00"},
		{"before the weekend", "helseopplysninger-due", "2026-03-20T10:00:00+01:00", "2026-03-23T10:00:00+01:00"},
		{"before Easter", "helseopplysninger-due", "2026-04-01T15:00:00+02:00", "2026-04-07T15:00:00+02:00"},
		{"on Easter Sunday", "helseopplysninger-due", "2026-04-05T08:00:00+02:00", "2026-04-07T08:00:00+02:00"},
		{"before 17 May, a Monday", "helseopplysninger-due", "2027-05-14T09:00:00+02:00", "2027-05-18T09:00:00+02:00"},
		{"17 May on a Sunday", "helseopplysninger-due", "2026-05-15T09:00:00+02:00", "2026-05-18T09:00:00+02:00"},
		{"the day before Ascension", "helseopplysninger-due", "2026-05-13T23:30:00+02:00", "2026-05-15T23:30:00+02:00"},
		{"to summer time", "helseopplysninger-due", "2026-03-27T12:00:00+01:00", "2026-03-30T12:00:00+02:00"},
		{"24 hours over the night to summer time", "helseopplysninger-due", "2027-03-28T01:30:00+01:00", "2027-03-30T02:30:00+02:00"}, // Easter Sunday and Monday as well
		{"24 hours over the night to winter time", "helseopplysninger-due", "2026-10-25T01:30:00+02:00", "2026-10-26T00:30:00+01:00"},
		{"New Year", "helseopplysninger-due", "2026-12-31T10:00:00+01:00", "2027-01-04T10:00:00+01:00"},
		{"Christmas", "helseopplysninger-due", "2026-12-23T23:59:00+01:00", "2026-12-24T23:59:00+01:00"},
		{"discharge on a holiday", "utskrivningsrapport-due", "2026-04-03T12:00:00+02:00", "2026-04-04T00:00:00+02:00"},
		{"discharge on New Year's Eve", "utskrivningsrapport-due", "2026-12-31T12:00:00+01:00", "2027-01-01T00:00:00+01:00"},
		{"discharge on the day of 23 hours", "utskrivningsrapport-due", "2026-03-29T01:00:00+01:00", "2026-03-30T00:00:00+02:00"},
		{"discharge on the day of 25 hours", "utskrivningsrapport-due", "2026-10-25T01:00:00+02:00", "2026-10-26T00:00:00+01:00"},
		{"ready on a weekday", "mottak-due", "2026-03-17T15:00:00+01:00", "2026-03-18T00:00:00+01:00"},
		{"ready in Easter", "mottak-due", "2026-04-03T11:00:00+02:00", "2026-04-08T00:00:00+02:00"},
		{"ready on 17 May", "mottak-due", "2027-05-17T11:00:00+02:00", "2027-05-19T00:00:00+02:00"},
		{"ready on New Year's Eve", "mottak-due", "2026-12-31T23:00:00+01:00", "2027-01-01T00:00:00+01:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := rfc3339(t, c.at)
			for _, o := range obligations {
				if o.code != c.code {
					continue
				}
				if got := o.due(Step{At: at, Made: at}).In(fhir.Oslo()).Format(time.RFC3339); got != c.due {
					t.Errorf("due %s, want %s", got, c.due)
				}
			}
		})
	}
}

// TestDutiesInAnyOrder: what is owed after a set of steps does not depend on the order in which they came.
func TestDutiesInAnyOrder(t *testing.T) {
	at := rfc3339(t, "2026-03-17T10:00:00+01:00")
	step := func(n int, kind StepKind, change Change, parent string) Step {
		return Step{Message: MessageID(rune('a' + n)), MsgID: MsgID(rune('a' + n)), From: "1", To: "2", Kind: kind, Change: change, Parent: parent,
			Crossed: true, Made: at.Add(time.Duration(n) * time.Hour), At: at}
	}
	steps := []Step{step(0, Admitted, "", ""), step(1, Admitted, Supersede, "a"), step(2, Informed, "", ""), step(3, Informed, Cancel, "c"), step(4, Discharged, "", "")}
	want := map[MessageID]DutyState{"a": DutyLapsed, "b": DutyOwed, "e": DutyOwed}
	orders := 0
	permuted(steps, func(order []Step) {
		orders++
		got := map[MessageID]DutyState{}
		for _, d := range dutiesOf(order) {
			got[d.Message] = d.State
		}
		for id, state := range want {
			if len(got) != len(want) || got[id] != state {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
	if orders != 120 {
		t.Errorf("%d orders", orders)
	}
}

func permuted[T any](list []T, visit func([]T)) {
	var place func(n int)
	place = func(n int) {
		if n == len(list) {
			visit(list)
			return
		}
		for i := n; i < len(list); i++ {
			list[n], list[i] = list[i], list[n]
			place(n + 1)
			list[n], list[i] = list[i], list[n]
		}
	}
	place(0)
}
