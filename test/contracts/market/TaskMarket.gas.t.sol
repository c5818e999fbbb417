// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Assurance,
    Conditions,
    Delivery,
    Outcome,
    Price,
    TaskId,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {MarketTest} from "./MarketTest.sol";

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
contract TaskMarketGasTest is MarketTest {
    uint256 private constant TASKS = 1_000;
    uint256 private constant COST = 600e9;
    uint256 private constant COLLATERAL = 1e9;

    /// Owner, provider and caller of everything.
    Meter private meter;
    Work private work;
    bytes32 private workHash;
    // What the tasks are.
    bool private open;
    bool private lease;

    function setUp() external {
        meter = new Meter();
        openMarket(address(0), 250);
        work = someWork();
        workHash = market.hashWork(work, address(0));
        register(address(meter), address(meter), uint16(TASKS), TASKS * COLLATERAL);
        vm.deal(address(meter), TASKS * COST);
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

    function test_A23_acceptOpenCostsTheSameForTheThousandthTask() external {
        open = true;
        each(this.submit);
        vm.warp(NOW + 50);
        assertSame(this.acceptOpen, "acceptOpen");
        assertEq(registry.providerOf(address(meter)).assigned, TASKS, "all of them");
    }

    /// @dev One transaction for all leases, at the same price for each; its first pays for the look at the registry.
    function test_A23_heartbeatCostsTheSameForEachLease() external {
        lease = true;
        TaskId[] memory ids = new TaskId[](TASKS);
        for (uint256 i = 1; i <= TASKS; ++i) {
            this.submit(i);
            this.accept(i);
            this.ready(i);
            ids[i - 1] = market.idOf(termsOf(i), workHash);
        }
        vm.warp(NOW + 60);
        this.beat(ids, 0, TASKS);
        vm.warp(NOW + 120);
        uint256 ten = this.beat(ids, 0, 10);
        uint256 others = this.beat(ids, 10, TASKS);
        assertLe(others / (TASKS - 10), ten / 10, "each of them");
        assertEq(market.leaseOf(ids[TASKS - 1]).upSeconds, 120, "the last one is up");
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
        Delivery memory delivery = deliveryOf(Outcome.Completed, 100);
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

    function acceptOpen(uint256 i) external returns (uint256) {
        bytes memory data = abi.encodeCall(market.acceptOpen, (termsOf(i), work, address(meter)));
        return call(address(market), 0, data);
    }

    function ready(uint256 i) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.ready, (termsOf(i), workHash, "ticket")));
    }

    function beat(TaskId[] calldata ids, uint256 from, uint256 until) external returns (uint256) {
        return call(address(market), 0, abi.encodeCall(market.heartbeat, (ids[from:until])));
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
        uint256 price = 1e9 | METERED;
        if (open) price |= 1e9 << 96;
        if (lease) price |= 60 << 200;
        uint256 conditions = (NOW + 100) | ((NOW + 1_000) << 40) | (600 << 80);
        return
            Terms({
                owner: address(meter),
                provider: open ? address(0) : address(meter),
                price: Price.wrap(price),
                conditions: Conditions.wrap(conditions | (lease ? 1 << 144 : 0)),
                assurance: Assurance.wrap(COLLATERAL),
                salt: bytes32(i)
            });
    }
}
