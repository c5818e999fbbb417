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

/// @notice An account's word, and its earlier records: those in `kept[i]` have the numbers 2i (low half) and 2i + 1.
struct Holder {
    Holding word;
    mapping(uint256 index => uint256 pair) kept;
}

using HolderLib for Holder global;

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

library HolderLib {
    uint256 private constant _RECORD = type(uint128).max;
    uint256 private constant _SHARES = (1 << 90) - 1;

    /// @notice Replaces the word `before`, as it was read, by one with another balance or exclusion, in `period`.
    function change(Holder storage self, Holding before, Holding afterwards, uint256 period) internal {
        uint256 since = before.since();
        if (period > since && afterwards.shares() != before.shares()) {
            uint256 count = before.kept();
            // What is claimed is forgotten, and its words are used again.
            if (before.settled() >= since) count = 0;
            else if (count != 0 || before.previous() != 0) _keep(self, before, count++);
            afterwards = afterwards.succeed(before, period, count);
        }
        self.word = afterwards;
    }

    function _keep(Holder storage self, Holding word, uint256 number) private {
        uint256 value = (word.previousSince() << 90) | word.previous();
        uint256 index = number >> 1;
        if (number & 1 == 0) self.kept[index] = value;
        else self.kept[index] |= value << 128;
    }

    /// @notice Record `number` of those that are kept: `shares` from period `since` on.
    function record(
        Holder storage self,
        uint256 number
    ) internal view returns (uint256 since, uint256 shares) {
        uint256 value = (self.kept[number >> 1] >> ((number & 1) << 7)) & _RECORD;
        return (value >> 90, value & _SHARES);
    }

    /// @notice Shares of record of period `period`, which is not claimed yet.
    function sharesAt(
        Holder storage self,
        Holding word,
        uint256 period
    ) internal view returns (uint256 shares) {
        if (period >= word.since()) return word.shares();
        if (period >= word.previousSince()) return word.previous();
        // The last record that begins by then is in [low - 1, high).
        uint256 low = 0;
        uint256 high = word.kept();
        while (low < high) {
            uint256 middle = (low + high) >> 1;
            (uint256 since, uint256 found) = self.record(middle);
            if (since > period) {
                high = middle;
            } else {
                low = middle + 1;
                shares = found;
            }
        }
    }
}
