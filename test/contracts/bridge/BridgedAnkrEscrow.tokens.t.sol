// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BridgeFungible} from "@openzeppelin/contracts/crosschain/bridges/abstract/BridgeFungible.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {Currency_InexactTransfer} from "../../../contracts/libraries/Currency.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {BlocklistERC20} from "../../../contracts/mocks/BlocklistERC20.sol";
import {FeeERC20} from "../../../contracts/mocks/FeeERC20.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {LyingERC20} from "../../../contracts/mocks/LyingERC20.sol";
import {OddERC20} from "../../../contracts/mocks/OddERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

/// @notice The escrow of tokens that are not as they should be.
contract BridgedAnkrEscrowTokensTest is BridgeTest {
    IAnkrBridge private _escrow;

    function _open(address token) private {
        begin(Kind.Vault);
        open(token, address(0), address(0));
        _escrow = home.bridge;
        vm.chainId(HOME_CHAIN);
    }

    // ---- Coming in ----

    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A05_RevertWhen_TheTokenTakesAFee(uint96 amount, uint16 bps) external {
        FeeERC20 token = new FeeERC20();
        _open(address(token));
        token.setFee(bound(bps, 1, 10_000));
        uint256 wei_ = bound(amount, 0.5 ether, 9_000 ether);
        enrich(home, ALICE, wei_);
        uint256 received = wei_ - (wei_ * token.feeBps()) / 10_000;
        _refuseSend(wei_, abi.encodeWithSelector(Currency_InexactTransfer.selector, wei_, received));
    }

    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A06_odd(uint96 amount, uint8 kind) external {
        OddERC20 token = new OddERC20();
        _open(address(token));
        OddERC20.Answer answer = OddERC20.Answer(kind % 10);
        uint256 wei_ = bound(amount, 0.5 ether, 1_000 ether);
        enrich(home, ALICE, wei_);
        token.setAnswer(answer);
        vm.prank(ALICE);
        (bool success, ) = address(_escrow).call{gas: 20_000_000}(_sendCall(wei_));
        assertTrue(success == _isFine(answer), "went in");
        assertEq(token.balanceOf(address(_escrow)), success ? wei_ : 0, "held");
        assertEq(token.balanceOf(ALICE), success ? 0 : wei_, "sender's");
        assertBooks(home, success ? wei_ - 0.25 ether : 0, 0, 0, success ? 0.25 ether : 0);
    }

    function test_A06_everyAnswer() external {
        for (uint8 i = 0; i < 10; ++i) {
            uint256 state = vm.snapshotState();
            this.testFuzz_A06_odd(1 ether, i);
            this.testFuzz_A06_oddGoesOut(1 ether, i);
            vm.revertToState(state);
        }
    }

    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A08_RevertWhen_TheTokenLies(uint96 amount, int96 lie) external {
        vm.assume(lie != 0);
        LyingERC20 token = new LyingERC20();
        _open(address(token));
        uint256 wei_ = bound(amount, 0.5 ether, 9_000 ether);
        enrich(home, ALICE, wei_);
        token.setLie(lie);
        int256 shown = int256(wei_) + lie;
        uint256 received = shown < 0 ? 0 : uint256(shown);
        _refuseSend(wei_, abi.encodeWithSelector(Currency_InexactTransfer.selector, wei_, received));
    }

    // ---- Going out ----

    /// @dev What cannot be paid is credited, and claimed once it can. A token that says otherwise than it does cannot have
    /// come in.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A06_oddGoesOut(uint96 amount, uint8 kind) external {
        OddERC20 token = new OddERC20();
        _open(address(token));
        lock(10_000 ether);
        uint256 held = token.balanceOf(address(_escrow));
        OddERC20.Answer answer = OddERC20.Answer(kind % 10);
        if (
            answer == OddERC20.Answer.FalseAfterMoving ||
            answer == OddERC20.Answer.TrueWithoutMoving ||
            answer == OddERC20.Answer.Two
        ) return;
        uint256 wei_ = bound(amount, 1, 1_000 ether);
        token.setAnswer(answer);
        arrive(home, 1, ALICE, wei_, ACCOUNT);
        bool fine = _isFine(answer) && answer != OddERC20.Answer.Megabyte;
        // A megabyte costs more than a payment may use.
        if (answer == OddERC20.Answer.Megabyte) fine = token.balanceOf(ALICE) != 0;
        assertEq(token.balanceOf(ALICE), fine ? wei_ : 0, "paid");
        assertEq(_escrow.claimableOf(ALICE), fine ? 0 : wei_, "credited");
        assertBooks(home, 10_000 ether - wei_, 0, fine ? 0 : wei_, 0.25 ether);
        token.setAnswer(OddERC20.Answer.Nothing);
        if (fine) return;
        vm.prank(ALICE);
        _escrow.claim(ALICE);
        assertEq(token.balanceOf(ALICE), wei_, "claimed");
        assertEq(token.balanceOf(address(_escrow)), held - wei_, "held");
    }

    function test_A07_aPausedTokenStopsNobodyForGood() external {
        BlocklistERC20 token = new BlocklistERC20();
        _open(address(token));
        lock(10_000 ether);
        token.setPaused(true);
        arrive(home, 1, ALICE, 5 ether, ACCOUNT);
        arrive(home, 2, BOB, 7 ether, ACCOUNT);
        assertEq(_escrow.books().claimable, 12 ether, "claimable");
        bytes memory reason = abi.encodeWithSelector(BlocklistERC20.BlocklistERC20_Paused.selector);
        refuse(address(_escrow), ALICE, abi.encodeCall(_escrow.claim, (ALICE)), reason);
        token.setPaused(false);
        vm.prank(ALICE);
        _escrow.claim(ALICE);
        assertEq(token.balanceOf(ALICE), 5 ether, "claimed");
        assertEq(_escrow.claimableOf(BOB), 7 ether, "the other's");
    }

    // ---- Calling back ----

    /// @dev As an ERC-777 token does, before and after the balances change, into every function, on every way.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A01_reentersNothing(uint8 which, uint8 way, bool late) external {
        HookERC20 token = new HookERC20();
        _open(address(token));
        lock(20_000 ether);
        Actor actor = new Actor();
        enrich(home, address(actor), 100 ether);
        bytes32 waiting = arrive(home, 1, address(actor), 1_001 ether, ACCOUNT);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        bytes memory again = callOf(
            home,
            messageTo(home, 2, payloadOf(2, ALICE, address(actor), 1 ether, ACCOUNT))
        );
        bytes[6] memory calls = [
            abi.encodeCall(_escrow.send, (BOB, 1 ether, ACCOUNT)),
            abi.encodeCall(_escrow.release, (waiting)),
            abi.encodeCall(_escrow.claim, (address(actor))),
            abi.encodeCall(_escrow.collectFees, ()),
            abi.encodeCall(BridgeFungible.crosschainTransfer, ("", 1 ether)),
            again
        ];
        address target = which % 6 == 5 ? address(home.gateway) : address(_escrow);
        actor.arm(target, 0, calls[which % 6]);
        uint256 sum = token.balanceOf(address(_escrow)) + token.balanceOf(address(actor));
        token.setHook(
            late ? HookERC20.Moment.After : HookERC20.Moment.Before,
            address(actor),
            abi.encodeCall(actor.reenter, ())
        );
        _go(way % 4, actor, waiting);
        token.setHook(HookERC20.Moment.Never, address(0), "");
        assertTrue(!actor.succeeded(), "entered");
        bytes4 why = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        if (way % 4 != 1 && way % 4 != 2) {
            // By the other two it may use no more than a payment may.
            assertEq(actor.entries(), 1, "entries");
            if (which % 6 != 5 || way % 4 != 2) {
                assertEq(actor.returned(), abi.encodeWithSelector(why), "reason");
            }
        }
        uint256 fees = token.balanceOf(FEES);
        assertEq(token.balanceOf(address(_escrow)) + token.balanceOf(address(actor)) + fees, sum, "together");
        IAnkrBridge.Books memory books = _escrow.books();
        uint256 owed = books.outstanding + books.waiting + books.claimable + books.fees;
        assertEq(books.liquidity, owed, "I-1 held");
        assertTrue(!_escrow.isReceived(transferTo(home, 2)), "received meanwhile");
    }

    function test_A01_everyFunctionOnEveryWay() external {
        for (uint8 i = 0; i < 48; ++i) {
            uint256 state = vm.snapshotState();
            this.testFuzz_A01_reentersNothing(i % 6, (i / 6) % 4, i >= 24);
            vm.revertToState(state);
        }
    }

    function _go(uint256 way, Actor actor, bytes32 waiting) private {
        if (way == 0) {
            actor.execute(address(_escrow), 0, abi.encodeCall(_escrow.send, (BOB, 10 ether, ACCOUNT)));
            assertEq(_escrow.sent(), 2, "sent");
        } else if (way == 1) {
            arrive(home, 3, address(actor), 2 ether, ACCOUNT);
        } else if (way == 2) {
            _escrow.release(waiting);
        } else {
            _escrow.collectFees();
        }
    }

    /// @dev What a hook gives on the way is not taken for the transfer.
    /// hardhat-config: default.fuzz.runs = 16
    function testFuzz_A01_RevertWhen_MoreComesOnTheWay(uint96 amount, uint96 gift, bool late) external {
        HookERC20 token = new HookERC20();
        _open(address(token));
        Actor actor = new Actor();
        uint256 more = bound(gift, 1, MAX_AMOUNT);
        token.mint(address(actor), more);
        actor.arm(address(token), 0, abi.encodeCall(IERC20.transfer, (address(_escrow), more)));
        uint256 wei_ = bound(amount, 0.5 ether, 9_000 ether);
        enrich(home, ALICE, wei_);
        HookERC20.Moment moment = late ? HookERC20.Moment.After : HookERC20.Moment.Before;
        token.setHook(moment, address(actor), abi.encodeCall(actor.reenter, ()));
        _refuseSend(wei_, abi.encodeWithSelector(Currency_InexactTransfer.selector, wei_, wei_ + more));
    }

    // ---- Helpers ----

    /// @dev Of the answers, those that move and say so, or say nothing.
    function _isFine(OddERC20.Answer answer) private pure returns (bool) {
        return
            answer == OddERC20.Answer.True ||
            answer == OddERC20.Answer.Nothing ||
            answer == OddERC20.Answer.TwoWords ||
            answer == OddERC20.Answer.Megabyte;
    }

    function _sendCall(uint256 amount) private view returns (bytes memory) {
        return abi.encodeCall(_escrow.send, (BOB, amount, ACCOUNT));
    }

    function _refuseSend(uint256 amount, bytes memory reason) private {
        uint256 had = moneyOf(home, ALICE);
        refuse(address(_escrow), ALICE, _sendCall(amount), reason);
        assertEq(moneyOf(home, ALICE), had, "kept");
        assertBooks(home, 0, 0, 0, 0);
    }
}
