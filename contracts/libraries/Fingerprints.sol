// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Fingerprints of work: 240 bits, near each other where the work is, and half of them different where it is not
/// @notice How they are made is the method's (`src/verify/fingerprint.ts`); here they are only compared.
library Fingerprints {
    /// @notice Of so many bits.
    uint256 internal constant BITS = 240;
    /// @notice Two fingerprints of the same work differ in no more bits. Of 240 random bits as few are right by chance
    /// with less than 1 in 10^20: 120 are expected, with a standard deviation of 7.7.
    uint256 internal constant SLACK = 48;

    uint256 private constant MASK = (1 << BITS) - 1;

    /// @notice Whether two fingerprints are of the same work.
    function isNear(uint256 one, uint256 other) internal pure returns (bool) {
        return _ones((one ^ other) & MASK) <= SLACK;
    }

    /// @notice Bit by bit what more than half of them have.
    /// @param count At most 15; those after it are not looked at.
    function median(uint256[] memory fingerprints, uint256 count) internal pure returns (uint256 middle) {
        // A counter of four bits for each bit of a fingerprint, bit k of all counters in word k.
        uint256[4] memory counters;
        for (uint256 i = 0; i < count; ++i) {
            uint256 carry = fingerprints[i];
            for (uint256 k = 0; k < 4; ++k) {
                uint256 before = counters[k];
                counters[k] = before ^ carry;
                carry &= before;
            }
        }
        // Which counters are at least so much, from their lowest bit on.
        uint256 least = count / 2 + 1;
        middle = MASK;
        for (uint256 k = 0; k < 4; ++k) {
            middle = (least >> k) & 1 == 1 ? middle & counters[k] : middle | counters[k];
        }
        middle &= MASK;
    }

    /// @dev How many bits are set: sums of 1, 2, 4 and 8 bits beside each other, then all bytes at once.
    function _ones(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            x =
                (x & 0x3333333333333333333333333333333333333333333333333333333333333333) +
                ((x >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            // The sum of 32 bytes is at most 240 and stands in the highest.
            return (x * 0x0101010101010101010101010101010101010101010101010101010101010101) >> 248;
        }
    }
}
