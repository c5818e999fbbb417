// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Holder} from "../../../contracts/model/Holder.sol";
import {EXCLUDED, Holding, REDIRECTED, REFUSES_CLAIM_FOR, SPOKEN} from "../../../contracts/model/Holding.sol";
import {Test} from "../utils/Test.sol";

/// @notice The packed word and its history, next to an array that has the shares of every period.
contract HoldingTest is Test {
    uint256 private constant MAX_BALANCE = 2 ** 90 - 1;
    uint256 private constant LAST = type(uint16).max;
    uint256 private constant STEPS = 40;

    Holder private holder;
    /// What the shares were at the end of each period, of the present one as yet.
    uint256[] private naive;
    uint256 private first;

    // ---- Word ----

    /// @dev Each field changes alone.
    function testFuzz_fieldsAreApart(
        uint256 word,
        uint256 balance,
        uint16 settled,
        uint8 flag,
        bool on
    ) external pure {
        Holding before = Holding.wrap(word);
        balance = bound(balance, 0, MAX_BALANCE);
        Holding changed = before.withBalance(balance);
        assertEq(changed.balance(), balance, "balance");
        assertSame(before, changed, 0);
        changed = before.settle(settled);
        assertEq(changed.settled(), settled, "settled");
        assertSame(before, changed, 1);
        uint256 bit = [EXCLUDED, SPOKEN, REFUSES_CLAIM_FOR, REDIRECTED][flag % 4];
        changed = before.with(bit, on);
        assertTrue(changed.has(bit) == on, "flag");
        assertEq(Holding.unwrap(changed) & ~bit, word & ~bit, "nothing else");
        assertEq(changed.with(EXCLUDED, true).shares(), 0, "excluded");
        assertEq(changed.with(EXCLUDED, false).shares(), before.balance(), "taking part");
    }

    /// @dev All fields but number `changed` are the same: balance, settled, then the rest.
    function assertSame(Holding before, Holding afterwards, uint256 changed) private pure {
        if (changed != 0) assertEq(afterwards.balance(), before.balance(), "balance");
        if (changed != 1) assertEq(afterwards.settled(), before.settled(), "settled");
        assertEq(afterwards.since(), before.since(), "since");
        assertEq(afterwards.previous(), before.previous(), "previous");
        assertEq(afterwards.previousSince(), before.previousSince(), "previousSince");
        assertEq(afterwards.kept(), before.kept(), "kept");
        assertEq(Holding.unwrap(afterwards) >> 244, Holding.unwrap(before) >> 244, "flags");
    }

    function testFuzz_successorRemembersWhatWas(
        uint256 before,
        uint256 word,
        uint16 period,
        uint16 count
    ) external pure {
        Holding was = Holding.wrap(before);
        Holding next = Holding.wrap(word).succeed(was, period, count);
        assertEq(next.balance(), Holding.wrap(word).balance(), "balance");
        assertEq(next.settled(), Holding.wrap(word).settled(), "settled");
        assertEq(Holding.unwrap(next) >> 244, word >> 244, "flags");
        assertEq(next.since(), period, "since");
        assertEq(next.previous(), was.shares(), "previous");
        assertEq(next.previousSince(), was.since(), "previousSince");
        assertEq(next.kept(), count, "kept");
    }

    // ---- History ----

    /// @dev Balances change, parts are excluded, periods pass and are claimed, in any order.
    function testFuzz_historyIsTheArrays(uint256 random, uint16 start) public {
        first = bound(start, 0, LAST - 4 * STEPS);
        naive.push(0);
        for (uint256 i = 0; i < STEPS; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            step(random % 8, random >> 8);
            check();
        }
    }

    /// @dev The largest of everything: balances, periods, and records up to the last period.
    function test_historyReachesToTheLastPeriod() external {
        first = LAST - 130;
        naive.push(0);
        for (uint256 i = 0; i <= 130; ++i) {
            setBalance(MAX_BALANCE - i);
            if (i < 130) naive.push(naive[i]);
        }
        assertEq(holder.word.since(), LAST, "since");
        assertEq(holder.word.kept(), 129, "kept");
        check();
    }

    function step(uint256 verb, uint256 random) private {
        Holding word = holder.word;
        uint256 period = first + naive.length - 1;
        if (verb < 2) {
            uint256 passed = random % 4;
            for (uint256 i = 0; i < passed; ++i) naive.push(naive[naive.length - 1]);
        } else if (verb < 5) {
            setBalance(
                random % 5 == 0
                    ? 0
                    : random % 7 == 0
                        ? MAX_BALANCE
                        : random & MAX_BALANCE
            );
        } else if (verb == 5) {
            Holding changed = word.with(EXCLUDED, random % 2 == 0);
            holder.change(word, changed, period);
            naive[naive.length - 1] = changed.shares();
        } else if (verb == 6) {
            holder.word = word.settle(bound(random, word.settled(), period));
        } else {
            holder.word = word.settle(period).with(SPOKEN, random % 2 == 0);
        }
    }

    function setBalance(uint256 balance) private {
        Holding word = holder.word;
        Holding changed = word.withBalance(balance);
        holder.change(word, changed, first + naive.length - 1);
        assertEq(holder.word.balance(), balance, "balance");
        assertEq(holder.word.settled(), word.settled(), "settled");
        assertEq(Holding.unwrap(holder.word) >> 244, Holding.unwrap(word) >> 244, "flags");
        naive[naive.length - 1] = changed.shares();
    }

    /// @dev Every period that is not claimed yet, and the next one.
    function check() private view {
        Holding word = holder.word;
        for (uint256 i = 0; i < naive.length; ++i) {
            if (first + i < word.settled()) continue;
            assertEq(holder.sharesAt(word, first + i), naive[i], "shares");
        }
        assertEq(holder.sharesAt(word, first + naive.length), naive[naive.length - 1], "from now on");
        if (first != 0 && word.settled() == 0) assertEq(holder.sharesAt(word, first - 1), 0, "before");
        // Records are in the order of their time, the word's two last.
        uint256 earlier = 0;
        for (uint256 i = 0; i < word.kept(); ++i) {
            (uint256 since, ) = holder.record(i);
            assertTrue(i == 0 || since > earlier, "order");
            assertTrue(since < word.previousSince(), "before the word's");
            earlier = since;
        }
        assertTrue(word.previousSince() <= word.since(), "since");
        assertLe(word.kept(), naive.length, "no more than periods");
    }

    /// @dev Who claims each period writes no records.
    function testFuzz_whoClaimsKeepsNothing(uint256[16] memory balances) external {
        naive.push(0);
        for (uint256 i = 0; i < 16; ++i) {
            setBalance(balances[i] & MAX_BALANCE);
            naive.push(naive[i]);
            holder.word = holder.word.settle(i + 1);
            assertEq(holder.word.kept(), 0, "kept");
            check();
        }
        assertEq(holder.kept[0], 0, "no word was written");
    }
}
