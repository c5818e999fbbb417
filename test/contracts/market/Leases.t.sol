// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILeases} from "../../../contracts/interfaces/ILeases.sol";
import {ITaskBook} from "../../../contracts/interfaces/ITaskBook.sol";
import {Conditions, Outcome, Price, Status, TaskId, Tasks, Terms} from "../../../contracts/market/Tasks.sol";
import {FeaturesTest} from "./FeaturesTest.sol";

/// @dev The meter of leases, and where their money goes, in whatever order things happen.
contract LeasesTest is FeaturesTest {
    uint256 private constant PRICE = 7_919;
    uint256 private constant BEAT = 60;
    uint256 private constant NOTICE = 300;
    uint256 private constant DURATION = 3_600;
    uint96 private constant COLLATERAL = 1e18 + 19;
    uint256 private constant READY = NOW + 50;

    /// What a slow model says of the lease.
    uint256 private up;
    uint256 private drawn;
    uint256 private extra;
    uint256 private endsAt;
    uint256 private lastBeat;
    uint256 private time;
    bool private over;
    bool private failed;
    uint256 private bounty;

    function setUp() external {
        open();
        takeLease(false);
    }

    // ---- Meter ----

    /// @dev Time is paid for between two heartbeats that are no further apart than the terms say, and no other time.
    function testFuzz_I02_I18_meterCreditsWhatWasUp(uint8[24] memory gaps) public {
        start();
        for (uint256 i = 0; i < gaps.length; ++i) {
            pass(gaps[i]);
            beat();
            ILeases.Lease memory lease = market.leaseOf(id);
            assertEq(lease.upSeconds, up, "up");
            assertEq(lease.lastHeartbeat, lastBeat, "last heartbeat");
            assertLe(lease.upSeconds, time - READY, "no more than has passed");
            assertLe(lease.upSeconds, DURATION, "no more than was bought");
            assertLe(lease.lastHeartbeat, time, "I-18");
        }
    }

    function test_I02_meterAtItsEdges() external {
        uint8[24] memory gaps;
        // Exactly a beat, a second longer, thrice as long, and a second longer than that.
        (gaps[0], gaps[1], gaps[2], gaps[3], gaps[4], gaps[5]) = (60, 61, 60, 180, 1, 181);
        testFuzz_I02_I18_meterCreditsWhatWasUp(gaps);
        assertEq(market.leaseOf(id).upSeconds, 121, "two beats and a second");
    }

    /// @dev The meter stops at the end, however late the last heartbeat is.
    function testFuzz_I02_meterStopsAtTheEnd(uint16 late) external {
        start();
        for (uint256 i = 0; i < DURATION / BEAT - 1; ++i) {
            pass(BEAT);
            beat();
        }
        pass(BEAT + bound(late, 0, 10_000));
        beat();
        assertEq(market.leaseOf(id).upSeconds, DURATION, "all of it");
        act(PROVIDER, endCall());
        assertEq(ledgerOf(PROVIDER), cost, "paid");
    }

    /// @dev A provider's heartbeat touches its own leases alone, and goes on where one cannot be metered.
    function test_I05_I06_heartbeatOfMany() external {
        start();
        TaskId mine = id;
        Terms memory t = terms;
        (t.provider, t.salt) = (BACKUP, bytes32(uint256(8)));
        take(t, address(0));
        submit();
        act(BACKUP, abi.encodeCall(market.accept, (terms, workHash)));
        act(BACKUP, abi.encodeCall(market.ready, (terms, workHash, "")));
        TaskId[] memory ids = new TaskId[](4);
        (ids[0], ids[1], ids[2], ids[3]) = (id, mine, TaskId.wrap(0), mine);
        vm.warp(READY + 60);
        vm.expectEmit(address(market));
        emit ILeases.HeartbeatSkipped(id);
        vm.expectEmit(address(market));
        emit ILeases.HeartbeatSkipped(TaskId.wrap(0));
        vm.prank(OPERATOR);
        market.heartbeat(ids);
        assertEq(market.leaseOf(mine).upSeconds, 60, "its own, once");
        assertEq(market.leaseOf(id).upSeconds, 0, "not the other's");
        vm.prank(STRANGER);
        market.heartbeat(ids);
        assertEq(market.leaseOf(id).upSeconds, 0, "not a stranger's");
        vm.prank(BACKUP);
        market.heartbeat(ids);
        assertEq(market.leaseOf(id).upSeconds, 60, "its provider's");
        assertEq(market.leaseOf(mine).upSeconds, 60, "and no other");
    }

    // ---- Money, in any order ----

    /// @dev Beats, draws, top-ups, closings and the end, in any order: nothing is lost and nothing is made.
    function testFuzz_A10_I02_anyOrderConservesMoney(
        uint8[20] memory verbs,
        uint8[20] memory gaps,
        bool byProvider
    ) public {
        takeLease(true);
        start();
        for (uint256 i = 0; i < verbs.length && !over; ++i) {
            pass(gaps[i] % 100);
            step(verbs[i], gaps[i]);
            ILeases.Lease memory lease = market.leaseOf(id);
            assertEq(lease.upSeconds, up, "up");
            assertEq(lease.drawnSeconds, over ? up : drawn, "drawn");
            assertEq(lease.extraSeconds, extra, "extra");
            assertEq(lease.endsAt, endsAt, "end");
            assertLe(lease.upSeconds, DURATION + extra, "no more than was bought");
            uint256 escrow = over ? 0 : PRICE * (DURATION + extra - drawn);
            assertEq(address(market).balance, ledger() + escrow, "I-2");
            assertEq(ledgerOf(PROVIDER), PRICE * (over ? up : drawn) + bounty, "what was up");
            (uint256 completed, uint256 sold) = market.recordOf(PROVIDER);
            assertEq(sold, over ? up : drawn, "record");
            assertEq(completed, over && !failed ? 1 : 0, "one task, if it was not down");
        }
        if (!over) {
            pass(2 * DURATION);
            finish(byProvider ? PROVIDER : STRANGER);
        }
        assertEq(address(market).balance, ledger(), "I-19");
        assertEq(lockedOf(PROVIDER), 0, "unlocked");
    }

    function test_I02_eachVerbOnceConservesMoney() external {
        uint8[20] memory verbs;
        uint8[20] memory gaps;
        for (uint8 i = 0; i < 20; ++i) (verbs[i], gaps[i]) = (i, 59);
        testFuzz_A10_I02_anyOrderConservesMoney(verbs, gaps, true);
    }

    function step(uint256 verb, uint256 amount) private {
        verb = verb % 12;
        if (verb < 5) beat();
        else if (verb < 7) {
            act(STRANGER, drawCall());
            drawn = up;
        } else if (verb < 9) {
            amount = amount + 1;
            bool possible = market.leaseOf(id).closing == Outcome.None && time <= endsAt && !isDown();
            bytes memory data = abi.encodeCall(market.topUp, (terms, workHash, uint32(amount)));
            vm.prank(SPONSOR);
            (bool success, ) = address(market).call{value: PRICE * amount}(data);
            assertTrue(success == possible, "top-up");
            if (success) (extra, endsAt) = (extra + amount, endsAt + amount);
        } else if (verb == 9) close(OWNER, Outcome.OwnerClosed);
        else if (verb == 10) close(OPERATOR, amount % 2 == 0 ? Outcome.ProviderClosed : Outcome.OwnerIdle);
        else finish(amount % 2 == 0 ? PROVIDER : STRANGER);
    }

    function close(address who, Outcome reason) private {
        Outcome closing = market.leaseOf(id).closing;
        bool possible =
            time <= endsAt &&
                (closing == Outcome.None ||
                    ((closing == Outcome.ProviderClosed || closing == Outcome.Completed) &&
                        reason == Outcome.OwnerClosed));
        bytes memory data = closeCall(reason);
        assertTrue(can(who, data) == possible, "close");
        if (!possible) return;
        act(who, data);
        uint256 end = reason == Outcome.ProviderClosed ? time + NOTICE : time;
        if (end < endsAt) endsAt = end;
        // Once it has served what it agreed to, leaving is no fault.
        if (reason == Outcome.ProviderClosed && endsAt >= READY + DURATION) reason = Outcome.Completed;
        assertTrue(
            market.leaseOf(id).closing == (closing == Outcome.None ? reason : closing),
            "whose decision it was"
        );
    }

    function finish(address who) private {
        bool down = isDown();
        uint256 from = who == PROVIDER ? endsAt : endsAt + BEAT + 1;
        bool possible = down || time >= from;
        assertTrue(can(who, endCall()) == possible, "end");
        if (!possible) return;
        bool leaves = market.leaseOf(id).closing == Outcome.ProviderClosed;
        uint256 before = ledger();
        uint256 held = address(market).balance;
        act(who, endCall());
        if (who == PROVIDER && !down) tally();
        over = true;
        drawn = up;
        uint256 slashed =
            down
                ? COLLATERAL
                : leaves
                    ? (uint256(COLLATERAL) + 3) / 4
                    : 0;
        assertEq(address(market).balance, held + slashed, "slashed");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE - slashed, "stake");
        assertTrue(ledger() >= before + slashed, "credited");
        (Status status, , , ) = market.taskOf(id);
        assertTrue(status == (down ? Status.Failed : Status.Settled), "status");
        failed = down;
        if (down && who == PROVIDER) bounty = COLLATERAL / 20;
    }

    /// @dev Fees are rounded down at each draw: many draws spare the provider less than a wei each.
    function testFuzz_A11_manyDrawsGainLessThanAWeiEach(uint8[16] memory gaps) external {
        start();
        uint256 draws = 1;
        for (uint256 i = 0; i < gaps.length; ++i) {
            pass(gaps[i] % 61);
            beat();
            act(STRANGER, drawCall());
            ++draws;
        }
        assertEq(ledgerOf(PROVIDER), PRICE * up, "paid");
        uint256 atOnce = (PRICE * up * FEE_BPS) / BPS;
        assertLe(market.feesDue(PROVIDER), atOnce, "no more than at once");
        assertLe(atOnce, market.feesDue(PROVIDER) + draws, "and hardly less");
        // A draw of nothing does nothing.
        uint256 fees = market.feesDue(PROVIDER);
        act(STRANGER, drawCall());
        assertEq(market.feesDue(PROVIDER), fees, "nothing is due");
    }

    /// @dev The model's share leaves each payment; together with fee and net it is the whole.
    function testFuzz_A10_I02_royaltyOfALease(uint16 bps, uint8[8] memory gaps) external {
        bps = uint16(bound(bps, 0, 8_000));
        vm.prank(STRANGER);
        uint256 model = models.register(bytes32(uint256(1)), "", "", bps, REVENUE);
        Terms memory t = terms;
        t.conditions = Conditions.wrap(
            Conditions.unwrap(t.conditions) | (model << 184) | (uint256(bps) << 232)
        );
        take(t, address(0));
        start();
        uint256 royalties = 0;
        uint256 paid = 0;
        for (uint256 i = 0; i < gaps.length; ++i) {
            uint256 before = up;
            pass(gaps[i] % 61);
            beat();
            act(STRANGER, drawCall());
            royalties += (PRICE * (up - before) * bps) / BPS;
            paid += PRICE * (up - before);
        }
        assertEq(market.balanceOf(REVENUE), royalties, "royalty");
        assertEq(ledgerOf(PROVIDER), paid - royalties, "provider");
        assertEq(address(market).balance, ledger() + cost - paid, "I-2");
    }

    // ---- Down ----

    /// @dev Three heartbeats are missed: a second later it is down, anybody ends it, and the collateral is gone.
    function testFuzz_A14_A15_silentLeaseIsDown(uint8 beats, uint16 silence) public {
        start();
        beats = beats % 50;
        for (uint256 i = 0; i < beats; ++i) {
            pass(BEAT);
            beat();
        }
        silence = uint16(bound(silence, 0, 400));
        pass(silence);
        bool down = silence > 3 * BEAT;
        assertTrue(can(STRANGER, endCall()) == down, "end");
        TaskId[] memory ids = new TaskId[](1);
        ids[0] = id;
        uint256 snapshot = vm.snapshotState();
        vm.prank(PROVIDER);
        market.heartbeat(ids);
        assertEq(market.leaseOf(id).lastHeartbeat, down ? lastBeat : time, "a heartbeat after it");
        vm.revertToState(snapshot);
        if (!down) return;
        // The provider's own word ends it too, and earns nothing of the silence.
        act(beats % 2 == 0 ? STRANGER : PROVIDER, endCall());
        assertStatus(Status.Failed, Outcome.ProviderDown);
        bounty = COLLATERAL / 20;
        assertEq(ledgerOf(PROVIDER), PRICE * up + (beats % 2 == 0 ? 0 : bounty), "provider");
        assertEq(market.balanceOf(STRANGER), beats % 2 == 0 ? bounty : 0, "bounty");
        assertEq(market.balanceOf(OWNER), cost - PRICE * up + COLLATERAL - bounty, "owner");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE - COLLATERAL, "stake");
        assertEq(registry.providerOf(PROVIDER).failed, 1, "counted");
        assertEq(address(market).balance, ledger(), "I-2");
        assertTrue(!can(STRANGER, endCall()) && !can(STRANGER, drawCall()), "I-3");
    }

    function test_A14_silentLeaseAtItsEdges() external {
        for (uint16 silence = 179; silence <= 181; ++silence) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_A15_silentLeaseIsDown(7, silence);
            vm.revertToState(snapshot);
        }
    }

    // ---- End ----

    /// @dev The provider closes the books from the end on, anybody one heartbeat later: what was beaten is paid.
    function testFuzz_A14_endOfALease(uint16 wait) public {
        start();
        for (uint256 i = 0; i < DURATION / BEAT; ++i) {
            pass(i < 59 ? BEAT : BEAT - 10);
            beat();
        }
        // The last beat was ten seconds before the end.
        wait = uint16(bound(wait, 0, 200));
        pass(wait);
        bool mine = wait >= 10;
        bool anyones = wait > 10 + BEAT;
        assertTrue(can(PROVIDER, endCall()) == mine, "provider");
        assertTrue(can(OPERATOR, endCall()) == mine, "operator");
        assertTrue(can(STRANGER, endCall()) == anyones, "anyone");
        assertTrue(can(OWNER, endCall()) == anyones, "owner");
        assertTrue(!can(STRANGER, abi.encodeCall(market.fail, (terms, workHash))), "never failed");
        if (!mine) return;
        act(anyones ? STRANGER : OPERATOR, endCall());
        assertStatus(Status.Settled, Outcome.Completed);
        uint256 paid = PRICE * (anyones ? DURATION - 10 : DURATION);
        assertEq(ledgerOf(PROVIDER), paid, "paid");
        assertEq(market.balanceOf(OWNER), cost - paid, "back");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "stake");
        uint256 upSeconds = market.leaseOf(id).upSeconds;
        beat();
        assertEq(market.leaseOf(id).upSeconds, upSeconds, "and nothing is metered any more");
    }

    function test_A14_endOfALeaseAtItsEdges() external {
        uint16[6] memory waits = [uint16(0), 9, 10, 11, 70, 71];
        for (uint256 i = 0; i < 6; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_endOfALease(waits[i]);
            vm.revertToState(snapshot);
        }
    }

    /// @dev The owner leaves at any second and pays until then.
    function testFuzz_ownerPaysUntilItLeaves(uint16 after_) external {
        start();
        after_ = uint16(bound(after_, 0, DURATION));
        for (uint256 i = 0; i < after_ / BEAT; ++i) {
            pass(BEAT);
            beat();
        }
        pass(after_ % BEAT);
        act(OWNER, closeCall(Outcome.OwnerClosed));
        assertRefused(
            OWNER,
            closeCall(Outcome.OwnerClosed),
            abi.encodeWithSelector(ILeases.Leases_AlreadyClosing.selector, id, Outcome.OwnerClosed)
        );
        // Nothing is metered after it.
        pass(40);
        endsAt = READY + after_;
        act(PROVIDER, endCall());
        assertStatus(Status.Settled, Outcome.OwnerClosed);
        assertEq(ledgerOf(PROVIDER), PRICE * after_, "paid");
        assertEq(market.balanceOf(OWNER), cost - PRICE * after_, "back");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "no fault");
    }

    /// @dev The provider leaves on notice, works until its end, and pays for it; the owner need not wait.
    function testFuzz_providerLeavesOnNotice(uint16 after_, uint16 ownerAfter) external {
        start();
        after_ = uint16(bound(after_, 0, BEAT));
        pass(after_);
        beat();
        act(OPERATOR, closeCall(Outcome.ProviderClosed));
        assertEq(market.leaseOf(id).endsAt, time + NOTICE, "on notice");
        bytes memory again = abi.encodeWithSelector(
            ILeases.Leases_AlreadyClosing.selector,
            id,
            Outcome.ProviderClosed
        );
        assertRefused(PROVIDER, closeCall(Outcome.ProviderClosed), again);
        assertTrue(!can(PROVIDER, endCall()), "not before its end");
        endsAt = time + NOTICE;
        ownerAfter = uint16(bound(ownerAfter, 0, NOTICE));
        for (uint256 i = 0; i < ownerAfter / BEAT; ++i) {
            pass(BEAT);
            beat();
        }
        pass(ownerAfter % BEAT);
        act(OWNER, closeCall(Outcome.OwnerClosed));
        endsAt = time;
        act(PROVIDER, endCall());
        assertStatus(Status.Settled, Outcome.ProviderClosed);
        uint256 slashed = (uint256(COLLATERAL) + 3) / 4;
        assertEq(ledgerOf(PROVIDER), PRICE * (time - READY), "what was up");
        assertEq(market.balanceOf(OWNER), cost - PRICE * (time - READY) + slashed, "owner");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE - slashed, "stake");
        assertEq(registry.providerOf(PROVIDER).abandoned, 1, "counted");
    }

    /// @dev A top-up buys what the provider will sell: it served what it agreed to, and leaves at no cost.
    function testFuzz_topUpBindsNobodyBeyondWhatWasAgreed(uint32 more, uint16 wait) external {
        start();
        for (uint256 i = 0; i < DURATION / BEAT; ++i) {
            pass(BEAT);
            beat();
        }
        more = uint32(bound(more, 1, 20 days));
        vm.prank(OWNER);
        market.topUp{value: PRICE * more}(terms, workHash, more);
        wait = uint16(bound(wait, 0, more < BEAT ? more : BEAT));
        pass(wait);
        act(PROVIDER, closeCall(Outcome.ProviderClosed));
        assertTrue(market.leaseOf(id).closing == Outcome.Completed, "no fault of its own");
        bytes memory again = abi.encodeCall(market.topUp, (terms, workHash, 1));
        bytes memory closing = abi.encodeWithSelector(
            ILeases.Leases_AlreadyClosing.selector,
            id,
            Outcome.Completed
        );
        vm.prank(OWNER);
        market.deposit{value: PRICE}(PRICE);
        assertRefused(OWNER, again, closing);
        act(OWNER, closeCall(Outcome.OwnerClosed));
        act(PROVIDER, endCall());
        assertStatus(Status.Settled, Outcome.Completed);
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "whole stake");
        assertEq(registry.providerOf(PROVIDER).abandoned, 0, "not counted");
        assertEq(ledgerOf(PROVIDER), PRICE * (DURATION + wait), "what was up");
    }

    function test_RevertWhen_AReasonIsNotTheCallers() external {
        start();
        assertRefused(
            STRANGER,
            closeCall(Outcome.OwnerClosed),
            abi.encodeWithSelector(ITaskBook.TaskMarket_NotOwner.selector, id, STRANGER)
        );
        assertRefused(
            OWNER,
            closeCall(Outcome.ProviderClosed),
            abi.encodeWithSelector(ITaskBook.TaskMarket_NotProvider.selector, id, OWNER)
        );
        for (uint256 i = 0; i <= uint256(type(Outcome).max); ++i) {
            Outcome reason = Outcome(i);
            if (reason == Outcome.OwnerClosed || reason == Outcome.ProviderClosed) continue;
            // The terms do not let it stop an idle lease.
            assertRefused(
                PROVIDER,
                closeCall(reason),
                abi.encodeWithSelector(ITaskBook.TaskMarket_InvalidOutcome.selector, reason)
            );
        }
        takeLease(true);
        start();
        act(PROVIDER, closeCall(Outcome.OwnerIdle));
        act(PROVIDER, endCall());
        assertStatus(Status.Settled, Outcome.OwnerIdle);
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "no fault");
    }

    // ---- Ready ----

    /// @dev Until `completeBy`, once; until then it can be given up or declined, from then on only ended.
    function testFuzz_A14_readyUntilCompleteBy(uint16 wait) public {
        submit();
        accept();
        wait = uint16(bound(wait, 0, 900));
        vm.warp(NOW + wait);
        bool inTime = wait <= 200;
        assertTrue(can(OPERATOR, readyCall("t")) == inTime, "ready");
        assertTrue(!can(STRANGER, readyCall("t")), "a stranger");
        assertTrue(can(STRANGER, abi.encodeCall(market.fail, (terms, workHash))) == !inTime, "fail");
        assertTrue(can(PROVIDER, declineCall()) == inTime, "decline");
        if (!inTime) {
            act(STRANGER, abi.encodeCall(market.fail, (terms, workHash)));
            assertStatus(Status.Failed, Outcome.ProviderNotReady);
            assertEq(market.balanceOf(OWNER), cost + COLLATERAL - COLLATERAL / 20, "owner");
            return;
        }
        act(PROVIDER, readyCall("t"));
        assertRefused(
            PROVIDER,
            readyCall("t"),
            abi.encodeWithSelector(ILeases.Leases_AlreadyReady.selector, id)
        );
        bytes memory wrong = abi.encodeWithSelector(ITaskBook.TaskMarket_WrongKind.selector, id);
        assertRefused(PROVIDER, declineCall(), wrong);
        assertRefused(PROVIDER, abi.encodeCall(market.abandon, (terms, workHash)), wrong);
        vm.warp(NOW + 1_000);
        assertRefused(STRANGER, abi.encodeCall(market.fail, (terms, workHash)), wrong);
        bytes memory delivery = abi.encodeCall(
            market.deliver,
            (terms, workHash, deliveryOf(Outcome.Completed, 0))
        );
        assertRefused(PROVIDER, delivery, wrong);
    }

    function test_A14_readyAtCompleteBy() external {
        for (uint16 wait = 199; wait <= 201; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_readyUntilCompleteBy(wait);
            vm.revertToState(snapshot);
        }
    }

    function test_A24_ticketOfUpTo2048Bytes() external {
        submit();
        accept();
        assertRefused(
            PROVIDER,
            readyCall(new bytes(2_049)),
            abi.encodeWithSelector(ILeases.Leases_TicketLength.selector, 2_049, 2_048)
        );
        act(PROVIDER, readyCall(new bytes(2_048)));
    }

    function test_RevertWhen_AJobIsTreatedAsALease() external {
        take(someTerms(), address(0));
        submit();
        accept();
        assertRefused(
            PROVIDER,
            readyCall("t"),
            abi.encodeWithSelector(ILeases.Leases_NotALease.selector, id)
        );
        bytes memory notReady = abi.encodeWithSelector(ILeases.Leases_NotReady.selector, id);
        assertRefused(STRANGER, drawCall(), notReady);
        assertRefused(STRANGER, endCall(), notReady);
        assertRefused(OWNER, closeCall(Outcome.OwnerClosed), notReady);
        assertRefused(OWNER, abi.encodeCall(market.topUp, (terms, workHash, 1)), notReady);
    }

    // ---- Top up ----

    /// @dev No further than 30 days ahead, nor to more than a ledger word can take back.
    function testFuzz_A12_topUpStaysWithinItsBounds(uint32 seconds_, uint16 after_) public {
        start();
        after_ = uint16(bound(after_, 0, 180));
        pass(after_);
        seconds_ = uint32(bound(seconds_, 30 days - DURATION - 2, 30 days + 300));
        bytes memory data = abi.encodeCall(market.topUp, (terms, workHash, seconds_));
        uint256 end = READY + DURATION + seconds_;
        vm.prank(OWNER);
        market.deposit{value: PRICE * seconds_}(PRICE * seconds_);
        if (end > time + 30 days) {
            assertRefused(
                OWNER,
                data,
                abi.encodeWithSelector(ILeases.Leases_TooFarAhead.selector, id, end, time + 30 days)
            );
            assertEq(market.balanceOf(OWNER), PRICE * seconds_, "kept");
        } else {
            act(OWNER, data);
            assertEq(market.leaseOf(id).endsAt, end, "longer");
            assertEq(market.balanceOf(OWNER), 0, "paid");
        }
    }

    function test_A12_topUpAtItsEdges() external {
        for (uint32 off = 0; off <= 2; ++off) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A12_topUpStaysWithinItsBounds(uint32(30 days - DURATION + 100 - 1) + off, 100);
            vm.revertToState(snapshot);
        }
    }

    function test_A12_RevertWhen_ATopUpCannotBe() external {
        start();
        assertRefused(
            OWNER,
            abi.encodeCall(market.topUp, (terms, workHash, 0)),
            abi.encodeWithSelector(Tasks.Tasks_ZeroAmount.selector)
        );
        bytes memory one = abi.encodeCall(market.topUp, (terms, workHash, 1));
        vm.prank(OWNER);
        market.deposit{value: 1e9}(1e9);
        // Silent for too long, in its notice, over.
        vm.warp(READY + 181);
        assertRefused(OWNER, one, abi.encodeWithSelector(ILeases.Leases_NotReady.selector, id));
        vm.warp(READY + 180);
        act(OWNER, one);
        act(PROVIDER, closeCall(Outcome.ProviderClosed));
        assertRefused(
            OWNER,
            one,
            abi.encodeWithSelector(ILeases.Leases_AlreadyClosing.selector, id, Outcome.ProviderClosed)
        );
        act(OWNER, closeCall(Outcome.OwnerClosed));
        act(PROVIDER, endCall());
        assertRefused(
            OWNER,
            one,
            abi.encodeWithSelector(ITaskBook.TaskMarket_WrongStatus.selector, id, Status.Settled)
        );
    }

    function test_A12_RevertWhen_ATopUpComesAfterTheEnd() external {
        start();
        for (uint256 i = 0; i < DURATION / BEAT; ++i) {
            pass(BEAT);
            beat();
        }
        vm.prank(OWNER);
        market.deposit{value: 1e9}(1e9);
        bytes memory one = abi.encodeCall(market.topUp, (terms, workHash, 1));
        assertTrue(can(OWNER, one), "at its last second");
        pass(1);
        assertRefused(
            OWNER,
            one,
            abi.encodeWithSelector(ITaskBook.TaskMarket_TooLate.selector, id, endsAt, time)
        );
    }

    function test_A12_RevertWhen_TopUpsCostMoreThanAWordHolds() external {
        Terms memory t = terms;
        uint256 price = type(uint96).max / DURATION;
        t.price = Price.wrap(price | METERED | (BEAT << 200));
        take(t, address(0));
        vm.deal(OWNER, 1e32);
        start();
        vm.prank(OWNER);
        (bool success, bytes memory reason) = address(market).call{value: price}(
            abi.encodeCall(market.topUp, (terms, workHash, 1))
        );
        assertTrue(!success, "went through");
        assertEq(
            reason,
            abi.encodeWithSelector(
                Tasks.Tasks_CostTooHigh.selector,
                price * (DURATION + 1),
                type(uint96).max
            ),
            "reason"
        );
    }

    /// @dev An open lease goes on at the price at which it was taken, and what is bought ahead too.
    function testFuzz_I02_openLeaseIsToppedUpAtItsPrice(uint8 wait, uint8 seconds_) external {
        Terms memory t = terms;
        t.provider = address(0);
        t.price = Price.wrap(PRICE | ((3 * PRICE) << 96) | METERED | (BEAT << 200));
        take(t, address(0));
        submit();
        wait = uint8(bound(wait, 0, 100));
        seconds_ = uint8(bound(seconds_, 1, 255));
        vm.warp(NOW + wait);
        act(PROVIDER, abi.encodeCall(market.acceptOpen, (terms, work, PROVIDER)));
        act(PROVIDER, readyCall("t"));
        uint256 price = PRICE + (2 * PRICE * wait) / 100;
        bytes memory data = abi.encodeCall(market.topUp, (terms, workHash, seconds_));
        vm.prank(SPONSOR);
        (bool success, ) = address(market).call{value: price * seconds_ + 1}(data);
        assertTrue(success, "topped up");
        assertEq(market.balanceOf(SPONSOR), 1, "at the price of its second");
        vm.warp(NOW + wait + 60);
        TaskId[] memory ids = new TaskId[](1);
        ids[0] = id;
        vm.prank(PROVIDER);
        market.heartbeat(ids);
        act(OWNER, closeCall(Outcome.OwnerClosed));
        act(PROVIDER, endCall());
        assertEq(ledgerOf(PROVIDER), price * 60, "provider");
        assertEq(market.balanceOf(OWNER), cost + price * seconds_ - price * 60, "a gift to its payer");
        assertEq(address(market).balance, ledger(), "I-2");
        assertEq(registry.providerOf(PROVIDER).assigned, 0, "slot");
    }

    // ---- Model ----

    function start() private {
        submit();
        accept();
        vm.warp(READY);
        act(PROVIDER, readyCall("ticket"));
        (up, drawn, extra, lastBeat, time) = (0, 0, 0, READY, READY);
        endsAt = READY + DURATION;
        (over, failed) = (false, false);
    }

    function pass(uint256 seconds_) private {
        time += seconds_;
        vm.warp(time);
    }

    function beat() private {
        TaskId[] memory ids = new TaskId[](1);
        ids[0] = id;
        vm.prank(OPERATOR);
        market.heartbeat(ids);
        if (!isDown()) tally();
    }

    /// @dev Second by second: each between two timely heartbeats and before the end is up.
    function tally() private {
        uint256 until = time < endsAt ? time : endsAt;
        if (until <= lastBeat) return;
        if (until - lastBeat <= BEAT) {
            for (uint256 second = lastBeat; second < until; ++second) ++up;
        }
        lastBeat = until;
    }

    function isDown() private view returns (bool) {
        uint256 until = time < endsAt ? time : endsAt;
        return until > lastBeat + 3 * BEAT;
    }

    // ---- Calls ----

    function takeLease(bool stopsIdle) private {
        Terms memory t = someTerms();
        t.price = Price.wrap(PRICE | METERED | (BEAT << 200) | (NOTICE << 224));
        t.conditions = Conditions.wrap(
            Conditions.unwrap(conditionsOf(NOW + 100, NOW + 200, DURATION)) |
                (uint256(1) << 144) |
                (stopsIdle ? uint256(2) << 248 : 0)
        );
        t.assurance = assuranceOf(COLLATERAL, address(0));
        vm.warp(NOW);
        take(t, address(0));
    }

    function readyCall(bytes memory ticket) private view returns (bytes memory) {
        return abi.encodeCall(market.ready, (terms, workHash, ticket));
    }

    function drawCall() private view returns (bytes memory) {
        return abi.encodeCall(market.draw, (terms, workHash));
    }

    function endCall() private view returns (bytes memory) {
        return abi.encodeCall(market.endLease, (terms, workHash));
    }

    function closeCall(Outcome reason) private view returns (bytes memory) {
        return abi.encodeCall(market.close, (terms, workHash, reason));
    }

    function declineCall() private view returns (bytes memory) {
        return abi.encodeCall(market.decline, (terms, workHash, Outcome.NoCapacity));
    }
}
