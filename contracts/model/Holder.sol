// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Holding} from "./Holding.sol";

/// @notice An account's word, and its earlier records: those in `kept[i]` have the numbers 2i (low half) and 2i + 1.
struct Holder {
    Holding word;
    mapping(uint256 index => uint256 pair) kept;
}

using HolderLib for Holder global;

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
