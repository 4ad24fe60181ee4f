package rest

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// root is the path of the FHIR base.
const root = "/fhir"

// service is what the server does with one type. The routes and the CapabilityStatement are both
// made from services, so that neither can tell of what the other lacks.
type service struct {
	Type         fhir.Type
	Interactions []gateway.InteractionCode
}

var (
	every = []gateway.InteractionCode{
		gateway.Read, gateway.VRead, gateway.Update, gateway.Delete,
		gateway.History, gateway.Create, gateway.Find,
	}
	readAndSearch = []gateway.InteractionCode{gateway.Read, gateway.Find}
	attached      = []gateway.InteractionCode{gateway.Read, gateway.VRead, gateway.Create, gateway.Find}
)

// services in the order of the CapabilityStatement. The ledger is the server's own: AuditEvent is
// read and searched only, and Provenance is never changed.
var services = []service{
	{"AllergyIntolerance", every}, {"AuditEvent", readAndSearch}, {"Binary", every},
	{"CarePlan", every}, {"CareTeam", every}, {"Communication", every}, {"Condition", every},
	{"Consent", every}, {"DocumentReference", every}, {"Endpoint", every}, {"Goal", every},
	{"HealthcareService", every}, {"MedicationStatement", every}, {"Observation", every},
	{"Organization", every}, {"Patient", every}, {"Practitioner", every},
	{"PractitionerRole", every}, {"Provenance", attached}, {"Questionnaire", every},
	{"QuestionnaireResponse", every}, {"ServiceRequest", every}, {"Task", every},
}

// serves tells whether the server has the type.
func serves(t fhir.Type) bool {
	return slices.ContainsFunc(services, func(s service) bool { return s.Type == t })
}

// performer is one interaction over HTTP: everything between authentication and the answer.
type performer func(*api, *request) (answer, error)

// door is a way in: method and path below the type.
type door struct {
	method, path string
	perform      performer
}

// doors of each interaction (R4 http.html#summary). HEAD follows GET.
var doors = map[gateway.InteractionCode][]door{
	gateway.Read:    {{http.MethodGet, "/:id", (*api).read}},
	gateway.VRead:   {{http.MethodGet, "/:id/_history/:version", (*api).vread}},
	gateway.Update:  {{http.MethodPut, "/:id", (*api).update}},
	gateway.Delete:  {{http.MethodDelete, "/:id", (*api).delete}},
	gateway.History: {{http.MethodGet, "/:id/_history", (*api).history}},
	gateway.Create:  {{http.MethodPost, "", (*api).create}},
	gateway.Find: {
		{http.MethodGet, "", (*api).search},
		{http.MethodPost, "/_search", (*api).search},
	},
}

// router wires the doors. It adds nothing that is not in services, follows no redirect, and
// trusts no proxy's word about the client.
func (a *api) router() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.UseRawPath, e.UnescapePathValues = true, true
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil { // nil always parses
		panic(err)
	}
	e.Use(a.observe, a.guard)
	a.open(e, http.MethodGet, root+"/metadata", "", (*api).metadata)
	for _, s := range services {
		for _, code := range s.Interactions {
			for _, d := range doors[code] {
				a.open(e, d.method, root+"/"+string(s.Type)+d.path, s.Type, d.perform)
			}
		}
	}
	e.NoRoute(a.refuseWith(refuse(http.StatusNotFound, gateway.NotSupported, "http.route")))
	e.NoMethod(a.refuseWith(refuse(http.StatusMethodNotAllowed, gateway.NotSupported, "http.method")))
	return e
}

func (a *api) open(e *gin.Engine, method, path string, t fhir.Type, do performer) {
	h := a.handle(t, do)
	e.Handle(method, path, h)
	if method == http.MethodGet {
		e.Handle(http.MethodHead, path, h)
	}
}
