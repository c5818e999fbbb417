// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BridgeFungible} from "@openzeppelin/contracts/crosschain/bridges/abstract/BridgeFungible.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {Currency_WrongValue} from "../../../contracts/libraries/Currency.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

contract NativeAnkrVaultTest is BridgeTest {
    uint256 private constant ENDOWED = 1_000_000 ether;

    IAnkrBridge private _vault;

    function setUp() external {
        begin(Kind.Vault);
        open(address(new MockERC20()), address(0), address(0));
        _vault = far.bridge;
        vm.deal(address(_vault), ENDOWED);
        vm.chainId(FAR_CHAIN);
    }

    function test_isMadeWithWhatItSays() external view {
        (uint256 chain, address bridge) = _vault.counterpart();
        assertEq(chain, HOME_CHAIN, "chain");
        assertEq(bridge, address(home.bridge), "counterpart");
        assertEq(_vault.currency(), address(0), "currency");
        assertEq(_vault.gateway(), address(far.gateway), "gateway");
        assertEq(_vault.books().liquidity, ENDOWED, "liquidity");
        assertBooks(far, 0, 0, 0, 0);
    }

    /// @dev Coins that it is given are what it pays with, and nothing else.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_takesCoins(uint96 amount, address from) external {
        vm.assume(from != address(_vault) && from != address(vm));
        vm.deal(from, amount);
        pass(address(_vault), from, amount, "");
        assertEq(_vault.books().liquidity, ENDOWED + amount, "liquidity");
        assertBooks(far, 0, 0, 0, 0);
    }

    // ---- Receiving and sending ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_receives(uint160 account, uint96 amount) external {
        address to = address(uint160(bound(account, 0x10000, type(uint160).max)));
        vm.assume(to.code.length == 0 && to != address(vm) && to != RELAYER);
        uint256 wei_ = bound(amount, 0, 1_000 ether);
        uint256 had = to.balance;
        bytes32 transfer = transferTo(far, 1);
        bytes memory data = callOf(far, messageTo(far, 1, payloadOf(1, ALICE, to, wei_, ACCOUNT)));
        vm.expectEmit(address(_vault));
        emit IAnkrBridge.Received(transfer, ALICE, to, wei_, ACCOUNT);
        vm.expectEmit(address(_vault));
        emit IAnkrBridge.Paid(transfer, to, wei_, ACCOUNT);
        pass(address(far.gateway), RELAYER, 0, data);
        assertEq(to.balance, had + wei_, "recipient's");
        assertEq(address(_vault).balance, ENDOWED - wei_, "vault's");
        assertBooks(far, wei_, 0, 0, 0);
        (uint256 toSend, uint256 toPay) = _vault.available();
        assertEq(toSend, 10_000 ether, "to send");
        assertEq(toPay, 5_000 ether - wei_, "to pay");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_sendsBack(uint96 came, uint96 goes, address to) external {
        vm.assume(to != address(0) && to != address(home.bridge));
        uint256 there = bound(came, 1 ether, 1_000 ether);
        arrive(far, 1, BOB, there, ACCOUNT);
        uint256 amount = bound(goes, 0.5 ether, there + 0.25 ether);
        uint256 left = amount - 0.25 ether;
        vm.deal(ALICE, amount);
        bytes32 id = idOf(messageTo(home, 1, payloadOf(1, ALICE, to, left, MARKET)));
        vm.expectEmit(address(_vault));
        emit IAnkrBridge.Sent(transferFrom(far, 1), ALICE, to, 1, left, 0.25 ether, MARKET, id);
        vm.prank(ALICE);
        assertTrue(_vault.send{value: amount}(to, amount, MARKET) == transferFrom(far, 1), "transfer");
        assertEq(ALICE.balance, 0, "sender's");
        assertEq(address(_vault).balance, ENDOWED - there + amount, "vault's");
        assertBooks(far, there - left, 0, 0, 0.25 ether);
        vm.chainId(FAR_CHAIN);
        assertEq(_vault.collectFees(), 0.25 ether, "fees");
        assertEq(FEES.balance, 0.25 ether, "fees received");
        assertBooks(far, there - left, 0, 0, 0);
    }

    /// @dev A chain makes as many coins as it likes: what never came over the bridge does not leave by it.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_RevertWhen_CoinsNeverCame(uint96 came, uint96 more) external {
        uint256 there = bound(came, 0, 1_000 ether);
        arrive(far, 1, BOB, there, ACCOUNT);
        uint256 left = bound(more, there + 1 ether, 9_000 ether);
        vm.deal(STRANGER, left + 0.25 ether);
        bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
        bytes memory data = abi.encodeCall(_vault.send, (STRANGER, left + 0.25 ether, ACCOUNT));
        bytes memory reason = abi.encodeWithSelector(why, left, there);
        refuse(address(_vault), STRANGER, left + 0.25 ether, data, reason);
        assertEq(STRANGER.balance, left + 0.25 ether, "kept");
    }

    /// @dev OpenZeppelin's way in takes no coins, and would send for nothing.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_RevertWhen_SentForNothing(address to, uint96 amount, bytes calldata odd) external {
        arrive(far, 1, BOB, 1_000 ether, ACCOUNT);
        bytes memory reason = abi.encodeWithSelector(IAnkrBridge.AnkrBridge_UseSend.selector);
        bytes memory account = InteroperableAddress.formatEvmV1(HOME_CHAIN, to);
        bytes memory data = abi.encodeCall(BridgeFungible.crosschainTransfer, (account, amount));
        refuse(address(_vault), ALICE, data, reason);
        data = abi.encodeCall(BridgeFungible.crosschainTransfer, (odd, amount));
        refuse(address(_vault), ALICE, data, reason);
        // It is not payable either.
        vm.deal(ALICE, 1);
        refuse(address(_vault), ALICE, 1, data, "");
        assertEq(_vault.sent(), 0, "sent");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_ValueIsNotTheAmount(uint96 value, uint96 amount) external {
        arrive(far, 1, BOB, 1_000 ether, ACCOUNT);
        uint256 wei_ = bound(amount, 0.5 ether, 1_000 ether);
        vm.assume(value != wei_);
        vm.deal(ALICE, value);
        bytes memory data = abi.encodeCall(_vault.send, (BOB, wei_, ACCOUNT));
        bytes memory reason =
            value < wei_
                ? abi.encodeWithSelector(Currency_WrongValue.selector, value, wei_)
                : abi.encodeWithSelector(IBridgeGateway.BridgeGateway_WrongFee.selector, value - wei_, 0);
        refuse(address(_vault), ALICE, value, data, reason);
        assertEq(ALICE.balance, value, "kept");
    }

    /// @dev There and back, and everybody has what they had, less two fees.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_thereAndBack(uint96 amount) external {
        uint256 wei_ = bound(amount, 1.5 ether, 1_000 ether);
        send(home, ALICE, BOB, wei_, ACCOUNT);
        deliver(far, messageTo(far, 1, payloadOf(1, ALICE, BOB, wei_ - 0.25 ether, ACCOUNT)));
        assertEq(BOB.balance, wei_ - 0.25 ether, "came");
        vm.prank(BOB);
        _vault.send{value: wei_ - 0.25 ether}(ALICE, wei_ - 0.25 ether, ACCOUNT);
        deliver(home, messageTo(home, 1, payloadOf(1, BOB, ALICE, wei_ - 0.5 ether, ACCOUNT)));
        assertEq(moneyOf(home, ALICE), wei_ - 0.5 ether, "back");
        assertBooks(home, 0.25 ether, 0, 0, 0.25 ether);
        assertBooks(far, 0.25 ether, 0, 0, 0.25 ether);
        assertEq(moneyOf(home, address(home.bridge)), 0.5 ether, "held");
        assertEq(address(_vault).balance, ENDOWED, "vault's");
    }

    // ---- Who cannot be paid ----

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_creditsWhoCannotBePaid(uint8 kind, uint96 amount) external {
        uint256 wei_ = bound(amount, 1, 1_000 ether);
        Actor actor = new Actor();
        Actor.Manner manner = Actor.Manner(2 + (kind % 3));
        actor.setManner(manner);
        bytes32 transfer = transferTo(far, 1);
        bytes memory data = callOf(
            far,
            messageTo(far, 1, payloadOf(1, ALICE, address(actor), wei_, ACCOUNT))
        );
        vm.expectEmit(address(_vault));
        emit IAnkrBridge.Received(transfer, ALICE, address(actor), wei_, ACCOUNT);
        vm.expectEmit(address(_vault));
        emit IAnkrBridge.Credited(transfer, address(actor), wei_);
        pass(address(far.gateway), RELAYER, 0, data);
        assertBooks(far, wei_, 0, wei_, 0);
        assertEq(_vault.claimableOf(address(actor)), wei_, "claimable");
        assertEq(address(_vault).balance, ENDOWED, "vault's");
        // It claims to where it can be received, and nobody does for it.
        bytes memory claim = abi.encodeCall(_vault.claim, (BOB));
        actor.execute(address(_vault), 0, claim);
        assertEq(BOB.balance, wei_, "claimed");
        assertBooks(far, wei_, 0, 0, 0);
    }

    function test_A38_everyManner() external {
        for (uint8 i = 0; i < 3; ++i) {
            uint256 state = vm.snapshotState();
            this.testFuzz_A38_creditsWhoCannotBePaid(i, 1 ether);
            vm.revertToState(state);
        }
    }

    /// @dev A vault with too little owes the rest.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_owesWhatItDoesNotHave(uint96 amount, uint96 there) external {
        uint256 wei_ = bound(amount, 1, 1_000 ether);
        uint256 held = bound(there, 0, wei_ - 1);
        vm.deal(address(_vault), held);
        arrive(far, 1, BOB, wei_, ACCOUNT);
        assertEq(_vault.claimableOf(BOB), wei_, "claimable");
        bytes memory reason = abi.encodeWithSelector(Errors.InsufficientBalance.selector, held, wei_);
        refuse(address(_vault), BOB, abi.encodeCall(_vault.claim, (BOB)), reason);
        assertEq(_vault.claimableOf(BOB), wei_, "kept");
        vm.deal(address(_vault), wei_);
        vm.prank(BOB);
        assertEq(_vault.claim(BOB), wei_, "claimed");
        assertEq(BOB.balance, wei_, "received");
    }

    /// @dev Whoever delivers with little gas does not make a payment fail.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A38_littleGasMakesNoPaymentFail(uint256 gas) external {
        bytes memory data = callOf(far, messageTo(far, 1, payloadOf(1, ALICE, BOB, 1 ether, ACCOUNT)));
        gas = bound(gas, 20_000, 450_000);
        (bool success, ) = address(far.gateway).call{gas: gas}(data);
        assertEq(BOB.balance, success ? 1 ether : 0, "paid");
        assertEq(_vault.claimableOf(BOB), 0, "credited");
        assertTrue(_vault.isReceived(transferTo(far, 1)) == success, "received");
    }

    /// @dev Who is paid calls back into every function, and gets nothing by it; views tell what is.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_I09_reentersNothing(uint8 which, uint8 way) external {
        Actor actor = new Actor();
        actor.setManner(Actor.Manner.Refuse);
        arrive(far, 1, address(actor), 3 ether, ACCOUNT);
        bytes32 waiting = arrive(far, 2, address(actor), 1_001 ether, ACCOUNT);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        bytes memory again = callOf(
            far,
            messageTo(far, 3, payloadOf(3, ALICE, address(actor), 1 ether, ACCOUNT))
        );
        bytes[6] memory calls = [
            abi.encodeCall(_vault.send, (BOB, 1 ether, ACCOUNT)),
            abi.encodeCall(_vault.release, (waiting)),
            abi.encodeCall(_vault.claim, (address(actor))),
            abi.encodeCall(_vault.collectFees, ()),
            abi.encodeCall(BridgeFungible.crosschainTransfer, ("", 1 ether)),
            again
        ];
        bytes memory armed = calls[which % 6];
        address target = which % 6 == 5 ? address(far.gateway) : address(_vault);
        actor.arm(target, which % 6 == 0 ? 1 ether : 0, armed);
        uint256 had = address(_vault).balance + address(actor).balance;
        if (way % 3 == 0) {
            // By a delivery: what it may use is limited, so that it is paid or credited.
            bytes memory data = callOf(
                far,
                messageTo(far, 4, payloadOf(4, ALICE, address(actor), 2 ether, ACCOUNT))
            );
            pass(address(far.gateway), RELAYER, 0, data);
            uint256 credited = _vault.claimableOf(address(actor)) - 3 ether;
            assertEq(address(actor).balance + credited, 2 ether, "paid or credited");
        } else if (way % 3 == 1) {
            _vault.release(waiting);
            uint256 credited = _vault.claimableOf(address(actor)) - 3 ether;
            assertEq(address(actor).balance + credited, 1_001 ether, "paid or credited");
        } else {
            vm.prank(address(actor));
            _vault.claim(address(actor));
            assertEq(address(actor).balance, 3 ether, "claimed");
            assertEq(actor.entries(), 1, "entries");
            bytes4 why = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
            // The gateway is not in the middle of anything; the bridge is.
            assertEq(actor.returned(), abi.encodeWithSelector(why), "reason");
        }
        assertTrue(!actor.succeeded(), "entered");
        assertEq(address(_vault).balance + address(actor).balance, had, "together");
        assertEq(_vault.sent(), 0, "sent");
        assertTrue(!_vault.isReceived(transferTo(far, 3)), "received meanwhile");
    }

    function test_I09_everyFunctionOnEveryWay() external {
        for (uint8 i = 0; i < 18; ++i) {
            uint256 state = vm.snapshotState();
            this.testFuzz_I09_reentersNothing(i % 6, i / 6);
            vm.revertToState(state);
        }
    }
}
