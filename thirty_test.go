package keysake_test

import (
	"strings"
	"testing"
)

// thirty are what a broker of keys is tried with: each row is one way in which brokers have failed,
// and the tests that show that ours does not. Where no package is named it is internal/broker.
var thirty = []struct{ what, tests string }{
	// Who gets the key.
	{
		"of hosts that look alike only the exact one",
		`TestOnlyTheExactHostAndPathOfTheCatalogGetAKey`,
	},
	{
		"a path is sent byte for byte as it was matched",
		`TestOnlyTheExactHostAndPathOfTheCatalogGetAKey FuzzTarget`,
	},
	{
		"the names of a request disagree",
		`TestARequestWhoseLineOrHostSaysSomethingElseGoesNowhereElse TestAProxyOpensTheHostsOfItsLeaseAlone TestATunnelWhoseNamesDisagreeReachesNoProvider`,
	},
	{
		"a placeholder of another user, provider, or of a lease that has ended",
		`TestAnyOtherCredentialIsRefusedAndNeverReplaced internal/vault.TestWhatIsNoPlaceholderStandsForNothing internal/vault.TestAPlaceholderEndsWithItsLeaseAndAllThatItRestsOn internal/server.TestAProgramUsesAKeyThatItNeverHasUntilItsLeaseIsRevoked`,
	},
	{
		"another credential is refused, and never replaced",
		`TestAnyOtherCredentialIsRefusedAndNeverReplaced test/clients.TestClientsOfModelsWorkWithoutAKeyAsTheyDoWithOne`,
	},
	{
		"a placeholder where no credential belongs, or twice",
		`TestAPlaceholderOutOfItsPlaceIsRefusedAndArrivesNowhere TestAPlaceholderInATrailerIsRefused TestAConnectionWithARefusedBodyIsNotUsedAgain TestAnyOtherCredentialIsRefusedAndNeverReplaced`,
	},
	{
		"two places with a credential become one",
		`TestTheKeyArrivesWhereTheProviderTakesItAndThePlaceholderNowhere TestTheKeyOfEachProviderArrivesExactlyWhereTheProviderWantsIt TestAKeyArrivesInEveryPlaceThatAPresetCanName`,
	},
	{"headers of the way stop, all others pass", "TestWhatTellsOfTheWayStopsHereAndAllElsePasses"},
	{
		"a host with an address of this machine or its network",
		`internal/netguard.TestOnlyPublicAddressesAreConnectedTo internal/netguard.TestANameIsResolvedOnceAndConnectedToByThatAddress internal/netguard.TestWhatIsNoCanonicalNameIsNotEvenResolved TestAProxyOpensTheHostsOfItsLeaseAlone`,
	},
	{
		"a redirect is handed back",
		`TestAnswersPassAsTheyAre test/attack.TestAProviderLeadsNoKeyElsewhereByARedirect`,
	},
	{
		"requests that two servers cut in different ways",
		`TestARequestWhoseLineOrHostSaysSomethingElseGoesNowhereElse test/attack.TestARunSmugglesNoRequestPastTheBroker`,
	},
	{
		"methods that show what was sent",
		`TestARequestWhoseLineOrHostSaysSomethingElseGoesNowhereElse`,
	},

	// Streams.
	{"events arrive as they are sent", "TestEventsArriveOneByOneAsTheyAreSent"},
	{
		"a provider that repeats the key",
		`TestAProviderThatRepeatsTheKeyIsNotHeard FuzzScrubbedBody`,
	},
	{
		"answers that take long, and a provider's own 408",
		`TestNothingThatTakesLongIsCutOff TestAnswersPassAsTheyAre`,
	},
	{
		"bodies larger than the memory",
		`TestLargeBodiesPassInBothDirectionsInLittleMemory TestWhoReadsSlowlySlowsDownWhoWritesAndFillsNoMemory`,
	},
	{
		"a client that leaves, a provider that breaks off",
		`TestAClientThatLeavesEndsTheProvidersWorkAndAProviderThatBreaksOffIsSeen`,
	},
	{
		"WebSockets, and upgrades that are not listed",
		`TestAWebSocketPassesWithTheKeyInAHeader TestAnUpgradeThatTheCatalogDoesNotListIsRefusedOrLeftOut FuzzSubprotocols`,
	},
	{
		"what HTTP has besides, byte for byte",
		`TestAnswersPassAsTheyAre TestABodyThatIsNotWantedIsNotSent TestARequestStreamsWhileItsAnswerDoes TestACallOfGRPCPassesAndStreamsUntilItsLeaseEnds`,
	},
	{"idle connections take little", "TestAThousandIdleStreamsTakeLittleMemory"},

	// The life of a lease.
	{
		"a revocation ends what is open, on every server",
		`TestWhatALeaseHasOpenEndsWithIt TestWhatGoesThroughAProxyEndsWithItsLease internal/server.TestARevocationAtOneServerEndsTheStreamsOfTheOther internal/vault.TestWhatAnotherProcessTookFromAGrantIsNoticedInTime`,
	},
	{
		"a new version counts from the next request on",
		`TestANewVersionIsAttachedFromTheNextRequestOn test/clients.TestAServerThatWasKilledGoesOnAndNothingEverPassesWithoutItsKey`,
	},
	{
		"limits hold",
		`TestLimitsOfALeaseHold TestWhatOtherServersRecordedOfALeaseCountsAndSoDoesWhatFailed internal/server.TestWhatALeaseUsedAtOneServerCountsAtTheOther test/crash.TestAServerThatIsKilledRemembersWhatWasRecordedOfALeasesUse test/clients.TestAClientSeesALimitOfItsLeaseAsTheProvidersOwnAndDoesNotTryAgain`,
	},
	{
		"a request is sent once",
		`TestAPOSTIsSentOnceHoweverItsConnectionEnds TestAClientThatLeavesEndsTheProvidersWorkAndAProviderThatBreaksOffIsSeen`,
	},
	{
		"what cannot be known lets nothing pass",
		`TestAStoreThatIsAwayLetsNothingPass test/clients.TestAServerThatWasKilledGoesOnAndNothingEverPassesWithoutItsKey`,
	},
	{
		"a credential that a provider mints stays here",
		`TestAMintedCredentialStaysAndItsStandInWorks`,
	},

	// Programs, and what is left of it all.
	{
		"programs as their authors publish them",
		`test/clients.TestClientsOfModelsWorkWithoutAKeyAsTheyDoWithOne test/clients.TestClientsOfGitHubWorkWithoutAKeyAsTheyDoWithOne test/clients.TestGHWorksWithoutAKeyAndWithItsOwnSettings test/clients.TestGitClonesAndPushesWithoutAKeyAndWithItsOwnSettings test/clients.TestCurlWorksWithoutAKey`,
	},
	{
		"settings that are there survive",
		`internal/cli.TestARunAtTheBrokerGetsPlaceholdersAndNoValue test/clients.TestGHWorksWithoutAKeyAndWithItsOwnSettings test/clients.TestGitClonesAndPushesWithoutAKeyAndWithItsOwnSettings`,
	},
	{
		"an authority for the hosts of a lease alone",
		`TestAProgramWithFixedHostsGetsItsKeyThroughAProxy TestAProxyOpensTheHostsOfItsLeaseAlone internal/cli.TestAProgramWithFixedHostsReachesThemByAProxyAndTrustsAnAuthorityForThemAlone internal/cli.TestAnAuthorityForOtherHostsThanTheLeasesStartsNoRun`,
	},
	{
		"no value and no placeholder is left anywhere",
		`internal/api.TestAKeyAtTheBrokerIsSeenByItsProviderAloneAndAPlaceholderByTheRunAlone test/clients.TestCurlWorksWithoutAKey test/clients.TestAServerThatWasKilledGoesOnAndNothingEverPassesWithoutItsKey`,
	},
}

func TestEachOfTheThirtyTrialsOfABrokerHasTestsThatExist(t *testing.T) {
	if len(thirty) != 30 {
		t.Errorf("there are %d", len(thirty))
	}
	exists := namesOfTests(t)
	for i, row := range thirty {
		tests := strings.Fields(row.tests)
		if len(tests) == 0 {
			t.Errorf("%d, %s: no test shows it", i+1, row.what)
		}
		for _, name := range tests {
			if !strings.Contains(name, ".") {
				name = "internal/broker." + name
			}
			if !exists[name] {
				t.Errorf("%d, %s: %s does not exist", i+1, row.what, name)
			}
		}
	}
}
