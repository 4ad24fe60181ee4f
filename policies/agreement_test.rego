# METADATA
# title: Prøver av avtaler
# description: Hver betingelse for seg, av en avtale om tillit og av en om regime lov (hpl. §§ 22, 25, 45).
package sluse.agreement_test

import data.sluse.agreement

trust := {"name": "t", "custodian": "1", "registrar": "2", "start": "2026-01-01", "end": "2026-12-31"}

asked := {"now": "2026-06-01T10:00:00Z", "record": {"custodian": "1"}, "question": {"party": "3"}}

trusted(one, changes) if {
	agreement.trusted("2") with data.policy.agreements as {"trust": [object.union(trust, one)], "lov": []} with input as object.union(asked, changes)
}

test_trusted if trusted({}, {})

test_each_condition_of_trust if {
	not trusted({"registrar": "4"}, {})
	not trusted({"custodian": "4"}, {})
	not trusted({}, {"record": {"custodian": "4"}})
	not trusted({}, {"question": {"party": "2"}})
	not trusted({"end": "2026-05-31"}, {})
	not trusted({"start": "2026-06-02"}, {})
}

test_first_and_last_day if {
	trusted({"start": "2026-06-01"}, {"now": "2026-05-31T22:00:00Z"})
	not trusted({"start": "2026-06-01"}, {"now": "2026-05-31T21:59:59Z"})
	trusted({"end": "2026-06-01"}, {"now": "2026-06-01T21:59:59Z"})
	not trusted({"end": "2026-06-01"}, {"now": "2026-06-01T22:00:00Z"})
}

lov := {
	"name": "l", "start": "2026-01-01", "end": "2026-12-31", "law": "HPL25-45",
	"custodian": {"party": "1", "lovgrunnlag": "helse-spesialist"}, "recipient": {"party": "3", "lovgrunnlag": "helse-kommune"},
	"roles": ["lege", "sykepleier"], "purposes": ["TREAT"], "actions": ["read", "message"], "labels": ["somatisk"], "types": ["CarePlan"],
}

reader := {"party": "3", "lovgrunnlag": "helse-kommune", "purpose": "TREAT", "action": "read", "role": "lege"}

lawful(one, question) := count(found) if {
	found := agreement.lawful with data.policy.agreements as {"trust": [], "lov": [object.union(lov, one)]}
		with input as object.union(asked, {"question": object.union(reader, question), "record": {"custodian": "1", "sent": []}})
}

test_lawful if {
	lawful({}, {}) == 1
	lawful({}, {"action": "message"}) == 1
	lawful({"roles": ["*"]}, {"role": "vaktmester"}) == 1
	lawful({"roles": ["*"]}, {"role": null}) == 1
}

# An agreement that is not between two parties under a law of helse is none, whatever the data says.
test_each_condition_of_lov if {
	lawful({"custodian": {"party": "4", "lovgrunnlag": "helse-spesialist"}}, {}) == 0
	lawful({"custodian": {"party": "1", "lovgrunnlag": "sosial"}}, {}) == 0
	lawful({"recipient": {"party": "4", "lovgrunnlag": "helse-kommune"}}, {}) == 0
	lawful({"recipient": {"party": "3", "lovgrunnlag": "sosial"}}, {"lovgrunnlag": "sosial"}) == 0
	lawful({}, {"lovgrunnlag": "helse-spesialist"}) == 0
	lawful({}, {"party": "4"}) == 0
	lawful({}, {"purpose": "ETREAT"}) == 0
	lawful({}, {"action": "notify"}) == 0
	lawful({}, {"action": "contribute"}) == 0
	lawful({}, {"role": "vaktmester"}) == 0
	lawful({}, {"role": ""}) == 0
	lawful({}, {"role": null}) == 0
	lawful({"end": "2026-05-31"}, {}) == 0
	lawful({"start": "2026-06-02"}, {}) == 0
}
