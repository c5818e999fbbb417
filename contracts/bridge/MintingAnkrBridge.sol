// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {AnkrBridge} from "./AnkrBridge.sol";
import {BridgedAnkr} from "./BridgedAnkr.sol";
import {MarketDeposit} from "./MarketDeposit.sol";

/// @title The far end where ANKR is a token that this makes and burns
/// @notice What is outstanding is the token's supply, the fees and what is still owed. See {IAnkrBridge}.
contract MintingAnkrBridge is AnkrBridge {
    BridgedAnkr public immutable token;

    /// @dev The token is there first, of a bridge whose address is computed beforehand: a market in it needs it too.
    constructor(Creation memory creation, BridgedAnkr token_) AnkrBridge(creation) {
        if (token_.bridge() != address(this)) revert AnkrBridge_InvalidSetting("token");
        token = token_;
        if (market != address(0) && Currency.unwrap(IEscrow(market).currency()) != address(token)) {
            revert AnkrBridge_InvalidSetting("market");
        }
    }

    function _isHome() internal pure override returns (bool) {
        return false;
    }

    /// @dev The fee is made again when it is collected.
    function _onSend(address from, uint256 amount) internal override {
        token.crosschainBurn(from, amount);
    }

    function _give(address to, uint256 amount) internal override returns (bool) {
        if (to == address(0)) return false;
        token.crosschainMint(to, amount);
        return true;
    }

    function _giveToMarket(address to, uint256 amount) internal override returns (bool) {
        token.crosschainMint(address(this), amount);
        if (MarketDeposit.tryDeposit(market, Currency.wrap(address(token)), to, amount, _PAYMENT_GAS))
            return true;
        token.crosschainBurn(address(this), amount);
        return false;
    }

    function _onReceive(address to, uint256 amount) internal override {
        token.crosschainMint(to, amount);
    }

    function _liquidity() internal pure override returns (uint256) {
        return type(uint256).max;
    }

    function currency() public view override returns (address) {
        return address(token);
    }
}
