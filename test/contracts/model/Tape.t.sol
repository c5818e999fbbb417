// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Tape, TapeLib} from "../../../contracts/model/Tape.sol";
import {Test} from "../utils/Test.sol";

/// @notice A tape writes what words written one by one would have, each once.
contract TapeTest is Test {
    uint256[8] private _words;
    uint256[8] private _plain;

    function testFuzz_write(uint256 random) public {
        for (uint256 i = 0; i < 8; ++i) _words[i] = _plain[i] = uint256(keccak256(abi.encode(random, i)));
        Tape memory tape = TapeLib.open(slotOf());
        for (uint256 i = 0; i < 24; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            (uint256 index, uint256 shift) = ((random >> 8) % 8, ((random >> 16) % 10) * 24);
            if (random % 3 != 0 && i != 0) index = tape.index;
            uint256 value = (random >> 32) & 0xffffff;
            uint256 before = (_plain[index] >> shift) & 0xffffff;
            _plain[index] = (_plain[index] & ~(uint256(0xffffff) << shift)) | (value << shift);
            assertEq(tape.write(index, shift, 0xffffff, value), before, "before");
        }
        tape.flush();
        for (uint256 i = 0; i < 8; ++i) assertEq(_words[i], _plain[i], "word");
    }

    function test_write() external {
        testFuzz_write(1);
    }

    function test_read() external {
        for (uint256 i = 0; i < 8; ++i) _words[i] = (i + 1) << 24;
        Tape memory tape = TapeLib.open(slotOf());
        for (uint256 i = 0; i < 8; ++i) {
            assertEq(tape.read(7 - i, 24, 0xffffff), 8 - i, "read");
            assertEq(tape.read(7 - i, 0, 0xffffff), 0, "of the same word");
        }
    }

    /// @dev A word is written once, when another is sought or at the end, and not at all if it is as it was.
    function test_wordsAreWrittenOnce() external {
        Tape memory tape = TapeLib.open(slotOf());
        vm.record();
        for (uint256 i = 1; i <= 10; ++i) tape.write(3, (i - 1) * 24, 0xffffff, i);
        assertEq(written(), 0, "not before");
        tape.write(4, 0, 0xffffff, 1);
        assertEq(written(), 1, "once");
        tape.write(5, 0, 0xffffff, 0);
        assertEq(written(), 2, "once each");
        tape.flush();
        tape.flush();
        assertEq(written(), 2, "nothing changed");
    }

    function written() private returns (uint256) {
        (, bytes32[] memory writes) = vm.accesses(address(this));
        return writes.length;
    }

    function slotOf() private pure returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := _words.slot
        }
    }
}
