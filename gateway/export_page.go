package gateway

import (
	"context"
	"time"
)

// exportTries is how often a page is tried before its job has failed.
const exportTries = 5

// ExportOnce works on the job whose turn it is, and tells whether there was one. Each page is one
// transaction of its own snapshot: rows, decisions, ledger, lines and place are committed together, so
// that whoever is killed leaves a job that goes on without loss or repetition.
func (g *Gateway) ExportOnce(ctx context.Context) (bool, error) {
	lease, err := newID(g.Random)
	if err != nil {
		return false, err
	}
	var job ExportJob
	err = g.Store.Tx(ctx, func(tx Tx) (err error) {
		now := g.Clock()
		job, err = tx.ClaimExport(ctx, now, now.Add(g.Exports.lease()), lease)
		return err
	})
	if err != nil {
		return false, ignoreAbsent(err)
	}
	for range g.Exports.turn() {
		more, err := g.exportPage(ctx, job.Key, lease)
		if ctx.Err() != nil { // somebody else goes on at once
			break
		}
		if err != nil {
			return true, g.exportFault(ctx, job.Key, lease, err)
		}
		if !more {
			return true, nil
		}
	}
	return true, g.exportUnder(context.WithoutCancel(ctx), job.Key, lease, func(j *ExportJob) { j.Lease, j.Until = "", time.Time{} })
}

// exportUnder changes a job that is still held by the lease.
func (g *Gateway) exportUnder(ctx context.Context, key int64, lease string, change func(*ExportJob)) error {
	err := g.Store.Tx(ctx, func(tx Tx) error {
		j, err := tx.LockExport(ctx, key, lease)
		if err != nil {
			return err
		}
		change(&j)
		return tx.AdvanceExport(ctx, j)
	})
	return ignoreAbsent(err)
}

// exportFault counts a failure, and ends a job that has had enough of them. What is not the job's fault
// is not counted: the lease runs out, and the page is made anew.
func (g *Gateway) exportFault(ctx context.Context, key int64, lease string, failed error) error {
	if CodeOf(failed) == Unavailable {
		return failed
	}
	err := g.exportUnder(ctx, key, lease, func(j *ExportJob) {
		j.Tries++
		j.Lease, j.Until = "", time.Time{}
		j.Next = g.Clock().Add(time.Duration(1<<j.Tries) * time.Second)
		if j.Tries >= exportTries {
			j.State = ExportFailed
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// exportPage makes one page; more tells that the job is not complete, nor cancelled.
func (g *Gateway) exportPage(ctx context.Context, key int64, lease string) (more bool, err error) {
	err = g.Store.Tx(ctx, func(tx Tx) error {
		more = false
		j, err := tx.LockExport(ctx, key, lease)
		if err != nil {
			return err
		}
		if j.Place < 0 {
			if err := tx.Enrol(ctx, j); err != nil {
				return err
			}
			j.Place = 0
		} else if err := g.exportRows(ctx, tx, &j); err != nil {
			return err
		}
		now := g.Clock()
		j.Tries, j.Until = 0, now.Add(g.Exports.lease())
		if more = j.Place < len(j.Types); !more {
			j.State, j.Completed, j.Expires = ExportComplete, now, now.Add(g.Exports.keep())
			j.Lease, j.Until = "", time.Time{}
		}
		return tx.AdvanceExport(ctx, j)
	})
	return more, ignoreAbsent(err)
}

// exportRows decides the next rows and makes lines of what may be read. The ledger has them before any
// line can be fetched.
func (g *Gateway) exportRows(ctx context.Context, tx Tx, j *ExportJob) error {
	who, err := g.resolve(ctx, tx, j.Actor)
	if err != nil {
		return err
	}
	p, err := g.exportPermit(ctx, who)
	if err != nil {
		return err
	}
	t := j.Types[j.Place]
	rows, next, done, err := tx.ExportRows(ctx, p, *j, t, g.Exports.page())
	if err != nil {
		return err
	}
	rows, made, _, err := g.exportRelease(ctx, tx, who, Export, p, rows)
	if err != nil {
		return err
	}
	if err := g.exportLines(ctx, tx, j, rows); err != nil {
		return err
	}
	if err := tx.Record(ctx, made.entries); err != nil {
		return err
	}
	j.After = next
	if done {
		j.Place, j.After = j.Place+1, ExportPlace{}
	}
	return nil
}

// exportPermit asks for records of whomever: each row's own person decides.
func (g *Gateway) exportPermit(ctx context.Context, who asked) (Permit, error) {
	return g.permit(ctx, who, Export, Question{Action: ReadAction})
}

// exportRelease decides every row anew in Go, each by its own person's facts on the same snapshot, and
// gives those that are left with their lines. A past version must hold by the current one as well.
func (g *Gateway) exportRelease(ctx context.Context, v View, who asked, code InteractionCode, p Permit, rows []Record) ([]Record, released, []byte, error) {
	fail := func(err error) ([]Record, released, []byte, error) { return nil, released{}, nil, err }
	if len(rows) == 0 {
		return rows, released{}, nil, nil
	}
	permitOf, err := g.permitsOf(ctx, v, who, code, found{permit: p, rows: rows})
	if err != nil {
		return fail(err)
	}
	past, err := v.Superseded(ctx, rows[0].Reference.Type, rows)
	if err != nil {
		return fail(err)
	}
	kept := rows[:0:0]
	for _, r := range rows {
		if past[r.Reference.Version] {
			err := g.past(ctx, v, permitOf(r), r)
			if CodeOf(err) == NotFound {
				continue
			}
			if err != nil {
				return fail(err)
			}
		}
		kept = append(kept, r)
	}
	lines := newPage(ndjson, Search{})
	made, err := g.releaseRows(who, code, kept, permitOf, lines)
	return kept, made, lines.entries, err
}

// exportLines adds the rows to the last file of the type, and to further ones when that is full.
func (g *Gateway) exportLines(ctx context.Context, tx Tx, j *ExportJob, rows []Record) error {
	if len(rows) == 0 {
		return nil
	}
	file, err := tx.LastExportFile(ctx, *j)
	if err != nil {
		return err
	}
	var files []ExportFile
	for _, r := range rows {
		size := int64(len(r.Body)) + 1
		full := file.Last-file.First >= g.Exports.lines() || file.Bytes+size > g.Exports.bytes()
		if file.ID == "" || file.Type != r.Reference.Type || full {
			if file.ID != "" {
				files = append(files, file)
			}
			id, err := newID(g.Random)
			if err != nil {
				return err
			}
			file = ExportFile{Number: file.Number + 1, ID: id, Type: r.Reference.Type, First: j.Lines, Last: j.Lines}
		}
		j.Lines++
		file.Last, file.Bytes = j.Lines, file.Bytes+size
	}
	return tx.AddExportLines(ctx, *j, append(files, file), rows)
}

// ExpireExports removes jobs whose time is over, with everything they hold, and tells how many.
func (g *Gateway) ExpireExports(ctx context.Context, limit int) (removed int, err error) {
	err = g.Store.Tx(ctx, func(tx Tx) (err error) {
		removed, err = tx.ExpireExports(ctx, g.Clock(), limit)
		return err
	})
	return removed, err
}
