// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../../contracts/interfaces/IModelRegistry.sol";
import {Tasks} from "../../../contracts/market/Tasks.sol";
import {ModelRegistry} from "../../../contracts/registry/ModelRegistry.sol";
import {Test} from "../utils/Test.sol";

/// @dev Times, control and pages; flows, events and refusals stand in the `.test.ts`.
contract ModelRegistryTest is Test {
    address private constant CONTROLLER = address(0xA11CE);
    address private constant OTHER = address(0xB0B);
    address private constant FIRST = address(0xF1);
    address private constant SECOND = address(0xF2);
    address private constant THIRD = address(0xF3);
    uint40 private constant START = 1_800_000_000;
    bytes32 private constant HASH = bytes32(uint256(1));

    ModelRegistry private registry;
    uint256 private delay;

    function setUp() external {
        vm.warp(START);
        registry = ModelRegistry(create("contracts/registry/ModelRegistry.sol:ModelRegistry", ""));
        delay = registry.REVENUE_DELAY();
    }

    // ---- Register ----

    /// @dev Whatever a task's terms can offer, a model can ask for, and the other way round.
    function test_highestRoyaltyIsTheTasks() external view {
        assertEq(registry.MAX_ROYALTY_BPS(), Tasks.MAX_ROYALTY_BPS, "maximum");
        assertEq(delay, 7 days, "delay");
    }

    function testFuzz_modelIsWhatWasRegistered(
        address controller,
        bytes32 weightsHash,
        uint16 weightsLength,
        uint8 licenceLength,
        uint16 royaltyBps,
        address revenue
    ) external {
        vm.assume(weightsHash != 0 && revenue != address(0));
        string memory weights = string(new bytes(bound(weightsLength, 0, 256)));
        string memory licence = string(new bytes(bound(licenceLength, 0, 128)));
        royaltyBps = uint16(bound(royaltyBps, 0, 8_000));
        register(CONTROLLER, FIRST);
        vm.prank(controller);
        uint256 model = registry.register(weightsHash, weights, licence, royaltyBps, revenue);
        assertEq(model, 2, "number");
        assertEq(registry.modelCount(), 2, "count");
        IModelRegistry.Model memory found = registry.modelOf(model);
        assertEq(found.controller, controller, "controller");
        assertTrue(found.status == IModelRegistry.ModelStatus.Active, "status");
        assertEq(found.royaltyBps, royaltyBps, "royalty");
        assertEq(found.updatedAt, START, "updatedAt");
        assertEq(found.versions, 1, "versions");
        assertEq(found.revenue, revenue, "revenue");
        assertEq(found.nextRevenue, address(0), "nextRevenue");
        assertEq(found.revenueAt, 0, "revenueAt");
        assertEq(found.ownership, address(0), "ownership");
        assertEq(bytes(found.licence), bytes(licence), "licence");
        IModelRegistry.Version memory version = registry.versionOf(model, 0);
        assertTrue(version.weightsHash == weightsHash, "weights' hash");
        assertEq(version.addedAt, START, "addedAt");
        assertEq(bytes(version.weights), bytes(weights), "weights");
        assertEq(registry.royaltyOf(model), royaltyBps, "royaltyOf");
        assertEq(registry.revenueOf(model), revenue, "revenueOf");
        assertEq(registry.offeredControllerOf(model), address(0), "offered");
    }

    function testFuzz_A12_RevertWhen_RoyaltyIsTooHigh(uint16 royaltyBps) external {
        royaltyBps = uint16(bound(royaltyBps, 8_001, type(uint16).max));
        uint256 model = register(CONTROLLER, FIRST);
        bytes memory reason = abi.encodeWithSelector(
            IModelRegistry.ModelRegistry_RoyaltyTooHigh.selector,
            royaltyBps,
            8_000
        );
        vm.expectRevert(reason);
        registry.register(HASH, "", "", royaltyBps, FIRST);
        vm.expectRevert(reason);
        vm.prank(CONTROLLER);
        registry.setRoyalty(model, royaltyBps);
        assertEq(registry.modelCount(), 1, "count");
        assertEq(registry.royaltyOf(model), 0, "royalty");
    }

    function testFuzz_A24_RevertWhen_TextIsTooLong(uint16 weightsLength, uint16 licenceLength) external {
        weightsLength = uint16(bound(weightsLength, 257, 2_000));
        licenceLength = uint16(bound(licenceLength, 129, 2_000));
        string memory weights = string(new bytes(weightsLength));
        string memory licence = string(new bytes(licenceLength));
        uint256 model = register(CONTROLLER, FIRST);
        vm.expectRevert(tooLong(weightsLength, 256));
        registry.register(HASH, weights, "", 0, FIRST);
        vm.expectRevert(tooLong(licenceLength, 128));
        registry.register(HASH, "", licence, 0, FIRST);
        vm.expectRevert(tooLong(weightsLength, 256));
        vm.prank(CONTROLLER);
        registry.addVersion(model, HASH, weights);
        vm.expectRevert(tooLong(licenceLength, 128));
        vm.prank(CONTROLLER);
        registry.setLicence(model, licence);
        assertEq(registry.modelCount(), 1, "count");
        assertEq(registry.modelOf(model).versions, 1, "versions");
        assertEq(bytes(registry.modelOf(model).licence), "", "licence");
    }

    // ---- Versions ----

    function testFuzz_I10_versionsStayReadable(bytes32[5] memory hashes, uint32[5] memory pauses) external {
        uint256 model = register(CONTROLLER, FIRST);
        uint256[6] memory times;
        times[0] = START;
        for (uint256 i = 0; i < hashes.length; ++i) {
            if (hashes[i] == 0) hashes[i] = HASH;
            times[i + 1] = times[i] + pauses[i];
            vm.warp(times[i + 1]);
            vm.prank(CONTROLLER);
            assertEq(registry.addVersion(model, hashes[i], ""), i + 1, "number");
        }
        assertEq(registry.modelOf(model).versions, 6, "versions");
        assertEq(registry.modelOf(model).updatedAt, times[5], "updatedAt");
        for (uint256 i = 0; i <= hashes.length; ++i) {
            IModelRegistry.Version memory version = registry.versionOf(model, i);
            assertTrue(version.weightsHash == (i == 0 ? HASH : hashes[i - 1]), "hash");
            assertEq(version.addedAt, times[i], "addedAt");
        }
    }

    function testFuzz_RevertWhen_VersionIsUnknown(uint256 model, uint256 version) external {
        register(CONTROLLER, FIRST);
        vm.assume(model != 1 || version != 0);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelRegistry_UnknownVersion.selector, model, version)
        );
        registry.versionOf(model, version);
    }

    // ---- Revenue ----

    function test_A14_revenueSwitchesWithTheSecond() external {
        testFuzz_A14_revenueSwitchesWithTheSecond(3 days, 100);
    }

    /// @dev From the announced second on, not before, and without anybody's call.
    function testFuzz_A14_revenueSwitchesWithTheSecond(uint40 announced, uint40 later) public {
        uint256 model = register(CONTROLLER, FIRST);
        uint256 effectiveAt = uint256(START) + announced + delay;
        // Settlements ask within 40 bits of time.
        vm.assume(effectiveAt + later < type(uint40).max);
        vm.warp(uint256(START) + announced);
        vm.prank(CONTROLLER);
        registry.scheduleRevenue(model, SECOND);
        vm.warp(effectiveAt - 1);
        assertRevenue(model, FIRST, SECOND, effectiveAt);
        vm.warp(effectiveAt);
        assertRevenue(model, SECOND, address(0), 0);
        vm.warp(effectiveAt + later);
        assertRevenue(model, SECOND, address(0), 0);
    }

    /// @dev A change that is under way is dropped for another; one whose time has come stays until the next one's.
    function testFuzz_laterChangeReplacesOrFollows(uint40 pause) external {
        pause = uint40(bound(pause, 0, 1_000 days));
        uint256 model = register(CONTROLLER, FIRST);
        vm.prank(CONTROLLER);
        registry.scheduleRevenue(model, SECOND);
        vm.warp(uint256(START) + pause);
        vm.prank(CONTROLLER);
        registry.scheduleRevenue(model, THIRD);
        address before = pause < delay ? FIRST : SECOND;
        uint256 effectiveAt = uint256(START) + pause + delay;
        assertRevenue(model, before, THIRD, effectiveAt);
        vm.warp(effectiveAt - 1);
        assertRevenue(model, before, THIRD, effectiveAt);
        vm.warp(effectiveAt);
        assertRevenue(model, THIRD, address(0), 0);
    }

    /// @dev The way to call a change off.
    function testFuzz_presentAddressCallsAChangeOff(uint40 pause, uint40 later) external {
        pause = uint40(bound(pause, 0, delay - 1));
        uint256 model = register(CONTROLLER, FIRST);
        vm.prank(CONTROLLER);
        registry.scheduleRevenue(model, SECOND);
        vm.warp(uint256(START) + pause);
        vm.prank(CONTROLLER);
        registry.scheduleRevenue(model, FIRST);
        vm.warp(uint256(START) + pause + later);
        assertEq(registry.revenueOf(model), FIRST, "revenue");
    }

    /// @dev A settlement asks, so nothing it passes may make it fail.
    function testFuzz_I08_revenueNeverReverts(uint256 model, uint40 time) external {
        register(CONTROLLER, FIRST);
        vm.warp(time);
        assertEq(registry.revenueOf(model), model == 1 ? FIRST : address(0), "revenue");
    }

    function test_I08_retiredModelIsPaidForAndTakesNoNewTask() external {
        uint256 model = register(CONTROLLER, FIRST);
        vm.prank(CONTROLLER);
        registry.setStatus(model, IModelRegistry.ModelStatus.Retired);
        assertEq(registry.revenueOf(model), FIRST, "revenue");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelRegistry_Retired.selector, model));
        registry.royaltyOf(model);
        vm.prank(CONTROLLER);
        registry.setStatus(model, IModelRegistry.ModelStatus.Active);
        assertEq(registry.royaltyOf(model), 0, "royalty");
    }

    function test_A23_submissionReadsOneWordAndSettlementTwoAtMost() external {
        uint256 model = register(CONTROLLER, FIRST);
        assertEq(reads(abi.encodeCall(registry.royaltyOf, (model))), 1, "royaltyOf");
        assertEq(reads(abi.encodeCall(registry.revenueOf, (model))), 1, "revenueOf");
        vm.prank(CONTROLLER);
        registry.scheduleRevenue(model, SECOND);
        assertEq(reads(abi.encodeCall(registry.revenueOf, (model))), 1, "before a change");
        vm.warp(START + delay);
        assertEq(reads(abi.encodeCall(registry.revenueOf, (model))), 2, "after a change");
    }

    // ---- Control ----

    function testFuzz_A40_controlChangesInTwoSteps(address next, address stranger) external {
        vm.assume(next != address(0) && stranger != next);
        uint256 model = register(CONTROLLER, FIRST);
        vm.prank(CONTROLLER);
        registry.offerController(model, next);
        assertEq(registry.offeredControllerOf(model), next, "offered");
        assertEq(registry.modelOf(model).controller, CONTROLLER, "not yet");
        vm.expectRevert(notController(model, stranger));
        vm.prank(stranger);
        registry.acceptController(model);
        vm.prank(next);
        registry.acceptController(model);
        assertEq(registry.modelOf(model).controller, next, "controller");
        assertEq(registry.offeredControllerOf(model), address(0), "offer is used up");
        vm.expectRevert(notController(model, next));
        vm.prank(next);
        registry.acceptController(model);
        if (next == CONTROLLER) return;
        vm.expectRevert(notController(model, CONTROLLER));
        vm.prank(CONTROLLER);
        registry.offerController(model, CONTROLLER);
    }

    function testFuzz_A40_offerIsWithdrawnOrReplaced(address first, address second) external {
        vm.assume(first != second && first != address(0));
        uint256 model = register(CONTROLLER, FIRST);
        vm.prank(CONTROLLER);
        registry.offerController(model, first);
        vm.prank(CONTROLLER);
        registry.offerController(model, second);
        vm.expectRevert(notController(model, first));
        vm.prank(first);
        registry.acceptController(model);
        assertEq(registry.modelOf(model).controller, CONTROLLER, "controller");
    }

    /// @dev Nobody but its controller changes anything about a model: not the one of another, nor whom it is offered to.
    function testFuzz_A19_RevertWhen_CallerIsNotController(address caller, uint8 kind) external {
        vm.assume(caller != CONTROLLER);
        uint256 model = register(CONTROLLER, FIRST);
        register(OTHER, SECOND);
        vm.prank(CONTROLLER);
        registry.offerController(model, OTHER);
        bytes memory before = abi.encode(registry.modelOf(model), registry.offeredControllerOf(model));
        vm.expectRevert(notController(model, caller));
        vm.prank(caller);
        call(change(model, kind));
        vm.expectRevert(notController(model, OTHER));
        vm.prank(OTHER);
        call(change(model, kind));
        assertEq(abi.encode(registry.modelOf(model), registry.offeredControllerOf(model)), before, "model");
    }

    function testFuzz_RevertWhen_ModelIsUnknown(uint256 model, uint8 kind) external {
        register(CONTROLLER, FIRST);
        vm.assume(model != 1);
        bytes memory reason = abi.encodeWithSelector(IModelRegistry.ModelRegistry_Unknown.selector, model);
        vm.expectRevert(reason);
        vm.prank(CONTROLLER);
        call(change(model, kind));
        vm.expectRevert(reason);
        registry.acceptController(model);
        vm.expectRevert(reason);
        registry.modelOf(model);
        vm.expectRevert(reason);
        registry.royaltyOf(model);
        assertEq(registry.offeredControllerOf(model), address(0), "offered");
    }

    /// @dev I-5: a change of one model is none of another.
    function testFuzz_I05_modelsAreIndependent(uint8 kind) external {
        uint256 model = register(CONTROLLER, FIRST);
        uint256 other = register(CONTROLLER, SECOND);
        bytes memory before = abi.encode(registry.modelOf(other), registry.offeredControllerOf(other));
        vm.prank(CONTROLLER);
        call(change(model, kind));
        vm.warp(START + delay);
        assertEq(
            abi.encode(registry.modelOf(other), registry.offeredControllerOf(other)),
            before,
            "other model"
        );
    }

    // ---- Pages ----

    /// @dev However the pages are cut, together they are all models, each once and in order.
    function testFuzz_I20_pagesAreAllModels(uint8 count, uint8 limit, bool fromZero) external {
        count = uint8(bound(count, 0, 20));
        limit = uint8(bound(limit, 1, 25));
        for (uint160 i = 1; i <= count; ++i) register(address(0x1000 + i), FIRST);
        uint256 seen = 0;
        uint256 cursor = fromZero ? 0 : 1;
        do {
            IModelRegistry.Model[] memory page;
            (page, cursor) = registry.models(cursor, limit);
            assertLe(page.length, limit, "page");
            for (uint256 i = 0; i < page.length; ++i) {
                ++seen;
                assertEq(abi.encode(page[i]), abi.encode(registry.modelOf(seen)), "model");
                assertEq(page[i].controller, address(uint160(0x1000 + seen)), "order");
            }
        } while (cursor != 0);
        assertEq(seen, count, "all of them");
    }

    /// @dev No cursor and no limit breaks the view.
    function testFuzz_pagesBeyondTheEndAreEmpty(uint256 cursor, uint256 limit) external {
        register(CONTROLLER, FIRST);
        register(OTHER, SECOND);
        (IModelRegistry.Model[] memory page, uint256 next) = registry.models(cursor, limit);
        uint256 first = cursor == 0 ? 1 : cursor;
        uint256 rest = first > 2 ? 0 : 3 - first;
        assertEq(page.length, limit < rest ? limit : rest, "length");
        assertEq(next, limit < rest ? first + limit : 0, "next");
    }

    // ---- Helpers ----

    function register(address controller, address revenue) private returns (uint256) {
        vm.prank(controller);
        return registry.register(HASH, "", "", 0, revenue);
    }

    /// @dev One of all the changes that a controller can make.
    function change(uint256 model, uint8 kind) private view returns (bytes memory) {
        kind %= 7;
        if (kind == 0) return abi.encodeCall(registry.addVersion, (model, HASH, "ar://w"));
        if (kind == 1) return abi.encodeCall(registry.setRoyalty, (model, 1));
        if (kind == 2) return abi.encodeCall(registry.scheduleRevenue, (model, THIRD));
        if (kind == 3) return abi.encodeCall(registry.setOwnership, (model, THIRD));
        if (kind == 4) return abi.encodeCall(registry.setLicence, (model, "MIT"));
        if (kind == 5) return abi.encodeCall(registry.setStatus, (model, IModelRegistry.ModelStatus.Retired));
        return abi.encodeCall(registry.offerController, (model, THIRD));
    }

    function call(bytes memory data) private {
        (bool success, bytes memory reason) = address(registry).call(data);
        if (success) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// @dev How many different words a view reads.
    function reads(bytes memory data) private returns (uint256 words) {
        vm.record();
        call(data);
        (bytes32[] memory slots, ) = vm.accesses(address(registry));
        for (uint256 i = 0; i < slots.length; ++i) {
            bool known = false;
            for (uint256 j = 0; j < i; ++j) known = known || slots[j] == slots[i];
            if (!known) ++words;
        }
    }

    function assertRevenue(uint256 model, address revenue, address next, uint256 revenueAt) private view {
        assertEq(registry.revenueOf(model), revenue, "revenueOf");
        IModelRegistry.Model memory found = registry.modelOf(model);
        assertEq(found.revenue, revenue, "revenue");
        assertEq(found.nextRevenue, next, "nextRevenue");
        assertEq(found.revenueAt, revenueAt, "revenueAt");
    }

    function notController(uint256 model, address caller) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.ModelRegistry_NotController.selector, model, caller);
    }

    function tooLong(uint256 length, uint256 maximum) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.ModelRegistry_TextLength.selector, length, maximum);
    }
}
