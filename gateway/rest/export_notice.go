package rest

import (
	"net/http"
	"slices"

	"github.com/sluse/sluse/gateway"
)

const exportDocs = "https://hl7.org/fhir/uv/bulkdata/STU2/export.html"

// exportNotes describe exports.
var exportNotes = []notice{
	kickOff(http.MethodGet, "/Patient/$export", "export-patient-get"), kickOff(http.MethodPost, "/Patient/$export", "export-patient-post"),
	kickOff(http.MethodGet, "/Group/{id}/$export", "export-group-get"), kickOff(http.MethodPost, "/Group/{id}/$export", "export-group-post"),
	{
		method: http.MethodGet, path: exportPath + "/{id}", id: "export-status", summary: "How far an export has come", docs: exportDocs, tag: tagSystem,
		answers: []promise{
			{status: 200, text: "It is complete: the manifest. It stays until Expires.", body: "Anything", media: jsonOnly, headers: []string{"Expires"}},
			{status: 202, text: "It is under way.", headers: []string{"X-Progress", "Retry-After"}},
		}, refuses: readRefusals,
	},
	{
		method: http.MethodDelete, path: exportPath + "/{id}", id: "export-cancel", summary: "Cancel an export, or remove it", docs: exportDocs, tag: tagSystem,
		answers: []promise{{status: 202, text: "It is removed with all its files."}}, refuses: readRefusals,
	},
	{
		method: http.MethodGet, path: exportPath + "/{id}/{file}", id: "export-file", summary: "A file of an export", docs: exportDocs, tag: tagSystem,
		text:    "One resource in each line, decided anew when it is fetched.",
		answers: []promise{{status: 200, text: "The lines that the requester may read now.", body: "Anything", media: []string{fhirLines}}}, refuses: readRefusals,
	},
}

func kickOff(method, path, id string) notice {
	n := notice{
		method: method, path: root + path, id: id, summary: "Begin an export", docs: exportDocs,
		text:       "Parameters: _type, _since, _outputFormat; by POST in a Parameters resource. A job belongs to the party, person, role and client that began it; to anybody else it does not exist.",
		parameters: []string{"Prefer"},
		answers:    []promise{{status: 202, text: "Begun. Content-Location is where its status is.", headers: []string{"Content-Location"}}},
		refuses:    append(slices.Clone(readRefusals), gateway.BadQuery, gateway.TooCostly),
		tag:        tagSystem,
	}
	if method == http.MethodPost {
		n.takes = "Parameters"
	}
	return n
}
