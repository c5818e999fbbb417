// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    DECLARED,
    DELEGATED,
    DeedHolder,
    EXEMPT,
    INLINE_DEEDS,
    PERSON,
    SPOKEN
} from "../../../contracts/model/DeedHolder.sol";
import {Test} from "../utils/Test.sol";

/// @notice Fields that share a word: what is written is read, and nothing else changes.
contract DeedHolderTest is Test {
    uint256 private constant FLAGS = DECLARED | EXEMPT | SPOKEN | PERSON | DELEGATED;

    /// @dev All fields of a word, in their order.
    function fieldsOf(DeedHolder holder) private pure returns (uint256[12] memory fields) {
        fields[0] = holder.balance();
        fields[1] = holder.number();
        fields[2] = holder.deeds();
        for (uint256 i = 0; i < 5; ++i) fields[3 + i] = holder.has(DECLARED << i) ? 1 : 0;
        for (uint256 i = 0; i < INLINE_DEEDS; ++i) fields[8 + i] = holder.inlineDeed(i);
    }

    function testFuzz_fieldsAreApart(uint256 word, uint256 which, uint256 value) public pure {
        DeedHolder before = DeedHolder.wrap(word);
        uint256[12] memory expected = fieldsOf(before);
        which = which % 12;
        value &=
            which == 0
                ? type(uint96).max
                : which == 1
                    ? type(uint32).max
                    : type(uint24).max;
        if (which >= 3 && which < 8) value &= 1;
        expected[which] = value;
        DeedHolder later;
        if (which == 0) later = before.withBalance(value);
        else if (which == 1) later = before.withNumber(value);
        else if (which == 2) later = before.withDeeds(value);
        else if (which < 8) later = before.with(DECLARED << (which - 3), value == 1);
        else later = before.withInlineDeed(which - 8, value);
        uint256[12] memory actual = fieldsOf(later);
        for (uint256 i = 0; i < 12; ++i) assertEq(actual[i], expected[i], "field");
        // Nothing lies between the fields but three bits of flags.
        assertEq((DeedHolder.unwrap(later) ^ word) & (uint256(7) << 157), 0, "unused");
    }

    function test_fieldsAreApart() external pure {
        for (uint256 i = 0; i < 12; ++i) {
            testFuzz_fieldsAreApart(0, i, type(uint256).max);
            testFuzz_fieldsAreApart(type(uint256).max, i, 0);
        }
    }

    /// @dev As the table in its comment says.
    function test_layout() external pure {
        DeedHolder holder = DeedHolder.wrap(0);
        holder = holder.withBalance(1).withNumber(2).withDeeds(3).with(FLAGS, true);
        for (uint256 i = 0; i < 4; ++i) holder = holder.withInlineDeed(i, 4 + i);
        uint256 ids = 4 | (5 << 24) | (6 << 48) | (7 << 72);
        assertEq(
            DeedHolder.unwrap(holder),
            1 | (2 << 96) | (3 << 128) | (uint256(31) << 152) | (ids << 160),
            "word"
        );
    }
}
