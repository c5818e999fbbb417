// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC404} from "../../../contracts/interfaces/IERC404.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {DeedReceiver, OwnershipTest} from "./OwnershipTest.sol";

/// @notice What calls a model's ownership by Pandora's ERC-404 finds: deeds by ids above 2^255, with its errors.
contract ModelOwnershipERC404Test is OwnershipTest {
    Actor private pool;
    DeedReceiver private receiver;

    /// @dev Alice has deeds 1 to 5, Bob 6 to 8.
    function setUp() external {
        vm.warp(START);
        (pool, receiver) = (new Actor(), new DeedReceiver());
        IModelOwnership.Settings memory settings = someSettings();
        allocate(settings, ALICE, 5 * UNIT + 1);
        allocate(settings, BOB, 3 * UNIT);
        open(settings);
    }

    /// @dev By any of the functions that transfer an id.
    function transferId(
        uint256 way,
        address from,
        address to,
        uint256 id
    ) private view returns (bytes memory) {
        if (way % 4 == 0) return abi.encodeCall(ownership.transferFrom, (from, to, ID + id));
        if (way % 4 == 1) return abi.encodeCall(ownership.erc721TransferFrom, (from, to, ID + id));
        if (way % 4 == 2) {
            return abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", from, to, ID + id);
        }
        return
            abi.encodeWithSignature(
                "safeTransferFrom(address,address,uint256,bytes)",
                from,
                to,
                ID + id,
                bytes("hello")
            );
    }

    function approveId(uint256 way, address spender, uint256 id) private view returns (bytes memory) {
        if (way % 2 == 0) return abi.encodeCall(ownership.approve, (spender, ID + id));
        return abi.encodeCall(ownership.erc721Approve, (spender, ID + id));
    }

    function done(address caller, bytes memory data) private {
        vm.prank(caller);
        (bool success, bytes memory answer) = address(ownership).call(data);
        assertTrue(success, "refused");
        if (bytes4(data) == ownership.approve.selector || bytes4(data) == ownership.transferFrom.selector) {
            assertTrue(abi.decode(answer, (bool)), "answer");
        } else assertEq(answer.length, 0, "no answer");
    }

    // ---- Transfers ----

    /// hardhat-config: default.fuzz.runs = 64
    function testFuzz_transferOfAnId(uint256 way, uint256 id, uint256 by) public {
        id = bound(id, 1, 5);
        address to = way % 8 < 4 ? BOB : address(receiver);
        approveDeed(ALICE, STRANGER, id);
        vm.prank(ALICE);
        ownership.setApprovalForAll(CAROL, true);
        address caller = [ALICE, STRANGER, CAROL][by % 3];
        vm.recordLogs();
        done(caller, transferId(way, ALICE, to, id));
        expectTransfer(ALICE, to, UNIT);
        expectDeeds(ALICE, to, listOf(id));
        assertLogs();
        assertOwner(id, to);
        assertApproved(id, NOBODY);
        assertStanding(ALICE, 4 * UNIT + 1, 4, 0);
        assertStanding(to, to == BOB ? 4 * UNIT : UNIT, to == BOB ? 4 : 1, 0);
        assertEq(ownership.totalSupply(), 8 * UNIT + 1, "supply");
        if (to == BOB) return;
        bytes memory data = way % 4 == 3 ? bytes("hello") : bytes("");
        bytes memory asked = abi.encode(address(ownership), caller, ALICE, ID + id, data);
        assertEq(receiver.asked(), way % 4 < 2 ? bytes("") : asked, "asked");
    }

    function test_transferOfAnId() external {
        uint256 state = vm.snapshotState();
        for (uint256 way = 0; way < 8; ++way) {
            testFuzz_transferOfAnId(way, 3, way);
            vm.revertToState(state);
        }
    }

    /// @dev To a person, whatever its code says.
    function test_safeTransferAsksWhoeverHasCode() external {
        delegateCode(CAROL, address(receiver));
        done(ALICE, transferId(2, ALICE, CAROL, 1));
        assertEq(
            DeedReceiver(payable(CAROL)).asked(),
            abi.encode(address(ownership), ALICE, ALICE, ID + 1, ""),
            "asked"
        );
        assertOwner(1, CAROL);
    }

    function test_RevertWhen_receiverDoesNotAccept() external {
        for (uint256 way = 2; way < 4; ++way) {
            bytes memory data = transferId(way, ALICE, address(receiver), 2);
            receiver.answer(DeedReceiver.Answer.Wrong);
            assertRefused(ALICE, data, IERC404.UnsafeRecipient.selector);
            receiver.answer(DeedReceiver.Answer.Refuse);
            assertRefused(
                ALICE,
                address(ownership),
                data,
                abi.encodeWithSelector(DeedReceiver.DeedReceiver_Refused.selector, ID + 2)
            );
            receiver.answer(DeedReceiver.Answer.RefuseWithoutReason);
            assertRefused(ALICE, address(ownership), data, "");
            receiver.answer(DeedReceiver.Answer.Short);
            assertRefused(ALICE, address(ownership), data, "");
            // Without such a function.
            assertRefused(ALICE, address(ownership), transferId(way, ALICE, address(pool), 2), "");
        }
        assertDeeds(ALICE, range(1, 5));
        // Nobody is asked otherwise.
        done(ALICE, transferId(0, ALICE, address(receiver), 2));
        done(ALICE, transferId(1, ALICE, address(pool), 1));
        assertOwner(2, address(receiver));
        assertOwner(1, address(pool));
    }

    function test_RevertWhen_anIdIsNotTransferred() external {
        release(BOB, 1);
        for (uint256 way = 0; way < 4; ++way) {
            // Nobody's: never made, waiting.
            assertRefused(ALICE, transferId(way, ALICE, BOB, 9), IERC404.NotFound.selector);
            assertRefused(BOB, transferId(way, BOB, ALICE, 8), IERC404.NotFound.selector);
            assertRefused(ALICE, transferId(way, ALICE, BOB, MAX_DEED), IERC404.NotFound.selector);
            // Another's, by another.
            assertRefused(ALICE, transferId(way, ALICE, BOB, 6), IERC404.Unauthorized.selector);
            assertRefused(STRANGER, transferId(way, STRANGER, BOB, 1), IERC404.Unauthorized.selector);
            assertRefused(BOB, transferId(way, ALICE, BOB, 1), IERC404.Unauthorized.selector);
            assertRefused(BOB, transferId(way, NOBODY, BOB, 1), IERC404.Unauthorized.selector);
            // To nobody and to the pair.
            assertRefused(ALICE, transferId(way, ALICE, NOBODY, 1), IERC404.InvalidRecipient.selector);
            assertRefused(
                ALICE,
                transferId(way, ALICE, address(ownership), 1),
                IERC404.InvalidRecipient.selector
            );
            assertRefused(
                ALICE,
                transferId(way, ALICE, address(deeds), 1),
                IERC404.InvalidRecipient.selector
            );
        }
        for (uint256 way = 1; way < 4; ++way) {
            uint256[4] memory ids = [uint256(0), MAX_DEED + 1, type(uint256).max - ID, 2 ** 200];
            for (uint256 i = 0; i < 4; ++i) {
                assertRefused(ALICE, transferId(way, ALICE, BOB, ids[i]), IERC404.InvalidTokenId.selector);
            }
        }
        assertDeeds(ALICE, range(1, 5));
        assertDeeds(BOB, listOf(6, 7));
    }

    /// @dev Who has said that it wants none, or of whom the owner has, gets none here; who has said nothing does.
    function test_RevertWhen_recipientIsExempt() external {
        skip(BOB, true);
        vm.prank(OWNER);
        ownership.setExempt(address(receiver), true);
        for (uint256 way = 0; way < 4; ++way) {
            bytes4 reason = IERC404.RecipientIsERC721TransferExempt.selector;
            assertRefused(ALICE, transferId(way, ALICE, BOB, 1), reason);
            assertRefused(ALICE, transferId(way, ALICE, address(receiver), 1), reason);
        }
        // As ERC-721, they arrive anywhere.
        transferDeed(ALICE, BOB, 1);
        assertOwner(1, BOB);
        skip(BOB, false);
        vm.prank(OWNER);
        ownership.setExempt(address(receiver), false);
        assertTrue(ownership.getSkipNFT(address(receiver)), "by itself");
        done(ALICE, transferId(0, ALICE, BOB, 2));
        done(ALICE, transferId(0, ALICE, address(receiver), 3));
        assertOwner(3, address(receiver));
    }

    function assertRefused(address caller, bytes memory data, bytes4 reason) private {
        assertRefused(caller, address(ownership), data, abi.encodeWithSelector(reason));
    }

    // ---- Approvals ----

    /// hardhat-config: default.fuzz.runs = 48
    function testFuzz_approvalOfAnId(uint256 way, uint256 id, bool byOperator) public {
        id = bound(id, 1, 5);
        vm.prank(ALICE);
        ownership.setApprovalForAll(CAROL, true);
        vm.recordLogs();
        done(byOperator ? CAROL : ALICE, approveId(way, STRANGER, id));
        expectDeedApproval(ALICE, STRANGER, id);
        assertLogs();
        assertApproved(id, STRANGER);
        for (uint256 other = 1; other <= 8; ++other) if (other != id) assertApproved(other, NOBODY);
        assertEq(ownership.allowance(ALICE, STRANGER), 0, "no allowance");
        vm.recordLogs();
        done(ALICE, approveId(way, NOBODY, id));
        expectDeedApproval(ALICE, NOBODY, id);
        assertLogs();
        assertApproved(id, NOBODY);
        assertRefused(STRANGER, transferId(0, ALICE, BOB, id), IERC404.Unauthorized.selector);
    }

    function test_approvalOfAnId() external {
        testFuzz_approvalOfAnId(0, 2, false);
        testFuzz_approvalOfAnId(1, 5, true);
    }

    function test_RevertWhen_anIdIsNotApproved() external {
        approveDeed(ALICE, STRANGER, 1);
        for (uint256 way = 0; way < 2; ++way) {
            assertRefused(ALICE, approveId(way, CAROL, 9), IERC404.NotFound.selector);
            assertRefused(BOB, approveId(way, CAROL, 1), IERC404.Unauthorized.selector);
            // Who is approved may not pass that on.
            assertRefused(STRANGER, approveId(way, CAROL, 1), IERC404.Unauthorized.selector);
        }
        assertRefused(ALICE, approveId(1, CAROL, 0), IERC404.InvalidTokenId.selector);
        assertRefused(ALICE, approveId(1, CAROL, MAX_DEED + 1), IERC404.InvalidTokenId.selector);
        assertApproved(1, STRANGER);
    }

    function test_operators() external {
        vm.recordLogs();
        vm.prank(ALICE);
        ownership.setApprovalForAll(CAROL, true);
        expectOperator(ALICE, CAROL, true);
        assertLogs();
        assertTrue(ownership.isApprovedForAll(ALICE, CAROL), "approved");
        assertTrue(deeds.isApprovedForAll(ALICE, CAROL), "at the mirror");
        assertTrue(!ownership.isApprovedForAll(CAROL, ALICE), "the other way");
        done(CAROL, transferId(0, ALICE, BOB, 1));
        assertRefused(CAROL, transferId(0, BOB, ALICE, 1), IERC404.Unauthorized.selector);
        vm.recordLogs();
        vm.prank(ALICE);
        ownership.setApprovalForAll(CAROL, false);
        expectOperator(ALICE, CAROL, false);
        assertLogs();
        assertRefused(CAROL, transferId(0, ALICE, BOB, 2), IERC404.Unauthorized.selector);
        bytes memory data = abi.encodeCall(ownership.setApprovalForAll, (NOBODY, true));
        assertRefused(ALICE, data, IERC404.InvalidOperator.selector);
    }

    function test_RevertWhen_permitIsOfAnId() external {
        uint256[3] memory ids = [ID + 1, ID + 77, ID + MAX_DEED];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory data = abi.encodeCall(ownership.permit, (ALICE, BOB, ids[i], START, 27, "", ""));
            assertRefused(BOB, data, IERC404.InvalidApproval.selector);
        }
        // What is none fails by its signature.
        (bool success, bytes memory reason) = address(ownership).call(
            abi.encodeCall(ownership.permit, (ALICE, BOB, ID + MAX_DEED + 1, START, 27, "", ""))
        );
        assertTrue(!success && bytes4(reason) != IERC404.InvalidApproval.selector, "an amount");
    }

    // ---- Views ----

    function testFuzz_viewsOfWhatIsNoId(uint256 value) public {
        if (value > ID && value <= ID + MAX_DEED) value = ID;
        bytes4 reason = IERC404.InvalidTokenId.selector;
        assertRefused(ALICE, abi.encodeCall(ownership.ownerOf, (value)), reason);
        assertRefused(ALICE, abi.encodeCall(ownership.getApproved, (value)), reason);
        assertRefused(ALICE, abi.encodeCall(ownership.tokenURI, (value)), reason);
        assertRefused(ALICE, abi.encodeCall(ownership.erc721Approve, (BOB, value)), reason);
        assertRefused(ALICE, abi.encodeCall(ownership.erc721TransferFrom, (ALICE, BOB, value)), reason);
        // At the mirror, ids are small.
        if (value == 0 || value > 8) {
            assertEq(ownership.deedOwnerOf(value), NOBODY, "owner");
            assertEq(ownership.deedApproved(value), NOBODY, "approved");
        }
    }

    function test_viewsOfWhatIsNoId() external {
        testFuzz_viewsOfWhatIsNoId(1);
        testFuzz_viewsOfWhatIsNoId(0);
        testFuzz_viewsOfWhatIsNoId(ID);
        testFuzz_viewsOfWhatIsNoId(ID + MAX_DEED + 1);
        testFuzz_viewsOfWhatIsNoId(type(uint256).max);
    }

    function test_tokenURIIsTheMirrors() external view {
        assertEq(bytes(ownership.tokenURI(ID + 3)), bytes(deeds.tokenURI(3)), "URI");
        assertEq(bytes(ownership.tokenURI(ID + 3)), bytes(certificate.deedURI(address(ownership), 3)), "URI");
    }
}
