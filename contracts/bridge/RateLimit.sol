// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/**
 * @notice A token bucket in one word: what may pass now, and how it fills again. A full bucket lets `capacity` pass at once,
 * an empty one is full after `period`; in any time `t` at most `capacity` + `capacity` * t / `period` passes, besides what was
 * credited.
 *
 * | bits | field | |
 * |---|---|---|
 * | 96 | level | as of `updatedAt` [wei] |
 * | 96 | capacity | [wei] |
 * | 40 | updatedAt | [s] |
 * | 24 | period | [s] |
 */
type RateLimit is uint256;

using RateLimitLib for RateLimit global;

library RateLimitLib {
    uint256 private constant _AMOUNT = type(uint96).max;

    /// @notice A full bucket. Of a capacity below 2^96 and a period from 1 to 2^24 - 1.
    function full(uint256 capacity_, uint256 period_) internal view returns (RateLimit) {
        return _pack(capacity_, capacity_, period_);
    }

    /// @notice How much fits into it [wei].
    function capacity(RateLimit self) internal pure returns (uint256) {
        return (RateLimit.unwrap(self) >> 96) & _AMOUNT;
    }

    /// @notice How long it takes to fill [s].
    function period(RateLimit self) internal pure returns (uint256) {
        return RateLimit.unwrap(self) >> 232;
    }

    /// @notice What may pass now, rounded down [wei].
    function available(RateLimit self) internal view returns (uint256) {
        uint256 word = RateLimit.unwrap(self);
        uint256 elapsed = block.timestamp - uint40(word >> 192);
        uint256 filled = (self.capacity() * Math.min(elapsed, self.period())) / self.period();
        return Math.min((word & _AMOUNT) + filled, self.capacity());
    }

    /// @notice Without `amount`, which is available.
    function consume(RateLimit self, uint256 amount) internal view returns (RateLimit) {
        return _pack(self.available() - amount, self.capacity(), self.period());
    }

    /// @notice With `amount` more, as far as it fits.
    function credit(RateLimit self, uint256 amount) internal view returns (RateLimit) {
        return _pack(Math.min(self.available() + amount, self.capacity()), self.capacity(), self.period());
    }

    /// @notice Of another size; what is available stays, as far as it fits.
    function resize(RateLimit self, uint256 capacity_, uint256 period_) internal view returns (RateLimit) {
        return _pack(Math.min(self.available(), capacity_), capacity_, period_);
    }

    function _pack(uint256 level, uint256 capacity_, uint256 period_) private view returns (RateLimit) {
        return RateLimit.wrap(level | (capacity_ << 96) | (block.timestamp << 192) | (period_ << 232));
    }
}
