package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// seal makes the token of a next page: bound to the actor, the search and the policy revision, of
// one length whatever it holds. Another's token, or one of another search, is unknown.
func (g *Gateway) seal(c Cursor, binding []byte) (string, error) {
	aead, err := g.aead()
	if err != nil {
		return "", err
	}
	plain := encodeCursor(c)
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	if _, err := io.ReadFull(g.Random, nonce); err != nil {
		return "", Failed("gateway.seal", Unavailable, err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, binding)), nil
}

// Sizes of a cursor in bytes: the place, and the values of an order by values with their lengths.
// Which of the two it is, the search itself tells.
const (
	placeSize = 32
	valueSize = 98
	fullSize  = placeSize + fhir.MaxSortKeys*(2+valueSize)
)

func encodeCursor(c Cursor) []byte {
	size := placeSize
	if c.Keys != nil {
		size = fullSize
	}
	plain := make([]byte, size)
	putTime(plain[0:12], c.At)
	binary.BigEndian.PutUint64(plain[12:20], uint64(c.Key)) //nolint:gosec // all 64 bits are wanted
	putTime(plain[20:32], c.Since)
	if c.Keys == nil {
		return plain
	}
	for i, v := range c.Keys[:min(len(c.Keys), fhir.MaxSortKeys)] {
		at := placeSize + i*(2+valueSize)
		if v == nil {
			continue
		}
		plain[at], plain[at+1] = 1, byte(copy(plain[at+2:at+2+valueSize], *v))
	}
	plain[placeSize] |= byte(len(c.Keys)) << 4
	return plain
}

func decodeCursor(plain []byte) (Cursor, bool) {
	if len(plain) != placeSize && len(plain) != fullSize {
		return Cursor{}, false
	}
	c := Cursor{At: getTime(plain[0:12]), Key: int64(binary.BigEndian.Uint64(plain[12:20])), Set: true, Since: getTime(plain[20:32])} //nolint:gosec // all 64 bits are wanted
	if len(plain) == placeSize {
		return c, true
	}
	n := int(plain[placeSize] >> 4)
	for i := range min(n, fhir.MaxSortKeys) {
		at := placeSize + i*(2+valueSize)
		var v SortValue
		if plain[at]&1 != 0 {
			text := string(plain[at+2 : at+2+min(int(plain[at+1]), valueSize)])
			v = &text
		}
		c.Keys = append(c.Keys, v)
	}
	return c, true
}

func putTime(b []byte, t time.Time) {
	binary.BigEndian.PutUint64(b[0:8], uint64(t.Unix()))        //nolint:gosec // all 64 bits are wanted
	binary.BigEndian.PutUint32(b[8:12], uint32(t.Nanosecond())) //nolint:gosec // below 1e9
}

func getTime(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b[0:8])), int64(binary.BigEndian.Uint32(b[8:12]))).UTC() //nolint:gosec // all 64 bits are wanted
}

// unseal reads a token; "" is the first page.
func (g *Gateway) unseal(token string, binding []byte) (Cursor, error) {
	if token == "" {
		return Cursor{}, nil
	}
	unknown := Fault("gateway.unseal", BadQuery, fhir.Issue{Severity: "error", Type: "value", Code: "page-unknown"})
	aead, err := g.aead()
	if err != nil {
		return Cursor{}, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(sealed) < aead.NonceSize() {
		return Cursor{}, unknown
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], binding)
	if err != nil {
		return Cursor{}, unknown
	}
	c, ok := decodeCursor(plain)
	if !ok {
		return Cursor{}, unknown
	}
	return c, nil
}

func (g *Gateway) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(g.SealKey)
	if err != nil {
		return nil, Failed("gateway.seal", Internal, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, Failed("gateway.seal", Internal, err)
	}
	return aead, nil
}

// binding is what a token is good for: this actor, this search, this policy.
func binding(a Actor, canonical, policy string) []byte {
	return []byte(strings.Join([]string{
		string(a.Party), string(a.Unit), string(a.Practitioner), a.Role, string(a.Purpose), a.Client,
		a.Self.Reveal(), a.Attest.NIN.Reveal(), policy, canonical,
	}, "\x00"))
}

// sharedOnly is the constant outcome of every searchset: the same bytes whether something is
// hidden or not (DESIGN § 3, What is released).
var sharedOnly = caption{
	`{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational",` +
		`"details":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/feil","code":"shared-only"}],"text":`,
	`"viser bare det som er delt med deg; listen kan være ufullstendig"`,
	`"shows only what is shared with you; the list may be incomplete"`,
}

// includesCut is the outcome of a searchset in which not all that was asked to be included is.
var includesCut = caption{
	`{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"too-costly",` +
		`"details":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/feil","code":"search.include-cut"}],"text":`,
	`"ikke alt som skulle tas med, er med: det er for mye på én side. Be om færre treff med _count, eller søk etter det for seg"`,
	`"not all that was to be included is there: it is too much for one page. Ask for fewer matches by _count, or search for it by itself"`,
}

// caption is an entry of a searchset that tells of the answer itself: what stands before its text, and the
// text in bokmål and English.
type caption struct{ head, nb, en string }

func (n caption) in(english bool) string {
	text := n.nb
	if english {
		text = n.en
	}
	return n.head + text + `}}]},"search":{"mode":"outcome"}}`
}

// page builds a Bundle of released bodies. Nothing is encoded anew: entries are the bytes.
type page struct {
	kind     string
	search   Search
	next     string
	entries  []byte
	count    int
	outcome  bool
	total    int                               // shown when it is counted
	counted  bool                              //
	cut      bool                              // not all that was to be included is there
	shown    func([]byte) ([]byte, error)      // what of a body is shown; nil: all
	keep     func(r Record, body []byte) error // sees what is released; nil: nobody does
	mode     string                            // of a searchset: "match" unless told
	withheld [][]byte                          // entries: what is withheld from the patient who asks
	base     []byte                            // what every entry begins with
}

func newPage(kind string, s Search) *page { return &page{kind: kind, search: s} }

// lay lays down what a permit gives of a row, where that is known already. What is cut is cut into its place.
func (p *page) lay(by *Permit, r *Record, covered Labels) (withheld Labels, err error) {
	var body []byte
	if !r.Deleted {
		if body, err = by.uncut(r); err != nil {
			return 0, err
		}
	}
	if body == nil && !r.Deleted {
		if p.shown == nil && p.kind != ndjson {
			return p.layCut(r, covered)
		}
		if body, withheld, err = cut(nil, r, covered); err != nil {
			return 0, err
		}
	}
	if err := p.keeps(r, body); err != nil {
		return 0, err
	}
	if p.shown != nil && body != nil {
		if body, err = p.shown(body); err != nil {
			return 0, err
		}
	}
	p.add(r, body)
	return withheld, nil
}

func (p *page) keeps(r *Record, body []byte) error {
	if p.keep == nil {
		return nil
	}
	return p.keep(*r, body)
}

// layCut is lay of a row of which something is cut.
func (p *page) layCut(r *Record, covered Labels) (withheld Labels, err error) {
	p.begin(r)
	p.entries = append(p.entries, `,"resource":`...)
	from := len(p.entries)
	if p.entries, withheld, err = cut(p.entries, r, covered); err != nil {
		return 0, err
	}
	if err := p.keeps(r, p.entries[from:len(p.entries):len(p.entries)]); err != nil {
		return 0, err
	}
	p.end(r)
	return withheld, nil
}

func (p *page) add(r *Record, body []byte) {
	if p.kind == ndjson {
		p.count, p.entries = p.count+1, appendLine(p.entries, body)
		return
	}
	p.begin(r)
	if body != nil {
		p.entries = append(p.entries, `,"resource":`...)
		p.entries = append(p.entries, body...)
	}
	p.end(r)
}

// begin writes what stands before the body of a row in its entry.
func (p *page) begin(r *Record) {
	if p.count > 0 {
		p.entries = append(p.entries, ',')
	}
	p.count++
	if p.base == nil {
		p.base = appendJSON([]byte(`{"fullUrl":`), p.search.Base)
		p.base[len(p.base)-1] = '/'
	}
	p.entries = append(p.entries, p.base...)
	p.entries = appendInside(p.entries, string(r.Reference.Type))
	p.entries = append(p.entries, '/')
	p.entries = append(appendInside(p.entries, string(r.Reference.ID)), '"')
}

// end writes what stands behind it.
func (p *page) end(r *Record) {
	if p.kind == "searchset" {
		p.entries = append(p.entries, `,"search":{"mode":"`...)
		if p.mode == "" {
			p.entries = append(p.entries, "match"...)
		}
		p.entries = append(append(p.entries, p.mode...), `"}}`...)
		return
	}
	method, status := "PUT", "200"
	switch r.Method {
	case Create:
		method, status = "POST", "201"
	case Delete:
		method, status = "DELETE", "204"
	}
	target := string(r.Reference.Type) + "/" + string(r.Reference.ID)
	if r.Method == Create {
		target = string(r.Reference.Type)
	}
	p.entries = append(p.entries, `,"request":{"method":"`+method+`","url":`...)
	p.entries = appendJSON(p.entries, target)
	p.entries = append(p.entries, `},"response":{"status":"`+status+`","etag":`...)
	p.entries = appendJSON(p.entries, `W/"`+r.Reference.Version+`"`)
	p.entries = append(p.entries, `,"lastModified":"`+r.Updated.UTC().Format("2006-01-02T15:04:05.000Z")+`"}}`...)
}

// grow makes room for rows at once.
func (p *page) grow(rows []Record) {
	size := 0
	for i := range rows {
		size += len(rows[i].Body) + entrySize
	}
	p.entries = slices.Grow(p.entries, size)
}

// entrySize is room for what stands around a body in its entry, of a base URL of ordinary length.
const entrySize = 256

// bytes is the whole Bundle in bytes of its own.
func (p *page) bytes() []byte {
	r := p.release()
	return append(r.head, r.body...)
}

// release is the Bundle. Its entries are where they were laid down: nothing may be added after it.
func (p *page) release() Release {
	b := make([]byte, 0, 1024)
	b = append(b, `{"resourceType":"Bundle","type":"`+p.kind+`",`...)
	if p.counted {
		b = append(strconv.AppendInt(append(b, `"total":`...), int64(p.total), 10), ',')
	}
	b = append(b, `"link":[{"relation":"self","url":`...)
	b = appendJSON(b, p.search.Self)
	b = append(b, '}')
	if p.next != "" {
		b = append(b, `,{"relation":"next","url":`...)
		b = appendJSON(b, p.nextLink())
		b = append(b, '}')
	}
	b = append(b, ']')
	entries := p.entries
	for _, n := range []struct {
		told bool
		caption
	}{{p.outcome, sharedOnly}, {p.cut, includesCut}} {
		if !n.told {
			continue
		}
		if len(entries) > 0 {
			entries = append(entries, ',')
		}
		entries = append(entries, n.in(p.search.English)...)
	}
	for _, told := range p.withheld {
		if len(entries) > 0 {
			entries = append(entries, ',')
		}
		entries = append(entries, told...)
	}
	if len(entries) == 0 {
		return Release{body: append(b, '}')}
	}
	return Release{head: append(b, `,"entry":[`...), body: append(entries, `]}`...)}
}

// told is the Bundle as the answer.
func (p *page) told() Outcome { return Outcome{Release: p.release(), Bare: p.count == 0} }

func (p *page) nextLink() string {
	separator := "?"
	if strings.Contains(p.search.Self, "?") {
		separator = "&"
	}
	return p.search.Self + separator + "_page=" + url.QueryEscape(p.next)
}

func appendJSON(b []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = !needsCare(s[i])
	}
	if plain {
		return append(append(append(b, '"'), s...), '"')
	}
	q, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return append(b, `""`...)
	}
	return append(b, q...)
}

// appendInside is appendJSON without its quotes.
func appendInside(b []byte, s string) []byte {
	from := len(b)
	b = appendJSON(b, s)
	return append(b[:from], b[from+1:len(b)-1]...)
}

// needsCare tells of a byte that does not stand for itself in what encoding/json writes.
func needsCare(c byte) bool {
	return c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&'
}
