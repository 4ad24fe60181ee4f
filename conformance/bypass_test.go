package conformance_test

import (
	"maps"
	"slices"
	"testing"
)

// Whoever asks, by whatever door, of a person in whatever state of consent, gets of each class of record what the
// rules in bypass_rule_test.go give, and no more; by the doors that read, no less either.
//
// Of the doors that ask about one record or one person a share is asked, by a fixed rule; make soak asks all. The
// doors that ask about all persons at once are asked whole.
func TestNothingPassesBesideConsent(t *testing.T) { bypassBy(t, 8, 32) }

// bypassBy asks one in so many cells of read, compartment and $everything, and of the other doors.
func bypassBy(t *testing.T, often, seldom uint32) {
	t.Helper()
	t.Parallel()
	b := &bypass{bypassWorld: newBypassWorld(t), t: t, often: often, seldom: seldom, cells: map[string]*tally{}}
	b.perform(b.readJobs())
	b.perform(b.globalJobs())
	b.perform(b.writeJobs())
	inTurn(len(consentStates)*len(recordClasses), func(n int) { b.unchanged(n/len(recordClasses), n%len(recordClasses)) })
	b.report()
}

// job is one piece of asking.
type job func()

// perform does the jobs, eight at a time.
func (b *bypass) perform(jobs []job) { inTurn(len(jobs), func(n int) { jobs[n]() }) }

// everyone calls for everybody and every state.
func (b *bypass) everyone(each func(who bypasser, s int)) {
	for _, who := range bypassers {
		for s := range consentStates {
			each(who, s)
		}
	}
}

func (b *bypass) readJobs() (jobs []job) {
	b.everyone(func(who bypasser, s int) {
		for _, d := range readDoors {
			for c := range recordClasses {
				jobs = append(jobs, func() { b.askOne(d, who, s, c) })
			}
		}
		for _, d := range setDoors {
			jobs = append(jobs, func() { b.askAbout(d, who, s) })
		}
		for _, d := range probeDoors {
			jobs = append(jobs, func() { b.probeBy(d, who, s) })
		}
		jobs = append(jobs, func() { b.askCounts(who, s) }, func() { b.askLedger(who, s) })
	})
	return jobs
}

// report prints the cells of each door and of all.
func (b *bypass) report() {
	all := tally{}
	for _, door := range slices.Sorted(maps.Keys(b.cells)) {
		n := b.cells[door]
		b.t.Logf("%-34s %6d permitted, %6d withheld, %d wrong", door, n.permitted, n.withheld, n.faults)
		all.permitted, all.withheld, all.faults = all.permitted+n.permitted, all.withheld+n.withheld, all.faults+n.faults
	}
	b.t.Logf("%d cells: %d permitted, %d withheld; %d wrong", all.permitted+all.withheld, all.permitted, all.withheld, all.faults)
	if n := b.again.Load(); n > 0 {
		b.t.Logf("%d asked again, of at most %d: they took too long beside others", n, maxAgain)
	}
	if all.permitted+all.withheld < 18_000 || all.permitted < 3_000 {
		b.t.Error("too few cells to prove anything")
	}
}

func (b *bypass) writeJobs() (jobs []job) {
	b.everyone(func(who bypasser, s int) {
		for _, d := range writeDoors {
			for c := range recordClasses {
				jobs = append(jobs, func() { b.tryWrite(d, who, s, c) })
			}
		}
	})
	return jobs
}
