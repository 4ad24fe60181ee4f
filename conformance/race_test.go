package conformance_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// raced is a person whose samtykke is withdrawn and given again, all the time, with one plan that the
// hospital reads. Odd versions of the plan exist only while the samtykke is withdrawn.
type raced struct {
	patient, consent, plan string // references
	draw, given            string // the samtykke, active, without id and with it
	consents               int
	version                int
	random                 *rand.Rand
	log                    *raceLog
	number                 int
}

// raceLog is what was done to one person, or asked about her, as porcupine reads it.
type raceLog struct {
	mu   sync.Mutex
	list []porcupine.Operation
}

// move is one operation on the register that a person is: whether the samtykke is given, and the version of
// the plan. A write sets what it names, in one commit; a read of -1 shows nothing.
type move struct {
	write, sets, given bool
	version            int // written; -1: left as it is
	by                 string
}

// register is the state of one person.
type register struct {
	given   bool
	version int
}

// consented is the register as porcupine checks it: a read shows the version of the very moment when it is
// permitted, and nothing when it is not.
var consented = porcupine.Model{
	Init: func() any { return register{given: true} },
	Step: func(state, input, output any) (bool, any) {
		now, in := state.(register), input.(move)
		if !in.write {
			seen := output.(int)
			return now.given && seen == now.version || !now.given && seen < 0, now
		}
		if in.sets {
			now.given = in.given
		}
		if in.version >= 0 {
			now.version = in.version
		}
		return true, now
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %v", input, output) },
}

// Reads by every way in, while samtykke is withdrawn and given again without pause: each shows what was
// permitted at one moment between question and answer, and the version of that same moment.
func TestWithdrawalRace(t *testing.T) {
	t.Parallel()
	raceWithdrawals(t, 6, 3000, 15*time.Minute)
}

// The model itself tells a stale answer from a right one.
func TestRegisterFindsStaleReads(t *testing.T) {
	t.Parallel()
	withdrawn := porcupine.Operation{Input: move{write: true, sets: true, version: 1}, Call: 10, Output: 0, Return: 20}
	for _, tt := range []struct {
		call, end int64
		seen      int
		fits      bool
	}{
		{1, 5, 0, true}, {1, 5, -1, false}, {1, 5, 1, false}, {12, 15, 0, true}, {12, 15, -1, true}, {12, 15, 1, false},
		{25, 30, 0, false}, {25, 30, 1, false}, {25, 30, -1, true}, {5, 25, 0, true}, {5, 25, 1, false},
	} {
		read := porcupine.Operation{ClientId: 1, Input: move{version: -1}, Call: tt.call, Output: tt.seen, Return: tt.end}
		if porcupine.CheckOperations(consented, []porcupine.Operation{withdrawn, read}) != tt.fits {
			t.Errorf("read of %d from %d to %d: fits is not %v", tt.seen, tt.call, tt.end, tt.fits)
		}
	}
}

const raceReaders = 6

// raceWithdrawals goes on until so many reads were permitted (SLUSE_RACE=n: n of them), and checks the history of
// each person. persons is even, so that each has one writer.
func raceWithdrawals(t *testing.T, persons, permitted int, patience time.Duration) {
	if n, err := strconv.Atoi(os.Getenv("SLUSE_RACE")); err == nil {
		permitted = n
	}
	s := start(t, "--no-story")
	bydel, hospital := s.as("bydel-sagene"), s.as("ous-tsb")
	random := seeded(t)
	list := make([]*raced, persons)
	for n := range list {
		list[n] = newRaced(bydel, hospital, n, rand.New(rand.NewPCG(random.Uint64(), 3)))
	}
	began := time.Now()
	now := func() int64 { return int64(time.Since(began)) }
	stop := make(chan struct{})
	var writing, reading sync.WaitGroup
	var shown, hidden, leaks, turns atomic.Int64
	for n := range 2 {
		writing.Go(func() {
			for i := n; !stopped(stop) && !t.Failed(); i += 2 {
				list[i%persons].turn(t, bydel, n, now)
				turns.Add(1)
			}
		})
	}
	for n := range raceReaders {
		mine := rand.New(rand.NewPCG(random.Uint64(), 4))
		reading.Go(func() {
			for shown.Load() < int64(permitted) && !t.Failed() && time.Since(began) < patience {
				p := pick(mine, list)
				switch seen := p.read(t, hospital, raceWays[mine.IntN(len(raceWays))], n+2, now); {
				case seen < 0:
					hidden.Add(1)
				case seen%2 == 1:
					leaks.Add(1)
					fallthrough
				default:
					shown.Add(1)
				}
			}
		})
	}
	reading.Wait()
	close(stop)
	writing.Wait()
	t.Logf("%d reads permitted, %d not, %d withdrawals with renewal, %d leaks, %.0f s", shown.Load(), hidden.Load(), turns.Load(), leaks.Load(), time.Since(began).Seconds())
	if leaks.Load() > 0 {
		t.Errorf("LEAK: %d reads show what was written while the samtykke was withdrawn", leaks.Load())
	}
	if shown.Load() < int64(permitted) || hidden.Load() < int64(permitted)/20 || turns.Load() < int64(persons) {
		t.Errorf("%d permitted reads of %d, %d refused, %d withdrawals: the test shows little", shown.Load(), permitted, hidden.Load(), turns.Load())
	}
	if leaks.Load() == 0 { // what is known to be wrong can take porcupine very long
		checkRegisters(t, list)
	}
}

// checkRegisters has porcupine look for an order that explains each person's history.
func checkRegisters(t *testing.T, list []*raced) {
	began, operations := time.Now(), 0
	for n, p := range list {
		operations += len(p.log.list)
		if got := porcupine.CheckOperationsTimeout(consented, p.log.list, time.Minute); got != porcupine.Ok {
			t.Errorf("LEAK: person %d: a history of %d operations that no order explains: %s: %s", n, len(p.log.list), got, shortest(p.log.list))
		}
	}
	t.Logf("porcupine: %d operations on %d registers in %s", operations, len(list), time.Since(began).Round(time.Millisecond))
}

// shortest looks for a single read that is wrong by itself, and tells of it with what was written about then.
func shortest(list []porcupine.Operation) string {
	var writes []porcupine.Operation
	for _, o := range list {
		if o.Input.(move).write {
			writes = append(writes, o)
		}
	}
	for _, o := range list {
		if !o.Input.(move).write && !porcupine.CheckOperations(consented, append(writes[:len(writes):len(writes)], o)) {
			text := fmt.Sprintf("%+v saw %v from %d to %d", o.Input, o.Output, o.Call, o.Return)
			for _, w := range writes {
				if w.Return > o.Call-int64(20*time.Millisecond) && w.Call < o.Return {
					text += fmt.Sprintf("; %+v from %d to %d", w.Input, w.Call, w.Return)
				}
			}
			return text
		}
	}
	return "no read is wrong by itself"
}

// newRaced stores a person of her own with a samtykke and a plan.
func newRaced(bydel, hospital *client, n int, random *rand.Rand) *raced {
	p := &raced{number: n, random: random, log: &raceLog{}}
	p.patient = bydel.create(patient(synthetic(n)))
	p.plan = "CarePlan/" + bydel.herID + "-kapp-" + strconv.Itoa(n)
	p.draw = consent(p.patient, bydel.organization, []string{hospital.organization}, []string{bydel.organization}, []string{"plan"})
	p.renew(bydel)
	bydel.must(http.StatusCreated, http.MethodPut, "/fhir/"+p.plan, p.body(0))
	bydel.must(http.StatusCreated, http.MethodPut, "/fhir/"+p.consent, p.given)
	return p
}

// named writes an id into a resource.
func named(body, reference string) string {
	return strings.Replace(body, "{", `{"id":"`+reference[strings.IndexByte(reference, '/')+1:]+`",`, 1)
}

func (p *raced) body(version int) string {
	return named(carePlan(p.patient, fmt.Sprintf("kapp-%d-versjon-%d", p.number, version), 500), p.plan)
}

// renew lets the next samtykke be another resource: what is deleted stays so.
func (p *raced) renew(bydel *client) {
	p.consents++
	p.consent = fmt.Sprintf("Consent/%s-kapp-%d-%d", bydel.herID, p.number, p.consents)
	p.given = named(p.draw, p.consent)
}

// turn withdraws the samtykke, writes what only the bydel may see, writes something else in its place, and
// gives the samtykke again: with the plan in one commit, or one after the other.
func (p *raced) turn(t *testing.T, bydel *client, who int, now func() int64) {
	inactive := strings.Replace(p.given, `"status":"active"`, `"status":"inactive"`, 1)
	p.version++
	hiddenPlan, openPlan := p.body(p.version), p.body(p.version+1)
	put := func(reference, body string) (int, error) {
		a, err := bydel.try(http.MethodPut, "/fhir/"+reference, "application/fhir+json", []byte(body))
		return a.status, err
	}
	both := func(consent, plan string) (int, error) {
		a, err := bydel.try(http.MethodPost, "/fhir", "application/fhir+json", fmt.Appendf(nil,
			`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT","url":"%s"},"resource":%s},{"request":{"method":"PUT","url":"%s"},"resource":%s}]}`,
			p.consent, consent, p.plan, plan))
		return a.status, err
	}
	do := func(s move, perform func() (int, error)) {
		call := now()
		status, err := perform()
		if err != nil || status >= 300 {
			t.Errorf("%s: %+v: status %d: %v", p.plan, s, status, err)
		}
		p.log.add(porcupine.Operation{ClientId: who, Input: s, Call: call, Output: 0, Return: now()})
	}
	if p.random.IntN(3) > 0 {
		do(move{write: true, sets: true, version: p.version, by: "transaction"}, func() (int, error) { return both(inactive, hiddenPlan) })
	} else {
		do(move{write: true, sets: true, version: -1, by: "consent"}, func() (int, error) {
			if p.random.IntN(2) == 0 {
				a, err := bydel.try(http.MethodDelete, "/fhir/"+p.consent, "", nil)
				p.renew(bydel)
				return a.status, err
			}
			return put(p.consent, inactive)
		})
		do(move{write: true, version: p.version, by: "plan"}, func() (int, error) { return put(p.plan, hiddenPlan) })
	}
	p.version++
	if p.random.IntN(3) > 0 {
		do(move{write: true, sets: true, given: true, version: p.version, by: "transaction"}, func() (int, error) { return both(p.given, openPlan) })
		return
	}
	do(move{write: true, version: p.version, by: "plan"}, func() (int, error) { return put(p.plan, openPlan) })
	do(move{write: true, sets: true, given: true, version: -1, by: "consent"}, func() (int, error) { return put(p.consent, p.given) })
}

func (l *raceLog) add(o porcupine.Operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, o)
}

// raceWay is a way in: what is asked, and the status of an answer that shows nothing.
type raceWay struct {
	name, method, path, body string
	none                     int
}

// raceWays are filled with the person's {patient}, {plan}, {id} of the plan and {number}. Those by id and by
// patient stand twice, since they are what is asked most.
var raceWays = []raceWay{
	{"read", http.MethodGet, "/{plan}", "", http.StatusNotFound},
	{"read", http.MethodGet, "/{plan}", "", http.StatusNotFound},
	{"read in XML", http.MethodGet, "/{plan}?_format=xml", "", http.StatusNotFound},
	{"history", http.MethodGet, "/{plan}/_history?_count=1", "", http.StatusNotFound},
	{"search by patient", http.MethodGet, "/CarePlan?patient={patient}", "", http.StatusOK},
	{"search by patient", http.MethodGet, "/CarePlan?patient={patient}&_sort=-date&_total=accurate", "", http.StatusOK},
	{"search by id", http.MethodGet, "/CarePlan?_id={id}", "", http.StatusOK},
	{"search by number", http.MethodPost, "/CarePlan/_search", "patient:identifier=urn:oid:2.16.578.1.12.4.1.4.1%7C{nin}", http.StatusOK},
	{"compartment", http.MethodGet, "/{patient}/CarePlan", "", http.StatusOK},
	{"include", http.MethodGet, "/Patient?_id={patientid}&_revinclude=CarePlan:patient", "", http.StatusOK},
	{"everything", http.MethodGet, "/{patient}/$everything", "", http.StatusOK},
	{"batch", http.MethodPost, "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"{plan}"}},{"request":{"method":"GET","url":"CarePlan?patient={patient}"}}]}`, http.StatusOK},
}

var raceVersion = regexp.MustCompile(`kapp-(\d+)-versjon-(\d+)`)

// read asks for the plan and gives the version that the answer shows; -1 for none.
func (p *raced) read(t *testing.T, hospital *client, w raceWay, who int, now func() int64) int {
	fill := strings.NewReplacer("{patient}", p.patient, "{patientid}", p.patient[strings.IndexByte(p.patient, '/')+1:], "{plan}", p.plan,
		"{id}", p.plan[strings.IndexByte(p.plan, '/')+1:], "{nin}", synthetic(p.number))
	media := "application/fhir+json"
	if strings.HasSuffix(w.path, "/_search") {
		media = "application/x-www-form-urlencoded"
	}
	call := now()
	a, err := hospital.try(w.method, "/fhir"+fill.Replace(w.path), media, []byte(fill.Replace(w.body)))
	end := now()
	seen := -1
	for _, m := range raceVersion.FindAllSubmatch(a.body, -1) {
		if number, _ := strconv.Atoi(string(m[1])); number != p.number {
			t.Errorf("LEAK: %s about person %d shows person %d", w.name, p.number, number)
		}
		if version, _ := strconv.Atoi(string(m[2])); version != seen && seen >= 0 && w.name != "batch" {
			t.Errorf("%s shows versions %d and %d", w.name, seen, version)
		} else if version%2 == 1 || seen < 0 {
			seen = version
		}
	}
	if err != nil || seen >= 0 && a.status != http.StatusOK || seen < 0 && a.status != w.none && a.status != http.StatusNotFound {
		t.Errorf("%s: %v, status %d: %.300s", w.name, err, a.status, a.body)
	}
	if w.name != "batch" { // each of its entries is a read of its own
		p.log.add(porcupine.Operation{ClientId: who, Input: move{version: -1, by: w.name}, Call: call, Output: seen, Return: end})
		return seen
	}
	for _, one := range p.entries(t, a.body) {
		p.log.add(porcupine.Operation{ClientId: who, Input: move{version: -1, by: w.name}, Call: call, Output: one, Return: end})
	}
	return seen
}

// entries gives the version that each entry of a batch shows.
func (p *raced) entries(t *testing.T, body []byte) (seen []int) {
	var answers struct{ Entry []json.RawMessage }
	if err := json.Unmarshal(body, &answers); err != nil || len(answers.Entry) != 2 {
		t.Errorf("batch: %v: %.200s", err, body)
	}
	for _, e := range answers.Entry {
		version := -1
		if m := raceVersion.FindSubmatch(e); m != nil {
			version, _ = strconv.Atoi(string(m[2]))
		}
		seen = append(seen, version)
	}
	return seen
}

// synthetic is the number of the n-th of persons that are never born (month + 80), with the check digits that
// the Tax Administration defines (modulus 11).
func synthetic(n int) string {
	for serial := 0; ; serial++ {
		digits := fmt.Sprintf("%02d8%d%02d%03d", 1+serial%28, 1+serial/28%9, 40+serial/252%50, serial%500)
		k1, ok1 := checkDigit(digits, []int{3, 7, 6, 1, 8, 9, 4, 5, 2})
		k2, ok2 := checkDigit(digits+k1, []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2})
		if !ok1 || !ok2 {
			continue
		}
		if n--; n < 0 {
			return digits + k1 + k2
		}
	}
}

func checkDigit(digits string, weights []int) (string, bool) {
	sum := 0
	for i, w := range weights {
		if i < len(digits) {
			sum += w * int(digits[i]-'0')
		}
	}
	k := (11 - sum%11) % 11
	return strconv.Itoa(k), k != 10
}
