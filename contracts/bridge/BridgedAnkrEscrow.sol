// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {AnkrBridge} from "./AnkrBridge.sol";
import {MarketDeposit} from "./MarketDeposit.sol";

/// @title The home end: locks ANKR, an ERC-20 token of which nothing is assumed but that it moves what it is asked to.
/// @notice What is outstanding is what is locked: no more ever comes back. See {IAnkrBridge}.
contract BridgedAnkrEscrow is AnkrBridge {
    Currency private immutable _currency;

    constructor(Creation memory creation, Currency token) AnkrBridge(creation) {
        token.assertUsable();
        if (token.isNative()) revert AnkrBridge_InvalidSetting("token");
        if (market != address(0) && Currency.unwrap(IEscrow(market).currency()) != Currency.unwrap(token)) {
            revert AnkrBridge_InvalidSetting("market");
        }
        _currency = token;
    }

    function _isHome() internal pure override returns (bool) {
        return true;
    }

    function _onSend(address from, uint256 amount) internal override {
        _currency.pullToken(from, amount);
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
        return IERC20(Currency.unwrap(_currency)).balanceOf(address(this));
    }

    function currency() public view override returns (address) {
        return Currency.unwrap(_currency);
    }
}
