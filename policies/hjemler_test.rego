# METADATA
# title: Prøver av hjemler
# description: Hver betingelse for seg (hpl. § 25, pbrl. § 5-3).
package sluse.hjemler_test

import data.sluse.hjemler

on := {"id": "logistikk-hf-bydel", "party": "1", "sector": "hf"}

sent := {"party": "2", "sector": "bydel-helse", "action": "message", "message": "LOG_INNLAGT", "switched": [on]}

lawful(changes) := l if l := hjemler.lawful with input as object.union(sent, changes)

test_on if {
	lawful({}) == {["logistikk-hf-bydel", "1"]}
	lawful({"action": "read", "message": ""}) == {["logistikk-hf-bydel", "1"]}
}

test_off if lawful({"switched": []}) == set()

test_each_condition if {
	lawful({"message": "MEDISINSKE_OPPLYSNINGER"}) == set()
	lawful({"message": ""}) == set()
	lawful({"sector": "bydel-sosial"}) == set()
	lawful({"sector": null}) == set()
	lawful({"party": "1"}) == set()
	lawful({"party": null}) == set()
	every action in ["notify", "contribute", "write", ""] {
		lawful({"action": action}) == set()
	}
	every changes in [{"sector": "bydel-helse"}, {"id": "logistikk"}, {"party": null}] {
		lawful({"switched": [object.union(on, changes)]}) == set()
	}
}

test_several if lawful({"switched": [on, object.union(on, {"party": "3"}), object.union(on, {"party": "2"})]}) == {["logistikk-hf-bydel", "1"], ["logistikk-hf-bydel", "3"]}

test_ceiling if {
	hjemler.row_of("logistikk-hf-bydel").labels == ["logistikk", "demografi", "samarbeid"]
	not hjemler.row_of("annet")
}
