// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";

import {IDeedMetadata} from "../../../contracts/interfaces/IDeedMetadata.sol";
import {IERC7631Mirror} from "../../../contracts/interfaces/IERC7631.sol";
import {IModelDeeds} from "../../../contracts/interfaces/IModelDeeds.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {DeedReceiver, OwnershipTest} from "./OwnershipTest.sol";

/// @notice Answers whatever it is told to.
contract OddMetadata {
    bytes private _answer;
    bool private _reverts;

    function set(bytes calldata answer, bool reverts) external {
        (_answer, _reverts) = (answer, reverts);
    }

    fallback(bytes calldata) external returns (bytes memory) {
        if (!_reverts) return _answer;
        bytes memory reason = _answer;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}

/// @notice A model's deeds as ERC-721 tokens: transfers, approvals, what they look like and what their sale brings.
contract ModelDeedsTest is OwnershipTest {
    Actor private pool;
    DeedReceiver private receiver;

    /// @dev Alice has deeds 1 to 6, Bob 7 to 9.
    function setUp() external {
        vm.warp(START);
        (pool, receiver) = (new Actor(), new DeedReceiver());
        IModelOwnership.Settings memory settings = someSettings();
        allocate(settings, ALICE, 6 * UNIT + 1);
        allocate(settings, BOB, 3 * UNIT);
        open(settings);
    }

    function test_views() external view {
        assertEq(bytes(deeds.name()), "Model", "name");
        assertEq(bytes(deeds.symbol()), "MDL", "symbol");
        assertEq(deeds.owner(), OWNER, "owner");
        assertEq(deeds.baseERC20(), address(ownership), "base");
        assertEq(address(deeds.metadata()), address(certificate), "metadata");
        assertEq(deeds.totalSupply(), 9, "supply");
        assertEq(deeds.balanceOf(ALICE), 6, "Alice's");
        assertEq(deeds.balanceOf(STRANGER), 0, "a stranger's");
    }

    function test_interfaces() external view {
        bytes4[6] memory ids = [bytes4(0x80ac58cd), 0x01ffc9a7, 0x5b5e139f, 0x2a55205a, 0x49064906, 0];
        ids[5] = type(IERC7631Mirror).interfaceId;
        assertEq(uint32(ids[5]), uint32(bytes4(keccak256("baseERC20()"))), "ERC-7631");
        assertEq(uint32(type(IERC721).interfaceId), 0x80ac58cd, "ERC-721");
        assertEq(uint32(type(IERC721Metadata).interfaceId), 0x5b5e139f, "ERC-721 metadata");
        assertEq(uint32(type(IERC2981).interfaceId), 0x2a55205a, "ERC-2981");
        for (uint256 i = 0; i < 6; ++i) assertTrue(deeds.supportsInterface(ids[i]), "an interface");
        assertTrue(!deeds.supportsInterface(0xffffffff), "ERC-165");
        assertTrue(!deeds.supportsInterface(0x36372b07), "it is no ERC-20");
        assertEq(uint32(type(IERC165).interfaceId), 0x01ffc9a7, "ERC-165");
    }

    function test_RevertWhen_nobodysDeedsAreCounted() external {
        assertRefused(
            abi.encodeCall(deeds.balanceOf, (NOBODY)),
            abi.encodeWithSelector(IERC721Errors.ERC721InvalidOwner.selector, NOBODY)
        );
        uint256[5] memory ids = [uint256(0), 10, MAX_DEED, MAX_DEED + 1, ID + 1];
        for (uint256 i = 0; i < 5; ++i) assertNobodys(ids[i]);
    }

    function assertRefused(bytes memory data, bytes memory reason) private {
        assertRefused(ALICE, address(deeds), data, reason);
    }

    // ---- Transfers ----

    /// @dev By any of the functions.
    function transferBy(
        uint256 way,
        address from,
        address to,
        uint256 id
    ) private view returns (bytes memory) {
        if (way % 3 == 0) return abi.encodeCall(deeds.transferFrom, (from, to, id));
        if (way % 3 == 1) {
            return abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", from, to, id);
        }
        return
            abi.encodeWithSignature(
                "safeTransferFrom(address,address,uint256,bytes)",
                from,
                to,
                id,
                bytes("hello")
            );
    }

    function done(address caller, bytes memory data) private {
        vm.prank(caller);
        (bool success, ) = address(deeds).call(data);
        assertTrue(success, "refused");
    }

    /// @dev To anybody: exempt or not, with its unit, and the approval is gone.
    /// hardhat-config: default.fuzz.runs = 64
    function testFuzz_transfer(uint256 way, uint256 id, uint256 by, uint256 whom) public {
        id = bound(id, 1, 6);
        skip(BOB, true);
        address to = [BOB, CAROL, address(receiver), address(pool)][whom % 4];
        if (to == address(pool)) way = 0;
        approveDeed(ALICE, STRANGER, id);
        vm.prank(ALICE);
        deeds.setApprovalForAll(OWNER, true);
        address caller = [ALICE, STRANGER, OWNER][by % 3];
        vm.recordLogs();
        done(caller, transferBy(way, ALICE, to, id));
        expectTransfer(ALICE, to, UNIT);
        expectDeeds(ALICE, to, listOf(id));
        assertLogs();
        assertOwner(id, to);
        assertApproved(id, NOBODY);
        uint256[] memory left = range(1, 5);
        if (id != 6) left[id - 1] = 6;
        assertDeeds(ALICE, left);
        assertDeeds(to, to == BOB ? join(range(7, 9), listOf(id)) : listOf(id));
        assertStanding(ALICE, 5 * UNIT + 1, 5, 0);
        assertStanding(to, to == BOB ? 4 * UNIT : UNIT, to == BOB ? 4 : 1, 0);
        assertEq(deeds.totalSupply(), 9, "deeds in all");
        assertEq(ownership.totalSupply(), 9 * UNIT + 1, "supply");
        if (to != address(receiver) || way % 3 == 0) return;
        bytes memory data = way % 3 == 2 ? bytes("hello") : bytes("");
        assertEq(receiver.asked(), abi.encode(address(deeds), caller, ALICE, id, data), "asked");
    }

    function test_transfer() external {
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 36; ++i) {
            testFuzz_transfer(i / 12, 1 + (i % 6), i, i % 4);
            vm.revertToState(state);
        }
    }

    /// @dev It stays where it is, and the approval ends.
    function test_transferToOneself() external {
        approveDeed(ALICE, STRANGER, 2);
        vm.recordLogs();
        done(STRANGER, transferBy(0, ALICE, ALICE, 2));
        expectTransfer(ALICE, ALICE, UNIT);
        expectDeeds(ALICE, ALICE, listOf(2));
        assertLogs();
        assertDeeds(ALICE, range(1, 6));
        assertApproved(2, NOBODY);
        assertStanding(ALICE, 6 * UNIT + 1, 6, 0);
        assertRefused(
            STRANGER,
            address(deeds),
            transferBy(0, ALICE, STRANGER, 2),
            abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, STRANGER, 2)
        );
    }

    function test_RevertWhen_receiverDoesNotAccept() external {
        bytes memory invalid = abi.encodeWithSelector(
            IERC721Errors.ERC721InvalidReceiver.selector,
            address(receiver)
        );
        for (uint256 way = 1; way < 3; ++way) {
            bytes memory data = transferBy(way, ALICE, address(receiver), 2);
            receiver.answer(DeedReceiver.Answer.Wrong);
            assertRefused(data, invalid);
            receiver.answer(DeedReceiver.Answer.RefuseWithoutReason);
            assertRefused(data, invalid);
            receiver.answer(DeedReceiver.Answer.Refuse);
            assertRefused(data, abi.encodeWithSelector(DeedReceiver.DeedReceiver_Refused.selector, 2));
            receiver.answer(DeedReceiver.Answer.Short);
            assertRefused(data, "");
            assertRefused(
                transferBy(way, ALICE, address(pool), 2),
                abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(pool))
            );
        }
        assertDeeds(ALICE, range(1, 6));
        assertStanding(address(receiver), 0, 0, 0);
        done(ALICE, transferBy(0, ALICE, address(receiver), 2));
        assertOwner(2, address(receiver));
    }

    function test_RevertWhen_itIsNotTransferred() external {
        release(BOB, 1);
        for (uint256 way = 0; way < 3; ++way) {
            uint256[5] memory ids = [uint256(0), 9, 10, MAX_DEED + 1, ID + 1];
            for (uint256 i = 0; i < 5; ++i) {
                bytes memory reason = abi.encodeWithSelector(
                    IERC721Errors.ERC721NonexistentToken.selector,
                    ids[i]
                );
                assertRefused(transferBy(way, ALICE, CAROL, ids[i]), reason);
                // Whoever is said to own it.
                assertRefused(transferBy(way, NOBODY, CAROL, ids[i]), reason);
                assertRefused(BOB, address(deeds), transferBy(way, BOB, CAROL, ids[i]), reason);
            }
            assertRefused(
                transferBy(way, ALICE, CAROL, 7),
                abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, ALICE, 7, BOB)
            );
            assertRefused(
                transferBy(way, BOB, CAROL, 7),
                abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, ALICE, 7)
            );
            address[3] memory refused = [NOBODY, address(ownership), address(deeds)];
            for (uint256 i = 0; i < 3; ++i) {
                assertRefused(
                    transferBy(way, ALICE, refused[i], 1),
                    abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, refused[i])
                );
            }
        }
        assertDeeds(ALICE, range(1, 6));
        assertDeeds(BOB, listOf(7, 8));
    }

    // ---- Approvals ----

    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_approve(uint256 id, bool byOperator, address spender) public {
        id = bound(id, 1, 6);
        vm.prank(ALICE);
        deeds.setApprovalForAll(CAROL, true);
        vm.recordLogs();
        approveDeed(byOperator ? CAROL : ALICE, spender, id);
        expectDeedApproval(ALICE, spender, id);
        assertLogs();
        assertApproved(id, spender);
        for (uint256 other = 1; other < 10; ++other) if (other != id) assertApproved(other, NOBODY);
        vm.recordLogs();
        approveDeed(ALICE, STRANGER, id);
        expectDeedApproval(ALICE, STRANGER, id);
        approveDeed(ALICE, NOBODY, id);
        expectDeedApproval(ALICE, NOBODY, id);
        assertLogs();
        assertApproved(id, NOBODY);
    }

    function test_approve() external {
        testFuzz_approve(3, false, BOB);
        testFuzz_approve(4, true, NOBODY);
    }

    /// @dev All approvals of a holder, beside each other in one word, are each other's business in nothing.
    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_approvalsAreApart(uint256 mask, uint256 moved) public {
        moved = bound(moved, 1, 6);
        for (uint256 id = 1; id <= 6; ++id) {
            if ((mask >> id) % 2 == 1) approveDeed(ALICE, address(uint160(id)), id);
        }
        done(ALICE, transferBy(0, ALICE, CAROL, moved));
        for (uint256 id = 1; id <= 6; ++id) {
            bool stays = id != moved && (mask >> id) % 2 == 1;
            assertApproved(id, stays ? address(uint160(id)) : NOBODY);
        }
    }

    function test_approvalsAreApart() external {
        testFuzz_approvalsAreApart(type(uint256).max, 2);
    }

    /// @dev Each way that a deed leaves its owner ends it: by hand, into the queue, and back.
    function test_approvalsEndWithERC20Transfers() external {
        for (uint256 id = 1; id <= 6; ++id) approveDeed(ALICE, STRANGER, id);
        transfer(ALICE, BOB, UNIT);
        assertOwner(6, BOB);
        assertApproved(6, NOBODY);
        transfer(ALICE, address(pool), 2 * UNIT);
        assertEq(queue(), listOf(5, 4), "queue");
        transfer(address(pool), ALICE, 2 * UNIT);
        assertDeeds(ALICE, join(range(1, 3), listOf(5, 4)));
        assertApproved(5, NOBODY);
        assertApproved(4, NOBODY);
        assertApproved(3, STRANGER);
        release(ALICE, 3);
        materialise(ALICE, 3);
        assertDeeds(ALICE, join(listOf(1, 2), listOf(4, 5, 3)));
        assertApproved(3, NOBODY);
        assertApproved(2, STRANGER);
        for (uint256 id = 3; id <= 6; ++id) {
            assertRefused(
                STRANGER,
                address(deeds),
                transferBy(0, id == 6 ? BOB : ALICE, STRANGER, id),
                abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, STRANGER, id)
            );
        }
        done(STRANGER, transferBy(0, ALICE, STRANGER, 2));
        assertOwner(2, STRANGER);
    }

    function test_RevertWhen_itIsNotApproved() external {
        approveDeed(ALICE, STRANGER, 1);
        assertRefused(
            abi.encodeCall(deeds.approve, (CAROL, 10)),
            abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 10)
        );
        address[2] memory callers = [STRANGER, BOB];
        for (uint256 i = 0; i < 2; ++i) {
            assertRefused(
                callers[i],
                address(deeds),
                abi.encodeCall(deeds.approve, (CAROL, 1)),
                abi.encodeWithSelector(IERC721Errors.ERC721InvalidApprover.selector, callers[i])
            );
        }
        assertApproved(1, STRANGER);
    }

    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_operators(address operator, bool approved) public {
        if (operator == NOBODY) operator = CAROL;
        vm.recordLogs();
        vm.prank(ALICE);
        deeds.setApprovalForAll(operator, approved);
        expectOperator(ALICE, operator, approved);
        assertLogs();
        assertTrue(deeds.isApprovedForAll(ALICE, operator) == approved, "at the mirror");
        assertTrue(ownership.isApprovedForAll(ALICE, operator) == approved, "at the base");
        assertTrue(!deeds.isApprovedForAll(operator, ALICE), "the other way");
        vm.prank(ALICE);
        deeds.setApprovalForAll(operator, !approved);
        assertTrue(ownership.isApprovedForAll(ALICE, operator) != approved, "changed");
    }

    function test_operators() external {
        testFuzz_operators(CAROL, true);
        assertRefused(
            abi.encodeCall(deeds.setApprovalForAll, (NOBODY, true)),
            abi.encodeWithSelector(IERC721Errors.ERC721InvalidOperator.selector, NOBODY)
        );
    }

    // ---- The base ----

    function test_RevertWhen_callerIsNotTheBase() external {
        bytes[3] memory calls = [
            abi.encodeCall(deeds.logTransfers, (ALICE, BOB, listOf(1))),
            abi.encodeCall(deeds.logApproval, (ALICE, BOB, 1)),
            abi.encodeCall(deeds.logApprovalForAll, (ALICE, BOB, true))
        ];
        address[3] memory callers = [ALICE, OWNER, address(deeds)];
        for (uint256 i = 0; i < 9; ++i) {
            assertRefused(
                callers[i / 3],
                address(deeds),
                calls[i % 3],
                abi.encodeWithSelector(IModelDeeds.ModelDeeds_NotBase.selector, callers[i / 3])
            );
        }
    }

    // ---- Looks ----

    function test_metadataIsReplaced() external {
        OddMetadata odd = new OddMetadata();
        odd.set(abi.encode("ipfs://other"), false);
        vm.recordLogs();
        setMetadata(address(odd));
        expectLog(address(deeds), [keccak256("MetadataSet(address)"), word(address(odd)), 0, 0], 2, "");
        expectLog(
            address(deeds),
            [keccak256("BatchMetadataUpdate(uint256,uint256)"), 0, 0, 0],
            1,
            abi.encode(1, type(uint256).max)
        );
        assertLogs();
        assertEq(address(deeds.metadata()), address(odd), "metadata");
        assertEq(bytes(deeds.tokenURI(3)), "ipfs://other", "URI");
        assertEq(bytes(ownership.tokenURI(ID + 3)), "ipfs://other", "at the base");
        assertNobodys(10);
        setMetadata(address(certificate));
        assertOnChain();
    }

    function setMetadata(address metadata) private {
        vm.prank(OWNER);
        deeds.setMetadata(IDeedMetadata(metadata));
    }

    function assertOnChain() private view {
        string memory expected = certificate.deedURI(address(ownership), 3);
        assertEq(bytes(deeds.tokenURI(3)), bytes(expected), "on chain");
        assertEq(bytes(ownership.tokenURI(ID + 3)), bytes(expected), "on chain, at the base");
    }

    /// @dev Whatever it answers but one string that is not empty.
    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_oddMetadata(bytes calldata answer, bool reverts) public {
        OddMetadata odd = new OddMetadata();
        odd.set(answer, reverts);
        setMetadata(address(odd));
        if (reverts) assertOnChain();
        else if (answer.length < 0x41) assertOnChain();
        else deeds.tokenURI(3);
    }

    function test_oddMetadata() external {
        OddMetadata odd = new OddMetadata();
        setMetadata(address(odd));
        bytes[10] memory answers = [
            bytes(""),
            hex"01",
            abi.encode(""),
            abi.encode(0x20),
            // More than there is, by one and by far.
            abi.encode(0x20, 33, "a"),
            abi.encodePacked(uint256(0x20), uint256(2), "a"),
            abi.encode(0x20, type(uint256).max, 7),
            abi.encode(type(uint256).max, 1, 7),
            abi.encode(0x40, 1, 7),
            abi.encode(0, 1, 7)
        ];
        answers[4] = abi.encode(0x20, 33, bytes32("a"));
        for (uint256 i = 0; i < answers.length; ++i) {
            odd.set(answers[i], false);
            assertOnChain();
            odd.set(answers[i], true);
            assertOnChain();
        }
        odd.set(abi.encode("x"), true);
        assertOnChain();
        odd.set(abi.encodePacked(uint256(0x20), uint256(1), "a"), false);
        assertEq(bytes(deeds.tokenURI(3)), "a", "just enough");
        // Its code is gone.
        vm.etch(address(odd), "");
        assertOnChain();
    }

    function test_RevertWhen_looksAreNotChanged() external {
        assertRefused(
            abi.encodeCall(deeds.setMetadata, (certificate)),
            abi.encodeWithSelector(IModelDeeds.ModelDeeds_NotOwner.selector, ALICE)
        );
        address[2] memory wrong = [NOBODY, BOB];
        for (uint256 i = 0; i < 2; ++i) {
            assertRefused(
                OWNER,
                address(deeds),
                abi.encodeCall(deeds.setMetadata, (IDeedMetadata(wrong[i]))),
                abi.encodeWithSelector(IModelDeeds.ModelDeeds_NoMetadata.selector, wrong[i])
            );
        }
        assertEq(address(deeds.metadata()), address(certificate), "metadata");
    }

    // ---- Royalty ----

    /// @dev Rounded down, whatever the price.
    function testFuzz_royalty(uint256 bps, uint256 price, uint256 id) public {
        bps = bound(bps, 0, 1_000);
        (address to, uint256 amount) = deeds.royaltyInfo(id, price);
        assertEq(to, NOBODY, "nobody before");
        assertEq(amount, 0, "nothing before");
        vm.recordLogs();
        vm.prank(OWNER);
        deeds.setRoyalty(CAROL, bps);
        expectLog(
            address(deeds),
            [keccak256("RoyaltySet(address,uint256)"), word(CAROL), 0, 0],
            2,
            abi.encode(bps)
        );
        assertLogs();
        (to, amount) = deeds.royaltyInfo(id, price);
        assertEq(to, CAROL, "receiver");
        assertEq(amount, (price / 10_000) * bps + ((price % 10_000) * bps) / 10_000, "amount");
        vm.prank(OWNER);
        deeds.setRoyalty(NOBODY, 0);
        (to, amount) = deeds.royaltyInfo(id, price);
        assertEq(to, NOBODY, "nobody any more");
        assertEq(amount, 0, "nothing any more");
    }

    function test_royalty() external {
        testFuzz_royalty(1_000, 19, 3);
        testFuzz_royalty(999, type(uint256).max, 0);
        testFuzz_royalty(1, 9_999, 0);
    }

    function test_RevertWhen_royaltyIsRefused() external {
        assertRefused(
            abi.encodeCall(deeds.setRoyalty, (ALICE, 1)),
            abi.encodeWithSelector(IModelDeeds.ModelDeeds_NotOwner.selector, ALICE)
        );
        assertRefused(
            OWNER,
            address(deeds),
            abi.encodeCall(deeds.setRoyalty, (CAROL, 1_001)),
            abi.encodeWithSelector(IModelDeeds.ModelDeeds_RoyaltyTooHigh.selector, 1_001, 1_000)
        );
        assertRefused(
            OWNER,
            address(deeds),
            abi.encodeCall(deeds.setRoyalty, (CAROL, type(uint256).max)),
            abi.encodeWithSelector(IModelDeeds.ModelDeeds_RoyaltyTooHigh.selector, type(uint256).max, 1_000)
        );
        assertRefused(
            OWNER,
            address(deeds),
            abi.encodeCall(deeds.setRoyalty, (NOBODY, 1)),
            abi.encodeWithSelector(IModelDeeds.ModelDeeds_ZeroReceiver.selector)
        );
    }
}
