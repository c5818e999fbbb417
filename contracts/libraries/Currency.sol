// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice What a deployment is paid in: the chain's native coin (the zero address) or one ERC-20 token.
type Currency is address;

using CurrencyLib for Currency global;

/// @notice The native value sent along does not equal what the call takes [wei].
error Currency_WrongValue(uint256 sent, uint256 expected);
/// @notice The token moved another amount than was asked for, as one does that takes a fee on transfer [wei].
error Currency_InexactTransfer(uint256 expected, uint256 received);
/// @notice The currency is neither the native coin nor a contract.
error Currency_NoCode(address token);

library CurrencyLib {
    function isNative(Currency currency) internal pure returns (bool) {
        return Currency.unwrap(currency) == address(0);
    }

    /// @notice Reverts unless the currency is native or has code.
    function assertUsable(Currency currency) internal view {
        address token = Currency.unwrap(currency);
        if (token != address(0) && token.code.length == 0) revert Currency_NoCode(token);
    }

    /// @notice Takes exactly `amount` [wei] from `from`: as the value of this call, or by `transferFrom`.
    /// @dev Warning: the token is called; account for the amount afterwards only behind a reentrancy guard.
    function pull(Currency currency, address from, uint256 amount) internal {
        if (currency.isNative()) {
            if (msg.value != amount) revert Currency_WrongValue(msg.value, amount);
            return;
        }
        if (msg.value != 0) revert Currency_WrongValue(msg.value, 0);
        IERC20 token = IERC20(Currency.unwrap(currency));
        uint256 before = token.balanceOf(address(this));
        SafeERC20.safeTransferFrom(token, from, address(this), amount);
        uint256 received = Math.saturatingSub(token.balanceOf(address(this)), before);
        if (received != amount) revert Currency_InexactTransfer(amount, received);
    }

    /// @notice Sends `amount` [wei] to `to`; reverts when it cannot be received.
    /// @dev Warning: hands control to `to`; it is the last statement of every function that uses it.
    function push(Currency currency, address to, uint256 amount) internal {
        if (currency.isNative()) {
            Address.sendValue(payable(to), amount);
        } else {
            SafeERC20.safeTransfer(IERC20(Currency.unwrap(currency)), to, amount);
        }
    }
}
