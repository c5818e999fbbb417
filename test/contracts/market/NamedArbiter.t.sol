// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IDisputes} from "../../../contracts/interfaces/IDisputes.sol";
import {INamedArbiter} from "../../../contracts/interfaces/INamedArbiter.sol";
import {Delivered, Terms} from "../../../contracts/market/Tasks.sol";
import {NamedArbiter} from "../../../contracts/market/NamedArbiter.sol";
import {BareMarket} from "../../../contracts/mocks/BareMarket.sol";
import {RegistryTest} from "../registry/RegistryTest.sol";

/// @dev Against a market without tasks, which keeps the rulings that reach it; in both currencies.
abstract contract NamedArbiterTest is RegistryTest {
    address private constant JUDGE = address(0x1D6E);
    address private constant LOSER = address(0x105E);
    address private constant TO = address(0x70);

    BareMarket private market;
    NamedArbiter private named;

    function openMarket(bool native) internal {
        open(native);
        market = new BareMarket(registry);
        named = make(JUDGE, 500, 10, 3 days);
    }

    // ---- Set-up ----

    function make(
        address judge,
        uint16 feeBps,
        uint96 minimumFee,
        uint32 time
    ) internal returns (NamedArbiter) {
        bytes memory arguments = abi.encode(judge, feeBps, minimumFee, time);
        return NamedArbiter(create("contracts/market/NamedArbiter.sol:NamedArbiter", arguments));
    }

    function testFuzz_isWhatItWasMadeAs(
        address judge,
        uint16 feeBps,
        uint96 minimumFee,
        uint32 time
    ) external {
        vm.assume(judge != address(0) && time != 0);
        feeBps = uint16(bound(feeBps, 0, 10_000));
        NamedArbiter made = make(judge, feeBps, minimumFee, time);
        assertEq(made.arbiter(), judge, "arbiter");
        assertEq(made.feeBps(), feeBps, "share");
        assertEq(made.minimumFeeWei(), minimumFee, "minimum");
        assertEq(made.rulingSeconds(), time, "time");
    }

    function testFuzz_RevertWhen_UnfitToRule(uint16 feeBps, uint96 minimumFee, uint32 time) external {
        vm.expectRevert(abi.encodeWithSelector(INamedArbiter.NamedArbiter_ZeroAddress.selector));
        make(address(0), 0, minimumFee, time);
        feeBps = uint16(bound(feeBps, 10_001, type(uint16).max));
        vm.expectRevert(
            abi.encodeWithSelector(
                INamedArbiter.NamedArbiter_FeeTooHigh.selector,
                uint256(feeBps),
                uint256(10_000)
            )
        );
        make(JUDGE, feeBps, minimumFee, time);
        vm.expectRevert(abi.encodeWithSelector(INamedArbiter.NamedArbiter_ZeroTime.selector));
        make(JUDGE, 10_000, minimumFee, 0);
    }

    // ---- Quote ----

    function test_A10_feeIsTheShareRoundedUp() external view {
        assertQuote(1_000, 50);
        assertQuote(1_001, 51);
        // The least one, unless the task costs less.
        assertQuote(200, 10);
        assertQuote(201, 11);
        assertQuote(10, 10);
        assertQuote(9, 9);
        assertQuote(0, 0);
    }

    /// @dev No escrow breaks it, and never is the fee higher than the task can cost.
    function testFuzz_A12_I17_feeIsWithinTheTask(
        uint256 escrow,
        uint16 feeBps,
        uint96 minimumFee,
        uint32 time
    ) external {
        feeBps = uint16(bound(feeBps, 0, 10_000));
        NamedArbiter made = make(JUDGE, feeBps, minimumFee, time == 0 ? 1 : time);
        (uint256 fee, uint256 rulingSeconds) = made.quote(escrow);
        assertLe(fee, escrow, "within the task");
        assertEq(rulingSeconds, time == 0 ? 1 : time, "time");
        if (fee == escrow) return;
        assertLe(minimumFee, fee, "the least one");
        assertLe(Math.mulDiv(escrow, feeBps, 10_000), fee, "share");
        if (fee != minimumFee)
            assertLe(fee, Math.mulDiv(escrow, feeBps, 10_000) + 1, "no more than the share");
    }

    // ---- Rule ----

    /// @dev What the arbiter says reaches the market word for word, in the name of this contract.
    function testFuzz_rulingReachesTheMarket(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 providerBps
    ) external {
        vm.assume(providerBps != 0);
        vm.prank(JUDGE);
        named.rule(disputes(), terms, workHash, delivered, providerBps);
        assertEq(market.ruledBy(), address(named), "by");
        assertEq(
            market.ruling(),
            abi.encodeCall(IDisputes.rule, (terms, workHash, delivered, providerBps)),
            "ruling"
        );
    }

    function testFuzz_refusalOfTheMarketPassesThrough(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external {
        vm.expectRevert(abi.encodeWithSelector(BareMarket.BareMarket_RulingRefused.selector));
        vm.prank(JUDGE);
        named.rule(disputes(), terms, workHash, delivered, 0);
        assertEq(market.ruledBy(), address(0), "nobody ruled");
    }

    function testFuzz_A22_RevertWhen_CallerIsNotTheArbiter(
        address caller,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 providerBps
    ) external {
        vm.assume(caller != JUDGE);
        pay(5);
        bytes memory reason = abi.encodeWithSelector(INamedArbiter.NamedArbiter_NotArbiter.selector, caller);
        vm.expectRevert(reason);
        vm.prank(caller);
        named.rule(disputes(), terms, workHash, delivered, providerBps);
        vm.expectRevert(reason);
        vm.prank(caller);
        named.withdraw(market, caller);
        assertEq(market.ruledBy(), address(0), "nobody ruled");
        assertEq(market.balanceOf(address(named)), 5, "nothing left");
    }

    // ---- Withdraw ----

    function testFuzz_withdrawSendsAllOfIt(uint96 fees) external {
        fees = uint96(bound(fees, 1, type(uint96).max));
        pay(fees);
        vm.prank(JUDGE);
        assertEq(named.withdraw(market, TO), fees, "amount");
        assertEq(balanceOf(TO), fees, "receiver");
        assertEq(market.balanceOf(address(named)), 0, "balance in the market");
        assertEq(balanceOf(address(market)), 0, "market");
        assertEq(balanceOf(address(named)), 0, "nothing stays here");
    }

    // ---- Helpers ----

    /// @notice The arbiter earned `amount` in the market.
    function pay(uint256 amount) private {
        fund(LOSER, amount);
        if (address(token) != address(0)) {
            vm.prank(LOSER);
            token.approve(address(market), amount);
        }
        vm.prank(LOSER);
        market.depositFor{value: valueOf(amount)}(address(named), amount);
    }

    function disputes() private view returns (IDisputes) {
        return IDisputes(address(market));
    }

    function assertQuote(uint256 escrow, uint256 expected) private view {
        (uint256 fee, uint256 rulingSeconds) = named.quote(escrow);
        assertEq(fee, expected, "fee");
        assertEq(rulingSeconds, 3 days, "time");
    }
}

contract NamedArbiterNativeTest is NamedArbiterTest {
    function setUp() external {
        openMarket(true);
    }
}

contract NamedArbiterTokenTest is NamedArbiterTest {
    function setUp() external {
        openMarket(false);
    }
}
