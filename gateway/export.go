package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// The interactions of a bulk export (Bulk Data Access IG 2.0.0).
const (
	Export         InteractionCode = "export"        // a job is begun, and its lines are found
	ExportPoll     InteractionCode = "export-status" // how far it has come is asked for; recorded when it is refused
	ExportDownload InteractionCode = "export-file"   // a file of it is fetched
	ExportCancel   InteractionCode = "export-cancel" // it is removed by its owner
)

// ExportLimits bounds exports. A field that is zero has its default.
type ExportLimits struct {
	Keep  time.Duration // how long a job stays after it is complete; 24 h
	Jobs  int           // that a party has at a time, those that are complete and not yet removed included; 10
	Lines int           // of one file; 10,000
	Bytes int64         // of one file, as the records are stored; 64 MiB
	Page  int           // rows decided in one transaction; 200
	Turn  int           // pages made of one job before another gets its turn; 50
	Lease time.Duration // within which a page is made, or somebody else makes it; 1 min
}

func (l ExportLimits) keep() time.Duration  { return otherwise(l.Keep, 24*time.Hour) }
func (l ExportLimits) jobs() int            { return otherwise(l.Jobs, 10) }
func (l ExportLimits) lines() int64         { return int64(otherwise(l.Lines, 10_000)) }
func (l ExportLimits) bytes() int64         { return otherwise(l.Bytes, 64<<20) }
func (l ExportLimits) page() int            { return otherwise(l.Page, 200) }
func (l ExportLimits) turn() int            { return otherwise(l.Turn, 50) }
func (l ExportLimits) lease() time.Duration { return otherwise(l.Lease, time.Minute) }

func otherwise[T int | int64 | time.Duration](v, usual T) T {
	if v <= 0 {
		return usual
	}
	return v
}

// ExportState is where a job is.
type ExportState string

// The states.
const (
	ExportRunning  ExportState = "running"
	ExportComplete ExportState = "complete"
	ExportFailed   ExportState = "failed"
)

// ExportRequest is a kick-off: the records about the persons whom the party has a Patient of, or about
// those among the members of a Group.
type ExportRequest struct {
	Group     fhir.ID     // "" for Patient/$export
	Types     []fhir.Type // in the order of the files
	Since     time.Time   // versions written at or after this instant; zero: all
	Request   string      // URL of the kick-off, for the manifest
	Canonical string      // what the ledger shows
	LeftOut   []string    // parameters that were left out, since the client asked for leniency
}

// ExportPlace is how far the rows of one type have been looked at.
type ExportPlace struct {
	Patient int64 // key of the party's own Patient of the person
	Row     int64
}

// ExportJob is an export under way or ready. What is in it never tells of a person.
type ExportJob struct {
	Key       int64
	ID        string
	Owner     []byte // keyed digest of who began it
	Party     HERID
	Actor     Actor
	Request   string
	Canonical string
	Types     []fhir.Type
	LeftOut   []string
	Since     time.Time
	At        time.Time // transactionTime: nothing newer is in it
	State     ExportState
	Place     int // index in Types; -1 before the persons are counted up
	After     ExportPlace
	Lines     int64
	Tries     int
	Next      time.Time // not before this
	Lease     string
	Until     time.Time // of the lease
	Completed time.Time
	Expires   time.Time
}

// ExportFile is the part of an export that is fetched at once: lines of one type.
type ExportFile struct {
	Number      int
	ID          string
	Type        fhir.Type
	First, Last int64 // the lines after First up to Last
	Bytes       int64
}

// ExportReader finds what an export holds. Errors are *Error.
type ExportReader interface {
	// ExportOf gives a job with its files: NotFound for one of another owner, one that has expired,
	// and one that never was.
	ExportOf(ctx context.Context, id string, owner []byte, now time.Time) (ExportJob, []ExportFile, error)
	// ExportLines reads the versions of the lines after one line, at most limit lines, inside the scope
	// as it is now. Record.Key is the line.
	ExportLines(ctx context.Context, p Permit, j ExportJob, f ExportFile, after int64, limit int) ([]Record, error)
	// Superseded tells which of the records are no longer the current version, by version.
	Superseded(ctx context.Context, t fhir.Type, rows []Record) (map[string]bool, error)
}

// Exports keeps jobs. Errors are *Error.
type Exports interface {
	// ExportCount counts the jobs of a party that have not expired.
	ExportCount(ctx context.Context, party HERID, now time.Time) (int, error)
	// PutExport keeps a new job. members are the Patients it is about; nil: Enrol counts them up.
	PutExport(ctx context.Context, j ExportJob, members []fhir.ID) error
	// Enrol counts up the persons whom the party has a Patient of.
	Enrol(ctx context.Context, j ExportJob) error
	// ClaimExport leases the job whose turn it is; NotFound when there is none. One that a claim has
	// not finished within its lease is claimed anew, and goes on from its last committed page.
	ClaimExport(ctx context.Context, now, until time.Time, lease string) (ExportJob, error)
	// LockExport takes a job for update; NotFound when it was cancelled or another has the lease.
	LockExport(ctx context.Context, key int64, lease string) (ExportJob, error)
	// ExportRows reads the next rows of the type inside the scope, each in the version that was
	// current at the time of the export, at most limit. next is the place after them; done tells that
	// nothing of the type is left.
	ExportRows(ctx context.Context, p Permit, j ExportJob, t fhir.Type, limit int) (rows []Record, next ExportPlace, done bool, err error)
	// AddExportLines adds lines after the last one of the job, to the files as they are given.
	AddExportLines(ctx context.Context, j ExportJob, files []ExportFile, rows []Record) error
	// LastExportFile gives the last file of a job; the zero one when it has none.
	LastExportFile(ctx context.Context, j ExportJob) (ExportFile, error)
	// AdvanceExport keeps how far a job has come.
	AdvanceExport(ctx context.Context, j ExportJob) error
	// DropExport removes a job of the owner with all it holds; NotFound as ExportOf.
	DropExport(ctx context.Context, id string, owner []byte, now time.Time) error
	// ExpireExports removes jobs whose time is over, at most limit, and tells how many.
	ExpireExports(ctx context.Context, now time.Time, limit int) (int, error)
}

// mayExport refuses the actors that have no exports: nobody but a person of a party exports, in the
// party's ordinary work, and never in an emergency or with a token for one patient. A system without a
// person reads directory, status and its own mailbox, and no records (DESIGN § 3).
func mayExport(a Actor) *Error {
	const op = "gateway.export"
	switch {
	case a.Purpose == BreakTheGlass || a.Purpose == EmergencyTreat:
		return forbidden(op, "export.emergency")
	case a.Kind != Person:
		return forbidden(op, "export.actor")
	case !a.Attest.NIN.IsZero() || !a.Self.IsZero():
		return forbidden(op, "export.bound")
	}
	return nil
}

// exportOwner is what a job is bound to: everything of the actor that decides what it may see.
// Anybody else's job is unknown.
func (g *Gateway) exportOwner(a Actor) []byte {
	mac := hmac.New(sha256.New, g.SealKey)
	mac.Write(binding(a, "export", strconv.Itoa(int(a.Kind))+"\x00"+strconv.FormatBool(a.Attest.Each)+"\x00"+a.Name))
	return mac.Sum(nil)
}

// BeginExport begins an export and gives its id. What is found is decided later, page by page.
func (g *Gateway) BeginExport(ctx context.Context, a Actor, r ExportRequest) (id string, err error) {
	defer g.failed(ctx, a, Interaction{Code: Export}, &err)
	var refusal error
	err = g.Store.Tx(ctx, func(tx Tx) error {
		refusal = nil
		who, err := g.resolve(ctx, tx, a)
		if err != nil {
			return err
		}
		entry, err := g.entry(who, Export, Released, 0)
		if err != nil {
			return err
		}
		entry.Type, entry.Query = "Patient", r.Canonical
		if r.Group != "" {
			entry.Type = "Group"
		}
		id, refusal, err = g.beginExport(ctx, tx, who, r, &entry)
		if err != nil {
			return err
		}
		if refusal != nil {
			entry.Outcome, entry.Code, entry.Query = Refused, CodeOf(refusal), ""
		}
		return tx.Record(ctx, []AuditEntry{entry})
	})
	if err != nil {
		return "", err
	}
	return id, refusal
}

// beginExport keeps the job, or tells why there is none.
func (g *Gateway) beginExport(ctx context.Context, tx Tx, who asked, r ExportRequest, entry *AuditEntry) (id string, refusal, err error) {
	if denied := mayExport(who.Actor); denied != nil {
		return "", denied, nil
	}
	var members []fhir.ID
	if r.Group != "" {
		members, refusal, err = g.groupMembers(ctx, tx, who, r.Group, entry)
		if err != nil || refusal != nil {
			return "", refusal, err
		}
	}
	now := g.Clock()
	count, err := tx.ExportCount(ctx, who.party.ID, now)
	if err != nil {
		return "", nil, err
	}
	if count >= g.Exports.jobs() {
		return "", Fault("gateway.export", TooCostly, fhir.Issue{Severity: "error", Type: "throttled", Code: "export.too-many"}), nil
	}
	if id, err = newID(g.Random); err != nil {
		return "", nil, err
	}
	j := ExportJob{
		ID: id, Owner: g.exportOwner(who.Actor), Party: who.party.ID, Actor: who.Actor, Request: r.Request, Canonical: r.Canonical,
		Types: r.Types, LeftOut: r.LeftOut, Since: r.Since, At: now, State: ExportRunning, Place: -1, Next: now, Expires: now.Add(g.Exports.keep()),
	}
	if r.Group != "" {
		j.Place = 0
	}
	return id, nil, tx.PutExport(ctx, j, members)
}

// groupMembers reads a Group as the actor may see it, and gives the Patients that are members now.
func (g *Gateway) groupMembers(ctx context.Context, v View, who asked, id fhir.ID, entry *AuditEntry) (members []fhir.ID, refusal, err error) {
	target := fhir.Reference{Type: "Group", ID: id}
	entry.Entities = []AuditEntity{{Record: target}}
	p, facts, err := g.permitFor(ctx, v, who, Export, target)
	if err != nil {
		return nil, nil, err
	}
	entry.Person = max(facts.Person, 0)
	r, err := v.Read(ctx, p, target)
	if err == nil && r.Deleted {
		err = Fault("gateway.export", Gone, fhir.Issue{Severity: "error", Type: "deleted", Code: "gone"})
	}
	if code := CodeOf(err); code == NotFound || code == Gone {
		return nil, err, nil
	}
	if err == nil {
		err = p.checked(r)
	}
	if err != nil {
		return nil, nil, err
	}
	body, withheld, err := p.release(r)
	if err != nil {
		return nil, nil, err
	}
	entry.Entities = []AuditEntity{{Record: r.Reference, Custodian: r.Custodian, Citations: p.citations(r), Withheld: withheld}}
	group, err := fhir.ParseLimits(body, storedLimits)
	if err != nil {
		return nil, nil, Failed("gateway.export", Internal, err)
	}
	members = []fhir.ID{}
	for _, m := range group.Root().Get("member").Items() {
		if ref, ok := memberNow(m, g.Clock()); ok {
			members = append(members, ref)
		}
	}
	return members, nil, nil
}

// memberNow gives the Patient of a member, unless it is inactive or its period is over.
func memberNow(m *fhir.Value, now time.Time) (fhir.ID, bool) {
	if m.Get("inactive").Text() == "true" {
		return "", false
	}
	if end := m.Get("period", "end"); end != nil {
		if _, over, err := fhir.ParseDate(end.Text()); err != nil || !now.Before(over) {
			return "", false
		}
	}
	ref, err := fhir.ParseReference(m.Get("entity", "reference").Text())
	return ref.ID, err == nil && ref.Type == "Patient"
}

// ExportStatus is what the owner of a job is told.
type ExportStatus struct {
	State    ExportState
	Progress string // type and how many of the types; nothing that is counted
	Request  string
	At       time.Time // transactionTime
	Expires  time.Time
	Files    []ExportFile
	LeftOut  []string
}

// ExportStatus tells how far a job has come. Another's job is not there, and that it was asked for is
// recorded.
func (g *Gateway) ExportStatus(ctx context.Context, a Actor, id string) (s ExportStatus, err error) {
	err = g.Store.Snapshot(ctx, func(v View) error {
		j, files, err := g.exportAt(ctx, v, a, id)
		if err != nil {
			return err
		}
		s = ExportStatus{State: j.State, Request: j.Request, At: j.At, Expires: j.Expires, LeftOut: j.LeftOut}
		switch {
		case j.State == ExportComplete:
			s.Files = files
		case j.Place >= 0 && j.Place < len(j.Types):
			s.Progress = string(j.Types[j.Place]) + " (" + strconv.Itoa(j.Place+1) + "/" + strconv.Itoa(len(j.Types)) + ")"
		default:
			s.Progress = "0/" + strconv.Itoa(len(j.Types))
		}
		return nil
	})
	if CodeOf(err) == NotFound {
		return ExportStatus{}, g.refuseExport(ctx, a, ExportPoll)
	}
	return s, err
}

// refuseExport records that a job or file was asked for which is none of the actor's, whether it is
// another's or never was, and gives the one answer to both.
func (g *Gateway) refuseExport(ctx context.Context, a Actor, code InteractionCode) error {
	who, _, err := g.writer(ctx, a)
	if err != nil {
		return err
	}
	entry, err := g.entry(who, code, Refused, 0)
	if err != nil {
		return err
	}
	entry.Type, entry.Code = "Patient", NotFound
	if err := g.record(ctx, []AuditEntry{entry}, nil); err != nil {
		return err
	}
	return absent("gateway.export")
}

func (g *Gateway) exportAt(ctx context.Context, v View, a Actor, id string) (ExportJob, []ExportFile, error) {
	who, err := g.resolve(ctx, v, a)
	if err != nil {
		return ExportJob{}, nil, err
	}
	j, files, err := v.ExportOf(ctx, id, g.exportOwner(who.Actor), g.Clock())
	if CodeOf(err) == NotFound {
		return ExportJob{}, nil, absent("gateway.export")
	}
	return j, files, err
}

// CancelExport removes a job, whether it is under way or ready, with everything it holds.
func (g *Gateway) CancelExport(ctx context.Context, a Actor, id string) error {
	err := g.Store.Tx(ctx, func(tx Tx) error {
		who, err := g.resolve(ctx, tx, a)
		if err != nil {
			return err
		}
		owner, now := g.exportOwner(who.Actor), g.Clock()
		j, _, err := tx.ExportOf(ctx, id, owner, now)
		if err != nil {
			return err
		}
		if err := tx.DropExport(ctx, id, owner, now); err != nil {
			return err
		}
		entry, err := g.entry(who, ExportCancel, Written, 0)
		if err != nil {
			return err
		}
		entry.Type, entry.Query = "Patient", j.Canonical
		return tx.Record(ctx, []AuditEntry{entry})
	})
	if CodeOf(err) == NotFound {
		return g.refuseExport(ctx, a, ExportCancel)
	}
	return err
}
