// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What one machine has or one task needs, in one word, from the lowest bit:
/// `gpuCount uint16 | gpuClass uint16 | vramMiB uint32 | ramMiB uint32 | cpuMilli uint32 | diskMiB uint32`; the
/// upper 96 bits are zero.
/// @dev `vramMiB` is per GPU; `cpuMilli` is thousandths of a core; `gpuClass` names a model of GPU (0: any), the
/// list of names is kept off chain in `src/market/resources.ts`.
type Resources is uint256;

using ResourcesLib for Resources global;

library ResourcesLib {
    /// @notice Bits above the layout are set.
    error Resources_Malformed(Resources resources);

    uint256 private constant SHIFT_CLASS = 16;
    uint256 private constant SHIFT_VRAM = 32;
    uint256 private constant SHIFT_RAM = 64;
    uint256 private constant SHIFT_CPU = 96;
    uint256 private constant SHIFT_DISK = 128;
    uint256 private constant BITS = 160;

    function gpuCount(Resources self) internal pure returns (uint16) {
        return uint16(Resources.unwrap(self));
    }

    function gpuClass(Resources self) internal pure returns (uint16) {
        return uint16(Resources.unwrap(self) >> SHIFT_CLASS);
    }

    function vramMiB(Resources self) internal pure returns (uint32) {
        return uint32(Resources.unwrap(self) >> SHIFT_VRAM);
    }

    function ramMiB(Resources self) internal pure returns (uint32) {
        return uint32(Resources.unwrap(self) >> SHIFT_RAM);
    }

    function cpuMilli(Resources self) internal pure returns (uint32) {
        return uint32(Resources.unwrap(self) >> SHIFT_CPU);
    }

    function diskMiB(Resources self) internal pure returns (uint32) {
        return uint32(Resources.unwrap(self) >> SHIFT_DISK);
    }

    /// @notice Reverts with {Resources_Malformed} when reserved bits are set.
    function assertWellFormed(Resources self) internal pure {
        if (Resources.unwrap(self) >> BITS != 0) revert Resources_Malformed(self);
    }

    /// @notice Whether a machine of shape `offer` can run a task that needs `need`: every amount suffices, and the
    /// GPU class is the one asked for or any will do.
    function fits(Resources need, Resources offer) internal pure returns (bool) {
        return
            need.gpuCount() <= offer.gpuCount() &&
            (need.gpuClass() == 0 || need.gpuClass() == offer.gpuClass()) &&
            need.vramMiB() <= offer.vramMiB() &&
            need.ramMiB() <= offer.ramMiB() &&
            need.cpuMilli() <= offer.cpuMilli() &&
            need.diskMiB() <= offer.diskMiB();
    }
}
