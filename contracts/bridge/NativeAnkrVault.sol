// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {AnkrBridge} from "./AnkrBridge.sol";
import {MarketDeposit} from "./MarketDeposit.sol";

/// @title The far end where ANKR is the chain's coin: pays coins out of what it was given, and takes them back
/// @notice What is outstanding is what was announced here and not sent back: coins that never came over the bridge do not
/// leave by it, however many the chain makes. See {IAnkrBridge}.
/// @dev Warning: it pays out of its balance, which a chain's beginning or anybody gives it. With too little there,
/// recipients are credited until there is more.
contract NativeAnkrVault is AnkrBridge {
    Currency private constant _COIN = Currency.wrap(address(0));

    constructor(Creation memory creation) AnkrBridge(creation) {
        if (market != address(0) && !IEscrow(market).currency().isNative()) {
            revert AnkrBridge_InvalidSetting("market");
        }
    }

    /// @notice Coins to pay with.
    receive() external payable {}

    function _isHome() internal pure override returns (bool) {
        return false;
    }

    /// @dev They came with the call, which the bridge makes sure of.
    function _onSend(address, uint256) internal override {}

    function _give(address to, uint256 amount) internal override returns (bool) {
        return _COIN.tryPush(to, amount, _PAYMENT_GAS);
    }

    function _giveToMarket(address to, uint256 amount) internal override returns (bool) {
        return MarketDeposit.tryDeposit(market, _COIN, to, amount, _PAYMENT_GAS);
    }

    function _onReceive(address to, uint256 amount) internal override {
        _COIN.push(to, amount);
    }

    function _liquidity() internal view override returns (uint256) {
        return address(this).balance;
    }

    function currency() public pure override returns (address) {
        return address(0);
    }
}
