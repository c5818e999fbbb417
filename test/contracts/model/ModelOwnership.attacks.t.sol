// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

import {IERC404} from "../../../contracts/interfaces/IERC404.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {OwnershipTest} from "./OwnershipTest.sol";

/// @notice Breaks a unit and makes it whole again, over and over.
contract Cycler {
    IModelOwnership private immutable _ownership;
    address private immutable _other;

    constructor(IModelOwnership ownership, address other) {
        (_ownership, _other) = (ownership, other);
        ownership.setSkipNFT(false);
    }

    function cycle(uint256 times) external {
        (IModelOwnership ownership, address other) = (_ownership, _other);
        for (uint256 i = 0; i < times; ++i) {
            ownership.transfer(other, 1);
            ownership.transferFrom(other, address(this), 1);
        }
    }
}

/// @notice What was tried on tokens of this kind, and what may be tried here.
contract ModelOwnershipAttacksTest is OwnershipTest {
    Actor private pool;

    /// @dev Units of one: an amount and an id may be the same number. Alice has 200 of them, all with deeds, Bob 3.
    function setUp() external {
        vm.warp(START);
        pool = new Actor();
        openWith(1);
    }

    function openWith(uint256 unit) private {
        IModelOwnership.Settings memory settings = someSettings();
        (settings.unit, settings.cap) = (unit, 1_000 * unit);
        allocate(settings, ALICE, 200 * unit);
        allocate(settings, BOB, 3 * unit);
        open(settings);
        materialise(ALICE, 200);
    }

    function assertRefused(address caller, bytes memory data, bytes4 reason) private {
        assertRefused(caller, address(ownership), data, abi.encodeWithSelector(reason));
    }

    /// @dev It goes through, and changes nothing in storage.
    function assertIdle(address caller, bytes memory data) private {
        vm.record();
        vm.prank(caller);
        (bool success, ) = address(ownership).call(data);
        assertTrue(success, "refused");
        (, bytes32[] memory writes) = vm.accesses(address(ownership));
        assertEq(writes.length, 0, "changed something");
    }

    // ---- A32: transfers that should change nothing ----

    /// @dev Whatever is held: all deeds, some that wait, some without an owner, votes.
    /// hardhat-config: default.fuzz.runs = 24
    function testFuzz_A32_selfTransfer(uint256 amount, uint256 units, uint256 state) public {
        openWith(bound(units, 1, 7));
        if (state % 2 == 0) transfer(ALICE, address(pool), 195 * ownership.units());
        if ((state >> 1) % 2 == 0) release(ALICE, 3);
        if ((state >> 2) % 2 == 0) skip(ALICE, true);
        vm.prank(ALICE);
        ownership.delegate((state >> 3) % 2 == 0 ? ALICE : NOBODY);
        amount = bound(amount, 0, ownership.balanceOf(ALICE));
        uint256[] memory ids = deedsOf(ALICE);
        vm.recordLogs();
        assertIdle(ALICE, abi.encodeCall(ownership.transfer, (ALICE, amount)));
        expectTransfer(ALICE, ALICE, amount);
        assertLogs();
        assertDeeds(ALICE, ids);
        vm.prank(ALICE);
        ownership.erc20Approve(BOB, type(uint256).max);
        assertIdle(BOB, abi.encodeCall(ownership.transferFrom, (ALICE, ALICE, amount)));
        assertEq(ownership.totalSupply(), 203 * ownership.units(), "supply");
    }

    function test_A32_selfTransfer() external {
        testFuzz_A32_selfTransfer(200, 1, 15);
        testFuzz_A32_selfTransfer(5, 1, 0);
    }

    /// @dev By anybody, of anybody's, to anybody: as ERC-20 wants it, it is logged.
    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_A32_zeroTransfer(address caller, address to, bool uncovered) public {
        if (to == NOBODY || to == address(ownership) || to == address(deeds)) to = STRANGER;
        if (caller == NOBODY) caller = STRANGER;
        if (uncovered) transfer(ALICE, address(pool), 199);
        vm.recordLogs();
        assertIdle(caller, abi.encodeCall(ownership.transfer, (to, 0)));
        expectTransfer(caller, to, 0);
        vm.prank(ALICE);
        ownership.transfer(to, 0);
        expectTransfer(ALICE, to, 0);
        assertLogs();
        assertStanding(ALICE, uncovered ? 1 : 200, uncovered ? 1 : 200, uncovered ? 71 : 0);
        // Of another's.
        vm.prank(caller);
        ownership.erc20TransferFrom(ALICE, to, 0);
        assertStanding(ALICE, uncovered ? 1 : 200, uncovered ? 1 : 200, uncovered ? 71 : 0);
    }

    function test_A32_zeroTransfer() external {
        testFuzz_A32_zeroTransfer(STRANGER, address(pool), true);
    }

    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_A32_toThePairOrNobody(uint256 amount, uint256 whom) public {
        address to = [NOBODY, address(ownership), address(deeds)][whom % 3];
        bytes memory reason = abi.encodeWithSignature("ERC20InvalidReceiver(address)", to);
        assertRefused(ALICE, address(ownership), abi.encodeCall(ownership.transfer, (to, amount)), reason);
        vm.prank(ALICE);
        ownership.erc20Approve(BOB, type(uint256).max);
        bytes memory data = abi.encodeCall(ownership.erc20TransferFrom, (ALICE, to, amount));
        assertRefused(BOB, address(ownership), data, reason);
        data = abi.encodeCall(ownership.erc721TransferFrom, (ALICE, to, ID + 1));
        assertRefused(ALICE, data, IERC404.InvalidRecipient.selector);
        assertStanding(ALICE, 200, 200, 0);
    }

    function test_A32_toThePairOrNobody() external {
        for (uint256 whom = 0; whom < 3; ++whom) {
            testFuzz_A32_toThePairOrNobody(0, whom);
            testFuzz_A32_toThePairOrNobody(3, whom);
        }
    }

    /// @dev Deeds wait where those who get units want none; they come back in their order.
    function test_A32_toTheExempt() external {
        skip(BOB, true);
        transfer(ALICE, BOB, 2);
        transfer(ALICE, address(pool), 1);
        assertDeeds(BOB, range(129, 131));
        assertDeeds(address(pool), new uint256[](0));
        transfer(BOB, ALICE, 2);
        transfer(address(pool), ALICE, 1);
        // Bob's units without deeds went first.
        assertDeeds(BOB, range(129, 131));
        uint256[] memory ids = deedsOf(ALICE);
        for (uint256 i = 0; i < 3; ++i) assertEq(ids[197 + i], 203 - i, "first in, first out");
    }

    // ---- A33: amounts and ids ----

    /// @dev Each value is one or the other, and approves for that alone.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A33_approvalsAreOfOneKind(uint256 value) public {
        bool isId = value > ID && value <= ID + MAX_DEED;
        address owner = isId ? ownership.deedOwnerOf(value - ID) : ALICE;
        bytes memory data = abi.encodeCall(ownership.approve, (CAROL, value));
        if (isId && owner != ALICE) {
            bytes4 reason = owner == NOBODY ? IERC404.NotFound.selector : IERC404.Unauthorized.selector;
            assertRefused(ALICE, data, reason);
            return;
        }
        vm.prank(ALICE);
        assertTrue(ownership.approve(CAROL, value), "approve");
        assertEq(ownership.allowance(ALICE, CAROL), isId ? 0 : value, "allowance");
        for (uint256 id = 1; id <= 203; ++id) {
            assertEq(ownership.deedApproved(id), isId && ID + id == value ? CAROL : NOBODY, "approved");
        }
    }

    function test_A33_approvalsAreOfOneKind() external {
        uint256 state = vm.snapshotState();
        uint256[9] memory values = [
            uint256(0),
            5,
            ID - 1,
            ID,
            ID + 5,
            ID + 130,
            ID + 204,
            ID + MAX_DEED + 1,
            type(uint256).max
        ];
        for (uint256 i = 0; i < values.length; ++i) {
            testFuzz_A33_approvalsAreOfOneKind(values[i]);
            vm.revertToState(state);
        }
    }

    /// @dev Five units and deed number five.
    function test_A33_theSameNumber() external {
        vm.prank(ALICE);
        ownership.approve(CAROL, 5);
        assertApproved(5, NOBODY);
        assertRefused(
            CAROL,
            address(deeds),
            abi.encodeCall(deeds.transferFrom, (ALICE, CAROL, 5)),
            abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", CAROL, 5)
        );
        bytes memory data = abi.encodeCall(ownership.transferFrom, (ALICE, CAROL, ID + 5));
        assertRefused(CAROL, data, IERC404.Unauthorized.selector);
        vm.prank(CAROL);
        ownership.transferFrom(ALICE, CAROL, 5);
        assertEq(ownership.balanceOf(CAROL), 5, "five units");
        assertOwner(5, ALICE);
        // The other way round.
        approveDeed(ALICE, CAROL, 5);
        assertEq(ownership.allowance(ALICE, CAROL), 0, "no allowance");
        data = abi.encodeCall(ownership.transferFrom, (ALICE, CAROL, 5));
        bytes memory reason = abi.encodeWithSignature(
            "ERC20InsufficientAllowance(address,uint256,uint256)",
            CAROL,
            0,
            5
        );
        assertRefused(CAROL, address(ownership), data, reason);
        vm.prank(CAROL);
        ownership.transferFrom(ALICE, CAROL, ID + 5);
        assertOwner(5, CAROL);
        assertEq(ownership.balanceOf(CAROL), 6, "one unit more");
    }

    /// @dev An allowance as large as an id, or of all amounts, gives no id; an approval for ids gives no amount.
    /// hardhat-config: default.fuzz.runs = 64
    function testFuzz_A33_allowanceGivesNoId(uint256 allowed, uint256 id) public {
        id = bound(id, 1, 128);
        vm.prank(ALICE);
        ownership.erc20Approve(CAROL, allowed);
        assertApproved(id, NOBODY);
        bytes memory data = abi.encodeCall(ownership.transferFrom, (ALICE, CAROL, ID + id));
        assertRefused(CAROL, data, IERC404.Unauthorized.selector);
        vm.prank(ALICE);
        ownership.setApprovalForAll(BOB, true);
        data = abi.encodeCall(ownership.erc20TransferFrom, (ALICE, BOB, 1));
        bytes memory reason = abi.encodeWithSignature(
            "ERC20InsufficientAllowance(address,uint256,uint256)",
            BOB,
            0,
            1
        );
        assertRefused(BOB, address(ownership), data, reason);
        // As an amount, an id is more than anybody has.
        if (allowed < ID + id) return;
        data = abi.encodeCall(ownership.erc20TransferFrom, (ALICE, CAROL, ID + id));
        reason = abi.encodeWithSignature(
            "ERC20InsufficientBalance(address,uint256,uint256)",
            ALICE,
            200,
            ID + id
        );
        assertRefused(CAROL, address(ownership), data, reason);
        data = abi.encodeCall(ownership.transfer, (CAROL, ID + id));
        assertRefused(ALICE, address(ownership), data, reason);
    }

    function test_A33_allowanceGivesNoId() external {
        testFuzz_A33_allowanceGivesNoId(ID + 5, 5);
        testFuzz_A33_allowanceGivesNoId(type(uint256).max, 5);
    }

    /// @dev Only that of all amounts is infinite.
    /// hardhat-config: default.fuzz.runs = 64
    function testFuzz_A33_allowanceIsUsedUp(uint256 allowed, uint256 amount) public {
        amount = bound(amount, 1, 200);
        allowed = bound(allowed, amount, type(uint256).max);
        vm.prank(ALICE);
        ownership.erc20Approve(CAROL, allowed);
        vm.prank(CAROL);
        ownership.erc20TransferFrom(ALICE, BOB, amount);
        bool infinite = allowed == type(uint256).max;
        assertEq(ownership.allowance(ALICE, CAROL), infinite ? allowed : allowed - amount, "left");
    }

    function test_A33_allowanceIsUsedUp() external {
        testFuzz_A33_allowanceIsUsedUp(type(uint256).max, 1);
        testFuzz_A33_allowanceIsUsedUp(type(uint256).max - 1, 1);
        testFuzz_A33_allowanceIsUsedUp(7, 7);
    }

    function assertNoLongerApproved(uint256 id, address owner) private {
        assertOwner(id, owner);
        assertApproved(id, NOBODY);
        bytes memory data = abi.encodeCall(ownership.transferFrom, (owner, CAROL, ID + id));
        assertRefused(CAROL, data, IERC404.Unauthorized.selector);
        assertRefused(
            CAROL,
            address(deeds),
            abi.encodeCall(deeds.transferFrom, (owner, CAROL, id)),
            abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", CAROL, id)
        );
    }

    /// @dev However a deed leaves and comes back, at its old place too: whoever was approved is so no longer.
    function test_A33_staleApprovals() external {
        // Alice's last ones are 203, 202 and so on.
        for (uint256 id = 196; id <= 203; ++id) approveDeed(ALICE, CAROL, id);
        // As such, and back.
        transferDeed(ALICE, BOB, 196);
        assertNoLongerApproved(196, BOB);
        transferDeed(BOB, ALICE, 196);
        assertNoLongerApproved(196, ALICE);
        transferDeed(ALICE, ALICE, 203);
        assertNoLongerApproved(203, ALICE);
        // From hand to hand, and back.
        transfer(ALICE, BOB, 2);
        uint256[] memory ids = deedsOf(BOB);
        assertNoLongerApproved(ids[3], BOB);
        assertNoLongerApproved(ids[4], BOB);
        transfer(BOB, ALICE, 2);
        assertNoLongerApproved(ids[3], ALICE);
        assertNoLongerApproved(ids[4], ALICE);
        // Through the queue to the same place, as its only one, its last one, and one before.
        ids = deedsOf(ALICE);
        for (uint256 count = 1; count < 4; ++count) {
            for (uint256 i = 200 - count; i < 200; ++i) approveDeed(ALICE, CAROL, ids[i]);
            release(ALICE, count);
            materialise(ALICE, count);
            for (uint256 i = 200 - count; i < 200; ++i) assertNoLongerApproved(ids[i], ALICE);
            ids = deedsOf(ALICE);
        }
        // Through the queue to another.
        approveDeed(ALICE, CAROL, ids[199]);
        transfer(ALICE, address(pool), 1);
        transfer(address(pool), BOB, 1);
        assertNoLongerApproved(ids[199], BOB);
    }

    /// @dev A deed without an owner is nobody's to give. Released, it comes without approvals. Covered again before that, it
    /// never left, by its log too: it is as it was.
    function test_A33_staleApprovalsOfUncoveredDeeds() external {
        approveDeed(ALICE, CAROL, 2);
        approveDeed(ALICE, CAROL, 60);
        transfer(ALICE, address(pool), 200);
        assertStanding(ALICE, 0, 0, 72);
        bytes memory data = abi.encodeCall(ownership.transferFrom, (ALICE, CAROL, ID + 60));
        assertRefused(CAROL, data, IERC404.NotFound.selector);
        assertNobodys(60);
        ownership.releaseUncovered(ALICE, 70);
        transfer(address(pool), ALICE, 2);
        assertApproved(2, CAROL);
        transfer(address(pool), ALICE, 198);
        materialise(ALICE, 200);
        assertNoLongerApproved(60, ALICE);
        ownership.releaseUncovered(ALICE, 1);
        vm.prank(CAROL);
        deeds.transferFrom(ALICE, CAROL, 2);
        assertOwner(2, CAROL);
    }

    /// @dev Who may no longer act for all may not act for what it was approved for by itself either, once that has moved.
    function test_A33_operatorsOfFormerOwners() external {
        vm.prank(ALICE);
        deeds.setApprovalForAll(CAROL, true);
        vm.prank(CAROL);
        deeds.approve(CAROL, 7);
        transferDeed(ALICE, BOB, 7);
        assertNoLongerApproved(7, BOB);
        bytes memory data = abi.encodeCall(ownership.erc721TransferFrom, (ALICE, CAROL, ID + 7));
        assertRefused(CAROL, data, IERC404.Unauthorized.selector);
    }

    // ---- A34: ids and exemption ----

    /// @dev Nothing is worn out: the ids of one unit are those that were there.
    function test_A34_hundredThousandCyclesKeepIds() external {
        Cycler cycler = new Cycler(ownership, address(pool));
        vm.prank(address(pool));
        ownership.erc20Approve(address(cycler), type(uint256).max);
        transfer(ALICE, address(cycler), 1);
        release(ALICE, 2);
        uint256 minted = ownership.minted();
        cycler.cycle(100_000);
        assertEq(ownership.minted(), minted, "ids");
        assertEq(deeds.totalSupply(), 201, "deeds");
        assertEq(queue().length, 2, "queue");
        assertStanding(address(cycler), 1, 1, 0);
        assertStanding(address(pool), 0, 0, 0);
        assertEq(ownership.totalSupply(), 203, "supply");
    }

    /// @dev As often as one likes, at whatever moment: no id is made beyond the units there are, none has two owners.
    /// hardhat-config: default.fuzz.runs = 24
    function testFuzz_A34_exemptionIsToggled(uint256 random) public {
        address[2] memory people = [ALICE, BOB];
        for (uint256 i = 0; i < 24; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            address who = people[random % 2];
            bool wants = (random >> 8) % 2 == 0;
            vm.prank(who);
            if ((random >> 16) % 2 == 0) ownership.setSkipNFT(wants);
            else ownership.setSelfERC721TransferExempt(wants);
            transfer(who, people[1 - (random % 2)], (random >> 24) % (ownership.balanceOf(who) + 1));
            uint256 a = ownership.standingOf(ALICE).deeds + ownership.standingOf(ALICE).uncovered;
            uint256 b = ownership.standingOf(BOB).deeds + ownership.standingOf(BOB).uncovered;
            assertEq(a + b + ownership.getERC721QueueLength(), ownership.minted(), "I-14 ids");
            assertLe(ownership.standingOf(ALICE).deeds, ownership.balanceOf(ALICE), "I-14 Alice's");
            assertLe(ownership.standingOf(BOB).deeds, ownership.balanceOf(BOB), "I-14 Bob's");
        }
        assertEq(ownership.totalSupply(), 203, "supply");
        assertLe(ownership.minted(), 1_000, "I-14 cap");
    }

    function test_A34_exemptionIsToggled() external {
        testFuzz_A34_exemptionIsToggled(1);
    }

    /// @dev Giving deeds back and getting them again reorders ids and makes none.
    function test_A34_togglingMakesNoIds() external {
        skip(BOB, true);
        for (uint256 i = 0; i < 64; ++i) {
            vm.prank(BOB);
            ownership.setSelfERC721TransferExempt(i % 2 == 0);
        }
        assertEq(ownership.minted(), 203, "ids");
        assertEq(deedsOf(BOB).length, 3, "Bob's");
    }
}

/// @notice Transfers of many units, deeds that are forced on somebody: what they cost. Set up apart, so that storage is as
/// cold as in a transaction.
contract ModelOwnershipGasTest is OwnershipTest {
    uint256 private constant MANY = 10_000;
    /// @dev Most of a transaction (EIP-7825), less what it costs itself.
    uint256 private constant TRANSACTION = 16_777_216 - 25_000;
    /// @dev Whatever is transferred by amount costs no more.
    uint256 private constant TRANSFER = 1_000_000;
    address private constant RICH = address(0x21C4);
    address private constant VICTIM = address(0xF100D);

    Actor private pool;

    /// @dev Alice has all deeds of her 10,000 units, Bob 128 of his; somebody has got 2,000 deeds that it did not ask for.
    function setUp() external {
        vm.warp(START);
        pool = new Actor();
        IModelOwnership.Settings memory settings = someSettings();
        settings.cap = 4 * MANY * UNIT;
        allocate(settings, ALICE, MANY * UNIT);
        allocate(settings, BOB, MANY * UNIT);
        allocate(settings, RICH, MANY * UNIT);
        allocate(settings, VICTIM, UNIT / 2);
        open(settings);
        materialise(ALICE, MANY);
        for (uint256 i = 0; i < 20; ++i) transfer(RICH, VICTIM, 100 * UNIT);
    }

    function costs(address caller, bytes memory data, uint256 most) private returns (uint256 gas) {
        vm.prank(caller);
        gas = gasleft();
        (bool success, ) = address(ownership).call(data);
        gas -= gasleft();
        assertTrue(success, "refused");
        assertLe(gas, most, "gas");
    }

    function transferOf(address to, uint256 units) private view returns (bytes memory) {
        return abi.encodeCall(ownership.transfer, (to, units * UNIT));
    }

    /// @dev All with deeds, to a person that has none.
    function test_A34_tenThousandWithDeedsToAPerson() external {
        costs(ALICE, transferOf(CAROL, MANY), TRANSFER);
        assertStanding(ALICE, 0, 0, MANY - AUTO_DEEDS);
        assertStanding(CAROL, MANY * UNIT, AUTO_DEEDS, 0);
    }

    function test_A34_tenThousandWithDeedsToAContract() external {
        costs(ALICE, transferOf(address(pool), MANY), TRANSFER);
        assertStanding(ALICE, 0, 0, MANY - AUTO_DEEDS);
        assertStanding(address(pool), MANY * UNIT, 0, 0);
    }

    function test_A34_tenThousandWithFewDeeds() external {
        costs(BOB, transferOf(CAROL, MANY), TRANSFER);
        assertStanding(BOB, 0, 0, 0);
        assertStanding(CAROL, MANY * UNIT, AUTO_DEEDS, 0);
    }

    function test_A34_tenThousandToWhoeverHasDeeds() external {
        costs(BOB, transferOf(ALICE, MANY), TRANSFER);
        assertStanding(ALICE, 2 * MANY * UNIT, MANY + AUTO_DEEDS, 0);
    }

    /// @dev The receiver's own are covered again, and none is made.
    function test_A34_tenThousandBack() external {
        transfer(ALICE, address(pool), MANY * UNIT);
        costs(address(pool), transferOf(ALICE, MANY), TRANSFER);
        assertStanding(ALICE, MANY * UNIT, MANY, 0);
    }

    /// @dev What is made or released by hand is as much as a transaction takes: a thousand at once, at least.
    function test_A34_thousandsOnDemand() external {
        costs(BOB, abi.encodeCall(ownership.materialise, (1_000)), TRANSACTION);
        costs(ALICE, abi.encodeCall(ownership.release, (1_000)), TRANSACTION);
        transfer(ALICE, address(pool), (MANY - 1_000) * UNIT);
        costs(STRANGER, abi.encodeCall(ownership.releaseUncovered, (ALICE, 1_000)), TRANSACTION);
        costs(ALICE, abi.encodeCall(ownership.setSelfERC721TransferExempt, (true)), TRANSFER);
    }

    /// @dev Deeds that somebody is given cost it no more than those that it moves.
    function test_A34_floodedWithDeedsTransferABit() external {
        assertStanding(VICTIM, 2_000 * UNIT + UNIT / 2, 2_000, 0);
        costs(VICTIM, abi.encodeCall(ownership.transfer, (address(pool), 1)), 80_000);
    }

    function test_A34_floodedWithDeedsTransferOne() external {
        costs(VICTIM, transferOf(CAROL, 1), 160_000);
    }

    function test_A34_floodedWithDeedsTransferAll() external {
        costs(VICTIM, transferOf(CAROL, 2_000), TRANSFER);
    }

    function test_A34_floodedWithDeedsTransferADeed() external {
        uint256 id = ownership.deedsOf(VICTIM, 1_000, 1)[0];
        vm.prank(VICTIM);
        uint256 gas = gasleft();
        deeds.transferFrom(VICTIM, CAROL, id);
        assertLe(gas - gasleft(), 160_000, "gas");
    }

    /// @dev One by one, by number, after the victim gave up all that came: they come, and go as cheaply.
    function test_A34_floodedByNumber() external {
        skip(VICTIM, true);
        for (uint256 id = 1; id <= 300; ++id) transferDeed(ALICE, VICTIM, ownership.deedsOf(ALICE, 0, 1)[0]);
        assertStanding(VICTIM, 2_300 * UNIT + UNIT / 2, 2_300, 0);
        costs(VICTIM, abi.encodeCall(ownership.transfer, (address(pool), UNIT)), 160_000);
    }

    /// @dev Lists are read in parts.
    function test_A34_listsAreReadInParts() external view {
        for (uint256 offset = 0; offset < MANY; offset += 2_500) {
            uint256 gas = gasleft();
            uint256[] memory ids = ownership.deedsOf(ALICE, offset, 2_500);
            assertLe(gas - gasleft(), TRANSACTION, "gas");
            assertEq(ids.length, 2_500, "a part");
        }
    }
}

/// @notice A receiver of a deed calls back, by each function of both contracts, while it is asked: all is as if it had called
/// afterwards. Inside, the views show the state after the transfer. Nobody is asked when amounts move.
contract ModelOwnershipReentrancyTest is OwnershipTest, IERC721Receiver {
    struct Second {
        address target;
        bytes data;
    }

    Second[] private calls;
    uint256 private chosen;
    bool private armed;
    uint256 private entered;
    bool private succeeded;
    bytes private answer;
    bytes32 private inside;

    /// @dev This contract owns, mints and wants deeds: it has 11 to 13, Alice 1 to 10.
    function setUp() external {
        vm.warp(START);
        IModelOwnership.Settings memory settings = someSettings();
        (settings.owner, settings.minter) = (address(this), address(this));
        settings.mintUntil = uint40(START);
        allocate(settings, ALICE, 10 * UNIT + 1);
        allocate(settings, address(this), 3 * UNIT + 1);
        open(settings);
        ownership.setSkipNFT(false);
        ownership.delegate(BOB);
        vm.prank(ALICE);
        ownership.erc20Approve(address(this), 5 * UNIT);
        list();
    }

    function list() private {
        address me = address(this);
        add(abi.encodeCall(ownership.transfer, (BOB, 2 * UNIT)));
        add(abi.encodeCall(ownership.transfer, (me, UNIT)));
        add(abi.encodeCall(ownership.transferFrom, (ALICE, me, UNIT)));
        add(abi.encodeCall(ownership.transferFrom, (me, BOB, ID + 3)));
        add(abi.encodeCall(ownership.erc20TransferFrom, (ALICE, BOB, UNIT / 2)));
        add(abi.encodeCall(ownership.erc721TransferFrom, (me, ALICE, ID + 3)));
        add(abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", me, BOB, ID + 12));
        add(abi.encodeCall(ownership.approve, (BOB, UNIT)));
        add(abi.encodeCall(ownership.approve, (BOB, ID + 3)));
        add(abi.encodeCall(ownership.erc20Approve, (BOB, 7)));
        add(abi.encodeCall(ownership.erc721Approve, (BOB, ID + 3)));
        add(abi.encodeCall(ownership.setApprovalForAll, (BOB, true)));
        add(abi.encodeCall(ownership.permit, (ALICE, me, 1, START, 27, "", "")));
        add(abi.encodeCall(ownership.mint, (me, 2 * UNIT)));
        add(abi.encodeCall(ownership.materialise, (5)));
        add(abi.encodeCall(ownership.release, (2)));
        add(abi.encodeCall(ownership.releaseUncovered, (ALICE, 5)));
        add(abi.encodeCall(ownership.setSkipNFT, (true)));
        add(abi.encodeCall(ownership.setSelfERC721TransferExempt, (true)));
        add(abi.encodeCall(ownership.setExempt, (address(deeds), true)));
        add(abi.encodeCall(ownership.delegate, (ALICE)));
        add(abi.encodeCall(ownership.delegateBySig, (ALICE, 0, START, 27, "", "")));
        add(abi.encodeCall(ownership.transferDeed, (me, me, BOB, 3)));
        add(abi.encodeCall(ownership.approveDeed, (me, BOB, 3)));
        add(abi.encodeCall(ownership.approveOperator, (me, BOB, true)));
        add(abi.encodeCall(Ownable.renounceOwnership, ()));
        add(abi.encodeCall(Ownable.transferOwnership, (BOB)));
        addAtMirror(abi.encodeCall(deeds.transferFrom, (me, BOB, 3)));
        addAtMirror(abi.encodeCall(deeds.transferFrom, (ALICE, me, 4)));
        addAtMirror(abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", me, me, 3));
        addAtMirror(abi.encodeCall(deeds.approve, (BOB, 3)));
        addAtMirror(abi.encodeCall(deeds.setApprovalForAll, (BOB, true)));
        addAtMirror(abi.encodeCall(deeds.setMetadata, (certificate)));
        addAtMirror(abi.encodeCall(deeds.setRoyalty, (BOB, 100)));
        addAtMirror(abi.encodeCall(deeds.logTransfers, (me, BOB, listOf(3))));
        addAtMirror(abi.encodeCall(deeds.logApproval, (me, BOB, 3)));
        addAtMirror(abi.encodeCall(deeds.logApprovalForAll, (me, BOB, true)));
    }

    function add(bytes memory data) private {
        calls.push(Second(address(ownership), data));
    }

    function addAtMirror(bytes memory data) private {
        calls.push(Second(address(deeds), data));
    }

    function onERC721Received(address, address, uint256, bytes calldata) external override returns (bytes4) {
        if (armed) {
            armed = false;
            ++entered;
            inside = stateNow();
            if (chosen < calls.length) call();
        }
        return IERC721Receiver.onERC721Received.selector;
    }

    function call() private {
        (succeeded, answer) = calls[chosen].target.call(calls[chosen].data);
    }

    /// @dev All that anybody can see.
    function stateNow() private view returns (bytes32 digest) {
        address[4] memory accounts = [ALICE, BOB, address(this), address(deeds)];
        for (uint256 i = 0; i < 4; ++i) {
            digest = keccak256(
                abi.encode(
                    digest,
                    ownership.standingOf(accounts[i]),
                    deedsOf(accounts[i]),
                    ownership.owned(accounts[i]),
                    ownership.getVotes(accounts[i]),
                    ownership.delegates(accounts[i]),
                    ownership.balanceOf(accounts[i])
                )
            );
            digest = keccak256(
                abi.encode(
                    digest,
                    ownership.allowance(accounts[i], address(this)),
                    ownership.allowance(accounts[i], BOB),
                    ownership.isApprovedForAll(accounts[i], BOB),
                    ownership.nonces(accounts[i]),
                    deeds.balanceOf(accounts[i])
                )
            );
        }
        for (uint256 id = 1; id <= 16; ++id) {
            digest = keccak256(abi.encode(digest, ownership.deedOwnerOf(id), ownership.deedApproved(id)));
        }
        (address receiver, uint256 royalty) = deeds.royaltyInfo(1, UNIT);
        digest = keccak256(
            abi.encode(digest, queue(), ownership.totalSupply(), ownership.minted(), deeds.totalSupply())
        );
        return keccak256(abi.encode(digest, receiver, royalty, deeds.metadata(), deeds.owner()));
    }

    function first(uint256 way) private {
        vm.prank(ALICE);
        if (way == 0) deeds.safeTransferFrom(ALICE, address(this), 3);
        else if (way == 1) deeds.safeTransferFrom(ALICE, address(this), 3, "hello");
        else if (way == 2) ownership.safeTransferFrom(ALICE, address(this), ID + 3);
        else ownership.safeTransferFrom(ALICE, address(this), ID + 3, "hello");
    }

    function test_A03_A04_receiverCallsEverything() external {
        uint256 state = vm.snapshotState();
        uint256 went = 0;
        for (uint256 way = 0; way < 4; ++way) {
            for (uint256 i = 0; i <= calls.length; ++i) {
                (armed, chosen) = (true, i);
                first(way);
                assertEq(entered, 1, "asked once");
                bytes32 nested = stateNow();
                bytes32 seen = inside;
                (bool success, bytes memory returned) = (succeeded, answer);
                vm.revertToState(state);
                first(way);
                assertTrue(seen == stateNow(), "A04 another state than after the transfer");
                chosen = i;
                if (i < calls.length) call();
                assertTrue(stateNow() == nested, "A03 another result than afterwards");
                assertTrue(success == succeeded, "went through or not");
                assertEq(returned, answer, "answer");
                if (succeeded) ++went;
                vm.revertToState(state);
            }
        }
        // A wrong signature (2), what is not this contract's to move, and what only the pair calls (6).
        assertEq(went, 4 * (calls.length - 9), "calls that go through");
    }

    /// @dev Amounts, mintings and what is made on demand ask nobody, whatever deeds they bring.
    function test_A03_amountsAskNobody() external {
        armed = true;
        transfer(ALICE, address(this), 3 * UNIT);
        ownership.erc20TransferFrom(ALICE, address(this), UNIT);
        ownership.mint(address(this), 2 * UNIT);
        ownership.release(2);
        ownership.materialise(2);
        ownership.setSelfERC721TransferExempt(true);
        ownership.setSelfERC721TransferExempt(false);
        transferDeed(ALICE, address(this), 1);
        assertEq(entered, 0, "asked");
        assertStanding(address(this), 10 * UNIT + 1, 10, 0);
    }
}
