package gateway

import "testing"

// Of one occasion on which records of several custodians left, each is known to whom it may be, and by name only to its
// custodian and the patient.
func TestDisclosedEntityIsForWhoMayKnow(t *testing.T) {
	x := Disclosure{Party: "3"}
	for name, c := range map[string]struct {
		scope        LedgerScope
		custodian    HERID
		shown, named bool
	}{
		"the patient":                    {LedgerScope{Person: 7}, "2", true, true},
		"another patient":                {LedgerScope{Person: 8}, "2", false, false},
		"its custodian":                  {LedgerScope{Asker: "2", Custodian: "2"}, "2", true, true},
		"another custodian":              {LedgerScope{Asker: "1", Custodian: "1"}, "2", false, false},
		"the receiver":                   {LedgerScope{Asker: "3", Custodian: "3"}, "2", false, false},
		"compliance of its custodian":    {LedgerScope{Compliance: []HERID{"2"}}, "2", true, false},
		"compliance of the receiver":     {LedgerScope{Compliance: []HERID{"3"}}, "2", true, false},
		"compliance of another":          {LedgerScope{Compliance: []HERID{"1"}}, "2", false, false},
		"nobody":                         {LedgerScope{}, "2", false, false},
		"nobody, of what has no keeper":  {LedgerScope{}, "", false, false},
		"a custodian, of what has none":  {LedgerScope{Custodian: "1"}, "", false, false},
		"an empty list, of what has one": {LedgerScope{Compliance: []HERID{""}}, "2", false, false},
	} {
		d := disclosing{scope: c.scope, person: 7}
		if shown, named := d.shows(x, AuditEntity{Custodian: c.custodian}); shown != c.shown || named != c.named {
			t.Errorf("%s: shown %t, named %t", name, shown, named)
		}
	}
}
