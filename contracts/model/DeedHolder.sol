// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/**
 * @notice What an account holds, in one word: its balance, what it wants, and the first four of its deeds, so that few
 * deeds need no word besides.
 *
 * | bits | field | |
 * |---|---|---|
 * | 96 | balance | |
 * | 32 | number | what deeds know their owner by; 0: it has had none |
 * | 24 | deeds | that it got and has not given up: the first so many on its stack |
 * | 8 | flags | |
 * | 96 | first | ids of the first four |
 */
type DeedHolder is uint256;

using DeedHolderLib for DeedHolder global;

/// @dev It, or the owner of the token, has said whether it is exempt.
uint256 constant DECLARED = 1 << 152;
/// @dev It is, where that is said.
uint256 constant EXEMPT = 1 << 153;
/// @dev It has said so itself.
uint256 constant SPOKEN = 1 << 154;
/// @dev It had no code when it got its first deed.
uint256 constant PERSON = 1 << 155;
/// @dev Somebody has its votes.
uint256 constant DELEGATED = 1 << 156;

/// @dev So many ids are in the word.
uint256 constant INLINE_DEEDS = 4;

library DeedHolderLib {
    uint256 private constant _BALANCE = type(uint96).max;
    uint256 private constant _NUMBER = type(uint32).max;
    uint256 private constant _ID = type(uint24).max;

    function balance(DeedHolder self) internal pure returns (uint256) {
        return DeedHolder.unwrap(self) & _BALANCE;
    }

    function number(DeedHolder self) internal pure returns (uint256) {
        return (DeedHolder.unwrap(self) >> 96) & _NUMBER;
    }

    function deeds(DeedHolder self) internal pure returns (uint256) {
        return (DeedHolder.unwrap(self) >> 128) & _ID;
    }

    function has(DeedHolder self, uint256 flag) internal pure returns (bool) {
        return DeedHolder.unwrap(self) & flag != 0;
    }

    /// @notice One of the first four.
    function inlineDeed(DeedHolder self, uint256 index) internal pure returns (uint256) {
        return (DeedHolder.unwrap(self) >> (160 + index * 24)) & _ID;
    }

    /// @notice Of a balance below 2^96.
    function withBalance(DeedHolder self, uint256 value) internal pure returns (DeedHolder) {
        return DeedHolder.wrap((DeedHolder.unwrap(self) & ~_BALANCE) | value);
    }

    function withNumber(DeedHolder self, uint256 value) internal pure returns (DeedHolder) {
        return DeedHolder.wrap((DeedHolder.unwrap(self) & ~(_NUMBER << 96)) | (value << 96));
    }

    function withDeeds(DeedHolder self, uint256 count) internal pure returns (DeedHolder) {
        return DeedHolder.wrap((DeedHolder.unwrap(self) & ~(_ID << 128)) | (count << 128));
    }

    function with(DeedHolder self, uint256 flag, bool on) internal pure returns (DeedHolder) {
        uint256 word = DeedHolder.unwrap(self);
        return DeedHolder.wrap(on ? word | flag : word & ~flag);
    }

    function withInlineDeed(DeedHolder self, uint256 index, uint256 id) internal pure returns (DeedHolder) {
        uint256 shift = 160 + index * 24;
        return DeedHolder.wrap((DeedHolder.unwrap(self) & ~(_ID << shift)) | (id << shift));
    }
}
