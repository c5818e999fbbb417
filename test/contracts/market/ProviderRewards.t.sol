// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IProviderRewards} from "../../../contracts/interfaces/IProviderRewards.sol";
import {RewardsTest} from "./RewardsTest.sol";

/// @dev Shares, caps and epochs, in both currencies; flows, events and refusals stand in the `.test.ts`.
abstract contract ProviderRewardsTest is RewardsTest {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    address private constant CAROL = address(0xCA401);

    function setUpProviders() internal {
        address[3] memory all = [ALICE, BOB, CAROL];
        for (uint256 i = 0; i < 3; ++i) {
            register(all[i]);
            record(all[i]);
        }
    }

    // ---- Shares ----

    function test_rewardsAreInProportionToFees() external {
        // 60 of fees, of them 80 % within what is funded.
        testFuzz_I16_I17_I19_rewardsAreInProportionToFees([uint96(10 ether), 20 ether, 30 ether], 200 ether);
        assertEq(balanceOf(ALICE), 8 ether, "a sixth of 48");
        assertEq(balanceOf(CAROL), 24 ether, "a half");
    }

    /// @dev Against the formula; all that is not handed out is in the pot when all have claimed.
    function testFuzz_I16_I17_I19_rewardsAreInProportionToFees(uint96[3] memory fees, uint96 funded) public {
        address[3] memory all = [ALICE, BOB, CAROL];
        if (funded != 0) fill(funded);
        uint256 total = 0;
        for (uint256 i = 0; i < 3; ++i) {
            fees[i] = uint96(bound(fees[i], 1, type(uint96).max / 4));
            total += fees[i];
            payFees(all[i], fees[i]);
            record(all[i]);
        }
        nextEpoch();
        uint256 capped = (total * CAP_BPS) / 10_000;
        uint256 budget = Math.min(Math.min(BUDGET, funded), capped);
        assertEq(rewards.epochOf(0).feesWei, total, "fees");
        assertEq(rewards.epochOf(0).budgetWei, budget, "budget");
        assertEq(rewards.pot(), funded - budget, "pot");
        uint256 paid = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 reward = Math.mulDiv(budget, fees[i], total);
            assertLe(reward, (uint256(fees[i]) * CAP_BPS) / 10_000, "cap");
            assertReward(all[i], 0, fees[i], reward, false);
            assertEq(rewards.claim(all[i], 0), reward, "claimed");
            assertReward(all[i], 0, fees[i], reward, true);
            assertEq(balanceOf(all[i]), reward, "provider");
            paid += reward;
            assertEq(rewards.epochOf(0).paidWei, paid, "paid");
        }
        assertLe(paid, budget, "no more than the budget");
        assertEq(rewards.pot(), funded - paid, "the rest");
        assertEq(balanceOf(address(rewards)), funded - paid, "held");
    }

    /// @dev A21: who owns and provides pays a fee to get a reward for it, and has lost by that, whatever others do.
    function testFuzz_A21_dealingWithOneselfNeverProfits(
        uint16 capBps,
        uint96 paid,
        uint16 feeBps,
        uint96 others,
        uint96 funded
    ) external {
        capBps = uint16(bound(capBps, 1, 10_000));
        feeBps = uint16(bound(feeBps, 0, 1_000));
        paid = uint96(bound(paid, 1, type(uint96).max / 4));
        others = uint96(bound(others, 0, type(uint96).max / 4));
        rewards = deployRewards(type(uint128).max, capBps);
        if (funded != 0) fill(funded);
        record(ALICE);
        record(BOB);
        enrich(ALICE, paid, address(market));
        uint256 fee = (uint256(paid) * feeBps) / 10_000;
        vm.prank(ALICE);
        market.deposit{value: valueOf(paid)}(paid);
        market.settle(ALICE, ALICE, paid, fee);
        record(ALICE);
        if (others != 0) {
            payFees(BOB, others);
            record(BOB);
        }
        nextEpoch();
        uint256 reward = fee == 0 ? 0 : rewards.claim(ALICE, 0);
        assertLe(reward, (fee * capBps) / 10_000, "no more than the cap of the fee");
        uint256 left = market.balanceOf(ALICE);
        if (left != 0) {
            vm.prank(ALICE);
            market.withdraw(left);
        }
        assertEq(balanceOf(ALICE), paid - fee + reward, "wealth");
        assertLe(balanceOf(ALICE), paid - (fee * (10_000 - capBps)) / 10_000, "no profit");
    }

    /// @dev A11: the same fees in two records, or through two accounts, bring no more.
    function testFuzz_A11_splitFeesBringNoMore(
        uint96 first,
        uint96 second,
        uint96 others,
        uint96 funded
    ) external {
        first = uint96(bound(first, 1, type(uint96).max / 4));
        second = uint96(bound(second, 1, type(uint96).max / 4));
        others = uint96(bound(others, 1, type(uint96).max / 4));
        if (funded != 0) fill(funded);
        payFees(CAROL, others);
        record(CAROL);
        uint256 snapshot = vm.snapshotState();
        payFees(ALICE, uint256(first) + second);
        record(ALICE);
        nextEpoch();
        uint256 once = rewards.claim(ALICE, 0);
        vm.revertToState(snapshot);
        payFees(ALICE, first);
        record(ALICE);
        payFees(ALICE, second);
        record(ALICE);
        nextEpoch();
        assertEq(rewards.claim(ALICE, 0), once, "two records");
        vm.revertToState(snapshot);
        payFees(ALICE, first);
        payFees(BOB, second);
        record(ALICE);
        record(BOB);
        nextEpoch();
        assertLe(rewards.claim(ALICE, 0) + rewards.claim(BOB, 0), once, "two accounts");
    }

    // ---- Record ----

    /// @dev Neither what was due before the first record nor what had been collected earns anything.
    function testFuzz_feesBeforeTheFirstRecordDoNotCount(
        uint96 collected,
        uint96 due,
        uint96 later
    ) external {
        address provider = address(0x1A7E);
        collected = uint96(bound(collected, 1, type(uint96).max / 4));
        due = uint96(bound(due, 1, type(uint96).max / 4));
        later = uint96(bound(later, 1, type(uint96).max / 4));
        payFees(provider, collected);
        address[] memory providers = new address[](1);
        providers[0] = provider;
        market.collectFees(providers);
        payFees(provider, due);
        vm.warp(START + 5);
        assertRecorded(provider, 0, 0);
        record(provider);
        assertRecorded(provider, uint256(collected) + due, START + 5);
        assertEq(rewards.epochOf(0).feesWei, 0, "nothing counts");
        assertEq(market.feesDue(provider), 0, "collected");
        payFees(provider, later);
        vm.warp(START + 10);
        record(provider);
        assertRecorded(provider, uint256(collected) + due + later, START + 5);
        assertEq(rewards.epochOf(0).feesWei, later, "what came after counts");
    }

    /// @dev Each wei once: recording again, or twice in one call, changes nothing.
    function testFuzz_I03_feesCountOnce(uint96 fees, uint8 times) external {
        fees = uint96(bound(fees, 1, type(uint96).max / 4));
        payFees(ALICE, fees);
        address[] memory providers = new address[](1 + (times % 5));
        for (uint256 i = 0; i < providers.length; ++i) providers[i] = ALICE;
        rewards.record(providers);
        rewards.record(providers);
        assertEq(rewards.epochOf(0).feesWei, fees, "in epoch 0");
        nextEpoch();
        rewards.record(providers);
        assertEq(rewards.epochOf(1).feesWei, 0, "in epoch 1");
        assertRecorded(ALICE, fees, START);
    }

    /// @dev Fees that nobody recorded in time count in the epoch in which somebody does, under its cap.
    function testFuzz_lateRecordCountsInItsEpoch(uint96 fees, uint8 late) external {
        fees = uint96(bound(fees, 2, type(uint96).max / 4));
        fill(BUDGET);
        payFees(ALICE, fees);
        payFees(BOB, 1);
        record(BOB);
        for (uint256 i = 0; i <= late; ++i) nextEpoch();
        record(ALICE);
        uint256 epoch = uint256(late) + 1;
        assertEq(rewards.epochOf(0).feesWei, 1, "fees of epoch 0");
        assertEq(rewards.epochOf(epoch).feesWei, fees, "fees of the late one");
        nextEpoch();
        vm.expectRevert(
            abi.encodeWithSelector(IProviderRewards.ProviderRewards_NoFees.selector, ALICE, uint256(0))
        );
        rewards.claim(ALICE, 0);
        assertEq(
            rewards.claim(ALICE, epoch),
            Math.min(BUDGET, (uint256(fees) * CAP_BPS) / 10_000),
            "all of its budget"
        );
    }

    // ---- Budget ----

    /// @dev What the pot has in the last second of an epoch is what counts, whichever call comes first after it.
    function testFuzz_budgetIsFixedAtTheEnd(uint96 within, uint96 after_, uint8 kind, uint32 pause) external {
        within = uint96(bound(within, 1, BUDGET - 1));
        after_ = uint96(bound(after_, 1, type(uint96).max / 4));
        payFees(ALICE, 10 * BUDGET);
        record(ALICE);
        nextEpoch();
        vm.warp(block.timestamp - 1);
        assertEq(rewards.epochOf(0).budgetWei, 0, "so far");
        fill(within);
        assertEq(rewards.epochOf(0).budgetWei, within, "with what came in the last second");
        vm.warp(block.timestamp + 1 + pause);
        assertEq(rewards.pot(), 0, "promised");
        if (kind % 3 == 0) record(BOB);
        else if (kind % 3 == 1) rewards.claim(ALICE, 0);
        fill(after_);
        assertEq(rewards.epochOf(0).budgetWei, within, "later money is for later epochs");
        assertEq(rewards.pot(), after_, "pot");
        if (kind % 3 != 1) rewards.claim(ALICE, 0);
        assertEq(balanceOf(ALICE), within, "reward");
    }

    /// @dev No epoch is handed out more than its own budget, though more fees are paid and more is in the pot; those
    /// without fees leave the pot as it is.
    function testFuzz_I16_budgetIsTheMost(uint96 funded, uint8 pauses) external {
        funded = uint96(bound(funded, 3 * BUDGET, type(uint96).max / 4));
        fill(funded);
        for (uint256 i = 0; i < 3; ++i) {
            payFees(ALICE, 10 * BUDGET);
            record(ALICE);
            uint256 epoch = rewards.currentEpoch();
            nextEpoch();
            for (uint256 j = 0; j < pauses % 8; ++j) nextEpoch();
            assertEq(rewards.epochOf(epoch).budgetWei, BUDGET, "budget");
            assertEq(rewards.claim(ALICE, epoch), BUDGET, "reward");
            assertEq(rewards.pot(), funded - (i + 1) * BUDGET, "pot");
        }
    }

    /// @dev With nothing in the pot fees earn nothing; a claim of it is made and sends nothing.
    function testFuzz_rewardOfNothingCanBeClaimed(uint96 fees) external {
        fees = uint96(bound(fees, 1, type(uint96).max / 4));
        payFees(ALICE, fees);
        record(ALICE);
        nextEpoch();
        assertEq(rewards.claim(ALICE, 0), 0, "nothing");
        assertReward(ALICE, 0, fees, 0, true);
        assertEq(rewards.epochOf(0).claimedFeesWei, fees, "claimed");
        fill(1);
        assertEq(rewards.pot(), 1, "not for it");
    }

    function testFuzz_A12_RevertWhen_PotExceeds128Bits(uint128 first, uint256 second) external {
        first = uint128(bound(first, 1, type(uint128).max));
        fill(first);
        second = bound(second, 1 + uint256(type(uint128).max) - first, type(uint248).max);
        enrich(FUNDER, second, address(rewards));
        uint256 value = valueOf(second);
        vm.expectRevert(
            abi.encodeWithSelector(
                SafeCast.SafeCastOverflowedUintDowncast.selector,
                128,
                second > type(uint128).max ? second : second + first
            )
        );
        vm.prank(FUNDER);
        rewards.fund{value: value}(second);
        assertEq(rewards.pot(), first, "pot");
        assertEq(balanceOf(FUNDER), second, "funder");
    }

    // ---- Claim ----

    function testFuzz_A13_eachClaimOnce(uint96 fees, uint96 others, uint8 pauses) external {
        fees = uint96(bound(fees, 1, type(uint96).max / 4));
        others = uint96(bound(others, 1, type(uint96).max / 4));
        fill(BUDGET);
        payFees(ALICE, fees);
        payFees(BOB, others);
        record(ALICE);
        record(BOB);
        for (uint256 i = 0; i <= pauses % 5; ++i) nextEpoch();
        uint256 reward = rewards.claim(ALICE, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProviderRewards.ProviderRewards_AlreadyClaimed.selector,
                ALICE,
                uint256(0)
            )
        );
        rewards.claim(ALICE, 0);
        assertEq(balanceOf(ALICE), reward, "once");
        assertReward(BOB, 0, others, rewards.claim(BOB, 0), true);
    }

    function testFuzz_A14_RevertWhen_EpochIsNotOver(uint256 epoch, uint8 current) external {
        epoch = bound(epoch, current, type(uint256).max);
        vm.warp(uint256(START) + uint256(EPOCH) * (uint256(current) + 1) - 1);
        payFees(ALICE, 5);
        record(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IProviderRewards.ProviderRewards_NotOver.selector, epoch, uint256(current))
        );
        rewards.claim(ALICE, epoch);
        vm.warp(block.timestamp + 1);
        rewards.claim(ALICE, current);
        assertReward(ALICE, current, 5, 0, true);
    }

    function testFuzz_RevertWhen_ProviderHasNoFees(address provider, uint8 epoch, uint8 current) external {
        vm.assume(provider != ALICE);
        current = uint8(bound(current, 1, 255));
        epoch = uint8(bound(epoch, 0, current - 1));
        payFees(ALICE, 5);
        record(ALICE);
        vm.warp(uint256(START) + uint256(EPOCH) * current);
        vm.expectRevert(
            abi.encodeWithSelector(IProviderRewards.ProviderRewards_NoFees.selector, provider, uint256(epoch))
        );
        rewards.claim(provider, epoch);
        assertReward(provider, epoch, 0, 0, false);
    }

    /// @dev Whoever is not registered is its own payout address; whoever is names one, and may change it.
    function test_rewardGoesToThePayoutAddress() external {
        address stranger = address(0x5744);
        address payout = address(0x9A);
        record(stranger);
        fill(BUDGET);
        payFees(stranger, 5);
        payFees(ALICE, 5);
        record(stranger);
        record(ALICE);
        nextEpoch();
        vm.prank(ALICE);
        registry.setPayout(payout);
        assertEq(rewards.claim(stranger, 0), 4, "stranger's reward");
        assertEq(rewards.claim(ALICE, 0), 4, "provider's reward");
        assertEq(balanceOf(stranger), 4, "stranger");
        assertEq(balanceOf(ALICE), 0, "provider");
        assertEq(balanceOf(payout), 4, "payout address");
    }

    /// @dev A reward that would be nobody's waits until the provider names another address.
    function test_A07_RevertWhen_PayoutAddressIsAContractOfTheMarket() external {
        fill(BUDGET);
        payFees(ALICE, 5);
        record(ALICE);
        nextEpoch();
        address[2] memory bad = [address(rewards), address(market)];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(ALICE);
            registry.setPayout(bad[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IProviderRewards.ProviderRewards_ToContract.selector, bad[i])
            );
            rewards.claim(ALICE, 0);
        }
        vm.prank(ALICE);
        registry.setPayout(ALICE);
        assertEq(rewards.claim(ALICE, 0), 4, "reward");
    }

    // ---- Epochs ----

    function testFuzz_epochsAreOfOneLength(uint32 time) external {
        vm.warp(uint256(START) + time);
        assertEq(rewards.currentEpoch(), uint256(time) / EPOCH, "epoch");
        assertEq(rewards.startedAt(), START, "start");
        assertEq(rewards.epochOf(type(uint256).max).feesWei, 0, "no epoch breaks the view");
    }

    // ---- Costs ----

    /// @dev The hundredth provider of an epoch costs what the second does.
    function test_A23_costDoesNotGrowWithProviders() external {
        fill(BUDGET);
        uint256[2] memory recording;
        uint256[2] memory claiming;
        for (uint160 i = 0; i < 100; ++i) {
            record(address(0x1000 + i));
            payFees(address(0x1000 + i), 1_000);
            address[] memory providers = new address[](1);
            providers[0] = address(0x1000 + i);
            uint256 before = gasleft();
            rewards.record(providers);
            uint256 cost = before - gasleft();
            if (i == 1) recording[0] = cost;
            if (i == 99) recording[1] = cost;
        }
        nextEpoch();
        for (uint160 i = 0; i < 100; ++i) {
            uint256 before = gasleft();
            rewards.claim(address(0x1000 + i), 0);
            uint256 cost = before - gasleft();
            if (i == 1) claiming[0] = cost;
            // The last claim gives back what rounding has left.
            if (i == 98) claiming[1] = cost;
        }
        // The caller's memory grows meanwhile.
        assertLe(recording[1], recording[0] + 3_000, "record");
        assertLe(claiming[1], claiming[0] + 3_000, "claim");
    }

    // ---- Helpers ----

    function assertReward(
        address provider,
        uint256 epoch,
        uint256 fees,
        uint256 reward,
        bool isClaimed
    ) private view {
        (uint256 feesWei, uint256 rewardWei, bool claimed) = rewards.rewardOf(provider, epoch);
        assertEq(feesWei, fees, "fees");
        assertEq(rewardWei, reward, "reward");
        assertTrue(claimed == isClaimed, "claimed");
    }

    function assertRecorded(address provider, uint256 fees, uint256 time) private view {
        (uint256 feesWei, uint256 joinedAt) = rewards.recordedOf(provider);
        assertEq(feesWei, fees, "recorded fees");
        assertEq(joinedAt, time, "joined");
    }
}

contract ProviderRewardsNativeTest is ProviderRewardsTest {
    function setUp() external {
        openRewards(true);
        setUpProviders();
    }
}

contract ProviderRewardsTokenTest is ProviderRewardsTest {
    function setUp() external {
        openRewards(false);
        setUpProviders();
    }
}
