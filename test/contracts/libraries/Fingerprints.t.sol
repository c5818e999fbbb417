// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fingerprints} from "../../../contracts/libraries/Fingerprints.sol";
import {Test} from "../utils/Test.sol";

contract FingerprintsTest is Test {
    uint256 private constant MASK = (1 << 240) - 1;

    /// @dev Against counting each bit.
    function testFuzz_isNearCountsBits(uint256 one, uint256 other) public pure {
        uint256 different = 0;
        for (uint256 i = 0; i < 240; ++i) different += ((one ^ other) >> i) & 1;
        assertTrue(Fingerprints.isNear(one, other) == (different <= 48), "distance");
        assertTrue(Fingerprints.isNear(one, one ^ (type(uint256).max << 240)), "the rest is not looked at");
    }

    function testFuzz_isNearAtItsEdge(uint256 one, uint8 count) external pure {
        count = uint8(bound(count, 40, 56));
        // So many bits from a random place on.
        uint256 flipped = ((1 << count) - 1) << (one % (240 - count));
        testFuzz_isNearCountsBits(one, one ^ flipped);
        // Nor does what is above the fingerprint count.
        testFuzz_isNearCountsBits(one, one ^ flipped ^ (type(uint256).max << 240));
    }

    /// @dev Against counting each bit of each.
    function testFuzz_medianIsTheMajority(uint256[15] memory values, uint8 count) public pure {
        count = uint8(bound(count, 0, 15));
        uint256[] memory list = new uint256[](15);
        for (uint256 i = 0; i < 15; ++i) list[i] = values[i] & MASK;
        uint256 middle = Fingerprints.median(list, count);
        for (uint256 bit = 0; bit < 256; ++bit) {
            uint256 set = 0;
            for (uint256 i = 0; i < count; ++i) set += (list[i] >> bit) & 1;
            assertTrue((middle >> bit) & 1 == (2 * set > count ? 1 : 0), "bit");
        }
    }

    function test_medianOfAllAndNone() external pure {
        uint256[15] memory values;
        for (uint256 i = 0; i < 15; ++i) values[i] = MASK;
        for (uint8 count = 0; count <= 15; ++count) testFuzz_medianIsTheMajority(values, count);
    }
}
