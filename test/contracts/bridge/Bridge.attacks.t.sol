// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {IQuorumGateway} from "../../../contracts/interfaces/IQuorumGateway.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

/// @notice Attacks on both ends at once. What one end or the gateway refuses by itself has its tests, with the same numbers,
/// beside the contract's others.
contract BridgeAttacksTest is BridgeTest {
    uint256 private constant ENDOWED = 1_000_000 ether;
    uint256 private constant LOCKED = 100_000 ether;

    MockERC20 private _token;

    function setUp() external {
        begin(Kind.Vault);
        _token = new MockERC20();
        open(address(_token), address(0), address(0));
        vm.deal(address(far.bridge), ENDOWED);
    }

    // ---- Replay ----

    /// @dev Every message there ever was, at every other place: it is good once, where it is for.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A36_everyMessageIsGoodOnce(uint96 amount, bool back) external {
        uint256 wei_ = bound(amount, 1 ether, 999 ether);
        lock(LOCKED);
        arrive(far, 1, BOB, 1_000 ether, ACCOUNT);
        Side storage to = back ? home : far;
        Side storage from = otherOf(to);
        uint256 number = back ? 1 : 2;
        send(from, ALICE, ALICE, wei_, ACCOUNT);
        uint256 left = wei_ - 0.25 ether;
        IBridgeGateway.Message memory message = messageTo(
            to,
            number,
            payloadOf(number, ALICE, ALICE, left, ACCOUNT)
        );
        bytes memory data = callOf(to, message);
        // At the end that sent it, whatever that one signs.
        vm.chainId(from.chain);
        bytes4 why = IBridgeGateway.BridgeGateway_WrongRoute.selector;
        bytes memory reason = abi.encodeWithSelector(why, idOf(message));
        refuse(address(from.gateway), STRANGER, data, reason);
        refuse(address(from.gateway), STRANGER, callOf(from, message), reason);
        // On a chain of another id, and where it is for, once.
        vm.chainId(5);
        refuse(address(to.gateway), STRANGER, data, reason);
        vm.chainId(to.chain);
        uint256 had = moneyOf(to, ALICE);
        pass(address(to.gateway), STRANGER, 0, data);
        assertEq(moneyOf(to, ALICE), had + left, "paid");
        why = IBridgeGateway.BridgeGateway_AlreadyDelivered.selector;
        reason = abi.encodeWithSelector(why, idOf(message));
        refuse(address(to.gateway), STRANGER, data, reason);
        // By another message of the same number.
        message.nonce += 1_000;
        why = IAnkrBridge.AnkrBridge_AlreadyReceived.selector;
        reason = abi.encodeWithSelector(why, transferTo(to, number));
        refuse(address(to.gateway), STRANGER, callOf(to, message), reason);
        assertEq(moneyOf(to, ALICE), had + left, "paid twice");
    }

    /// @dev A pair that is made anew beside the old one pays nothing of the old one's.
    function test_A36_aNewPairIsAnother() external {
        lock(LOCKED);
        IBridgeGateway.Message memory message = messageTo(
            home,
            1,
            payloadOf(1, ALICE, STRANGER, 5 ether, ACCOUNT)
        );
        bytes memory data = callOf(home, message);
        address old = address(far.bridge);
        begin(Kind.Vault);
        open(address(_token), address(0), address(0));
        lock(LOCKED);
        vm.chainId(HOME_CHAIN);
        bytes4 why = IBridgeGateway.BridgeGateway_WrongRoute.selector;
        refuse(address(home.gateway), STRANGER, data, abi.encodeWithSelector(why, idOf(message)));
        // With the old bridge's name for a sender.
        IBridgeGateway.Message memory forged = messageTo(home, 1, message.payload);
        forged.sender = old;
        (bool success, ) = address(home.gateway).call(callOf(home, forged));
        assertTrue(!success, "the old end's went through");
        assertEq(_token.balanceOf(STRANGER), 0, "paid");
    }

    /// @dev There is no refund: what was sent comes out at the other end, or nowhere. Nobody has a way to have both.
    function test_A36_thereIsNoRefund() external {
        bytes32 transfer = send(home, ALICE, BOB, 10 ether, ACCOUNT);
        string[8] memory names = [
            "refund(bytes32)",
            "cancel(bytes32)",
            "withdraw(uint256)",
            "withdraw(address,uint256)",
            "rescue(address,address,uint256)",
            "sweep(address)",
            "emergencyWithdraw()",
            "setGateway(address)"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            bytes memory data = abi.encodeWithSignature(names[i], transfer, ALICE, uint256(1));
            address[3] memory callers = [ALICE, OWNER, GUARDIAN];
            for (uint256 k = 0; k < 3; ++k) refuse(address(home.bridge), callers[k], data, "");
        }
        bytes memory reason = abi.encodeWithSelector(IAnkrBridge.AnkrBridge_NotWaiting.selector, transfer);
        refuse(address(home.bridge), ALICE, abi.encodeCall(IAnkrBridge.release, (transfer)), reason);
        assertEq(_token.balanceOf(address(home.bridge)), 10 ether, "held");
    }

    // ---- A quorum that lies ----

    /// @dev The worst there is: all attesters sign whatever a thief writes. It gets what the limit lets pass, and the guardian
    /// has the time of it to stop the rest.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A38_aLyingQuorumDrainsSlowly(uint96 each, uint32 gap) external {
        lock(LOCKED);
        uint256 begun = vm.getBlockTimestamp();
        uint256 amount = bound(each, 1 ether, 1_000 ether);
        uint256 step = bound(gap, 1 minutes, 12 hours);
        for (uint256 i = 1; i <= 12; ++i) {
            arrive(home, i, STRANGER, amount, ACCOUNT);
            uint256 filled = (5_000 ether * (vm.getBlockTimestamp() - begun)) / 2 days;
            assertLe(_token.balanceOf(STRANGER), 5_000 ether + filled, "I-15 drained");
            vm.warp(vm.getBlockTimestamp() + step);
        }
        // Once distrusted nothing more comes, and what waits is vetoed.
        pass(address(home.gateway), GUARDIAN, 0, abi.encodeCall(IQuorumGateway.distrust, ()));
        bytes memory data = callOf(
            home,
            messageTo(home, 99, payloadOf(99, ALICE, STRANGER, amount, ACCOUNT))
        );
        bytes4 why = IQuorumGateway.QuorumGateway_Distrusted.selector;
        refuse(address(home.gateway), RELAYER, data, abi.encodeWithSelector(why, 1));
        uint256 taken = _token.balanceOf(STRANGER);
        for (uint256 i = 1; i <= 12; ++i) {
            bytes32 transfer = transferTo(home, i);
            if (home.bridge.waitingOf(transfer).amount == 0) continue;
            pass(address(home.bridge), GUARDIAN, 0, abi.encodeCall(IAnkrBridge.veto, (transfer)));
            bytes4 vetoed = IAnkrBridge.AnkrBridge_IsVetoed.selector;
            bytes memory release = abi.encodeCall(IAnkrBridge.release, (transfer));
            refuse(address(home.bridge), STRANGER, release, abi.encodeWithSelector(vetoed, transfer));
        }
        assertEq(_token.balanceOf(STRANGER), taken, "more was taken");
    }

    /// @dev What comes in lets so much more go out; never more than is locked.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A38_drainsNoMoreThanIsLocked(uint96 locked) external {
        uint256 most = bound(locked, 1 ether, 3_000 ether);
        lock(most);
        loosen(home);
        arrive(home, 1, STRANGER, most, ACCOUNT);
        bytes memory data = callOf(home, messageTo(home, 2, payloadOf(2, ALICE, STRANGER, 1, ACCOUNT)));
        bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
        refuse(address(home.gateway), RELAYER, data, abi.encodeWithSelector(why, 1, 0));
        // What the fees are is not the thief's either.
        assertEq(_token.balanceOf(address(home.bridge)), 0.25 ether, "left");
        assertEq(home.bridge.collectFees(), 0.25 ether, "fees");
    }

    /// @dev Who fills the limit to keep others out pays two fees for it, and gives back what was used.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A38_limitGriefingGivesBack(uint96 amount) external {
        uint256 wei_ = bound(amount, 10 ether, 999 ether);
        IAnkrBridge.Settings memory settings = someSettings();
        (settings.sendCapacity, settings.payCapacity) = (1_000 ether, 1_000 ether);
        set(home, settings);
        set(far, settings);
        (uint256 toSend, ) = home.bridge.available();
        (, uint256 toPay) = far.bridge.available();
        send(home, STRANGER, STRANGER, wei_, ACCOUNT);
        uint256 there = wei_ - 0.25 ether;
        deliver(far, messageTo(far, 1, payloadOf(1, STRANGER, STRANGER, there, ACCOUNT)));
        vm.prank(STRANGER);
        far.bridge.send{value: there}(STRANGER, there, ACCOUNT);
        uint256 back = there - 0.25 ether;
        deliver(home, messageTo(home, 1, payloadOf(1, STRANGER, STRANGER, back, ACCOUNT)));
        (uint256 toSendAfter, ) = home.bridge.available();
        (, uint256 toPayAfter) = far.bridge.available();
        assertEq(toSendAfter, toSend - 0.5 ether + 0.25 ether, "to send");
        assertEq(toPayAfter, toPay - 0.25 ether, "to pay");
        assertEq(_token.balanceOf(STRANGER), wei_ - 0.5 ether, "what it cost");
    }

    /// @dev The far chain makes all the coins it likes: what leaves by the bridge came by it.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A38_forgedSupplyStaysThere(uint96 forged, uint96 came) external {
        uint256 there = bound(came, 10 ether, 999 ether);
        send(home, ALICE, BOB, there + 0.25 ether, ACCOUNT);
        deliver(far, messageTo(far, 1, payloadOf(1, ALICE, BOB, there, ACCOUNT)));
        uint256 coins = bound(forged, there + 1 ether, MAX_AMOUNT);
        IAnkrBridge.Settings memory settings = someSettings();
        settings.sendCapacity = uint96(MAX_AMOUNT);
        settings.sendPeriod = 1;
        set(far, settings);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.deal(STRANGER, coins);
        bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
        bytes memory data = abi.encodeCall(IAnkrBridge.send, (STRANGER, coins, ACCOUNT));
        bytes memory reason = abi.encodeWithSelector(why, coins - 0.25 ether, there);
        refuse(address(far.bridge), STRANGER, coins, data, reason);
        // As much as came goes back, whoever sends it, and not a wei more.
        vm.deal(STRANGER, there + 0.25 ether);
        vm.prank(STRANGER);
        far.bridge.send{value: there + 0.25 ether}(STRANGER, there + 0.25 ether, ACCOUNT);
        deliver(home, messageTo(home, 1, payloadOf(1, STRANGER, STRANGER, there, ACCOUNT)));
        assertEq(_token.balanceOf(STRANGER), there, "came back");
        assertBooks(home, 0, 0, 0, 0.25 ether);
        assertBooks(far, 0, 0, 0, 0.25 ether);
    }

    // ---- Privileged calls ----

    /// @dev Through the gateway nobody speaks as the gateway, the owner or the other end.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A38_noMessageGivesRights(address sender, uint96 amount) external {
        vm.assume(sender != address(far.bridge));
        lock(LOCKED);
        vm.chainId(HOME_CHAIN);
        bytes memory account = InteroperableAddress.formatEvmV1(FAR_CHAIN, address(far.bridge));
        bytes memory payload = payloadOf(1, ALICE, STRANGER, amount, ACCOUNT);
        bytes[4] memory payloads = [
            abi.encodeCall(IERC7786Recipient.receiveMessage, (bytes32(0), account, payload)),
            abi.encodeCall(IQuorumGateway.setGuardian, (STRANGER)),
            abi.encodeCall(Ownable.transferOwnership, (STRANGER)),
            payload
        ];
        address[3] memory targets = [address(home.gateway), address(_token), address(home.bridge)];
        for (uint256 i = 0; i < 12; ++i) {
            IBridgeGateway.Message memory message = messageTo(home, 1 + i, payloads[i % 4]);
            (message.sender, message.recipient) = (sender, targets[i / 4]);
            (bool success, ) = address(home.gateway).call(callOf(home, message));
            assertTrue(!success, "went through");
        }
        assertEq(_token.balanceOf(STRANGER), 0, "taken");
        assertEq(Ownable2Step(address(home.bridge)).pendingOwner(), address(0), "owner");
        assertEq(home.bridge.guardian(), GUARDIAN, "guardian");
    }

    /// @dev Every function there is, by every role and by nobody: whoever calls, money goes to whom it is for.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A40_rolesMoveNoFunds(uint8 role, uint8 which, bool isFar) external {
        Side storage side = isFar ? far : home;
        lock(LOCKED);
        arrive(side, 1, BOB, 2_000 ether, ACCOUNT);
        bytes32 vetoed = arrive(side, 2, BOB, 1_500 ether, ACCOUNT);
        vm.prank(GUARDIAN);
        side.bridge.veto(vetoed);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        address caller = [OWNER, GUARDIAN, RELAYER, address(this)][role % 4];
        uint256 had = moneyOf(side, caller);
        uint256 held = moneyOf(side, address(side.bridge));
        uint256 kind = which % 16;
        bytes memory data = _callsOf(side, caller)[kind];
        vm.prank(caller);
        (bool success, ) = address(side.bridge).call(data);
        assertEq(moneyOf(side, caller), had, "the caller's");
        if (kind < 14) {
            assertEq(moneyOf(side, address(side.bridge)), held, "the bridge's");
            assertEq(moneyOf(side, BOB), 0, "the recipient's");
        } else if (kind == 14) {
            assertTrue(success, "fees");
            assertEq(moneyOf(side, FEES), held - moneyOf(side, address(side.bridge)), "the receiver's");
        } else {
            assertTrue(success, "released");
            assertEq(moneyOf(side, BOB), 2_000 ether, "the recipient's");
        }
    }

    /// @dev The last two pay those whom they are for.
    function _callsOf(Side storage side, address caller) private view returns (bytes[16] memory calls) {
        IAnkrBridge.Settings memory settings = someSettings();
        settings.feeReceiver = caller;
        bytes memory peer = InteroperableAddress.formatEvmV1(
            otherOf(side).chain,
            address(otherOf(side).bridge)
        );
        bytes memory payload = payloadOf(9, caller, caller, 1 ether, ACCOUNT);
        calls[0] = abi.encodeCall(IAnkrBridge.send, (caller, 1 ether, ACCOUNT));
        calls[1] = abi.encodeCall(IAnkrBridge.claim, (caller));
        calls[2] = abi.encodeCall(IAnkrBridge.veto, (transferTo(side, 1)));
        calls[3] = abi.encodeCall(IAnkrBridge.restore, (transferTo(side, 2)));
        calls[4] = abi.encodeCall(IAnkrBridge.release, (transferTo(side, 2)));
        calls[5] = abi.encodeCall(IAnkrBridge.pause, ());
        calls[6] = abi.encodeCall(IAnkrBridge.unpause, ());
        calls[7] = abi.encodeCall(IAnkrBridge.setSettings, (settings));
        calls[8] = abi.encodeCall(IAnkrBridge.setGuardian, (caller));
        calls[9] = abi.encodeCall(Ownable.transferOwnership, (caller));
        calls[10] = abi.encodeCall(Ownable2Step.acceptOwnership, ());
        calls[11] = abi.encodeCall(Ownable.renounceOwnership, ());
        calls[12] = abi.encodeWithSignature("crosschainTransfer(bytes,uint256)", "", 1 ether);
        calls[13] = abi.encodeCall(IERC7786Recipient.receiveMessage, (bytes32(0), peer, payload));
        calls[14] = abi.encodeCall(IAnkrBridge.collectFees, ());
        calls[15] = abi.encodeCall(IAnkrBridge.release, (transferTo(side, 1)));
    }

    function test_A40_everyRoleAndFunction() external {
        for (uint8 i = 0; i < 128; ++i) {
            uint256 state = vm.snapshotState();
            this.testFuzz_A40_rolesMoveNoFunds(i % 4, (i / 4) % 16, i >= 64);
            vm.revertToState(state);
        }
    }

    // ---- Guardians ----

    /// @dev A guardian that vetoes everything delays it; the owner names another one, and it is paid to whom it was for.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A39_aMaliciousGuardianOnlyDelays(uint96 amount) external {
        lock(LOCKED);
        uint256 wei_ = bound(amount, 1_000 ether + 1, 5_000 ether);
        bytes32 transfer = arrive(home, 1, BOB, wei_, ACCOUNT);
        bytes memory veto = abi.encodeCall(IAnkrBridge.veto, (transfer));
        bytes memory restore = abi.encodeCall(IAnkrBridge.restore, (transfer));
        for (uint256 i = 0; i < 3; ++i) {
            pass(address(home.bridge), GUARDIAN, 0, veto);
            pass(address(home.bridge), OWNER, 0, restore);
        }
        pass(address(home.bridge), GUARDIAN, 0, veto);
        pass(address(home.bridge), GUARDIAN, 0, abi.encodeCall(IAnkrBridge.pause, ()));
        // It can do no more: small transfers and claims end the pause at the latest after a week.
        pass(address(home.bridge), OWNER, 0, abi.encodeCall(IAnkrBridge.setGuardian, (RELAYER)));
        pass(address(home.bridge), OWNER, 0, abi.encodeCall(IAnkrBridge.unpause, ()));
        pass(address(home.bridge), OWNER, 0, restore);
        bytes memory reason = abi.encodeWithSelector(IAnkrBridge.AnkrBridge_NotGuardian.selector, GUARDIAN);
        refuse(address(home.bridge), GUARDIAN, veto, reason);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        home.bridge.release(transfer);
        assertEq(_token.balanceOf(BOB), wei_, "paid");
    }

    /// @dev With nobody left in any role what was sent is paid, but for what is vetoed.
    function test_A39_A40_withoutRolesEverythingEnds() external {
        lock(LOCKED);
        bytes32 waiting = arrive(home, 1, BOB, 2_000 ether, ACCOUNT);
        pass(address(home.bridge), GUARDIAN, 0, abi.encodeCall(IAnkrBridge.pause, ()));
        pass(address(home.bridge), OWNER, 0, abi.encodeCall(IAnkrBridge.setGuardian, (address(0))));
        pass(address(home.bridge), OWNER, 0, abi.encodeCall(Ownable.renounceOwnership, ()));
        assertEq(Ownable(address(home.bridge)).owner(), address(0), "owner");
        vm.warp(vm.getBlockTimestamp() + 7 days);
        home.bridge.release(waiting);
        assertEq(_token.balanceOf(BOB), 2_000 ether, "paid");
        arrive(home, 2, BOB, 10 ether, ACCOUNT);
        assertEq(_token.balanceOf(BOB), 2_010 ether, "paid after");
        send(home, ALICE, ALICE, 10 ether, ACCOUNT);
    }

    /// @dev Of two weeks at least one is without a pause, whoever pauses and ends pauses as often as they can.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A39_halfOfTheTimeIsOpen(uint256 seed) external {
        uint256 paused = 0;
        uint256 begun = vm.getBlockTimestamp();
        for (uint256 i = 0; i < 84; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            address caller = seed % 2 == 0 ? GUARDIAN : OWNER;
            bytes memory data =
                seed % 5 == 0
                    ? abi.encodeCall(IAnkrBridge.unpause, ())
                    : abi.encodeCall(IAnkrBridge.pause, ());
            vm.prank(caller);
            (bool success, ) = address(home.bridge).call(data);
            assertTrue(success || seed % 5 != 0, "could not be ended");
            if (vm.getBlockTimestamp() < home.bridge.pausedUntil()) paused += 8 hours;
            vm.warp(vm.getBlockTimestamp() + 8 hours);
        }
        assertLe(paused, (vm.getBlockTimestamp() - begun) / 2 + 7 days / 2, "paused for too long");
    }
}
