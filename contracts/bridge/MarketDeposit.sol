// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency, Currency_InsufficientGas} from "../libraries/Currency.sol";

/// @notice Puts money into somebody's balance in the market, if the market takes it.
library MarketDeposit {
    /// @notice Deposits `amount` [wei] for `account` with at most `gasLimit` gas, and says whether that went well.
    function tryDeposit(
        address market,
        Currency currency,
        address account,
        uint256 amount,
        uint256 gasLimit
    ) internal returns (bool done) {
        // As in {CurrencyLib-tryPush}: a caller cannot make it fail by sending little.
        uint256 needed = gasLimit + gasLimit / 63 + 80_000;
        if (gasleft() < needed) revert Currency_InsufficientGas(gasleft(), needed);
        bool native = currency.isNative();
        IERC20 token = IERC20(Currency.unwrap(currency));
        if (!native) SafeERC20.forceApprove(token, market, amount);
        bytes memory data = abi.encodeCall(IEscrow.depositFor, (account, amount));
        uint256 value = native ? amount : 0;
        assembly ("memory-safe") {
            done := call(gasLimit, market, value, add(data, 0x20), mload(data), 0, 0)
        }
        if (!native && !done) SafeERC20.forceApprove(token, market, 0);
    }
}
