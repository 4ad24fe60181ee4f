// Package conformance proves what Sluse promises, from outside: against the real program, over HTTP, and by reading
// the source. It holds tests only; suite and definitions, which the program itself uses, stand below it.
//
// # Channels
//
// What a record tells can leave by many ways beside the one that shows it. Each row is a channel of the catalogue of
// consent side channels, or a door of the API; how it is closed; and the tests that fail when it is open. Every door
// is also asked by TestNothingPassesBesideConsent (door × asker × state of consent × class of record, by hand-written
// rules), and compared between two stores that differ only in what is hidden by TestHiddenIsAbsent.
//
//	channel                              how it is closed                                          tests
//	read                                 permit and row in one statement; re-checked in Go         TestNothingPassesBesideConsent TestNothingCrossesWithoutConsent TestZeroPermitReadsNothing
//	vread and history of one             own and current labels, in SQL and in Go                  TestPartLabelsHoldForOldAndNewVersions TestHistoryAsksTheCurrentVersionInGo TestHistoryAsksTheCurrentVersionInSQL
//	history of types and of the system   the Scope inside the statement; hidden changes have no place TestTimelineShowsOnlyWhatMayBeRead TestTimelineTellsNoHiddenChange TestHiddenVersionHasNoPlace
//	search by GET and POST               the Scope is a predicate of the statement; one parsed query TestSearchFindsOnlyWhatMayBeRead TestScopeReleases TestNothingPassesBesideConsent
//	totals and _summary=count            counted under the Scope                                   TestNothingPassesBesideConsent TestSearchFindsOnlyWhatMayBeRead
//	page fill and empty pages            no filter after paging: the page is of what is released   TestPagesGiveEachRowOnce TestPagesStandStill TestHiddenIsAbsent
//	page tokens and Bundle.link          sealed, bound to who asks, decided anew                   TestPageTokenIsBound TestPagesByValuesStandStill
//	_include, _revinclude and :iterate   the Scope inside every subquery                           TestSearchBringsOnlyWhatMayBeRead TestNothingPassesBesideConsent
//	chains and _has                      the Scope inside every subquery; parts under their mask   TestNothingPassesBesideConsent TestSearchOverParts TestHiddenIsAbsent
//	parameters in URL and body at once   one canonical query, from which all is built              TestSearchCanonical TestSearchRefuses
//	_filter, _query, _content, _text     unknown parameters are refused                            TestSearchRefuses TestWireRefuses
//	_list                                the Scope on the List and on its entries                  TestHiddenIsAbsent
//	compartments                         a search like any                                         TestNothingPassesBesideConsent TestHiddenIsAbsent
//	sort order                           labelled parts are no sort key                            TestNothingPartedIsSortable TestPagesByValues
//	values of parts                      side tables with the label; :not and :missing too         TestSearchOverParts TestNothingPassesBesideConsent
//	_elements and _summary               cut from what is released, never from the record          TestSearchShowsWhatIsAsked TestNothingPassesBesideConsent
//	403, 404 and 410                     hidden is absent: one answer for both                     TestAbsentIsOneAnswer TestGoneOnlyForWhoCouldRead TestNothingPassesBesideConsent
//	error texts                          codes with fixed texts; no value is repeated              TestErrorsQuoteNothing TestErrorsTellNoValues TestParseErrorNeverRepeats
//	ETag, Location and ids               random versions and ids; the same headers                 TestHiddenIsAbsent TestHeadersOfAnswers
//	timing                               refusals and empty pages go out on a stroke              TestNothingIsToldOnTheStroke TestHiddenTakesAsLong TestWhatIsRememberedReleasesNothing
//	length of packed answers             nothing put together is packed                            TestGzipOfAnswers
//	display and identifier of references dropped on every crossing                                TestNothingPassesBesideConsent TestWhatPointsAtTheHiddenIsHidden
//	narrative                            dropped or made anew where there are parts                TestReleaseRemovesWhatIsNotCovered TestNothingPassesBesideConsent
//	contained resources                  parts with labels of their own                            TestReleaseRemovesWhatIsNotCovered TestCanaries
//	parts                                cut out where not covered; a doubt withholds the whole     TestReleaseRefusesLostPart TestCutIsTheEdit TestCutKnowsItsParts TestOutlineKnowsItsDocument TestNothingPassesBesideConsent
//	meta and $meta                       of what is released; SUBSETTED on every crossing           TestMetaHidesWhatIsHidden TestNothingPassesBesideConsent
//	Binary and attachments               labels and access of the securityContext                  TestBinaryFollowsItsSecurityContext TestFilesFollowTheRecordThatHoldsThem TestNothingPassesBesideConsent
//	Provenance                           crosses by no grant                                       TestNothingPassesBesideConsent
//	AuditEvent                           tells a party no more than its answer did                 TestLedgerKeepsCustodiansApart TestAuditEventsByLedgerScope TestWithheldOnlyInRefusals TestNothingPassesBesideConsent
//	Task and List that point             labelled by what they point at                            TestWhatPointsAtTheHiddenIsHidden TestNothingPassesBesideConsent
//	Consent itself                       a view: the permits that name who asks                    TestConsentIsSeenInPart TestConsentIsNotFoundByWhatIsHidden TestDenyIsNotSeenByWhoHasHerNoMore
//	batch and transaction entries        each entry is decided as if it stood alone                TestBatch TestNothingPassesBesideConsent TestEmergencyTransactionIsRefused
//	conditional operations               conditions match only own records                         TestConditionTellsNothingOfOthers TestConditionalReferencesAreOwn TestNothingPassesBesideConsent
//	PATCH and its result                 own records; a path tells nothing of what is hidden       TestPatchNamesOnlyWhatItNames TestPatchTakesNothingAway TestNothingPassesBesideConsent
//	write as an oracle                   references are not checked; ids carry their party         TestHiddenIsAbsent TestNothingPassesBesideConsent
//	$everything                          the Scope, type by type                                   TestEverythingHidesWhatIsHidden TestNothingPassesBesideConsent
//	$document and $extract               put together of what is released                          TestDocument TestExtractHiddenLabels TestNothingPassesBesideConsent
//	$explain and $simulate               own records, and what is releasable already               TestExplanationsOfTwoWorlds TestSimulateOfTwoWorlds TestNothingPassesBesideConsent
//	$disclosures                         for who may know                                          TestDisclosuresAreForThoseWhoMayKnow TestDisclosedEntityIsForWhoMayKnow
//	$export                              decided when found and when fetched                       TestExportHoldsWhatMayBeRead TestExportIsDecidedWhenItIsFetched TestNothingPassesBesideConsent
//	subscriptions and notifications      decided when told; id only for machines                   TestSystemIsToldByReferenceOnly TestWithdrawnNumberTellsNothingOfWhatIsHidden TestNothingPassesBesideConsent
//	messages out, mailbox and AppRec     decided at receipt, at listing and at fetch               TestNoConsentNothingCrosses TestWithheldSectionNeverCrosses TestWithdrawnBeforeFetch TestNothingPassesBesideConsent
//	sections of messages                 the same consent as their twins over FHIR                 TestSectionAndTwinAreDecidedAlike TestStayIsToldWithoutItsPlace
//	orders of messages                   rendered on trial from own records only                   TestOrderThatCannotBeExpressed TestEveryKindIsOrdered
//	pages of /console                    what may be fetched, by the same path                     TestViewerShowsWhatMayBeFetched TestViewerIsGuarded
//	emergency access                     named patient, reason, own labels; told afterwards        TestEmergencyIsForFew TestEmergencyPassesObjection TestNothingPassesBesideConsent
//	adressesperre                        places are dropped from every crossing                    TestAddressesDoNotCross TestStrictlyConfidentialCrossesNowhere TestNothingPassesBesideConsent
//	names of places and units            a name that reveals labels the record                     TestPlacesTellWhatTheyAreCalled
//	stale permits                        epoch and row in one snapshot                             TestWithdrawalIsEverywhereAtOnce TestWithdrawalRace TestWithdrawnWhileDown
//	expired and future periods           judged at the time of the request                         TestNothingPassesBesideConsent TestScopeReleases
//	faults                               no permit without a decision and a ledger entry           TestFailClosed TestNothingLeavesBeforeTheLedger TestUnlabelledCrossesToNobody
//	logs, metrics and traces             attributes only, no value                                 TestNothingOfThePersonOutsideBodiesAndLedger TestLogShowsNoQueryOfOthers TestCanaries
//	bytes past the decision              one file writes bodies; a Release has one maker           TestOnlyOneFileWritesBodies TestNothingExportedMakesPermitOrRelease TestForgeriesDoNotCompile
package conformance
