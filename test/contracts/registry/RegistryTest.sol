// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {ProviderRegistry} from "../../../contracts/registry/ProviderRegistry.sol";
import {Test} from "../utils/Test.sol";

/// @dev A registry in a currency that the tests choose, and the parties' money in it.
abstract contract RegistryTest is Test {
    address internal constant ADMIN = address(0xAD);
    uint40 internal constant START = 1_800_000_000;
    uint40 internal constant PERIOD = 30 days;

    ProviderRegistry internal registry;
    /// @dev Zero: the native coin.
    HookERC20 internal token;

    function open(bool native) internal {
        vm.warp(START);
        if (!native) token = new HookERC20();
        registry = ProviderRegistry(
            create(
                "contracts/registry/ProviderRegistry.sol:ProviderRegistry",
                abi.encode(token, PERIOD, ADMIN)
            )
        );
    }

    /// @notice Gives `account` `amount` more, and the registry the right to take it.
    function fund(address account, uint256 amount) internal {
        if (address(token) == address(0)) {
            vm.deal(account, account.balance + amount);
        } else {
            token.mint(account, amount);
            vm.prank(account);
            token.approve(address(registry), type(uint256).max);
        }
    }

    function balanceOf(address account) internal view returns (uint256) {
        return address(token) == address(0) ? account.balance : token.balanceOf(account);
    }

    /// @notice What has to be sent along to stake `amount`.
    function valueOf(uint256 amount) internal view returns (uint256) {
        return address(token) == address(0) ? amount : 0;
    }

    function register(address account) internal {
        vm.prank(account);
        registry.register(account, account, anOffer());
    }

    function stake(address account, uint256 amount) internal {
        fund(account, amount);
        vm.prank(account);
        registry.stake{value: valueOf(amount)}(amount);
    }

    function authorize(address market) internal {
        vm.prank(ADMIN);
        registry.authorizeMarket(market);
        vm.warp(registry.marketEffectiveAt(market));
    }

    function anOffer() internal pure returns (IProviderRegistry.Offer memory) {
        return IProviderRegistry.Offer({shape: Resources.wrap(1), rateWei: 1, slots: 1, metadata: ""});
    }

    /// @notice What `market` has locked of `account`: the registry says it to who asks for too much.
    function lockedBy(address market, address account) internal returns (uint256 locked) {
        vm.prank(market);
        (bool success, bytes memory reason) = address(registry).call(
            abi.encodeCall(
                registry.release,
                (account, type(uint256).max, 0, IProviderRegistry.Record.None, false)
            )
        );
        assertTrue(!success, "nobody has locked that much");
        assertTrue(bytes4(reason) == IProviderRegistry.ProviderRegistry_BeyondLock.selector, "why not");
        assembly ("memory-safe") {
            // Selector, provider, market, locked.
            locked := mload(add(reason, 0x64))
        }
    }
}
