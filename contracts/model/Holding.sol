// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/**
 * @notice What an account holds, in one word: its balance, with how much it took part in revenue before the balance last
 * changed, and how far it has claimed.
 *
 * The shares of record of period p are those after the last change in p or before it. Two values are in the word: those
 * from period `since` on (the balance, or nothing where the account is excluded) and those of the periods from
 * `previousSince` until then. Earlier ones are kept in words of their own, two in each, and only while the account has not
 * claimed the periods that they are of: a holder that claims now and then never has any.
 *
 * | bits | field | |
 * |---|---|---|
 * | 90 | balance | |
 * | 16 | since | period |
 * | 90 | previous | shares of record |
 * | 16 | previousSince | period |
 * | 16 | settled | periods that are claimed: all before this one |
 * | 16 | kept | number of earlier records |
 * | 4 | flags | |
 */
type Holding is uint256;

using HoldingLib for Holding global;

/// @dev Its tokens take no part.
uint256 constant EXCLUDED = 1 << 244;
/// @dev It has said itself whether they do.
uint256 constant SPOKEN = 1 << 245;
/// @dev Nobody else may claim for it.
uint256 constant REFUSES_CLAIM_FOR = 1 << 246;
/// @dev Somebody else is paid.
uint256 constant REDIRECTED = 1 << 247;

library HoldingLib {
    uint256 private constant _BALANCE = (1 << 90) - 1;
    uint256 private constant _PERIOD = type(uint16).max;

    function balance(Holding self) internal pure returns (uint256) {
        return Holding.unwrap(self) & _BALANCE;
    }

    function since(Holding self) internal pure returns (uint256) {
        return (Holding.unwrap(self) >> 90) & _PERIOD;
    }

    function previous(Holding self) internal pure returns (uint256) {
        return (Holding.unwrap(self) >> 106) & _BALANCE;
    }

    function previousSince(Holding self) internal pure returns (uint256) {
        return (Holding.unwrap(self) >> 196) & _PERIOD;
    }

    function settled(Holding self) internal pure returns (uint256) {
        return (Holding.unwrap(self) >> 212) & _PERIOD;
    }

    function kept(Holding self) internal pure returns (uint256) {
        return (Holding.unwrap(self) >> 228) & _PERIOD;
    }

    function has(Holding self, uint256 flag) internal pure returns (bool) {
        return Holding.unwrap(self) & flag != 0;
    }

    /// @notice With how much it takes part as of now.
    function shares(Holding self) internal pure returns (uint256) {
        return self.has(EXCLUDED) ? 0 : self.balance();
    }

    function with(Holding self, uint256 flag, bool on) internal pure returns (Holding) {
        uint256 word = Holding.unwrap(self);
        return Holding.wrap(on ? word | flag : word & ~flag);
    }

    /// @notice Of a balance below 2^90.
    function withBalance(Holding self, uint256 value) internal pure returns (Holding) {
        return Holding.wrap((Holding.unwrap(self) & ~_BALANCE) | value);
    }

    /// @notice With all periods before `period` claimed.
    function settle(Holding self, uint256 period) internal pure returns (Holding) {
        return Holding.wrap((Holding.unwrap(self) & ~(_PERIOD << 212)) | (period << 212));
    }

    /// @dev From `period` on, after `before` until then, with `count` earlier records kept.
    function succeed(
        Holding self,
        Holding before,
        uint256 period,
        uint256 count
    ) internal pure returns (Holding) {
        uint256 rest = Holding.unwrap(self) & (_BALANCE | (_PERIOD << 212) | (type(uint256).max << 244));
        return
            Holding.wrap(
                rest | (period << 90) | (before.shares() << 106) | (before.since() << 196) | (count << 228)
            );
    }
}
