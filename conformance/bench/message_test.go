package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// What Sluse is to keep up with (package documentation).
const (
	messagesBudget = 150 // messages end to end in a second on 2 cores
	stays          = 40  // persons whose messages go at the same time
)

// sort is messages of one sort, in the order in which those about one person come.
type sort struct {
	name     string
	messages []sample
}

// sample is a message of package mapping's test data, and who sends it.
type sample struct{ name, from string }

// sorts are the messages of a stay in hospital, with reports that fill every element there is, so that they are as long
// as such messages get; and those of them that only tell of something.
var sorts = []sort{
	{"stay", []sample{
		{"log-innlagt", "ous-tsb"}, {"helseopplysninger-soknad", "ous-tsb"}, {"dialog-1.0-foresporsel", "ous-tsb"}, {"log-utskrivningsklar", "ous-tsb"},
		{"dialog-1.0-kan-ta-imot", "bydel-sagene"}, {"log-utskrevet", "ous-tsb"}, {"utskrivningsrapport", "ous-tsb"},
	}},
	{"short", []sample{
		{"log-innlagt", "ous-tsb"}, {"dialog-1.0-foresporsel", "ous-tsb"}, {"log-utskrivningsklar", "ous-tsb"},
		{"dialog-1.0-kan-ta-imot", "bydel-sagene"}, {"log-utskrevet", "ous-tsb"},
	}},
}

// exchange is the rig with persons whose messages cross, both ways.
type exchange struct {
	*rig
	tokens    map[string]string
	documents map[string]string // by the name of the sample
	nins      []string
	posted    int // conversations so far, at most: none has the name of another
}

var exchanging = sync.OnceValues(func() (*exchange, error) {
	r, err := testbed()
	if err != nil {
		return nil, err
	}
	x := &exchange{rig: r, documents: map[string]string{}}
	for _, m := range sorts[0].messages { // the others are among them
		b, err := os.ReadFile(filepath.Join("..", "..", "mapping", "testdata", m.name, "in.xml"))
		if err != nil {
			return nil, err
		}
		x.documents[m.name] = strings.Replace(string(b), `Forsendelsesstatus V="M" DN="Endring"`, `Forsendelsesstatus V="N" DN="Ny"`, 1)
	}
	parties, err := r.enter()
	if err != nil {
		return nil, err
	}
	x.tokens = map[string]string{"bydel-sagene": r.sluse.writer, "ous-tsb": r.sluse.reader}
	for n := range stays {
		x.nins = append(x.nins, syntheticNIN(n))
		ref, err := r.sluse.put("Patient", fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":"Syntetisk","given":["Nr %d"]}],"birthDate":"1991-01-01",
"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}]}`, n, x.nins[n]))
		if err != nil {
			return nil, err
		}
		for from, to := range map[string]string{parties.own: parties.hospital, parties.hospital: parties.own} {
			if _, err := r.sluse.put("Consent", everything(ref, parties.own, from, to)); err != nil {
				return nil, err
			}
		}
	}
	if err := x.begin(); err != nil {
		return nil, err
	}
	return x, x.rest()
})

// begin hands in one stay of each person, so that statements are prepared and plans made before anything is measured.
func (x *exchange) begin() error {
	all := stays * len(sorts[0].messages)
	_, err := together(budgeted, all, func(n int) (*http.Request, error) { return x.message(sorts[0], n) })
	x.posted += all + 2*stays
	return err
}

// rest waits until the server has no work left of the consents, each of which is tried by all three forms in the
// background after it was stored.
func (x *exchange) rest() error {
	used := func() time.Duration { return ownCPU(x.sluse.cmd.Process.Pid) + consumed(x.postgres) }
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); {
		before := used()
		time.Sleep(time.Second)
		if used()-before < 300*time.Millisecond { // it looks for work ten times a second
			return nil
		}
	}
	return errors.New("the server does not come to rest")
}

// everything is a samtykke, registered by own, for all that the messages hold, from one party to another.
func everything(patient, own, from, to string) string {
	labels := `"securityLabel":[`
	for i, l := range strings.Fields("demografi samarbeid rus psykisk somatisk legemidler plan kriseplan henvisning kartlegging bolig okonomi arbeid familie barn " +
		"nettverk voldsutsatt voldsrisiko livskvalitet parorende logistikk funksjon tjenester tolk tannhelse smitte uklassifisert") {
		labels += strings.Repeat(",", min(i, 1)) + `{"system":"http://sluse.no/fhir/CodeSystem/informasjonskategori","code":"` + l + `"}`
	}
	s := samtykke(patient, own, to)
	s = s[:strings.Index(s, `"securityLabel":[`)] + labels + "]}}"
	at := strings.LastIndex(s, own) // the custodian; before it stands who has registered it
	return s[:at] + from + s[at+len(own):]
}

// syntheticNIN is the n-th number of persons who are nobody (month + 80), born in January 1991.
func syntheticNIN(n int) string {
	digit := func(s string, weights ...int) int {
		sum := 0
		for i, w := range weights {
			sum += w * int(s[i]-'0')
		}
		return (11 - sum%11) % 11
	}
	for serial := 0; ; serial++ {
		s := fmt.Sprintf("%02d8191%03d", 1+serial%28, serial/28%500)
		first := digit(s, 3, 7, 6, 1, 8, 9, 4, 5, 2)
		if first == 10 {
			continue
		}
		s += fmt.Sprint(first)
		last := digit(s, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
		if last == 10 {
			continue
		}
		if n--; n < 0 {
			return s + fmt.Sprint(last)
		}
	}
}

// guid is how the documents name each other.
var guid = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`)

// message is the n-th message of a sort: of the persons, each goes on with her next. They are at different points of their
// stays, so that messages of all types come at any time.
func (x *exchange) message(s sort, n int) (*http.Request, error) {
	turn, person := n/stays, n%stays
	turn += person % len(s.messages)
	m := s.messages[turn%len(s.messages)]
	document := strings.NewReplacer("21869245515", x.nins[person], "<Id>8100030</Id>", "<Id>80001006</Id>", "<Id>8100031</Id>", "<Id>80001006</Id>",
		"<Id>8100020</Id>", "<Id>80001001</Id>", "<Id>8100021</Id>", "<Id>80001001</Id>", "<Id>8100022</Id>", "<Id>80001001</Id>").Replace(x.documents[m.name])
	document = guid.ReplaceAllString(document, fmt.Sprintf("%08x$1", x.posted+turn/len(s.messages)*stays+person))
	body, err := json.Marshal(map[string]string{
		"businessDocument": base64.StdEncoding.EncodeToString([]byte(document)), "contentType": "application/xml", "contentTransferEncoding": "base64",
	})
	if err != nil {
		return nil, err
	}
	req, err := x.sluse.request(http.MethodPost, "/edi/Messages", x.tokens[m.from], string(body))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

// appRecs counts the AppRecs, and how many of them are negative.
func (x *exchange) appRecs() (all, negative int, err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, x.dsn+"sluse")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `select count(*), count(*) filter (where status = 2) from apprec`).Scan(&all, &negative)
	return all, negative, err
}

func (s sort) row() string { return "messages end to end: " + s.name }

// BenchmarkMessages hands in messages: each is parsed, mapped, decided, stored, recorded in the ledger, laid ready and
// answered when the request is. Every one must have got its AppRec, and none a negative one.
func BenchmarkMessages(b *testing.B) {
	x, err := exchanging()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range sorts {
		for _, clients := range crowds {
			b.Run(fmt.Sprintf("%s/%d", s.name, clients), func(b *testing.B) {
				before, refused, err := x.appRecs()
				if err != nil {
					b.Fatal(err)
				}
				written := make([]*http.Request, b.N+1) // before the clock runs: who writes messages is elsewhere
				for n := range written {
					if written[n], err = x.message(s, n); err != nil {
						b.Fatal(err)
					}
				}
				figures[cell{s.row(), "sluse", clients}] = load(b, clients, x.sluse.cmd.Process.Pid, x.postgres, func(n int) (*http.Request, error) { return written[n], nil })
				x.posted += b.N + 2*stays // more than there were
				x.answered(b, before, refused)
			})
		}
	}
}

// answered waits until every message has its AppRec.
func (x *exchange) answered(b *testing.B, before, refused int) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		all, negative, err := x.appRecs()
		if err != nil || negative != refused {
			b.Fatalf("%d negative AppRecs, %v", negative-refused, err)
		}
		if all-before == b.N {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d AppRecs for %d messages", all-before, b.N)
		}
	}
}

// reportMessages prints what messages take beside what the country sends.
func reportMessages(w io.Writer) {
	for _, s := range sorts {
		for _, clients := range crowds {
			f, ok := figures[cell{s.row(), "sluse", clients}]
			if !ok {
				continue
			}
			verdict := ""
			if clients == budgeted {
				verdict = fmt.Sprintf("budget %d/s: within", messagesBudget)
				if f.perSecond < messagesBudget {
					verdict = fmt.Sprintf("budget %d/s: OVER", messagesBudget)
				}
				verdict += fmt.Sprintf("; %.1f × every medical message of the country", f.perSecond*yearSeconds/countryMessages)
			}
			fmt.Fprintf(w, "%-43s %7d | %8.0f %6d %6d | %s\n", s.row(), clients, f.perSecond, f.server.Microseconds(), f.postgres.Microseconds(), verdict)
		}
	}
}
