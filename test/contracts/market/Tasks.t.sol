// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources, ResourcesLib} from "../../../contracts/libraries/Resources.sol";
import {
    Assurance,
    Conditions,
    Fault,
    Outcome,
    Price,
    Report,
    Status,
    Tasks,
    TaskState,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {Test} from "../utils/Test.sol";

/// @dev The library's functions, as calls with calldata that can fail.
contract TasksHarness {
    function validate(Terms calldata terms) external view {
        terms.validate();
    }

    function validateWork(Work calldata work) external pure {
        work.validate();
    }

    function maximumCost(Terms calldata terms) external pure returns (uint256) {
        return terms.maximumCost();
    }

    function charge(Terms calldata terms, Outcome outcome, uint256 used) external pure returns (uint256) {
        return terms.charge(outcome, used);
    }

    function hash(Terms calldata terms, bytes32 workHash) external pure returns (bytes32) {
        return terms.hash(workHash);
    }

    function hashWork(Work calldata work) external pure returns (bytes32) {
        return work.hash();
    }

    function reportedOutcome(Report report) external pure returns (Outcome) {
        return report.reportedOutcome();
    }
}

contract TasksTest is Test {
    uint256 private constant NOW = 1_800_000_000;
    uint256 private constant LONGEST_TERM = 30 days;
    uint256 private constant METERED = uint256(1) << 192;
    address private constant OWNER = address(0xA11CE);
    address private constant PROVIDER = address(0xB0B);

    TasksHarness private harness;

    function setUp() external {
        vm.warp(NOW);
        harness = new TasksHarness();
    }

    // ---- Words ----

    function testFuzz_priceIsItsPackedFields(uint96 amount, uint96 maximum, bool metered) external pure {
        Price price = Price.wrap(
            uint256(bytes32(abi.encodePacked(uint56(0), metered ? uint8(1) : uint8(0), maximum, amount)))
        );
        assertEq(price.amountWei(), amount, "amountWei");
        assertEq(price.maximumWei(), maximum, "maximumWei");
        assertTrue(price.metered() == metered, "metered");
    }

    function testFuzz_conditionsAreTheirPackedFields(
        uint40[2] memory times,
        uint32[3] memory numbers,
        uint8 kind,
        uint64 model,
        uint8 above
    ) external pure {
        Conditions conditions = Conditions.wrap(
            uint256(
                bytes32(
                    abi.encodePacked(
                        above,
                        model,
                        numbers[2],
                        kind,
                        numbers[1],
                        numbers[0],
                        times[1],
                        times[0]
                    )
                )
            )
        );
        assertEq(conditions.startBy(), times[0], "startBy");
        assertEq(conditions.completeBy(), times[1], "completeBy");
        assertEq(conditions.duration(), numbers[0], "duration");
        assertEq(conditions.challengePeriod(), numbers[1], "challengePeriod");
        assertEq(conditions.kind(), kind, "kind");
        assertEq(conditions.keyEpoch(), numbers[2], "keyEpoch");
        assertEq(conditions.model(), model, "model");
    }

    function testFuzz_assuranceIsItsPackedFields(uint96 collateral, address arbiter) external pure {
        Assurance assurance = Assurance.wrap(uint256(bytes32(abi.encodePacked(arbiter, collateral))));
        assertEq(assurance.collateralWei(), collateral, "collateralWei");
        assertEq(assurance.arbiter(), arbiter, "arbiter");
    }

    /// @dev The seconds are all that is above the outcome, so that none are lost on the way to the comparison.
    function testFuzz_reportIsItsPackedFields(uint248 used, uint8 outcome) external view {
        outcome = uint8(bound(outcome, 0, uint8(type(Outcome).max)));
        Report report = Report.wrap(uint256(bytes32(abi.encodePacked(used, outcome))));
        assertEq(report.secondsUsed(), used, "secondsUsed");
        assertEq(uint256(harness.reportedOutcome(report)), outcome, "outcome");
    }

    function testFuzz_A12_RevertWhen_ReportedOutcomeIsNone(uint248 used, uint8 outcome) external {
        outcome = uint8(bound(outcome, uint256(type(Outcome).max) + 1, type(uint8).max));
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x21));
        harness.reportedOutcome(Report.wrap((uint256(used) << 8) | outcome));
    }

    function testFuzz_stateIsItsPackedFields(
        uint8 status,
        uint8 outcome,
        uint40 since,
        uint16 feeBps
    ) external {
        status = uint8(bound(status, 0, uint8(type(Status).max)));
        outcome = uint8(bound(outcome, 0, uint8(type(Outcome).max)));
        vm.warp(since);
        TaskState state = Tasks.newState(Status(status), Outcome(outcome), feeBps);
        assertEq(
            TaskState.unwrap(state),
            uint256(bytes32(abi.encodePacked(uint184(0), feeBps, since, outcome, status))),
            "the whole word"
        );
        assertEq(uint256(state.status()), status, "status");
        assertEq(uint256(state.outcome()), outcome, "outcome");
        assertEq(state.since(), since, "since");
        assertEq(state.feeBps(), feeBps, "feeBps");
    }

    function testFuzz_transitionKeepsTheFeeAndStartsTheClock(
        uint8[2] memory statuses,
        uint8[2] memory outcomes,
        uint40[2] memory times,
        uint16 feeBps
    ) external {
        for (uint256 i = 0; i < 2; ++i) {
            statuses[i] = uint8(bound(statuses[i], 0, uint8(type(Status).max)));
            outcomes[i] = uint8(bound(outcomes[i], 0, uint8(type(Outcome).max)));
        }
        vm.warp(times[0]);
        TaskState state = Tasks.newState(Status(statuses[0]), Outcome(outcomes[0]), feeBps);
        vm.warp(times[1]);
        state = state.to(Status(statuses[1]), Outcome(outcomes[1]));
        assertEq(uint256(state.status()), statuses[1], "status");
        assertEq(uint256(state.outcome()), outcomes[1], "outcome");
        assertEq(state.since(), times[1], "since");
        assertEq(state.feeBps(), feeBps, "feeBps");
    }

    // ---- Hashes ----

    /// @dev EIP-712 as its text says it, word by word.
    function testFuzz_hashIsTheStructHashOfEip712(
        Terms calldata terms,
        bytes32 payloadHash,
        uint256 resources,
        string calldata payload
    ) external view {
        Work memory work = Work(Resources.wrap(resources), payloadHash, payload);
        bytes32 workHash = keccak256(
            abi.encode(
                keccak256("Work(uint256 resources,bytes32 payloadHash,string payload)"),
                resources,
                payloadHash,
                keccak256(bytes(payload))
            )
        );
        assertTrue(harness.hashWork(work) == workHash, "work");
        bytes32 expected = keccak256(
            abi.encode(
                keccak256(
                    "Task(address owner,address provider,uint256 price,uint256 conditions,uint256 assurance,bytes32 salt,Work work)Work(uint256 resources,bytes32 payloadHash,string payload)"
                ),
                terms.owner,
                terms.provider,
                Price.unwrap(terms.price),
                Conditions.unwrap(terms.conditions),
                Assurance.unwrap(terms.assurance),
                terms.salt,
                workHash
            )
        );
        assertTrue(harness.hash(terms, workHash) == expected, "terms");
    }

    function testFuzz_A17_hashTellsTermsApart(
        Terms memory terms,
        bytes32 workHash,
        uint8 field,
        uint8 bit
    ) external view {
        bytes32 before = harness.hash(terms, workHash);
        uint256 flip = uint256(1) << bit;
        field = field % 7;
        if (field == 0) terms.owner = address(uint160(terms.owner) ^ (uint160(1) << (bit % 160)));
        else if (field == 1) terms.provider = address(uint160(terms.provider) ^ (uint160(1) << (bit % 160)));
        else if (field == 2) terms.price = Price.wrap(Price.unwrap(terms.price) ^ flip);
        else if (field == 3) terms.conditions = Conditions.wrap(Conditions.unwrap(terms.conditions) ^ flip);
        else if (field == 4) terms.assurance = Assurance.wrap(Assurance.unwrap(terms.assurance) ^ flip);
        else if (field == 5) terms.salt = bytes32(uint256(terms.salt) ^ flip);
        else workHash = bytes32(uint256(workHash) ^ flip);
        assertTrue(harness.hash(terms, workHash) != before, "one bit");
    }

    // ---- Validation ----

    function testFuzz_validateAcceptsWhatIsInOrder(
        uint96 amount,
        bool metered,
        uint32 duration,
        uint40 wait,
        uint40 slack,
        uint32 keyEpoch,
        uint96 collateral
    ) external view {
        Terms memory terms = someTerms();
        duration = uint32(bound(duration, 1, LONGEST_TERM));
        // The cost as a whole must fit the ledger's 96 bits.
        uint256 most = metered ? type(uint96).max / duration : type(uint96).max;
        terms.price = Price.wrap(bound(amount, 1, most) | (metered ? METERED : 0));
        terms.assurance = Assurance.wrap(collateral);
        wait = uint40(bound(wait, 0, LONGEST_TERM - duration));
        slack = uint40(bound(slack, 0, LONGEST_TERM - duration - wait));
        terms.conditions = conditionsOf(NOW + wait, NOW + wait + duration + slack, duration, keyEpoch);
        harness.validate(terms);
    }

    function test_RevertWhen_NoProviderIsNamed() external {
        Terms memory terms = someTerms();
        terms.provider = address(0);
        expectRefusal(terms, abi.encodeWithSelector(Tasks.Tasks_ZeroAddress.selector));
    }

    function testFuzz_RevertWhen_AnArbiterIsNamed(address arbiter) external {
        vm.assume(arbiter != address(0));
        Terms memory terms = someTerms();
        terms.assurance = Assurance.wrap(uint256(uint160(arbiter)) << 96);
        expectRefusal(terms, unsupported("arbiter"));
    }

    /// @dev Every bit alone: those of a field that means something pass, all others are refused.
    function test_RevertWhen_ABitHasNoMeaningYet() external {
        for (uint256 bit = 0; bit < 256; ++bit) {
            Terms memory terms = someTerms();
            terms.price = Price.wrap(Price.unwrap(terms.price) | (uint256(1) << bit));
            // amountWei, as far as its cost fits a ledger word; metered
            uint256 cost = harness.maximumCost(terms);
            if ((bit < 96 || bit == 192) && cost > type(uint96).max) {
                expectRefusal(
                    terms,
                    abi.encodeWithSelector(Tasks.Tasks_CostTooHigh.selector, cost, type(uint96).max)
                );
            } else if (bit < 96 || bit == 192) harness.validate(terms);
            else expectRefusal(terms, unsupported("price"));

            terms = someTerms();
            uint256 flipped = Conditions.unwrap(terms.conditions) ^ (uint256(1) << bit);
            terms.conditions = Conditions.wrap(flipped);
            if (bit < 112) {
                // startBy, completeBy, duration: a flipped bit is another schedule.
                (bool success, bytes memory reason) = tryValidate(terms);
                assertTrue(
                    success || bytes4(reason) == Tasks.Tasks_InvalidSchedule.selector,
                    "a schedule is not unsupported"
                );
            } else if (bit >= 152 && bit < 184) {
                harness.validate(terms);
            } else {
                expectRefusal(terms, unsupported("conditions"));
            }

            terms = someTerms();
            terms.assurance = Assurance.wrap(uint256(1) << bit);
            if (bit < 96) harness.validate(terms);
            else expectRefusal(terms, unsupported("arbiter"));
        }
    }

    function testFuzz_A12_RevertWhen_PriceIsZero(bool metered, uint96 collateral) external {
        Terms memory terms = someTerms();
        terms.price = Price.wrap(metered ? METERED : 0);
        terms.assurance = Assurance.wrap(collateral);
        expectRefusal(terms, abi.encodeWithSelector(Tasks.Tasks_ZeroAmount.selector));
    }

    /// @dev What is escrowed fits a ledger word, so that it can come back.
    function testFuzz_A12_costFits96BitsOrIsRefused(uint96 amount, uint32 duration, bool metered) public {
        Terms memory terms = someTerms();
        duration = uint32(bound(duration, 1, LONGEST_TERM));
        amount = uint96(bound(amount, 1, type(uint96).max));
        terms.price = Price.wrap(amount | (metered ? METERED : 0));
        terms.conditions = conditionsOf(NOW, NOW + duration, duration, 0);
        uint256 cost = metered ? uint256(amount) * duration : amount;
        if (cost > type(uint96).max) {
            expectRefusal(
                terms,
                abi.encodeWithSelector(Tasks.Tasks_CostTooHigh.selector, cost, uint256(type(uint96).max))
            );
        } else {
            harness.validate(terms);
        }
    }

    function test_A12_costAtItsLimit() external {
        uint96 third = type(uint96).max / 3;
        testFuzz_A12_costFits96BitsOrIsRefused(third, 3, true);
        testFuzz_A12_costFits96BitsOrIsRefused(third + 1, 3, true);
        testFuzz_A12_costFits96BitsOrIsRefused(type(uint96).max, 1, true);
        testFuzz_A12_costFits96BitsOrIsRefused(type(uint96).max, 2, true);
        testFuzz_A12_costFits96BitsOrIsRefused(type(uint96).max, uint32(LONGEST_TERM), true);
        testFuzz_A12_costFits96BitsOrIsRefused(type(uint96).max, uint32(LONGEST_TERM), false);
    }

    function test_A12_RevertWhen_DurationIsZero() external {
        Terms memory terms = someTerms();
        terms.conditions = conditionsOf(NOW, NOW + 1, 0, 1);
        expectRefusal(terms, abi.encodeWithSelector(Tasks.Tasks_ZeroAmount.selector));
    }

    /// @dev now <= startBy, startBy + duration <= completeBy <= now + 30 days, in numbers that cannot overflow here.
    function testFuzz_A12_A14_scheduleIsInOrderOrRefused(
        uint40 time,
        uint40 start,
        uint40 latest,
        uint32 duration
    ) public {
        vm.warp(time);
        duration = uint32(bound(duration, 1, type(uint32).max));
        Terms memory terms = someTerms();
        terms.conditions = conditionsOf(start, latest, duration, 0);
        bool inOrder =
            time <= start && uint256(start) + duration <= latest && latest <= uint256(time) + LONGEST_TERM;
        if (inOrder) {
            harness.validate(terms);
        } else {
            expectRefusal(
                terms,
                abi.encodeWithSelector(
                    Tasks.Tasks_InvalidSchedule.selector,
                    time,
                    start,
                    latest,
                    uint256(duration)
                )
            );
        }
    }

    /// @dev The same close to every edge, where random numbers hardly ever are.
    function testFuzz_A12_A14_scheduleAtItsEdges(
        uint40 time,
        uint40 wait,
        uint32 duration,
        int8[3] memory off
    ) external {
        time = uint40(bound(time, 200, type(uint40).max - 2 * LONGEST_TERM));
        duration = uint32(bound(duration, 200, LONGEST_TERM - 200));
        wait = uint40(bound(wait, 0, LONGEST_TERM - duration));
        // From now, exactly as long as the duration, exactly 30 days: each exactly or off by a little.
        testFuzz_A12_A14_scheduleIsInOrderOrRefused(
            time,
            shifted(time, off[0]),
            time + duration + 200,
            duration
        );
        testFuzz_A12_A14_scheduleIsInOrderOrRefused(
            time,
            time + wait,
            shifted(time + wait + duration, off[1]),
            duration
        );
        testFuzz_A12_A14_scheduleIsInOrderOrRefused(
            time,
            time + wait,
            shifted(time + uint40(LONGEST_TERM), off[2]),
            duration
        );
    }

    function test_A12_A14_scheduleAtEachEdgeSecond() external {
        uint40 time = uint40(NOW);
        uint40 last = time + uint40(LONGEST_TERM);
        for (int8 off = -1; off <= 1; ++off) {
            testFuzz_A12_A14_scheduleIsInOrderOrRefused(time, shifted(time, off), last, 100);
            testFuzz_A12_A14_scheduleIsInOrderOrRefused(time, time, shifted(time + 100, off), 100);
            testFuzz_A12_A14_scheduleIsInOrderOrRefused(time, time, shifted(last, off), 100);
            testFuzz_A12_A14_scheduleIsInOrderOrRefused(
                time,
                time,
                last,
                uint32(shifted(uint40(LONGEST_TERM), off))
            );
        }
        // Times at the end of 40 bits and durations at the end of 32 overflow nothing.
        uint40 end = type(uint40).max;
        testFuzz_A12_A14_scheduleIsInOrderOrRefused(end, end, end, 1);
        testFuzz_A12_A14_scheduleIsInOrderOrRefused(end, end, end, type(uint32).max);
        testFuzz_A12_A14_scheduleIsInOrderOrRefused(end - 1, end - 1, end, 1);
    }

    function testFuzz_A24_referencesOfOneTo256Bytes(uint16 length) public {
        length = uint16(bound(length, 0, 600));
        Work memory work = Work(Resources.wrap(0), bytes32(uint256(1)), string(new bytes(length)));
        if (length == 0 || length > 256) {
            vm.expectRevert(
                abi.encodeWithSelector(Tasks.Tasks_ReferenceLength.selector, uint256(length), uint256(256))
            );
        }
        harness.validateWork(work);
    }

    function test_A24_referencesAtTheirEdges() external {
        testFuzz_A24_referencesOfOneTo256Bytes(0);
        testFuzz_A24_referencesOfOneTo256Bytes(1);
        testFuzz_A24_referencesOfOneTo256Bytes(256);
        testFuzz_A24_referencesOfOneTo256Bytes(257);
    }

    function test_A17_RevertWhen_PayloadHashIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(Tasks.Tasks_ZeroHash.selector));
        harness.validateWork(Work(Resources.wrap(0), 0, "ar://x"));
    }

    function testFuzz_RevertWhen_ResourcesHaveBitsWithoutMeaning(uint256 resources) external {
        resources = bound(resources, uint256(1) << 160, type(uint256).max);
        vm.expectRevert(
            abi.encodeWithSelector(ResourcesLib.Resources_Malformed.selector, Resources.wrap(resources))
        );
        harness.validateWork(Work(Resources.wrap(resources), bytes32(uint256(1)), "ar://x"));
    }

    // ---- Money ----

    function testFuzz_maximumCostIsPriceTimesDurationOrThePrice(
        uint96 amount,
        uint32 duration,
        bool metered
    ) external view {
        Terms memory terms = priced(amount, duration, metered);
        assertEq(
            harness.maximumCost(terms),
            metered ? uint256(amount) * duration : amount,
            "what is escrowed"
        );
    }

    function testFuzz_A10_I17_chargeRoundsAgainstTheProvider(
        uint96 amount,
        uint32 duration,
        bool metered,
        uint8 outcome,
        uint32 used
    ) public view {
        Terms memory terms;
        (terms, used) = delivered(amount, duration, metered, used);
        duration = uint32(terms.conditions.duration());
        outcome = uint8(bound(outcome, uint8(Outcome.Completed), uint8(Outcome.OwnerBadInput)));
        uint256 charged = harness.charge(terms, Outcome(outcome), used);
        assertLe(charged, harness.maximumCost(terms), "never above the escrow");
        if (metered) assertEq(charged, uint256(amount) * used, "by the second");
        else if (Outcome(outcome) == Outcome.Completed) assertEq(charged, amount, "in full");
        else {
            // charged <= amount * used / duration < charged + 1
            assertLe(charged * duration, uint256(amount) * used, "rounded down");
            assertLe(uint256(amount) * used + 1, (charged + 1) * duration, "by less than a wei");
        }
    }

    function test_A10_chargeOfPrimesOneWeiAndTheLargestNumbers() external view {
        uint96[5] memory amounts = [1, 2, 7_919, 999_999_999_999_999_989, type(uint96).max];
        uint32[5] memory durations = [1, 3, 7_919, 2_591_999, type(uint32).max];
        for (uint256 i = 0; i < 5; ++i) {
            for (uint256 k = 0; k < 5; ++k) {
                for (uint8 outcome = 1; outcome <= 5; ++outcome) {
                    uint32 duration = durations[k];
                    uint32[4] memory useds = [0, 1, duration - 1, duration];
                    for (uint256 n = 0; n < 4; ++n) {
                        uint32 used = useds[n];
                        testFuzz_A10_I17_chargeRoundsAgainstTheProvider(
                            amounts[i],
                            duration,
                            true,
                            outcome,
                            used
                        );
                        testFuzz_A10_I17_chargeRoundsAgainstTheProvider(
                            amounts[i],
                            duration,
                            false,
                            outcome,
                            used
                        );
                    }
                }
            }
        }
    }

    function testFuzz_A11_chargeGrowsWithTheSeconds(
        uint96 amount,
        uint32 duration,
        bool metered,
        uint8 outcome,
        uint32 used,
        uint32 less
    ) external view {
        Terms memory terms;
        (terms, used) = delivered(amount, duration, metered, used);
        less = uint32(bound(less, 0, used));
        Outcome reported = Outcome(bound(outcome, 1, 5));
        assertLe(
            harness.charge(terms, reported, less),
            harness.charge(terms, reported, used),
            "fewer seconds never cost more"
        );
    }

    /// @dev Seconds in two deliveries instead of one never earn more, and exactly the same where they are metered.
    function testFuzz_A11_splittingTheSecondsGainsNothing(
        uint96 amount,
        uint32 duration,
        bool metered,
        uint32 used,
        uint32 first
    ) external view {
        Terms memory terms;
        (terms, used) = delivered(amount, duration, metered, used);
        first = uint32(bound(first, 0, used));
        Outcome reported = Outcome.OwnerTimeLimit;
        uint256 parts =
            harness.charge(terms, reported, first) + harness.charge(terms, reported, used - first);
        uint256 whole = harness.charge(terms, reported, used);
        assertLe(parts, whole, "parts <= whole");
        assertLe(whole, parts + (metered ? 0 : 1), "whole - parts");
    }

    // ---- Outcomes ----

    /// @dev Written from the enumeration's names: D delivered, R reason to decline, - neither; and whose fault.
    function test_outcomesAreWhatTheirNamesSay() external pure {
        bytes memory uses = "-DDDDDRRRRRRRRR----";
        bytes memory faults = "NNOOOOOOONNNNOPNNPP";
        assertEq(uses.length, uint256(type(Outcome).max) + 1, "every outcome");
        for (uint256 i = 0; i < uses.length; ++i) {
            Outcome outcome = Outcome(i);
            assertTrue(Tasks.isDelivered(outcome) == (uses[i] == "D"), "isDelivered");
            assertTrue(Tasks.isDecline(outcome) == (uses[i] == "R"), "isDecline");
            Fault fault = Tasks.faultOf(outcome);
            assertTrue((fault == Fault.None) == (faults[i] == "N"), "nobody's fault");
            assertTrue((fault == Fault.Owner) == (faults[i] == "O"), "owner's fault");
            assertTrue((fault == Fault.Provider) == (faults[i] == "P"), "provider's fault");
        }
    }

    // ---- Helpers ----

    function someTerms() private pure returns (Terms memory) {
        return
            Terms({
                owner: OWNER,
                provider: PROVIDER,
                price: Price.wrap(uint256(1e15) | METERED),
                conditions: conditionsOf(NOW + 100, NOW + 1_000, 600, 1),
                assurance: Assurance.wrap(0),
                salt: bytes32(uint256(1))
            });
    }

    function priced(uint96 amount, uint32 duration, bool metered) private pure returns (Terms memory terms) {
        terms = someTerms();
        terms.price = Price.wrap(amount | (metered ? METERED : 0));
        terms.conditions = conditionsOf(0, 0, duration, 0);
    }

    /// @dev Terms with a duration of at least a second, and as many used seconds at most.
    function delivered(
        uint96 amount,
        uint32 duration,
        bool metered,
        uint32 used
    ) private pure returns (Terms memory, uint32) {
        duration = uint32(bound(duration, 1, type(uint32).max));
        return (priced(amount, duration, metered), uint32(bound(used, 0, duration)));
    }

    function conditionsOf(
        uint256 start,
        uint256 latest,
        uint256 duration,
        uint256 keyEpoch
    ) private pure returns (Conditions) {
        return Conditions.wrap(start | (latest << 40) | (duration << 80) | (keyEpoch << 152));
    }

    function shifted(uint40 time, int8 off) private pure returns (uint40) {
        return uint40(uint256(int256(uint256(time)) + off));
    }

    function unsupported(string memory field) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Tasks.Tasks_Unsupported.selector, field);
    }

    function tryValidate(Terms memory terms) private view returns (bool, bytes memory) {
        return address(harness).staticcall(abi.encodeCall(harness.validate, (terms)));
    }

    function expectRefusal(Terms memory terms, bytes memory reason) private {
        vm.expectRevert(reason);
        harness.validate(terms);
    }
}
