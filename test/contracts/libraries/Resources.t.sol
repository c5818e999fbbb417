// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources, ResourcesLib} from "../../../contracts/libraries/Resources.sol";
import {Test} from "../utils/Test.sol";

contract ResourcesTest is Test {
    struct Amounts {
        uint16 gpuCount;
        uint16 gpuClass;
        uint32 vramMiB;
        uint32 ramMiB;
        uint32 cpuMilli;
        uint32 diskMiB;
    }

    // ---- Layout ----

    function testFuzz_fieldsStandWhereTheLayoutSays(Amounts calldata amounts) external pure {
        Resources packed = pack(amounts);
        assertEq(packed.gpuCount(), amounts.gpuCount, "gpuCount");
        assertEq(packed.gpuClass(), amounts.gpuClass, "gpuClass");
        assertEq(packed.vramMiB(), amounts.vramMiB, "vramMiB");
        assertEq(packed.ramMiB(), amounts.ramMiB, "ramMiB");
        assertEq(packed.cpuMilli(), amounts.cpuMilli, "cpuMilli");
        assertEq(packed.diskMiB(), amounts.diskMiB, "diskMiB");
        packed.assertWellFormed();
    }

    function testFuzz_RevertWhen_ReservedBitsAreSet(Amounts calldata amounts, uint96 reserved) external {
        vm.assume(reserved != 0);
        Resources malformed = Resources.wrap(Resources.unwrap(pack(amounts)) | (uint256(reserved) << 160));
        vm.expectRevert(abi.encodeWithSelector(ResourcesLib.Resources_Malformed.selector, malformed));
        this.assertWellFormed(malformed);
    }

    // ---- Fitting ----

    function test_everythingFitsItself() external pure {
        testFuzz_everythingFitsItselfAndMore(
            Amounts(8, 3, 81_920, 524_288, 96_000, 1_000_000),
            Amounts(0, 0, 1, 0, 0, 0)
        );
    }

    function testFuzz_everythingFitsItselfAndMore(Amounts memory need, Amounts memory more) public pure {
        assertTrue(pack(need).fits(pack(need)), "itself");
        Amounts memory offer = Amounts({
            gpuCount: larger16(need.gpuCount, more.gpuCount),
            gpuClass: need.gpuClass == 0 ? more.gpuClass : need.gpuClass,
            vramMiB: larger32(need.vramMiB, more.vramMiB),
            ramMiB: larger32(need.ramMiB, more.ramMiB),
            cpuMilli: larger32(need.cpuMilli, more.cpuMilli),
            diskMiB: larger32(need.diskMiB, more.diskMiB)
        });
        assertTrue(pack(need).fits(pack(offer)), "a larger machine");
    }

    /// @dev Each amount decides alone, whatever the others are.
    function testFuzz_oneAmountTooSmallDoesNotFit(
        Amounts memory need,
        uint8 which,
        uint32 less
    ) external pure {
        Amounts memory offer = Amounts(
            need.gpuCount,
            need.gpuClass,
            need.vramMiB,
            need.ramMiB,
            need.cpuMilli,
            need.diskMiB
        );
        which %= 6;
        if (which == 0) {
            if (need.gpuCount == 0) need.gpuCount = 1;
            offer.gpuCount = uint16(less % need.gpuCount);
        } else if (which == 1) {
            if (need.gpuClass == 0) need.gpuClass = 1;
            offer.gpuClass = need.gpuClass ^ uint16(1 << (less % 16));
        } else if (which == 2) {
            if (need.vramMiB == 0) need.vramMiB = 1;
            offer.vramMiB = less % need.vramMiB;
        } else if (which == 3) {
            if (need.ramMiB == 0) need.ramMiB = 1;
            offer.ramMiB = less % need.ramMiB;
        } else if (which == 4) {
            if (need.cpuMilli == 0) need.cpuMilli = 1;
            offer.cpuMilli = less % need.cpuMilli;
        } else {
            if (need.diskMiB == 0) need.diskMiB = 1;
            offer.diskMiB = less % need.diskMiB;
        }
        assertTrue(!pack(need).fits(pack(offer)), "fits what is too small");
    }

    // ---- Helpers ----

    function assertWellFormed(Resources resources) external pure {
        resources.assertWellFormed();
    }

    /// @dev An encoding of its own: packed from the highest field to the lowest.
    function pack(Amounts memory amounts) private pure returns (Resources) {
        bytes20 packed = bytes20(
            abi.encodePacked(
                amounts.diskMiB,
                amounts.cpuMilli,
                amounts.ramMiB,
                amounts.vramMiB,
                amounts.gpuClass,
                amounts.gpuCount
            )
        );
        return Resources.wrap(uint160(packed));
    }

    function larger16(uint16 a, uint16 b) private pure returns (uint16) {
        return a > b ? a : b;
    }

    function larger32(uint32 a, uint32 b) private pure returns (uint32) {
        return a > b ? a : b;
    }
}
