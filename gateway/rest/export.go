package rest

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

const (
	fhirLines  = "application/fhir+ndjson"
	plainLines = "application/ndjson"
	exportPath = root + "/export"
	leftOut    = "left-out"       // the file that tells which parameters were left out
	exportTime = 10 * time.Minute // for one file
	pollTime   = "5"              // seconds between looks at a job
)

// notExported are types that are no part of an export: the ledger has a scope of its own, a Binary is
// fetched by the reference that names it, and a Subscription is about nobody.
var notExported = []fhir.Type{"AuditEvent", "Binary", "Subscription"}

// exportTypes are the types of an export, in the order of its files.
func exportTypes() (types []fhir.Type) {
	for _, s := range services {
		if !gateway.IsDirectory(s.Type) && !slices.Contains(notExported, s.Type) {
			types = append(types, s.Type)
		}
	}
	return types
}

// exportOperation is $export as its parameters are read (Bulk Data Access IG 2.0.0, export).
var exportOperation = operation{name: "export", arguments: []argument{
	{"_outputFormat", false}, {"_since", false}, {"_type", true}, {"_elements", true}, {"_typeFilter", true},
}}

const exportDefinition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"

// exportsOf tells of the export that a type has.
func exportsOf(t fhir.Type) []r4.CapabilityStatementRestResourceOperation {
	says := map[fhir.Type]string{
		"Patient": "The records about every person whom the party has a Patient of, as far as it may read them.",
		"Group":   "The same for the members that are the party's own Patients.",
	}[t]
	if says == "" {
		return nil
	}
	return []r4.CapabilityStatementRestResourceOperation{{
		Name: "export", Definition: exportDefinition + strings.ToLower(string(t)) + "-export",
		Documentation: ptr(says + " Prefer: respond-async is required. There is no export by a system " +
			"without a person, in an emergency, for a patient, or by a token for one patient. Each line is decided when it is found and anew when it is " +
			"fetched: a file holds what may be read then, so the manifest counts nothing."),
	}}
}

// exportAt opens the doors of exports.
func (a *api) exportAt(e *gin.Engine) {
	begin := a.handle("", true, (*api).beginExport)
	for _, p := range []string{root + "/Patient/$export", root + "/Group/:id/$export"} {
		a.open(e, http.MethodGet, p, begin)
		a.open(e, http.MethodPost, p, begin)
	}
	a.open(e, http.MethodGet, exportPath+"/:id", a.handle("", true, (*api).exportStatus))
	a.open(e, http.MethodDelete, exportPath+"/:id", a.handle("", true, (*api).cancelExport))
	a.open(e, http.MethodGet, exportPath+"/:id/:file", a.takesLines(a.handle("", true, (*api).exportFile)))
}

// beginExport is the kick-off: 202 with the place where the job is told of.
func (a *api) beginExport(r *request) (answer, error) {
	if r.http.Method == http.MethodHead {
		return answer{}, refuse(http.StatusMethodNotAllowed, gateway.NotSupported, "http.method")
	}
	if isXML(r.format) {
		return answer{}, refuse(http.StatusNotAcceptable, gateway.MediaType, "http.accept")
	}
	if !r.prefer.async {
		return answer{}, fault(gateway.BadQuery, "export.async", "http.Prefer")
	}
	g, err := a.given(r, exportOperation)
	if err != nil {
		return answer{}, err
	}
	in := gateway.ExportRequest{Group: r.target.ID, Types: exportTypes()}
	if err := g.planExport(&in, r.prefer.lenient); err != nil {
		return answer{}, err
	}
	in.Request = a.Base + strings.TrimPrefix(r.http.URL.EscapedPath(), root)
	if r.http.URL.RawQuery != "" {
		in.Request += "?" + r.http.URL.RawQuery
	}
	id, err := a.Gateway.BeginExport(r.ctx, r.actor, in)
	if err != nil {
		return answer{}, tooMany(err)
	}
	return answer{status: http.StatusAccepted, header: map[string]string{"Content-Location": a.Base + "/export/" + id}}, nil
}

// planExport reads the parameters. _elements is never left out: more would be shown than was asked for.
func (g *given) planExport(in *gateway.ExportRequest, lenient bool) error {
	kind := "Patient/"
	if in.Group != "" {
		kind = "Group/" + string(in.Group) + "/"
	}
	var canon []string
	if len(g.texts["_elements"]) > 0 {
		return g.wrong("_elements", "search.parameter-unsupported")
	}
	if len(g.texts["_typeFilter"]) > 0 {
		if !lenient {
			return g.wrong("_typeFilter", "search.parameter-unsupported")
		}
		in.LeftOut = append(in.LeftOut, "http._typeFilter")
	}
	if format := g.one("_outputFormat"); format != "" {
		switch strings.ReplaceAll(format, " ", "+") {
		case fhirLines, plainLines, "ndjson":
		default:
			return g.wrong("_outputFormat", "export.format")
		}
	}
	if since := g.one("_since"); since != "" {
		low, _, err := fhir.ParseDate(since)
		if err != nil {
			return g.wrong("_since", "search.date")
		}
		in.Since = low
		canon = append(canon, "_since="+escapeQuery(since))
	}
	if len(g.texts["_type"]) > 0 {
		if err := g.exportTypes(in, lenient); err != nil {
			return err
		}
		names := make([]string, len(in.Types))
		for i, t := range in.Types {
			names[i] = string(t)
		}
		canon = append(canon, "_type="+strings.Join(names, ","))
	}
	in.Canonical = kind + "$export"
	if len(canon) > 0 {
		in.Canonical += "?" + strings.Join(canon, "&")
	}
	return nil
}

// exportTypes keeps the types that are asked for.
func (g *given) exportTypes(in *gateway.ExportRequest, lenient bool) error {
	asked := strings.Split(strings.Join(g.texts["_type"], ","), ",")
	for _, name := range asked {
		if slices.Contains(in.Types, fhir.Type(name)) {
			continue
		}
		if !lenient {
			return g.wrong("_type", "export.type")
		}
		if !slices.Contains(in.LeftOut, "http._type") {
			in.LeftOut = append(in.LeftOut, "http._type")
		}
	}
	in.Types = slices.DeleteFunc(in.Types, func(t fhir.Type) bool { return !slices.Contains(asked, string(t)) })
	if len(in.Types) == 0 {
		return g.wrong("_type", "export.type")
	}
	return nil
}

// tooMany is 429 where the code alone would be 403: the same request may succeed later.
func tooMany(err error) error {
	var known *gateway.Error
	if errors.As(err, &known) && known.Code == gateway.TooCostly {
		return &refusal{status: http.StatusTooManyRequests, cause: known}
	}
	return err
}

var errExportFailed = errors.New("the export has failed")

// exportStatus tells how far a job has come, and of its files when it is complete.
func (a *api) exportStatus(r *request) (answer, error) {
	if err := noneLeft(r.http.URL.RawQuery); err != nil {
		return answer{}, err
	}
	if isXML(r.format) {
		return answer{}, refuse(http.StatusNotAcceptable, gateway.MediaType, "http.accept")
	}
	s, err := a.Gateway.ExportStatus(r.ctx, r.actor, string(r.target.ID))
	switch {
	case err != nil:
		return answer{}, err
	case s.State == gateway.ExportFailed:
		return answer{}, gateway.Failed("rest.export", gateway.Internal, errExportFailed)
	case s.State != gateway.ExportComplete:
		return answer{status: http.StatusAccepted, header: map[string]string{"X-Progress": s.Progress, "Retry-After": pollTime}}, nil
	}
	return answer{
		status: http.StatusOK, statement: a.manifest(string(r.target.ID), s), media: plainJSON,
		header: map[string]string{"Expires": s.Expires.UTC().Format(http.TimeFormat)},
	}, nil
}

// manifest lists the files (Bulk Data Access IG 2.0.0, export.html#response---complete-status).
func (a *api) manifest(job string, s gateway.ExportStatus) []byte {
	base := a.Base + "/export/" + job + "/"
	b := append([]byte(`{"transactionTime":"`), s.At.UTC().Format("2006-01-02T15:04:05.000000Z")...)
	b = append(b, `","request":`...)
	b = fhir.AppendString(b, s.Request)
	b = append(b, `,"requiresAccessToken":true,"output":[`...)
	for i, f := range s.Files {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"`+string(f.Type)+`","url":`...)
		b = append(fhir.AppendString(b, base+f.ID), '}')
	}
	b = append(b, `],"deleted":[],"error":[`...)
	if len(s.LeftOut) > 0 {
		b = append(b, `{"type":"OperationOutcome","url":`...)
		b = append(fhir.AppendString(b, base+leftOut), '}')
	}
	return append(b, `]}`...)
}

func (a *api) cancelExport(r *request) (answer, error) {
	if err := noneLeft(r.http.URL.RawQuery); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusAccepted}, a.Gateway.CancelExport(r.ctx, r.actor, string(r.target.ID))
}

// exportFile gives one file, line by line.
func (a *api) exportFile(r *request) (answer, error) {
	job, file := string(r.target.ID), path.Base(r.http.URL.Path)
	if file == leftOut {
		return a.leftOut(r, job)
	}
	return answer{status: http.StatusOK, media: fhirLines, lines: func(write func(gateway.Release) error) error {
		ctx, cancel := context.WithTimeout(r.http.Context(), exportTime)
		defer cancel()
		return a.Gateway.DownloadExport(ctx, r.actor, job, file, write)
	}}, nil
}

// leftOut is the one line that tells of parameters that were left out.
func (a *api) leftOut(r *request, job string) (answer, error) {
	s, err := a.Gateway.ExportStatus(r.ctx, r.actor, job)
	if err != nil {
		return answer{}, err
	}
	var issues []fhir.Issue
	for _, name := range s.LeftOut {
		issues = append(issues, fhir.Issue{Severity: "warning", Type: "not-supported", Code: "search.left-out", Expression: name})
	}
	if len(issues) == 0 || s.State != gateway.ExportComplete {
		return answer{}, fault(gateway.NotFound, "absent")
	}
	return answer{status: http.StatusOK, media: fhirLines, statement: append(outcome(issues, language(r.http.Header)), '\n')}, nil
}

// takesLines reads Accept of a file by itself: it has the media types of lines and no others, and no
// parameter.
func (a *api) takesLines(next gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.Request.URL.RawQuery != "" {
			a.refuseWith(fault(gateway.BadQuery, "search.parameter-unknown", "http.parameter"))(c)
			return
		}
		if !acceptsLines(c.Request.Header) {
			a.refuseWith(refuse(http.StatusNotAcceptable, gateway.MediaType, "export.format"))(c)
			return
		}
		plain := c.Request.Clone(c.Request.Context())
		plain.Header.Del("Accept")
		c.Request = plain
		next(c)
	}
}

func acceptsLines(h http.Header) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	if accept == "" {
		return true
	}
	for _, one := range strings.Split(accept, ",") {
		name, params, err := mime.ParseMediaType(one)
		if err == nil && params["q"] != "0" && slices.Contains([]string{fhirLines, plainLines, "application/x-ndjson", "application/*", "*/*"}, name) {
			return true
		}
	}
	return false
}
