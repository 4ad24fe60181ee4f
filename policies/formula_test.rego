# METADATA
# title: Prøver av hver formel
# description: Et helt spørsmål krysser; med én ting forandret gjør det ikke, eller gjør det likevel (hpl. §§ 21, 22, pbrl. § 5-3).
package sluse.formula_test

import data.sluse.releasable

label(code) := {"system": "http://sluse.no/fhir/CodeSystem/informasjonskategori", "code": code}

role(code) := {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": code}]}

actor(code, ref) := {"role": role(code), "reference": {"reference": ref}}

purpose(code) := {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}

action(code) := {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": code}]}

class(code) := {"system": "http://hl7.org/fhir/resource-types", "code": code}

item(ref) := {"meaning": "instance", "reference": {"reference": ref}}

permit := {
	"type": "permit", "actor": [actor("IRCP", "Organization/b")], "securityLabel": [label("plan")],
	"period": {"start": "2026-01-01", "end": "2026-12-31"},
}

consent(provision) := {"registrar": "1", "patient": false, "confirmed": [], "groups": {}, "withdrawn": false, "resource": {
	"status": "active", "dateTime": "2026-01-01", "provision": provision,
	"policyRule": {"coding": [{"system": "http://sluse.no/fhir/CodeSystem/rettsgrunnlag", "code": "HPL22"}]},
}}

entry(fields) := object.union({"party": "", "unit": "", "practitioner": "", "role": "", "parts": []}, fields)

whole := {
	"now": "2026-06-01T10:00:00Z", "hjemler": [], "teams": {}, "statements": [],
	"directory": {"Organization/a": entry({"party": "1", "parts": ["2"]}), "Organization/b": entry({"party": "3"}), "Organization/c": entry({"party": "4"})},
	"consents": [consent(permit)],
	"question": {
		"kind": "person", "action": "read", "party": "3", "unit": "", "practitioner": "5", "role": "lege", "purpose": "TREAT",
		"attested": true, "lovgrunnlag": "helse-kommune", "sector": "hf", "message": "", "emergency": null,
	},
	"record": {
		"type": "CarePlan", "id": "p1", "custodian": "1", "person": true, "labels": ["plan"], "fetched": [], "sent": [],
		"low": "2026-03-01T00:00:00Z", "high": "2026-03-02T00:00:00Z",
	},
}

answer(changes) := a if a := releasable.answer with input as object.union(whole, changes)

crosses(changes) if answer(changes).releasable == true

given(provision, changes) := object.union({"consents": [consent(object.union(permit, provision))]}, changes)

test_whole if {
	answer({}) == {"releasable": true, "covered": {"plan", "samarbeid"}}
	answer({"record": {"labels": []}}).releasable == false
	answer({"consents": []}) == {"releasable": false, "covered": set()}
	answer({"record": {"type": "AuditEvent"}}) == {"releasable": false, "covered": set()}
}

# damaged holds one thing each that makes a record one of which nothing crosses.
damaged := [
	{"type": ""}, {"type": 1}, {"id": ""}, {"id": 5}, {"person": false}, {"person": null}, {"labels": {"0": "plan"}}, {"labels": null},
	{"labels": ["plan", "ukjent"]}, {"fetched": {}}, {"fetched": null}, {"sent": {}}, {"sent": null}, {"sent": [{"to": 4, "labels": []}]},
	{"sent": [{"to": "4", "labels": "plan"}]}, {"sent": [{"to": "4"}]}, {"custodian": ""}, {"custodian": null},
	{"context": {"type": "", "id": "p1"}}, {"context": {"type": "CarePlan", "id": ""}}, {"context": {"type": "CarePlan"}}, {"context": {"id": "p1"}},
]

test_what_is_missing if {
	every record in damaged {
		not crosses({"record": record})
		every act in ["read", "message", "notify", "contribute"] {
			answer({"record": record, "question": {"action": act}}) == {"releasable": false, "covered": set()}
			not releasable.crossing with input as object.union(whole, {"record": record, "question": {"action": act}})
		}
	}
	every question in [
		{"party": ""}, {"party": null}, {"kind": "machine"}, {"kind": "patient"}, {"kind": null}, {"attested": false}, {"attested": null},
		{"action": "write"}, {"action": ""}, {"action": null},
	] {
		not crosses({"question": question})
	}
	not crosses({"now": null})
	not crosses({"now": 5})
	not crosses({"consents": {"0": consent(permit)}})
	not crosses({"consents": null})
}

test_fetched if {
	got := {"record": {"fetched": ["rus", "plan"]}, "consents": []}
	answer(got) == {"releasable": true, "covered": {"rus", "plan"}}
	every changes in [
		{"question": {"action": "notify"}}, {"question": {"action": "contribute"}}, {"question": {"kind": "machine"}}, {"question": {"attested": false}},
		{"now": null}, {"record": {"labels": ["ukjent"]}}, {"record": {"labels": null}}, {"record": {"person": false}}, {"record": {"sent": null}},
		{"record": {"sent": [{"to": 4, "labels": []}]}}, {"consents": null}, {"record": {"id": ""}}, {"record": {"type": ""}}, {"record": {"custodian": ""}},
		{"record": {"fetched": {"0": "plan"}}},
	] {
		answer(object.union(got, changes)) == {"releasable": false, "covered": set()}
	}
	answer(object.union(got, {"record": {"type": "AuditEvent"}})).releasable
}

test_own if {
	mine := {"question": {"party": "1"}, "consents": []}
	answer(mine).releasable
	count(answer(mine).covered) == count(data.policy.labels.categories)
	count(answer(object.union(mine, {"record": {"fetched": ["plan"]}})).covered) == count(data.policy.labels.categories)
	every question in [{"action": "message"}, {"action": "notify"}, {"action": "contribute"}, {"attested": false}] {
		crosses(object.union(mine, {"question": question}))
	}
	every question in [{"action": "message", "kind": "machine"}, {"action": "notify", "kind": "machine"}] {
		crosses(object.union(mine, {"question": question}))
	}
	every question in [{"action": "write"}, {"kind": "machine"}, {"kind": "machine", "action": "contribute"}, {"kind": "patient"}, {"kind": "nobody", "action": "message"}] {
		not crosses(object.union(mine, {"question": question}))
	}
	every act in ["read", "message", "notify", "contribute"] {
		not releasable.crossing with input as object.union(whole, {"question": {"party": "1", "action": act}})
	}
	not crosses({"question": {"party": ""}, "record": {"custodian": ""}})
	not crosses({"question": {"party": null}, "record": {"custodian": null}})
}

test_who_crosses if {
	crosses({"question": {"action": "message"}})
	crosses({"question": {"action": "message", "kind": "machine", "attested": false}})
	crosses({"question": {"action": "notify", "kind": "machine"}})
	not crosses({"question": {"action": "message", "kind": "patient"}})
	may := given({"action": [action("collect")]}, {})
	crosses(object.union(may, {"question": {"action": "contribute"}}))
	not crosses(object.union(may, {"question": {"action": "contribute", "kind": "machine"}}))
	not crosses(object.union(may, {"question": {"action": "contribute", "attested": false}}))
	every act in ["write", "", null] {
		not releasable.crossing with input as object.union(whole, {"question": {"action": act}})
	}
}

test_sent if {
	crosses(to_party("3", ["plan"]))
	crosses(to_party("4", []))
	not crosses(to_party("3", []))
	not crosses(to_party("3", ["rus"]))
	answer(object.union(given({"securityLabel": [label("plan"), label("rus")]}, {}), to_party("3", ["plan"]))).covered == {"plan"}
	both := {"record": {"labels": ["plan"], "sent": [{"to": "3", "labels": ["plan"], "message": ""}, {"to": "4", "labels": ["rus", "samarbeid"], "message": ""}]}}
	answer(object.union(given({"securityLabel": [label("plan"), label("rus")]}, {}), both)).covered == {"plan"}
	crosses(object.union(to_party("3", []), {"question": {"action": "message"}}))
	not crosses(object.union(to_party("3", []), {"question": {"action": "notify"}}))
	every act in ["notify", "contribute"] {
		releasable.limit == {"plan"} with input as object.union(whole, object.union(to_party("3", ["plan"]), {"question": {"action": act}}))
	}
	not crosses(object.union(given({"action": [action("access")]}, {}), to_party("3", ["plan"])))
	crosses(object.union(given({"action": [action("disclose")]}, {}), to_party("3", ["plan"])))
	not crosses(given({"action": [action("disclose")]}, {}))
}

to_party(party, labels) := {"record": {"sent": [{"to": party, "labels": labels, "message": "EPIKRISE"}]}}

# Each thing that a permit says must be so.
test_permit if {
	every provision in [
		{"purpose": [purpose("TREAT")]}, {"purpose": [purpose("ETREAT"), purpose("TREAT")]}, {"action": [action("access")]}, {"class": [class("CarePlan")]},
		{"data": [item("CarePlan/p1")]}, {"dataPeriod": {"start": "2026-03-01"}}, {"dataPeriod": {"end": "2026-03-02"}},
		{"actor": [actor("IRCP", "Organization/b"), actor("CST", "Organization/a")]}, {"period": {"end": "2026-06-01"}},
	] {
		crosses(given(provision, {}))
	}
	every provision in [
		{"purpose": [purpose("ETREAT")]}, {"action": [action("disclose")]}, {"class": [class("Goal")]}, {"data": [item("CarePlan/p2")]}, {"data": [item("Goal/p1")]},
		{"dataPeriod": {"start": "2026-03-02"}}, {"dataPeriod": {"end": "2026-02-28"}}, {"actor": [actor("IRCP", "Organization/c")]}, {"actor": [actor("CST", "Organization/a")]},
		{"actor": [actor("IRCP", "Organization/b"), actor("CST", "Organization/c")]}, {"securityLabel": [label("rus")]}, {"securityLabel": [label("samarbeid")]},
		{"period": {"start": "2026-06-02"}}, {"period": {"end": "2026-05-31"}}, {"type": "deny"},
	] {
		not crosses(given(provision, {}))
	}
	not crosses({"consents": [consent(object.remove(permit, ["period"]))]})
	not crosses({"consents": [consent(object.union(object.remove(permit, ["period"]), {"period": {"start": "2026-01-01"}}))]})
	not crosses({"consents": [consent(object.remove(permit, ["securityLabel"]))]})
	not crosses({"consents": [consent(object.remove(permit, ["actor"]))]})
	not crosses(object.union(given({"dataPeriod": {"start": "2026-01-01"}}, {}), {"record": {"low": null, "high": null}}))
	every status in ["draft", "inactive", "ukjent"] {
		not crosses({"consents": [json.patch(consent(permit), [{"op": "replace", "path": "/resource/status", "value": status}])]})
	}
	every law in ["PBRL53", "HPL99", "HPL25-45"] {
		not crosses({"consents": [json.patch(consent(permit), [{"op": "replace", "path": "/resource/policyRule/coding/0/code", "value": law}])]})
	}
}

test_begun if {
	open := object.union(object.remove(permit, ["period"]), {"period": {"end": "2026-12-31"}})
	crosses({"consents": [consent(open)]})
	every day in ["2026-06-02", "i dag", ""] {
		not crosses({"consents": [json.patch(consent(open), [{"op": "replace", "path": "/resource/dateTime", "value": day}])]})
	}
	crosses({"consents": [json.patch(consent(open), [{"op": "replace", "path": "/resource/dateTime", "value": "2026-06-01T10:00:00Z"}])]})
	crosses({"consents": [json.patch(consent(permit), [{"op": "replace", "path": "/resource/dateTime", "value": "2026-07-01"}])]})
	crosses({"now": "2025-12-31T23:00:00Z"})
	not crosses({"now": "2025-12-31T22:59:59Z"})
	crosses({"now": "2026-12-31T22:59:59Z"})
	not crosses({"now": "2026-12-31T23:00:00Z"})
}

test_labels_held if {
	releasable.held([{"securityLabel": [label("plan"), label("rus")]}]) == {"plan", "rus"}
	releasable.held([{"securityLabel": [label("plan"), label("rus")]}, {"securityLabel": [label("rus"), label("bolig")]}]) == {"rus"}
	releasable.held([{"securityLabel": [label("uklassifisert"), label("rus")]}]) == {"rus"}
	releasable.held([{"securityLabel": [label("uklassifisert")]}, {"data": [item("CarePlan/p1")]}]) == {"uklassifisert"}
	count(releasable.held([{"data": [item("CarePlan/p1")]}])) == count(data.policy.labels.categories) - 1
	not "uklassifisert" in releasable.held([{"data": [item("CarePlan/p1")]}])
	releasable.held([{}]) == set()
	releasable.held([{"period": {}}, {"class": []}]) == set()
}

test_actions if {
	releasable.actions([{}]) == {"read", "message", "notify"}
	releasable.actions([{"action": [action("collect")]}]) == {"contribute"}
	releasable.actions([{"action": [action("collect"), action("access")]}, {}]) == {"read"}
	releasable.actions([{"action": [action("collect"), action("access")]}, {"action": [action("correct"), action("disclose")]}]) == {"contribute"}
	releasable.actions([{}, {"action": [action("collect"), action("disclose")]}]) == {"contribute", "message", "notify"}
}

# Whose records a permit is about, and whom it binds for what others do.
test_custodians_of_a_permit if {
	releasable_custodian({"registrar": "1", "resource": {}}, [{}], "1")
	not releasable_custodian({"registrar": "1", "resource": {}}, [{}], "3")
	releasable_custodian({"registrar": "3", "resource": {"organization": [{"reference": "Organization/c"}, {"reference": "Organization/a"}]}}, [{}], "1")
	not releasable_custodian({"registrar": "1", "resource": {"organization": [{"reference": "Organization/c"}]}}, [{}], "1")
	not releasable_custodian({"registrar": "1", "resource": {"organization": [{"reference": "Organization/x"}]}}, [{}], "1")
	from_a := {"actor": [actor("CST", "Organization/a")]}
	from_c := {"actor": [actor("CST", "Organization/c")]}
	both := {"actor": [actor("CST", "Organization/c"), actor("CST", "Organization/a")]}
	releasable_custodian({"registrar": "3", "resource": {"organization": [{"reference": "Organization/c"}]}}, [from_a], "1")
	releasable_custodian({"registrar": "3", "resource": {}}, [both, {}, from_a], "1")
	not releasable_custodian({"registrar": "1", "resource": {}}, [from_a, from_c], "1")
	not releasable_custodian({"registrar": "1", "resource": {}}, [from_c], "1")
	not releasable_custodian({"registrar": "1", "resource": {"organization": [{"reference": "Organization/a"}]}}, [{}, from_c], "1")
	not releasable_custodian({"registrar": "2", "resource": {}}, [from_a], "2")
}

releasable_custodian(c, chain, custodian) if {
	releasable.custodian_exact(c, chain) with input as object.union(whole, {"record": {"custodian": custodian}})
}

test_bound if {
	by_other := object.union(consent(object.union(permit, {
		"actor": [actor("IRCP", "Organization/b"), actor("CST", "Organization/a")],
		"action": [action("access"), action("disclose"), action("collect")],
	})), {"registrar": "4"})
	every act in ["read", "notify", "contribute"] {
		not crosses({"consents": [by_other], "question": {"action": act}})
		crosses({"consents": [object.union(by_other, {"patient": true})], "question": {"action": act}})
		crosses({"consents": [object.union(by_other, {"registrar": "1"})], "question": {"action": act}})
		crosses({"consents": [object.union(by_other, {"confirmed": [{"by": "1", "patient": false}]})], "question": {"action": act}})
		crosses({"consents": [object.union(by_other, {"confirmed": [{"by": "4", "patient": true}]})], "question": {"action": act}})
		not crosses({"consents": [object.union(by_other, {"confirmed": [{"by": "4", "patient": false}]})], "question": {"action": act}})
	}
	crosses({"consents": [by_other], "question": {"action": "message"}})
	crosses(object.union({"consents": [by_other]}, to_party("3", ["plan"])))
}

test_samarbeid if {
	known := {"record": {"type": "Encounter", "id": "e", "labels": ["samarbeid"]}}
	crosses(known)
	every provision in [{"class": [class("Goal")]}, {"data": [item("Goal/x")]}, {"dataPeriod": {"end": "2020"}}] {
		crosses(given(provision, known))
	}
	every provision in [{"purpose": [purpose("ETREAT")]}, {"actor": [actor("IRCP", "Organization/c")]}, {"action": [action("disclose")]}, {"period": {"end": "2026-05-31"}}] {
		not crosses(given(provision, known))
	}
	not crosses(object.union(known, {"consents": [consent(object.remove(permit, ["securityLabel"]))]}))
	not crosses(given({"securityLabel": [label("uklassifisert")]}, known))
	not crosses(object.union(known, {"record": {"custodian": "4"}}))
	not crosses(object.union(known, {"consents": [json.patch(consent(permit), [{"op": "replace", "path": "/resource/status", "value": "draft"}])]}))
}
