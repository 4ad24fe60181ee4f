# METADATA
# title: Prøver av forbud
# description: Forbud leses vidt - det som ikke er oppgitt eller ikke er kjent, treffer; det som er oppgitt, treffer bare det (pbrl. § 5-3, hpl. § 22).
package sluse.deny_test

import data.sluse.formula_test
import data.sluse.releasable

deny := {"type": "deny"}

opposed(provision, changes) if {
	consents := [formula_test.consent(formula_test.permit), formula_test.consent(object.union(deny, provision))]
	a := releasable.answer with input as object.union(object.union(formula_test.whole, {"consents": consents}), changes)
	a.releasable == false
}

to(ref) := {"actor": [formula_test.actor("IRCP", ref)]}

from(ref) := {"actor": [formula_test.actor("CST", ref)]}

test_deny if {
	every provision in [
		{}, to("Organization/b"), to("Organization/x"), from("Organization/a"), from("Organization/x"),
		{"purpose": [formula_test.purpose("TREAT")]}, {"purpose": [formula_test.purpose("COC"), formula_test.purpose("TREAT")]},
		{"action": [formula_test.action("access")]}, {"class": [formula_test.class("CarePlan")]}, {"data": [formula_test.item("CarePlan/p1")]},
		{"securityLabel": [formula_test.label("plan")]}, {"securityLabel": [formula_test.label("rus"), formula_test.label("plan")]},
		{"dataPeriod": {"start": "2026-03-01"}}, {"dataPeriod": {"end": "2026-03-01"}}, {"dataPeriod": {"start": "2026-03-02", "end": "2026-04-01"}},
		{"period": {"start": "2026-06-01"}}, {"period": {"end": "2026-06-01"}}, {"period": {"end": "2099"}},
	] {
		opposed(provision, {})
	}
	every provision in [
		to("Organization/c"), from("Organization/c"), {"purpose": [formula_test.purpose("COC")]}, {"action": [formula_test.action("disclose")]},
		{"class": [formula_test.class("Goal")]}, {"data": [formula_test.item("CarePlan/p2")]}, {"securityLabel": [formula_test.label("rus")]},
		{"dataPeriod": {"start": "2026-03-03"}}, {"dataPeriod": {"end": "2026-02-28"}}, {"period": {"start": "2026-06-02"}}, {"period": {"end": "2026-05-31"}},
	] {
		not opposed(provision, {})
	}
}

test_what_the_asker_leaves_out if {
	coc := {"purpose": [formula_test.purpose("COC")]}
	opposed(coc, {"question": {"purpose": ""}})
	opposed(coc, {"question": {"purpose": "SNOOP"}})
	opposed(coc, {"question": {"purpose": null}})
	opposed(coc, {"question": {"purpose": "COC"}})
	not opposed(coc, {"question": {"purpose": "ETREAT"}})
	every code, known in data.policy.purposes.codes {
		every below in known.below {
			opposed({"purpose": [formula_test.purpose(code)]}, {"question": {"purpose": below}})
		}
	}
	opposed({"dataPeriod": {"start": "2030"}}, {"record": {"low": null}})
	opposed({"dataPeriod": {"start": "2030"}}, {"record": {"low": null, "high": null}})
}

test_who_registers_a_deny_is_no_matter if {
	every registrar in ["1", "4"] {
		a := releasable.answer with input as object.union(formula_test.whole, {"consents": both_of(registrar)})
		a.releasable == false
	}
}

both_of(registrar) := [formula_test.consent(formula_test.permit), object.union(formula_test.consent(deny), {"registrar": registrar})]

# A Consent that cannot be read denies everything; one that does not count denies nothing.
test_unreadable if {
	every change in [
		{"op": "replace", "path": "/resource/provision/type", "value": "x"}, {"op": "add", "path": "/resource/provision/code", "value": []},
		{"op": "replace", "path": "/resource/status", "value": "ukjent"}, {"op": "replace", "path": "/registrar", "value": ""},
	] {
		unreadable(change)
	}
	every status in ["draft", "proposed", "rejected", "inactive", "entered-in-error"] {
		not unreadable({"op": "replace", "path": "/resource/status", "value": status})
	}
}

unreadable(change) if {
	consents := [formula_test.consent(formula_test.permit), json.patch(formula_test.consent(object.union(deny, to("Organization/c"))), [change])]
	a := releasable.answer with input as object.union(formula_test.whole, {"consents": consents})
	a == {"releasable": false, "covered": set()}
	permits := json.patch(formula_test.consent(formula_test.permit), [change])
	releasable.permitted == set() with input as object.union(formula_test.whole, {"consents": [permits]})
}

# What another has withdrawn permits nothing, and what it denies stands.
test_withdrawn if {
	gone := {"withdrawn": true, "resource": {"status": "inactive"}}
	a := releasable.answer with input as object.union(formula_test.whole, {"consents": [object.union(formula_test.consent(formula_test.permit), gone)]})
	a.releasable == false
	b := releasable.answer with input as object.union(formula_test.whole, {"consents": [formula_test.consent(formula_test.permit), object.union(formula_test.consent(deny), gone)]})
	b.releasable == false
	broken := object.union(object.union(formula_test.consent(deny), gone), {"resource": {"provision": {"type": "x"}}})
	c := releasable.answer with input as object.union(formula_test.whole, {"consents": [formula_test.consent(formula_test.permit), broken]})
	c == {"releasable": false, "covered": set()}
}

custodian(c, chain, whose) if {
	releasable.custodian_wide(c, chain) with input as object.union(formula_test.whole, {"record": {"custodian": whose}})
}

test_custodians_of_a_deny if {
	c := {"registrar": "1", "resource": {}}
	at_c := {"registrar": "1", "resource": {"organization": [{"reference": "Organization/c"}]}}
	permit := {"type": "permit"}
	custodian(c, [deny], "9")
	custodian(c, [deny, deny], "9")
	custodian(c, [permit, deny], "1")
	not custodian(c, [permit, deny], "9")
	not custodian(c, [deny, permit, deny], "9")
	custodian(at_c, [deny], "4")
	not custodian(at_c, [deny], "1")
	not custodian(at_c, [permit, deny], "1")
	custodian(object.union(c, {"resource": {"organization": [{"reference": "Organization/x"}]}}), [deny], "9")
	custodian(object.union(c, {"resource": {"organization": [{"reference": "Organization/c"}, {"reference": "Organization/a"}]}}), [deny], "2")
	custodian(at_c, [from("Organization/a")], "1")
	custodian(at_c, [from("Organization/a")], "2")
	not custodian(at_c, [from("Organization/a")], "4")
	custodian(c, [from("Organization/a"), {}], "1")
	custodian(c, [from("Organization/x"), {}], "9")
	not custodian(c, [from("Organization/a"), from("Organization/c")], "1")
	not custodian(c, [from("Organization/x"), from("Organization/c")], "1")
	custodian(c, [from("Organization/x"), from("Organization/c")], "4")
	not custodian(c, [permit, object.union(deny, from("Organization/c"))], "1")
}

taken(chain, record) := l if l := releasable.taken(chain) with input as object.union(formula_test.whole, {"record": record})

plan := {"securityLabel": [formula_test.label("plan"), formula_test.label("rus")]}

test_labels_taken if {
	count(taken([{}], {})) == count(data.policy.labels.categories)
	taken([plan], {}) == {"plan", "rus"}
	taken([plan, {"securityLabel": [formula_test.label("rus"), formula_test.label("bolig")]}], {}) == {"rus"}
	taken([plan, {}], {}) == {"plan", "rus", "samarbeid"}
	taken([plan, {"securityLabel": [formula_test.label("samarbeid")]}], {}) == {"samarbeid"}
	taken([object.union(plan, {"class": [formula_test.class("Goal")]}), {}], {}) == {"samarbeid"}
	taken([object.union(plan, {"class": [formula_test.class("Goal")]}), {"securityLabel": [formula_test.label("rus")]}], {}) == set()
	taken([plan, {"class": [formula_test.class("Goal")]}], {}) == set()
	taken([plan, {"data": [formula_test.item("CarePlan/p2")]}], {}) == set()
	taken([plan, {"dataPeriod": {"start": "2026-03-03"}}], {}) == set()
	taken([{"securityLabel": [formula_test.label("plan")], "data": [formula_test.item("CarePlan/p2")]}], {}) == set()
	taken([object.union(plan, {"data": [formula_test.item("CarePlan/p1")]})], {}) == {"plan", "rus"}
}

# A Binary is struck as what holds it, and as itself.
test_binary_taken if {
	binary := {"type": "Binary", "id": "b1", "context": {"type": "CarePlan", "id": "p1"}}
	every hit in [
		{"class": [formula_test.class("CarePlan")]}, {"class": [formula_test.class("Binary")]}, {"data": [formula_test.item("CarePlan/p1")]}, {"data": [formula_test.item("Binary/b1")]},
		{"class": [formula_test.class("Binary")], "data": [formula_test.item("CarePlan/p1")]},
	] {
		taken([object.union(plan, hit)], binary) == {"plan", "rus"}
	}
	every miss in [{"class": [formula_test.class("Goal")]}, {"data": [formula_test.item("CarePlan/b1")]}, {"data": [formula_test.item("Binary/p1")]}, {"data": [formula_test.item("Goal/p1")]}] {
		taken([object.union(plan, miss)], binary) == set()
	}
	taken([object.union(plan, {"class": [formula_test.class("Binary")]}), {"class": [formula_test.class("CarePlan")]}], binary) == {"plan", "rus", "samarbeid"}
}

overlaps(spans, record) if releasable.overlaps(spans) with input as object.union(formula_test.whole, {"record": record})

test_times_of_records if {
	low := time.parse_rfc3339_ns(formula_test.whole.record.low)
	high := time.parse_rfc3339_ns(formula_test.whole.record.high)
	overlaps([], {})
	overlaps([], {"low": null})
	every span in [[low, high], [low - 5, low + 1], [high - 1, high + 5], [low - 5, high + 5], [low + 1, high - 1]] {
		overlaps([{"low": span[0], "high": span[1]}], {})
	}
	every span in [[low - 5, low], [high, high + 5], [high + 1, high + 5], [low + 5, low + 1]] {
		not overlaps([{"low": span[0], "high": span[1]}], {})
	}
	overlaps([{"low": 1, "high": 2}], {"low": null})
	not overlaps([{"low": 2, "high": 2}], {"low": null})
	not overlaps([{"low": 2, "high": 1}], {"low": null})
	not overlaps([{"low": 1, "high": 5}, {"low": 5, "high": 9}], {"low": null})
	not overlaps([{"low": low - 9, "high": high}, {"low": high, "high": high + 9}], {})
	not overlaps([{"low": low, "high": low + 2}, {"low": low + 2, "high": high}], {})
}

# What crosses by a hjemmel: a message of its types, or what came by one; within its ceiling, and below every deny.
test_hjemmel if {
	on := {"hjemler": [{"id": "logistikk-hf-bydel", "party": "1", "sector": "hf"}]}
	message := {"question": {"action": "message", "message": "LOG_INNLAGT", "sector": "bydel-helse"}, "record": {"labels": ["logistikk", "samarbeid"]}, "consents": []}
	crosses([on, message])
	not crosses([message])
	not crosses([on, message, {"question": {"message": "EPIKRISE"}}])
	not crosses([on, message, {"question": {"sector": "hf"}}])
	not crosses([on, message, {"question": {"action": "notify"}}])
	not crosses([on, message, {"record": {"custodian": "4"}}])
	not crosses([on, message, {"record": {"labels": ["rus"]}}])
	not crosses([on, message, {"consents": [formula_test.consent(deny)]}])
	came := {"question": {"action": "read", "message": ""}, "record": {"sent": [{"to": "3", "message": "LOG_INNLAGT", "labels": ["logistikk", "samarbeid"]}]}}
	crosses([on, message, came])
	not crosses([on, message, {"question": {"action": "read", "message": ""}}])
	not crosses([on, message, came, {"record": {"sent": [{"to": "3", "message": "EPIKRISE", "labels": ["logistikk", "samarbeid"]}]}}])
	not crosses([on, message, came, {"record": {"sent": [{"to": "4", "message": "LOG_INNLAGT", "labels": ["logistikk", "samarbeid"]}]}}])
	other := {"to": "4", "message": "LOG_INNLAGT", "labels": ["logistikk", "samarbeid"]}
	not crosses([on, message, came, {"record": {"sent": [{"to": "3", "message": "EPIKRISE", "labels": ["logistikk", "samarbeid"]}, other]}}])
	crosses([on, message, came, {"record": {"sent": [{"to": "3", "message": "LOG_INNLAGT", "labels": ["logistikk", "samarbeid"]}, other]}}])
	not crosses([on, message, came, {"record": {"sent": [{"to": "3", "message": "LOG_INNLAGT", "labels": ["samarbeid"]}]}}])
	not crosses([on, message, came, {"record": {"labels": ["rus"], "sent": [{"to": "3", "message": "LOG_INNLAGT", "labels": ["rus"]}]}}])
	not crosses([on, message, came, {"question": {"action": "notify"}}])
	not crosses([on, message, came, {"question": {"action": "contribute"}}])
	releasable.action_asked == "read" with input as object.union_n([formula_test.whole, came])
	every act in ["read", "notify", "contribute"] {
		not releasable.action_asked with input as object.union(formula_test.whole, {"question": {"action": act}})
	}
}

crosses(changes) if {
	a := releasable.answer with input as object.union_n(array.concat([formula_test.whole], changes))
	a.releasable
}

# Emergency access goes above consents and what was withheld from a message, for its own labels.
test_emergency if {
	glass := {"question": {"emergency": {"purpose": "BTG", "hpr": true, "reason": true, "bound": true, "sector": "hf"}}, "consents": [formula_test.consent(deny)]}
	record := {"record": {"labels": ["rus"], "sent": [{"to": "3", "message": "", "labels": []}]}}
	crosses([glass, record])
	not crosses([glass, {"record": {"labels": ["plan"]}}])
	not crosses([glass, record, {"question": {"emergency": {"bound": false}}}])
	not crosses([glass, record, {"question": {"action": "message"}}])
}
