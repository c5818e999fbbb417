// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources, ResourcesLib} from "../../../contracts/libraries/Resources.sol";
import {
    ASSIGNED,
    Assignment,
    Assurance,
    BACKUP,
    Conditions,
    Delivered,
    Fault,
    Outcome,
    Price,
    Report,
    SPONSORED,
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

    function priceAt(Terms calldata terms, uint256 opened, uint256 time) external pure returns (uint256) {
        return terms.priceAt(opened, time);
    }

    function charge(Terms calldata terms, Outcome outcome, uint256 used) external pure returns (uint256) {
        return terms.charge(terms.price.amountWei(), outcome, used);
    }

    function chargeAt(
        Terms calldata terms,
        uint256 price,
        Outcome outcome,
        uint256 used
    ) external pure returns (uint256) {
        return terms.charge(price, outcome, used);
    }

    function hash(Terms calldata terms, bytes32 workHash) external pure returns (bytes32) {
        return terms.hash(workHash);
    }

    function hashWork(Work calldata work, address backup) external pure returns (bytes32) {
        return work.hash(backup);
    }

    function digest(Delivered calldata delivered) external pure returns (uint256) {
        return delivered.digest();
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

    function testFuzz_priceIsItsPackedFields(
        uint96 amount,
        uint96 maximum,
        bool metered,
        uint24 heartbeat,
        uint24 notice
    ) external pure {
        uint8 flag = metered ? 1 : 0;
        Price price = Price.wrap(
            uint256(bytes32(abi.encodePacked(uint8(0), notice, heartbeat, flag, maximum, amount)))
        );
        assertEq(price.amountWei(), amount, "amountWei");
        assertEq(price.maximumWei(), maximum, "maximumWei");
        assertTrue(price.metered() == metered, "metered");
        assertEq(price.heartbeat(), heartbeat, "heartbeat");
        assertEq(price.notice(), notice, "notice");
    }

    function testFuzz_conditionsAreTheirPackedFields(
        uint40[2] memory times,
        uint32[3] memory numbers,
        uint8 kind,
        uint48 model,
        uint16 royaltyBps,
        uint8 flags
    ) external pure {
        bytes memory high = abi.encodePacked(flags, royaltyBps, model, numbers[2], kind);
        Conditions conditions = Conditions.wrap(
            uint256(bytes32(abi.encodePacked(high, numbers[1], numbers[0], times[1], times[0])))
        );
        assertEq(conditions.startBy(), times[0], "startBy");
        assertEq(conditions.completeBy(), times[1], "completeBy");
        assertEq(conditions.duration(), numbers[0], "duration");
        assertEq(conditions.challengePeriod(), numbers[1], "challengePeriod");
        assertEq(conditions.kind(), kind, "kind");
        assertEq(conditions.keyEpoch(), numbers[2], "keyEpoch");
        assertEq(conditions.model(), model, "model");
        assertEq(conditions.royaltyBps(), royaltyBps, "royaltyBps");
        assertTrue(conditions.isSealed() == (flags % 2 == 1), "isSealed");
        assertTrue(conditions.stopsIdle() == ((flags / 2) % 2 == 1), "stopsIdle");
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

    /// @dev A transition keeps fee and flags, starts the clock and drops the digest.
    function testFuzz_transitionKeepsFeeAndFlagsAndStartsTheClock(
        uint8[2] memory statuses,
        uint8[2] memory outcomes,
        uint40[2] memory times,
        uint16 feeBps,
        uint8 flags,
        uint176 digest
    ) external {
        for (uint256 i = 0; i < 2; ++i) {
            statuses[i] = uint8(bound(statuses[i], 0, uint8(type(Status).max)));
            outcomes[i] = uint8(bound(outcomes[i], 0, uint8(type(Outcome).max)));
        }
        flags = flags % 8;
        vm.warp(times[0]);
        TaskState state = Tasks.newState(Status(statuses[0]), Outcome(outcomes[0]), feeBps);
        state = state.with(flags).withDigest(digest);
        assertEq(
            TaskState.unwrap(state),
            uint256(bytes32(abi.encodePacked(digest, flags, feeBps, times[0], outcomes[0], statuses[0]))),
            "the whole word"
        );
        assertEq(state.digestOf(), digest, "digest");
        vm.warp(times[1]);
        state = state.to(Status(statuses[1]), Outcome(outcomes[1]));
        assertEq(
            TaskState.unwrap(state),
            uint256(bytes32(abi.encodePacked(uint176(0), flags, feeBps, times[1], outcomes[1], statuses[1]))),
            "the whole word after it"
        );
    }

    function testFuzz_flagsAreSetAndClearedAlone(uint256 word, uint8 which) external pure {
        uint256 flag = [SPONSORED, ASSIGNED, BACKUP][which % 3];
        TaskState state = TaskState.wrap(word);
        assertTrue(state.with(flag).has(flag), "with");
        assertTrue(!state.without(flag).has(flag), "without");
        assertTrue(state.has(flag) == ((word >> (72 + (which % 3))) % 2 == 1), "has");
        assertEq(TaskState.unwrap(state.with(flag)), word | (flag << 72), "nothing else set");
        assertEq(
            TaskState.unwrap(state.with(flag)) - TaskState.unwrap(state.without(flag)),
            flag << 72,
            "nothing else cleared"
        );
    }

    function testFuzz_assignmentIsItsPackedFields(
        address first,
        address second,
        uint40 opened,
        uint40[2] memory times
    ) external {
        vm.warp(times[0]);
        Assignment assignment = Assignment.wrap(uint256(opened) << 160).takenBy(first);
        assertEq(
            Assignment.unwrap(assignment),
            uint256(bytes32(abi.encodePacked(uint16(0), times[0], opened, first))),
            "taken"
        );
        assertEq(assignment.assignee(), first, "assignee");
        assertEq(assignment.openedAt(), opened, "openedAt");
        assertEq(assignment.acceptedAt(), times[0], "acceptedAt");
        assertEq(Assignment.unwrap(assignment.vacated()), uint256(opened) << 160, "vacated");
        vm.warp(times[1]);
        assignment = assignment.takenBy(second);
        assertEq(assignment.assignee(), second, "another");
        assertEq(assignment.openedAt(), opened, "still opened then");
        assertEq(assignment.acceptedAt(), times[1], "accepted anew");
    }

    // ---- Hashes ----

    /// @dev EIP-712 as its text says it, word by word.
    function testFuzz_hashIsTheStructHashOfEip712(
        Terms calldata terms,
        bytes32 payloadHash,
        uint256 resources,
        string calldata payload,
        address backup
    ) external view {
        Work memory work = Work(Resources.wrap(resources), payloadHash, payload);
        bytes32 workHash = keccak256(
            abi.encode(
                keccak256("Work(uint256 resources,bytes32 payloadHash,string payload,address backup)"),
                resources,
                payloadHash,
                keccak256(bytes(payload)),
                backup
            )
        );
        assertTrue(harness.hashWork(work, backup) == workHash, "work");
        bytes32 expected = keccak256(
            abi.encode(
                keccak256(
                    "Task(address owner,address provider,uint256 price,uint256 conditions,uint256 assurance,bytes32 salt,Work work)Work(uint256 resources,bytes32 payloadHash,string payload,address backup)"
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

    function testFuzz_A17_digestIsOfAllThreeWordsOfADelivery(Delivered calldata d) external view {
        assertEq(
            harness.digest(d),
            uint256(keccak256(abi.encode(d.report, d.resultHash, d.evidenceHash))) % (1 << 176),
            "digest"
        );
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

    /// @dev Every bit alone: those of a field that a plain task has pass, all others are refused.
    function test_RevertWhen_ABitDoesNotFitAPlainTask() external {
        for (uint256 bit = 0; bit < 256; ++bit) {
            Terms memory terms = someTerms();
            terms.price = Price.wrap(Price.unwrap(terms.price) | (uint256(1) << bit));
            // amountWei, as far as its cost fits a ledger word; metered
            uint256 cost = bit < 96 ? harness.maximumCost(terms) : 0;
            if (cost > type(uint96).max) {
                expectRefusal(
                    terms,
                    abi.encodeWithSelector(Tasks.Tasks_CostTooHigh.selector, cost, type(uint96).max)
                );
            } else if (bit < 96 || bit == 192) harness.validate(terms);
            else if (bit < 192) expectRefusal(terms, unsupported("maximumWei"));
            else if (bit < 200 || bit >= 248) expectRefusal(terms, unsupported("price"));
            else expectRefusal(terms, unsupported("heartbeat"));

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
            } else if (bit < 144) expectRefusal(terms, unsupported("arbiter"));
            else if (bit == 144) expectRefusal(terms, unsupported("heartbeat"));
            else if (bit < 152) expectRefusal(terms, unsupported("kind"));
            else if (bit < 232) harness.validate(terms);
            else if (bit < 248) expectRefusal(terms, unsupported("royaltyBps"));
            else expectRefusal(terms, unsupported("flags"));

            terms = someTerms();
            terms.assurance = Assurance.wrap(uint256(1) << bit);
            if (bit < 96) harness.validate(terms);
            else expectRefusal(terms, unsupported("arbiter"));
        }
    }

    struct Features {
        bool open;
        uint8 meteredByte;
        uint96 maximum;
        uint24 heartbeat;
        uint24 notice;
        uint32 challenge;
        uint8 kind;
        uint48 model;
        uint16 royaltyBps;
        uint8 flags;
        uint96 collateral;
        address arbiter;
    }

    /// @dev What a task may have together, as the documents say it; near the edges, where random numbers hardly are.
    function testFuzz_A12_featuresFitTogetherOrAreRefused(Features memory f) public view {
        f.meteredByte = f.meteredByte % 3;
        f.kind = f.kind % 3;
        f.flags = f.flags % 8;
        f.maximum = uint96(f.maximum % 4 == 0 ? 0 : bound(f.maximum, 1e6 - 1, 1e6 + 1));
        f.heartbeat = uint24(near(f.heartbeat, [uint256(0), 9, 10, 86_400, 86_401]));
        f.notice = uint24(near(f.notice, [uint256(0), 1, 604_800, 604_801, 100]));
        f.challenge = uint32(near(f.challenge, [uint256(0), 1, 1_209_600, 1_209_601, 100]));
        f.royaltyBps = uint16(near(f.royaltyBps, [uint256(0), 1, 8_000, 8_001, 65_535]));
        if (f.model % 2 == 0) f.model = 0;
        if (f.collateral % 2 == 0) f.collateral = 0;
        if (uint160(f.arbiter) % 2 == 0) f.arbiter = address(0);
        (bool success, bytes memory reason) = tryValidate(featured(f));
        assertTrue(success == fits(f), "fits");
        if (!success) assertTrue(bytes4(reason) == Tasks.Tasks_Unsupported.selector, "why not");
    }

    function test_A12_featuresThatBelongTogether() external view {
        // A sealed open job; an open lease that may stop idle; a job that can be challenged, with a model.
        Features memory f;
        (f.open, f.maximum, f.flags, f.collateral) = (true, 1e6, 1, 1);
        assertTrue(fits(f), "open");
        harness.validate(featured(f));
        (f.kind, f.meteredByte, f.heartbeat, f.notice, f.flags) = (1, 1, 10, 604_800, 3);
        assertTrue(fits(f), "lease");
        harness.validate(featured(f));
        Features memory g;
        (g.arbiter, g.challenge, g.model, g.royaltyBps) = (address(0xA1), 1_209_600, 3, 8_000);
        assertTrue(fits(g), "judged");
        harness.validate(featured(g));
    }

    function fits(Features memory f) private pure returns (bool) {
        bool isLease = f.kind == 1;
        bool judged = f.arbiter != address(0);
        if (f.kind > 1 || f.meteredByte > 1 || f.flags > 3) return false;
        // Open: from the price to a maximum that is no less, at somebody's risk. Named: one price, not sealed.
        if (f.open && (f.maximum < 1e6 || f.collateral == 0)) return false;
        if (!f.open && (f.maximum != 0 || f.flags % 2 == 1)) return false;
        // Leases are metered and beat, and cannot be challenged.
        if (isLease && (f.meteredByte == 0 || f.heartbeat < 10 || f.heartbeat > 1 days)) return false;
        if (isLease && (f.notice > 7 days || judged || f.challenge != 0)) return false;
        if (!isLease && (f.heartbeat != 0 || f.notice != 0 || f.flags > 1)) return false;
        // An arbiter and a period, or neither.
        if (judged != (f.challenge != 0) || f.challenge > 14 days) return false;
        return f.royaltyBps <= 8_000 && (f.royaltyBps == 0 || f.model != 0);
    }

    function featured(Features memory f) private pure returns (Terms memory terms) {
        terms = someTerms();
        if (f.open) terms.provider = address(0);
        terms.price = Price.wrap(
            uint256(
                bytes32(
                    abi.encodePacked(uint8(0), f.notice, f.heartbeat, f.meteredByte, f.maximum, uint96(1e6))
                )
            )
        );
        terms.conditions = Conditions.wrap(
            Conditions.unwrap(terms.conditions) |
                (uint256(f.challenge) << 112) |
                (uint256(f.kind) << 144) |
                (uint256(f.model) << 184) |
                (uint256(f.royaltyBps) << 232) |
                (uint256(f.flags) << 248)
        );
        terms.assurance = Assurance.wrap((uint256(uint160(f.arbiter)) << 96) | f.collateral);
    }

    function near(uint256 seed, uint256[5] memory values) private pure returns (uint256) {
        return values[seed % 5];
    }

    /// @dev A lease has its whole duration after `completeBy`; startBy <= completeBy <= now + 30 days.
    function testFuzz_A12_A14_scheduleOfALease(uint32 start, uint32 latest, uint32 duration) public {
        start = uint32(bound(start, 0, LONGEST_TERM + 2));
        latest = uint32(bound(latest, 0, LONGEST_TERM + 2));
        duration = uint32(bound(duration, 1, LONGEST_TERM + 2));
        Features memory f;
        (f.kind, f.meteredByte, f.heartbeat) = (1, 1, 60);
        Terms memory terms = featured(f);
        terms.conditions = Conditions.wrap(
            Conditions.unwrap(conditionsOf(NOW + start, NOW + latest, duration, 1)) | (1 << 144)
        );
        if (start <= latest && latest <= LONGEST_TERM && duration <= LONGEST_TERM) harness.validate(terms);
        else
            expectRefusal(
                terms,
                abi.encodeWithSelector(
                    Tasks.Tasks_InvalidSchedule.selector,
                    NOW,
                    NOW + start,
                    NOW + latest,
                    uint256(duration)
                )
            );
    }

    function test_A12_A14_scheduleOfALeaseAtItsEdges() external {
        uint32 longest = uint32(LONGEST_TERM);
        testFuzz_A12_A14_scheduleOfALease(0, 0, longest);
        testFuzz_A12_A14_scheduleOfALease(longest, longest, longest);
        testFuzz_A12_A14_scheduleOfALease(1, 0, 1);
        testFuzz_A12_A14_scheduleOfALease(0, longest + 1, 1);
        testFuzz_A12_A14_scheduleOfALease(0, 0, longest + 1);
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

    // ---- Price of open tasks ----

    /// @dev From the first price to the last, never backwards, and rounded against who accepts.
    function testFuzz_I17_openPriceRisesLinearlyRoundedDown(
        uint96 first,
        uint96 last,
        uint40 opened,
        uint32 span,
        uint40 time
    ) public view {
        last = uint96(bound(last, 1, type(uint96).max));
        first = uint96(bound(first, 1, last));
        opened = uint40(bound(opened, 1, type(uint40).max - uint256(span)));
        uint256 start = uint256(opened) + span;
        Terms memory terms = openTerms(first, last, start);
        time = uint40(bound(time, 0, type(uint40).max));
        uint256 price = harness.priceAt(terms, opened, time);
        if (time >= start) assertEq(price, last, "at last");
        else if (time <= opened) assertEq(price, first, "at first");
        else {
            uint256 rise = uint256(last - first) * (time - opened);
            assertEq(price, first + rise / span, "in between");
            // price - first <= rise / span < price - first + 1
            assertLe((price - first) * span, rise, "rounded down");
            assertLe(rise + 1, (price - first + 1) * span, "by less than a wei");
        }
        assertLe(first, price, "first <= price");
        assertLe(price, last, "price <= last");
        assertLe(price, harness.priceAt(terms, opened, uint256(time) + 1), "a second later");
    }

    function test_I17_openPriceAtItsEdges() external view {
        uint96[4] memory firsts = [1, 7_919, 1e18, type(uint96).max];
        for (uint256 i = 0; i < firsts.length; ++i) {
            for (uint40 time = 99; time <= 111; ++time) {
                testFuzz_I17_openPriceRisesLinearlyRoundedDown(firsts[i], type(uint96).max, 100, 10, time);
                testFuzz_I17_openPriceRisesLinearlyRoundedDown(firsts[i], firsts[i], 100, 0, time);
            }
        }
    }

    function testFuzz_namedPriceDoesNotRise(uint96 amount, uint40 opened, uint40 time) external view {
        Terms memory terms = someTerms();
        terms.price = Price.wrap(amount);
        assertEq(harness.priceAt(terms, opened, time), amount, "price");
    }

    /// @dev What is escrowed is the last price, and what is charged at any price before is at most that.
    function testFuzz_I02_openTaskNeverCostsMoreThanItsMaximum(
        uint96 first,
        uint96 last,
        bool metered,
        uint32 used,
        uint8 outcome,
        uint40 time
    ) external view {
        last = uint96(bound(last, 1, type(uint96).max));
        first = uint96(bound(first, 1, last));
        Terms memory terms = openTerms(first, last, NOW + 100);
        if (metered) terms.price = Price.wrap(Price.unwrap(terms.price) | METERED);
        used = uint32(bound(used, 0, 600));
        Outcome reported = Outcome(bound(outcome, 1, 5));
        uint256 cost = harness.maximumCost(terms);
        assertEq(cost, metered ? uint256(last) * 600 : last, "escrow");
        uint256 price = harness.priceAt(terms, NOW, bound(time, NOW, NOW + 200));
        uint256 charged = harness.chargeAt(terms, price, reported, used);
        assertLe(charged, cost, "charge <= escrow");
        uint256 expected =
            metered
                ? price * used
                : reported == Outcome.Completed
                    ? price
                    : (price * used) / 600;
        assertEq(charged, expected, "at the price of the second");
    }

    function openTerms(uint96 first, uint96 last, uint256 start) private pure returns (Terms memory terms) {
        terms = someTerms();
        terms.provider = address(0);
        terms.price = Price.wrap((uint256(last) << 96) | first);
        terms.conditions = conditionsOf(start, start + 600, 600, 0);
    }

    // ---- Outcomes ----

    /// @dev Written from the enumeration's names: D delivered, R reason to decline, - neither; and whose fault.
    function test_outcomesAreWhatTheirNamesSay() external pure {
        bytes memory uses = "-DDDDDRRRRRRRRR---------------";
        bytes memory faults = "NNOOOOOOONNNNOPNNPPONNPPPPOPNN";
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
