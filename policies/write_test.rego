# METADATA
# title: Prøver av skriving
# description: Hvem som skriver hva (hpl. §§ 39–40).
package sluse.write_test

import data.sluse.write

allowed(kind, type) if {
	write.allowed with input as {"kind": kind, "type": type}
}

test_operator if {
	every t in ["Organization", "HealthcareService", "Endpoint"] {
		allowed("operator", t)
	}
	every t in ["Patient", "CarePlan", "Consent", "AuditEvent"] {
		not allowed("operator", t)
	}
}

test_person if {
	every t in ["CarePlan", "Consent", "Provenance", "PractitionerRole"] {
		allowed("person", t)
	}
	not allowed("person", "AuditEvent")
	not allowed("person", "")
	not write.allowed with input as {"kind": "person"}
}

test_patient if {
	allowed("patient", "Consent")
	allowed("patient", "Patient")
	not allowed("patient", "CarePlan")
}

test_machine if {
	allowed("machine", "Subscription")
	every t in ["Task", "Patient", "Consent", "AuditEvent", "Organization", ""] {
		not allowed("machine", t)
	}
	every k in ["compliance", "operator", "patient", "nobody", ""] {
		not allowed(k, "Subscription")
	}
}

test_nobody_else if {
	every k in ["machine", "compliance", "nobody", ""] {
		not allowed(k, "CarePlan")
		not allowed(k, "Consent")
	}
}

test_tables if {
	write.nobody_writes == {"AuditEvent"}
	write.create_only == {"Provenance"}
}

test_answers_no if {
	write.allowed == false with input as {}
	write.allowed == false with input as {"kind": "person", "type": 1}
	write.allowed == false with input as {"kind": "patient", "type": "Subscription"}
	write.allowed == false with input as {"kind": "nobody", "type": "Organization"}
}
