// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {IJurySeats} from "../../../contracts/interfaces/IJurySeats.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {Outcome} from "../../../contracts/market/Tasks.sol";
import {JuryTest} from "./JuryTest.sol";

/// @dev Who can be drawn, and what a seat's stake is bound by.
contract JurySeatsTest is JuryTest {
    uint256 private constant JURORS = 8;
    uint256 private constant ANY_GPU = 65_535;

    function setUp() external {
        convene(JURORS);
    }

    function seatsCall(uint256 class_, uint256 count) private view returns (bytes memory) {
        return abi.encodeCall(jury.takeSeats, (class_, count, STRANGER));
    }

    function one(uint256 seat_) private pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = seat_;
    }

    // ---- Taking and leaving ----

    /// @dev I-11: so much of the stake is locked, and no more than is free.
    function testFuzz_I11_seatsLockStake(uint8 count) external {
        count = uint8(bound(count, 1, 20));
        register(STRANGER, STRANGER, 1, 7 * SEAT);
        bool isThere = may(STRANGER, seatsCall(0, count));
        assertTrue(isThere == (count <= 7), "as far as the stake goes");
        if (!isThere) return;
        bid(STRANGER, seatsCall(0, count));
        assertEq(lockedOf(STRANGER), count * SEAT, "locked");
        assertEq(jury.seatCount(0), JURORS + count, "seats");
        IJurySeats.Seat memory last = jury.seatOf(0, JURORS + count - 1);
        assertEq(last.voter, STRANGER, "voter");
        assertEq(last.account, STRANGER, "account");
        assertEq(last.since, vm.getBlockTimestamp(), "since");
        vm.prank(STRANGER);
        try registry.unstake((7 - count) * SEAT + 1) {
            revert("locked stake left");
        } catch {}
    }

    function test_RevertWhen_SeatsCannotBeTaken() external {
        assertJuryRefuses(
            STRANGER,
            seatsCall(0, 1),
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NotRegistered.selector, STRANGER)
        );
        register(STRANGER, STRANGER, 1, SEAT);
        assertJuryRefuses(
            STRANGER,
            seatsCall(0, 0),
            abi.encodeWithSelector(IJurySeats.Jury_ZeroSeats.selector)
        );
        assertJuryRefuses(
            STRANGER,
            abi.encodeCall(jury.takeSeats, (0, 1, address(0))),
            abi.encodeWithSelector(IJurySeats.Jury_ZeroVoter.selector)
        );
        vm.prank(STRANGER);
        registry.setStatus(IProviderRegistry.ProviderStatus.Paused);
        assertJuryRefuses(
            STRANGER,
            seatsCall(0, 1),
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NotActive.selector, STRANGER)
        );
    }

    /// @dev Only who offers a GPU judges what was run on one; a named one takes just that.
    function test_classesAreOfMachines() external {
        register(STRANGER, STRANGER, 1, 10 * SEAT);
        assertTrue(may(STRANGER, seatsCall(0, 1)), "none is needed");
        assertTrue(!may(STRANGER, seatsCall(7, 1)) && !may(STRANGER, seatsCall(ANY_GPU, 1)), "it has none");
        offer(STRANGER, 1, 7);
        assertTrue(may(STRANGER, seatsCall(7, 1)) && may(STRANGER, seatsCall(ANY_GPU, 1)), "it has one");
        assertTrue(!may(STRANGER, seatsCall(8, 1)), "not that one");
        offer(STRANGER, 0, 7);
        assertJuryRefuses(
            STRANGER,
            seatsCall(7, 1),
            abi.encodeWithSelector(IJurySeats.Jury_WrongClass.selector, STRANGER, 7)
        );
        assertEq(jury.classOf(resourcesOf(0, 7)), 0, "no GPU");
        assertEq(jury.classOf(resourcesOf(2, 7)), 7, "this GPU");
        assertEq(jury.classOf(resourcesOf(2, 0)), ANY_GPU, "any GPU");
    }

    function resourcesOf(uint256 gpus, uint256 class_) private pure returns (Resources) {
        return Resources.wrap(gpus | (class_ << 16));
    }

    function offer(address account, uint256 gpus, uint256 class_) private {
        vm.prank(account);
        registry.updateOffer(
            IProviderRegistry.Offer({shape: resourcesOf(gpus, class_), rateWei: 1, slots: 1, metadata: ""})
        );
    }

    /// @dev A20: stake stays as long as a dispute of before may take; then anybody gives it back, once.
    function testFuzz_A20_leavingTakesItsTime(uint32 wait) public {
        wait = uint32(bound(wait, 0, 2 * jury.exitSeconds()));
        bytes memory release = abi.encodeCall(jury.releaseSeats, (0, one(2)));
        bytes memory leaving = abi.encodeCall(jury.leaveSeats, (0, one(2)));
        assertTrue(!may(STRANGER, leaving) && !may(voterOf(2), leaving), "its own affair");
        assertTrue(!may(STRANGER, release), "it has not left");
        bid(jurorOf(2), leaving);
        assertTrue(!may(jurorOf(2), leaving), "once");
        uint256 left = vm.getBlockTimestamp();
        vm.warp(left + wait);
        bool isOver = wait > jury.exitSeconds();
        assertTrue(may(STRANGER, release) == isOver, "release");
        if (!isOver) return;
        bid(STRANGER, release);
        assertEq(lockedOf(jurorOf(2)), 0, "unlocked");
        assertEq(stakeOf(jurorOf(2)), SEAT, "and whole");
        assertTrue(!may(STRANGER, release), "I-3");
        assertTrue(!may(jurorOf(2), leaving), "gone");
    }

    function test_A20_leavingAtItsEdge() external {
        for (uint32 i = 0; i < 3; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A20_leavingTakesItsTime(uint32(jury.exitSeconds()) - 1 + i);
            vm.revertToState(snapshot);
        }
    }

    /// @dev I-3: one seat's stake is given back once, not with that of another one of the same provider.
    function test_I03_RevertWhen_ASeatIsReleasedTwice() external {
        register(STRANGER, STRANGER, 1, 2 * SEAT);
        bid(STRANGER, seatsCall(0, 2));
        bid(STRANGER, abi.encodeCall(jury.leaveSeats, (0, one(JURORS))));
        vm.warp(vm.getBlockTimestamp() + jury.exitSeconds() + 1);
        bytes memory release = abi.encodeCall(jury.releaseSeats, (0, one(JURORS)));
        bid(STRANGER, release);
        assertJuryRefuses(
            STRANGER,
            release,
            abi.encodeWithSelector(IJurySeats.Jury_NotSeatHolder.selector, 0, JURORS, STRANGER)
        );
        assertEq(lockedOf(STRANGER), SEAT, "the other one is bound");
    }

    /// @dev A26: what was lost stays lost.
    function test_A26_whatIsLeftIsReleased() external {
        disputed(Stakes(uint96(SEAT / 2), uint96(SEAT / 4)));
        draw();
        deliberate(three(0, 0, BPS));
        finish();
        (uint256[] memory seats, ) = jury.panelOf(id, 0);
        address loser = jurorOf(seats[2]);
        assertEq(stakeOf(loser), SEAT - fine, "fined");
        bid(loser, abi.encodeCall(jury.leaveSeats, (0, one(seats[2]))));
        vm.warp(vm.getBlockTimestamp() + jury.exitSeconds() + 1);
        bid(STRANGER, abi.encodeCall(jury.releaseSeats, (0, one(seats[2]))));
        assertEq(lockedOf(loser), 0, "all that was left");
        assertEq(stakeOf(loser), SEAT - fine, "no more");
    }

    function test_voterIsTheHoldersChoice() external {
        bytes memory data = abi.encodeCall(jury.setVoter, (0, 3, STRANGER));
        assertJuryRefuses(
            voterOf(3),
            data,
            abi.encodeWithSelector(IJurySeats.Jury_NotSeatHolder.selector, 0, 3, voterOf(3))
        );
        bid(jurorOf(3), data);
        assertEq(jury.seatOf(0, 3).voter, STRANGER, "voter");
        assertTrue(!may(jurorOf(3), abi.encodeCall(jury.setVoter, (0, 3, address(0)))), "nobody");
        assertTrue(!may(jurorOf(3), abi.encodeCall(jury.setVoter, (0, JURORS, STRANGER))), "there is none");
    }

    // ---- Drawing ----

    /// @dev Stake that is younger than the task takes no part, to the second.
    function testFuzz_A30_youngStakeTakesNoPart(uint32 age) external {
        uint256 startBy = BEGUN + 100;
        age = uint32(bound(age, 1 days, SEASONING + 1 days));
        vm.warp(startBy - age);
        seat(100);
        bool isOld = age >= SEASONING;
        assertEq(jury.eligibleSeats(0, startBy), JURORS + (isOld ? 1 : 0), "seats");
        if (startBy - age > BEGUN) return;
        disputed(Stakes(1e19, 1e19));
        bytes memory data = abi.encodeCall(
            jury.draw,
            (terms, workDigest(), delivered, evidence, AUDIT_SEED, DRAW_NONCE, JURORS)
        );
        assertTrue(may(PROVIDER, data) == !isOld, "a draw among all of them");
        for (uint256 i = JURORS - 1; i < JURORS + 3; ++i) {
            data = abi.encodeCall(
                jury.draw,
                (terms, workDigest(), delivered, evidence, AUDIT_SEED, DRAW_NONCE, i)
            );
            assertTrue(may(PROVIDER, data) == (i == JURORS + (isOld ? 1 : 0)), "neither more nor fewer");
        }
        assertTrue(may(PROVIDER, drawCall()), "or these");
    }

    function test_A30_youngStakeAtItsEdge() external {
        uint256 startBy = BEGUN + 100;
        vm.warp(startBy - SEASONING - 1);
        seat(100);
        vm.warp(startBy - SEASONING);
        seat(101);
        vm.warp(startBy - SEASONING + 1);
        seat(102);
        assertEq(jury.eligibleSeats(0, startBy), JURORS + 2, "the first two");
        assertEq(jury.eligibleSeats(0, startBy - 1), JURORS + 1, "the first");
        assertEq(jury.eligibleSeats(0, startBy + 1), JURORS + 3, "all");
        assertEq(jury.eligibleSeats(0, 0), 0, "none");
        assertEq(jury.eligibleSeats(9, startBy), 0, "of no class");
    }

    /// @dev Three different seats, none of them a party's; the same ones for the same seed, whoever draws.
    function testFuzz_panelsAreOfOthers(bytes32 nonce) external {
        // Seats with the provider's own key, its operator's, and the owner's.
        for (uint256 i = 0; i < 3; ++i) {
            address voter = [PROVIDER, OPERATOR, OWNER][i];
            bid(jurorOf(i), abi.encodeCall(jury.setVoter, (0, i, voter)));
        }
        // The provider's own, with another key.
        bid(PROVIDER, seatsCall(0, 2));
        vm.warp(NOW + 1 days);
        // One juror with two seats.
        bid(jurorOf(4), abi.encodeCall(jury.setVoter, (0, 4, voterOf(5))));
        evidence.drawCommit = keccak256(abi.encode(nonce));
        disputed(Stakes(1e19, 1e19));
        assertEq(eligible(), JURORS + 2, "old enough");
        bid(
            STRANGER,
            abi.encodeCall(
                jury.draw,
                (terms, workDigest(), delivered, evidence, AUDIT_SEED, nonce, eligible())
            )
        );
        // As anybody computes it.
        bytes32 seed = keccak256(abi.encode(AUDIT_SEED, nonce));
        (uint256[] memory seats, ) = jury.panelOf(id, 0);
        assertEq(seats.length, 3, "three");
        uint256 found = 0;
        for (uint256 i = 0; found < 3; ++i) {
            uint256 index = uint256(keccak256(abi.encode(seed, uint256(0), i))) % (JURORS + 2);
            if (index < 3 || index >= JURORS) continue;
            bool isAgain = false;
            for (uint256 k = 0; k < found; ++k) if (seats[k] == index) isAgain = true;
            if (isAgain) continue;
            assertEq(seats[found++], index, "by the seed");
        }
    }

    /// @dev Who votes for several seats of a panel has several votes.
    function test_votesAreOfSeats() external {
        for (uint256 i = 0; i < JURORS; ++i) bid(jurorOf(i), abi.encodeCall(jury.setVoter, (0, i, STRANGER)));
        disputed(Stakes(1e19, 1e19));
        draw();
        address[] memory list = voters();
        for (uint256 i = 0; i < 3; ++i) assertEq(list[i], STRANGER, "voter");
        (uint256[] memory seats, ) = jury.panelOf(id, 0);
        assertTrue(seats[0] != seats[1] && seats[1] != seats[2] && seats[0] != seats[2], "each once");
        deliberate(three(0, 0, 0));
        finish();
        for (uint256 i = 0; i < 3; ++i) assertEq(jury.creditOf(accountAt(i, 0)), share, "paid");
        assertSolvent(JURORS);
    }

    /// @dev Who left before the dispute is not drawn; who leaves after it, to escape or to have others drawn, is.
    function testFuzz_A20_leavingDoesNotChooseThePanel(uint8 first, bool isBefore) external {
        first = uint8(bound(first, 0, 4));
        deliverJudged(Stakes(1e19, 1e19));
        if (isBefore) leaveThree(first);
        disputeIt(AUDIT_SEED);
        if (!isBefore) {
            uint256 snapshot = vm.snapshotState();
            draw();
            (uint256[] memory expected, ) = jury.panelOf(id, 0);
            vm.revertToState(snapshot);
            vm.warp(DISPUTED + 1);
            leaveThree(first);
            draw();
            (uint256[] memory seats, ) = jury.panelOf(id, 0);
            for (uint256 i = 0; i < 3; ++i) assertEq(seats[i], expected[i], "the same");
            return;
        }
        draw();
        (uint256[] memory drawn, ) = jury.panelOf(id, 0);
        for (uint256 i = 0; i < 3; ++i) assertTrue(drawn[i] < first || drawn[i] >= first + 3, "they left");
    }

    function leaveThree(uint256 first) private {
        for (uint256 i = first; i < first + 3; ++i)
            bid(jurorOf(i), abi.encodeCall(jury.leaveSeats, (0, one(i))));
    }

    /// @dev A seat in several cases at once loses what it stands for in each, and no more than it is worth; then it is drawn
    /// no more. So nobody can have honest seats passed over by disputes of its own.
    function test_I11_seatsLoseNoMoreThanTheyAreWorth() external {
        for (uint256 i = 0; i < JURORS - 3; ++i)
            bid(jurorOf(i), abi.encodeCall(jury.leaveSeats, (0, one(i))));
        // Two thirds of a seat each.
        Stakes memory stakes = Stakes(uint96(SEAT), uint96(SEAT / 4));
        bytes[2] memory ends;
        for (uint256 i = 0; i < 2; ++i) {
            auditSeed = bytes32(i + 1);
            disputed(stakes);
            draw();
            assertEq(voters().length, 3, "drawn again");
            ends[i] = finishCall();
            vm.warp(later(1));
            handOver();
        }
        uint256 risk = riskBps();
        assertEq(risk, 6_500, "of a seat");
        // Nobody says anything.
        vm.warp(untilNow() + 3 * STEP + 1);
        bid(STRANGER, ends[0]);
        for (uint256 i = JURORS - 3; i < JURORS; ++i) {
            assertEq(stakeOf(jurorOf(i)), SEAT - (SEAT * risk) / BPS, "once");
            assertEq(jury.seatOf(0, i).lostBps, risk, "on record");
        }
        bid(STRANGER, ends[1]);
        for (uint256 i = JURORS - 3; i < JURORS; ++i) assertEq(stakeOf(jurorOf(i)), 0, "the rest");
        assertEq(jury.creditOf(TREASURY), 3 * SEAT, "all of it");
        assertSolvent(JURORS);
        auditSeed = bytes32(uint256(3));
        disputed(stakes);
        draw();
        assertStep(IJury.Step.Ended);
    }

    /// @dev Beyond what two seats stand for nobody is drawn, and the market pays the provider. Where the price alone is too
    /// much, no fee is asked, and the market ends it soon.
    function testFuzz_A22_beyondItsCapacity(bool byPrice) external {
        disputed(byPrice ? Stakes(uint96(2 * SEAT), 0) : Stakes(uint96(SEAT), uint96(SEAT)));
        uint256 time = byPrice ? CONCESSION_WINDOW + 1 hours : jury.rulingSeconds();
        assertEq(market.disputeOf(id).rulingBy, DISPUTED + time, "time");
        assertEq(fee, byPrice ? 0 : (SEAT * FEE) / BPS, "fee");
        draw();
        assertStep(IJury.Step.Ended);
        vm.warp(DISPUTED + time + 1);
        act(STRANGER, abi.encodeCall(market.resolve, (terms, workHash, delivered)));
        assertEnded(Outcome.ArbiterSilent);
        assertEq(market.balanceOf(OWNER), bond, "bond");
        assertEq(ledgerOf(PROVIDER), cost, "paid");
    }

    /// @dev One juror cannot outvote anybody: nothing is ruled, nobody is bound, and nobody is fined.
    function test_tooFewSeats() external {
        for (uint256 i = 0; i < JURORS - 1; ++i)
            bid(jurorOf(i), abi.encodeCall(jury.leaveSeats, (0, one(i))));
        disputed(Stakes(1e19, 1e19));
        draw();
        assertStep(IJury.Step.Ended);
        assertTrue(!may(STRANGER, finishCall()), "nothing to end");
    }

    function test_twoCanDecide() external {
        for (uint256 i = 0; i < JURORS - 2; ++i)
            bid(jurorOf(i), abi.encodeCall(jury.leaveSeats, (0, one(i))));
        disputed(Stakes(1e19, 1e19));
        draw();
        assertEq(voters().length, 2, "two");
        uint256[] memory votes = new uint256[](2);
        deliberate(votes);
        uint256 value = jury.appealBondOf(id);
        vm.warp(untilNow() + 1);
        (bool success, bytes memory reason) = ask(STRANGER, value, appealCall());
        assertTrue(!success, "no fifteen");
        assertEq(reason, abi.encodeWithSelector(IJury.Jury_TooFewSeats.selector, id, 0), "why");
        finish();
        assertEnded(Outcome.RuledForOwner);
        assertSolvent(JURORS);
    }

    // ---- Settings ----

    function test_A40_RevertWhen_SettingsAreOutOfBounds() external {
        assertUnfit("seatWei", 0, FEE, 1, STEP, 0, 0);
        assertUnfit("seatWei", 10_001, FEE, 1, STEP, 0, 10_001);
        assertUnfit("seatWei", 1e30, FEE, 1, STEP, 0, 1e30);
        assertUnfit("feeBps", SEAT, 0, 1, STEP, 0, 0);
        assertUnfit("feeBps", SEAT, 1_501, 1, STEP, 0, 1_501);
        assertUnfit("minimumFeeWei", SEAT, FEE, SEAT + 1, STEP, 0, SEAT + 1);
        assertUnfit("stepSeconds", SEAT, FEE, 1, 299, 0, 299);
        assertUnfit("stepSeconds", SEAT, FEE, 1, 3 days, 0, 3 days);
        assertUnfit("seasoningSeconds", SEAT, FEE, 1, STEP, 366 days, 366 days);
    }

    function assertUnfit(
        string memory name,
        uint256 seatWei,
        uint256 feeBps,
        uint256 least,
        uint256 step,
        uint256 seasoning,
        uint256 value
    ) private {
        bytes memory arguments = abi.encode(market, seatWei, feeBps, least, step, seasoning);
        try this.make(arguments) {
            revert("made");
        } catch (bytes memory reason) {
            bytes memory expected = abi.encodeWithSelector(
                IJurySeats.Jury_InvalidSetting.selector,
                name,
                value
            );
            assertEq(reason, expected, name);
        }
    }

    function make(bytes memory arguments) external returns (address) {
        return create("contracts/jury/Jury.sol:Jury", arguments);
    }

    /// @dev A price and its penalty that two seats stand for, and no more.
    function testFuzz_A10_quote(uint96 escrow) public view {
        (uint256 feeWei, uint256 time) = jury.quote(escrow);
        if (uint256(escrow) + (uint256(escrow) + 19) / 20 > 2 * SEAT) {
            assertEq(feeWei + time, 0, "not this one");
            return;
        }
        uint256 expected = (uint256(escrow) * FEE + BPS - 1) / BPS;
        if (expected < LEAST_FEE) expected = LEAST_FEE;
        assertEq(feeWei, expected > escrow ? escrow : expected, "fee");
        assertEq(time, CONCESSION_WINDOW + 12 * STEP, "time");
    }

    function test_A10_quoteAtItsEdges() external view {
        uint96 most = uint96((40 * SEAT) / 21);
        for (uint96 i = 0; i < 5; ++i) {
            testFuzz_A10_quote(most + i - 2);
            testFuzz_A10_quote(i);
            testFuzz_A10_quote(uint96(LEAST_FEE) + i - 2);
        }
        testFuzz_A10_quote(1e19);
    }
}
