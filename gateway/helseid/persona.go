package helseid

import (
	"slices"

	"github.com/sluse/sluse/gateway"
)

// Persona is one who asks in the demo: a synthetic person at a party. The
// numbers of bydel, etater and OUS are public; HER-ids, the organisation
// numbers 949…, HPR numbers and persons are synthetic.
type Persona struct {
	Name         string              `json:"name"`
	Party        string              `json:"party"`
	Sector       gateway.Sector      `json:"sector"`
	Lovgrunnlag  gateway.Lovgrunnlag `json:"lovgrunnlag"`
	Role         string              `json:"role"`
	OrgNumber    gateway.OrgNumber   `json:"orgnr"`
	HERID        gateway.HERID       `json:"herId"`
	Organization string              `json:"organization"` // reference to the directory

	kind    gateway.Kind
	legal   gateway.OrgNumber // legal entity above OrgNumber, "" when it is its own
	person  string
	pid     string
	hpr     string
	coding  coding
	purpose gateway.Purpose
}

// OperatorHERID is the HER-id of the demo's operator. It writes the directory
// under ids of its own: the personas' organizations begin with it.
const OperatorHERID gateway.HERID = "80001010"

// patientPID is Kari, born 12 May 1992: the demo's patient (synthetic, month + 80).
const patientPID = "12859200212"

// DemoPatient is the national identity number of the demo's patient, Kari.
func DemoPatient() gateway.NIN {
	nin, _ := gateway.NewNIN(patientPID)
	return nin
}

var ruskonsulent = coding{"ruskonsulent", systemRole}

// personas in the order in which they are listed.
var personas = []Persona{
	{
		Name: "bydel-sagene", Party: "Bydel Sagene, psykisk helse og rus", Sector: gateway.SectorBydelHelse, Lovgrunnlag: "helse-kommune",
		Role: "ruskonsulent", OrgNumber: "974778726", HERID: "80001001",
		kind: gateway.Person, person: "Rita Lin", pid: "14837912092", hpr: "9900001", coding: ruskonsulent, purpose: gateway.Treat,
	},
	{
		Name: "sosial-sagene", Party: "Sosialtjenesten i Bydel Sagene", Sector: gateway.SectorBydelSos, Lovgrunnlag: "sosial",
		Role: "saksbehandler", OrgNumber: "949000028", HERID: "80001002", legal: "958935420",
		kind: gateway.Person, person: "Ola Dale", pid: "03918537774", coding: coding{"saksbehandler", systemRole}, purpose: gateway.Coordinate,
	},
	{
		Name: "nav-sagene", Party: "NAV Sagene", Sector: "nav-stat", Lovgrunnlag: "nav-stat",
		Role: "veileder", OrgNumber: "949000036", HERID: "80001003",
		kind: gateway.Person, person: "Siv Moe", pid: "30929949826", coding: coding{"veileder", systemRole}, purpose: gateway.Coordinate,
	},
	{
		Name: "velferdsetaten", Party: "Velferdsetaten, Oslo kommune", Sector: "velferdsetaten", Lovgrunnlag: "sosial",
		Role: "miljøterapeut", OrgNumber: "997506413", HERID: "80001004", legal: "958935420",
		kind: gateway.Person, person: "Per Holt", pid: "09896823369", coding: coding{"miljøterapeut", systemRole}, purpose: gateway.Coordinate,
	},
	{
		Name: "fastlege-sagene", Party: "Sagene legekontor", Sector: gateway.SectorFastlege, Lovgrunnlag: "helse-kommune",
		Role: "lege", OrgNumber: "949000044", HERID: "80001005",
		kind: gateway.Person, person: "Tone Vik", pid: "25908830264", hpr: "9900005", coding: coding{"LE", system9060}, purpose: gateway.Treat,
	},
	{
		Name: "ous-tsb", Party: "Oslo universitetssykehus, TSB", Sector: gateway.SectorHF, Lovgrunnlag: "helse-spesialist",
		Role: "psykolog", OrgNumber: "949000052", HERID: "80001006", legal: "993467049",
		kind: gateway.Person, person: "Jon Berg", pid: "12826015185", hpr: "9900006", coding: coding{"PS", system9060}, purpose: gateway.Treat,
	},
	{
		Name: "legevakt", Party: "Oslo legevakt", Sector: "legevakt", Lovgrunnlag: "helse-kommune",
		Role: "lege", OrgNumber: "949000060", HERID: "80001007", legal: "997506499",
		kind: gateway.Person, person: "Eva Lund", pid: "06879541822", hpr: "9900007", coding: coding{"LE", system9060}, purpose: gateway.EmergencyTreat,
	},
	{
		Name: "pasient", Party: "Innbyggere", Sector: gateway.SectorPatient, Lovgrunnlag: "privat",
		Role: "pasient", OrgNumber: "949000079", HERID: "80001008",
		kind: gateway.Patient, person: "Kari Sagene", pid: patientPID, purpose: gateway.PatientRequest,
	},
	{
		Name: "personvern", Party: "Personvernombudet, Oslo kommune", Sector: "ideell", Lovgrunnlag: "helse-kommune",
		Role: "personvernombud", OrgNumber: "949000087", HERID: "80001009",
		kind: gateway.Compliance, person: "Liv Aas", pid: "11847428157", purpose: gateway.Administer,
	},
	{
		Name: "drift", Party: "Drift av Sluse", Sector: "ideell", Lovgrunnlag: "privat",
		Role: "drift", OrgNumber: "949000095", HERID: OperatorHERID,
		kind: gateway.Operator, person: "Nils Ek", pid: "28880256019", purpose: gateway.Administer,
	},
}

// Personas lists the demo's personas, one for each party.
func Personas() []Persona {
	list := slices.Clone(personas)
	for i := range list {
		list[i].Organization = "Organization/" + string(OperatorHERID) + "-" + list[i].Name
	}
	return list
}

// organization is what the persona's tokens say.
func (p Persona) organization() Organization {
	if p.legal == "" {
		return Organization{Parent: p.OrgNumber}
	}
	return Organization{Parent: p.legal, Child: p.OrgNumber}
}
