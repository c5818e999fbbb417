// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {Currency} from "../../../contracts/libraries/Currency.sol";
import {BareMarket} from "../../../contracts/mocks/BareMarket.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {ProviderRegistry} from "../../../contracts/registry/ProviderRegistry.sol";
import {ShareTest} from "./ShareTest.sol";

/// @notice A market that is none: it says what it wants and calls back while it is asked for money.
contract FalseMarket {
    Currency public currency;
    bytes private _data;
    bytes4 public reason;

    constructor(address token, bytes memory data) {
        (currency, _data) = (Currency.wrap(token), data);
    }

    function balanceOf(address) external pure returns (uint256) {
        return type(uint256).max;
    }

    function withdraw(uint256) external {
        (bool success, bytes memory returned) = msg.sender.call(_data);
        reason = success ? bytes4(0) : bytes4(returned);
    }
}

/// @notice What tasks earned for a share in a market comes in by anybody's call.
contract RevenueShareTokenCollectTest is ShareTest {
    MockERC20 private token;

    function setUp() external {
        vm.warp(START);
        token = new MockERC20();
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.tokens = listOf(address(token));
        allocate(settings, ALICE, 100);
        share = deploy(settings);
    }

    function openMarket(address currency) private returns (BareMarket) {
        return new BareMarket(new ProviderRegistry(Currency.wrap(currency), 30 days, OWNER));
    }

    function testFuzz_collectTakesWhatIsThere(uint256 amount, uint256 donated, bool native) external {
        amount = bound(amount, 0, 1e28);
        donated = bound(donated, 0, 1e28);
        address currency = native ? NATIVE : address(token);
        BareMarket market = openMarket(currency);
        if (amount != 0) {
            if (native) vm.deal(PAYER, amount);
            else {
                token.mint(PAYER, amount);
                vm.prank(PAYER);
                token.approve(address(market), amount);
            }
            vm.prank(PAYER);
            market.depositFor{value: native ? amount : 0}(address(share), amount);
        }
        donate(currency, donated);
        assertEq(share.fundsOf(currency).held, 0, "not before");
        bytes memory data = abi.encodeCall(share.collect, (IEscrow(address(market))));
        if (amount == 0) {
            // There is nothing to withdraw: what came without a call is counted by another one.
            assertRefused(STRANGER, data, abi.encodeWithSelector(IEscrow.Escrow_ZeroAmount.selector));
            return;
        }
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RevenueReceived(currency, STRANGER, amount + donated, 0);
        vm.prank(STRANGER);
        assertEq(share.collect(IEscrow(address(market))), amount + donated, "received");
        assertEq(market.balanceOf(address(share)), 0, "taken out");
        assertEq(moneyOf(address(share), currency), amount + donated, "here");
        assertEq(share.fundsOf(currency).pending, amount + donated, "revenue");
        nextPeriod();
        uint256 part = ((amount + donated) * 8_000) / BPS;
        assertLe(part, claimable(ALICE, 1, currency) + 1, "the holders'");
    }

    function test_RevertWhen_theMarketsCurrencyIsNoRevenue() external {
        MockERC20 another = new MockERC20();
        BareMarket market = openMarket(address(another));
        assertRefused(
            STRANGER,
            abi.encodeCall(share.collect, (IEscrow(address(market)))),
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_UnknownToken.selector, address(another))
        );
    }

    /// @dev What calls itself a market brings nothing, takes nothing and enters nothing.
    function test_A01_falseMarketGetsNowhere() external {
        pay(NATIVE, 1_000);
        pay(address(token), 1_000);
        bytes[5] memory calls = [
            abi.encodeCall(share.collect, (IEscrow(address(this)))),
            abi.encodeCall(share.sync, (NATIVE)),
            abi.encodeCall(share.claimAll, ()),
            abi.encodeCall(share.snapshot, ()),
            abi.encodeCall(share.withdrawCredit, (NATIVE, STRANGER))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            FalseMarket market = new FalseMarket(i % 2 == 0 ? NATIVE : address(token), calls[i]);
            bytes memory before = abi.encode(share.fundsOf(NATIVE), share.fundsOf(address(token)));
            vm.prank(STRANGER);
            assertEq(share.collect(IEscrow(address(market))), 0, "nothing came");
            assertTrue(
                market.reason() == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector,
                "A01 entered"
            );
            assertEq(
                abi.encode(share.fundsOf(NATIVE), share.fundsOf(address(token))),
                before,
                "nothing changed"
            );
        }
        (bool success, ) = address(share).call(abi.encodeCall(share.collect, (IEscrow(ALICE))));
        assertTrue(!success, "nobody is a market");
    }
}
