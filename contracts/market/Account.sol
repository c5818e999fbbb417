// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice All the market knows of a party, in one word, from the lowest bit:
/// `balance uint96 [wei] | feesDue uint80 [wei] | completed uint32 | secondsSold uint48 [s]`.
/// @dev One word, so that paying a provider, keeping its record and keeping the fee cost one storage write.
type Account is uint256;

using AccountLib for Account global;

library AccountLib {
    using SafeCast for uint256;

    uint256 private constant MAX_BALANCE = type(uint96).max;
    uint256 private constant MAX_FEES = type(uint80).max;
    uint256 private constant MAX_COMPLETED = type(uint32).max;
    uint256 private constant MAX_SECONDS = type(uint48).max;
    uint256 private constant SHIFT_FEES = 96;
    uint256 private constant SHIFT_COMPLETED = 176;
    uint256 private constant SHIFT_SECONDS = 208;

    function balance(Account self) internal pure returns (uint256) {
        return Account.unwrap(self) & MAX_BALANCE;
    }

    function feesDue(Account self) internal pure returns (uint256) {
        return (Account.unwrap(self) >> SHIFT_FEES) & MAX_FEES;
    }

    function completed(Account self) internal pure returns (uint256) {
        return (Account.unwrap(self) >> SHIFT_COMPLETED) & MAX_COMPLETED;
    }

    function secondsSold(Account self) internal pure returns (uint256) {
        return Account.unwrap(self) >> SHIFT_SECONDS;
    }

    /// @notice Adds `amount` [wei] to the balance; reverts beyond 96 bits.
    function credit(Account self, uint256 amount) internal pure returns (Account) {
        uint256 old = self.balance();
        if (amount > MAX_BALANCE - old) revert SafeCast.SafeCastOverflowedUintDowncast(96, amount);
        unchecked {
            return Account.wrap(Account.unwrap(self) + amount);
        }
    }

    /// @notice Takes `amount` [wei] from the balance, which the caller has compared with it.
    function debit(Account self, uint256 amount) internal pure returns (Account) {
        assert(amount <= self.balance());
        unchecked {
            return Account.wrap(Account.unwrap(self) - amount);
        }
    }

    /// @notice Books what was sold: `net` [wei] to the balance, `fee` [wei] to the fees due, `tasks` tasks and `sold`
    /// [s] to the record. Reverts where the balance would exceed 96 bits; the record stops at its largest values.
    /// @return account The word after it, with no fees due where they would exceed 80 bits.
    /// @return overflow The fees that did not fit and have to move now [wei].
    function earn(
        Account self,
        uint256 net,
        uint256 fee,
        uint256 sold,
        uint256 tasks
    ) internal pure returns (Account account, uint256 overflow) {
        uint256 newBalance;
        uint256 newFees;
        uint256 newCompleted;
        uint256 newSeconds;
        unchecked {
            // A task's `net` and `fee` have at most 128 bits, its `sold` 32, `tasks` is 0 or 1.
            newBalance = self.balance() + net;
            newFees = self.feesDue() + fee;
            newCompleted = self.completed() + tasks;
            newSeconds = self.secondsSold() + sold;
        }
        if (newFees > MAX_FEES) (newFees, overflow) = (0, newFees);
        if (newCompleted > MAX_COMPLETED) newCompleted = MAX_COMPLETED;
        if (newSeconds > MAX_SECONDS) newSeconds = MAX_SECONDS;
        account = Account.wrap(
            newBalance.toUint96() |
                (newFees << SHIFT_FEES) |
                (newCompleted << SHIFT_COMPLETED) |
                (newSeconds << SHIFT_SECONDS)
        );
    }

    function clearFees(Account self) internal pure returns (Account) {
        return Account.wrap(Account.unwrap(self) & ~(MAX_FEES << SHIFT_FEES));
    }
}
