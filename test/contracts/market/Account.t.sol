// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Account} from "../../../contracts/market/Account.sol";
import {Test} from "../utils/Test.sol";

/// @dev Fields are fuzzed as the layout's own types, and brought near their limits every other time.
contract AccountTest is Test {
    struct Fields {
        uint96 balance;
        uint80 feesDue;
        uint32 completed;
        uint48 secondsSold;
    }

    /// Division by zero and the like have other codes.
    bytes private constant FAILED_ASSERTION = abi.encodeWithSignature("Panic(uint256)", 0x01);

    // ---- Layout ----

    function testFuzz_A12_wordHoldsItsFieldsSideBySide(Fields memory fields) external pure {
        assertFields(pack(fields), fields);
    }

    function test_A12_fieldsTouchButDoNotOverlap() external pure {
        assertFields(pack(Fields(type(uint96).max, 0, 0, 0)), Fields(type(uint96).max, 0, 0, 0));
        assertFields(pack(Fields(0, type(uint80).max, 0, 0)), Fields(0, type(uint80).max, 0, 0));
        assertFields(pack(Fields(0, 0, type(uint32).max, 0)), Fields(0, 0, type(uint32).max, 0));
        assertFields(pack(Fields(0, 0, 0, type(uint48).max)), Fields(0, 0, 0, type(uint48).max));
        assertFields(
            Account.wrap(type(uint256).max),
            Fields(type(uint96).max, type(uint80).max, type(uint32).max, type(uint48).max)
        );
    }

    // ---- Credit ----

    function testFuzz_A12_creditAddsToTheBalanceAlone(Fields memory fields, uint96 amount) public view {
        limits(fields);
        amount = uint96(bound(amount, 0, type(uint96).max - fields.balance));
        Account word = this.credit(pack(fields), amount);
        fields.balance += amount;
        assertFields(word, fields);
    }

    function test_A12_creditFillsTheBalanceToTheLastWei() external view {
        testFuzz_A12_creditAddsToTheBalanceAlone(Fields(type(uint96).max - 1, 7, 8, 9), 1);
        testFuzz_A12_creditAddsToTheBalanceAlone(Fields(0, 7, 8, 9), type(uint96).max);
    }

    function testFuzz_A12_RevertWhen_CreditExceedsTheBalance(Fields memory fields, uint256 amount) public {
        limits(fields);
        amount = bound(amount, uint256(type(uint96).max) - fields.balance + 1, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, amount));
        this.credit(pack(fields), amount);
    }

    function test_A12_RevertWhen_CreditExceedsTheBalanceByOneWei() external {
        testFuzz_A12_RevertWhen_CreditExceedsTheBalance(Fields(type(uint96).max, 0, 0, 0), 1);
        testFuzz_A12_RevertWhen_CreditExceedsTheBalance(Fields(2, 0, 0, 0), type(uint96).max - 1);
        testFuzz_A12_RevertWhen_CreditExceedsTheBalance(Fields(2, 0, 0, 0), type(uint256).max);
    }

    // ---- Debit ----

    function testFuzz_A12_debitTakesFromTheBalanceAlone(Fields memory fields, uint96 amount) external view {
        limits(fields);
        amount = uint96(bound(amount, 0, fields.balance));
        Account word = this.debit(pack(fields), amount);
        fields.balance -= amount;
        assertFields(word, fields);
    }

    function testFuzz_A12_RevertWhen_DebitExceedsTheBalance(Fields memory fields, uint256 amount) public {
        limits(fields);
        amount = bound(amount, uint256(fields.balance) + 1, type(uint256).max);
        vm.expectRevert(FAILED_ASSERTION);
        this.debit(pack(fields), amount);
    }

    function test_A12_RevertWhen_DebitExceedsTheBalanceByOneWei() external {
        testFuzz_A12_RevertWhen_DebitExceedsTheBalance(Fields(6, 7, 8, 9), 7);
    }

    // ---- Earn ----

    function testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(
        Fields memory fields,
        uint128 net,
        uint128 fee,
        uint32 sold,
        bool done
    ) public {
        limits(fields);
        uint256 balance = uint256(fields.balance) + net;
        if (balance > type(uint96).max) {
            vm.expectRevert(
                abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, balance)
            );
            this.earn(pack(fields), net, fee, sold, done ? 1 : 0);
            return;
        }
        uint256 fees = uint256(fields.feesDue) + fee;
        bool fit = fees <= type(uint80).max;
        (Account word, uint256 overflow) = this.earn(pack(fields), net, fee, sold, done ? 1 : 0);
        assertEq(overflow, fit ? 0 : fees, "all fees move when they do not fit");
        assertFields(
            word,
            Fields({
                balance: uint96(balance),
                feesDue: fit ? uint80(fees) : 0,
                completed: uint32(smaller(uint256(fields.completed) + (done ? 1 : 0), type(uint32).max)),
                secondsSold: uint48(smaller(uint256(fields.secondsSold) + sold, type(uint48).max))
            })
        );
    }

    function testFuzz_A10_earnWithinTheBalance(
        Fields memory fields,
        uint128 net,
        uint128 fee,
        uint32 sold,
        bool done
    ) external {
        limits(fields);
        net = uint128(bound(net, 0, type(uint96).max - fields.balance));
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(fields, net, fee, sold, done);
    }

    function test_A12_earnAtTheLimitOfEachField() external {
        Fields memory full = Fields(type(uint96).max, type(uint80).max, type(uint32).max, type(uint48).max);
        // Nothing fits any more but nothing: fees move, the record stays at its largest values.
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(full, 0, 0, 0, true);
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(full, 0, 1, 1, true);
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(full, 1, 0, 0, true);
        // One below each limit.
        Fields memory almost = Fields(
            type(uint96).max - 1,
            type(uint80).max - 1,
            type(uint32).max - 1,
            type(uint48).max - 1
        );
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(almost, 1, 1, 1, true);
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(almost, 1, 2, 2, true);
        // The largest task there is.
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(
            Fields(0, 0, 0, 0),
            type(uint96).max,
            type(uint128).max,
            type(uint32).max,
            true
        );
        // A part of a lease: seconds, and no task.
        testFuzz_A10_A12_earnBooksBalanceFeesAndRecord(almost, 1, 1, 1, false);
    }

    // ---- Fees ----

    function testFuzz_clearFeesClearsThemAlone(Fields memory fields) external pure {
        limits(fields);
        Account word = pack(fields).clearFees();
        fields.feesDue = 0;
        assertFields(word, fields);
    }

    // ---- The library's functions, as calls that can fail ----

    function credit(Account word, uint256 amount) external pure returns (Account) {
        return word.credit(amount);
    }

    function debit(Account word, uint256 amount) external pure returns (Account) {
        return word.debit(amount);
    }

    function earn(
        Account word,
        uint256 net,
        uint256 fee,
        uint256 sold,
        uint256 tasks
    ) external pure returns (Account, uint256) {
        return word.earn(net, fee, sold, tasks);
    }

    // ---- Helpers ----

    /// @dev The layout as `abi.encodePacked` writes it, from the highest field.
    function pack(Fields memory fields) private pure returns (Account) {
        return
            Account.wrap(
                uint256(
                    bytes32(
                        abi.encodePacked(fields.secondsSold, fields.completed, fields.feesDue, fields.balance)
                    )
                )
            );
    }

    /// @dev Moves odd fields to within a few of their largest values; those that are there already stay.
    function limits(Fields memory fields) private pure {
        fields.balance = uint96(nearLimit(fields.balance, type(uint96).max));
        fields.feesDue = uint80(nearLimit(fields.feesDue, type(uint80).max));
        fields.completed = uint32(nearLimit(fields.completed, type(uint32).max));
        fields.secondsSold = uint48(nearLimit(fields.secondsSold, type(uint48).max));
    }

    function nearLimit(uint256 value, uint256 maximum) private pure returns (uint256) {
        return value % 2 == 0 || value > maximum - 8 ? value : maximum - ((value / 2) % 8);
    }

    function smaller(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function assertFields(Account word, Fields memory fields) private pure {
        assertEq(word.balance(), fields.balance, "balance");
        assertEq(word.feesDue(), fields.feesDue, "feesDue");
        assertEq(word.completed(), fields.completed, "completed");
        assertEq(word.secondsSold(), fields.secondsSold, "secondsSold");
        assertEq(Account.unwrap(word), Account.unwrap(pack(fields)), "the whole word");
    }
}
