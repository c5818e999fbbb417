// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IArbiter} from "../../../contracts/interfaces/IArbiter.sol";
import {IDisputes} from "../../../contracts/interfaces/IDisputes.sol";
import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IOrders} from "../../../contracts/interfaces/IOrders.sol";
import {ITaskBook} from "../../../contracts/interfaces/ITaskBook.sol";
import {Conditions, Delivered, Outcome, Report, Status, Terms} from "../../../contracts/market/Tasks.sol";
import {FeaturesTest} from "./FeaturesTest.sol";

/// @notice An arbiter that answers as it is told, or misbehaves.
contract Arbiter is IArbiter {
    enum Manner {
        Honest,
        BurnGas,
        Megabyte,
        Refuse,
        /// One word instead of two.
        Short,
        /// Answers rightly, and needs most of the gas that it is given.
        Slow
    }

    uint256 public fee;
    uint256 public time;
    Manner public manner;

    function set(uint256 fee_, uint256 time_, Manner manner_) external {
        (fee, time, manner) = (fee_, time_, manner_);
    }

    function quote(uint256) external view override returns (uint256, uint256) {
        if (manner == Manner.BurnGas) {
            while (true) {}
        } else if (manner == Manner.Megabyte) {
            assembly {
                revert(0, 0x100000)
            }
        } else if (manner == Manner.Refuse) {
            revert();
        } else if (manner == Manner.Short) {
            assembly {
                mstore(0, 7)
                return(0, 0x20)
            }
        } else if (manner == Manner.Slow) {
            uint256 until = gasleft() - 70_000;
            while (gasleft() > until) {}
        }
        return (fee, time);
    }
}

/// @dev Bonds, concessions, rulings and silence: every wei of bond, escrow and collateral goes where it is said.
contract DisputesTest is FeaturesTest {
    uint256 private constant PERIOD = 5_000;
    uint256 private constant RULING = 20_000;
    uint256 private constant LONGEST = 30 days;
    uint256 private constant DISPUTED = NOW + 2_000;

    struct Case {
        uint96 price;
        uint96 collateral;
        uint96 fee;
        uint256 bps;
        uint16 used;
        bool metered;
    }

    Arbiter private arbiter;
    Delivered private delivered;
    uint256 private bond;
    uint256 private fee;

    function setUp() external {
        open();
        arbiter = new Arbiter();
        arbiter.set(0, RULING, Arbiter.Manner.Honest);
    }

    // ---- Rulings ----

    /// @dev For every share and all amounts: the deltas of all parties are exactly bond, escrow and what was slashed.
    function testFuzz_A10_A22_I02_rulingDividesEverythingToTheWei(Case memory c) public {
        disputed(c);
        uint256 due = c.bps > BPS ? BPS : c.bps;
        vm.warp(DISPUTED + CONCESSION_WINDOW + 1);
        act(address(arbiter), ruleCall(c.bps));

        uint256 slashed = (uint256(c.collateral) * (BPS - due) + BPS - 1) / BPS;
        uint256 byProvider = fee - (fee * due) / BPS;
        if (byProvider > slashed) byProvider = slashed;
        uint256 penalty = ((bond - fee) * due) / BPS;
        uint256 rest = slashed - byProvider;
        uint256 paid = (chargeOf(c) * due) / BPS;

        assertEq(market.balanceOf(address(arbiter)), fee, "arbiter");
        assertEq(ledgerOf(PROVIDER), paid + penalty, "provider");
        assertEq(market.feesDue(PROVIDER), (paid * FEE_BPS) / BPS, "fee of the market");
        uint256 owners = bond - (fee - byProvider) - penalty + rest / 2 + cost - paid;
        assertEq(market.balanceOf(OWNER), owners, "owner");
        assertEq(market.balanceOf(TREASURY), rest - rest / 2, "treasury");
        // The whole, and no wei more or less.
        assertEq(ledger() + fee, bond + cost + slashed, "I-2");
        assertEq(address(market).balance, bond + cost + slashed, "I-1");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE - slashed, "stake");
        assertEq(lockedOf(PROVIDER), 0, "unlocked");
        // What the accuser gains from the collateral is at most what the treasury gets; the arbiter gets its fee alone.
        assertLe(rest / 2, market.balanceOf(TREASURY), "A22");
        assertEq(registry.providerOf(PROVIDER).disputed, due < BPS / 2 ? 1 : 0, "counted");
        Outcome outcome =
            due == 0
                ? Outcome.RuledForOwner
                : due == BPS
                    ? Outcome.RuledForProvider
                    : Outcome.RuledInPart;
        assertStatus(Status.Resolved, outcome);
        (uint256 completed, uint256 sold) = market.recordOf(PROVIDER);
        assertEq(completed, paid == 0 ? 0 : 1, "record");
        assertEq(sold, paid == 0 ? 0 : c.used, "seconds");
        assertNothingMore();
    }

    function test_A10_rulingAtItsEdges() external {
        uint256[8] memory shares = [uint256(0), 1, 4_999, 5_000, 9_999, 10_000, 10_001, type(uint256).max];
        uint96[3] memory collaterals = [uint96(0), 1, 104_729];
        uint96[3] memory fees = [uint96(0), 7_919, type(uint96).max];
        for (uint256 i = 0; i < shares.length; ++i) {
            for (uint256 k = 0; k < 9; ++k) {
                uint256 snapshot = vm.snapshotState();
                testFuzz_A10_A22_I02_rulingDividesEverythingToTheWei(
                    Case(999_983, collaterals[k / 3], fees[k % 3], shares[i], 599, k % 2 == 0)
                );
                vm.revertToState(snapshot);
            }
        }
    }

    /// @dev I-17: a provider's share that is a little larger never brings it less, nor the owner more.
    function testFuzz_A22_rulingIsMonotone(Case memory c, uint16 more) external {
        disputed(c);
        uint256 due = bound(c.bps, 0, BPS);
        vm.warp(DISPUTED + CONCESSION_WINDOW + 1);
        uint256 snapshot = vm.snapshotState();
        act(address(arbiter), ruleCall(due));
        (uint256 ownerLess, uint256 providerLess) = (market.balanceOf(OWNER), wealthOf(PROVIDER));
        vm.revertToState(snapshot);
        act(address(arbiter), ruleCall(bound(more, due, BPS)));
        assertLe(providerLess, wealthOf(PROVIDER) + 2, "provider");
        assertLe(market.balanceOf(OWNER), ownerLess + 2, "owner");
    }

    /// @dev A false accusation that wins brings the accuser and its friend the arbiter less than it costs the accused.
    function testFuzz_A22_accuserGainsLessThanTheAccusedLoses(Case memory c) external {
        disputed(c);
        uint256 before = wealthOf(PROVIDER);
        vm.warp(DISPUTED + CONCESSION_WINDOW + 1);
        act(address(arbiter), ruleCall(0));
        uint256 lost = before - wealthOf(PROVIDER);
        assertEq(lost, c.collateral, "all of its collateral");
        uint256 back = market.balanceOf(OWNER) + market.balanceOf(address(arbiter));
        uint256 gained = back - bond - cost;
        assertEq(gained + market.balanceOf(TREASURY), lost, "the rest is the treasury's");
        if (fee == 0) assertLe(gained, lost / 2, "no more than half");
    }

    // ---- Concession ----

    function testFuzz_A10_I02_concessionGivesEverythingBack(Case memory c, uint16 wait) public {
        disputed(c);
        wait = uint16(bound(wait, 0, 2 * CONCESSION_WINDOW));
        vm.warp(DISPUTED + wait);
        bool inTime = wait <= CONCESSION_WINDOW;
        assertTrue(can(OPERATOR, concedeCall()) == inTime, "concede");
        assertTrue(can(address(arbiter), ruleCall(5)) == !inTime, "rule");
        assertTrue(!can(STRANGER, resolveCall()), "resolve");
        assertTrue(!can(OWNER, concedeCall()), "not the owner");
        assertTrue(!can(OWNER, ruleCall(0)) && !can(PROVIDER, ruleCall(BPS)), "nor a party");
        assertTrue(!can(OWNER, settleCall()), "nor settled");
        if (!inTime) return;
        act(wait % 2 == 0 ? OPERATOR : PROVIDER, concedeCall());
        uint256 slashed = (uint256(c.collateral) + 1) / 2;
        assertStatus(Status.Resolved, Outcome.Conceded);
        assertEq(market.balanceOf(OWNER), bond + cost + slashed, "owner");
        assertEq(ledgerOf(PROVIDER) + market.balanceOf(TREASURY), 0, "nobody else");
        assertEq(market.balanceOf(address(arbiter)), 0, "no fee");
        assertEq(address(market).balance, ledger(), "I-2");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE - slashed, "stake");
        assertEq(registry.providerOf(PROVIDER).disputed, 1, "counted");
        assertNothingMore();
    }

    function test_A14_concessionAtItsEdges() external {
        for (uint16 wait = CONCESSION_WINDOW - 1; wait <= CONCESSION_WINDOW + 1; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A10_I02_concessionGivesEverythingBack(Case(7_919, 31, 3, 0, 600, true), wait);
            vm.revertToState(snapshot);
        }
    }

    // ---- Silence ----

    /// @dev An arbiter rules until its last second; from the next on anybody ends it, for the provider.
    function testFuzz_A14_A22_I08_silentArbiterEndsNothing(Case memory c, uint32 wait) public {
        disputed(c);
        wait = uint32(bound(wait, CONCESSION_WINDOW + 1, 2 * RULING));
        vm.warp(DISPUTED + wait);
        bool inTime = wait <= RULING;
        assertTrue(can(address(arbiter), ruleCall(0)) == inTime, "rule");
        assertTrue(can(STRANGER, resolveCall()) == !inTime, "resolve");
        assertTrue(!can(PROVIDER, concedeCall()), "concede");
        if (inTime) return;
        act(STRANGER, resolveCall());
        assertStatus(Status.Resolved, Outcome.ArbiterSilent);
        uint256 paid = chargeOf(c);
        assertEq(ledgerOf(PROVIDER), paid, "the provider is paid");
        assertEq(market.balanceOf(OWNER), bond + cost - paid, "the bond is back");
        assertEq(market.balanceOf(address(arbiter)), 0, "no fee");
        assertEq(address(market).balance, ledger(), "I-2");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "stake");
        assertEq(lockedOf(PROVIDER), 0, "unlocked");
        assertNothingMore();
    }

    function test_A14_silentArbiterAtItsEdges() external {
        for (uint32 wait = uint32(RULING) - 1; wait <= RULING + 1; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_A22_I08_silentArbiterEndsNothing(Case(7_919, 31, 3, 0, 600, false), wait);
            vm.revertToState(snapshot);
        }
    }

    // ---- Arbiters ----

    /// @dev Fee and time stay within what both sides accepted, whatever the arbiter answers.
    function testFuzz_A12_A22_arbitersAnswerIsBounded(uint96 price, uint256 asked, uint256 time) public {
        arbiter.set(asked, time, Arbiter.Manner.Honest);
        takeJudged(Case(uint96(bound(price, 1, 1e25)), 0, 0, 0, 0, false));
        (uint256 bondWei, uint256 feeWei, uint256 rulingSeconds) = market.bondOf(terms);
        assertEq(feeWei, asked < cost ? asked : cost, "fee");
        assertEq(bondWei, feeWei + (cost * 500 + BPS - 1) / BPS, "bond");
        uint256 least = CONCESSION_WINDOW + 1 hours;
        assertEq(
            rulingSeconds,
            time < least
                ? least
                : time > LONGEST
                    ? LONGEST
                    : time,
            "time"
        );
    }

    function test_A12_arbitersAnswerAtItsEdges() external {
        uint256[5] memory times = [0, CONCESSION_WINDOW + 3_600, LONGEST, LONGEST + 1, type(uint256).max];
        for (uint256 i = 0; i < 5; ++i) {
            testFuzz_A12_A22_arbitersAnswerIsBounded(7_919, 7_918 + i, times[i]);
            testFuzz_A12_A22_arbitersAnswerIsBounded(1, type(uint256).max, times[i]);
        }
    }

    /// @dev One that burns its gas, answers with megabytes or not at all gets nothing and the longest time; the dispute
    /// goes on, and costs hardly more.
    function test_A25_hostileArbiterHarmsNobodyElse() external {
        for (uint256 i = uint256(Arbiter.Manner.BurnGas); i <= uint256(Arbiter.Manner.Short); ++i) {
            uint256 snapshot = vm.snapshotState();
            arbiter.set(0, RULING, Arbiter.Manner(i));
            takeJudged(Case(7_919, 1e18, 0, 0, 600, true));
            deliverIt(600);
            (uint256 bondWei, uint256 feeWei, uint256 rulingSeconds) = market.bondOf(terms);
            assertEq(feeWei, 0, "fee");
            assertEq(rulingSeconds, LONGEST, "time");
            uint256 before = gasleft();
            vm.prank(OWNER);
            market.dispute{value: bondWei}(terms, workHash, delivered, 0, 0, bondWei);
            assertLe(before - gasleft(), 350_000, "what is burnt is bounded");
            assertEq(market.disputeOf(id).rulingBy, DISPUTED + LONGEST, "until then");
            vm.warp(DISPUTED + LONGEST + 1);
            act(STRANGER, resolveCall());
            assertEq(ledgerOf(PROVIDER), cost, "paid");
            vm.revertToState(snapshot);
        }
        // No contract at all.
        arbiter = Arbiter(address(0xDEAD));
        takeJudged(Case(7_919, 0, 0, 0, 600, true));
        (, uint256 fee_, uint256 time_) = market.bondOf(terms);
        assertEq(fee_, 0, "fee");
        assertEq(time_, LONGEST, "time");
    }

    /// @dev Whatever gas is left to it, an arbiter that answers is never taken for one that does not.
    function testFuzz_A25_starvedArbiterIsAsked(uint32 gas, bool slow) external {
        arbiter.set(77, RULING, slow ? Arbiter.Manner.Slow : Arbiter.Manner.Honest);
        takeJudged(Case(7_919, 1e18, 0, 0, 600, true));
        deliverIt(600);
        gas = uint32(bound(gas, 30_000, 500_000));
        bytes memory data = disputeCall(type(uint256).max);
        vm.prank(OWNER);
        market.deposit{value: cost}(cost);
        vm.prank(OWNER);
        (bool success, bytes memory reason) = address(market).call{gas: gas}(data);
        if (success) {
            assertEq(market.disputeOf(id).feeWei, 77, "its fee");
            return;
        }
        assertTrue(
            reason.length == 0 || bytes4(reason) == ITaskBook.TaskMarket_InsufficientGas.selector,
            "why not"
        );
        assertStatus(Status.Delivered, Outcome.Completed);
        assertTrue(gas < 450_000, "enough for all");
    }

    // ---- Disputing ----

    /// @dev In the period owner and delegate dispute or pay; from the next second on anybody has it paid.
    function testFuzz_A14_challengePeriod(uint16 wait) public {
        takeJudged(Case(7_919, 1e18, 5, 0, 600, true));
        arbiter.set(5, RULING, Arbiter.Manner.Honest);
        deliverIt(600);
        assertEq(lockedOf(PROVIDER), 1e18, "still at stake");
        assertEq(ledgerOf(PROVIDER), 0, "not paid yet");
        wait = uint16(bound(wait, 0, 2 * PERIOD));
        vm.prank(OWNER);
        market.deposit{value: 1e18}(1e18);
        vm.prank(OWNER);
        market.setDelegate(SPONSOR, IEscrow.Delegation(1e18, PROVIDER, type(uint40).max, 0));
        vm.warp(DISPUTED + wait);
        bool inTime = wait <= PERIOD;
        bytes memory dispute = disputeCall(type(uint256).max);
        assertTrue(can(OWNER, dispute) == inTime, "owner disputes");
        assertTrue(can(SPONSOR, dispute) == inTime, "delegate disputes");
        assertTrue(!can(STRANGER, dispute) && !can(PROVIDER, dispute), "nobody else");
        assertTrue(can(OWNER, settleCall()), "owner pays");
        assertTrue(can(SPONSOR, settleCall()) == !inTime, "a delegate does not give up a dispute");
        assertTrue(can(STRANGER, settleCall()) == !inTime, "anybody pays");
        assertTrue(can(PROVIDER, settleCall()) == !inTime, "provider");
        act(inTime ? OWNER : STRANGER, settleCall());
        assertStatus(Status.Settled, Outcome.Completed);
        assertEq(ledgerOf(PROVIDER), cost, "paid");
        assertEq(lockedOf(PROVIDER), 0, "unlocked");
        assertTrue(!can(OWNER, dispute) && !can(OWNER, settleCall()), "I-3");
    }

    function test_A14_challengePeriodAtItsEdges() external {
        for (uint16 wait = uint16(PERIOD) - 1; wait <= PERIOD + 1; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_challengePeriod(wait);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A17: only what was delivered is settled or disputed.
    function testFuzz_A17_RevertWhen_AnotherDeliveryIsPassed(uint8 word, uint8 bit) external {
        takeJudged(Case(7_919, 1e18, 5, 0, 600, true));
        deliverIt(600);
        assertEq(
            uint256(market.deliveryDigestOf(id)),
            uint256(keccak256(abi.encode(delivered))) % (1 << 176),
            "digest"
        );
        uint256 flip = uint256(1) << bit;
        if (word % 3 == 0) delivered.report = Report.wrap(Report.unwrap(delivered.report) ^ flip);
        else if (word % 3 == 1) delivered.resultHash ^= bytes32(flip);
        else delivered.evidenceHash ^= bytes32(flip);
        bytes memory reason = abi.encodeWithSelector(ITaskBook.TaskMarket_WrongDelivery.selector, id);
        vm.prank(OWNER);
        market.deposit{value: 1e18}(1e18);
        assertRefused(OWNER, settleCall(), reason);
        assertRefused(OWNER, disputeCall(type(uint256).max), reason);
    }

    /// @dev The owner says the most that it puts up; an arbiter that asks for more meanwhile gets no dispute.
    function testFuzz_A18_RevertWhen_TheBondIsHigher(uint96 maximum, uint96 asked) external {
        takeJudged(Case(7_919, 1e18, 0, 0, 600, true));
        arbiter.set(asked, RULING, Arbiter.Manner.Honest);
        deliverIt(600);
        (uint256 bondWei, , ) = market.bondOf(terms);
        maximum = uint96(bound(maximum, 0, 2 * cost));
        vm.prank(OWNER);
        market.deposit{value: 2 * cost}(2 * cost);
        if (bondWei > maximum) {
            assertRefused(
                OWNER,
                disputeCall(maximum),
                abi.encodeWithSelector(IDisputes.Disputes_BondTooHigh.selector, bondWei, uint256(maximum))
            );
        } else {
            act(OWNER, disputeCall(maximum));
            assertEq(market.disputeOf(id).bondWei, bondWei, "bond");
            assertEq(market.balanceOf(OWNER), 2 * cost - bondWei, "paid");
        }
    }

    /// @dev The salt binds what may be looked at: another seed than the owner's is refused, none is not.
    function testFuzz_A17_auditSeedIsTheSalts(bytes32 seed, bytes32 other) external {
        vm.assume(seed != other && other != 0 && seed != 0);
        takeJudged(Case(7_919, 1e18, 0, 0, 600, true));
        Terms memory t = terms;
        t.salt = keccak256(abi.encode(seed));
        take(t, address(0));
        deliverIt(600);
        vm.prank(OWNER);
        market.deposit{value: cost}(cost);
        bytes memory wrong = abi.encodeCall(
            market.dispute,
            (terms, workHash, delivered, 3, other, type(uint256).max)
        );
        assertRefused(OWNER, wrong, abi.encodeWithSelector(IDisputes.Disputes_WrongSeed.selector, id));
        assertTrue(can(OWNER, disputeCall(type(uint256).max)), "none");
        act(OWNER, abi.encodeCall(market.dispute, (terms, workHash, delivered, 3, seed, type(uint256).max)));
        assertStatus(Status.Disputed, Outcome.Completed);
    }

    /// @dev What a sponsor paid goes back to it; the bond is the owner's.
    function testFuzz_I02_sponsoredTaskThatIsDisputed(Case memory c) external {
        within(c);
        arbiter.set(c.fee, RULING, Arbiter.Manner.Honest);
        takeJudged(c);
        IOrders.Order memory order = signedOrder();
        order.sponsored = true;
        vm.prank(SPONSOR);
        market.order{value: cost}(order);
        finishIt(c.used);
        disputeIt();
        vm.warp(DISPUTED + CONCESSION_WINDOW + 1);
        act(address(arbiter), ruleCall(c.bps));
        uint256 due = c.bps > BPS ? BPS : c.bps;
        assertEq(market.balanceOf(SPONSOR), cost - (chargeOf(c) * due) / BPS, "sponsor");
        assertEq(address(market).balance, ledger() + fee, "I-2");
    }

    // ---- Helpers ----

    function within(Case memory c) private pure {
        // Fees fit a provider's word.
        c.price = uint96(bound(c.price, 1, 1e20));
        c.collateral = uint96(bound(c.collateral, 0, STAKE));
        c.bps = c.bps % 5 == 0 ? c.bps : bound(c.bps, 0, BPS);
        c.used = uint16(bound(c.used, 0, 600));
        // Often about as much as the collateral, or as the task.
        uint256 most = c.metered ? uint256(c.price) * 600 : c.price;
        if (c.fee % 3 == 0) c.fee = uint96(bound(c.fee, 0, most));
        else if (c.fee % 3 == 1) c.fee = uint96(bound(c.fee, 0, uint256(c.collateral) + 1));
    }

    /// @dev The case's delivery, disputed at {DISPUTED}.
    function disputed(Case memory c) private {
        within(c);
        arbiter.set(c.fee, RULING, Arbiter.Manner.Honest);
        takeJudged(c);
        deliverIt(c.used);
        disputeIt();
    }

    function takeJudged(Case memory c) private {
        Terms memory t = someTerms();
        t.price = priceOf(c.price, c.metered);
        t.conditions = Conditions.wrap(
            Conditions.unwrap(conditionsOf(NOW + 3_000, NOW + 4_000, 600)) | (PERIOD << 112)
        );
        t.assurance = assuranceOf(c.collateral, address(arbiter));
        take(t, address(0));
    }

    function deliverIt(uint256 used) private {
        submit();
        finishIt(used);
    }

    function finishIt(uint256 used) private {
        accept();
        vm.warp(DISPUTED);
        delivered = deliver(PROVIDER, used);
    }

    function disputeIt() private {
        uint256 rulingSeconds;
        (bond, fee, rulingSeconds) = market.bondOf(terms);
        vm.prank(OWNER);
        market.dispute{value: bond}(terms, workHash, delivered, 0, 0, bond);
        IDisputes.Dispute memory dispute = market.disputeOf(id);
        assertEq(dispute.bondWei, bond, "bond");
        assertEq(dispute.feeWei, fee, "fee");
        assertEq(dispute.rulingBy, DISPUTED + rulingSeconds, "until");
        assertStatus(Status.Disputed, Outcome.Completed);
    }

    /// @dev Nothing can be done with it any more.
    function assertNothingMore() private {
        assertTrue(!can(OWNER, disputeCall(type(uint256).max)), "I-3 dispute");
        assertTrue(!can(OWNER, settleCall()), "I-3 settle");
        assertTrue(!can(PROVIDER, concedeCall()), "I-3 concede");
        assertTrue(!can(address(arbiter), ruleCall(0)), "I-3 rule");
        vm.warp(DISPUTED + LONGEST + 1);
        assertTrue(!can(STRANGER, resolveCall()), "I-3 resolve");
    }

    function wealthOf(address account) private view returns (uint256) {
        return ledgerOf(account) + registry.providerOf(account).stake;
    }

    function chargeOf(Case memory c) private pure returns (uint256) {
        return c.metered ? uint256(c.price) * c.used : c.price;
    }

    function disputeCall(uint256 maximum) private view returns (bytes memory) {
        return abi.encodeCall(market.dispute, (terms, workHash, delivered, 0, 0, maximum));
    }

    function settleCall() private view returns (bytes memory) {
        return abi.encodeCall(market.settle, (terms, workHash, delivered));
    }

    function concedeCall() private view returns (bytes memory) {
        return abi.encodeCall(market.concede, (terms, workHash, delivered));
    }

    function ruleCall(uint256 bps) private view returns (bytes memory) {
        return abi.encodeCall(market.rule, (terms, workHash, delivered, bps));
    }

    function resolveCall() private view returns (bytes memory) {
        return abi.encodeCall(market.resolve, (terms, workHash, delivered));
    }
}
