// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

import {
    Currency,
    Currency_InexactTransfer,
    Currency_NoCode,
    Currency_WrongValue
} from "../../../contracts/libraries/Currency.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {BlocklistERC20} from "../../../contracts/mocks/BlocklistERC20.sol";
import {FeeERC20} from "../../../contracts/mocks/FeeERC20.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {LyingERC20} from "../../../contracts/mocks/LyingERC20.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {OddERC20} from "../../../contracts/mocks/OddERC20.sol";
import {Test} from "../utils/Test.sol";

/// @dev What the contracts do with a currency and nothing else.
contract Till {
    Currency private immutable CURRENCY;

    constructor(Currency currency) {
        currency.assertUsable();
        CURRENCY = currency;
    }

    function pull(uint256 amount) external payable {
        CURRENCY.pull(msg.sender, amount);
    }

    function push(address to, uint256 amount) external {
        CURRENCY.push(to, amount);
    }
}

contract CurrencyTest is Test {
    address private constant PAYER = address(0xA11CE);
    address private constant PAYEE = address(0xB0B);
    Currency private constant NATIVE = Currency.wrap(address(0));

    // ---- Native ----

    function testFuzz_nativeMovesExactly(uint256 funds, uint256 amount, uint256 out) external {
        (funds, amount, out) = ordered(funds, amount, out);
        Till till = new Till(NATIVE);
        vm.deal(PAYER, funds);
        vm.prank(PAYER);
        till.pull{value: amount}(amount);
        assertNative(till, funds - amount, amount, 0);
        till.push(PAYEE, out);
        assertNative(till, funds - amount, amount - out, out);
    }

    function testFuzz_RevertWhen_ValueIsNotTheAmount(uint96 value, uint256 amount) external {
        vm.assume(value != amount);
        Till till = new Till(NATIVE);
        vm.deal(PAYER, value);
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Currency_WrongValue.selector, value, amount));
        till.pull{value: value}(amount);
        assertNative(till, value, 0, 0);
    }

    function testFuzz_RevertWhen_NativeIsNotThere(uint96 held, uint256 amount) external {
        amount = bound(amount, uint256(held) + 1, type(uint256).max);
        Till till = new Till(NATIVE);
        vm.deal(address(till), held);
        vm.expectRevert(abi.encodeWithSelector(Errors.InsufficientBalance.selector, held, amount));
        till.push(PAYEE, amount);
        assertNative(till, 0, held, 0);
    }

    function testFuzz_A07_RevertWhen_ReceiverRefuses(uint96 held, uint96 amount) external {
        amount = uint96(bound(amount, 0, held));
        Till till = new Till(NATIVE);
        vm.deal(address(till), held);
        Actor receiver = new Actor();
        receiver.setManner(Actor.Manner.Refuse);
        vm.expectRevert(abi.encodeWithSelector(Actor.Actor_Refused.selector, address(till), amount));
        till.push(address(receiver), amount);
        assertEq(address(till).balance, held, "nothing left");
        assertEq(address(receiver).balance, 0, "nothing arrived");
    }

    function test_A08_receiverThatBurnsGasOrReturnsAMegabyteOnlyFails() external {
        Till till = new Till(NATIVE);
        vm.deal(address(till), 1 ether);
        Actor receiver = new Actor();
        receiver.setManner(Actor.Manner.BurnGas);
        // No data comes back from a call that ran out of gas.
        vm.expectRevert(abi.encodeWithSelector(Errors.FailedCall.selector));
        till.push{gas: 1_000_000}(address(receiver), 1 ether);
        receiver.setManner(Actor.Manner.RefuseMegabyte);
        (bool success, ) = address(till).call(abi.encodeCall(till.push, (address(receiver), 1 ether)));
        assertTrue(!success, "a refusal counts, however long");
        assertEq(address(till).balance, 1 ether, "nothing left");
        assertEq(address(receiver).balance, 0, "nothing arrived");
    }

    // ---- Tokens ----

    function testFuzz_tokenMovesExactly(uint256 funds, uint256 amount, uint256 out) external {
        (funds, amount, out) = ordered(funds, amount, out);
        (Till till, MockERC20 token) = open(new MockERC20(), funds);
        vm.prank(PAYER);
        till.pull(amount);
        assertToken(till, token, funds - amount, amount, 0);
        till.push(PAYEE, out);
        assertToken(till, token, funds - amount, amount - out, out);
    }

    function testFuzz_RevertWhen_NativeIsSentForATokenTill(uint96 value, uint96 amount) external {
        vm.assume(value != 0);
        (Till till, MockERC20 token) = open(new MockERC20(), amount);
        vm.deal(PAYER, value);
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Currency_WrongValue.selector, value, 0));
        till.pull{value: value}(amount);
        assertToken(till, token, amount, 0, 0);
        assertEq(PAYER.balance, value, "payer's native");
    }

    function testFuzz_A05_RevertWhen_TokenTakesAFee(uint96 amount, uint256 feeBps) external {
        FeeERC20 token = new FeeERC20();
        token.setFee(bound(feeBps, 1, 10_000));
        uint256 fee = (uint256(amount) * token.feeBps()) / 10_000;
        vm.assume(fee != 0);
        (Till till, ) = open(token, amount);
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Currency_InexactTransfer.selector, amount, amount - fee));
        till.pull(amount);
        assertToken(till, token, amount, 0, 0);
    }

    function testFuzz_A06_oddAnswersMoveOrRevert(uint96 amount) external {
        vm.assume(amount != 0);
        // What moved is what counts; an answer that denies it, or is no boolean, is a failure.
        tryAnswer(OddERC20.Answer.True, amount, true);
        tryAnswer(OddERC20.Answer.Nothing, amount, true);
        tryAnswer(OddERC20.Answer.TwoWords, amount, true);
        tryAnswer(OddERC20.Answer.Megabyte, amount, true);
        tryAnswer(OddERC20.Answer.False, amount, false);
        tryAnswer(OddERC20.Answer.FalseAfterMoving, amount, false);
        tryAnswer(OddERC20.Answer.Two, amount, false);
        tryAnswer(OddERC20.Answer.RevertMegabyte, amount, false);
    }

    function tryAnswer(OddERC20.Answer answer, uint256 amount, bool moves) private {
        OddERC20 token = new OddERC20();
        (Till till, ) = open(token, amount);
        token.setAnswer(answer);
        vm.prank(PAYER);
        (bool success, ) = address(till).call(abi.encodeCall(till.pull, (amount)));
        assertTrue(success == moves, "pull");
        assertToken(till, token, moves ? 0 : amount, moves ? amount : 0, 0);
        if (!moves) {
            token.setAnswer(OddERC20.Answer.True);
            vm.prank(PAYER);
            till.pull(amount);
            token.setAnswer(answer);
        }
        (success, ) = address(till).call(abi.encodeCall(till.push, (PAYEE, amount)));
        assertTrue(success == moves, "push");
        assertToken(till, token, 0, moves ? 0 : amount, moves ? amount : 0);
    }

    function testFuzz_A06_RevertWhen_TokenSaysTrueAndMovesNothing(uint96 amount) external {
        vm.assume(amount != 0);
        OddERC20 token = new OddERC20();
        (Till till, ) = open(token, amount);
        token.setAnswer(OddERC20.Answer.TrueWithoutMoving);
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Currency_InexactTransfer.selector, amount, 0));
        till.pull(amount);
        assertToken(till, token, amount, 0, 0);
    }

    function testFuzz_A06_RevertWhen_ThereIsNoTokenAtTheAddress(address token) external {
        vm.assume(token != address(0) && token.code.length == 0);
        vm.expectRevert(abi.encodeWithSelector(Currency_NoCode.selector, token));
        new Till(Currency.wrap(token));
    }

    function testFuzz_A06_RevertWhen_AllowanceIsMissing(uint96 amount) external {
        vm.assume(amount != 0);
        OddERC20 token = new OddERC20();
        token.mint(PAYER, amount);
        Till till = new Till(Currency.wrap(address(token)));
        token.setAnswer(OddERC20.Answer.False);
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, token));
        till.pull(amount);
        assertToken(till, token, amount, 0, 0);
    }

    function testFuzz_A07_RevertWhen_AccountIsBlockedOrTokenPaused(uint96 amount) external {
        BlocklistERC20 token = new BlocklistERC20();
        (Till till, ) = open(token, amount);
        token.setBlocked(PAYER, true);
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(BlocklistERC20.BlocklistERC20_Blocked.selector, PAYER));
        till.pull(amount);
        token.setBlocked(PAYER, false);
        vm.prank(PAYER);
        till.pull(amount);
        token.setPaused(true);
        vm.expectRevert(abi.encodeWithSelector(BlocklistERC20.BlocklistERC20_Paused.selector));
        till.push(PAYEE, amount);
        assertToken(till, token, 0, amount, 0);
    }

    function testFuzz_A08_RevertWhen_BalanceIsALie(uint96 before, uint96 amount, int96 lie) external {
        vm.assume(amount != 0 && lie != 0);
        LyingERC20 token = new LyingERC20();
        (Till till, ) = open(token, uint256(before) + amount);
        vm.prank(PAYER);
        till.pull(before);
        token.setLie(lie);
        int256 seen = int256(uint256(amount)) + lie;
        // A balance does not show less than nothing, nor a receipt.
        if (seen < 0) seen = 0;
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(Currency_InexactTransfer.selector, amount, seen));
        till.pull(amount);
        assertToken(till, token, amount, before, 0);
    }

    function testFuzz_A09_donationsAreNotReceipts(uint96 donated, uint96 amount) external {
        (Till till, MockERC20 token) = open(new MockERC20(), amount);
        token.mint(address(till), donated);
        vm.prank(PAYER);
        till.pull(amount);
        assertToken(till, token, 0, uint256(donated) + amount, 0);
    }

    /// @dev What arrives by another way in the middle of a transfer is not taken for the transfer.
    function testFuzz_A01_RevertWhen_TokenIsDonatedInsideTheTransfer(uint96 donated, uint96 amount) external {
        vm.assume(donated != 0);
        HookERC20 token = new HookERC20();
        (Till till, ) = open(token, amount);
        token.setHook(
            HookERC20.Moment.Before,
            address(token),
            abi.encodeCall(token.mint, (address(till), donated))
        );
        vm.prank(PAYER);
        vm.expectRevert(
            abi.encodeWithSelector(Currency_InexactTransfer.selector, amount, uint256(amount) + donated)
        );
        till.pull(amount);
        assertToken(till, token, amount, 0, 0);
    }

    function test_A08_tokenThatBurnsGasOnlyFails() external {
        OddERC20 token = new OddERC20();
        (Till till, ) = open(token, 1);
        token.setAnswer(OddERC20.Answer.BurnGas);
        vm.prank(PAYER);
        (bool success, ) = address(till).call{gas: 1_000_000}(abi.encodeCall(till.pull, (1)));
        assertTrue(!success, "out of gas");
        assertToken(till, token, 1, 0, 0);
    }

    // ---- Helpers ----

    /// @dev A till for `token` whose payer has `funds` and has approved all of it.
    function open(MockERC20 token, uint256 funds) private returns (Till till, MockERC20) {
        till = new Till(Currency.wrap(address(token)));
        token.mint(PAYER, funds);
        vm.prank(PAYER);
        token.approve(address(till), type(uint256).max);
        return (till, token);
    }

    function ordered(
        uint256 funds,
        uint256 amount,
        uint256 out
    ) private pure returns (uint256, uint256, uint256) {
        funds = bound(funds, 0, type(uint128).max);
        amount = bound(amount, 0, funds);
        return (funds, amount, bound(out, 0, amount));
    }

    function assertNative(Till till, uint256 payer, uint256 held, uint256 payee) private view {
        assertEq(PAYER.balance, payer, "payer");
        assertEq(address(till).balance, held, "till");
        assertEq(PAYEE.balance, payee, "payee");
    }

    function assertToken(
        Till till,
        MockERC20 token,
        uint256 payer,
        uint256 held,
        uint256 payee
    ) private view {
        assertEq(token.balanceOf(PAYER), payer, "payer");
        assertEq(token.balanceOf(address(till)), held, "till");
        assertEq(token.balanceOf(PAYEE), payee, "payee");
    }
}
