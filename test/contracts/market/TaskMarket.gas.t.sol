// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Currency} from "../../../contracts/libraries/Currency.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {
    Assurance,
    Conditions,
    Delivery,
    Outcome,
    Price,
    Report,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {TaskMarket} from "../../../contracts/market/TaskMarket.sol";
import {ProviderRegistry} from "../../../contracts/registry/ProviderRegistry.sol";
import {Test} from "../utils/Test.sol";

/// @notice Measures calls with a memory of its own, so that the caller's does not count.
contract Meter {
    function measure(
        address target,
        uint256 value,
        bytes calldata data
    ) external payable returns (uint256 gas) {
        bytes memory call_ = data;
        uint256 before = gasleft();
        (bool success, bytes memory reason) = target.call{value: value}(call_);
        gas = before - gasleft();
        if (success) return gas;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    receive() external payable {}
}

/// @dev A party's thousandth task costs what its second does; the first pays for words that were zero.
contract TaskMarketGasTest is Test {
    uint256 private constant NOW = 1_800_000_000;
    uint256 private constant TASKS = 1_000;
    uint256 private constant COST = 600e9;
    uint256 private constant COLLATERAL = 1e9;

    /// Owner, provider and caller of everything.
    Meter private meter;
    TaskMarket private market;
    ProviderRegistry private registry;
    Work private work;
    bytes32 private workHash;

    function setUp() external {
        vm.warp(NOW);
        meter = new Meter();
        Currency native = Currency.wrap(address(0));
        registry = new ProviderRegistry(native, 45 days, address(this));
        market = new TaskMarket(native, registry, 600, address(0xAD), address(0x7EA5), 250);
        registry.authorizeMarket(address(market));
        work = Work({resources: Resources.wrap(0), payloadHash: bytes32(uint256(1)), payload: "ar://x"});
        workHash = market.hashWork(work);
        uint256 stake = TASKS * COLLATERAL;
        vm.deal(address(meter), TASKS * COST + stake);
        call(
            address(registry),
            0,
            abi.encodeCall(
                registry.register,
                (
                    address(meter),
                    address(meter),
                    IProviderRegistry.Offer({shape: Resources.wrap(0), rateWei: 1, slots: 1, metadata: ""})
                )
            )
        );
        call(address(registry), stake, abi.encodeCall(registry.stake, (stake)));
    }

    function test_A23_submitAndCancelCostTheSameForTheThousandthTask() external {
        assertSame(this.submit, "submit");
        assertSame(this.cancel, "cancel");
    }

    function test_A23_acceptAndDeliverCostTheSameForTheThousandthTask() external {
        each(this.submit);
        assertSame(this.accept, "accept");
        vm.warp(NOW + 700);
        assertSame(this.deliver, "deliver");
        (uint256 completed, ) = market.recordOf(address(meter));
        assertEq(completed, TASKS, "all of them");
    }

    function test_A23_deliverAtOnceCostsTheSameForTheThousandthTask() external {
        each(this.submit);
        vm.warp(NOW + 100);
        assertSame(this.deliver, "deliver at once");
    }

    function test_A23_acceptAndDeclineCostTheSameForTheThousandthTask() external {
        each(this.submit);
        each(this.accept);
        assertSame(this.decline, "decline");
    }

    function test_A23_abandonCostsTheSameForTheThousandthTask() external {
        each(this.submit);
        each(this.accept);
        vm.warp(NOW + 601);
        assertSame(this.abandon, "abandon");
    }

    function test_A23_failCostsTheSameForTheThousandthTask() external {
        each(this.submit);
        each(this.accept);
        vm.warp(NOW + 1_001);
        assertSame(this.fail, "fail");
        assertEq(registry.providerOf(address(meter)).stake, 0, "all slashed");
    }

    function test_A23_expireCostsTheSameForTheThousandthTask() external {
        each(this.submit);
        vm.warp(NOW + 101);
        assertSame(this.expire, "expire");
        assertEq(market.balanceOf(address(meter)), TASKS * COST, "all back");
    }

    // ---- Calls on the i-th task, and their gas ----

    function submit(uint256 i) external returns (uint256) {
        return call(address(market), COST, abi.encodeCall(market.submit, (termsOf(i), work)));
    }

    function cancel(uint256 i) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.cancel, (termsOf(i), workHash)));
    }

    function expire(uint256 i) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.expire, (termsOf(i), workHash)));
    }

    function accept(uint256 i) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.accept, (termsOf(i), workHash)));
    }

    function deliver(uint256 i) external returns (uint256) {
        Delivery memory delivery = Delivery({
            report: Report.wrap(1 | (100 << 8)),
            resultHash: bytes32(uint256(1)),
            evidenceHash: bytes32(uint256(2)),
            result: "ar://y"
        });
        return call(address(market), 0, abi.encodeCall(market.deliver, (termsOf(i), workHash, delivery)));
    }

    function decline(uint256 i) external returns (uint256) {
        return
            call(
                address(market),
                0,
                abi.encodeCall(market.decline, (termsOf(i), workHash, Outcome.NoCapacity))
            );
    }

    function abandon(uint256 i) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.abandon, (termsOf(i), workHash)));
    }

    function fail(uint256 i) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.fail, (termsOf(i), workHash)));
    }

    // ---- Helpers ----

    function call(address target, uint256 value, bytes memory data) private returns (uint256) {
        return meter.measure(target, value, data);
    }

    function each(function(uint256) external returns (uint256) verb) private {
        for (uint256 i = 1; i <= TASKS; ++i) verb(i);
    }

    /// @dev Calls the verb on every task and compares the second's gas with the last's.
    function assertSame(function(uint256) external returns (uint256) verb, string memory what) private {
        uint256 second = 0;
        for (uint256 i = 1; i <= TASKS; ++i) {
            uint256 gas = verb(i);
            if (i == 2) second = gas;
            if (i == TASKS) assertEq(gas, second, what);
        }
    }

    function termsOf(uint256 i) private view returns (Terms memory) {
        return
            Terms({
                owner: address(meter),
                provider: address(meter),
                price: Price.wrap(1e9 | (uint256(1) << 192)),
                conditions: Conditions.wrap((NOW + 100) | ((NOW + 1_000) << 40) | (600 << 80)),
                assurance: Assurance.wrap(COLLATERAL),
                salt: bytes32(i)
            });
    }
}
