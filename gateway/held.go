package gateway

import "github.com/sluse/sluse/gateway/fhir"

// A Binary is held by the record that its securityContext names, and its type and id are those of that
// record (DESIGN § 3). A permit is read narrowly: it touches a Binary by those only. A deny is read
// widely: one that names Binary, or the Binary itself, touches it as well, and where several
// provisions must all touch it, each may do so by either name. HeldType and HeldItem are how a grant
// says that some did so by one name and the others by the other.

// HeldType names the Binaries that a record of the type holds, and nothing else.
func HeldType(holder fhir.Type) fhir.Type { return "Binary " + holder }

// HeldItem names one Binary as long as that record holds it.
func HeldItem(holder fhir.Reference, binary fhir.ID) fhir.Reference {
	return fhir.Reference{Type: HeldType(holder.Type), ID: holder.ID + " " + binary}
}

// effective is the type and id by which grants name the record.
func (r Record) effective() fhir.Reference {
	if r.Reference.Type == "Binary" && r.Context.Type != "" {
		return fhir.Reference{Type: r.Context.Type, ID: r.Context.ID}
	}
	return fhir.Reference{Type: r.Reference.Type, ID: r.Reference.ID}
}

// names tells whether types and items of the term have the record.
func (t *Term) names(r *Record) bool {
	by := r.effective()
	typed, item := t.Types.Has(by.Type), t.Items.Has(by)
	if t.Effect == Deny && r.Reference.Type == "Binary" {
		typed = typed || t.Types.Has("Binary") || t.Types.Has(HeldType(by.Type))
		item = item || t.Items.Has(fhir.Reference{Type: "Binary", ID: r.Reference.ID}) || t.Items.Has(HeldItem(by, r.Reference.ID))
	}
	return typed && item
}
