package gateway

import (
	"context"

	"github.com/sluse/sluse/gateway/fhir"
)

// Standing is what a decision about one record rests on. The numbers are others when anything of it is:
// two Standings of the same numbers decide alike.
type Standing struct {
	Facts    Facts
	Revision int64    // of the directory, which tells who asks
	Bound    PersonID // of the national number that the asker's token is bound to; zero: nobody
}

// same tells whether nothing has changed between the two.
func (s Standing) same(as Standing) bool {
	return s.Facts.Person == as.Facts.Person && s.Facts.Epoch == as.Facts.Epoch &&
		s.Revision == as.Revision && s.Bound == as.Bound
}

// StandingReader answers about one record by single statements, each of which is a snapshot of its
// own. What is hidden and what does not exist take the same statements.
type StandingReader interface {
	// Standing gives what holds now about a record, and whom the number stands for.
	Standing(ctx context.Context, record fhir.Reference, bound NIN) (Standing, error)
	// DirectoryAt gives the directory of a revision; false when another one must be read first.
	DirectoryAt(revision int64) (Directory, bool)
	// ReadStanding is View.Read of a current version, with what held on the very snapshot of the row,
	// less the grants. The row is worth nothing unless that is what the permit was decided on.
	ReadStanding(ctx context.Context, p Permit, r fhir.Reference, bound NIN) (Record, Standing, error)
}

// standingKey is what a party has got. It is the asker's own, so that nobody learns by the time an
// answer takes what others have asked.
type standingKey struct {
	party  HERID
	record fhir.Reference
	bound  NIN
}

// maxStandings bounds what is remembered, in bytes.
const maxStandings = 16 << 20

// bytes is about what a remembered one takes.
func (s Standing) bytes() int { return 512 + len(s.Facts.Grants) }

// readStanding is read by a named person with the decision first and one statement for the row: it is decided
// on what held when the party last got the record, or holds now, and released only if the statement that brings
// the row says that this still holds. ok is false when a snapshot must be taken, as for all that is not
// released.
func (g *Gateway) readStanding(ctx context.Context, a Actor, in Interaction) (seen looked, ok bool, err error) {
	if in.Code != Read || a.Kind != Person || a.Purpose == BreakTheGlass || in.Target.Type == "AuditEvent" || IsDirectory(in.Target.Type) {
		return looked{}, false, nil
	}
	key := standingKey{party: a.Party, record: in.Target, bound: a.Attest.NIN}
	stands, known := g.standings.get(key)
	if !known {
		if stands, err = g.Store.Standing(ctx, in.Target, key.bound); err != nil {
			return looked{}, false, err
		}
	}
	seen, ok, err = g.readAsStands(ctx, a, in, stands, key.bound)
	switch {
	case known && !ok:
		g.standings.forget(key)
	case ok && !known:
		g.standings.put(key, stands, stands.bytes())
	}
	return seen, ok, err
}

// readAsStands decides on what is given and reads the row. ok is false when something else holds where
// the row was found; then nothing of it is used.
func (g *Gateway) readAsStands(ctx context.Context, a Actor, in Interaction, stands Standing, bound NIN) (looked, bool, error) {
	dir, ok := g.Store.DirectoryAt(stands.Revision)
	if !ok {
		return looked{}, false, nil
	}
	who, err := asking(dir, a, func(NIN) (PersonID, error) { return orNobody(stands.Bound), nil })
	if err != nil {
		return looked{}, false, err
	}
	p, err := g.permit(ctx, who, in.Code, Question{Action: ReadAction, Named: true, Facts: stands.Facts})
	if err != nil {
		return looked{}, false, err
	}
	r, now, err := g.Store.ReadStanding(ctx, p, in.Target, bound)
	switch {
	case CodeOf(err) == NotFound, err == nil && !now.same(stands):
		return looked{}, false, nil
	case err != nil:
		return looked{}, false, err
	}
	seen, err := g.answerRead(who, p, in, stands.Facts.Person, r, nil)
	return seen, err == nil, err
}
