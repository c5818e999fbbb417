// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "../utils/Test.sol";

/// @dev Of contracts/mocks/DeedShelf.sol, which is compiled as deeds are.
interface DeedShelf {
    struct Counts {
        uint256 supply;
        uint256 supplies;
        uint256 holders;
        uint256 minted;
        uint256 queued;
        uint256 first;
        uint256 last;
    }

    function issue(address to, uint256 count) external;
    function hand(address from, address to, uint256 count) external;
    function retire(address from, uint256 count) external;
    function countsNow() external view returns (Counts memory);
    function deedAt(address account, uint256 place) external view returns (uint256);
    function find(uint256 id) external view returns (address account, uint256 place);
    function next(uint256 id) external view returns (uint256);
}

/// @dev What takes millions of deeds to be reached from outside.
contract DeedBookTest is Test {
    uint256 private constant MAX_DEED = type(uint24).max;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    /// @notice The highest ids have room in every place: on stacks, in records and in the queue.
    function testFuzz_keepsTheHighestIds(uint256 count) public {
        count = bound(count, 1, 60);
        uint256 before = MAX_DEED - count;
        DeedShelf shelf = DeedShelf(create("contracts/mocks/DeedShelf.sol:DeedShelf", abi.encode(before)));
        shelf.issue(ALICE, count);
        for (uint256 i = 0; i < count; ++i) _assertAt(shelf, ALICE, i, before + 1 + i);
        shelf.hand(ALICE, BOB, count);
        for (uint256 i = 0; i < count; ++i) _assertAt(shelf, BOB, i, MAX_DEED - i);
        shelf.retire(BOB, count);
        assertEq(shelf.countsNow().minted, MAX_DEED, "minted");
        assertEq(shelf.countsNow().holders, 2, "holders");
        assertEq(shelf.countsNow().queued, count, "queued");
        assertEq(shelf.countsNow().last, MAX_DEED, "last");
        uint256 id = shelf.countsNow().first;
        assertEq(id, before + 1, "first");
        for (uint256 i = 1; i < count; ++i) {
            id = shelf.next(id);
            assertEq(id, before + 1 + i, "queue");
        }
    }

    function test_keepsTheHighestIds() external {
        testFuzz_keepsTheHighestIds(40);
    }

    function _assertAt(DeedShelf shelf, address account, uint256 place, uint256 id) private view {
        assertEq(shelf.deedAt(account, place), id, "id");
        (address found, uint256 index) = shelf.find(id);
        assertEq(found, account, "account");
        assertEq(index, place, "place");
    }
}
