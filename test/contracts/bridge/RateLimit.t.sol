// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RateLimit, RateLimitLib} from "../../../contracts/bridge/RateLimit.sol";
import {Test} from "../utils/Test.sol";

/// @dev In numbers of 256 bits: no word, no fields.
contract RateLimitTest is Test {
    uint256 private constant NOW = 1_800_000_000;

    struct Bucket {
        uint256 level;
        uint256 capacity;
        uint256 period;
        uint256 since;
    }

    RateLimit private _limit;
    Bucket private _bucket;

    function setUp() external {
        vm.warp(NOW);
    }

    // ---- One word ----

    function testFuzz_isFullAtFirst(uint96 capacity, uint24 period, uint40 later) external {
        _open(capacity, period);
        RateLimit limit = _limit;
        assertEq(limit.capacity(), capacity, "capacity");
        assertEq(limit.period(), _bucket.period, "period");
        assertEq(limit.available(), capacity, "available");
        vm.warp(NOW + bound(later, 0, type(uint40).max - NOW));
        assertEq(limit.available(), capacity, "available later");
    }

    function testFuzz_fillsInItsPeriod(uint96 capacity, uint24 period, uint24 elapsed) external {
        _open(capacity, period);
        _limit = _limit.consume(capacity);
        assertEq(_limit.available(), 0, "empty");
        uint256 seconds_ = bound(elapsed, 0, _bucket.period);
        vm.warp(NOW + seconds_);
        assertEq(_limit.available(), (uint256(capacity) * seconds_) / _bucket.period, "in part");
        if (capacity >= period && capacity != 0 && _bucket.period > 1) {
            vm.warp(NOW + _bucket.period - 1);
            assertTrue(_limit.available() < capacity, "full too early");
        }
        vm.warp(NOW + _bucket.period);
        assertEq(_limit.available(), capacity, "full again");
    }

    function test_fillsInItsPeriod() external {
        this.testFuzz_fillsInItsPeriod(type(uint96).max, type(uint24).max, 1);
    }

    /// @dev What is taken beyond what is there is the caller's mistake: it fails, and does not wrap.
    function testFuzz_RevertWhen_MoreIsTakenThanIsThere(uint96 capacity, uint96 more) external {
        _open(capacity, 1);
        try this.consume(_limit, uint256(capacity) + bound(more, 1, type(uint96).max)) {
            revert NotTrue("went through");
        } catch (bytes memory reason) {
            assertEq(reason, abi.encodeWithSignature("Panic(uint256)", 0x11), "reason");
        }
    }

    function consume(RateLimit limit, uint256 amount) external view returns (RateLimit) {
        return limit.consume(amount);
    }

    // ---- Any history ----

    /// @dev Against the same rules in plain numbers: each step takes, credits, resizes or waits.
    function testFuzz_equalsPlainNumbers(uint96 capacity, uint24 period, uint256 seed) external {
        _open(capacity, period);
        for (uint256 i = 0; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 amount = (seed >> 8) % (_capacityAtLeastOne() + 1);
            if (seed % 4 == 3 || (seed % 4 == 2 && i % 3 != 0)) {
                vm.warp(vm.getBlockTimestamp() + ((seed >> 150) % (_bucket.period + 2)));
                assertEq(_limit.available(), _levelNow(), "available later");
                continue;
            }
            (_bucket.level, _bucket.since) = (_levelNow(), vm.getBlockTimestamp());
            if (seed % 4 == 0) {
                amount = amount > _bucket.level ? _bucket.level : amount;
                _limit = _limit.consume(amount);
                _bucket.level -= amount;
            } else if (seed % 4 == 1) {
                _limit = _limit.credit(amount);
                _bucket.level = _least(_bucket.level + amount, _bucket.capacity);
            } else {
                (_bucket.capacity, _bucket.period) = (uint96(seed >> 16), 1 + ((seed >> 120) % 0xffffff));
                _limit = _limit.resize(_bucket.capacity, _bucket.period);
                _bucket.level = _least(_bucket.level, _bucket.capacity);
            }
            assertEq(_limit.available(), _bucket.level, "available");
            assertEq(_limit.capacity(), _bucket.capacity, "capacity");
            assertEq(_limit.period(), _bucket.period, "period");
        }
    }

    /// @dev What passes in any stretch of time is at most what fits and what fills meanwhile, and what was credited.
    function testFuzz_I15_passesNoMoreThanItSays(uint96 capacity, uint24 period, uint256 seed) external {
        _open(capacity, period);
        uint256[] memory passed = new uint256[](24);
        uint256[] memory credited = new uint256[](24);
        uint256[] memory times = new uint256[](24);
        for (uint256 i = 0; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (seed % 3 == 0) {
                credited[i] = (seed >> 8) % (uint256(capacity) + 1);
                _limit = _limit.credit(credited[i]);
            } else {
                uint256 most = _limit.available();
                passed[i] = seed % 3 == 1 ? most : (seed >> 8) % (most + 1);
                _limit = _limit.consume(passed[i]);
            }
            times[i] = vm.getBlockTimestamp();
            vm.warp(times[i] + ((seed >> 150) % (_bucket.period / 4 + 2)));
        }
        for (uint256 i = 0; i < 24; ++i) {
            (uint256 out, uint256 in_) = (0, 0);
            for (uint256 k = i; k < 24; ++k) {
                (out, in_) = (out + passed[k], in_ + credited[k]);
                uint256 filled = (uint256(capacity) * (times[k] - times[i])) / _bucket.period;
                assertLe(out, capacity + filled + in_, "I-15 passed in a window");
            }
        }
    }

    /// @dev Who looks often takes nothing from others: less than one wei is lost a time.
    function testFuzz_frequentUpdatesLoseOnlyRounding(
        uint96 capacity,
        uint24 period,
        uint8 steps,
        uint16 gap
    ) external {
        _open(capacity, period);
        _limit = _limit.consume(capacity);
        RateLimit untouched = _limit;
        uint256 count = bound(steps, 1, 64);
        for (uint256 i = 0; i < count; ++i) {
            vm.warp(vm.getBlockTimestamp() + gap);
            _limit = i % 2 == 0 ? _limit.consume(0) : _limit.credit(0);
        }
        assertLe(_limit.available(), untouched.available(), "gained");
        assertLe(untouched.available(), _limit.available() + count, "lost");
    }

    // ---- Helpers ----

    function _open(uint256 capacity, uint256 period) private {
        _bucket = Bucket(capacity, capacity, bound(period, 1, type(uint24).max), NOW);
        _limit = RateLimitLib.full(capacity, _bucket.period);
    }

    function _levelNow() private view returns (uint256) {
        uint256 filled = (_bucket.capacity * (vm.getBlockTimestamp() - _bucket.since)) / _bucket.period;
        return _least(_bucket.level + filled, _bucket.capacity);
    }

    function _capacityAtLeastOne() private view returns (uint256) {
        return _bucket.capacity == 0 ? 1 : _bucket.capacity;
    }

    function _least(uint256 one, uint256 other) private pure returns (uint256) {
        return one < other ? one : other;
    }
}
