package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// bypass asks and judges. A cell is a door, somebody who asks, a state and a class.
type bypass struct {
	*bypassWorld
	t        *testing.T
	often    uint32 // one in so many cells is asked by the doors that matter most
	seldom   uint32 // and by the others
	mu       sync.Mutex
	cells    map[string]*tally // by door
	controls sync.Map          // status and body of what there is not
	faults   int
	again    atomic.Int32 // questions that were asked again
}

// tally counts the cells of a door.
type tally struct{ permitted, withheld, faults int }

// inquiry is one request about the person of a state.
type inquiry struct {
	door   string
	who    bypasser
	s      int
	method string
	path   string
	media  string
	body   string
	header []string
	pages  int // that are followed at most
}

const (
	markPattern = `zk(\d\d)(\d\d)(w|o|n|d|p\d)`
	maxFaults   = 60 // that are printed
	// maxFaultsOfDoor: of one door, so that one that is wide open does not hide the others.
	maxFaultsOfDoor = 12
	maxAgain        = 10 // of all questions together
)

var (
	recordMarks = regexp.MustCompile(markPattern)
	ownIDs      = regexp.MustCompile(`(?:"id": ?"|<id value=")80001001-zk(\d\d)(\d\d)"`)
	packed64    = regexp.MustCompile(`(?:"data": ?"|<data value=")([A-Za-z0-9+/=]+)"`)
)

// fault reports a cell that is not as the rules say.
func (b *bypass) fault(q inquiry, c int, what string, a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(q.door).faults++
	if b.faults++; b.faults > maxFaults || b.of(q.door).faults > maxFaultsOfDoor {
		b.t.Fail()
		return
	}
	name := "–"
	if c >= 0 && c < len(recordClasses) {
		name = recordClasses[c].name
	}
	body := string(a.body)
	if at := strings.Index(body, fmt.Sprintf("%02d%02d", q.s, max(c, 0))); at > 500 {
		body = "…" + body[at-300:]
	}
	b.t.Errorf("%s | %s | %s | %s: %s\n  %s %s: %d %.700s", q.door, q.who.name, consentStates[q.s].name, name, what, q.method, q.path, a.status, body)
}

// of is the tally of a door; the caller holds the lock.
func (b *bypass) of(door string) *tally {
	if b.cells[door] == nil {
		b.cells[door] = &tally{}
	}
	return b.cells[door]
}

// count counts one cell.
func (b *bypass) count(door string, permitted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if permitted {
		b.of(door).permitted++
	} else {
		b.of(door).withheld++
	}
}

// chosen tells whether a cell is among those that are asked: always the same of a tier.
func (b *bypass) chosen(door string, often bool, who string, s, c int) bool {
	share := b.seldom
	if often {
		share = b.often
	}
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, door, "|", who, "|", s, "|", c)
	return h.Sum32()%share == 0
}

// sendIt asks, and follows the pages.
func (b *bypass) sendIt(q inquiry) answer {
	base := b.base
	var token string
	if q.who.signed != "" {
		base, token = b.signer.base, b.signer.token(q.who.signed)
	} else {
		token = b.token(q.who, q.s)
	}
	at := *b.server
	at.base = base
	first, err := at.send(q.method, q.path, token, q.media, []byte(q.body), q.header...)
	// What took too long because of all that is asked beside it does not do so again and again, and seldom.
	for n := 0; n < 3 && err == nil && costly(first) && b.again.Add(1) <= maxAgain; n++ {
		first, err = at.send(q.method, q.path, token, q.media, []byte(q.body), q.header...)
	}
	if err != nil {
		b.fault(q, -1, err.Error(), first)
		return first
	}
	last := first
	for range q.pages {
		var page struct {
			Link []struct{ Relation, URL string }
		}
		if json.Unmarshal(last.body, &page) != nil {
			break
		}
		next := ""
		for _, link := range page.Link {
			if link.Relation == "next" {
				next = link.URL
			}
		}
		if next == "" {
			break
		}
		u, err := url.Parse(next)
		if err != nil {
			b.fault(q, -1, "next: "+err.Error(), last)
			break
		}
		if last, err = at.send(http.MethodGet, u.RequestURI(), token, "", nil); err != nil || last.status != http.StatusOK {
			b.fault(q, -1, fmt.Sprint("the next page: ", err), last)
			break
		}
		first.body = append(first.body, last.body...)
	}
	if first.status >= http.StatusInternalServerError {
		b.fault(q, -1, "an error of the server", first)
	}
	return first
}

// costly tells whether a search was ended because it took too long.
func costly(a answer) bool {
	return a.status == http.StatusForbidden && bytes.Contains(a.body, []byte(`"search.too-costly"`))
}

// verdictOf is what the rules say that the one who asks may see of a record, asking with the token of q.
func (b *bypass) verdictOf(q inquiry, s, c int) verdict {
	switch {
	case q.who.bound && s != q.who.about(q.s):
		return verdict{}
	case q.who.elsewhere && q.who.persona == "pasient": // her own
		if c >= len(recordClasses) {
			return verdict{shown: true}
		}
		return seesHerself(consentStates[s], recordClasses[c])
	case q.who.elsewhere && c < len(recordClasses):
		return seesReceived(consentStates[s], recordClasses[c])
	case c == classOfMail && q.who.name == asCustodian:
		return verdict{shown: true}
	case c == classOfMail && q.who.persona == "pasient":
		return verdict{shown: q.who.bound}
	case c == classOfMail && q.who.persona == "ous-tsb":
		return verdict{shown: consentStates[s].mail}
	case c == classOfMail: // to others it is a record as any
		return q.who.sees(consentStates[s], recordClass{labels: labelList("samarbeid logistikk")})
	case c >= len(recordClasses):
		return verdict{}
	}
	return q.who.sees(consentStates[s], recordClasses[c])
}

// contentOf is a body with what is packed in it, and without what the request itself said.
func contentOf(q inquiry, a answer) string {
	text := string(a.body)
	for _, m := range packed64.FindAllStringSubmatch(text, -1) {
		if raw, err := base64.StdEncoding.DecodeString(m[1]); err == nil {
			text += " " + string(raw)
		}
	}
	for _, said := range recordMarks.FindAllString(q.path+q.body+strings.Join(q.header, " "), -1) {
		text = strings.ReplaceAll(text, said, "")
	}
	return text
}

// seenIn is what a body tells: marks with their kind, and ids as "id".
func seenIn(text string) map[[2]int]map[string]bool {
	found := map[[2]int]map[string]bool{}
	add := func(s, c, kind string) {
		x, _ := strconv.Atoi(s)
		y, _ := strconv.Atoi(c)
		if found[[2]int{x, y}] == nil {
			found[[2]int{x, y}] = map[string]bool{}
		}
		found[[2]int{x, y}][kind] = true
	}
	for _, m := range recordMarks.FindAllStringSubmatch(text, -1) {
		add(m[1], m[2], m[3])
	}
	for _, m := range ownIDs.FindAllStringSubmatch(text, -1) {
		add(m[1], m[2], "id")
	}
	return found
}

// nothingMore demands that a body tells of no record, of any person, what the rules do not give. Past versions
// are told by histories only.
func (b *bypass) nothingMore(q inquiry, a answer, past bool) map[[2]int]map[string]bool {
	found := seenIn(contentOf(q, a))
	for at, kinds := range found {
		want := b.verdictOf(q, at[0], at[1])
		for kind := range kinds {
			allowed := want.shown
			switch kind[0] {
			case 'o':
				allowed = allowed && past
			case 'p':
				allowed = allowed && strings.Contains(want.parts, kind[1:])
			case 'n', 'd':
				allowed = want.whole
			}
			if !allowed {
				q := q
				if at[0] < len(consentStates) {
					q.s = at[0]
				}
				b.fault(q, at[1], "LEAK of "+kind, a)
			}
		}
	}
	return found
}

// demands tells whether this one must get through a door what the rules give.
func demands(who bypasser, emergency bool) bool {
	switch who.name {
	case asCustodian, asReceiver, "mottaker, bundet", "andre mottaker", "pasienten":
		return true
	case "nødrett":
		return emergency
	}
	return false
}

// judge judges a body about the person of a state for the classes that the door leads to: what is given is there,
// and nothing else.
func (b *bypass) judge(q inquiry, a answer, demanded bool, past bool, leads func(c int) bool) {
	found := b.nothingMore(q, a, past)
	for c := range recordClasses {
		if leads(c) {
			b.cell(q, a, c, found, demanded)
		}
	}
}

// cell counts one cell of the person asked for, and demands what is given.
func (b *bypass) cell(q inquiry, a answer, c int, found map[[2]int]map[string]bool, demanded bool) {
	want := b.verdictOf(q, q.s, c)
	kinds := found[[2]int{q.s, c}]
	if demanded && want.shown {
		switch {
		case !kinds["w"]:
			b.fault(q, c, "REFUSED what is given", a)
		default:
			for _, n := range want.parts {
				if !kinds["p"+string(n)] {
					b.fault(q, c, "REFUSED part "+string(n), a)
				}
			}
		}
	}
	b.count(q.door, want.shown)
}

// control is the answer to the same request about what there is not, asked once for each kind.
func (b *bypass) control(q inquiry, key string, absent inquiry) answer {
	key = q.door + "|" + q.who.name + "|" + key
	if known, ok := b.controls.Load(key); ok {
		return known.(answer)
	}
	absent.door, absent.who, absent.s = q.door, q.who, q.s
	a := b.sendIt(absent)
	b.controls.Store(key, a)
	return a
}

// likeAbsent demands that an answer about what is hidden is that about what there is not.
func (b *bypass) likeAbsent(q inquiry, a answer, c int, absent inquiry, bodies bool) {
	none := b.control(q, recordClasses[c].kind, absent)
	if a.status != none.status {
		b.fault(q, c, fmt.Sprintf("status %d, for what there is not %d: %.400s", a.status, none.status, none.body), a)
		return
	}
	if bodies {
		plain := func(q inquiry, a answer) string {
			return requests.ReplaceAllString(strings.ReplaceAll(string(a.body), q.path, "path"), `"requestId":"request"`)
		}
		if x, y := plain(q, a), plain(absent, none); x != y {
			b.fault(q, c, "not the body of what there is not: "+y, a)
		}
	}
}
