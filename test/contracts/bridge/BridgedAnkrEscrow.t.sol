// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {CrosschainLinked} from "@openzeppelin/contracts/crosschain/CrosschainLinked.sol";
import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {BridgeFungible} from "@openzeppelin/contracts/crosschain/bridges/abstract/BridgeFungible.sol";
import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {AnkrBridge} from "../../../contracts/bridge/AnkrBridge.sol";
import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {Currency_NoCode} from "../../../contracts/libraries/Currency.sol";
import {BlocklistERC20} from "../../../contracts/mocks/BlocklistERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

/// @notice What both ends do, at the home end; and what is the home end's alone.
contract BridgedAnkrEscrowTest is BridgeTest {
    uint256 private constant LOCKED = 100_000 ether;

    IAnkrBridge private _escrow;
    BlocklistERC20 private _token;

    function setUp() external {
        begin(Kind.Vault);
        _token = new BlocklistERC20();
        open(address(_token), address(0), address(0));
        _escrow = home.bridge;
        vm.chainId(HOME_CHAIN);
    }

    // ---- Making one ----

    function test_isMadeWithWhatItSays() external view {
        (uint256 chain, address bridge) = _escrow.counterpart();
        assertEq(chain, FAR_CHAIN, "chain");
        assertEq(bridge, address(far.bridge), "counterpart");
        assertEq(_escrow.gateway(), address(home.gateway), "gateway");
        assertEq(_escrow.currency(), address(_token), "currency");
        assertEq(_escrow.market(), address(0), "market");
        assertEq(_escrow.guardian(), GUARDIAN, "guardian");
        assertEq(Ownable(address(_escrow)).owner(), OWNER, "owner");
        assertEq(abi.encode(_escrow.settings()), abi.encode(someSettings()), "settings");
        (uint256 toSend, uint256 toPay) = _escrow.available();
        assertEq(toSend, someSettings().sendCapacity, "to send");
        assertEq(toPay, someSettings().payCapacity, "to pay");
        assertEq(_escrow.sent(), 0, "sent");
        assertEq(_escrow.gatewayFee(), 0, "the gateway's fee");
        assertEq(_escrow.MIN_PAY_CAPACITY(), 1_000 ether, "MIN_PAY_CAPACITY");
        assertEq(_escrow.pausedUntil(), 0, "paused");
        assertEq(_escrow.MAX_PAUSE(), 7 days, "MAX_PAUSE");
        assertEq(_escrow.MAX_FEE(), 100 ether, "MAX_FEE");
        assertEq(_escrow.MAX_MINIMUM(), 10_000 ether, "MAX_MINIMUM");
        assertEq(_escrow.MAX_WAIT(), 30 days, "MAX_WAIT");
        assertBooks(home, 0, 0, 0, 0);
        (address gateway, bytes memory link) = CrosschainLinked(address(_escrow)).getLink(
            hex"00010000_02_010b_00"
        );
        assertEq(gateway, address(home.gateway), "link's gateway");
        assertEq(link, InteroperableAddress.formatEvmV1(FAR_CHAIN, address(far.bridge)), "link");
    }

    function test_emitsWhatItIsMadeWith() external {
        AnkrBridge.Creation memory creation = creationOf(home, address(0));
        address made = maker.foresee(5);
        vm.expectEmit(made);
        emit IAnkrBridge.SettingsSet(creation.settings);
        vm.expectEmit(made);
        emit IAnkrBridge.GuardianSet(GUARDIAN);
        maker.make(codeOfHome(creation, address(_token)));
    }

    function test_RevertWhen_CounterpartIsNone() external {
        AnkrBridge.Creation memory creation = creationOf(home, address(0));
        creation.peer = address(0);
        _refuseMade(creation, address(_token), _invalid("peer"));
        creation.peer = ALICE;
        creation.peerChain = HOME_CHAIN;
        _refuseMade(creation, address(_token), _invalid("peerChain"));
    }

    function test_RevertWhen_TokenIsNone() external {
        AnkrBridge.Creation memory creation = creationOf(home, address(0));
        _refuseMade(creation, address(0), _invalid("token"));
        _refuseMade(creation, ALICE, abi.encodeWithSelector(Currency_NoCode.selector, ALICE));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A40_RevertWhen_SettingsAreBeyondBounds(uint8 which, uint96 above) external {
        IAnkrBridge.Settings memory settings = someSettings();
        uint256 kind = which % 9;
        string memory what;
        if (kind == 0) {
            settings.minimum = uint96(bound(above, 10_000 ether + 1, MAX_AMOUNT));
            what = "minimum";
        } else if (kind == 1) {
            settings.fee = uint96(bound(above, 100 ether + 1, MAX_AMOUNT));
            what = "fee";
        } else if (kind == 2) (settings.feeReceiver, what) = (address(0), "feeReceiver");
        else if (kind == 3) (settings.waitSeconds, what) = (0, "waitSeconds");
        else if (kind == 4) {
            settings.waitSeconds = uint32(bound(above, 30 days + 1, type(uint32).max));
            what = "waitSeconds";
        } else if (kind == 5) (settings.sendPeriod, what) = (0, "sendPeriod");
        else if (kind == 6) (settings.payPeriod, what) = (0, "payPeriod");
        else if (kind == 7) {
            settings.payPeriod = uint24(bound(above, 30 days + 1, type(uint24).max));
            what = "payPeriod";
        } else {
            settings.payCapacity = uint96(bound(above, 0, 1_000 ether - 1));
            what = "payCapacity";
        }
        refuse(address(_escrow), OWNER, abi.encodeCall(_escrow.setSettings, (settings)), _invalid(what));
        AnkrBridge.Creation memory creation = creationOf(home, address(0));
        creation.settings = settings;
        _refuseMade(creation, address(_token), _invalid(what));
    }

    function test_A40_settingsBeyondBounds() external {
        for (uint8 i = 0; i < 9; ++i) this.testFuzz_A40_RevertWhen_SettingsAreBeyondBounds(i, 0);
    }

    // ---- Settings and roles ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_setsSettings(IAnkrBridge.Settings memory settings) external {
        settings.minimum = uint96(bound(settings.minimum, 0, 10_000 ether));
        settings.fee = uint96(bound(settings.fee, 0, 100 ether));
        if (settings.fee != 0 && settings.feeReceiver == address(0)) settings.feeReceiver = FEES;
        settings.waitSeconds = uint32(bound(settings.waitSeconds, 1, 30 days));
        settings.sendPeriod = uint24(bound(settings.sendPeriod, 1, type(uint24).max));
        settings.payCapacity = uint96(bound(settings.payCapacity, 1_000 ether, MAX_AMOUNT));
        settings.payPeriod = uint24(bound(settings.payPeriod, 1, 30 days));
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.SettingsSet(settings);
        set(home, settings);
        assertEq(abi.encode(_escrow.settings()), abi.encode(settings), "settings");
        // What may pass is no more than before.
        (uint256 toSend, uint256 toPay) = _escrow.available();
        assertEq(toSend, _least(settings.sendCapacity, 10_000 ether), "to send");
        assertEq(toPay, _least(settings.payCapacity, 5_000 ether), "to pay");
        vm.warp(vm.getBlockTimestamp() + type(uint24).max);
        (toSend, toPay) = _escrow.available();
        assertEq(toSend, settings.sendCapacity, "to send later");
        assertEq(toPay, settings.payCapacity, "to pay later");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A40_RevertWhen_CallerIsNotOwner(address caller) external {
        vm.assume(caller != OWNER && caller != address(vm));
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller);
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.setSettings, (someSettings())), reason);
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.setGuardian, (caller)), reason);
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.restore, (bytes32(0))), reason);
        bytes memory transfer = abi.encodeCall(Ownable.transferOwnership, (caller));
        refuse(address(_escrow), caller, transfer, reason);
        refuse(address(_escrow), caller, abi.encodeCall(Ownable.renounceOwnership, ()), reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_CallerIsNotGuardian(address caller) external {
        vm.assume(caller != GUARDIAN && caller != address(vm));
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_NotGuardian.selector, caller);
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.pause, ()), reason);
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.veto, (bytes32(0))), reason);
        if (caller == OWNER) return;
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.unpause, ()), reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_setsGuardian(address guardian) external {
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.GuardianSet(guardian);
        pass(address(_escrow), OWNER, 0, abi.encodeCall(_escrow.setGuardian, (guardian)));
        assertEq(_escrow.guardian(), guardian, "guardian");
        if (guardian == GUARDIAN) return;
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_NotGuardian.selector, GUARDIAN);
        refuse(address(_escrow), GUARDIAN, abi.encodeCall(_escrow.pause, ()), reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A40_ownershipTakesTwoSteps(address next, address other) external {
        vm.assume(next != OWNER && other != next && next != address(0));
        vm.assume(next != address(vm) && other != address(vm));
        Ownable2Step ownable = Ownable2Step(address(_escrow));
        pass(address(_escrow), OWNER, 0, abi.encodeCall(ownable.transferOwnership, (next)));
        assertEq(ownable.owner(), OWNER, "owner");
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, other);
        refuse(address(_escrow), other, abi.encodeCall(ownable.acceptOwnership, ()), reason);
        pass(address(_escrow), next, 0, abi.encodeCall(ownable.acceptOwnership, ()));
        assertEq(ownable.owner(), next, "next owner");
    }

    // ---- Sending ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_sends(address from, address to, uint96 amount, uint8 kind, uint8 before) external {
        vm.assume(from != address(0) && from != address(_escrow) && from != address(vm));
        vm.assume(to != address(0) && to != address(far.bridge));
        uint256 times = before % 3;
        for (uint256 i = 0; i < times; ++i) send(home, STRANGER, STRANGER, 1 ether, ACCOUNT);
        uint256 wei_ = bound(amount, 0.5 ether, 9_000 ether);
        enrich(home, from, wei_);
        uint256 had = _token.balanceOf(from);
        IAnkrBridge.Books memory books = _escrow.books();
        (uint256 toSend, ) = _escrow.available();
        _sendAndLook(from, to, wei_, IAnkrBridge.Target(kind % 2));
        uint256 left = wei_ - 0.25 ether;
        assertEq(_token.balanceOf(from), had - wei_, "sender's");
        assertEq(_token.balanceOf(address(_escrow)), books.liquidity + wei_, "held");
        assertBooks(home, books.outstanding + left, 0, 0, books.fees + 0.25 ether);
        assertEq(_escrow.books().liquidity, books.liquidity + wei_, "liquidity");
        assertEq(_escrow.sent(), times + 1, "sent");
        (uint256 toSendNow, uint256 toPay) = _escrow.available();
        assertEq(toSendNow, toSend - left, "to send");
        assertEq(toPay, 5_000 ether, "to pay");
    }

    function _sendAndLook(address from, address to, uint256 amount, IAnkrBridge.Target target) private {
        uint256 left = amount - 0.25 ether;
        uint256 number = _escrow.sent() + 1;
        bytes32 id = idOf(messageTo(far, number, payloadOf(number, from, to, left, target)));
        vm.expectEmit(address(home.gateway));
        emit IBridgeGateway.MessageNumbered(id, number);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Sent(transferFrom(home, number), from, to, number, left, 0.25 ether, target, id);
        vm.prank(from);
        assertTrue(_escrow.send(to, amount, target) == transferFrom(home, number), "transfer");
    }

    /// @dev What is sent makes room for what is paid.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_sendingCreditsPaying(uint96 paid, uint96 amount) external {
        lock(LOCKED);
        uint256 out = bound(paid, 1, 1_000 ether);
        arrive(home, 1, BOB, out, ACCOUNT);
        (, uint256 toPay) = _escrow.available();
        assertEq(toPay, 5_000 ether - out, "to pay");
        uint256 left = bound(amount, 0.5 ether, 9_000 ether);
        send(home, ALICE, BOB, left + 0.25 ether, ACCOUNT);
        (, toPay) = _escrow.available();
        assertEq(toPay, _least(5_000 ether, 5_000 ether - out + left), "to pay after");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_RecipientIsNobody(uint96 amount) external {
        enrich(home, ALICE, amount);
        address[2] memory nobody = [address(0), address(far.bridge)];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory reason = _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, nobody[i]);
            refuse(address(_escrow), ALICE, _sendCall(nobody[i], amount), reason);
        }
        assertEq(_token.balanceOf(ALICE), amount, "kept");
    }

    /// @dev Neither below the minimum, nor so little that nothing is left, nor more than there can be.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_AmountIsNone(
        uint96 minimum,
        uint96 fee,
        uint256 amount,
        bool above
    ) external {
        IAnkrBridge.Settings memory settings = someSettings();
        settings.minimum = uint96(bound(minimum, 0, 10_000 ether));
        settings.fee = uint96(bound(fee, 0, 100 ether));
        set(home, settings);
        uint256 least = settings.minimum > settings.fee ? settings.minimum : settings.fee + 1;
        amount = above ? bound(amount, MAX_AMOUNT + 1, type(uint256).max) : bound(amount, 0, least - 1);
        bytes4 why = IAnkrBridge.AnkrBridge_BelowMinimum.selector;
        refuse(address(_escrow), ALICE, _sendCall(BOB, amount), abi.encodeWithSelector(why, amount, least));
        if (above || least > 9_000 ether) return;
        uint256 outstanding = _escrow.books().outstanding;
        send(home, ALICE, BOB, least, ACCOUNT);
        assertEq(_escrow.books().outstanding, outstanding + least - settings.fee, "outstanding");
    }

    function test_RevertWhen_ThereIsNothingToSend() external {
        this.testFuzz_RevertWhen_AmountIsNone(7, 9, MAX_AMOUNT + 1, true);
        this.testFuzz_RevertWhen_AmountIsNone(0, 0, 0, false);
        this.testFuzz_RevertWhen_AmountIsNone(5, 5, 5, false);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_SendingIsAboveTheLimit(uint96 first, uint96 more, uint32 later) external {
        uint256 sent = bound(first, 0.5 ether, 10_000 ether);
        send(home, ALICE, BOB, sent + 0.25 ether, ACCOUNT);
        vm.warp(vm.getBlockTimestamp() + (later % 2 days));
        (uint256 most, ) = _escrow.available();
        uint256 filled = (10_000 ether * uint256(later % 2 days)) / 1 days;
        assertEq(most, _least(10_000 ether, 10_000 ether - sent + filled), "available");
        uint256 left = bound(more, most + 1, 20_000 ether + most);
        if (left < 0.25 ether) left = 0.25 ether;
        enrich(home, ALICE, left + 0.25 ether);
        bytes4 why = IAnkrBridge.AnkrBridge_SendLimit.selector;
        bytes memory data = _sendCall(BOB, left + 0.25 ether);
        refuse(address(_escrow), ALICE, data, abi.encodeWithSelector(why, left, most));
        assertEq(_token.balanceOf(ALICE), left + 0.25 ether, "kept");
        if (most < 0.25 ether) return;
        // Exactly the limit passes, and nothing after it.
        send(home, BOB, BOB, most + 0.25 ether, ACCOUNT);
        (uint256 none, ) = _escrow.available();
        assertEq(none, 0, "available after");
    }

    /// @dev No more than what a word of the books holds is ever outstanding.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_TooMuchIsOutstanding(uint96 amount) external {
        loosen(home);
        send(home, ALICE, BOB, MAX_AMOUNT, ACCOUNT);
        uint256 outstanding = MAX_AMOUNT - 0.25 ether;
        assertEq(_escrow.books().outstanding, outstanding, "outstanding");
        vm.warp(vm.getBlockTimestamp() + 1);
        uint256 left = bound(amount, 0.25 ether + 1, MAX_AMOUNT - 0.25 ether);
        bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
        bytes memory reason = abi.encodeWithSelector(why, left, outstanding);
        refuse(address(_escrow), BOB, _sendCall(BOB, left + 0.25 ether), reason);
        send(home, BOB, BOB, 0.5 ether, ACCOUNT);
        assertEq(_escrow.books().outstanding, MAX_AMOUNT, "outstanding at most");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_CoinsAreSentAlong(uint96 value) external {
        uint256 amount = bound(value, 1, MAX_AMOUNT);
        vm.deal(ALICE, amount);
        enrich(home, ALICE, 1 ether);
        bytes4 why = IBridgeGateway.BridgeGateway_WrongFee.selector;
        bytes memory reason = abi.encodeWithSelector(why, amount, 0);
        refuse(address(_escrow), ALICE, amount, _sendCall(BOB, 1 ether), reason);
        assertEq(ALICE.balance, amount, "kept");
    }

    // ---- OpenZeppelin's way in ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_crosschainTransfer(address to, uint96 amount) external {
        vm.assume(to != address(0) && to != address(far.bridge));
        uint256 wei_ = bound(amount, 0.5 ether, 10_000 ether);
        enrich(home, ALICE, wei_);
        uint256 left = wei_ - 0.25 ether;
        bytes32 id = idOf(messageTo(far, 1, payloadOf(1, ALICE, to, left, ACCOUNT)));
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Sent(transferFrom(home, 1), ALICE, to, 1, left, 0.25 ether, ACCOUNT, id);
        bytes memory account = InteroperableAddress.formatEvmV1(FAR_CHAIN, to);
        vm.prank(ALICE);
        assertTrue(BridgeFungible(address(_escrow)).crosschainTransfer(account, wei_) == id, "id");
        assertEq(_token.balanceOf(ALICE), 0, "sender's");
        assertBooks(home, left, 0, 0, 0.25 ether);
    }

    /// @dev An account is 20 bytes. OpenZeppelin's own takes the first 20 of whatever there is.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_RevertWhen_AccountHasAnotherLength(uint8 length, bytes32 seed) external {
        if (length == 20) length = 0;
        bytes memory account = new bytes(length);
        for (uint256 i = 0; i < length; ++i) account[i] = seed[i % 32];
        bytes memory to = abi.encodePacked(hex"00010000_02_010b", length, account);
        bytes memory reason =
            length == 0
                ? _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, address(0))
                : abi.encodeWithSelector(InteroperableAddress.InteroperableAddressParsingError.selector, to);
        _refuseTransfer(to, reason);
    }

    function test_A38_lengths() external {
        uint8[5] memory lengths = [0, 19, 21, 32, 255];
        for (uint256 i = 0; i < 5; ++i) {
            this.testFuzz_A38_RevertWhen_AccountHasAnotherLength(lengths[i], bytes32(type(uint256).max));
        }
    }

    /// @dev Who pads an account to a word would pay its first 20 bytes.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_RevertWhen_BytesAreBehindTheAccount(bytes calldata behind, address to) external {
        vm.assume(behind.length != 0);
        bytes memory exact = InteroperableAddress.formatEvmV1(FAR_CHAIN, to);
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, to);
        _refuseTransfer(bytes.concat(exact, behind), reason);
        bytes memory padded = abi.encodePacked(hex"00010000_02_010b_14", bytes32(uint256(uint160(to))));
        address other = address(bytes20(bytes32(uint256(uint160(to)))));
        _refuseTransfer(padded, _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, other));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_AccountIsOnAnotherChain(uint64 chain, address to) external {
        vm.assume(chain != FAR_CHAIN);
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, to);
        _refuseTransfer(InteroperableAddress.formatEvmV1(chain, to), reason);
        reason = _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, address(far.bridge));
        _refuseTransfer(InteroperableAddress.formatEvmV1(FAR_CHAIN, address(far.bridge)), reason);
    }

    // ---- Receiving ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_receives(address to, uint96 amount, uint256 number) external {
        _assumePayable(to);
        lock(LOCKED);
        uint256 wei_ = bound(amount, 0, 1_000 ether);
        _useSendLimit();
        uint256 had = _token.balanceOf(to);
        IAnkrBridge.Books memory books = _escrow.books();
        _arrivesAndIsPaid(to, wei_, number);
        assertEq(_token.balanceOf(to), had + wei_, "recipient's");
        assertBooks(home, books.outstanding - wei_, 0, 0, books.fees);
        // What is paid makes room for what is sent.
        (uint256 toSend, uint256 toPay) = _escrow.available();
        assertEq(toSend, _least(10_000 ether, 9_500 ether + wei_), "to send");
        assertEq(toPay, 5_000 ether - wei_, "to pay");
    }

    function _arrivesAndIsPaid(address to, uint256 amount, uint256 number) private {
        bytes32 transfer = transferTo(home, number);
        assertTrue(!_escrow.isReceived(transfer), "received before");
        bytes memory payload = payloadOf(number, ALICE, to, amount, ACCOUNT);
        bytes memory data = callOf(home, messageTo(home, 7, payload));
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Received(transfer, ALICE, to, amount, ACCOUNT);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Paid(transfer, to, amount, ACCOUNT);
        pass(address(home.gateway), RELAYER, 0, data);
        assertTrue(_escrow.isReceived(transfer), "received");
        assertEq(_escrow.waitingOf(transfer).amount, 0, "waits");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_CallerIsNotTheGateway(address caller, uint96 amount) external {
        vm.assume(caller != address(home.gateway) && caller != address(vm));
        lock(LOCKED);
        bytes memory sender = InteroperableAddress.formatEvmV1(FAR_CHAIN, address(far.bridge));
        bytes memory payload = payloadOf(1, ALICE, caller, amount, ACCOUNT);
        bytes memory data = abi.encodeCall(IERC7786Recipient.receiveMessage, (0, sender, payload));
        bytes4 why = ERC7786Recipient.ERC7786RecipientUnauthorizedGateway.selector;
        refuse(address(_escrow), caller, data, abi.encodeWithSelector(why, caller, sender));
    }

    /// @dev Through the gateway, by who may send there: anybody but the other end, and the other end from another chain.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_RevertWhen_SenderIsNotTheOtherEnd(address sender) external {
        vm.assume(sender != address(far.bridge));
        lock(LOCKED);
        IBridgeGateway.Message memory message = messageTo(
            home,
            1,
            payloadOf(1, ALICE, STRANGER, 1 ether, ACCOUNT)
        );
        message.sender = sender;
        bytes memory account = InteroperableAddress.formatEvmV1(FAR_CHAIN, sender);
        bytes4 why = ERC7786Recipient.ERC7786RecipientUnauthorizedGateway.selector;
        bytes memory reason = abi.encodeWithSelector(why, address(home.gateway), account);
        refuse(address(home.gateway), RELAYER, callOf(home, message), reason);
        account = InteroperableAddress.formatEvmV1(FAR_CHAIN + 1, address(far.bridge));
        bytes memory data = abi.encodeCall(IERC7786Recipient.receiveMessage, (0, account, message.payload));
        reason = abi.encodeWithSelector(why, address(home.gateway), account);
        refuse(address(_escrow), address(home.gateway), data, reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A36_RevertWhen_ReceivedAlready(uint96 amount, uint256 number, uint96 other) external {
        lock(LOCKED);
        arrive(home, number, BOB, bound(amount, 0, 2_000 ether), ACCOUNT);
        // The same number by another message, whatever else it says.
        IBridgeGateway.Message memory message = messageTo(
            home,
            uint256(keccak256(abi.encode(number))),
            payloadOf(number, BOB, STRANGER, other, MARKET)
        );
        bytes4 why = IAnkrBridge.AnkrBridge_AlreadyReceived.selector;
        bytes memory reason = abi.encodeWithSelector(why, transferTo(home, number));
        refuse(address(home.gateway), RELAYER, callOf(home, message), reason);
        // And by a gateway that delivers twice.
        bytes memory sender = InteroperableAddress.formatEvmV1(FAR_CHAIN, address(far.bridge));
        bytes memory data = abi.encodeCall(IERC7786Recipient.receiveMessage, (0, sender, message.payload));
        refuse(address(_escrow), address(home.gateway), data, reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_RevertWhen_MoreIsAnnouncedThanIsLocked(uint96 locked, uint256 amount) external {
        uint256 most = bound(locked, 1 ether, LOCKED);
        lock(most);
        amount = bound(amount, most + 1, type(uint256).max);
        bytes memory data = callOf(home, messageTo(home, 1, payloadOf(1, ALICE, BOB, amount, ACCOUNT)));
        bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
        refuse(address(home.gateway), RELAYER, data, abi.encodeWithSelector(why, amount, most));
        assertTrue(!_escrow.isReceived(transferTo(home, 1)), "received");
        arrive(home, 2, BOB, most, ACCOUNT);
        assertEq(_escrow.books().outstanding, 0, "outstanding");
    }

    // ---- Above the threshold ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_waitsAboveTheThreshold(uint96 amount, address to, uint8 kind) external {
        _assumePayable(to);
        lock(LOCKED);
        uint256 wei_ = bound(amount, 1_000 ether + 1, 5_000 ether);
        IAnkrBridge.Target target = IAnkrBridge.Target(kind % 2);
        IAnkrBridge.Books memory books = _escrow.books();
        uint256 had = _token.balanceOf(to);
        uint256 from = vm.getBlockTimestamp() + 1 days;
        _beginsToWait(to, wei_, target, from);
        assertBooks(home, books.outstanding - wei_, wei_, 0, books.fees);
        // Nobody can shorten it, not by new settings either.
        IAnkrBridge.Settings memory settings = someSettings();
        settings.waitSeconds = 1;
        set(home, settings);
        vm.warp(from - 1);
        bytes32 transfer = transferTo(home, 1);
        bytes4 why = IAnkrBridge.AnkrBridge_Early.selector;
        _refuseRelease(transfer, abi.encodeWithSelector(why, transfer, from));
        vm.warp(from);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Paid(transfer, to, wei_, target);
        vm.prank(STRANGER);
        assertEq(_escrow.release(transfer), wei_, "paid");
        assertEq(_token.balanceOf(to), had + wei_, "recipient's");
        assertBooks(home, books.outstanding - wei_, 0, 0, books.fees);
        assertEq(abi.encode(_escrow.waitingOf(transfer)), new bytes(160), "nothing is left of it");
        _refuseRelease(transfer, _waits(IAnkrBridge.AnkrBridge_NotWaiting.selector, transfer));
        (, uint256 toPay) = _escrow.available();
        assertEq(toPay, 5_000 ether - wei_, "to pay after");
    }

    function _beginsToWait(address to, uint256 amount, IAnkrBridge.Target target, uint256 from) private {
        bytes32 transfer = transferTo(home, 1);
        bytes memory data = callOf(home, messageTo(home, 1, payloadOf(1, ALICE, to, amount, target)));
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Received(transfer, ALICE, to, amount, target);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.WaitBegan(transfer, to, amount, from);
        pass(address(home.gateway), RELAYER, 0, data);
        IAnkrBridge.Waiting memory expected;
        (expected.to, expected.target) = (to, target);
        (expected.from, expected.amount) = (uint40(from), uint96(amount));
        assertEq(abi.encode(_escrow.waitingOf(transfer)), abi.encode(expected), "waiting");
        (, uint256 toPay) = _escrow.available();
        assertEq(toPay, 5_000 ether, "to pay");
    }

    function test_theThresholdItselfDoesNotWait() external {
        lock(LOCKED);
        arrive(home, 1, BOB, 1_000 ether, ACCOUNT);
        assertEq(_token.balanceOf(BOB), 1_000 ether, "recipient's");
        arrive(home, 2, BOB, 1_000 ether + 1, ACCOUNT);
        assertEq(_token.balanceOf(BOB), 1_000 ether, "waits");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_vetoes(uint96 amount, uint32 later, uint32 wait) external {
        lock(LOCKED);
        uint256 wei_ = bound(amount, 1_000 ether + 1, 5_000 ether);
        bytes32 transfer = arrive(home, 1, BOB, wei_, ACCOUNT);
        IAnkrBridge.Books memory books = _escrow.books();
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Vetoed(transfer, wei_);
        _veto(transfer);
        assertTrue(_escrow.waitingOf(transfer).vetoed, "vetoed");
        vm.warp(vm.getBlockTimestamp() + 1 days + later);
        _refuseRelease(transfer, _waits(IAnkrBridge.AnkrBridge_IsVetoed.selector, transfer));
        bytes memory reason = _waits(IAnkrBridge.AnkrBridge_IsVetoed.selector, transfer);
        refuse(address(_escrow), GUARDIAN, abi.encodeCall(_escrow.veto, (transfer)), reason);
        // It is still owed.
        assertBooks(home, books.outstanding, wei_, 0, books.fees);
        IAnkrBridge.Settings memory settings = someSettings();
        settings.waitSeconds = uint32(bound(wait, 1, 30 days));
        set(home, settings);
        uint256 from = vm.getBlockTimestamp() + settings.waitSeconds;
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Restored(transfer, wei_, from);
        pass(address(_escrow), OWNER, 0, abi.encodeCall(_escrow.restore, (transfer)));
        assertTrue(!_escrow.waitingOf(transfer).vetoed, "still vetoed");
        assertEq(_escrow.waitingOf(transfer).from, from, "from");
        vm.warp(from - 1);
        bytes4 why = IAnkrBridge.AnkrBridge_Early.selector;
        _refuseRelease(transfer, abi.encodeWithSelector(why, transfer, from));
        vm.warp(from);
        _escrow.release(transfer);
        assertEq(_token.balanceOf(BOB), wei_, "paid");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_NothingWaits(bytes32 transfer) external {
        bytes memory reason = _waits(IAnkrBridge.AnkrBridge_NotWaiting.selector, transfer);
        _refuseRelease(transfer, reason);
        refuse(address(_escrow), GUARDIAN, abi.encodeCall(_escrow.veto, (transfer)), reason);
        reason = _waits(IAnkrBridge.AnkrBridge_NotVetoed.selector, transfer);
        refuse(address(_escrow), OWNER, abi.encodeCall(_escrow.restore, (transfer)), reason);
        lock(LOCKED);
        transfer = arrive(home, 1, BOB, 2_000 ether, ACCOUNT);
        reason = _waits(IAnkrBridge.AnkrBridge_NotVetoed.selector, transfer);
        refuse(address(_escrow), OWNER, abi.encodeCall(_escrow.restore, (transfer)), reason);
    }

    // ---- Above the limit ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_waitsAboveTheLimit(uint96 amount, uint32 later) external {
        lock(LOCKED);
        for (uint256 i = 1; i < 6; ++i) arrive(home, i, STRANGER, 999 ether, ACCOUNT);
        // 5 are left.
        uint256 wei_ = bound(amount, 5 ether + 1, 1_000 ether);
        uint256 begun = vm.getBlockTimestamp();
        bytes32 transfer = transferTo(home, 6);
        bytes memory data = callOf(home, messageTo(home, 6, payloadOf(6, ALICE, BOB, wei_, ACCOUNT)));
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Received(transfer, ALICE, BOB, wei_, ACCOUNT);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.WaitBegan(transfer, BOB, wei_, begun);
        pass(address(home.gateway), RELAYER, 0, data);
        // What there is, at once; then nothing; then as it fills.
        assertEq(_escrow.release(transfer), 5 ether, "first part");
        assertEq(_token.balanceOf(BOB), 5 ether, "first part paid");
        _refuseRelease(transfer, _waits(IAnkrBridge.AnkrBridge_PayLimit.selector, transfer));
        assertEq(_escrow.waitingOf(transfer).amount, wei_ - 5 ether, "left");
        assertEq(_escrow.books().waiting, wei_ - 5 ether, "waiting");
        vm.warp(begun + (later % 4 days));
        uint256 filled = _least(5_000 ether, (5_000 ether * uint256(later % 4 days)) / 2 days);
        uint256 part = _least(filled, wei_ - 5 ether);
        if (part == 0) return;
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Paid(transfer, BOB, part, ACCOUNT);
        assertEq(_escrow.release(transfer), part, "second part");
        assertEq(_token.balanceOf(BOB), 5 ether + part, "second part paid");
        assertEq(_escrow.waitingOf(transfer).amount, wei_ - 5 ether - part, "left after");
        vm.warp(begun + 8 days);
        if (part != wei_ - 5 ether) _escrow.release(transfer);
        assertEq(_token.balanceOf(BOB), wei_, "all");
        assertEq(_escrow.books().waiting, 0, "waiting after");
    }

    /// @dev More than ever passes at once is paid in parts.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_drainSpeed(uint96 amount, uint32 gap) external {
        lock(LOCKED);
        uint256 wei_ = bound(amount, 1_000 ether + 1, LOCKED);
        bytes32 transfer = arrive(home, 1, STRANGER, wei_, ACCOUNT);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        uint256 begun = vm.getBlockTimestamp();
        uint256 step = bound(gap, 1 hours, 4 days);
        for (uint256 i = 0; i < 6 && _escrow.waitingOf(transfer).amount != 0; ++i) {
            _escrow.release(transfer);
            uint256 filled = (5_000 ether * (vm.getBlockTimestamp() - begun)) / 2 days;
            assertLe(_token.balanceOf(STRANGER), 5_000 ether + filled, "I-15 drained");
            vm.warp(vm.getBlockTimestamp() + step);
        }
        assertTrue(_token.balanceOf(STRANGER) != 0, "nothing came");
    }

    /// @dev The veto stops what is left of one that is paid in parts.
    function test_vetoesTheRest() external {
        lock(LOCKED);
        bytes32 transfer = arrive(home, 1, BOB, 7_000 ether, ACCOUNT);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        assertEq(_escrow.release(transfer), 5_000 ether, "first part");
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Vetoed(transfer, 2_000 ether);
        _veto(transfer);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Restored(transfer, 2_000 ether, vm.getBlockTimestamp() + 1 days);
        pass(address(_escrow), OWNER, 0, abi.encodeCall(_escrow.restore, (transfer)));
        vm.warp(vm.getBlockTimestamp() + 1 days);
        assertEq(_escrow.release(transfer), 2_000 ether, "the rest");
        assertEq(_token.balanceOf(BOB), 7_000 ether, "all");
    }

    // ---- Who cannot be paid ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_credits(uint96 amount, uint96 more, address to) external {
        vm.assume(to != address(0) && to != BOB && to != address(_escrow));
        lock(LOCKED);
        uint256 first = bound(amount, 1, 1_000 ether);
        uint256 second = bound(more, 1, 1_000 ether);
        _token.setBlocked(BOB, true);
        bytes32 transfer = transferTo(home, 1);
        bytes memory data = callOf(home, messageTo(home, 1, payloadOf(1, ALICE, BOB, first, ACCOUNT)));
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Received(transfer, ALICE, BOB, first, ACCOUNT);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Credited(transfer, BOB, first);
        pass(address(home.gateway), RELAYER, 0, data);
        arrive(home, 2, BOB, second, ACCOUNT);
        assertEq(_escrow.claimableOf(BOB), first + second, "claimable");
        IAnkrBridge.Books memory books = _escrow.books();
        assertBooks(home, LOCKED - first - second, 0, first + second, books.fees);
        // While it is paused too.
        pass(address(_escrow), GUARDIAN, 0, abi.encodeCall(_escrow.pause, ()));
        uint256 had = _token.balanceOf(to);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Claimed(BOB, to, first + second);
        vm.prank(BOB);
        assertEq(_escrow.claim(to), first + second, "claimed");
        assertEq(_token.balanceOf(to), had + first + second, "received");
        assertEq(_escrow.claimableOf(BOB), 0, "claimable after");
        assertBooks(home, books.outstanding, 0, 0, books.fees);
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_NothingClaimable.selector, BOB);
        refuse(address(_escrow), BOB, abi.encodeCall(_escrow.claim, (to)), reason);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_NothingIsClaimable(address caller) external {
        vm.assume(caller != BOB && caller != address(vm));
        lock(LOCKED);
        _token.setBlocked(BOB, true);
        arrive(home, 1, BOB, 1 ether, ACCOUNT);
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_NothingClaimable.selector, caller);
        refuse(address(_escrow), caller, abi.encodeCall(_escrow.claim, (caller)), reason);
        reason = _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, address(0));
        refuse(address(_escrow), BOB, abi.encodeCall(_escrow.claim, (address(0))), reason);
        // To where it cannot go, nothing is lost.
        reason = _error(BlocklistERC20.BlocklistERC20_Blocked.selector, BOB);
        refuse(address(_escrow), BOB, abi.encodeCall(_escrow.claim, (BOB)), reason);
        assertEq(_escrow.claimableOf(BOB), 1 ether, "kept");
        assertEq(_escrow.books().claimable, 1 ether, "claimable");
    }

    /// @dev A part of a transfer that waits is credited like any other.
    function test_creditsParts() external {
        lock(LOCKED);
        bytes32 transfer = arrive(home, 1, BOB, 7_000 ether, ACCOUNT);
        _token.setBlocked(BOB, true);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.Credited(transfer, BOB, 5_000 ether);
        _escrow.release(transfer);
        assertEq(_escrow.claimableOf(BOB), 5_000 ether, "claimable");
        assertEq(_escrow.books().waiting, 2_000 ether, "waiting");
        // Claiming is no payment once more.
        (, uint256 toPay) = _escrow.available();
        vm.prank(BOB);
        _escrow.claim(ALICE);
        (, uint256 toPayAfter) = _escrow.available();
        assertEq(toPayAfter, toPay, "to pay");
    }

    // ---- Pause ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A39_pauses(uint32 later) external {
        lock(LOCKED);
        bytes32 waiting = arrive(home, 1, BOB, 2_000 ether, ACCOUNT);
        uint256 until = vm.getBlockTimestamp() + 7 days;
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.PausedUntil(until);
        pass(address(_escrow), GUARDIAN, 0, abi.encodeCall(_escrow.pause, ()));
        assertEq(_escrow.pausedUntil(), until, "paused until");
        vm.warp(vm.getBlockTimestamp() + bound(later, 0, 7 days - 1));
        bytes memory reason = abi.encodeWithSelector(IAnkrBridge.AnkrBridge_Paused.selector, until);
        enrich(home, ALICE, 10 ether);
        refuse(address(_escrow), ALICE, _sendCall(BOB, 10 ether), reason);
        bytes memory to = InteroperableAddress.formatEvmV1(FAR_CHAIN, BOB);
        bytes memory transfer = abi.encodeCall(BridgeFungible.crosschainTransfer, (to, 10 ether));
        refuse(address(_escrow), ALICE, transfer, reason);
        bytes memory data = callOf(home, messageTo(home, 2, payloadOf(2, ALICE, BOB, 1 ether, ACCOUNT)));
        refuse(address(home.gateway), RELAYER, data, reason);
        _refuseRelease(waiting, reason);
        // Fees are collected, and it ends by itself.
        assertEq(_escrow.collectFees(), 0.25 ether, "fees");
        vm.warp(until);
        pass(address(home.gateway), RELAYER, 0, data);
        send(home, ALICE, BOB, 10 ether, ACCOUNT);
        _escrow.release(waiting);
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A39_pausesCannotBeStrungTogether(uint32 later, uint32 ended) external {
        bytes memory data = abi.encodeCall(_escrow.pause, ());
        pass(address(_escrow), GUARDIAN, 0, data);
        uint256 begun = vm.getBlockTimestamp();
        uint256 early = bound(ended, 0, 8 days);
        vm.warp(begun + early);
        uint256 until = early < 7 days ? begun + early : begun + 7 days;
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.PausedUntil(until);
        pass(address(_escrow), early % 2 == 0 ? GUARDIAN : OWNER, 0, abi.encodeCall(_escrow.unpause, ()));
        assertEq(_escrow.pausedUntil(), until, "until");
        uint256 again = until + 7 days;
        uint256 now_ = begun + early + bound(later, 0, again - 1 - begun - early);
        vm.warp(now_);
        bytes4 why = IAnkrBridge.AnkrBridge_PauseSpent.selector;
        refuse(address(_escrow), GUARDIAN, data, abi.encodeWithSelector(why, again));
        send(home, ALICE, BOB, 1 ether, ACCOUNT);
        vm.warp(again);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.PausedUntil(again + 7 days);
        pass(address(_escrow), GUARDIAN, 0, data);
    }

    function test_unpausingWithoutAPauseChangesNothing() external {
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.PausedUntil(0);
        pass(address(_escrow), OWNER, 0, abi.encodeCall(_escrow.unpause, ()));
        assertEq(_escrow.pausedUntil(), 0, "until");
        pass(address(_escrow), GUARDIAN, 0, abi.encodeCall(_escrow.pause, ()));
    }

    // ---- Fees ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_collectsFees(uint96 fee, uint8 times, address receiver) external {
        _assumePayable(receiver);
        IAnkrBridge.Settings memory settings = someSettings();
        settings.fee = uint96(bound(fee, 1, 100 ether));
        set(home, settings);
        uint256 count = times % 4;
        for (uint256 i = 0; i < count; ++i) send(home, ALICE, BOB, settings.fee + 1 ether, ACCOUNT);
        uint256 due = count * settings.fee;
        assertBooks(home, count * 1 ether, 0, 0, due);
        settings.feeReceiver = receiver;
        set(home, settings);
        uint256 had = _token.balanceOf(receiver);
        vm.expectEmit(address(_escrow));
        emit IAnkrBridge.FeesCollected(receiver, due);
        vm.prank(STRANGER);
        assertEq(_escrow.collectFees(), due, "collected");
        assertEq(_token.balanceOf(receiver), had + due, "received");
        assertBooks(home, count * 1 ether, 0, 0, 0);
        assertEq(_escrow.collectFees(), 0, "collected twice");
        assertEq(_token.balanceOf(receiver), had + due, "received twice");
    }

    /// @dev A fee of none needs no receiver, but fees of before wait for one.
    function test_RevertWhen_FeesAreForNobody() external {
        send(home, ALICE, BOB, 1 ether, ACCOUNT);
        IAnkrBridge.Settings memory settings = someSettings();
        (settings.fee, settings.feeReceiver) = (0, address(0));
        set(home, settings);
        bytes memory reason = _error(IAnkrBridge.AnkrBridge_InvalidRecipient.selector, address(0));
        refuse(address(_escrow), STRANGER, abi.encodeCall(_escrow.collectFees, ()), reason);
        settings.feeReceiver = FEES;
        set(home, settings);
        assertEq(_escrow.collectFees(), 0.25 ether, "collected");
        settings.feeReceiver = address(0);
        set(home, settings);
        assertEq(_escrow.collectFees(), 0, "nothing");
    }

    // ---- Helpers ----

    function _assumePayable(address to) private view {
        vm.assume(to != address(0) && to != address(_escrow) && to != address(vm));
        vm.assume(to != STRANGER && to != BOB && to != ALICE);
    }

    /// @dev So that a credit shows.
    function _useSendLimit() private {
        send(home, STRANGER, STRANGER, 500 ether + 0.25 ether, ACCOUNT);
    }

    function _veto(bytes32 transfer) private {
        pass(address(_escrow), GUARDIAN, 0, abi.encodeCall(_escrow.veto, (transfer)));
    }

    function _refuseRelease(bytes32 transfer, bytes memory reason) private {
        refuse(address(_escrow), STRANGER, abi.encodeCall(_escrow.release, (transfer)), reason);
    }

    function _refuseTransfer(bytes memory to, bytes memory reason) private {
        uint256 had = _token.balanceOf(ALICE);
        enrich(home, ALICE, 1 ether);
        bytes memory data = abi.encodeCall(BridgeFungible.crosschainTransfer, (to, 1 ether));
        refuse(address(_escrow), ALICE, data, reason);
        assertEq(_token.balanceOf(ALICE), had + 1 ether, "kept");
        assertEq(_escrow.sent(), 0, "sent");
    }

    function _refuseMade(AnkrBridge.Creation memory creation, address token, bytes memory reason) private {
        bytes memory code = codeOfHome(creation, token);
        refuse(address(maker), address(this), abi.encodeCall(maker.make, (code)), reason);
    }

    function _sendCall(address to, uint256 amount) private view returns (bytes memory) {
        return abi.encodeCall(_escrow.send, (to, amount, ACCOUNT));
    }

    function _error(bytes4 why, address who) private pure returns (bytes memory) {
        return abi.encodeWithSelector(why, who);
    }

    function _waits(bytes4 why, bytes32 transfer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(why, transfer);
    }

    function _invalid(string memory what) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAnkrBridge.AnkrBridge_InvalidSetting.selector, what);
    }

    function _least(uint256 one, uint256 other) private pure returns (uint256) {
        return one < other ? one : other;
    }
}
