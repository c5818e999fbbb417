// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

import {IDeedMetadata} from "../../../contracts/interfaces/IDeedMetadata.sol";
import {IModelDeeds} from "../../../contracts/interfaces/IModelDeeds.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {Test} from "../utils/Test.sol";
import {Vm} from "../utils/Vm.sol";

/// @notice An account that is a contract and is asked when it is given a deed.
contract DeedReceiver is Actor, IERC721Receiver {
    enum Answer {
        Accept,
        /// Makes the armed call, and accepts.
        Reenter,
        Wrong,
        Refuse,
        RefuseWithoutReason,
        /// Less than a word.
        Short
    }

    Answer private _answer;
    /// What it was last asked.
    bytes public asked;

    error DeedReceiver_Refused(uint256 id);

    function answer(Answer answer_) external {
        _answer = answer_;
    }

    function onERC721Received(
        address operator,
        address from,
        uint256 id,
        bytes calldata data
    ) external override returns (bytes4) {
        asked = abi.encode(msg.sender, operator, from, id, data);
        if (_answer == Answer.Reenter) reenter();
        if (_answer == Answer.Wrong) return 0xdeadbeef;
        if (_answer == Answer.Refuse) revert DeedReceiver_Refused(id);
        if (_answer == Answer.RefuseWithoutReason) revert();
        if (_answer == Answer.Short) {
            assembly {
                return(0, 4)
            }
        }
        return IERC721Receiver.onERC721Received.selector;
    }
}

/// @dev A model's ownership from the code that is built for the chain, and its parties.
abstract contract OwnershipTest is Test {
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant UNIT = 1e18;
    uint256 internal constant AUTO_DEEDS = 128;
    uint256 internal constant MAX_DEED = 2 ** 24 - 1;
    uint256 internal constant ID = 2 ** 255;
    address internal constant NOBODY = address(0);
    address internal constant OWNER = address(0x0E);
    address internal constant MINTER = address(0x417);
    address internal constant STRANGER = address(0x57A);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant CAROL = address(0xCA401);

    IModelOwnership internal ownership;
    IModelDeeds internal deeds;
    IDeedMetadata internal certificate;

    // ---- Set up ----

    /// @notice 1,000 units, all of which are still to be allocated; nobody mints.
    function someSettings() internal returns (IModelOwnership.Settings memory settings) {
        if (address(certificate) == NOBODY) {
            certificate = IDeedMetadata(create("contracts/model/DeedCertificate.sol:DeedCertificate", ""));
        }
        settings.name = "Model";
        settings.symbol = "MDL";
        settings.licence = "Apache-2.0";
        settings.unit = UNIT;
        settings.cap = 1_000 * UNIT;
        settings.owner = OWNER;
        settings.metadata = certificate;
    }

    function deploy(IModelOwnership.Settings memory settings) internal returns (IModelOwnership) {
        return
            IModelOwnership(
                create("contracts/model/ModelOwnership.sol:ModelOwnership", abi.encode(settings))
            );
    }

    function open(IModelOwnership.Settings memory settings) internal {
        ownership = deploy(settings);
        deeds = IModelDeeds(ownership.mirrorERC721());
    }

    function allocate(
        IModelOwnership.Settings memory settings,
        address account,
        uint256 amount
    ) internal pure {
        IModelOwnership.Allocation[] memory before = settings.allocations;
        settings.allocations = new IModelOwnership.Allocation[](before.length + 1);
        for (uint256 i = 0; i < before.length; ++i) settings.allocations[i] = before[i];
        settings.allocations[before.length] = IModelOwnership.Allocation(account, amount);
    }

    /// @notice A person's account that acts by the code of `implementation` (EIP-7702).
    function delegateCode(address account, address implementation) internal {
        vm.etch(account, abi.encodePacked(hex"ef0100", implementation));
    }

    // ---- What accounts do ----

    function transfer(address from, address to, uint256 amount) internal {
        vm.prank(from);
        assertTrue(ownership.transfer(to, amount), "transfer");
    }

    function transferDeed(address from, address to, uint256 id) internal {
        vm.prank(from);
        deeds.transferFrom(from, to, id);
    }

    function materialise(address account, uint256 count) internal returns (uint256) {
        vm.prank(account);
        return ownership.materialise(count);
    }

    function release(address account, uint256 count) internal returns (uint256) {
        vm.prank(account);
        return ownership.release(count);
    }

    function skip(address account, bool skips) internal {
        vm.prank(account);
        ownership.setSkipNFT(skips);
    }

    function approveDeed(address account, address spender, uint256 id) internal {
        vm.prank(account);
        deeds.approve(spender, id);
    }

    // ---- Looks ----

    function deedsOf(address account) internal view returns (uint256[] memory) {
        return ownership.deedsOf(account, 0, type(uint256).max);
    }

    /// @notice From the next one that is given out, step by step.
    function queue() internal view returns (uint256[] memory ids) {
        ids = new uint256[](ownership.getERC721QueueLength());
        uint256 id = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            id = ownership.nextInQueue(id);
            ids[i] = id;
        }
        assertEq(ownership.nextInQueue(id), 0, "more in the queue");
    }

    function listOf(uint256 first) internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = first;
    }

    function listOf(uint256 first, uint256 second) internal pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = (first, second);
    }

    function listOf(
        uint256 first,
        uint256 second,
        uint256 third
    ) internal pure returns (uint256[] memory list) {
        list = new uint256[](3);
        (list[0], list[1], list[2]) = (first, second, third);
    }

    /// @notice All from `first` to `last`, up or down.
    function range(uint256 first, uint256 last) internal pure returns (uint256[] memory list) {
        list = new uint256[]((first < last ? last - first : first - last) + 1);
        for (uint256 i = 0; i < list.length; ++i) list[i] = first < last ? first + i : first - i;
    }

    function join(uint256[] memory a, uint256[] memory b) internal pure returns (uint256[] memory list) {
        list = new uint256[](a.length + b.length);
        for (uint256 i = 0; i < a.length; ++i) list[i] = a[i];
        for (uint256 i = 0; i < b.length; ++i) list[a.length + i] = b[i];
    }

    // ---- Assertions ----

    function assertEq(uint256[] memory actual, uint256[] memory expected, string memory what) internal pure {
        if (keccak256(abi.encode(actual)) == keccak256(abi.encode(expected))) return;
        assertEq(actual.length, expected.length, what);
        for (uint256 i = 0; i < actual.length; ++i) assertEq(actual[i], expected[i], what);
    }

    /// @notice These are all deeds of `account`, in this order, wherever one looks.
    function assertDeeds(address account, uint256[] memory ids) internal view {
        assertEq(deedsOf(account), ids, "deeds");
        assertEq(deeds.deedsOf(account, 0, type(uint256).max), ids, "deeds at the mirror");
        assertEq(deeds.balanceOf(account), ids.length, "number of deeds");
        assertEq(ownership.erc721BalanceOf(account), ids.length, "number of ids");
        uint256[] memory encoded = ownership.owned(account);
        assertEq(encoded.length, ids.length, "ids");
        for (uint256 i = 0; i < ids.length; ++i) {
            assertEq(encoded[i], ID + ids[i], "id");
            assertOwner(ids[i], account);
        }
    }

    function assertOwner(uint256 id, address account) internal view {
        assertEq(deeds.ownerOf(id), account, "owner");
        assertEq(ownership.ownerOf(ID + id), account, "owner at the base");
        assertEq(ownership.deedOwnerOf(id), account, "owner in the book");
    }

    function assertApproved(uint256 id, address spender) internal view {
        assertEq(deeds.getApproved(id), spender, "approved");
        assertEq(ownership.getApproved(ID + id), spender, "approved at the base");
        assertEq(ownership.deedApproved(id), spender, "approved in the book");
    }

    function assertNobodys(uint256 id) internal {
        assertEq(ownership.deedOwnerOf(id), NOBODY, "owner in the book");
        assertEq(ownership.deedApproved(id), NOBODY, "approved in the book");
        bytes memory reason = abi.encodeWithSignature("ERC721NonexistentToken(uint256)", id);
        assertRefused(STRANGER, address(deeds), abi.encodeCall(deeds.ownerOf, (id)), reason);
        assertRefused(STRANGER, address(deeds), abi.encodeCall(deeds.getApproved, (id)), reason);
        assertRefused(STRANGER, address(deeds), abi.encodeCall(deeds.tokenURI, (id)), reason);
        reason = abi.encodeWithSignature(id == 0 || id > MAX_DEED ? "InvalidTokenId()" : "NotFound()");
        if (id > ID) return;
        assertRefused(STRANGER, address(ownership), abi.encodeCall(ownership.ownerOf, (ID + id)), reason);
        assertRefused(STRANGER, address(ownership), abi.encodeCall(ownership.getApproved, (ID + id)), reason);
        assertRefused(STRANGER, address(ownership), abi.encodeCall(ownership.tokenURI, (ID + id)), reason);
    }

    function assertStanding(
        address account,
        uint256 balance,
        uint256 owned,
        uint256 uncovered
    ) internal view {
        IModelOwnership.Standing memory standing = ownership.standingOf(account);
        assertEq(standing.balance, balance, "balance");
        assertEq(standing.wholeUnits, balance / ownership.units(), "whole units");
        assertEq(standing.deeds, owned, "deeds");
        assertEq(standing.uncovered, uncovered, "uncovered");
        assertEq(ownership.balanceOf(account), balance, "balanceOf");
        assertEq(ownership.erc20BalanceOf(account), balance, "erc20BalanceOf");
    }

    /// @notice The call fails for this reason.
    function assertRefused(address caller, address target, bytes memory data, bytes memory reason) internal {
        vm.prank(caller);
        (bool success, bytes memory actual) = target.call(data);
        assertTrue(!success, "went through");
        assertEq(actual, reason, "reason");
    }

    // ---- Logs ----

    Vm.Log[] private _expected;

    /// @notice What was logged since `vm.recordLogs()` is what was expected with the functions below, and nothing besides.
    function assertLogs() internal {
        Vm.Log[] memory actual = vm.getRecordedLogs();
        assertEq(actual.length, _expected.length, "number of logs");
        for (uint256 i = 0; i < actual.length; ++i) {
            assertEq(abi.encode(actual[i]), abi.encode(_expected[i]), "log");
        }
        delete _expected;
    }

    function expectLog(address emitter, bytes32[4] memory topics, uint256 count, bytes memory data) internal {
        Vm.Log storage log = _expected.push();
        (log.emitter, log.data) = (emitter, data);
        for (uint256 i = 0; i < count; ++i) log.topics.push(topics[i]);
    }

    function expectTransfer(address from, address to, uint256 value) internal {
        expectLog(
            address(ownership),
            [IERC20.Transfer.selector, word(from), word(to), 0],
            3,
            abi.encode(value)
        );
    }

    function expectApproval(address account, address spender, uint256 value) internal {
        expectLog(
            address(ownership),
            [IERC20.Approval.selector, word(account), word(spender), 0],
            3,
            abi.encode(value)
        );
    }

    function expectDeeds(address from, address to, uint256[] memory ids) internal {
        for (uint256 i = 0; i < ids.length; ++i) {
            expectLog(
                address(deeds),
                [IERC721.Transfer.selector, word(from), word(to), bytes32(ids[i])],
                4,
                ""
            );
        }
    }

    function expectDeedApproval(address account, address spender, uint256 id) internal {
        expectLog(
            address(deeds),
            [IERC721.Approval.selector, word(account), word(spender), bytes32(id)],
            4,
            ""
        );
    }

    function expectOperator(address account, address operator, bool approved) internal {
        expectLog(
            address(deeds),
            [IERC721.ApprovalForAll.selector, word(account), word(operator), 0],
            3,
            abi.encode(approved)
        );
    }

    function expectSkip(address account, bool skips) internal {
        expectLog(
            address(ownership),
            [keccak256("SkipNFTSet(address,bool)"), word(account), 0, 0],
            2,
            abi.encode(skips)
        );
    }

    function word(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }
}
