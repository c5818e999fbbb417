// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOrders} from "../../../contracts/interfaces/IOrders.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {ITaskBook} from "../../../contracts/interfaces/ITaskBook.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {Conditions, Outcome, Price, Status, Terms} from "../../../contracts/market/Tasks.sol";
import {FeaturesTest} from "./FeaturesTest.sol";

/// @dev Open tasks and their price, sealed tasks and backups: what is possible at which second, and for whom.
contract OrdersTimelinesTest is FeaturesTest {
    uint256 private constant SEALED_BIT = uint256(1) << 248;

    function setUp() external {
        open();
    }

    // ---- Open ----

    /// @dev Accepted at any second: that second's price is paid, the rest of the escrow goes back, to the wei.
    function testFuzz_A10_I02_openTaskIsPaidAtThePriceOfItsSecond(
        uint96 first,
        uint96 last,
        bool metered,
        uint8 wait,
        uint16 used,
        uint96 collateral
    ) public {
        last = uint96(bound(last, 1, 1e20));
        first = uint96(bound(first, 1, last));
        wait = uint8(bound(wait, 0, 100));
        used = uint16(bound(used, 0, 600));
        takeOpen(openPriceOf(first, last, metered), bound(collateral, 1, STAKE), false);
        submit();
        vm.warp(NOW + wait);
        act(OPERATOR, acceptOpen(PROVIDER));
        assertStatus(Status.Active, Outcome.None);
        uint256 price = first + (uint256(last - first) * wait) / 100;
        assertAssigned(PROVIDER, NOW + wait, price);
        assertEq(registry.providerOf(PROVIDER).assigned, 1, "slot");
        assertEq(lockedOf(PROVIDER), terms.assurance.collateralWei(), "locked");
        vm.warp(NOW + wait + 600);
        deliver(PROVIDER, used);
        uint256 paid = metered ? price * used : price;
        assertEq(market.feesDue(PROVIDER), (paid * FEE_BPS) / BPS, "fee");
        assertEq(ledgerOf(PROVIDER), paid, "provider");
        assertEq(market.balanceOf(OWNER), cost - paid, "owner");
        assertEq(address(market).balance, cost, "I-2");
        assertEq(lockedOf(PROVIDER) + registry.providerOf(PROVIDER).assigned, 0, "free again");
    }

    function test_A10_openTaskOfOneWeiAndPrimes() external {
        uint8[4] memory waits = [0, 1, 99, 100];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A10_I02_openTaskIsPaidAtThePriceOfItsSecond(1, 2, true, waits[i], 7, 1);
            vm.revertToState(snapshot);
            testFuzz_A10_I02_openTaskIsPaidAtThePriceOfItsSecond(7_919, 104_729, false, waits[i], 599, 31);
            vm.revertToState(snapshot);
        }
    }

    /// @dev Until the second of `startBy` a provider takes it; from the next on it expires.
    function testFuzz_A14_openTaskIsTakenUntilStartBy(uint8 wait) public {
        takeOpen(openPriceOf(1e9, 2e9, true), 1e18, false);
        submit();
        vm.warp(NOW + wait);
        assertTrue(can(PROVIDER, acceptOpen(PROVIDER)) == (wait <= 100), "accept");
        assertTrue(can(OWNER, cancel()) == (wait <= 100), "cancel");
        assertTrue(can(STRANGER, expire()) == (wait > 100), "expire");
        assertTrue(!can(PROVIDER, abi.encodeCall(market.accept, (terms, workHash))), "plain accept");
        assertTrue(!can(OPERATOR, decline()), "decline of nobody's");
    }

    function test_A14_openTaskAtStartBy() external {
        for (uint8 wait = 99; wait <= 101; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_openTaskIsTakenUntilStartBy(wait);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A stranger cannot take it for a provider, a paused one or one that it does not fit cannot take it.
    function test_A15_A19_RevertWhen_AnOpenTaskIsNotForTheProvider() external {
        takeOpen(openPriceOf(1e9, 2e9, true), 1e18, false);
        submit();
        bytes memory call = acceptOpen(PROVIDER);
        assertRefused(
            STRANGER,
            call,
            abi.encodeWithSelector(ITaskBook.TaskMarket_NotProvider.selector, id, STRANGER)
        );
        vm.prank(PROVIDER);
        registry.setStatus(IProviderRegistry.ProviderStatus.Paused);
        assertRefused(
            PROVIDER,
            call,
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NotActive.selector, PROVIDER)
        );
        // Not registered.
        assertRefused(
            STRANGER,
            acceptOpen(STRANGER),
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NotRegistered.selector, STRANGER)
        );
        work.resources = Resources.wrap(2);
        take(terms, address(0));
        submit();
        assertRefused(
            BACKUP,
            acceptOpen(BACKUP),
            abi.encodeWithSelector(
                IProviderRegistry.ProviderRegistry_DoesNotFit.selector,
                BACKUP,
                Resources.wrap(2),
                Resources.wrap(0)
            )
        );
    }

    function test_A15_RevertWhen_AllSlotsAreTaken() external {
        for (uint256 i = 0; i < 4; ++i) {
            takeOpen(openPriceOf(1e9, 2e9, true), 1e18, false);
            terms.salt = bytes32(i);
            take(terms, address(0));
            submit();
            if (i < 3) act(PROVIDER, acceptOpen(PROVIDER));
        }
        assertRefused(
            PROVIDER,
            acceptOpen(PROVIDER),
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NoFreeSlot.selector, PROVIDER, 3)
        );
        // Another provider has its own.
        act(BACKUP, acceptOpen(BACKUP));
    }

    function test_RevertWhen_ANamedTaskIsTakenAsAnOpenOne() external {
        take(someTerms(), address(0));
        submit();
        assertRefused(
            PROVIDER,
            acceptOpen(PROVIDER),
            abi.encodeWithSelector(IOrders.Orders_NotOpen.selector, id)
        );
    }

    /// @dev Who takes what it could read before cannot decline it, but give it up from the first second on.
    function testFuzz_A15_openTaskIsGivenUpAtACost(uint16 wait, uint96 collateral) external {
        takeOpen(openPriceOf(1e9, 2e9, true), bound(collateral, 1, STAKE), false);
        submit();
        act(PROVIDER, acceptOpen(PROVIDER));
        wait = uint16(bound(wait, 0, 901));
        vm.warp(NOW + wait);
        assertRefused(
            PROVIDER,
            decline(),
            abi.encodeWithSelector(ITaskBook.TaskMarket_WrongKind.selector, id)
        );
        // `completeBy - startBy` from its acceptance on, then anybody fails it.
        bool late = wait > 900;
        assertTrue(can(STRANGER, abi.encodeCall(market.fail, (terms, workHash))) == late, "fail");
        assertTrue(can(PROVIDER, deliveryCall(0)) == !late, "deliver");
        assertTrue(can(OPERATOR, abandon()) == !late, "abandon");
        if (late) return;
        act(OPERATOR, abandon());
        uint256 slashed = (uint256(terms.assurance.collateralWei()) + 3) / 4;
        assertEq(market.balanceOf(OWNER), cost + slashed, "owner");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE - slashed, "stake");
        assertEq(registry.providerOf(PROVIDER).assigned, 0, "slot");
        assertEq(registry.providerOf(PROVIDER).abandoned, 1, "counted");
    }

    // ---- Sealed ----

    /// @dev While the key is awaited: owner and provider act until the window's end, from the next second on anybody
    /// ends it; it costs nobody anything.
    function testFuzz_A14_sealedTaskWaitsForItsKey(uint16 wait) public {
        takeOpen(openPriceOf(1e9, 2e9, true), 1e18, true);
        submit();
        vm.warp(NOW + 50);
        act(PROVIDER, acceptOpen(PROVIDER));
        assertStatus(Status.Assigned, Outcome.None);
        vm.warp(NOW + 50 + bound(wait, 0, 600));
        bool inTime = bound(wait, 0, 600) <= KEY_WINDOW;
        assertTrue(can(OWNER, publish("h")) == inTime, "publish");
        assertTrue(can(OWNER, cancel()) == inTime, "cancel");
        assertTrue(can(OPERATOR, decline()) == inTime, "decline");
        assertTrue(can(STRANGER, expire()) == !inTime, "expire");
        assertTrue(!can(STRANGER, publish("h")), "a stranger's key");
        assertTrue(!can(PROVIDER, deliveryCall(0)), "deliver without the key");
        assertTrue(!can(PROVIDER, abandon()), "abandon");
        assertTrue(!can(STRANGER, abi.encodeCall(market.fail, (terms, workHash))), "fail");
        assertTrue(!can(BACKUP, acceptOpen(BACKUP)), "it is taken");
        act(inTime ? OWNER : STRANGER, inTime ? cancel() : expire());
        assertStatus(
            inTime ? Status.Cancelled : Status.Expired,
            inTime ? Outcome.OwnerCancelled : Outcome.KeyWithheld
        );
        assertEq(market.balanceOf(OWNER), cost, "all back");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "stake");
        assertEq(lockedOf(PROVIDER) + registry.providerOf(PROVIDER).assigned, 0, "free again");
    }

    function test_A14_sealedTaskAtTheWindowsEnd() external {
        for (uint16 wait = KEY_WINDOW - 1; wait <= KEY_WINDOW + 1; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_sealedTaskWaitsForItsKey(wait);
            vm.revertToState(snapshot);
        }
    }

    /// @dev The provider's clock begins with the key: `completeBy - startBy` from then on.
    function testFuzz_A14_sealedTaskRunsFromItsKey(uint16 keyAfter, uint16 wait) public {
        takeOpen(openPriceOf(1e9, 2e9, true), 1e18, true);
        submit();
        vm.warp(NOW + 100);
        act(PROVIDER, acceptOpen(PROVIDER));
        uint256 begun = NOW + 100 + bound(keyAfter, 0, KEY_WINDOW);
        vm.warp(begun);
        act(OWNER, publish("header"));
        assertStatus(Status.Active, Outcome.None);
        assertAssigned(PROVIDER, NOW + 100, 2e9);
        wait = uint16(bound(wait, 0, 1_000));
        vm.warp(begun + wait);
        // Seconds count from the key on.
        uint256 used = wait < 600 ? wait : 600;
        assertTrue(!can(PROVIDER, deliveryCall(used + 1)), "more seconds than there were");
        assertTrue(can(PROVIDER, deliveryCall(used)) == (wait <= 900), "deliver");
        assertTrue(can(PROVIDER, decline()) == (wait <= DECLINE_WINDOW), "decline");
        assertTrue(can(PROVIDER, abandon()) == (wait > DECLINE_WINDOW && wait <= 900), "abandon");
        assertTrue(can(STRANGER, abi.encodeCall(market.fail, (terms, workHash))) == (wait > 900), "fail");
        assertTrue(!can(OWNER, cancel()), "cancel");
    }

    function test_A14_sealedTaskAtItsEdges() external {
        uint16[6] memory waits = [0, DECLINE_WINDOW, DECLINE_WINDOW + 1, 899, 900, 901];
        for (uint256 i = 0; i < waits.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_sealedTaskRunsFromItsKey(KEY_WINDOW, waits[i]);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A provider that leaves makes it anybody's again, at the price of the later second; after `startBy` it ends.
    function testFuzz_A18_sealedTaskThatIsLeftRisesOn(uint8 firstAt, uint8 secondAt, bool afterKey) public {
        takeOpen(openPriceOf(1e9, 3e9, true), 1e18, true);
        submit();
        firstAt = uint8(bound(firstAt, 0, 100));
        secondAt = uint8(bound(secondAt, firstAt, 200));
        vm.warp(NOW + firstAt);
        act(PROVIDER, acceptOpen(PROVIDER));
        if (afterKey) act(OWNER, publish("h"));
        vm.warp(NOW + secondAt);
        act(PROVIDER, decline());
        assertEq(registry.providerOf(PROVIDER).declined, 1, "counted");
        assertEq(lockedOf(PROVIDER) + registry.providerOf(PROVIDER).assigned, 0, "free again");
        if (secondAt > 100) {
            assertStatus(Status.Declined, Outcome.NoCapacity);
            assertEq(market.balanceOf(OWNER), cost, "back");
            return;
        }
        assertStatus(Status.Funded, Outcome.NoCapacity);
        assertAssigned(address(0), 0, 0);
        assertTrue(!can(PROVIDER, deliveryCall(0)), "it is out of it");
        act(BACKUP, acceptOpen(BACKUP));
        assertAssigned(BACKUP, NOW + secondAt, 1e9 + (uint256(2e9) * secondAt) / 100);
        act(OWNER, publish("h2"));
        vm.warp(NOW + secondAt + 600);
        deliver(BACKUP, 600);
        assertEq(ledgerOf(BACKUP), 600 * (1e9 + (uint256(2e9) * secondAt) / 100), "paid");
        assertEq(ledgerOf(PROVIDER), 0, "not the first");
        assertEq(address(market).balance, ledger(), "I-2");
    }

    function test_A18_sealedTaskThatIsLeftAtStartBy() external {
        for (uint8 wait = 99; wait <= 101; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A18_sealedTaskThatIsLeftRisesOn(50, wait, wait == 100);
            vm.revertToState(snapshot);
        }
    }

    function testFuzz_A24_keyHeaderOfOneTo1024Bytes(uint16 length) public {
        takeOpen(openPriceOf(1e9, 3e9, true), 1e18, true);
        submit();
        act(PROVIDER, acceptOpen(PROVIDER));
        length = uint16(bound(length, 0, 2_000));
        bytes memory call = publish(new bytes(length));
        if (length == 0 || length > 1_024) {
            assertRefused(
                OWNER,
                call,
                abi.encodeWithSelector(IOrders.Orders_HeaderLength.selector, uint256(length), 1_024)
            );
        } else act(OWNER, call);
    }

    function test_A24_keyHeaderAtItsEdges() external {
        uint16[4] memory lengths = [0, 1, 1_024, 1_025];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A24_keyHeaderOfOneTo1024Bytes(lengths[i]);
            vm.revertToState(snapshot);
        }
    }

    // ---- Backup ----

    /// @dev Not accepted: the provider's until `startBy`, then the backup's for its window, then anybody ends it.
    function testFuzz_A14_backupOfATaskThatIsNotAccepted(uint16 wait) public {
        take(someTerms(), BACKUP);
        submitWith(BACKUP);
        assertTrue(market.hasBackup(id), "named");
        wait = uint16(bound(wait, 0, 1_500));
        vm.warp(NOW + wait);
        bool first = wait <= 100;
        bool second = wait > 100 && wait <= 100 + TAKE_OVER_WINDOW;
        bytes memory accept_ = abi.encodeCall(market.accept, (terms, workHash));
        assertTrue(can(PROVIDER, accept_) == first, "accept");
        assertTrue(can(PROVIDER, decline()) == first, "decline");
        assertTrue(can(BACKUP, takeOver()) == second, "take over");
        assertTrue(!can(PROVIDER, takeOver()), "not the provider");
        assertTrue(can(OWNER, cancel()) == (first || second), "cancel");
        assertTrue(can(STRANGER, expire()) == (!first && !second), "expire");
        if (!second) return;
        act(BACKUP, takeOver());
        assertRunsAsTheBackups(NOW + wait);
    }

    function test_A14_backupAtItsEdges() external {
        uint16[6] memory waits = [99, 100, 101, 999, 1_000, 1_001];
        for (uint256 i = 0; i < waits.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_backupOfATaskThatIsNotAccepted(waits[i]);
            vm.revertToState(snapshot);
        }
    }

    /// @dev Declined, given up or failed: the escrow stays for the backup, for its window from then on.
    function testFuzz_A14_backupOfATaskThatItsProviderLeft(uint8 how, uint16 wait) public {
        take(someTerms(), BACKUP);
        submitWith(BACKUP);
        how = how % 4;
        uint256 left = NOW + 50;
        uint256 slashed = 0;
        vm.warp(left);
        if (how != 0) accept();
        if (how < 2) act(OPERATOR, decline());
        else if (how == 2) {
            left = NOW + 50 + DECLINE_WINDOW + 1;
            vm.warp(left);
            act(PROVIDER, abandon());
            slashed = 25e16;
        } else {
            left = NOW + 1_001;
            vm.warp(left);
            act(STRANGER, abi.encodeCall(market.fail, (terms, workHash)));
            slashed = 1e18;
        }
        Outcome[4] memory outcomes = [
            Outcome.NoCapacity,
            Outcome.NoCapacity,
            Outcome.ProviderAbandoned,
            Outcome.ProviderLate
        ];
        assertStatus(Status.Standby, outcomes[how]);
        assertTrue(market.hasBackup(id), "may still take it");
        assertEq(ledger(), slashed, "what was slashed is credited at once");
        assertEq(address(market).balance, cost + slashed, "the escrow waits");
        assertEq(lockedOf(PROVIDER), 0, "unlocked");
        wait = uint16(bound(wait, 0, 1_500));
        vm.warp(left + wait);
        bool inTime = wait <= TAKE_OVER_WINDOW;
        assertTrue(can(BACKUP, takeOver()) == inTime, "take over");
        assertTrue(can(OWNER, cancel()) == inTime, "cancel");
        assertTrue(can(STRANGER, expire()) == !inTime, "expire");
        assertTrue(!can(PROVIDER, takeOver()), "not the provider");
        assertTrue(!can(PROVIDER, deliveryCall(0)), "nor does it deliver");
        assertTrue(!can(PROVIDER, decline()), "nor decline");
        if (inTime) {
            act(BACKUP, takeOver());
            assertRunsAsTheBackups(left + wait);
        } else {
            act(STRANGER, expire());
            assertStatus(Status.Expired, Outcome.NotAccepted);
            assertEq(ledger(), cost + slashed, "back");
        }
    }

    function test_A14_backupOfEachKindAtItsEdges() external {
        for (uint8 how = 0; how < 4; ++how) {
            for (uint16 wait = TAKE_OVER_WINDOW - 1; wait <= TAKE_OVER_WINDOW + 1; ++wait) {
                uint256 snapshot = vm.snapshotState();
                testFuzz_A14_backupOfATaskThatItsProviderLeft(how, wait);
                vm.revertToState(snapshot);
            }
        }
    }

    /// @dev A task is passed on once: where the backup leaves it too, it ends.
    function testFuzz_I03_backupThatLeavesEndsIt(uint8 how) external {
        take(someTerms(), BACKUP);
        submitWith(BACKUP);
        act(PROVIDER, decline());
        act(BACKUP, takeOver());
        assertTrue(!market.hasBackup(id), "nobody is left");
        how = how % 3;
        if (how == 0) act(BACKUP, decline());
        else if (how == 1) {
            vm.warp(NOW + DECLINE_WINDOW + 1);
            act(BACKUP, abandon());
        } else {
            vm.warp(NOW + 901);
            act(STRANGER, abi.encodeCall(market.fail, (terms, workHash)));
        }
        (Status status, , , ) = market.taskOf(id);
        Status[3] memory ends = [Status.Declined, Status.Abandoned, Status.Failed];
        assertTrue(status == ends[how], "ended");
        assertEq(registry.providerOf(PROVIDER).stake, STAKE, "the first lost nothing");
        assertEq(address(market).balance, ledger(), "I-2");
        assertEq(lockedOf(BACKUP), 0, "unlocked");
    }

    /// @dev Another than the named one is not in the task's id.
    function test_RevertWhen_AnotherTakesOver() external {
        take(someTerms(), BACKUP);
        submitWith(BACKUP);
        act(PROVIDER, decline());
        assertRefused(
            STRANGER,
            takeOver(),
            abi.encodeWithSelector(IOrders.Orders_NotBackup.selector, id, STRANGER)
        );
        bytes memory call = abi.encodeCall(market.takeOver, (terms, work, STRANGER));
        assertTrue(!can(STRANGER, call), "its own name");
        // Nor where no backup is named.
        Terms memory t = someTerms();
        t.salt = 0;
        take(t, address(0));
        submit();
        vm.warp(NOW + 101);
        assertTrue(!can(BACKUP, takeOver()), "not named");
        assertTrue(!can(STRANGER, abi.encodeCall(market.takeOver, (terms, work, address(0)))), "nobody's");
    }

    /// @dev It has as long as the first had from `startBy` on, at the same price and the same collateral.
    function assertRunsAsTheBackups(uint256 begun) private {
        assertStatus(Status.Active, Outcome.None);
        assertAssigned(BACKUP, begun, 1e9);
        assertEq(lockedOf(BACKUP), 1e18, "locked");
        assertTrue(!market.hasBackup(id), "it is the last");
        uint256 slashed = ledger();
        vm.warp(begun + 900);
        assertTrue(!can(PROVIDER, deliveryCall(0)), "not the provider's any more");
        assertTrue(!can(STRANGER, abi.encodeCall(market.fail, (terms, workHash))), "not late yet");
        uint256 snapshot = vm.snapshotState();
        deliver(BACKUP, 600);
        assertEq(ledgerOf(BACKUP), cost, "paid");
        assertEq(lockedOf(BACKUP), 0, "unlocked");
        assertEq(address(market).balance, ledger(), "I-2");
        vm.revertToState(snapshot);
        vm.warp(begun + 901);
        assertTrue(!can(BACKUP, deliveryCall(600)), "late");
        act(SPONSOR, abi.encodeCall(market.fail, (terms, workHash)));
        assertStatus(Status.Failed, Outcome.ProviderLate);
        assertEq(ledger(), slashed + cost + 1e18, "all back, and its collateral");
        assertEq(registry.providerOf(BACKUP).failed, 1, "counted");
    }

    // ---- Calls ----

    function takeOpen(Price price, uint256 collateral, bool isSealed) private {
        Terms memory t = someTerms();
        t.provider = address(0);
        t.price = price;
        t.assurance = assuranceOf(uint96(collateral), address(0));
        if (isSealed) t.conditions = Conditions.wrap(Conditions.unwrap(t.conditions) | SEALED_BIT);
        take(t, address(0));
    }

    function acceptOpen(address provider) private view returns (bytes memory) {
        return abi.encodeCall(market.acceptOpen, (terms, work, provider));
    }

    function publish(bytes memory header) private view returns (bytes memory) {
        return abi.encodeCall(market.publishPayloadKey, (terms, workHash, header));
    }

    function takeOver() private view returns (bytes memory) {
        return abi.encodeCall(market.takeOver, (terms, work, BACKUP));
    }

    function cancel() private view returns (bytes memory) {
        return abi.encodeCall(market.cancel, (terms, workHash));
    }

    function expire() private view returns (bytes memory) {
        return abi.encodeCall(market.expire, (terms, workHash));
    }

    function decline() private view returns (bytes memory) {
        return abi.encodeCall(market.decline, (terms, workHash, Outcome.NoCapacity));
    }

    function abandon() private view returns (bytes memory) {
        return abi.encodeCall(market.abandon, (terms, workHash));
    }

    function deliveryCall(uint256 used) private view returns (bytes memory) {
        return abi.encodeCall(market.deliver, (terms, workHash, deliveryOf(Outcome.Completed, used)));
    }

    function assertAssigned(address provider, uint256 time, uint256 price) private view {
        (address actual, uint256 acceptedAt, uint256 priceWei) = market.assignmentOf(terms, workHash);
        assertEq(actual, provider, "assignee");
        assertEq(acceptedAt, time, "acceptedAt");
        assertEq(priceWei, price, "price");
    }
}
