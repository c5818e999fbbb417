// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../../contracts/interfaces/IModelRegistry.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {ITaskMarket} from "../../../contracts/interfaces/ITaskMarket.sol";
import {Currency} from "../../../contracts/libraries/Currency.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {MarketSettings} from "../../../contracts/market/TaskBook.sol";
import {
    Conditions,
    Delivered,
    Delivery,
    Outcome,
    Report,
    Status,
    TaskId,
    Work
} from "../../../contracts/market/Tasks.sol";
import {Test} from "../utils/Test.sol";

/// @dev The market whole, from the code that is built for the chain, and what its tests say in many places.
abstract contract MarketTest is Test {
    uint256 internal constant NOW = 1_800_000_000;
    uint256 internal constant METERED = uint256(1) << 192;
    uint256 internal constant BPS = 10_000;
    uint16 internal constant DECLINE_WINDOW = 600;
    uint16 internal constant KEY_WINDOW = 300;
    uint16 internal constant TAKE_OVER_WINDOW = 900;
    uint16 internal constant CONCESSION_WINDOW = 1_200;
    address internal constant ADMIN = address(0xAD);
    address internal constant TREASURY = address(0x7EA5);

    IProviderRegistry internal registry;
    IModelRegistry internal models;
    ITaskMarket internal market;

    // ---- Set up ----

    /// @notice A market in `token` (zero: the native coin) with its registries; it is {NOW}.
    function openMarket(address token, uint256 feeBps) internal {
        vm.warp(NOW);
        Currency currency = Currency.wrap(token);
        bytes memory arguments = abi.encode(currency, uint40(45 days), ADMIN);
        registry = IProviderRegistry(
            create("contracts/registry/ProviderRegistry.sol:ProviderRegistry", arguments)
        );
        models = IModelRegistry(create("contracts/registry/ModelRegistry.sol:ModelRegistry", ""));
        market = deployMarket(
            MarketSettings({
                currency: currency,
                registry: registry,
                models: models,
                declineWindow: DECLINE_WINDOW,
                keyWindow: KEY_WINDOW,
                takeOverWindow: TAKE_OVER_WINDOW,
                concessionWindow: CONCESSION_WINDOW,
                admin: ADMIN,
                treasury: TREASURY,
                feeBps: uint16(feeBps)
            })
        );
        vm.prank(ADMIN);
        registry.authorizeMarket(address(market));
    }

    function deployMarket(MarketSettings memory settings) internal returns (ITaskMarket) {
        address extension = create(
            "contracts/market/TaskMarketExtension.sol:TaskMarketExtension",
            abi.encode(settings)
        );
        return
            ITaskMarket(
                create("contracts/market/TaskMarket.sol:TaskMarket", abi.encode(settings, extension))
            );
    }

    /// @notice Registers `account` as a provider of any task, with so many slots and so much at stake [wei].
    function register(address account, address operator, uint16 slots, uint256 stake) internal {
        vm.prank(account);
        registry.register(
            operator,
            account,
            IProviderRegistry.Offer({shape: Resources.wrap(0), rateWei: 1, slots: slots, metadata: ""})
        );
        if (stake == 0) return;
        vm.deal(account, account.balance + stake);
        vm.prank(account);
        registry.stake{value: stake}(stake);
    }

    // ---- Tasks ----

    function conditionsOf(
        uint256 start,
        uint256 latest,
        uint256 duration
    ) internal pure returns (Conditions) {
        return Conditions.wrap(start | (latest << 40) | (duration << 80) | (uint256(1) << 152));
    }

    function someWork() internal pure returns (Work memory) {
        return Work({resources: Resources.wrap(0), payloadHash: bytes32(uint256(1)), payload: "ar://x"});
    }

    function deliveryOf(Outcome outcome, uint256 used) internal pure returns (Delivery memory) {
        return
            Delivery({
                report: Report.wrap(uint256(outcome) | (used << 8)),
                resultHash: bytes32(uint256(1)),
                evidenceHash: bytes32(uint256(2)),
                result: "ar://y"
            });
    }

    function deliveredOf(Delivery memory delivery) internal pure returns (Delivered memory) {
        return Delivered(delivery.report, delivery.resultHash, delivery.evidenceHash);
    }

    /// @notice 65 bytes, as wallets make them.
    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    // ---- Money ----

    /// @notice What the ledger holds for `account`, fees due included [wei].
    function ledgerOf(address account) internal view returns (uint256) {
        return market.balanceOf(account) + market.feesDue(account);
    }

    /// @notice Takes the whole balance of `account` out; it really arrives.
    function withdrawAll(address account) internal returns (uint256 amount) {
        amount = market.balanceOf(account);
        if (amount == 0) return 0;
        uint256 before = account.balance;
        vm.prank(account);
        market.withdraw(amount);
        assertEq(account.balance - before, amount, "withdrawn");
    }

    // ---- Looks ----

    function assertStatus(TaskId id, Status expected, Outcome expectedOutcome) internal view {
        (Status status, Outcome outcome, , ) = market.taskOf(id);
        assertEq(uint256(status), uint256(expected), "status");
        assertEq(uint256(outcome), uint256(expectedOutcome), "outcome");
    }

    /// @notice The call fails for this reason.
    function assertRefused(address caller, bytes memory data, bytes memory reason) internal {
        vm.prank(caller);
        (bool success, bytes memory actual) = address(market).call(data);
        assertTrue(!success, "went through");
        assertEq(actual, reason, "reason");
    }
}
