package gateway

import (
	"bytes"
	"context"
	"encoding/json"
)

// ndjson is the kind of a page that is lines: one resource in each (Bulk Data Access IG 2.0.0).
const ndjson = "ndjson"

// exportStretch is how many lines are decided and recorded at once when a file is fetched.
const stretch = 500

// appendLine adds a body as one line. Line breaks of a JSON text stand between its tokens only, so that
// nothing of its content changes.
func appendLine(b, body []byte) []byte {
	if bytes.ContainsAny(body, "\r\n") {
		var compact bytes.Buffer
		if json.Compact(&compact, body) == nil {
			body = compact.Bytes()
		}
	}
	return append(append(b, body...), '\n')
}

// DownloadExport gives a file, stretch by stretch, to write. A file is its lines: each names a version,
// and is decided anew on the snapshot of its stretch, by the same actor. What is not covered any more
// when it is fetched is not in it. Every stretch is in the ledger before it is given.
func (g *Gateway) DownloadExport(ctx context.Context, a Actor, job, file string, write func(Release) error) error {
	for after, first := int64(-1), true; ; first = false {
		var (
			lines []byte
			made  released
			last  int64
		)
		err := g.Store.Snapshot(ctx, func(v View) (err error) {
			lines, made, after, last, err = g.exportStretch(ctx, v, a, job, file, after)
			return err
		})
		if CodeOf(err) == NotFound && first {
			return g.refuseExport(ctx, a, ExportDownload)
		}
		if err != nil {
			return err
		}
		if first || len(made.entries) > 0 {
			if err := g.record(ctx, made.entries, made.fetched); err != nil {
				return err
			}
		}
		if first || len(lines) > 0 {
			if err := write(Release{body: lines}); err != nil {
				return err
			}
		}
		if after >= last {
			return nil
		}
	}
}

// exportStretch decides the lines after one line, -1 before the first. It tells how far it has come, and
// where the file ends.
func (g *Gateway) exportStretch(ctx context.Context, v View, a Actor, job, file string, after int64) (lines []byte, made released, upTo, last int64, err error) {
	fail := func(err error) ([]byte, released, int64, int64, error) { return nil, released{}, after, 0, err }
	j, files, err := g.exportAt(ctx, v, a, job)
	if err != nil {
		return fail(err)
	}
	f, ok := fileNamed(j, files, file)
	if !ok {
		return fail(absent("gateway.export"))
	}
	who, err := g.resolve(ctx, v, a)
	if err != nil {
		return fail(err)
	}
	p, err := g.exportPermit(ctx, who)
	if err != nil {
		return fail(err)
	}
	begins := after < 0
	after = max(after, f.First)
	rows, err := v.ExportLines(ctx, p, j, f, after, stretch)
	if err != nil {
		return fail(err)
	}
	if _, made, lines, err = g.exportRelease(ctx, v, who, ExportDownload, p, rows); err != nil {
		return fail(err)
	}
	if begins {
		e, err := g.entry(who, ExportDownload, Released, 0)
		if err != nil {
			return fail(err)
		}
		e.Type, e.Query = f.Type, j.Canonical
		made.entries = append(made.entries, e)
	}
	return lines, made, min(after+stretch, f.Last), f.Last, nil
}

func fileNamed(j ExportJob, files []ExportFile, id string) (ExportFile, bool) {
	if j.State != ExportComplete || id == "" {
		return ExportFile{}, false
	}
	for _, f := range files {
		if f.ID == id {
			return f, true
		}
	}
	return ExportFile{}, false
}
