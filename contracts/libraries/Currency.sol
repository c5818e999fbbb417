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
/// @notice The call has too little gas left to pay with: what the receiver does would fail for want of it.
error Currency_InsufficientGas(uint256 left, uint256 needed);

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
        } else {
            if (msg.value != 0) revert Currency_WrongValue(msg.value, 0);
            currency.pullToken(from, amount);
        }
    }

    /// @notice Takes exactly `amount` [wei] of a token from `from` by `transferFrom`; value that comes along is for others.
    /// @dev Warning: as in {pull}.
    function pullToken(Currency currency, address from, uint256 amount) internal {
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

    /// @notice Sends `amount` [wei] to `to` with at most `gasLimit` gas, and says whether that went well. Whatever the
    /// receiver or the token does, at most one word of it is looked at.
    /// @dev Warning: hands control to `to`.
    function tryPush(
        Currency currency,
        address to,
        uint256 amount,
        uint256 gasLimit
    ) internal returns (bool done) {
        // A call gets 63/64 of what is left: a caller cannot make it fail by sending little. The rest is its own cost.
        uint256 needed = gasLimit + gasLimit / 63 + 40_000;
        if (gasleft() < needed) revert Currency_InsufficientGas(gasleft(), needed);
        if (currency.isNative()) {
            assembly ("memory-safe") {
                done := call(gasLimit, to, amount, 0, 0, 0, 0)
            }
        } else {
            address token = Currency.unwrap(currency);
            bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
            assembly ("memory-safe") {
                mstore(0, 0)
                done := call(gasLimit, token, 0, add(data, 0x20), mload(data), 0, 0x20)
                switch returndatasize()
                case 0 {
                    done := and(done, gt(extcodesize(token), 0))
                }
                default {
                    done := and(done, and(gt(returndatasize(), 0x1f), eq(mload(0), 1)))
                }
            }
        }
    }
}
