package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/url"
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
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+20+aead.Overhead())
	if _, err := io.ReadFull(g.Random, nonce); err != nil {
		return "", Failed("gateway.seal", Unavailable, err)
	}
	var plain [20]byte
	binary.BigEndian.PutUint64(plain[0:8], uint64(c.At.Unix()))
	binary.BigEndian.PutUint32(plain[8:12], uint32(c.At.Nanosecond()))
	binary.BigEndian.PutUint64(plain[12:20], uint64(c.Key))
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain[:], binding)), nil
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
	if err != nil || len(plain) != 20 {
		return Cursor{}, unknown
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(plain[0:8])), int64(binary.BigEndian.Uint32(plain[8:12]))).UTC()
	return Cursor{At: at, Key: int64(binary.BigEndian.Uint64(plain[12:20])), Set: true}, nil
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
const sharedOnly = `{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational",` +
	`"details":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/feil","code":"shared-only"}],` +
	`"text":"viser bare det som er delt med deg; listen kan være ufullstendig"}}]},"search":{"mode":"outcome"}}`

// page builds a Bundle of released bodies. Nothing is encoded anew: entries are the bytes.
type page struct {
	kind    string
	search  Search
	next    string
	entries []byte
	count   int
	outcome bool
}

func newPage(kind string, s Search) *page { return &page{kind: kind, search: s} }

func (p *page) add(r Record, body []byte) {
	if p.count > 0 {
		p.entries = append(p.entries, ',')
	}
	p.count++
	full := p.search.Base + "/" + string(r.Reference.Type) + "/" + string(r.Reference.ID)
	p.entries = append(p.entries, `{"fullUrl":`...)
	p.entries = appendJSON(p.entries, full)
	if body != nil {
		p.entries = append(p.entries, `,"resource":`...)
		p.entries = append(p.entries, body...)
	}
	if p.kind == "searchset" {
		p.entries = append(p.entries, `,"search":{"mode":"match"}}`...)
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

func (p *page) bytes() []byte {
	b := make([]byte, 0, len(p.entries)+1024)
	b = append(b, `{"resourceType":"Bundle","type":"`+p.kind+`","link":[{"relation":"self","url":`...)
	b = appendJSON(b, p.search.Self)
	b = append(b, '}')
	if p.next != "" {
		b = append(b, `,{"relation":"next","url":`...)
		b = appendJSON(b, p.nextLink())
		b = append(b, '}')
	}
	b = append(b, ']')
	if p.count > 0 || p.outcome {
		b = append(b, `,"entry":[`...)
		b = append(b, p.entries...)
		if p.outcome {
			if p.count > 0 {
				b = append(b, ',')
			}
			b = append(b, sharedOnly...)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func (p *page) nextLink() string {
	separator := "?"
	if strings.Contains(p.search.Self, "?") {
		separator = "&"
	}
	return p.search.Self + separator + "_page=" + url.QueryEscape(p.next)
}

func appendJSON(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return append(b, `""`...)
	}
	return append(b, q...)
}
