// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {RegistryTest} from "./RegistryTest.sol";

/// @dev Stake, locks and pages, in both currencies; flows, events and refusals stand in the `.test.ts`.
abstract contract ProviderRegistryTest is RegistryTest {
    address private constant PROVIDER = address(0xA11CE);
    address private constant OTHER = address(0xB0B);
    address private constant MARKET = address(0xCAFE);
    address private constant MARKET_2 = address(0xF00D);

    function setUpMarkets() internal {
        authorize(MARKET);
        authorize(MARKET_2);
        register(PROVIDER);
        register(OTHER);
    }

    // ---- Registration ----

    function testFuzz_providerIsWhatWasRegistered(
        address account,
        address operator,
        address payout,
        uint160 shape,
        uint96 rateWei,
        uint16 slots,
        uint8 metadataLength
    ) external {
        vm.assume(account != PROVIDER && account != OTHER);
        vm.assume(operator != address(0) && payout != address(0) && slots != 0);
        IProviderRegistry.Offer memory offer = IProviderRegistry.Offer({
            shape: Resources.wrap(shape),
            rateWei: rateWei == 0 ? 1 : rateWei,
            slots: slots,
            metadata: string(new bytes(metadataLength))
        });
        vm.prank(account);
        registry.register(operator, payout, offer);
        IProviderRegistry.Provider memory provider = registry.providerOf(account);
        assertEq(provider.account, account, "account");
        assertEq(provider.operator, operator, "operator");
        assertEq(provider.payout, payout, "payout");
        assertTrue(provider.status == IProviderRegistry.ProviderStatus.Active, "status");
        assertEq(provider.registeredAt, block.timestamp, "registeredAt");
        assertEq(Resources.unwrap(provider.offer.shape), shape, "shape");
        assertEq(provider.offer.rateWei, rateWei == 0 ? 1 : rateWei, "rate");
        assertEq(provider.offer.slots, slots, "slots");
        assertEq(bytes(provider.offer.metadata).length, metadataLength, "metadata");
        assertEq(registry.operatorOf(account), operator, "operatorOf");
        assertEq(registry.payoutOf(account), payout, "payoutOf");
        assertEq(provider.stake, 0, "stake");
        assertEq(registry.providerCount(), 3, "count");
    }

    // ---- Stake ----

    function test_stakeGoesInAndOut() external {
        testFuzz_stakeGoesInAndOut(10 ether, 3 ether, 2 ether, 1 days);
    }

    function testFuzz_stakeGoesInAndOut(uint96 staked, uint96 first, uint96 second, uint40 pause) public {
        staked = uint96(bound(staked, 2, type(uint96).max));
        first = uint96(bound(first, 1, staked - 1));
        second = uint96(bound(second, 1, staked - first));
        pause = uint40(bound(pause, 0, PERIOD - 1));
        stake(PROVIDER, staked);
        assertStake(PROVIDER, staked, 0, 0, staked);
        uint256 start = registry.marketEffectiveAt(MARKET_2);
        vm.prank(PROVIDER);
        registry.unstake(first);
        assertStake(PROVIDER, staked, 0, first, staked - first);
        vm.warp(start + pause);
        // The second one begins the period anew for both.
        vm.prank(PROVIDER);
        registry.unstake(second);
        uint40 unbondsAt = uint40(start + pause + PERIOD);
        vm.warp(unbondsAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProviderRegistry.ProviderRegistry_StillUnbonding.selector,
                PROVIDER,
                unbondsAt
            )
        );
        vm.prank(PROVIDER);
        registry.withdrawStake(OTHER);
        assertMoney(0, 0, staked);
        vm.warp(unbondsAt);
        vm.prank(PROVIDER);
        assertEq(registry.withdrawStake(OTHER), uint256(first) + second, "amount");
        assertStake(PROVIDER, staked - first - second, 0, 0, staked - first - second);
        assertMoney(0, uint256(first) + second, staked - first - second);
    }

    function testFuzz_cancelUnstakeBringsAllBack(uint96 staked, uint96 amount, uint40 pause) external {
        amount = uint96(bound(amount, 1, staked == 0 ? 1 : staked));
        staked = staked == 0 ? 1 : staked;
        stake(PROVIDER, staked);
        vm.prank(PROVIDER);
        registry.unstake(amount);
        vm.warp(uint256(START) + PERIOD + pause);
        vm.prank(PROVIDER);
        registry.cancelUnstake();
        assertStake(PROVIDER, staked, 0, 0, staked);
        vm.expectRevert(
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NothingUnbonding.selector, PROVIDER)
        );
        vm.prank(PROVIDER);
        registry.withdrawStake(PROVIDER);
        assertMoney(0, 0, staked);
    }

    /// @dev What is unbonding counts too, so that the sum always fits.
    function testFuzz_A12_RevertWhen_StakeExceeds96Bits(
        uint96 staked,
        uint96 unbonding,
        uint256 more
    ) external {
        staked = uint96(bound(staked, 1, type(uint96).max));
        unbonding = uint96(bound(unbonding, 1, staked));
        stake(PROVIDER, staked);
        vm.prank(PROVIDER);
        registry.unstake(unbonding);
        more = bound(more, uint256(type(uint96).max) - staked + 1, type(uint128).max);
        fund(PROVIDER, more);
        uint256 value = valueOf(more);
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector,
                96,
                uint256(staked) + more
            )
        );
        vm.prank(PROVIDER);
        registry.stake{value: value}(more);
        assertStake(PROVIDER, staked, 0, unbonding, staked - unbonding);
        assertMoney(more, 0, staked);
    }

    function testFuzz_RevertWhen_MoreIsTakenOutThanIsFree(
        uint96 staked,
        uint96 locked,
        uint256 amount
    ) external {
        staked = uint96(bound(staked, 1, type(uint96).max));
        locked = uint96(bound(locked, 0, staked));
        stake(PROVIDER, staked);
        vm.prank(MARKET);
        registry.lock(PROVIDER, locked);
        uint256 free = staked - locked;
        amount = bound(amount, free + 1, type(uint256).max);
        vm.expectRevert(insufficient(PROVIDER, free, amount));
        vm.prank(PROVIDER);
        registry.unstake(amount);
        vm.expectRevert(insufficient(PROVIDER, free, amount));
        vm.prank(MARKET);
        registry.lock(PROVIDER, amount);
        assertStake(PROVIDER, staked, locked, 0, free);
        assertMoney(0, 0, staked);
    }

    // ---- Locks ----

    function test_locksOfTwoMarketsStayApart() external {
        testFuzz_locksOfTwoMarketsStayApart(10 ether, 4 ether, 3 ether, 2 ether, 1 ether);
    }

    function testFuzz_locksOfTwoMarketsStayApart(
        uint96 staked,
        uint96 first,
        uint96 second,
        uint96 unlocked,
        uint96 slashed
    ) public {
        first = uint96(bound(first, 0, staked));
        second = uint96(bound(second, 0, staked - first));
        unlocked = uint96(bound(unlocked, 0, first));
        slashed = uint96(bound(slashed, 0, unlocked));
        if (staked != 0) stake(PROVIDER, staked);
        stake(OTHER, 5);
        vm.prank(MARKET);
        registry.lock(PROVIDER, first);
        vm.prank(MARKET_2);
        registry.lock(PROVIDER, second);
        assertStake(PROVIDER, staked, uint256(first) + second, 0, staked - first - second);
        vm.prank(MARKET);
        registry.release(PROVIDER, unlocked, slashed, IProviderRegistry.Record.None, false);
        assertStake(
            PROVIDER,
            staked - slashed,
            uint256(first) + second - unlocked,
            0,
            staked - first - second + unlocked - slashed
        );
        assertEq(lockedBy(MARKET, PROVIDER), first - unlocked, "first market");
        assertEq(lockedBy(MARKET_2, PROVIDER), second, "second market");
        assertStake(OTHER, 5, 0, 0, 5);
        assertEq(balanceOf(MARKET), slashed, "market got what it slashed");
        assertEq(balanceOf(MARKET_2), 0, "other market");
        assertMoney(0, 0, uint256(staked) - slashed + 5);
    }

    function testFuzz_RevertWhen_MarketReachesBeyondItsLock(
        uint96 mine,
        uint96 theirs,
        uint256 unlocked,
        uint256 slashed
    ) external {
        theirs = uint96(bound(theirs, 0, type(uint96).max - mine));
        if (uint256(mine) + theirs != 0) stake(PROVIDER, uint256(mine) + theirs);
        vm.prank(MARKET);
        registry.lock(PROVIDER, mine);
        vm.prank(MARKET_2);
        registry.lock(PROVIDER, theirs);
        unlocked = bound(unlocked, uint256(mine) + 1, type(uint256).max);
        vm.expectRevert(beyond(MARKET, mine, unlocked));
        vm.prank(MARKET);
        registry.release(PROVIDER, unlocked, slashed, IProviderRegistry.Record.Failed, false);
        slashed = bound(slashed, uint256(mine) + 1, type(uint256).max);
        vm.expectRevert(beyond(MARKET, mine, slashed));
        vm.prank(MARKET);
        registry.release(PROVIDER, mine, slashed, IProviderRegistry.Record.Failed, false);
        assertStake(PROVIDER, uint256(mine) + theirs, uint256(mine) + theirs, 0, 0);
        assertEq(registry.providerOf(PROVIDER).failed, 0, "nothing recorded");
        assertMoney(0, 0, uint256(mine) + theirs);
        assertEq(balanceOf(MARKET), 0, "market got nothing");
    }

    /// @dev What is on its way out is neither free nor locked, and comes out though the rest is slashed.
    function testFuzz_A20_slashTakesNothingOfWhatIsUnbonding(uint96 staked, uint96 unbonding) external {
        staked = uint96(bound(staked, 2, type(uint96).max));
        unbonding = uint96(bound(unbonding, 1, staked - 1));
        stake(PROVIDER, staked);
        vm.prank(PROVIDER);
        registry.unstake(unbonding);
        uint96 rest = staked - unbonding;
        vm.expectRevert(insufficient(PROVIDER, rest, staked));
        vm.prank(MARKET);
        registry.lock(PROVIDER, staked);
        vm.prank(MARKET);
        registry.lock(PROVIDER, rest);
        vm.prank(MARKET);
        registry.release(PROVIDER, rest, rest, IProviderRegistry.Record.Failed, false);
        assertStake(PROVIDER, unbonding, 0, unbonding, 0);
        vm.warp(registry.providerOf(PROVIDER).unbondsAt);
        vm.prank(PROVIDER);
        registry.withdrawStake(PROVIDER);
        assertStake(PROVIDER, 0, 0, 0, 0);
        assertMoney(unbonding, 0, 0);
        assertEq(balanceOf(MARKET), rest, "market");
    }

    /// @dev A lock outlives the period: the stake cannot start to leave before it is released.
    function testFuzz_A20_unstakeCannotPassALiveLock(uint96 locked, uint40 wait) external {
        locked = uint96(bound(locked, 1, type(uint96).max));
        stake(PROVIDER, locked);
        vm.prank(MARKET);
        registry.lock(PROVIDER, locked);
        vm.warp(uint256(START) + wait);
        vm.expectRevert(insufficient(PROVIDER, 0, 1));
        vm.prank(PROVIDER);
        registry.unstake(1);
        vm.prank(MARKET);
        registry.release(PROVIDER, locked, locked, IProviderRegistry.Record.None, false);
        assertMoney(0, 0, 0);
        assertEq(balanceOf(MARKET), locked, "market");
    }

    // ---- Slots ----

    /// @dev As many open tasks at a time as there are slots; each end frees one, and a lock alone takes none.
    function testFuzz_A15_assignTakesASlotAndReleaseFreesIt(uint16 slots, uint96 amount) public {
        slots = uint16(bound(slots, 1, 20));
        amount = uint96(bound(amount, 1, type(uint96).max / 24));
        IProviderRegistry.Offer memory offer = anOffer();
        offer.slots = slots;
        vm.prank(PROVIDER);
        registry.updateOffer(offer);
        stake(PROVIDER, uint256(amount) * 24);
        vm.prank(MARKET_2);
        registry.lock(PROVIDER, amount);
        for (uint256 i = 1; i <= slots; ++i) {
            vm.prank(i % 2 == 0 ? MARKET : MARKET_2);
            registry.assign(PROVIDER, Resources.wrap(1), amount);
            assertEq(registry.providerOf(PROVIDER).assigned, i, "assigned");
        }
        vm.expectRevert(
            abi.encodeWithSelector(IProviderRegistry.ProviderRegistry_NoFreeSlot.selector, PROVIDER, slots)
        );
        vm.prank(MARKET);
        registry.assign(PROVIDER, Resources.wrap(1), amount);
        // What was only locked frees none.
        vm.prank(MARKET_2);
        registry.release(PROVIDER, amount, 0, IProviderRegistry.Record.None, false);
        assertEq(registry.providerOf(PROVIDER).assigned, slots, "all taken");
        vm.prank(MARKET_2);
        registry.release(PROVIDER, amount, amount, IProviderRegistry.Record.Failed, true);
        assertEq(registry.providerOf(PROVIDER).assigned, slots - 1, "one is free");
        vm.prank(MARKET);
        registry.assign(PROVIDER, Resources.wrap(1), amount);
        assertStake(
            PROVIDER,
            uint256(amount) * 23,
            uint256(amount) * slots,
            0,
            uint256(amount) * (23 - uint256(slots))
        );
    }

    function test_A15_assignTakesASlotAndReleaseFreesIt() external {
        testFuzz_A15_assignTakesASlotAndReleaseFreesIt(1, 1 ether);
    }

    function testFuzz_RevertWhen_AnOpenTaskDoesNotFit(uint16 need, uint16 shape) external {
        need = uint16(bound(need, 1, type(uint16).max));
        shape = uint16(bound(shape, 0, need - 1));
        IProviderRegistry.Offer memory offer = anOffer();
        offer.shape = Resources.wrap(shape);
        vm.prank(PROVIDER);
        registry.updateOffer(offer);
        stake(PROVIDER, 7);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProviderRegistry.ProviderRegistry_DoesNotFit.selector,
                PROVIDER,
                Resources.wrap(need),
                Resources.wrap(shape)
            )
        );
        vm.prank(MARKET);
        registry.assign(PROVIDER, Resources.wrap(need), 7);
        assertStake(PROVIDER, 7, 0, 0, 7);
        assertEq(registry.providerOf(PROVIDER).assigned, 0, "assigned");
    }

    // ---- Records ----

    /// @dev Each reason has a counter of its own.
    function testFuzz_recordsAreCountedApart(uint8[8] memory counted) external {
        uint256[5] memory expected;
        for (uint256 i = 0; i < counted.length; ++i) {
            uint256 kind = counted[i] % 5;
            ++expected[kind];
            vm.prank(MARKET);
            registry.release(PROVIDER, 0, 0, IProviderRegistry.Record(kind), false);
        }
        IProviderRegistry.Provider memory provider = registry.providerOf(PROVIDER);
        assertEq(provider.declined, expected[1], "declined");
        assertEq(provider.abandoned, expected[2], "abandoned");
        assertEq(provider.failed, expected[3], "failed");
        assertEq(provider.disputed, expected[4], "disputed");
    }

    // ---- Costs ----

    function test_operatorIsOneStorageRead() external {
        vm.record();
        registry.operatorOf(PROVIDER);
        (bytes32[] memory reads, ) = vm.accesses(address(registry));
        assertEq(reads.length, 1, "reads");
    }

    // ---- Pages ----

    /// @dev However the pages are cut, together they are all providers, each once and in order.
    function testFuzz_I20_pagesAreAllProviders(uint8 count, uint8 limit) external {
        count = uint8(bound(count, 0, 20));
        limit = uint8(bound(limit, 1, 25));
        for (uint160 i = 0; i < count; ++i) register(address(0x1000 + i));
        uint256 seen = 0;
        uint256 cursor = 0;
        do {
            IProviderRegistry.Provider[] memory page;
            (page, cursor) = registry.providers(cursor, limit);
            assertLe(page.length, limit, "page");
            for (uint256 i = 0; i < page.length; ++i) {
                address expected =
                    seen == 0
                        ? PROVIDER
                        : seen == 1
                            ? OTHER
                            : address(uint160(0x1000 + seen - 2));
                assertEq(page[i].account, expected, "order");
                ++seen;
            }
        } while (cursor != 0);
        assertEq(seen, uint256(count) + 2, "all of them");
    }

    /// @dev No cursor and no limit breaks the view.
    function testFuzz_pagesBeyondTheEndAreEmpty(uint256 cursor, uint256 limit) external view {
        (IProviderRegistry.Provider[] memory page, uint256 next) = registry.providers(cursor, limit);
        uint256 rest = cursor < 2 ? 2 - cursor : 0;
        assertEq(page.length, limit < rest ? limit : rest, "length");
        assertEq(next, limit < rest ? cursor + limit : 0, "next");
    }

    struct Candidate {
        uint8 gpus;
        uint8 rateWei;
        uint8 staked;
        uint8 locked;
        bool paused;
    }

    /// @dev Against a model: who is in the page is who can be locked, at a price and on a machine that suits.
    function testFuzz_I20_eligibleAreThoseWhoSuit(
        Candidate[6] memory candidates,
        uint8 gpus,
        uint8 maxRateWei,
        uint8 minFreeStake
    ) external {
        uint256 expected = 0;
        address[] memory suitable = new address[](candidates.length);
        for (uint160 i = 0; i < candidates.length; ++i) {
            Candidate memory candidate = candidates[i];
            candidate.locked = uint8(bound(candidate.locked, 0, candidate.staked));
            address account = address(0x1000 + i);
            IProviderRegistry.Offer memory offer = anOffer();
            offer.shape = Resources.wrap(candidate.gpus);
            offer.rateWei = uint96(candidate.rateWei) + 1;
            vm.prank(account);
            registry.register(account, account, offer);
            if (candidate.staked != 0) stake(account, candidate.staked);
            vm.prank(MARKET);
            registry.lock(account, candidate.locked);
            if (candidate.paused) {
                vm.prank(account);
                registry.setStatus(IProviderRegistry.ProviderStatus.Paused);
            }
            if (
                !candidate.paused &&
                candidate.gpus >= gpus &&
                uint256(candidate.rateWei) + 1 <= maxRateWei &&
                candidate.staked - candidate.locked >= minFreeStake
            ) suitable[expected++] = account;
        }
        (IProviderRegistry.Provider[] memory page, uint256 next) = registry.eligible(
            Resources.wrap(gpus),
            maxRateWei,
            minFreeStake,
            2,
            type(uint256).max
        );
        assertEq(next, 0, "next");
        assertEq(page.length, expected, "how many");
        for (uint256 i = 0; i < page.length; ++i) assertEq(page[i].account, suitable[i], "who");
    }

    // ---- Helpers ----

    function assertStake(
        address account,
        uint256 all,
        uint256 locked,
        uint256 unbonding,
        uint256 free
    ) private view {
        IProviderRegistry.Provider memory provider = registry.providerOf(account);
        assertEq(provider.stake, all, "stake");
        assertEq(provider.locked, locked, "locked");
        assertEq(provider.unbonding, unbonding, "unbonding");
        assertEq(registry.freeStakeOf(account), free, "free");
    }

    function assertMoney(uint256 provider, uint256 other, uint256 held) private view {
        assertEq(balanceOf(PROVIDER), provider, "provider's balance");
        assertEq(balanceOf(OTHER), other, "other's balance");
        assertEq(balanceOf(address(registry)), held, "registry's balance");
    }

    function insufficient(address account, uint256 free, uint256 needed) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IProviderRegistry.ProviderRegistry_InsufficientFreeStake.selector,
                account,
                free,
                needed
            );
    }

    function beyond(address market, uint256 locked, uint256 asked) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IProviderRegistry.ProviderRegistry_BeyondLock.selector,
                PROVIDER,
                market,
                locked,
                asked
            );
    }
}

contract ProviderRegistryNativeTest is ProviderRegistryTest {
    function setUp() external {
        open(true);
        setUpMarkets();
    }
}

contract ProviderRegistryTokenTest is ProviderRegistryTest {
    function setUp() external {
        open(false);
        setUpMarkets();
    }
}
