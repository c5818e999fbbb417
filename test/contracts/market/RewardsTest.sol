// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ProviderRewards} from "../../../contracts/market/ProviderRewards.sol";
import {BareMarket} from "../../../contracts/mocks/BareMarket.sol";
import {RegistryTest} from "../registry/RegistryTest.sol";

/// @dev Rewards for the fees of a market without tasks, in a currency that the tests choose.
abstract contract RewardsTest is RegistryTest {
    uint32 internal constant EPOCH = 7 days;
    uint128 internal constant BUDGET = 100 ether;
    uint16 internal constant CAP_BPS = 8_000;
    address internal constant OWNER = address(0x0E);
    address internal constant FUNDER = address(0xF0);

    BareMarket internal market;
    ProviderRewards internal rewards;

    function openRewards(bool native) internal {
        open(native);
        market = new BareMarket(registry);
        rewards = deployRewards(BUDGET, CAP_BPS);
    }

    function deployRewards(uint128 budget, uint16 capBps) internal returns (ProviderRewards) {
        return
            ProviderRewards(
                create(
                    "contracts/market/ProviderRewards.sol:ProviderRewards",
                    abi.encode(market, EPOCH, budget, capBps)
                )
            );
    }

    /// @notice Gives `account` `amount` more, and `spender` the right to take it.
    function enrich(address account, uint256 amount, address spender) internal {
        fund(account, amount);
        if (address(token) == address(0)) return;
        vm.prank(account);
        token.approve(spender, type(uint256).max);
    }

    /// @notice Puts `amount` into the pot.
    function fill(uint256 amount) internal {
        enrich(FUNDER, amount, address(rewards));
        vm.prank(FUNDER);
        rewards.fund{value: valueOf(amount)}(amount);
    }

    /// @notice An owner pays `provider` no more than the fee: `amount` of fees are due.
    function payFees(address provider, uint256 amount) internal {
        enrich(OWNER, amount, address(market));
        vm.prank(OWNER);
        market.deposit{value: valueOf(amount)}(amount);
        market.settle(OWNER, provider, amount, amount);
    }

    function record(address provider) internal {
        address[] memory providers = new address[](1);
        providers[0] = provider;
        rewards.record(providers);
    }

    /// @notice Goes to the first second of the next epoch.
    function nextEpoch() internal {
        vm.warp(rewards.startedAt() + (rewards.currentEpoch() + 1) * EPOCH);
    }
}
