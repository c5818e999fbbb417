// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {OwnershipTest} from "./OwnershipTest.sol";

/// @notice How deeds come, go and wait: from hand to hand, through the queue, on demand, and beyond what a single call moves.
contract ModelOwnershipDeedsTest is OwnershipTest {
    uint256 private constant TEN = 10;
    uint256 private constant IDS = 1_000;

    Actor private pool;

    function setUp() external {
        vm.warp(START);
        pool = new Actor();
        openWith(0, 0);
    }

    /// @dev Units of ten, of which Alice and Bob have so many; all else is the minter's to make.
    function openWith(uint256 aliceUnits, uint256 bobUnits) private {
        IModelOwnership.Settings memory settings = someSettings();
        (settings.unit, settings.cap) = (TEN, IDS * TEN + 7);
        (settings.minter, settings.mintUntil) = (MINTER, uint40(START));
        if (aliceUnits != 0) allocate(settings, ALICE, aliceUnits * TEN);
        if (bobUnits != 0) allocate(settings, BOB, bobUnits * TEN);
        open(settings);
        if (aliceUnits > AUTO_DEEDS) materialise(ALICE, type(uint256).max);
        if (bobUnits > AUTO_DEEDS) materialise(BOB, type(uint256).max);
    }

    function mint(address to, uint256 amount) private {
        vm.prank(MINTER);
        ownership.mint(to, amount);
    }

    function none() private pure returns (uint256[] memory) {
        return new uint256[](0);
    }

    function rangeOf(uint256 count, uint256 first, uint256 last) private pure returns (uint256[] memory) {
        return count == 0 ? none() : range(first, last);
    }

    // ---- By amounts ----

    /// @dev Each unit that becomes whole brings one, each that is broken takes one, from hand to hand where both happen.
    /// hardhat-config: default.fuzz.runs = 24
    function testFuzz_deedsFollowUnits(uint256 has, uint256 gets, uint256 amount) public {
        has = bound(has, 0, 128 * TEN);
        gets = bound(gets, 0, 128 * TEN);
        amount = bound(amount, 0, has);
        mint(ALICE, has);
        mint(BOB, gets);
        (uint256 held, uint256 taken) = (has / TEN, gets / TEN);
        uint256 lost = held - (has - amount) / TEN;
        uint256 gained = (gets + amount) / TEN - taken;
        uint256 handed = lost < gained ? lost : gained;
        vm.recordLogs();
        transfer(ALICE, BOB, amount);
        expectTransfer(ALICE, BOB, amount);
        uint256[] memory hand = rangeOf(handed, held, held + 1 - handed);
        uint256[] memory gone = rangeOf(lost - handed, held - handed, held + 1 - lost);
        uint256[] memory made = rangeOf(gained - handed, held + taken + 1, held + taken + gained - handed);
        expectDeeds(ALICE, BOB, hand);
        expectDeeds(ALICE, NOBODY, gone);
        expectDeeds(NOBODY, BOB, made);
        assertLogs();
        assertDeeds(ALICE, rangeOf(held - lost, 1, held - lost));
        assertDeeds(BOB, join(rangeOf(taken, held + 1, held + taken), join(hand, made)));
        assertStanding(ALICE, has - amount, held - lost, 0);
        assertStanding(BOB, gets + amount, taken + gained, 0);
        assertEq(queue(), gone, "queue");
        assertEq(deeds.totalSupply(), held + taken + gained - lost, "deeds in all");
        assertEq(ownership.minted(), held + taken + gained - handed, "ids in all");
        assertEq(ownership.totalSupply(), has + gets, "supply");
    }

    function test_deedsFollowUnits() external {
        testFuzz_deedsFollowUnits(35, 16, 18);
    }

    /// @dev A unit that is broken and one that becomes whole without the other.
    function test_unitsAreBrokenAndBecomeWhole() external {
        openWith(3, 0);
        transfer(ALICE, BOB, 5);
        assertDeeds(ALICE, listOf(1, 2));
        assertDeeds(BOB, none());
        assertEq(queue(), listOf(3), "queue");
        transfer(ALICE, BOB, 5);
        assertDeeds(ALICE, listOf(1, 2));
        assertDeeds(BOB, listOf(3));
        assertEq(queue(), none(), "queue");
        transfer(ALICE, BOB, 7);
        transfer(BOB, address(pool), 9);
        assertDeeds(ALICE, listOf(1));
        assertDeeds(BOB, none());
        assertEq(queue(), listOf(2, 3), "queue");
        transfer(address(pool), ALICE, 9);
        assertDeeds(ALICE, listOf(1, 2));
        assertEq(queue(), listOf(3), "queue");
        mint(ALICE, 8);
        assertDeeds(ALICE, listOf(1, 2, 3));
        mint(ALICE, TEN);
        assertDeeds(ALICE, range(1, 4));
    }

    // ---- Queue ----

    /// @dev Whoever gives them back and gets them: what waits longest goes first, and new ones are made after all others.
    /// hardhat-config: default.fuzz.runs = 12
    function testFuzz_queueIsFirstInFirstOut(uint256 random) public {
        address[3] memory accounts = [ALICE, BOB, address(pool)];
        uint256[3] memory held = [uint256(40), 30, 20];
        uint256[] memory waiting = new uint256[](4_000);
        uint256[3] memory ends = [uint256(0), 0, 0];
        for (uint256 i = 0; i < 3; ++i) {
            mint(accounts[i], held[i] * TEN);
            materialise(accounts[i], i == 2 ? held[i] : 0);
            ends[2] += held[i];
        }
        for (uint256 i = 0; i < 48; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            address account = accounts[random % 3];
            uint256 count = (random >> 8) % (random & 0x80 == 0 ? 4 : 50);
            uint256[] memory before = deedsOf(account);
            if ((random >> 16) % 2 == 0) {
                count = release(account, count);
                for (uint256 k = 0; k < count; ++k) waiting[ends[1]++] = before[before.length - 1 - k];
                assertEq(deedsOf(account).length, before.length - count, "gave them");
                continue;
            }
            count = materialise(account, count);
            assertEq(deedsOf(account).length, before.length + count, "got them");
            for (uint256 k = 0; k < count; ++k) {
                uint256 id = ends[0] < ends[1] ? waiting[ends[0]++] : ++ends[2];
                assertEq(deedsOf(account)[before.length + k], id, "the next one");
            }
        }
        uint256[] memory left = new uint256[](ends[1] - ends[0]);
        for (uint256 i = 0; i < left.length; ++i) left[i] = waiting[ends[0] + i];
        assertEq(queue(), left, "queue");
        assertPages(left, random);
        assertEq(ownership.minted(), ends[2], "made");
    }

    function test_queueIsFirstInFirstOut() external {
        testFuzz_queueIsFirstInFirstOut(5);
    }

    function assertPages(uint256[] memory left, uint256 random) private view {
        uint256 start = random % (left.length + 2);
        uint256 count = (random >> 32) % (left.length + 2);
        uint256[] memory page = ownership.getERC721TokensInQueue(start, count);
        uint256 there = start >= left.length ? 0 : left.length - start;
        assertEq(page.length, count < there ? count : there, "page");
        for (uint256 i = 0; i < page.length; ++i) assertEq(page[i], ID + left[start + i], "id on a page");
        page = ownership.getERC721TokensInQueue(0, type(uint256).max);
        assertEq(page.length, left.length, "all");
        assertEq(ownership.getERC721TokensInQueue(type(uint256).max, type(uint256).max).length, 0, "none");
    }

    function test_queueAsksForWhatIsNotInIt() external {
        openWith(5, 0);
        assertEq(ownership.nextInQueue(0), 0, "empty");
        assertEq(ownership.nextInQueue(3), 0, "empty, of one that is owned");
        release(ALICE, 2);
        assertEq(queue(), listOf(5, 4), "queue");
        assertEq(ownership.nextInQueue(4), 0, "after the last");
        uint256[6] memory ids = [uint256(1), 3, 6, MAX_DEED, MAX_DEED + 1, type(uint256).max];
        for (uint256 i = 0; i < ids.length; ++i) assertEq(ownership.nextInQueue(ids[i]), 0, "not in it");
        // One that was in it.
        assertEq(materialise(ALICE, 1), 1, "made");
        assertEq(ownership.nextInQueue(5), 0, "out again");
        assertEq(queue(), listOf(4), "queue");
    }

    /// @dev Ids that wait are nobody's, the last one as well, whose record is as it was.
    function test_waitingDeedsAreNobodys() external {
        openWith(4, 0);
        approveDeed(ALICE, BOB, 3);
        release(ALICE, 3);
        for (uint256 id = 2; id <= 4; ++id) assertNobodys(id);
        assertOwner(1, ALICE);
        assertRefused(
            ALICE,
            address(deeds),
            abi.encodeCall(deeds.transferFrom, (ALICE, BOB, 2)),
            abi.encodeWithSignature("ERC721NonexistentToken(uint256)", 2)
        );
        // They come in other places, and the last one back to the same.
        assertEq(materialise(ALICE, 3), 3, "made");
        assertDeeds(ALICE, join(listOf(1), listOf(4, 3, 2)));
        assertApproved(3, NOBODY);
        release(ALICE, 1);
        assertNobodys(2);
        assertEq(materialise(ALICE, 1), 1, "made");
        assertDeeds(ALICE, join(listOf(1), listOf(4, 3, 2)));
    }

    // ---- On demand ----

    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_materialise(uint256 units, uint256 there, uint256 count) public {
        units = bound(units, 0, 300);
        there = bound(there, 0, units);
        mint(address(pool), units * TEN + 9);
        assertEq(materialise(address(pool), there), there, "the first ones");
        uint256 expected = count < units - there ? count : units - there;
        vm.recordLogs();
        assertEq(materialise(address(pool), count), expected, "made");
        expectDeeds(NOBODY, address(pool), rangeOf(expected, there + 1, there + expected));
        assertLogs();
        assertDeeds(address(pool), rangeOf(there + expected, 1, there + expected));
        assertStanding(address(pool), units * TEN + 9, there + expected, 0);
        assertTrue(ownership.getSkipNFT(address(pool)), "still exempt");
    }

    function test_materialise() external {
        testFuzz_materialise(5, 2, 2);
    }

    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_release(uint256 there, uint256 count) public {
        there = bound(there, 0, 200);
        if (there != 0) openWith(there, 0);
        uint256 expected = count < there ? count : there;
        vm.recordLogs();
        assertEq(release(ALICE, count), expected, "released");
        uint256[] memory ids = rangeOf(expected, there, there + 1 - expected);
        expectDeeds(ALICE, NOBODY, ids);
        assertLogs();
        assertDeeds(ALICE, rangeOf(there - expected, 1, there - expected));
        assertStanding(ALICE, there * TEN, there - expected, 0);
        assertEq(queue(), ids, "queue");
        assertEq(ownership.totalSupply(), there * TEN, "the units stay");
    }

    function test_release() external {
        testFuzz_release(6, 2);
    }

    /// @dev A transfer brings what becomes whole, not what was not there before.
    function test_releasedDeedsDoNotComeBackByThemselves() external {
        openWith(5, 5);
        release(BOB, 2);
        transfer(ALICE, BOB, TEN);
        assertDeeds(BOB, join(range(6, 8), listOf(5)));
        assertEq(queue(), listOf(10, 9), "queue");
        // Whole units without deeds go first: what is there is covered by the rest.
        transfer(BOB, address(pool), 2 * TEN);
        assertDeeds(BOB, join(range(6, 8), listOf(5)));
        transfer(BOB, address(pool), TEN);
        assertDeeds(BOB, range(6, 8));
        assertEq(queue(), listOf(10, 9, 5), "queue");
    }

    // ---- Beyond what a call moves ----

    function test_receiverGetsTheRestOnDemand() external {
        vm.recordLogs();
        mint(ALICE, 300 * TEN);
        expectTransfer(NOBODY, ALICE, 300 * TEN);
        expectDeeds(NOBODY, ALICE, range(1, AUTO_DEEDS));
        assertLogs();
        assertStanding(ALICE, 300 * TEN, AUTO_DEEDS, 0);
        // What comes later brings its own alone.
        mint(ALICE, 2 * TEN);
        assertStanding(ALICE, 302 * TEN, AUTO_DEEDS + 2, 0);
        assertEq(materialise(ALICE, 500), 172, "the rest");
        assertDeeds(ALICE, range(1, 302));
    }

    /// @dev From hand to hand, and out of or into the queue: all together.
    /// hardhat-config: default.fuzz.runs = 12
    function testFuzz_transferMovesAtMostAutoDeeds(uint256 units, uint256 toContract) public {
        units = bound(units, 1, 400);
        bool exempt = toContract % 2 == 0;
        openWith(400, 0);
        address to = exempt ? address(pool) : BOB;
        uint256 moved = units < AUTO_DEEDS ? units : AUTO_DEEDS;
        vm.recordLogs();
        transfer(ALICE, to, units * TEN);
        expectTransfer(ALICE, to, units * TEN);
        expectDeeds(ALICE, exempt ? NOBODY : BOB, range(400, 401 - moved));
        assertLogs();
        assertStanding(ALICE, (400 - units) * TEN, 400 - units, units - moved);
        assertStanding(to, units * TEN, exempt ? 0 : moved, 0);
        assertDeeds(ALICE, rangeOf(400 - units, 1, 400 - units));
        assertDeeds(to, exempt ? none() : range(400, 401 - moved));
        for (uint256 id = 401 - units; id <= 400 - moved; id += 37) assertNobodys(id);
        assertEq(deeds.totalSupply(), exempt ? 400 - moved : 400, "not released");
        if (units == moved) return;
        // Anybody puts what has no owner into the queue, in parts.
        vm.recordLogs();
        vm.prank(STRANGER);
        assertEq(ownership.releaseUncovered(ALICE, 1), 1, "one");
        expectDeeds(ALICE, NOBODY, listOf(400 - moved));
        assertEq(ownership.releaseUncovered(ALICE, type(uint256).max), units - moved - 1, "the rest");
        expectDeeds(ALICE, NOBODY, rangeOf(units - moved - 1, 399 - moved, 401 - units));
        assertEq(ownership.releaseUncovered(ALICE, 1), 0, "no more");
        assertLogs();
        assertStanding(ALICE, (400 - units) * TEN, 400 - units, 0);
        uint256[] memory gone = exempt ? range(400, 401 - units) : range(400 - moved, 401 - units);
        assertEq(queue(), gone, "queue");
        if (exempt) return;
        assertEq(materialise(BOB, 400), units - moved, "the rest is Bob's");
        assertDeeds(BOB, range(400, 401 - units));
    }

    function test_transferMovesAtMostAutoDeeds() external {
        testFuzz_transferMovesAtMostAutoDeeds(300, 1);
        testFuzz_transferMovesAtMostAutoDeeds(300, 0);
        testFuzz_transferMovesAtMostAutoDeeds(128, 1);
        testFuzz_transferMovesAtMostAutoDeeds(129, 1);
    }

    function test_nothingIsReleasedOfWhatIsCovered() external {
        openWith(5, 0);
        vm.recordLogs();
        assertEq(ownership.releaseUncovered(ALICE, 5), 0, "none");
        assertEq(ownership.releaseUncovered(STRANGER, 5), 0, "none");
        assertEq(ownership.releaseUncovered(NOBODY, 5), 0, "none");
        assertLogs();
        assertDeeds(ALICE, range(1, 5));
    }

    /// @dev Deeds that were not released go with the next transfer, the last ones first, or are covered by what comes.
    function test_uncoveredDeedsGoLaterOrAreCoveredAgain() external {
        openWith(400, 0);
        transfer(ALICE, address(pool), 400 * TEN);
        assertStanding(ALICE, 0, 0, 272);
        vm.recordLogs();
        transfer(address(pool), ALICE, 3 * TEN + 5);
        expectTransfer(address(pool), ALICE, 3 * TEN + 5);
        assertLogs();
        // They never went anywhere: the same ones are there again, in the same order.
        assertDeeds(ALICE, listOf(1, 2, 3));
        assertStanding(ALICE, 3 * TEN + 5, 3, 269);
        // By whatever is sent, be it less than a unit.
        vm.recordLogs();
        transfer(ALICE, BOB, 4);
        expectTransfer(ALICE, BOB, 4);
        expectDeeds(ALICE, NOBODY, range(272, 145));
        assertLogs();
        assertStanding(ALICE, 3 * TEN + 1, 3, 141);
        // From hand to hand as well.
        transfer(ALICE, BOB, TEN);
        assertDeeds(ALICE, listOf(1, 2));
        assertDeeds(BOB, listOf(144));
        assertStanding(ALICE, 2 * TEN + 1, 2, 14);
        assertStanding(BOB, TEN + 4, 1, 0);
        assertEq(queue(), join(range(400, 145), range(143, 17)), "queue");
        // What is released is taken off the top first.
        assertEq(release(ALICE, 15), 15, "released");
        assertDeeds(ALICE, listOf(1));
        assertStanding(ALICE, 2 * TEN + 1, 1, 0);
    }

    /// @dev Some are covered again, and more than were there come.
    function test_receiverCoversItsOwnFirst() external {
        openWith(200, 0);
        transfer(ALICE, address(pool), 200 * TEN);
        assertStanding(ALICE, 0, 0, 72);
        vm.recordLogs();
        transfer(address(pool), ALICE, 75 * TEN);
        expectTransfer(address(pool), ALICE, 75 * TEN);
        expectDeeds(NOBODY, ALICE, range(200, 198));
        assertLogs();
        assertDeeds(ALICE, join(range(1, 72), range(200, 198)));
        assertEq(queue(), range(197, 73), "queue");
    }

    /// @dev All ids are given out while somebody's have no owner: fewer come, until those are released.
    function test_idsRunOutUntilTheyAreReleased() external {
        openWith(400, 600);
        transfer(ALICE, address(pool), 400 * TEN);
        assertEq(ownership.minted(), IDS, "all ids");
        assertEq(materialise(address(pool), 400), 128, "as many as there are");
        assertEq(materialise(address(pool), 400), 0, "no more");
        assertEq(ownership.getERC721QueueLength(), 0, "none waits");
        vm.recordLogs();
        transfer(address(pool), CAROL, TEN);
        transfer(address(pool), CAROL, 6);
        mint(CAROL, 7);
        expectTransfer(address(pool), CAROL, TEN);
        expectTransfer(address(pool), CAROL, 6);
        expectTransfer(NOBODY, CAROL, 7);
        assertLogs();
        assertStanding(CAROL, 2 * TEN + 3, 0, 0);
        assertEq(ownership.releaseUncovered(ALICE, 2), 2, "released");
        assertEq(materialise(CAROL, 3), 2, "two");
        assertDeeds(CAROL, listOf(400, 399));
        assertEq(ownership.releaseUncovered(ALICE, 999), 270, "the rest");
        assertEq(materialise(address(pool), 400), 270, "the rest is the pool's");
        assertStanding(address(pool), 398 * TEN + 4, 398, 0);
        assertEq(ownership.minted(), IDS, "never more");
        assertEq(deeds.totalSupply(), IDS, "all have an owner");
    }

    /// @dev Deeds by number arrive and leave among those that count, wherever others have no owner.
    function test_deedsByNumberBesideUncoveredOnes() external {
        openWith(140, 130);
        // Alice has three of which twelve count no longer; Bob has two.
        transfer(ALICE, address(pool), 137 * TEN);
        transfer(BOB, address(pool), 130 * TEN);
        transfer(address(pool), BOB, TEN);
        assertStanding(ALICE, 3 * TEN, 3, 9);
        assertStanding(BOB, TEN, 1, 1);
        assertDeeds(ALICE, listOf(1, 2, 3));
        assertDeeds(BOB, listOf(129));
        vm.recordLogs();
        transferDeed(ALICE, BOB, 1);
        expectTransfer(ALICE, BOB, TEN);
        expectDeeds(ALICE, BOB, listOf(1));
        assertLogs();
        // The last one that counts takes the place of the one that left.
        assertDeeds(ALICE, listOf(3, 2));
        assertDeeds(BOB, listOf(129, 1));
        assertStanding(ALICE, 2 * TEN, 2, 9);
        assertStanding(BOB, 2 * TEN, 2, 1);
        assertNobodys(130);
        for (uint256 id = 4; id <= 12; ++id) assertNobodys(id);
        // What is uncovered comes from the top: the one that was moved is at it or below.
        assertEq(ownership.releaseUncovered(BOB, 5), 1, "Bob's");
        assertEq(ownership.releaseUncovered(ALICE, 1), 1, "one of Alice's");
        uint256[] memory waiting = queue();
        assertEq(waiting[waiting.length - 2], 130, "Bob's waits");
        assertEq(waiting[waiting.length - 1], 11, "Alice's last one waits");
        transfer(address(pool), ALICE, TEN);
        assertDeeds(ALICE, listOf(3, 2, 12));
    }

    /// @dev Places far up a stack are shared by ten in a word; each is where it was put.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_deedsByNumberInLongStacks(uint256 random) public {
        openWith(60, 60);
        uint256[] memory alice = range(1, 60);
        uint256[] memory bob = range(61, 120);
        for (uint256 i = 0; i < 24; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            bool toBob = (random >> 8) % 2 == 0;
            (uint256[] memory giver, uint256[] memory taker) = toBob ? (alice, bob) : (bob, alice);
            if (giver.length == 0) continue;
            uint256 place = random % giver.length;
            uint256 id = giver[place];
            if (toBob) transferDeed(ALICE, BOB, id);
            else transferDeed(BOB, ALICE, id);
            giver[place] = giver[giver.length - 1];
            taker = join(taker, listOf(id));
            assembly ("memory-safe") {
                mstore(giver, sub(mload(giver), 1))
            }
            (alice, bob) = toBob ? (giver, taker) : (taker, giver);
        }
        assertDeeds(ALICE, alice);
        assertDeeds(BOB, bob);
        transfer(ALICE, CAROL, alice.length * TEN);
        transfer(BOB, CAROL, bob.length * TEN);
        uint256[] memory all = deedsOf(CAROL);
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 expected =
                i < alice.length ? alice[alice.length - 1 - i] : bob[bob.length - 1 - (i - alice.length)];
            assertEq(all[i], expected, "last in, first out");
        }
    }

    function test_deedsByNumberInLongStacks() external {
        testFuzz_deedsByNumberInLongStacks(9);
    }

    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_pagesOfDeeds(uint256 count, uint256 offset, uint256 limit) public {
        count = bound(count, 1, 60);
        openWith(count, 0);
        uint256 start = offset < count ? offset : count;
        uint256 length = limit < count - start ? limit : count - start;
        uint256[] memory expected = rangeOf(length, start + 1, start + length);
        assertEq(ownership.deedsOf(ALICE, offset, limit), expected, "page");
        assertEq(deeds.deedsOf(ALICE, offset, limit), expected, "page at the mirror");
    }

    function test_pagesOfDeeds() external {
        testFuzz_pagesOfDeeds(15, 3, 9);
        testFuzz_pagesOfDeeds(15, 12, type(uint256).max);
        testFuzz_pagesOfDeeds(15, type(uint256).max, type(uint256).max);
    }

    /// @dev Ids that need all of their 24 bits, up to the last one there is.
    function test_lastIds() external {
        IModelOwnership.Settings memory settings = someSettings();
        (settings.unit, settings.cap) = (1, MAX_DEED);
        (settings.minter, settings.mintUntil) = (MINTER, uint40(START));
        open(settings);
        mint(address(pool), 1_000);
        uint256 slot = slotOfCounts((1 << 96) | 1_000);
        uint256 counts = uint256(vm.load(address(ownership), bytes32(slot)));
        // As if all but a hundred had been made.
        counts |= (MAX_DEED - 100) << 160;
        vm.store(address(ownership), bytes32(slot), bytes32(counts));
        (uint256 first, uint256 last) = (MAX_DEED - 99, MAX_DEED);
        transfer(address(pool), ALICE, 90);
        assertDeeds(ALICE, range(first, first + 89));
        assertEq(materialise(address(pool), 50), 10, "the last ones");
        assertDeeds(address(pool), range(first + 90, last));
        assertEq(ownership.minted(), MAX_DEED, "all");
        for (uint256 id = first; id <= last; ++id) {
            approveDeed(id < first + 90 ? ALICE : address(pool), CAROL, id);
            assertApproved(id, CAROL);
        }
        transferDeed(address(pool), ALICE, last);
        assertDeeds(ALICE, join(range(first, first + 89), listOf(last)));
        release(ALICE, 80);
        assertEq(queue(), join(listOf(last), range(first + 89, first + 11)), "queue");
        transfer(ALICE, BOB, 91);
        assertDeeds(BOB, join(range(first + 10, first), join(listOf(last), range(first + 89, first + 11))));
        transfer(BOB, ALICE, 91);
        assertDeeds(ALICE, join(range(first + 11, first + 89), join(listOf(last), range(first, first + 10))));
        for (uint256 id = first; id <= last; ++id) {
            assertApproved(id, id < first + 90 || id == last ? NOBODY : CAROL);
        }
        assertEq(queue(), none(), "queue");
    }

    /// @dev Where all counts are, of which the lower half is this.
    function slotOfCounts(uint256 lower) private view returns (uint256 slot) {
        while (uint128(uint256(vm.load(address(ownership), bytes32(slot)))) != lower) ++slot;
    }

    /// @dev When all numbers of holders are given out, who has none stays without deeds, and balances go on.
    function test_holdersRunOut() external {
        openWith(5, 3);
        // Whoever has a number keeps it.
        for (uint256 i = 0; i < 3; ++i) {
            transfer(ALICE, BOB, 2 * TEN);
            transferDeed(BOB, ALICE, deedsOf(BOB)[0]);
            transferDeed(BOB, ALICE, deedsOf(BOB)[0]);
            release(ALICE, 1);
            materialise(ALICE, 1);
        }
        uint256 slot = slotOfCounts((2 << 96) | (8 * TEN));
        uint256 counts = uint256(vm.load(address(ownership), bytes32(slot)));
        assertEq(uint32(counts >> 128), 2, "holders");
        counts |= uint256(type(uint32).max >> 1) << 128;
        vm.store(address(ownership), bytes32(slot), bytes32(counts));
        uint256[] memory ids = deedsOf(ALICE);
        transfer(ALICE, CAROL, 2 * TEN);
        assertStanding(CAROL, 2 * TEN, 0, 0);
        assertEq(queue(), listOf(ids[4], ids[3]), "queue");
        assertEq(materialise(CAROL, 2), 0, "no number");
        assertRefused(
            ALICE,
            address(deeds),
            abi.encodeCall(deeds.transferFrom, (ALICE, CAROL, ids[0])),
            abi.encodeWithSignature("ERC721InvalidReceiver(address)", CAROL)
        );
        transfer(CAROL, ALICE, 2 * TEN);
        (ids[3], ids[4]) = (ids[4], ids[3]);
        assertDeeds(ALICE, ids);
    }
}
