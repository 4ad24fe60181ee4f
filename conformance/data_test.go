package conformance_test

import (
	"fmt"
	"strings"
	"time"
)

// Synthetic persons (month + 80): numbers that are never given to anybody.
const (
	kariNIN    = "12859200212" // the demo's patient
	otherNIN   = "21869245515"
	thirdNIN   = "14879330018"
	unknownNIN = "09848800292" // nobody registers her
)

const labelSystem = "http://sluse.no/fhir/CodeSystem/informasjonskategori"

func patient(nin string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"%s"}],
		"name":[{"family":"Syntetisk","given":["Kari"]}],"birthDate":"1992-05-12"}`, nin)
}

// consent shares labels of the custodians' records with the recipients for a year.
func consent(patient, organization string, recipients, custodians, labels []string) string {
	actor := func(role string, refs []string) (list []string) {
		for _, ref := range refs {
			list = append(list, fmt.Sprintf(`{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"%s"}]},"reference":{"reference":"%s"}}`, role, ref))
		}
		return list
	}
	var coded []string
	for _, l := range labels {
		coded = append(coded, fmt.Sprintf(`{"system":"%s","code":"%s"}`, labelSystem, l))
	}
	now := time.Now()
	return fmt.Sprintf(`{"resourceType":"Consent","status":"active",
		"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"infa"}]}],
		"patient":{"reference":"%s"},"dateTime":"%s","performer":[{"reference":"%s"}],"organization":[{"reference":"%s"}],
		"policyRule":{"coding":[{"system":"http://sluse.no/fhir/CodeSystem/rettsgrunnlag","code":"HPL22"}]},
		"provision":{"type":"permit","period":{"start":"%s","end":"%s"},"actor":[%s],"securityLabel":[%s]}}`,
		patient, now.Format(time.DateOnly), patient, organization, now.AddDate(0, 0, -1).Format(time.DateOnly), now.AddDate(0, 0, 300).Format(time.DateOnly),
		strings.Join(append(actor("IRCP", recipients), actor("CST", custodians)...), ","), strings.Join(coded, ","))
}

// admitted is the message LOG_INNLAGT from one HER-id to another; place tells it from all others.
func admitted(msgID, from, to, nin, place string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"><MsgInfo>
<Type V="LOG_INNLAGT" DN="Melding om innlagt pasient"/><MIGversion>v1.2 2006-05-24</MIGversion>
<GenDate>%s</GenDate><MsgId>%s</MsgId>
<Sender><Organisation><OrganisationName>Sykehuset</OrganisationName><Ident><Id>%s</Id><TypeId V="HER" S="2.16.578.1.12.4.1.1.9051" DN="HER-id"/></Ident></Organisation></Sender>
<Receiver><Organisation><OrganisationName>Bydelen</OrganisationName><Ident><Id>%s</Id><TypeId V="HER" S="2.16.578.1.12.4.1.1.9051" DN="HER-id"/></Ident></Organisation></Receiver>
<Patient><FamilyName>Syntetisk</FamilyName><GivenName>Kari</GivenName><DateOfBirth>1992-05-12</DateOfBirth><Ident><Id>%s</Id><TypeId V="FNR" S="2.16.578.1.12.4.1.1.8116" DN="Fødselsnummer"/></Ident></Patient>
</MsgInfo><Document><RefDoc><IssueDate V="%[1]s"/><MsgType V="XML" DN="XML-instans"/><Content>
<lo:Pasientlogistikk xmlns:lo="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01" xmlns:po="http://www.kith.no/xmlstds/po/poKomponent/2012-04-01">
<po:InformasjonOmForsendelsen><po:Forsendelsesstatus V="N" DN="Ny"/></po:InformasjonOmForsendelsen>
<lo:MeldingInnlagtPasient><po:TidsfestetHendelse><po:Hendelsekode V="1" S="2.16.578.1.12.4.1.1.9121" DN="Pasient innlagt"/>
<po:TidspunktForHendelse V="%[1]s"/><po:StedForHendelse><po:StedHendelse>%[6]s</po:StedHendelse></po:StedForHendelse></po:TidsfestetHendelse></lo:MeldingInnlagtPasient>
</lo:Pasientlogistikk></Content></RefDoc></Document></MsgHead>`,
		time.Now().Format("2006-01-02T15:04:05"), msgID, from, to, nin, place)
}

// carePlan has an identifier by which it is found again, and a text that fills it to size bytes.
func carePlan(patient, identifier string, size int) string {
	head := fmt.Sprintf(`{"resourceType":"CarePlan","identifier":[{"system":"urn:sluse:test","value":"%s"}],"status":"active","intent":"plan",
		"title":"Plan %[1]s","subject":{"reference":"%s"},"period":{"start":"2026-01-01"},"activity":[`, identifier, patient)
	var activities []string
	for used := len(head); used < size || len(activities) == 0; {
		a := fmt.Sprintf(`{"detail":{"status":"in-progress","description":"%s aktivitet %d: %s"}}`, identifier, len(activities), strings.Repeat("oppfølging ", 12))
		activities = append(activities, a)
		used += len(a)
	}
	return head + strings.Join(activities, ",") + "]}"
}
