// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {Escrow} from "../market/Escrow.sol";
import {Ledger} from "../market/Ledger.sol";
import {Delivered, Terms} from "../market/Tasks.sol";

/// @notice The market's ledger without tasks: what an owner pays a provider, and the fee on it, is what is said.
contract BareMarket is Escrow {
    address public constant TREASURY = address(0x7EA5);

    IProviderRegistry public immutable registry;

    /// The last ruling as it came in, and who made it.
    bytes public ruling;
    address public ruledBy;

    error BareMarket_RulingRefused();

    constructor(IProviderRegistry registry_) Ledger(registry_.currency()) {
        registry = registry_;
    }

    /// @notice Pays `paid` [wei] of the balance of `owner` to `provider`, less `fee` [wei].
    function settle(address owner, address provider, uint256 paid, uint256 fee) external {
        _debit(owner, paid);
        _earn(provider, paid, fee, 1, 1);
    }

    /// @notice Keeps the ruling; refuses one of nothing.
    function rule(Terms calldata, bytes32, Delivered calldata, uint256 providerBps) external {
        if (providerBps == 0) revert BareMarket_RulingRefused();
        (ruling, ruledBy) = (msg.data, msg.sender);
    }

    function _treasury() internal pure override returns (address) {
        return TREASURY;
    }
}
