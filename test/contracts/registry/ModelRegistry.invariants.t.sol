// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../../contracts/interfaces/IModelRegistry.sol";
import {ModelRegistry} from "../../../contracts/registry/ModelRegistry.sol";
import {Test} from "../utils/Test.sol";

/// @dev Parties that do anything to any model at any time. Keeps what the registry must agree with, its changes of
/// revenue made when their time comes rather than looked up.
contract ModelHandler is Test {
    struct Expected {
        address controller;
        address offered;
        address ownership;
        uint256 royaltyBps;
        uint256 versions;
        bool retired;
        address revenue;
        address nextRevenue;
        uint256 revenueAt;
    }

    uint256 public constant PARTIES = 3;
    uint256 private constant MAX_MODELS = 6;

    ModelRegistry public immutable registry = ModelRegistry(
        create("contracts/registry/ModelRegistry.sol:ModelRegistry", "")
    );
    /// How often each verb went through: that the rest is not empty talk.
    mapping(bytes4 verb => uint256) public done;
    /// What happened that must never happen.
    string public violation;

    mapping(uint256 model => Expected) private models;
    uint256 public count;

    constructor() {
        vm.warp(1_800_000_000);
    }

    function register(uint256 who, uint16 royaltyBps, uint256 revenue) external {
        if (count == MAX_MODELS) return;
        address controller = party(who);
        address to = party(revenue);
        (bool success, ) = act(
            controller,
            abi.encodeCall(registry.register, (bytes32(uint256(1)), "", "", royaltyBps, to))
        );
        if (success != royaltyBps <= 8_000)
            violation = "a royalty beyond the highest, or one within it refused";
        if (!success) return;
        Expected storage model = models[++count];
        (model.controller, model.royaltyBps, model.versions, model.revenue) = (controller, royaltyBps, 1, to);
    }

    function addVersion(uint256 who, uint256 model, bytes32 weightsHash) external {
        if (
            change(
                who,
                model,
                abi.encodeCall(registry.addVersion, (one(model), weightsHash, "")),
                weightsHash != 0
            )
        ) ++models[one(model)].versions;
    }

    function setRoyalty(uint256 who, uint256 model, uint16 royaltyBps) external {
        if (
            change(
                who,
                model,
                abi.encodeCall(registry.setRoyalty, (one(model), royaltyBps)),
                royaltyBps <= 8_000
            )
        ) models[one(model)].royaltyBps = royaltyBps;
    }

    function scheduleRevenue(uint256 who, uint256 model, uint256 to) external {
        address revenue = to % 5 == 4 ? address(0) : party(to);
        bytes memory data = abi.encodeCall(registry.scheduleRevenue, (one(model), revenue));
        if (!change(who, model, data, revenue != address(0))) return;
        Expected storage expected = models[one(model)];
        (expected.nextRevenue, expected.revenueAt) = (revenue, block.timestamp + 7 days);
    }

    function setOwnership(uint256 who, uint256 model, uint256 token) external {
        bool free = models[one(model)].ownership == address(0);
        if (change(who, model, abi.encodeCall(registry.setOwnership, (one(model), party(token))), free))
            models[one(model)].ownership = party(token);
    }

    function setStatus(uint256 who, uint256 model, uint8 status) external {
        IModelRegistry.ModelStatus chosen = IModelRegistry.ModelStatus(status % 3);
        bool fit = chosen != IModelRegistry.ModelStatus.None;
        if (change(who, model, abi.encodeCall(registry.setStatus, (one(model), chosen)), fit))
            models[one(model)].retired = chosen == IModelRegistry.ModelStatus.Retired;
    }

    function offerController(uint256 who, uint256 model, uint256 to) external {
        address next = to % 5 == 4 ? address(0) : party(to);
        if (change(who, model, abi.encodeCall(registry.offerController, (one(model), next)), true))
            models[one(model)].offered = next;
    }

    function acceptController(uint256 who, uint256 model) external {
        Expected storage expected = models[one(model)];
        (bool success, ) = act(party(who), abi.encodeCall(registry.acceptController, (one(model))));
        if (success != (expected.offered == party(who)))
            violation = "control without an offer, or an offer in vain";
        if (success) (expected.controller, expected.offered) = (party(who), address(0));
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 5 days));
        for (uint256 i = 1; i <= count; ++i) {
            Expected storage model = models[i];
            if (model.revenueAt == 0 || block.timestamp < model.revenueAt) continue;
            (model.revenue, model.nextRevenue, model.revenueAt) = (model.nextRevenue, address(0), 0);
        }
    }

    // ---- Views ----

    function expectedOf(uint256 model) external view returns (Expected memory) {
        return models[model];
    }

    // ---- Helpers ----

    function party(uint256 who) private pure returns (address) {
        return address(uint160(0xA0 + (who % PARTIES)));
    }

    /// @dev A model that exists, or the first one.
    function one(uint256 model) private view returns (uint256) {
        return count == 0 ? 1 : 1 + (model % count);
    }

    /// @dev Whether the change went through: it must where it is the controller's and fits.
    function change(uint256 who, uint256 model, bytes memory data, bool fits) private returns (bool success) {
        (success, ) = act(party(who), data);
        bool allowed = fits && models[one(model)].controller == party(who);
        if (success != allowed) violation = "a change by who may not, or none by who may";
    }

    function act(address who, bytes memory data) private returns (bool success, bytes memory returned) {
        vm.prank(who);
        (success, returned) = address(registry).call(data);
        if (success) ++done[bytes4(data)];
    }
}

contract ModelRegistryInvariants is Test {
    ModelHandler private handler;
    ModelRegistry private registry;

    function setUp() external {
        handler = new ModelHandler();
        registry = handler.registry();
        targetContract(address(handler));
    }

    /// @dev The invariants say something: the handler gets through to every verb.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 600; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            (uint256 a, uint256 b, uint256 c) = (random >> 16, random >> 32, random >> 80);
            uint256 verb = random % 9;
            if (verb == 0) handler.register(a, uint16(b % 10_000), c);
            else if (verb == 1) handler.addVersion(a, b, bytes32(c));
            else if (verb == 2) handler.setRoyalty(a, b, uint16(c % 10_000));
            else if (verb == 3) handler.scheduleRevenue(a, b, c);
            else if (verb == 4) handler.setOwnership(a, b, c);
            else if (verb == 5) handler.setStatus(a, b, uint8(c));
            else if (verb == 6) handler.offerController(a, b, c);
            else if (verb == 7) handler.acceptController(a, b);
            else handler.wait(a);
        }
        bytes4[8] memory verbs = [
            registry.register.selector,
            registry.addVersion.selector,
            registry.setRoyalty.selector,
            registry.scheduleRevenue.selector,
            registry.setOwnership.selector,
            registry.setStatus.selector,
            registry.offerController.selector,
            registry.acceptController.selector
        ];
        for (uint256 i = 0; i < verbs.length; ++i)
            assertTrue(handler.done(verbs[i]) != 0, "a verb is never reached");
        assertEq(bytes(handler.violation()), "", handler.violation());
    }

    /// @dev I-6: whoever may not change a model does not, and whoever may does.
    function invariant_I06_nothingForbiddenHappened() external view {
        assertEq(bytes(handler.violation()), "", handler.violation());
    }

    /// @dev I-4, I-10, I-20: each model is what its controllers made of it, its revenue where it goes by this second.
    function invariant_I04_I10_I20_modelsAreWhatWasMadeOfThem() external view {
        assertEq(registry.modelCount(), handler.count(), "count");
        for (uint256 i = 1; i <= handler.count(); ++i) {
            ModelHandler.Expected memory expected = handler.expectedOf(i);
            IModelRegistry.Model memory model = registry.modelOf(i);
            assertEq(model.controller, expected.controller, "controller");
            assertEq(registry.offeredControllerOf(i), expected.offered, "offered");
            assertEq(model.royaltyBps, expected.royaltyBps, "royalty");
            assertEq(model.versions, expected.versions, "versions");
            assertEq(model.ownership, expected.ownership, "ownership");
            assertEq(model.revenue, expected.revenue, "revenue");
            assertEq(registry.revenueOf(i), expected.revenue, "revenueOf");
            assertEq(model.nextRevenue, expected.nextRevenue, "nextRevenue");
            assertEq(model.revenueAt, expected.revenueAt, "revenueAt");
            bool retired = model.status == IModelRegistry.ModelStatus.Retired;
            assertTrue(retired == expected.retired, "status");
            assertTrue(model.revenue != address(0), "a model without revenue");
        }
    }
}
