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
        return Account.wrap(Account.unwrap(self) - old + (old + amount).toUint96());
    }

    /// @notice Takes `amount` [wei] from the balance, which the caller has compared with it.
    function debit(Account self, uint256 amount) internal pure returns (Account) {
        assert(amount <= self.balance());
        return Account.wrap(Account.unwrap(self) - amount);
    }

    /// @notice Adds `amount` [wei] to the fees due.
    /// @return account The word with the fee, or with no fees due where they would exceed 80 bits.
    /// @return overflow What did not fit and has to move now [wei].
    function accrue(Account self, uint256 amount) internal pure returns (Account account, uint256 overflow) {
        uint256 fees = self.feesDue() + amount;
        if (fees > MAX_FEES) return (self.clearFees(), fees);
        return (Account.wrap(Account.unwrap(self) + (amount << SHIFT_FEES)), 0);
    }

    function clearFees(Account self) internal pure returns (Account) {
        return Account.wrap(Account.unwrap(self) & ~(MAX_FEES << SHIFT_FEES));
    }

    /// @notice Counts one completed task of `sold` seconds; both counters stop at their largest value.
    function count(Account self, uint256 sold) internal pure returns (Account) {
        uint256 word = Account.unwrap(self);
        if (self.completed() < MAX_COMPLETED) word += 1 << SHIFT_COMPLETED;
        uint256 room = MAX_SECONDS - self.secondsSold();
        return Account.wrap(word + ((sold < room ? sold : room) << SHIFT_SECONDS));
    }
}
