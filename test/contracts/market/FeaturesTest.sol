// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOrders} from "../../../contracts/interfaces/IOrders.sol";
import {
    Assurance,
    Delivered,
    Delivery,
    Outcome,
    Price,
    Status,
    TaskId,
    Terms,
    Work
} from "../../../contracts/market/Tasks.sol";
import {MarketTest} from "./MarketTest.sol";

/// @dev Parties with keys and money, and one task of theirs that goes through the market in the native coin.
abstract contract FeaturesTest is MarketTest {
    uint256 internal constant OWNER_KEY = 0xA11CE;
    uint256 internal constant PROVIDER_KEY = 0xB0B;
    uint256 internal constant OPERATOR_KEY = 0x0BE;
    uint256 internal constant FEE_BPS = 250;
    uint256 internal constant STAKE = 1e28;
    address internal constant STRANGER = address(0x57A);
    address internal constant SPONSOR = address(0x5B0);
    address internal constant BACKUP = address(0xBAC);
    address internal constant REVENUE = address(0x4E7);
    address internal immutable OWNER = vm.addr(OWNER_KEY);
    address internal immutable PROVIDER = vm.addr(PROVIDER_KEY);
    address internal immutable OPERATOR = vm.addr(OPERATOR_KEY);

    Terms internal terms;
    Work internal work;
    bytes32 internal workHash;
    TaskId internal id;
    /// What is escrowed at first [wei].
    uint256 internal cost;

    /// @dev Provider and backup have three slots and much at stake.
    function open() internal {
        openMarket(address(0), FEE_BPS);
        register(PROVIDER, OPERATOR, 3, STAKE);
        register(BACKUP, BACKUP, 3, STAKE);
        work = someWork();
        for (uint256 i = 0; i < 4; ++i) vm.deal([OWNER, SPONSOR, STRANGER, PROVIDER][i], 1e30);
    }

    // ---- The task ----

    /// @notice A job of {PROVIDER}'s: 600 s at 1e9 wei each, within 100 s to 1,000 s from {NOW}.
    function someTerms() internal view returns (Terms memory) {
        return
            Terms({
                owner: OWNER,
                provider: PROVIDER,
                price: Price.wrap(1e9 | METERED),
                conditions: conditionsOf(NOW + 100, NOW + 1_000, 600),
                assurance: Assurance.wrap(1e18),
                salt: bytes32(uint256(7))
            });
    }

    function priceOf(uint256 amount, bool metered) internal pure returns (Price) {
        return Price.wrap(amount | (metered ? METERED : 0));
    }

    function openPriceOf(uint256 first, uint256 last, bool metered) internal pure returns (Price) {
        return Price.wrap(first | (last << 96) | (metered ? METERED : 0));
    }

    function assuranceOf(uint96 collateral, address arbiter) internal pure returns (Assurance) {
        return Assurance.wrap(collateral | (uint256(uint160(arbiter)) << 96));
    }

    /// @notice From here on the task is this one.
    function take(Terms memory terms_, address backup) internal {
        terms = terms_;
        workHash = market.hashWork(work, backup);
        id = market.idOf(terms_, workHash);
        cost = market.costOf(terms_);
    }

    /// @notice The task's order, which its owner or a delegate sends.
    function plainOrder() internal view returns (IOrders.Order memory order) {
        (order.terms, order.work) = (terms, work);
    }

    function signedOrder() internal view returns (IOrders.Order memory order) {
        order = plainOrder();
        order.signature = sign(OWNER_KEY, TaskId.unwrap(id));
    }

    function quoteOf(
        uint256 key,
        uint256 nonce,
        uint256 expiresAt
    ) internal view returns (IOrders.Quote memory) {
        return
            IOrders.Quote({
                nonce: nonce,
                expiresAt: uint40(expiresAt),
                signature: sign(key, market.quoteDigest(id, nonce, expiresAt))
            });
    }

    function submit() internal {
        vm.prank(OWNER);
        market.submit{value: cost}(terms, work);
    }

    /// @notice The owner submits the task and names the backup.
    function submitWith(address backup) internal {
        IOrders.Order memory order = plainOrder();
        order.backup = backup;
        vm.prank(OWNER);
        market.order{value: cost}(order);
    }

    function accept() internal {
        vm.prank(PROVIDER);
        market.accept(terms, workHash);
    }

    function deliver(address provider, uint256 used) internal returns (Delivered memory) {
        Delivery memory delivery = deliveryOf(Outcome.Completed, used);
        vm.prank(provider);
        market.deliver(terms, workHash, delivery);
        return deliveredOf(delivery);
    }

    // ---- What is tried ----

    /// @notice Makes the call; a failure is passed on.
    function act(address caller, bytes memory data) internal {
        vm.prank(caller);
        (bool success, bytes memory reason) = address(market).call(data);
        if (success) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// @notice Whether the call would go through now; nothing stays of it.
    function can(address caller, bytes memory data) internal returns (bool success) {
        uint256 snapshot = vm.snapshotState();
        vm.prank(caller);
        (success, ) = address(market).call(data);
        vm.revertToState(snapshot);
    }

    // ---- Looks ----

    /// @notice All that the market owes: the parties' balances and fees due [wei].
    function ledger() internal view returns (uint256) {
        return
            ledgerOf(OWNER) +
            ledgerOf(PROVIDER) +
            ledgerOf(SPONSOR) +
            ledgerOf(STRANGER) +
            ledgerOf(BACKUP) +
            ledgerOf(REVENUE) +
            ledgerOf(TREASURY);
    }

    function lockedOf(address provider) internal view returns (uint256) {
        return registry.providerOf(provider).locked;
    }

    function assertStatus(Status expected, Outcome outcome) internal view {
        assertStatus(id, expected, outcome);
    }
}
