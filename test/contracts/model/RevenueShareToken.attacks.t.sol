// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {Currency_InsufficientGas} from "../../../contracts/libraries/Currency.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {BlocklistERC20} from "../../../contracts/mocks/BlocklistERC20.sol";
import {FeeERC20} from "../../../contracts/mocks/FeeERC20.sol";
import {LyingERC20} from "../../../contracts/mocks/LyingERC20.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {OddERC20} from "../../../contracts/mocks/OddERC20.sol";
import {ShareTest} from "./ShareTest.sol";

/// @notice Takes coins if it is given gas for what it does with them, and refuses them at once if not.
contract ParticularReceiver {
    uint256 private constant NEEDED = 150_000;

    error ParticularReceiver_LittleGas(uint256 left);

    receive() external payable {
        if (gasleft() < NEEDED) revert ParticularReceiver_LittleGas(gasleft());
    }
}

/// @notice What hostile revenue tokens, receivers and holders try: they harm themselves alone.
contract RevenueShareTokenAttacksTest is ShareTest {
    uint256 private constant SUPPLY = 1_000;

    MockERC20 private clean;
    BlocklistERC20 private blocklist;
    FeeERC20 private fee;
    LyingERC20 private lying;
    OddERC20 private odd;
    Actor private actor;

    /// @dev Alice has 600, Bob 300 and a contract 100; eight tenths are claimable.
    function setUp() external {
        vm.warp(START);
        clean = new MockERC20();
        blocklist = new BlocklistERC20();
        fee = new FeeERC20();
        lying = new LyingERC20();
        odd = new OddERC20();
        actor = new Actor();
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.cap = SUPPLY;
        settings.tokens = new address[](5);
        settings.tokens[0] = address(odd);
        settings.tokens[1] = address(blocklist);
        settings.tokens[2] = address(fee);
        settings.tokens[3] = address(lying);
        settings.tokens[4] = address(clean);
        allocate(settings, ALICE, 600);
        allocate(settings, BOB, 300);
        allocate(settings, address(actor), 100);
        share = deploy(settings);
    }

    /// @dev All tokens bring 1,000 (less what they keep), and the period is over.
    function payAll() private {
        address[] memory tokens = share.tokens();
        for (uint256 i = 0; i < tokens.length; ++i) pay(tokens[i], 1_000);
        nextPeriod();
    }

    /// @dev Every other token paid Bob its 240 and 60, whatever happened to `token`.
    function assertOthersPaid(address token) private view {
        address[] memory tokens = share.tokens();
        for (uint256 i = 0; i < tokens.length; ++i) {
            if (tokens[i] == token || tokens[i] == address(fee)) continue;
            uint256 paid = moneyOf(BOB, tokens[i]);
            assertLe(299, paid, "paid for a claim and a burn");
            assertLe(paid, 300, "no more than is due");
            assertEq(share.creditOf(BOB, tokens[i]), 0, "not credited");
        }
    }

    function claimAndBurn() private {
        vm.prank(BOB);
        share.claimAll();
        vm.prank(BOB);
        share.burn(300);
    }

    // ---- A05: fees, rebases ----

    function testFuzz_A05_feeOnTransfer(uint256 amount, uint256 bps, uint256 later) external {
        fee.setFee(bound(bps, 0, BPS));
        amount = bound(amount, 0, 1e42);
        uint256 arrives = amount - (amount * fee.feeBps()) / BPS;
        assertEq(pay(address(fee), amount), arrives, "counted as it arrived");
        assertEq(share.fundsOf(address(fee)).held, arrives, "held");
        nextPeriod();
        uint256 shown = claimable(BOB, 1, address(fee));
        uint256 part = (arrives * 8_000) / BPS;
        assertLe(shown, (part * 300) / SUPPLY, "of what arrived");
        assertLe((part * 300) / SUPPLY, shown + 1, "of what arrived");
        fee.setFee(bound(later, 0, BPS));
        vm.prank(BOB);
        share.claimAll();
        // Who is paid bears the fee, and no one else.
        assertEq(fee.balanceOf(BOB), shown - (shown * fee.feeBps()) / BPS, "paid");
        assertEq(fee.balanceOf(address(share)), arrives - shown, "there");
        assertEq(share.fundsOf(address(fee)).held, arrives - shown, "I-1");
    }

    /// @dev Balances shrink: payments fail and are credited until there is enough, in that token alone.
    function test_A05_rebasingDown() external {
        payAll();
        vm.prank(address(share));
        clean.transfer(address(0xDEAD), 900);
        claimAndBurn();
        assertOthersPaid(address(clean));
        assertLe(299, share.creditOf(BOB, address(clean)) + clean.balanceOf(BOB), "credited or paid");
        assertLe(239, share.creditOf(BOB, address(clean)), "the claim is credited");
        assertEq(share.sync(address(clean)), 0, "nothing came");
        // What comes fills what is missing first.
        donate(address(clean), 900);
        assertEq(share.sync(address(clean)), 0, "no revenue");
        uint256 before = clean.balanceOf(BOB);
        uint256 credit = share.creditOf(BOB, address(clean));
        vm.prank(BOB);
        share.withdrawCredit(address(clean), BOB);
        assertEq(clean.balanceOf(BOB), before + credit, "paid");
    }

    function test_A05_rebasingUpIsRevenue() external {
        payAll();
        uint256 shown = claimable(BOB, 1, address(clean));
        donate(address(clean), 500);
        assertEq(claimable(BOB, 1, address(clean)), shown, "A09 no change of claims");
        assertEq(share.sync(address(clean)), 500, "revenue of the present period");
        assertEq(claimable(BOB, 1, address(clean)), shown, "no change of claims");
        nextPeriod();
        assertLe(119, claimable(BOB, 2, address(clean)), "of the next");
    }

    // ---- A06: odd answers ----

    /// @dev Whatever a token answers, what is counted has come, what is paid has been answered with true or nothing, and all
    /// else is credited; the other tokens are paid.
    function testFuzz_A06_A08_oddAnswers(uint8 answer) public {
        answer = uint8(bound(answer, 0, uint256(type(OddERC20.Answer).max)));
        OddERC20.Answer chosen = OddERC20.Answer(answer);
        payAll();
        odd.setAnswer(chosen);
        // A megabyte takes more gas than a payment has.
        bool honest =
            chosen == OddERC20.Answer.True ||
                chosen == OddERC20.Answer.Nothing ||
                chosen == OddERC20.Answer.TwoWords;
        uint256 shown = claimable(BOB, 1, address(odd));
        vm.prank(BOB);
        share.claimAll();
        bool said = honest || chosen == OddERC20.Answer.TrueWithoutMoving;
        assertEq(share.creditOf(BOB, address(odd)), said ? 0 : shown, "credited");
        assertEq(share.fundsOf(address(odd)).held, said ? 1_000 - shown : 1_000, "held");
        if (honest) assertEq(odd.balanceOf(BOB), shown, "paid");
        vm.prank(BOB);
        share.burn(300);
        assertOthersPaid(address(odd));
        // Bringing revenue: it is counted if it came, or refused.
        enrich(PAYER, address(odd), 500);
        uint256 held = share.fundsOf(address(odd)).held;
        vm.prank(PAYER);
        (bool success, bytes memory returned) = address(share).call{gas: 3_000_000}(
            abi.encodeCall(share.deposit, (address(odd), 500))
        );
        uint256 balance = odd.balanceOf(address(share));
        if (success) {
            uint256 counted = abi.decode(returned, (uint256));
            assertEq(counted, balance > held ? balance - held : 0, "no more than came");
        }
        if (honest) assertTrue(success, "it came");
        odd.setAnswer(OddERC20.Answer.True);
        if (said) return;
        // It behaves again: the credit is paid, if it had not been moved.
        balance = odd.balanceOf(BOB);
        if (chosen == OddERC20.Answer.FalseAfterMoving || chosen == OddERC20.Answer.Two) return;
        uint256 credit = share.creditOf(BOB, address(odd));
        vm.prank(BOB);
        share.withdrawCredit(address(odd), BOB);
        assertEq(odd.balanceOf(BOB), balance + credit, "paid in the end");
    }

    function test_A06_A08_everyOddAnswer() external {
        uint256 state = vm.snapshotState();
        for (uint8 i = 0; i <= uint8(type(OddERC20.Answer).max); ++i) {
            testFuzz_A06_A08_oddAnswers(i);
            vm.revertToState(state);
        }
    }

    /// @dev A token whose code is gone pays nobody, and says so.
    function test_A06_codeIsGone() external {
        payAll();
        uint256 shown = claimable(BOB, 1, address(odd));
        uint256 redeems = redeemable(300, address(odd));
        bytes memory code = address(odd).code;
        vm.etch(address(odd), "");
        claimAndBurn();
        assertEq(share.creditOf(BOB, address(odd)), shown + redeems, "credited");
        vm.deal(PAYER, 0);
        (bool success, ) = address(share).call(abi.encodeCall(share.deposit, (address(odd), 1)));
        assertTrue(!success, "nothing comes");
        (success, ) = address(share).call(abi.encodeCall(share.sync, (address(odd))));
        assertTrue(!success, "nor is it counted");
        vm.prank(BOB);
        (success, ) = address(share).call(abi.encodeCall(share.withdrawCredit, (address(odd), BOB)));
        assertTrue(!success, "nor paid");
        vm.etch(address(odd), code);
        assertOthersPaid(address(odd));
        vm.prank(BOB);
        share.withdrawCredit(address(odd), BOB);
        assertEq(odd.balanceOf(BOB), shown + redeems, "paid in the end");
    }

    // ---- A07: blocked, paused, refusing ----

    function test_A07_blockedHolderIsCredited() external {
        payAll();
        blocklist.setBlocked(BOB, true);
        uint256 shown = claimable(BOB, 1, address(blocklist));
        claimAndBurn();
        assertEq(share.creditOf(BOB, address(blocklist)), shown + 60, "credited");
        assertOthersPaid(address(blocklist));
        share.claimFor(ALICE);
        assertLe(479, blocklist.balanceOf(ALICE), "others are paid");
        vm.prank(BOB);
        share.withdrawCredit(address(blocklist), CAROL);
        assertEq(blocklist.balanceOf(CAROL), shown + 60, "to whom it can be");
    }

    function test_A07_pausedTokenStopsNobody() external {
        payAll();
        blocklist.setPaused(true);
        address[] memory accounts = new address[](3);
        (accounts[0], accounts[1], accounts[2]) = (ALICE, BOB, address(actor));
        share.claimForBatch(accounts);
        vm.prank(BOB);
        share.burn(300);
        assertOthersPaid(address(blocklist));
        for (uint256 i = 0; i < 3; ++i) {
            assertTrue(share.creditOf(accounts[i], address(blocklist)) != 0, "credited");
            assertTrue(clean.balanceOf(accounts[i]) != 0, "paid");
        }
        blocklist.setPaused(false);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 credit = share.creditOf(accounts[i], address(blocklist));
            vm.prank(accounts[i]);
            share.withdrawCredit(address(blocklist), accounts[i]);
            assertEq(blocklist.balanceOf(accounts[i]), credit, "paid");
        }
    }

    /// @dev Receivers that refuse, revert with a megabyte or burn their gas are credited; a batch goes on.
    function testFuzz_A07_A08_refusingReceiver(uint8 manner, bool burns) public {
        payAll();
        actor.setManner(Actor.Manner(2 + (manner % 3)));
        uint256 shown = burns ? redeemable(100, NATIVE) : claimable(address(actor), 1, NATIVE);
        address[] memory accounts = listOf(address(actor), BOB);
        uint256 gas = gasleft();
        if (burns) {
            vm.prank(address(actor));
            share.burn(100);
        } else share.claimForBatch(accounts);
        gas -= gasleft();
        assertLe(gas, 3_000_000, "bounded");
        assertEq(share.creditOf(address(actor), NATIVE), shown, "credited");
        assertEq(address(actor).balance, 0, "not paid");
        assertTrue(clean.balanceOf(address(actor)) != 0, "its tokens are");
        if (!burns) assertLe(239, BOB.balance, "the next one is paid");
    }

    function test_A07_A08_refusingReceivers() external {
        uint256 state = vm.snapshotState();
        for (uint8 i = 0; i < 6; ++i) {
            testFuzz_A07_A08_refusingReceiver(i, i > 2);
            vm.revertToState(state);
        }
    }

    /// @dev A caller cannot have somebody credited instead of paid by sending little gas.
    function testFuzz_A08_littleGasCreditsNobody(uint256 gas) external {
        payAll();
        gas = bound(gas, 21_000, 1_500_000);
        (bool success, bytes memory reason) = address(share).call{gas: gas}(
            abi.encodeCall(share.claimFor, (BOB))
        );
        if (!success) {
            assertTrue(
                reason.length == 0 || bytes4(reason) == Currency_InsufficientGas.selector,
                "for want of gas"
            );
            assertEq(BOB.balance, 0, "nothing happened");
            return;
        }
        address[] memory tokens = share.tokens();
        for (uint256 i = 0; i < tokens.length; ++i) {
            assertEq(share.creditOf(BOB, tokens[i]), 0, "credited for want of gas");
            assertTrue(moneyOf(BOB, tokens[i]) != 0, "paid");
        }
    }

    function test_A08_littleGasCreditsNobody() external {
        address receiver = address(new ParticularReceiver());
        vm.prank(ALICE);
        share.transfer(receiver, 500);
        pay(NATIVE, 1_000);
        nextPeriod();
        share.snapshot();
        uint256 state = vm.snapshotState();
        bool paid = false;
        for (uint256 gas = 100_000; gas < 600_000; gas += 5_000) {
            (bool success, ) = address(share).call{gas: gas}(abi.encodeCall(share.claimFor, (receiver)));
            assertEq(share.creditOf(receiver, NATIVE), 0, "credited for want of gas");
            assertEq(receiver.balance, success ? 400 : 0, "paid, or nothing happened");
            paid = success;
            vm.revertToState(state);
        }
        assertTrue(paid, "with enough of it");
    }

    // ---- A08: lies ----

    /// @dev It shows more or less than there is: only what it counts and pays of its own is wrong.
    function testFuzz_A08_lyingBalance(int256 lie, uint256 amount) external {
        lie = lie % 1e60;
        amount = bound(amount, 0, 1e30);
        lying.setLie(lie);
        enrich(PAYER, address(lying), amount);
        vm.prank(PAYER);
        (bool success, bytes memory returned) = address(share).call(
            abi.encodeCall(share.deposit, (address(lying), amount))
        );
        int256 seen = int256(amount) + lie;
        uint256 shown = seen < 0 ? 0 : uint256(seen);
        if (shown > 2 ** 150 - 1) {
            assertTrue(!success, "too much");
            bytes4 why = IRevenueShareToken.RevenueShare_TooMuch.selector;
            assertEq(returned, abi.encodeWithSelector(why, address(lying), shown), "reason");
        } else assertEq(abi.decode(returned, (uint256)), shown, "as it says");
        pay(address(clean), 1_000);
        pay(NATIVE, 1_000);
        nextPeriod();
        vm.prank(BOB);
        share.claimAll();
        vm.prank(BOB);
        share.burn(300);
        assertLe(299, BOB.balance, "coins are paid");
        assertLe(299, clean.balanceOf(BOB), "and tokens");
    }

    /// @dev It says that it paid and shows the same again: of a single token's revenue the index has more than a word.
    /// Whoever claimed out of order still claims everything else.
    function test_A08_endlessRevenueStopsNoClaim() external {
        IRevenueShareToken.Settings memory settings = someSettings();
        (settings.cap, settings.tokens) = (1, listOf(address(odd)));
        allocate(settings, BOB, 1);
        share = deploy(settings);
        odd.setAnswer(OddERC20.Answer.TrueWithoutMoving);
        odd.mint(address(share), 2 ** 150 - 1);
        pay(NATIVE, 1_000);
        for (uint256 id = 1; id < 4; ++id) {
            share.sync(address(odd));
            nextPeriod();
            if (id == 1) continue;
            vm.prank(BOB);
            share.claim(id);
        }
        vm.prank(BOB);
        share.claimAll();
        assertEq(BOB.balance, 800, "paid");
    }

    // ---- A09: what comes without a call ----

    function testFuzz_A09_forcedCoinsChangeNothing(uint256 forced, bool sent) external {
        payAll();
        forced = bound(forced, 1, 1e42);
        bytes memory before = abi.encode(
            share.positionOf(ALICE),
            share.positionOf(BOB),
            share.fundsOf(NATIVE)
        );
        if (sent) {
            vm.deal(STRANGER, forced);
            vm.prank(STRANGER);
            (bool success, ) = address(share).call{value: forced}("");
            assertTrue(success, "sent");
        } else donate(NATIVE, forced);
        donate(address(clean), forced);
        assertEq(
            abi.encode(share.positionOf(ALICE), share.positionOf(BOB), share.fundsOf(NATIVE)),
            before,
            "nothing changed"
        );
        share.claimFor(ALICE);
        assertLe(ALICE.balance, 480, "nor is more paid");
        vm.prank(BOB);
        share.burn(300);
        assertEq(BOB.balance, 60, "nor redeemed");
        // It is revenue of the period in which it is counted.
        assertEq(share.sync(NATIVE), forced, "counted");
        assertEq(share.sync(address(clean)), forced, "counted");
    }

    // ---- A30: just in time ----

    /// @dev Bought and sold within a second, around whatever call, and at the period's end: nothing.
    function testFuzz_A30_sameBlockPurchaseEarnsNothing(uint8 call, bool last, uint256 amount) external {
        amount = bound(amount, 1, 900);
        pay(NATIVE, 1e18);
        if (last) vm.warp(share.endOf(1) - 1);
        else nextPeriod();
        bytes memory before = abi.encode(share.positionOf(ALICE).claimable, share.eligibleSupply());
        uint256 whole = claimable(ALICE, 1, NATIVE);
        lend(amount);
        vm.prank(CAROL);
        if (call % 5 == 0) share.snapshot();
        else if (call % 5 == 1) share.claimAll();
        else if (call % 5 == 2) share.sync(NATIVE);
        else if (call % 5 == 3) share.burn(0);
        else share.deposit(NATIVE, 0);
        assertEq(claimableOf(CAROL, NATIVE), 0, "nothing to claim");
        giveBack(amount);
        assertEq(CAROL.balance, 0, "nothing gained");
        assertEq(
            abi.encode(share.positionOf(ALICE).claimable, share.eligibleSupply()),
            before,
            "nothing lost"
        );
        nextPeriod();
        assertEq(share.sharesOfRecord(CAROL, last ? 1 : 2), 0, "no record");
        assertEq(claimableOf(CAROL, NATIVE), 0, "nothing later");
        if (!last) assertEq(claimable(ALICE, 1, NATIVE), whole, "as it was");
    }

    function lend(uint256 amount) private {
        uint256 ofAlice = amount > 600 ? 600 : amount;
        vm.prank(ALICE);
        share.transfer(CAROL, ofAlice);
        vm.prank(BOB);
        share.transfer(CAROL, amount - ofAlice);
    }

    function giveBack(uint256 amount) private {
        uint256 ofAlice = amount > 600 ? 600 : amount;
        vm.prank(CAROL);
        share.transfer(ALICE, ofAlice);
        vm.prank(CAROL);
        share.transfer(BOB, amount - ofAlice);
    }

    /// @dev Bought in the first second after a period has ended, its revenue is the seller's.
    function test_A30_buyingAfterTheEndComesTooLate() external {
        pay(NATIVE, 1_000);
        nextPeriod();
        lend(900);
        assertEq(claimableOf(CAROL, NATIVE), 0, "too late");
        vm.prank(ALICE);
        share.claimAll();
        assertLe(479, ALICE.balance, "the seller's");
    }

    /// @dev Burned just before the end: nothing of that period, neither claimed nor redeemed, and no more than its part of
    /// what was before.
    function test_A30_burningBeforeTheEndEarnsNothing() external {
        pay(NATIVE, 1_000);
        nextPeriod();
        pay(NATIVE, 1e18);
        vm.warp(share.endOf(2) - 1);
        vm.prank(BOB);
        share.burn(300);
        assertEq(BOB.balance, 60, "of the period before");
        nextPeriod();
        assertEq(claimable(BOB, 2, NATIVE), 0, "nothing of this one");
        assertLe((0.8e18 * uint256(600)) / 700, claimable(ALICE, 2, NATIVE) + 1, "the others have it");
    }

    // ---- A31: twice ----

    /// @dev Claimed, moved on and claimed again, by many accounts: once.
    function testFuzz_A31_manyAccountsClaimOnce(uint8 hops, uint256 amount) external {
        amount = bound(amount, 1, 300);
        pay(NATIVE, 1e18);
        nextPeriod();
        address holder = BOB;
        for (uint256 i = 0; i < 1 + (hops % 6); ++i) {
            address next = address(uint160(0x9000 + i));
            vm.prank(holder);
            share.claimAll();
            vm.prank(holder);
            share.transfer(next, amount);
            assertEq(claimableOf(next, NATIVE), 0, "nothing comes along");
            holder = next;
        }
        vm.prank(holder);
        share.claimAll();
        assertEq(holder.balance, 0, "once");
        vm.prank(holder);
        share.transfer(BOB, amount);
        vm.prank(BOB);
        share.claimAll();
        assertLe(BOB.balance, 0.24e18, "Bob's part");
        assertLe(0.24e18, BOB.balance + 1, "all of it");
    }

    /// @dev Claimed and burned: two parts of the same revenue, which together are no more than it.
    function testFuzz_A31_claimAndBurnTheSameRevenue(uint256 amount, bool burnsFirst) external {
        amount = bound(amount, 0, 1e42);
        pay(NATIVE, amount);
        nextPeriod();
        address[3] memory all = [ALICE, BOB, address(actor)];
        for (uint256 k = 0; k < 2; ++k) {
            for (uint256 i = 0; i < 3; ++i) {
                uint256 balance = share.balanceOf(all[i]);
                vm.prank(all[i]);
                if ((k == 0) == burnsFirst) share.burn(balance);
                else share.claimAll();
            }
        }
        uint256 paid = ALICE.balance + BOB.balance + address(actor).balance;
        assertEq(paid + address(share).balance, amount, "I-2");
        assertLe(address(share).balance, 3, "I-19");
    }

    /// @dev What is not claimed waits, for ever, and is nobody else's.
    function test_A31_unclaimedStays() external {
        pay(NATIVE, 1_000);
        nextPeriod();
        uint256 shown = claimable(BOB, 1, NATIVE);
        for (uint256 i = 0; i < 30; ++i) {
            pay(NATIVE, 1_000);
            nextPeriod();
            vm.prank(ALICE);
            share.claimAll();
        }
        vm.warp(share.endOf(5_000));
        assertEq(claimable(BOB, 1, NATIVE), shown, "waits");
        vm.prank(BOB);
        share.claim(1);
        assertEq(BOB.balance, shown, "paid");
        vm.prank(BOB);
        share.claimAll();
        assertLe(31 * 240 - 2, BOB.balance, "all of them");
    }

    /// @dev Every path by which a balance changes leaves a record.
    function test_A31_everyPathLeavesARecord() external {
        uint256[7] memory expected = [uint256(300), 290, 280, 260, 270, 220, 220];
        for (uint256 i = 0; i < 7; ++i) {
            if (i == 1) {
                vm.prank(BOB);
                share.transfer(ALICE, 10);
            } else if (i == 2) {
                vm.prank(BOB);
                share.approve(CAROL, 10);
                vm.prank(CAROL);
                share.transferFrom(BOB, CAROL, 10);
            } else if (i == 3) {
                vm.prank(BOB);
                share.approve(BRIDGE, 20);
                vm.prank(BRIDGE);
                share.crosschainBurn(BOB, 20);
            } else if (i == 4) {
                vm.prank(BRIDGE);
                share.crosschainMint(BOB, 10);
            } else if (i == 5) {
                vm.prank(BOB);
                share.burn(50);
            } else if (i == 6) {
                vm.prank(BOB);
                share.transfer(BOB, 220);
            }
            pay(NATIVE, 1e18);
            nextPeriod();
        }
        for (uint256 i = 0; i < 7; ++i) assertEq(share.sharesOfRecord(BOB, i + 1), expected[i], "record");
    }
}
