// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {Outcome, Status, TaskId} from "../../../contracts/market/Tasks.sol";
import {JuryTest} from "./JuryTest.sol";

/// @dev Verdicts and money: what every party has in the end, to the wei, whatever jurors do.
contract JuryVerdictsTest is JuryTest {
    uint256 private constant JURORS = 40;
    uint256 private constant SILENT = type(uint256).max;
    /// The work of somebody who did none.
    uint256 private constant OTHER = uint240(uint256(keccak256("other")));

    function setUp() external {
        convene(JURORS);
    }

    // ---- First panel ----

    /// @dev Each juror votes, is silent, or shows other work; the side with two near votes wins, all others are fined.
    function testFuzz_A22_I02_firstPanelDecides(Stakes memory stakes, uint16[3] memory acts) public {
        bounded(stakes);
        disputed(stakes);
        draw();
        uint256[] memory votes = new uint256[](3);
        uint256[] memory fingerprints = prints(3, WORK);
        uint256 forOwner = 0;
        uint256 forProvider = 0;
        for (uint256 i = 0; i < 3; ++i) {
            (votes[i], fingerprints[i]) = actOf(acts[i], i);
            if (isGood(votes[i], fingerprints[i], true)) ++forOwner;
            if (isGood(votes[i], fingerprints[i], false)) ++forProvider;
        }
        deliberate(votes, fingerprints);
        assertEq(market.balanceOf(OWNER) + market.balanceOf(PROVIDER), 0, "all in the task until then");
        finish();
        assertStep(IJury.Step.Ended);
        assertSolvent(JURORS);
        assertEq(jury.creditOf(STRANGER), 0, "nothing for the caller");
        // One alone who did the work has no median on its side.
        if (forOwner < 2 && forProvider < 2) return assertHung(votes);
        uint256 right = assertJudged(votes, fingerprints, forOwner > 1);
        assertEq(right, forOwner > 1 ? forOwner : forProvider, "of its side");
        assertEq(jury.creditOf(TREASURY), fee - right * share + (3 - right) * fine, "treasury");
        assertRuled(stakes, medianOf(votes, fingerprints, forOwner > 1));
    }

    function isGood(uint256 vote, uint256 fingerprint, bool isOwners) private pure returns (bool) {
        return vote != SILENT && fingerprint == WORK && (vote * 2 < BPS) == isOwners;
    }

    /// @dev Who is right is paid, everybody else is fined.
    function assertJudged(
        uint256[] memory votes,
        uint256[] memory fingerprints,
        bool isOwners
    ) private view returns (uint256 right) {
        for (uint256 i = 0; i < 3; ++i) {
            bool good = isGood(votes[i], fingerprints[i], isOwners);
            if (good) ++right;
            address account = accountAt(i, 0);
            assertEq(jury.creditOf(account), good ? share : 0, "pay");
            assertEq(SEAT - stakeOf(account), good ? 0 : fine, "fine");
            assertEq(lockedOf(account), good ? SEAT : SEAT - fine, "I-11");
        }
    }

    /// @dev Nothing is ruled; silence alone costs, and the provider is paid in the end.
    function assertHung(uint256[] memory votes) private {
        assertStatus(Status.Disputed, Outcome.Completed);
        uint256 fined = 0;
        for (uint256 i = 0; i < 3; ++i) {
            address account = accountAt(i, 0);
            assertEq(jury.creditOf(account), 0, "nobody is paid");
            assertEq(SEAT - stakeOf(account), votes[i] == SILENT ? fine : 0, "silence costs");
            if (votes[i] == SILENT) ++fined;
        }
        assertEq(jury.creditOf(TREASURY), fined * fine, "to the treasury");
        vm.warp(market.disputeOf(id).rulingBy + 1);
        act(STRANGER, abi.encodeCall(market.resolve, (terms, workHash, delivered)));
        assertStatus(Status.Resolved, Outcome.ArbiterSilent);
        assertEq(ledgerOf(PROVIDER), cost, "paid");
    }

    function test_A10_firstPanelAtItsEdges() external {
        uint16[6] memory acts = [uint16(0), 1, 2, 3, 4, 5];
        uint96[3] memory prices = [uint96(LEAST_FEE), 1e18 + 7, uint96(SEAT)];
        for (uint256 i = 0; i < 54; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A22_I02_firstPanelDecides(
                Stakes(prices[i % 3], i % 2 == 0 ? 0 : uint96(SEAT)),
                [acts[i / 9], acts[((i / 3) % 3) + (i % 2) * 3], acts[i % 6]]
            );
            vm.revertToState(snapshot);
        }
    }

    /// @dev The verdict is the middle of the votes of its side, whichever side, and no single strong word.
    function test_A22_theMiddleDecides() external {
        uint16[3][4] memory acts = [
            [uint16(0), 4, 4],
            [uint16(0), 0, 4],
            [uint16(1), 5, 5],
            [uint16(1), 1, 5]
        ];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A22_I02_firstPanelDecides(Stakes(1e19, 1e19), acts[i]);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A commitment that looks like a vote, and is never shown, is silence.
    function test_A16_whatIsNotShownIsNoVote() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        vm.warp(later(1));
        handOver();
        commit(0, WORK);
        commit(1, WORK);
        bid(voters()[2], abi.encodeCall(jury.commit, (id, 2, bytes32(WORK << 16))));
        handOver();
        reveal(0, WORK, 0);
        reveal(1, WORK, 0);
        finish();
        assertEq(SEAT - stakeOf(accountAt(2, 0)), fine, "silent");
        assertEq(jury.creditOf(accountAt(2, 0)), 0, "not paid");
        assertSolvent(JURORS);
    }

    /// @dev What a juror does: votes for one side in several strengths, is silent, or did something else.
    function actOf(uint16 act_, uint256 i) private pure returns (uint256 vote, uint256 fingerprint) {
        uint256[6] memory votes = [uint256(0), BPS, SILENT, 0, BPS / 2 - 1, BPS / 2];
        (vote, fingerprint) = (
            votes[act_ % 6],
            act_ % 6 == 3 ? uint240(uint256(keccak256(abi.encode(i)))) : WORK
        );
    }

    /// @dev The lower middle of the votes of the winning side.
    function medianOf(
        uint256[] memory votes,
        uint256[] memory fingerprints,
        bool isOwners
    ) private pure returns (uint256) {
        (uint256 low, uint256 high, uint256 count) = (SILENT, 0, 0);
        uint256 sum = 0;
        for (uint256 i = 0; i < 3; ++i) {
            if (!isGood(votes[i], fingerprints[i], isOwners)) continue;
            if (votes[i] < low) low = votes[i];
            if (votes[i] > high) high = votes[i];
            sum += votes[i];
            ++count;
        }
        return count == 2 ? low : sum - low - high;
    }

    /// @dev The market divided escrow, collateral and bond as for any arbiter.
    function assertRuled(Stakes memory stakes, uint256 bps) private view {
        uint256 slashed = (uint256(stakes.collateral) * (BPS - bps) + BPS - 1) / BPS;
        uint256 byProvider = fee - (fee * bps) / BPS;
        if (byProvider > slashed) byProvider = slashed;
        uint256 penalty = ((bond - fee) * bps) / BPS;
        uint256 rest = slashed - byProvider;
        uint256 paid = (cost * bps) / BPS;
        assertEq(ledgerOf(PROVIDER), paid + penalty, "provider");
        assertEq(
            market.balanceOf(OWNER),
            bond - (fee - byProvider) - penalty + rest / 2 + cost - paid,
            "owner"
        );
        assertEq(stakeOf(PROVIDER), STAKE - slashed, "collateral");
        assertEnded(
            bps == 0
                ? Outcome.RuledForOwner
                : bps == BPS
                    ? Outcome.RuledForProvider
                    : Outcome.RuledInPart
        );
    }

    /// @dev Who is paid can take it, all of it and once, in the currency of the market.
    function test_I19_whatIsEarnedIsWithdrawn() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        deliberate(three(0, 0, BPS));
        finish();
        uint256 sum = 0;
        for (uint256 i = 0; i < 3; ++i) {
            address account = accountAt(i, 0);
            uint256 credit = jury.creditOf(account);
            sum += credit;
            if (credit == 0) {
                assertJuryRefuses(
                    account,
                    abi.encodeCall(jury.withdraw, (account)),
                    abi.encodeWithSelector(IJury.Jury_NothingToWithdraw.selector, account)
                );
                continue;
            }
            uint256 had = address(0xCAFE).balance;
            bid(account, abi.encodeCall(jury.withdraw, (address(0xCAFE))));
            assertEq(address(0xCAFE).balance - had, credit, "arrived");
            assertTrue(!may(account, abi.encodeCall(jury.withdraw, (account))), "once");
        }
        assertEq(sum, 2 * share, "two were right");
        bid(TREASURY, abi.encodeCall(jury.withdraw, (TREASURY)));
        assertEq(TREASURY.balance, fee - 2 * share + fine, "treasury");
        assertEq(address(jury).balance + market.balanceOf(address(jury)), 0, "no dust");
    }

    // ---- Appeal ----

    /// @dev Fifteen others decide; all thirty-six possible ends of two panels in a coarse grid, and any in between.
    function testFuzz_A22_I02_secondPanelDecides(
        Stakes memory stakes,
        uint8 firstForOwner,
        uint8 secondForOwner,
        uint8 secondForProvider
    ) public {
        bounded(stakes);
        firstForOwner %= 4;
        secondForOwner %= 16;
        secondForProvider %= 16 - secondForOwner;
        disputed(stakes);
        draw();
        deliberate(
            three(firstForOwner > 0 ? 0 : BPS, firstForOwner > 1 ? 0 : BPS, firstForOwner > 2 ? 0 : BPS)
        );
        vm.warp(untilNow() + 1);
        appeal();
        assertEq(jury.appealOf(id).bondWei, 15 * share, "bond");
        assertSolvent(JURORS);
        deliberate(fifteen(secondForOwner, secondForProvider));
        finish();
        assertSolvent(JURORS);
        assertAppealed(stakes, firstForOwner, secondForOwner, secondForProvider);
    }

    function assertAppealed(
        Stakes memory stakes,
        uint256 firstForOwner,
        uint256 secondForOwner,
        uint256 secondForProvider
    ) private view {
        bool isDecided = secondForOwner > 7 || secondForProvider > 7;
        bool isOwners = isDecided ? secondForOwner > 7 : firstForOwner > 1;
        assertRuled(stakes, isOwners ? 0 : BPS);
        uint256 right = 0;
        for (uint256 i = 0; i < 18; ++i) {
            bool good =
                i < 3
                    ? (i < firstForOwner) == isOwners
                    : isOwners
                        ? i - 3 < secondForOwner
                        : i - 3 >= secondForOwner && i - 3 < secondForOwner + secondForProvider;
            address account = i < 3 ? accountAt(i, 0) : accountAt(i - 3, 1);
            assertEq(jury.creditOf(account), good ? share : 0, "pay");
            assertEq(SEAT - stakeOf(account), good ? 0 : fine, "fine");
            if (good) ++right;
        }
        // The appellant has its bond back where it was right, which the fines of the first panel paid for.
        bool isTurned = isOwners != (firstForOwner > 1);
        assertEq(jury.creditOf(STRANGER), isTurned ? 15 * share : 0, "bond");
        assertEq(
            jury.creditOf(TREASURY),
            fee + (18 - right) * fine + (isTurned ? 0 : 15 * share) - right * share,
            "treasury"
        );
    }

    function test_A22_secondPanelAtItsEdges() external {
        uint8[5] memory counts = [uint8(0), 7, 8, 14, 15];
        for (uint256 i = 0; i < 20; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A22_I02_secondPanelDecides(
                Stakes(1e19, 2e18),
                uint8(i % 4),
                counts[i / 4],
                15 - counts[i / 4]
            );
            vm.revertToState(snapshot);
        }
    }

    /// @dev Where the first panel decided nothing, whoever appeals gets the bond back, less what it has to stand in for.
    function testFuzz_appealOfAHungPanel(uint8 forOwner, uint8 lazy) external {
        (forOwner, lazy) = (uint8(bound(forOwner, 0, 15)), uint8(bound(lazy, 0, 2)));
        disputed(Stakes(1e19, 1e19));
        draw();
        uint256[] memory fingerprints = prints(3, WORK);
        for (uint256 i = 0; i <= lazy; ++i) fingerprints[i] = uint240(uint256(keccak256(abi.encode(i))));
        uint256[] memory votes = three(0, BPS, lazy == 0 ? SILENT : 0);
        deliberate(votes, fingerprints);
        vm.warp(untilNow() + 1);
        appeal();
        deliberate(fifteen(forOwner, 15 - forOwner));
        uint256 had = jury.appealOf(id).bondWei;
        finish();
        assertSolvent(JURORS);
        assertEnded(forOwner > 7 ? Outcome.RuledForOwner : Outcome.RuledForProvider);
        // Who did not do the work is fined now, though its own panel could not tell.
        for (uint256 i = 0; i <= lazy; ++i) {
            assertEq(SEAT - stakeOf(accountAt(i, 0)), fine, "found out");
            assertEq(jury.creditOf(accountAt(i, 0)), 0, "nothing for nothing");
        }
        assertEq(jury.creditOf(STRANGER), had, "fines pay for the second panel");
    }

    /// @dev Fifteen that decide nothing leave it at what the first panel said, or at nothing.
    function test_hungAppeal() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        deliberate(three(0, 0, BPS));
        vm.warp(untilNow() + 1);
        appeal();
        deliberate(fifteen(7, 7));
        finish();
        assertSolvent(JURORS);
        assertEnded(Outcome.RuledForOwner);
        assertEq(jury.creditOf(STRANGER), 0, "it changed nothing");
    }

    function test_nothingIsRuledByTwoHungPanels() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        deliberate(three(0, BPS, SILENT));
        vm.warp(untilNow() + 1);
        appeal();
        deliberate(fifteen(7, 7));
        finish();
        assertSolvent(JURORS);
        assertStep(IJury.Step.Ended);
        assertStatus(Status.Disputed, Outcome.Completed);
        assertEq(jury.creditOf(STRANGER), 15 * share, "bond");
        assertEq(jury.creditOf(TREASURY), 2 * fine, "silence");
    }

    /// @dev Nobody sits twice, and who appeals too late or with another bond does not.
    function test_A14_appealInTime() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        deliberate(three(0, 0, BPS));
        uint256 value = jury.appealBondOf(id);
        uint256 until = untilNow();
        for (uint256 i = 0; i < 5; ++i) {
            vm.warp([until - 1, until, until + 1, until + STEP, until + STEP + 1][i]);
            bool inTime = i == 2 || i == 3;
            bytes memory data = appealCall();
            assertTrue(mayPaying(STRANGER, value, data) == inTime, "appeal");
            assertTrue(!mayPaying(STRANGER, value - 1, data), "less");
            assertTrue(!mayPaying(STRANGER, value + 1, data), "more");
            assertTrue(may(STRANGER, finishCall()) == (i == 4), "or the end");
        }
        vm.warp(until + 1);
        appeal();
        assertTrue(!mayPaying(OWNER, value, appealCall()), "once");
        (, address[] memory first) = jury.panelOf(id, 0);
        (, address[] memory second) = jury.panelOf(id, 1);
        assertEq(second.length, 15, "fifteen");
        for (uint256 i = 0; i < 15; ++i) {
            for (uint256 k = 0; k < 3; ++k) assertTrue(first[k] != second[i], "others");
            for (uint256 k = 0; k < i; ++k) assertTrue(second[k] != second[i], "each once");
        }
        deliberate(fifteen(8, 7));
        vm.warp(untilNow() + 1);
        assertTrue(!mayPaying(STRANGER, value, appealCall()), "no third panel");
    }

    // ---- What jurors try ----

    /// @dev A16: what somebody else committed to, or shows, is worth nothing in another seat.
    function test_A16_RevertWhen_AVoteIsCopied() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        vm.warp(later(1));
        handOver();
        bytes32 first = commitmentOf(0, WORK);
        commit(0, WORK);
        // The same words, from the pool of transactions.
        bid(voters()[1], abi.encodeCall(jury.commit, (id, 1, first)));
        commit(2, WORK);
        handOver();
        reveal(0, WORK, 0);
        bytes memory wrong = abi.encodeWithSelector(IJury.Jury_WrongReveal.selector, id, 1);
        bytes memory shown = abi.encodeCall(jury.reveal, (id, 1, WORK, 0, saltOf(0)));
        assertJuryRefuses(voters()[1], shown, wrong);
        reveal(2, WORK, 0);
        finish();
        assertEq(SEAT - stakeOf(accountAt(1, 0)), fine, "as silent as any");
        assertEq(jury.creditOf(accountAt(1, 0)), 0, "and not paid");
        assertSolvent(JURORS);
    }

    /// @dev A17: a commitment is of one task, one round and one seat, and is not taken back.
    function test_A17_commitmentsAreBound() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        (uint256[] memory seats, ) = jury.panelOf(id, 0);
        bytes32 base = jury.commitmentOf(id, 0, seats[0], WORK, "s");
        TaskId other = TaskId.wrap(bytes32(uint256(TaskId.unwrap(id)) ^ 1));
        assertTrue(base != jury.commitmentOf(other, 0, seats[0], WORK, "s"), "task");
        assertTrue(base != jury.commitmentOf(id, 1, seats[0], WORK, "s"), "round");
        assertTrue(base != jury.commitmentOf(id, 0, seats[0] + 1, WORK, "s"), "seat");
        assertTrue(base != jury.commitmentOf(id, 0, seats[0], WORK ^ 1, "s"), "work");
        assertTrue(base != jury.commitmentOf(id, 0, seats[0], WORK, "t"), "salt");
        vm.warp(later(1));
        handOver();
        commit(0, WORK);
        assertJuryRefuses(
            voters()[0],
            commitCall(0, OTHER),
            abi.encodeWithSelector(IJury.Jury_Committed.selector, id, 0)
        );
        assertJuryRefuses(
            voters()[1],
            commitCall(0, WORK),
            abi.encodeWithSelector(IJury.Jury_NotJuror.selector, id, 0, voters()[1])
        );
        address stranger = STRANGER;
        for (uint256 i = 0; i < 5; ++i) {
            bytes memory data = abi.encodeCall(jury.commit, (id, i, base));
            assertJuryRefuses(
                stranger,
                data,
                abi.encodeWithSelector(IJury.Jury_NotJuror.selector, id, i, stranger)
            );
        }
        bytes memory bad = abi.encodeWithSelector(IJury.Jury_WrongReveal.selector, id, 1);
        assertJuryRefuses(voters()[1], abi.encodeCall(jury.commit, (id, 1, bytes32(0))), bad);
        assertJuryRefuses(voters()[1], abi.encodeCall(jury.commit, (id, 1, bytes32(uint256(3)))), bad);
    }

    /// @dev A22: votes and fingerprints beyond their bounds are no votes.
    function testFuzz_A22_RevertWhen_TheVoteIsExtreme(uint256 bps, uint256 high) external {
        disputed(Stakes(1e19, 1e19));
        draw();
        vm.warp(later(1));
        handOver();
        uint256 beyond = WORK | (bound(high, 1, type(uint16).max) << 240);
        for (uint256 i = 0; i < 3; ++i) commit(i, i == 2 ? beyond : WORK);
        handOver();
        bps = bound(bps, BPS + 1, type(uint256).max);
        bytes memory wrong = abi.encodeWithSelector(IJury.Jury_WrongReveal.selector, id, 0);
        assertJuryRefuses(voters()[0], revealCall(0, WORK, bps), wrong);
        assertJuryRefuses(
            voters()[2],
            revealCall(2, beyond, 0),
            abi.encodeWithSelector(IJury.Jury_WrongReveal.selector, id, 2)
        );
        reveal(0, WORK, BPS);
        assertJuryRefuses(voters()[0], revealCall(0, WORK, 0), wrong);
        (bool isCommitted, bool isRevealed, uint256 fingerprint, uint256 shown) = jury.ballotOf(id, 0, 0);
        assertTrue(isCommitted && isRevealed, "shown");
        assertEq(fingerprint, WORK, "fingerprint");
        assertEq(shown, BPS, "vote");
        (isCommitted, isRevealed, fingerprint, shown) = jury.ballotOf(id, 0, 1);
        assertTrue(isCommitted && !isRevealed, "hidden");
        assertEq(fingerprint + shown, 0, "nothing is seen");
    }

    /// @dev Honest noise counts as the same work, up to the slack.
    function testFuzz_noiseIsForgiven(uint256 noise, uint8 flips) external {
        flips = uint8(bound(flips, 0, 60));
        uint256 noisy = WORK;
        uint256 flipped = 0;
        for (uint256 i = 0; flipped < flips; ++i) {
            uint256 bit = 1 << (uint256(keccak256(abi.encode(noise, i))) % 240);
            if ((noisy ^ WORK) & bit != 0) continue;
            noisy ^= bit;
            ++flipped;
        }
        disputed(Stakes(1e19, 1e19));
        draw();
        uint256[] memory fingerprints = prints(3, WORK);
        fingerprints[1] = noisy;
        deliberate(three(0, 0, 0), fingerprints);
        finish();
        assertEq(jury.creditOf(accountAt(1, 0)), flips > 48 ? 0 : share, "within the slack");
        assertEq(SEAT - stakeOf(accountAt(1, 0)), flips > 48 ? fine : 0, "beyond it");
        assertEnded(Outcome.RuledForOwner);
    }
}
