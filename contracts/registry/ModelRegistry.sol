// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @title Models that tasks can use; see {IModelRegistry}.
contract ModelRegistry is IModelRegistry {
    using SafeCast for uint256;

    // ---- Types ----

    /// @dev A {Model} by what is used together: submitting a task reads the first word alone, settling it the second
    /// and, after a change, the third.
    struct StoredModel {
        // Word 0
        address controller;
        ModelStatus status;
        uint16 royaltyBps;
        uint40 updatedAt;
        uint32 versions;
        // Word 1: revenue goes to `revenue` before `revenueAt`, or for ever where that is 0.
        address revenue;
        uint40 revenueAt;
        // Word 2
        address nextRevenue;
        // Word 3
        address ownership;
        // Word 4: to whom the entry is offered.
        address offered;
        // Word 5 and those that follow
        string licence;
    }

    // ---- Constants ----

    /// @inheritdoc IModelRegistry
    uint256 public constant override REVENUE_DELAY = 7 days;
    /// @inheritdoc IModelRegistry
    uint256 public constant override MAX_ROYALTY_BPS = 8_000;
    uint256 private constant MAX_WEIGHTS = 256;
    uint256 private constant MAX_LICENCE = 128;

    // ---- Storage ----

    /// @dev A task's conditions have 48 bits for a model's number; the next one reverts.
    uint48 private _count;
    mapping(uint256 model => StoredModel) private _models;
    mapping(uint256 model => mapping(uint256 version => Version)) private _versions;

    // ---- Register ----

    /// @inheritdoc IModelRegistry
    function register(
        bytes32 weightsHash,
        string calldata weights,
        string calldata licence,
        uint16 royaltyBps,
        address revenue
    ) external override returns (uint256 model) {
        _checkRoyalty(royaltyBps);
        _checkRevenue(revenue);
        model = ++_count;
        StoredModel storage stored = _models[model];
        stored.controller = msg.sender;
        stored.status = ModelStatus.Active;
        stored.royaltyBps = royaltyBps;
        stored.revenue = revenue;
        emit ModelRegistered(model, msg.sender, revenue, royaltyBps);
        _setLicence(model, stored, licence);
        _addVersion(model, stored, weightsHash, weights);
    }

    // ---- Versions, licence ----

    /// @inheritdoc IModelRegistry
    function addVersion(
        uint256 model,
        bytes32 weightsHash,
        string calldata weights
    ) external override returns (uint256 version) {
        return _addVersion(model, _controlled(model), weightsHash, weights);
    }

    function _addVersion(
        uint256 model,
        StoredModel storage stored,
        bytes32 weightsHash,
        string calldata weights
    ) private returns (uint256 version) {
        if (weightsHash == 0) revert ModelRegistry_ZeroHash();
        _checkText(weights, MAX_WEIGHTS);
        version = stored.versions;
        uint40 addedAt = block.timestamp.toUint40();
        stored.versions = (version + 1).toUint32();
        stored.updatedAt = addedAt;
        _versions[model][version] = Version({weightsHash: weightsHash, addedAt: addedAt, weights: weights});
        emit VersionAdded(model, version, weightsHash, weights);
    }

    /// @inheritdoc IModelRegistry
    function setLicence(uint256 model, string calldata licence) external override {
        _setLicence(model, _controlled(model), licence);
    }

    function _setLicence(uint256 model, StoredModel storage stored, string calldata licence) private {
        _checkText(licence, MAX_LICENCE);
        stored.licence = licence;
        emit LicenceChanged(model, licence);
    }

    function _checkText(string calldata text, uint256 maximum) private pure {
        uint256 length = bytes(text).length;
        if (length > maximum) revert ModelRegistry_TextLength(length, maximum);
    }

    // ---- Royalty, revenue ----

    /// @inheritdoc IModelRegistry
    function setRoyalty(uint256 model, uint16 royaltyBps) external override {
        StoredModel storage stored = _controlled(model);
        _checkRoyalty(royaltyBps);
        stored.royaltyBps = royaltyBps;
        emit RoyaltyChanged(model, royaltyBps);
    }

    function _checkRoyalty(uint256 royaltyBps) private pure {
        if (royaltyBps > MAX_ROYALTY_BPS) revert ModelRegistry_RoyaltyTooHigh(royaltyBps, MAX_ROYALTY_BPS);
    }

    /// @inheritdoc IModelRegistry
    function scheduleRevenue(uint256 model, address revenue) external override {
        StoredModel storage stored = _controlled(model);
        _checkRevenue(revenue);
        uint40 effectiveAt = (block.timestamp + REVENUE_DELAY).toUint40();
        // An earlier change whose time has come stays; one that is under way is dropped.
        stored.revenue = _revenueOf(stored);
        stored.revenueAt = effectiveAt;
        stored.nextRevenue = revenue;
        emit RevenueScheduled(model, revenue, effectiveAt);
    }

    function _checkRevenue(address revenue) private pure {
        if (revenue == address(0)) revert ModelRegistry_ZeroAddress("revenue");
    }

    function _revenueOf(StoredModel storage stored) private view returns (address) {
        uint256 revenueAt = stored.revenueAt;
        return revenueAt == 0 || block.timestamp < revenueAt ? stored.revenue : stored.nextRevenue;
    }

    // ---- Ownership, status ----

    /// @inheritdoc IModelRegistry
    function setOwnership(uint256 model, address token) external override {
        StoredModel storage stored = _controlled(model);
        if (token == address(0)) revert ModelRegistry_ZeroAddress("token");
        address present = stored.ownership;
        if (present != address(0)) revert ModelRegistry_OwnershipSet(model, present);
        stored.ownership = token;
        emit OwnershipSet(model, token);
    }

    /// @inheritdoc IModelRegistry
    function setStatus(uint256 model, ModelStatus status) external override {
        StoredModel storage stored = _controlled(model);
        if (status == ModelStatus.None) revert ModelRegistry_InvalidStatus();
        stored.status = status;
        emit ModelStatusChanged(model, status);
    }

    // ---- Control ----

    /// @inheritdoc IModelRegistry
    function offerController(uint256 model, address controller) external override {
        _controlled(model).offered = controller;
        emit ControllerOffered(model, controller);
    }

    /// @inheritdoc IModelRegistry
    function acceptController(uint256 model) external override {
        StoredModel storage stored = _registered(model);
        if (msg.sender != stored.offered) revert ModelRegistry_NotController(model, msg.sender);
        stored.controller = msg.sender;
        delete stored.offered;
        emit ControllerChanged(model, msg.sender);
    }

    function _registered(uint256 model) private view returns (StoredModel storage stored) {
        stored = _models[model];
        if (stored.status == ModelStatus.None) revert ModelRegistry_Unknown(model);
    }

    function _controlled(uint256 model) private view returns (StoredModel storage stored) {
        stored = _registered(model);
        if (msg.sender != stored.controller) revert ModelRegistry_NotController(model, msg.sender);
    }

    // ---- Views ----

    /// @inheritdoc IModelRegistry
    function modelCount() external view override returns (uint256) {
        return _count;
    }

    /// @inheritdoc IModelRegistry
    function modelOf(uint256 model) external view override returns (Model memory) {
        return _load(_registered(model));
    }

    /// @inheritdoc IModelRegistry
    function versionOf(
        uint256 model,
        uint256 version
    ) external view override returns (Version memory stored) {
        stored = _versions[model][version];
        if (stored.weightsHash == 0) revert ModelRegistry_UnknownVersion(model, version);
    }

    /// @inheritdoc IModelRegistry
    function royaltyOf(uint256 model) external view override returns (uint256 royaltyBps) {
        StoredModel storage stored = _registered(model);
        if (stored.status != ModelStatus.Active) revert ModelRegistry_Retired(model);
        return stored.royaltyBps;
    }

    /// @inheritdoc IModelRegistry
    function revenueOf(uint256 model) external view override returns (address) {
        return _revenueOf(_models[model]);
    }

    /// @inheritdoc IModelRegistry
    function offeredControllerOf(uint256 model) external view override returns (address) {
        return _models[model].offered;
    }

    /// @inheritdoc IModelRegistry
    function models(
        uint256 cursor,
        uint256 limit
    ) external view override returns (Model[] memory page, uint256 next) {
        if (cursor == 0) cursor = 1;
        uint256 count = _count;
        uint256 length = cursor > count ? 0 : count - cursor + 1;
        if (limit < length) (length, next) = (limit, cursor + limit);
        page = new Model[](length);
        for (uint256 i = 0; i < length; ++i) page[i] = _load(_models[cursor + i]);
    }

    function _load(StoredModel storage stored) private view returns (Model memory) {
        uint40 revenueAt = stored.revenueAt;
        bool changing = block.timestamp < revenueAt;
        return
            Model({
                controller: stored.controller,
                status: stored.status,
                royaltyBps: stored.royaltyBps,
                updatedAt: stored.updatedAt,
                versions: stored.versions,
                revenue: _revenueOf(stored),
                nextRevenue: changing ? stored.nextRevenue : address(0),
                revenueAt: changing ? revenueAt : 0,
                ownership: stored.ownership,
                licence: stored.licence
            });
    }
}
