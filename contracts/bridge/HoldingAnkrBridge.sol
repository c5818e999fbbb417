// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {AnkrBridge} from "./AnkrBridge.sol";
import {MarketDeposit} from "./MarketDeposit.sol";

/// @title What the ends have in common that pay out of what they hold; see {IAnkrBridge}.
abstract contract HoldingAnkrBridge is AnkrBridge {
    Currency private immutable _currency;

    constructor(Creation memory creation, Currency currency_) AnkrBridge(creation) {
        currency_.assertUsable();
        if (market != address(0) && Currency.unwrap(IEscrow(market).currency()) != Currency.unwrap(currency_))
            revert AnkrBridge_InvalidSetting("market");
        _currency = currency_;
    }

    /// @dev Coins came with the call, which {AnkrBridge} makes sure of.
    function _onSend(address from, uint256 amount) internal override {
        if (!_currency.isNative()) _currency.pullToken(from, amount);
    }

    function _give(address to, uint256 amount) internal override returns (bool) {
        return _currency.tryPush(to, amount, _PAYMENT_GAS);
    }

    function _giveToMarket(address to, uint256 amount) internal override returns (bool) {
        return MarketDeposit.tryDeposit(market, _currency, to, amount, _PAYMENT_GAS);
    }

    function _onReceive(address to, uint256 amount) internal override {
        _currency.push(to, amount);
    }

    function _liquidity() internal view override returns (uint256) {
        if (_currency.isNative()) return address(this).balance;
        return IERC20(Currency.unwrap(_currency)).balanceOf(address(this));
    }

    function currency() public view override returns (address) {
        return Currency.unwrap(_currency);
    }
}
