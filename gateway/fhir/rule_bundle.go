package fhir

import "strings"

// bundleRules are the invariants of Bundle and CapabilityStatement.
var bundleRules = []rule{
	{"bdl-1", text{"total gjelder bare søk og historikk.", "total applies to searches and histories only."}, func(v *Value, _ *checker) bool {
		return !has(v, "total") || codeIs(v, "type", "searchset", "history")
	}},
	{"bdl-2", text{"entry.search gjelder bare søk.", "entry.search applies to searches only."}, func(v *Value, _ *checker) bool {
		return codeIs(v, "type", "searchset") || everyEntry(v, func(e *Value) bool { return !has(e, "search") })
	}},
	{"bdl-3", text{"entry.request står i batch, transaksjon og historikk, og bare der.", "entry.request stands in batch, transaction and history, and only there."}, func(v *Value, _ *checker) bool {
		wanted := codeIs(v, "type", "batch", "transaction", "history")
		return everyEntry(v, func(e *Value) bool { return has(e, "request") == wanted })
	}},
	{"bdl-4", text{"entry.response står i svar på batch og transaksjon og i historikk, og bare der.", "entry.response stands in batch and transaction responses and in history, and only there."}, func(v *Value, _ *checker) bool {
		wanted := codeIs(v, "type", "batch-response", "transaction-response", "history")
		return everyEntry(v, func(e *Value) bool { return has(e, "response") == wanted })
	}},
	{"bdl-5", text{"En entry har resource, request eller response.", "An entry has resource, request or response."}, func(v *Value, _ *checker) bool {
		return has(v, "resource") || has(v, "request") || has(v, "response")
	}},
	{"bdl-7", text{"fullUrl er unik, eller har ulik versjon.", "fullUrl is unique, or the version differs."}, func(v *Value, _ *checker) bool {
		if codeIs(v, "type", "history") {
			return true
		}
		seen := map[string]bool{}
		return everyEntry(v, func(e *Value) bool {
			url := e.Get("fullUrl").Text()
			if url == "" {
				return true
			}
			url += "|" + e.Get("resource", "meta", "versionId").Text()
			first := !seen[url]
			seen[url] = true
			return first
		})
	}},
	{"bdl-8", text{"fullUrl har ingen versjon.", "fullUrl has no version."}, func(v *Value, _ *checker) bool {
		return !strings.Contains(v.member("fullUrl").Text(), "/_history/")
	}},
	{"bdl-9", text{"Et dokument har identifikator med system og verdi.", "A document has an identifier with system and value."}, func(v *Value, _ *checker) bool {
		id := v.member("identifier")
		return implies(codeIs(v, "type", "document"), id.Get("system") != nil && id.Get("value") != nil)
	}},
	{"bdl-10", text{"Et dokument har tidspunkt.", "A document has a timestamp."}, func(v *Value, _ *checker) bool {
		return implies(codeIs(v, "type", "document"), v.member("timestamp") != nil)
	}},
	{"bdl-11", text{"Et dokument begynner med en Composition.", "A document begins with a Composition."}, beginsWith("document", "Composition")},
	{"bdl-12", text{"En melding begynner med en MessageHeader.", "A message begins with a MessageHeader."}, beginsWith("message", "MessageHeader")},
	{"cpb-1", text{"Minst én av rest, messaging og document.", "At least one of rest, messaging and document."}, func(v *Value, _ *checker) bool {
		return has(v, "rest") || has(v, "messaging") || has(v, "document")
	}},
	{"cpb-2", text{"Minst én av description, software og implementation.", "At least one of description, software and implementation."}, func(v *Value, _ *checker) bool {
		return has(v, "description") || has(v, "software") || has(v, "implementation")
	}},
	{"cpb-3", text{"messaging.endpoint gjelder bare en instans.", "messaging.endpoint applies to an instance only."}, func(v *Value, _ *checker) bool {
		for _, m := range v.member("messaging").Items() {
			if m.Get("endpoint") != nil && !codeIs(v, "kind", "instance") {
				return false
			}
		}
		return true
	}},
	{"cpb-7", text{"Dokumentprofiler er unike per modus.", "Document profiles are unique per mode."}, distinctBy("document", "profile", "mode")},
	{"cpb-9", text{"Hver ressurstype står én gang.", "Each resource type stands once."}, distinctBy("resource", "type")},
	{"cpb-12", text{"Hver søkeparameter står én gang.", "Each search parameter stands once."}, distinctBy("searchParam", "name")},
	{"cpb-14", text{"En instans har implementation.", "An instance has an implementation."}, func(v *Value, _ *checker) bool {
		return implies(codeIs(v, "kind", "instance"), has(v, "implementation"))
	}},
	{"cpb-15", text{"En capability har software og ikke implementation.", "A capability has software and no implementation."}, func(v *Value, _ *checker) bool {
		return implies(codeIs(v, "kind", "capability"), has(v, "software") && !has(v, "implementation"))
	}},
	{"cpb-16", text{"Krav har verken software eller implementation.", "Requirements have neither software nor implementation."}, func(v *Value, _ *checker) bool {
		return implies(codeIs(v, "kind", "requirements"), !has(v, "software") && !has(v, "implementation"))
	}},
}

func everyEntry(v *Value, holds func(*Value) bool) bool {
	for _, e := range v.member("entry").Items() {
		if !holds(e) {
			return false
		}
	}
	return true
}

func beginsWith(kind, name string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		if !codeIs(v, "type", kind) {
			return true
		}
		entries := v.member("entry").Items()
		return len(entries) > 0 && entries[0].Get("resource", "resourceType").Text() == name
	}
}

// distinctBy reports whether no two elements of a list agree in all the named members.
func distinctBy(list string, names ...string) func(*Value, *checker) bool {
	return func(v *Value, _ *checker) bool {
		seen := map[string]bool{}
		for _, item := range v.member(list).Items() {
			var key strings.Builder
			for _, name := range names {
				key.WriteString(item.Get(name).Text() + "\x00")
			}
			if seen[key.String()] {
				return false
			}
			seen[key.String()] = true
		}
		return true
	}
}
