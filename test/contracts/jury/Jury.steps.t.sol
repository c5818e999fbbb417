// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {Outcome, Status, Terms} from "../../../contracts/market/Tasks.sol";
import {JuryTest} from "./JuryTest.sol";

/// @dev The steps of a case: who can do what when, and what follows where somebody does nothing.
contract JuryStepsTest is JuryTest {
    uint256 private constant JURORS = 40;
    uint256 private constant SILENT = type(uint256).max;
    uint256 private constant CONCEDED_BY = DISPUTED + CONCESSION_WINDOW;

    function setUp() external {
        convene(JURORS);
    }

    // ---- Draw ----

    /// @dev With its half of the seed the provider draws from the dispute on, until a step after its time to concede.
    function test_A14_drawInTime() external {
        disputed(Stakes(1e19, 1e19));
        uint256[5] memory times = [
            DISPUTED,
            CONCEDED_BY,
            CONCEDED_BY + 1,
            CONCEDED_BY + STEP,
            CONCEDED_BY + STEP + 1
        ];
        for (uint256 i = 0; i < 5; ++i) {
            vm.warp(times[i]);
            assertTrue(may(PROVIDER, drawCall()) == (i != 4), "draw");
            assertTrue(may(STRANGER, summonCall()) == (i == 4), "or summon");
            assertTrue(!may(STRANGER, lapseCall()), "not lapsed");
            assertTrue(!may(STRANGER, finishCall()) && !may(OWNER, handOverCall()), "nothing else");
            uint256 snapshot = vm.snapshotState();
            if (i == 4) continue;
            draw();
            assertStep(IJury.Step.Drawn);
            uint256 from = times[i] > CONCEDED_BY ? times[i] : CONCEDED_BY;
            assertEq(untilNow(), from + STEP, "time for the payload");
            assertTrue(!may(PROVIDER, drawCall()), "once");
            vm.revertToState(snapshot);
        }
        vm.warp(CONCEDED_BY + 2 * STEP);
        assertTrue(may(STRANGER, summonCall()) && !may(STRANGER, lapseCall()), "last second");
        vm.warp(CONCEDED_BY + 2 * STEP + 1);
        assertTrue(!may(STRANGER, summonCall()) && may(STRANGER, lapseCall()), "nobody drew");
    }

    /// @dev A17: the draw takes the halves that both committed to, the evidence, the task and the delivery; nothing else.
    function testFuzz_A17_RevertWhen_TheDrawIsOfOtherThings(uint8 bit) external {
        disputed(Stakes(1e19, 1e19));
        for (uint256 what = 0; what < 7; ++what) {
            uint256 snapshot = vm.snapshotState();
            assertDrawRefused(what, bit);
            vm.revertToState(snapshot);
        }
    }

    function assertDrawRefused(uint256 what, uint8 bit) private {
        bytes32 flip = bytes32(uint256(1) << bit);
        bytes32 seed = AUDIT_SEED;
        bytes32 nonce = DRAW_NONCE;
        IJury.WorkDigest memory digest = workDigest();
        uint256 count = eligible();
        if (what == 0) seed ^= flip;
        else if (what == 1) nonce ^= flip;
        else if (what == 2) evidence.inputRoot ^= flip;
        else if (what == 3) evidence.drawCommit = keccak256(abi.encode(nonce ^ flip));
        else if (what == 4) delivered.resultHash ^= flip;
        else if (what == 5) digest.payloadHash ^= flip;
        else count = bit == count ? count + 1 : bit;
        (bool success, bytes memory reason) = ask(
            PROVIDER,
            0,
            abi.encodeCall(jury.draw, (terms, digest, delivered, evidence, seed, nonce, count))
        );
        assertTrue(!success, "drawn");
        bytes4[7] memory reasons = [
            IJury.Jury_WrongSeed.selector,
            IJury.Jury_WrongEvidence.selector,
            IJury.Jury_WrongEvidence.selector,
            IJury.Jury_WrongEvidence.selector,
            IJury.Jury_NotDisputed.selector,
            IJury.Jury_NotDisputed.selector,
            IJury.Jury_WrongEligible.selector
        ];
        assertTrue(bytes4(reason) == reasons[what], "why");
        assertStep(IJury.Step.None);
    }

    /// @dev A task of another arbiter is not this jury's.
    function test_RevertWhen_AnotherArbiterIsNamed() external {
        vm.warp(BEGUN);
        deliverJudged(Stakes(1e19, 1e19));
        Terms memory others = terms;
        others.assurance = assuranceOf(1e19, address(0xA4B));
        take(others, address(0));
        vm.warp(BEGUN);
        submit();
        accept();
        vm.warp(DISPUTED);
        vm.prank(PROVIDER);
        market.deliver(terms, workHash, deliveryWith(hashOf(evidence)));
        disputeIt(AUDIT_SEED);
        bytes memory reason = abi.encodeWithSelector(IJury.Jury_NotDisputed.selector, id);
        assertJuryRefuses(PROVIDER, drawCall(), reason);
        vm.warp(CONCEDED_BY + STEP + 1);
        assertJuryRefuses(PROVIDER, summonCall(), reason);
        vm.warp(CONCEDED_BY + 2 * STEP + 1);
        assertJuryRefuses(PROVIDER, lapseCall(), reason);
    }

    // ---- Silence of the provider ----

    /// @dev A block to come draws in its stead; its hash is awaited, and again where nobody used it in time.
    function test_summonedByABlock() external {
        disputed(Stakes(1e19, 1e19));
        vm.warp(CONCEDED_BY + STEP + 1);
        vm.roll(1_000);
        bid(STRANGER, summonCall());
        assertStep(IJury.Step.Summoned);
        assertEq(untilNow(), 1_005, "block");
        bytes memory early = abi.encodeWithSelector(IJury.Jury_NoBlockHash.selector, id, 1_005, 1_000);
        assertJuryRefuses(STRANGER, drawCall(), early);
        vm.roll(1_005);
        assertTrue(!may(STRANGER, drawCall()), "the block is not there yet");
        assertTrue(!may(STRANGER, summonCall()), "and is awaited");
        vm.roll(1_006);
        assertTrue(!may(STRANGER, summonCall()), "and known");
        assertTrue(may(STRANGER, drawCall()), "anybody draws");
        vm.roll(1_005 + 257);
        assertTrue(!may(STRANGER, drawCall()), "lost");
        bid(OWNER, summonCall());
        assertEq(untilNow(), 1_005 + 257 + 5, "awaited anew");
        vm.roll(1_005 + 257 + 6);
        vm.warp(CONCEDED_BY + 2 * STEP);
        bid(OWNER, drawCall());
        assertTrue(jury.caseOf(id).isSilent, "on record");
        assertEq(voters().length, 3, "three");
    }

    /// @dev Its silence costs the provider about the fee, whoever is right; and a false accuser gains nothing by it.
    function testFuzz_A22_silenceOfTheProvider(Stakes memory stakes, bool isRight) external {
        bounded(stakes);
        disputed(stakes);
        vm.warp(CONCEDED_BY + STEP + 1);
        vm.roll(1_000);
        bid(STRANGER, summonCall());
        vm.roll(1_006);
        bid(OWNER, drawCall());
        deliberate(isRight ? three(BPS, BPS, BPS) : three(0, 0, 0));
        finish();
        assertSolvent(JURORS);
        if (!isRight) return assertEnded(Outcome.RuledForOwner);
        // Of the price, of the collateral, and of what it is paid for waiting.
        uint256 penalty = bond - fee;
        uint256 lost = cost + penalty + STAKE - ledgerOf(PROVIDER) - stakeOf(PROVIDER);
        assertLe(lost, fee + fee / 20 + 2, "about the fee");
        assertLe(fee, lost + (cost + stakes.collateral) / BPS + 2, "and no less");
        assertLe(market.balanceOf(OWNER), bond - penalty + fee / 20 + 2, "a false accusation brings nothing");
    }

    /// @dev An owner that lets the case lapse has nothing of the provider's silence either.
    function test_A22_silenceOfBoth() external {
        disputed(Stakes(1e19, 1e19));
        vm.warp(CONCEDED_BY + STEP + 1);
        vm.roll(1_000);
        bid(STRANGER, summonCall());
        vm.roll(1_006);
        bid(OWNER, drawCall());
        vm.warp(untilNow() + 1);
        bid(STRANGER, lapseCall());
        assertLapsed();
        assertEq(stakeOf(PROVIDER), STAKE, "whole");
    }

    /// @dev What a provider committed to, nobody may know: its silence then does not save it. Who draws in its stead says
    /// what it knows, all or nothing.
    function testFuzz_A22_evidenceNobodyKnows(uint8 word) external {
        disputed(Stakes(1e19, 1e19));
        delete evidence;
        assertTrue(!may(PROVIDER, drawCall()), "not in the provider's own time");
        vm.warp(CONCEDED_BY + STEP + 1);
        vm.roll(1_000);
        bid(STRANGER, summonCall());
        vm.roll(1_006);
        uint256 snapshot = vm.snapshotState();
        if (word % 6 == 0) evidence.inputRoot = "x";
        else if (word % 6 == 1) evidence.resultRoot = "x";
        else if (word % 6 == 2) evidence.unitsRoot = "x";
        else if (word % 6 == 3) evidence.unitCount = 1;
        else if (word % 6 == 4) evidence.runHash = "x";
        else evidence.drawCommit = "x";
        assertTrue(!may(OWNER, drawCall()), "neither the one nor the other");
        vm.revertToState(snapshot);
        delete evidence;
        bid(OWNER, drawCall());
        deliberate(three(0, 0, 0));
        vm.warp(untilNow() + 1);
        appeal();
        deliberate(fifteen(15, 0));
        finish();
        assertEnded(Outcome.RuledForOwner);
        assertSolvent(JURORS);
    }

    // ---- What the owner has to do ----

    /// @dev An owner that keeps its seed to itself has lost as soon as the provider can concede no more.
    function test_A22_seedIsKept() external {
        disputed(Stakes(1e19, 1e19), 0);
        vm.warp(CONCEDED_BY);
        assertTrue(!may(STRANGER, lapseCall()), "not yet");
        vm.warp(CONCEDED_BY + 1);
        assertTrue(may(PROVIDER, drawCall()), "who knows it can draw");
        bid(STRANGER, lapseCall());
        assertLapsed();
        vm.warp(CONCEDED_BY + STEP + 1);
        assertTrue(!may(STRANGER, summonCall()), "over");
    }

    function test_A22_RevertWhen_SummonedWithoutTheSeed() external {
        disputed(Stakes(1e19, 1e19), 0);
        vm.warp(CONCEDED_BY + STEP + 1);
        assertJuryRefuses(OWNER, summonCall(), abi.encodeWithSelector(IJury.Jury_WrongSeed.selector, id));
    }

    function test_I08_nobodyDraws() external {
        disputed(Stakes(1e19, 1e19));
        vm.warp(CONCEDED_BY + STEP + 1);
        vm.roll(1_000);
        bid(STRANGER, summonCall());
        vm.warp(CONCEDED_BY + 2 * STEP + 1);
        bid(STRANGER, lapseCall());
        assertLapsed();
    }

    function test_I08_noPayload() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        vm.warp(untilNow());
        assertTrue(!may(STRANGER, lapseCall()) && may(OWNER, handOverCall()), "last second");
        vm.warp(untilNow() + 1);
        assertTrue(!may(OWNER, handOverCall()), "too late");
        assertTrue(!may(STRANGER, finishCall()), "it does not end in silence");
        bid(STRANGER, lapseCall());
        assertLapsed();
        for (uint256 i = 0; i < 3; ++i) assertEq(stakeOf(accountAt(i, 0)), SEAT, "nobody is silent");
    }

    function assertLapsed() private {
        assertEnded(Outcome.RuledForProvider);
        assertEq(ledgerOf(PROVIDER), cost + bond - fee, "all of it, and for waiting");
        assertEq(market.balanceOf(OWNER), 0, "the bond is lost");
        assertEq(jury.creditOf(TREASURY), fee, "nobody worked for it");
        assertSolvent(JURORS);
        assertTrue(!may(STRANGER, lapseCall()) && !may(STRANGER, finishCall()), "I-3");
        assertTrue(!may(PROVIDER, drawCall()), "over");
    }

    /// @dev In the second round, too: it wins the provider the appeal, and the first panel is judged by its own verdict.
    function testFuzz_I08_noPayloadInTheSecondRound(bool forOwner) external {
        disputed(Stakes(1e19, 1e19));
        draw();
        uint256 vote = forOwner ? 0 : BPS;
        deliberate(three(vote, vote, BPS - vote));
        vm.warp(untilNow() + 1);
        appeal();
        vm.warp(untilNow() + 1);
        bid(STRANGER, lapseCall());
        assertSolvent(JURORS);
        assertEnded(Outcome.RuledForProvider);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(jury.creditOf(accountAt(i, 0)), i == 2 ? 0 : share, "first panel");
            assertEq(SEAT - stakeOf(accountAt(i, 0)), i == 2 ? fine : 0, "first panel");
        }
        for (uint256 i = 0; i < 15; ++i) assertEq(stakeOf(accountAt(i, 1)), SEAT, "second panel");
        assertEq(jury.creditOf(STRANGER), forOwner ? 15 * share : 0, "bond");
    }

    /// @dev Where the result is kept from them, jurors show what they have done in the time after, and vote.
    function testFuzz_I08_resultIsNotOpened(uint16 wait) external {
        disputed(Stakes(1e19, 1e19));
        draw();
        vm.warp(later(1));
        handOver();
        for (uint256 i = 0; i < 3; ++i) commit(i, WORK);
        uint256 until = untilNow();
        wait = uint16(bound(wait, 0, 3 * STEP + 10));
        vm.warp(until + wait);
        bool isOpened = wait <= STEP;
        assertTrue(may(OWNER, handOverCall()) == isOpened, "result");
        bool isLate = wait > STEP && wait <= 2 * STEP;
        assertTrue(may(voters()[0], revealCall(0, WORK, BPS)) == isLate, "without it");
        assertTrue(may(STRANGER, finishCall()) == (wait > 3 * STEP), "the end");
        assertTrue(!may(STRANGER, lapseCall()), "jurors have worked");
        if (!isLate) return;
        for (uint256 i = 0; i < 3; ++i) reveal(i, WORK, BPS);
        vm.warp(until + 3 * STEP + 1);
        bid(STRANGER, finishCall());
        assertEnded(Outcome.RuledForProvider);
        for (uint256 i = 0; i < 3; ++i) assertEq(jury.creditOf(accountAt(i, 0)), share, "paid");
    }

    /// @dev Owner and delegates hand over, in order and in time; the result only when commitments cannot change.
    function test_A14_A19_handOverInOrder() external {
        disputed(Stakes(1e19, 1e19));
        vm.prank(OWNER);
        market.setDelegate(SPONSOR, IEscrow.Delegation(1, PROVIDER, type(uint40).max, 0));
        draw();
        vm.warp(CONCEDED_BY);
        assertJuryRefuses(
            OWNER,
            handOverCall(),
            abi.encodeWithSelector(IJury.Jury_TooEarly.selector, id, CONCEDED_BY + 1, CONCEDED_BY)
        );
        vm.warp(CONCEDED_BY + 1);
        bytes memory data = handOverCall();
        assertTrue(may(OWNER, data) && may(SPONSOR, data), "owner and delegate");
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(OWNER);
            market.setDelegate(
                STRANGER,
                IEscrow.Delegation(
                    i == 0 ? 0 : 1,
                    i == 1 ? BACKUP : address(0),
                    uint40(i == 2 ? CONCEDED_BY : type(uint40).max),
                    i == 3 ? 7 : 0
                )
            );
            assertTrue(!may(STRANGER, data), "revoked, of others, expired, of another model");
        }
        assertTrue(!may(PROVIDER, data) && !may(STRANGER, data) && !may(voters()[0], data), "nobody else");
        bid(SPONSOR, data);
        assertStep(IJury.Step.Committing);
        assertEq(untilNow(), CONCEDED_BY + 1 + STEP, "time to commit");
        commit(0, WORK);
        commit(1, WORK);
        assertJuryRefuses(
            OWNER,
            data,
            abi.encodeWithSelector(IJury.Jury_NotAllCommitted.selector, id, untilNow())
        );
        assertTrue(!may(voters()[0], revealCall(0, WORK, 0)), "not shown before");
        vm.warp(untilNow());
        assertTrue(!may(OWNER, data), "there is time");
        assertTrue(may(voters()[2], commitCall(2, WORK)), "last second");
        vm.warp(untilNow() + 1);
        assertTrue(!may(voters()[2], commitCall(2, WORK)), "too late");
        bid(OWNER, data);
        assertStep(IJury.Step.Revealing);
        assertTrue(!may(OWNER, data), "no third time");
        assertTrue(!may(voters()[2], commitCall(2, WORK)), "nor now");
        vm.warp(untilNow());
        assertTrue(may(voters()[0], revealCall(0, WORK, 0)), "last second");
        vm.warp(untilNow() + 1);
        assertTrue(!may(voters()[0], revealCall(0, WORK, 0)), "too late");
    }

    function test_A24_RevertWhen_TheReferenceIsTooLong() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        vm.warp(later(1));
        string memory long = string(new bytes(257));
        assertTrue(!may(OWNER, abi.encodeCall(jury.handOver, (terms, workHash, long))), "257 bytes");
        assertTrue(!may(OWNER, abi.encodeCall(jury.handOver, (terms, workHash, ""))), "none");
    }

    // ---- Ends that are not the jury's ----

    /// @dev A provider that concedes leaves nobody to be judged: seats are free again, and the market has done the rest.
    function testFuzz_I05_concededMeanwhile(bool isDrawn) external {
        disputed(Stakes(1e19, 1e19));
        if (isDrawn) draw();
        vm.warp(CONCEDED_BY);
        act(PROVIDER, abi.encodeCall(market.concede, (terms, workHash, delivered)));
        assertStatus(Status.Resolved, Outcome.Conceded);
        vm.warp(CONCEDED_BY + 1);
        vm.warp(CONCEDED_BY + CONCESSION_WINDOW + 1);
        assertTrue(!may(OWNER, handOverCall()), "nothing to decide");
        assertTrue(!may(STRANGER, lapseCall()) && !may(PROVIDER, drawCall()), "nor to draw");
        assertTrue(may(STRANGER, finishCall()) == isDrawn, "seats");
        if (!isDrawn) return;
        bid(STRANGER, finishCall());
        assertStep(IJury.Step.Ended);
        for (uint256 i = 0; i < 3; ++i) assertEq(stakeOf(accountAt(i, 0)), SEAT, "whole");
        assertEq(owed(JURORS), 0, "no fee");
        assertSolvent(JURORS);
    }

    /// @dev When the jury's time is over the market pays the provider. Silence is fined all the same, whoever ends it first.
    function testFuzz_I08_tooLateToRule(bool isResolvedFirst, bool isAnswered) external {
        disputed(Stakes(1e19, 1e19));
        draw();
        deliberate(isAnswered ? three(0, 0, SILENT) : three(SILENT, SILENT, SILENT));
        vm.warp(market.disputeOf(id).rulingBy + 1);
        bytes memory resolve = abi.encodeCall(market.resolve, (terms, workHash, delivered));
        if (isResolvedFirst) act(STRANGER, resolve);
        bid(STRANGER, finishCall());
        if (!isResolvedFirst) act(STRANGER, resolve);
        assertStatus(Status.Resolved, Outcome.ArbiterSilent);
        assertStep(IJury.Step.Ended);
        assertEq(ledgerOf(PROVIDER), cost, "paid");
        assertEq(market.balanceOf(OWNER), bond, "bond");
        for (uint256 i = 0; i < 3; ++i) {
            bool isSilent = i == 2 || !isAnswered;
            assertEq(SEAT - stakeOf(accountAt(i, 0)), isSilent ? fine : 0, "silence");
            assertEq(jury.creditOf(accountAt(i, 0)), 0, "nothing was ruled");
        }
        assertSolvent(JURORS);
    }

    /// @dev A juror that left, and took its stake when the case could have been over long since, does not keep others from
    /// ending it.
    function test_A20_endsWithoutWhoLeft() external {
        disputed(Stakes(1e19, 1e19));
        draw();
        (uint256[] memory seats, ) = jury.panelOf(id, 0);
        uint256[] memory one = new uint256[](1);
        one[0] = seats[0];
        vm.prank(jurorOf(seats[0]));
        jury.leaveSeats(0, one);
        deliberate(three(SILENT, 0, SILENT));
        vm.warp(DISPUTED + jury.exitSeconds() + 1);
        bid(STRANGER, abi.encodeCall(jury.releaseSeats, (0, one)));
        bid(STRANGER, finishCall());
        assertStep(IJury.Step.Ended);
        assertEq(stakeOf(jurorOf(seats[0])), SEAT, "it is out of reach");
        assertEq(lockedOf(jurorOf(seats[0])), 0, "and free");
        assertEq(SEAT - stakeOf(jurorOf(seats[2])), fine, "who stayed is fined");
        assertEq(jury.creditOf(TREASURY), fine, "once");
        assertSolvent(JURORS);
    }

    /// @dev I-8: the longest case there can be ends in time.
    function test_I08_theLongestCaseEndsInTime() external {
        disputed(Stakes(1e19, 1e19));
        vm.warp(CONCEDED_BY + 2 * STEP);
        vm.roll(1_000);
        bid(STRANGER, summonCall());
        vm.roll(1_006);
        bid(STRANGER, drawCall());
        for (uint256 r = 0; r < 2; ++r) {
            vm.warp(untilNow());
            handOver();
            vm.warp(untilNow());
            uint256 size = r == 0 ? 3 : 15;
            for (uint256 i = 0; i < size; ++i) commit(i, WORK);
            vm.warp(untilNow() + STEP);
            handOver();
            vm.warp(untilNow());
            for (uint256 i = 0; i < size; ++i) reveal(i, WORK, r == 0 ? BPS : 0);
            if (r == 1) break;
            vm.warp(untilNow() + STEP);
            appeal();
        }
        vm.warp(untilNow() + 1);
        assertLe(untilNow() + STEP, market.disputeOf(id).rulingBy, "a step is left");
        bid(STRANGER, finishCall());
        assertEnded(Outcome.RuledForOwner);
        assertSolvent(JURORS);
    }

    /// @dev Money that is not a fee or a fine is refused: it would be nobody's.
    function test_A09_RevertWhen_ItIsSentMoney() external {
        vm.prank(STRANGER);
        (bool success, bytes memory reason) = address(jury).call{value: 1}("");
        assertTrue(!success, "taken");
        assertEq(reason, abi.encodeWithSelector(IJury.Jury_NotFrom.selector, STRANGER), "why");
    }
}
