// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes} from "../interfaces/IDisputes.sol";
import {ILeases} from "../interfaces/ILeases.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {ITaskViews} from "../interfaces/ITaskViews.sol";
import {TaskBook} from "./TaskBook.sol";
import {
    ASSIGNED,
    Assignment,
    BACKUP,
    Fault,
    Outcome,
    Status,
    TaskId,
    Tasks,
    TaskState,
    Terms,
    Work
} from "./Tasks.sol";

/// @title What can be asked about the market; see {ITaskViews}.
abstract contract TaskViews is ITaskViews, TaskBook {
    // ---- Rules ----

    /// @inheritdoc ITaskViews
    uint256 public constant override BOUNTY_BPS = _BOUNTY_BPS;
    /// @inheritdoc ITaskViews
    uint256 public constant override ABANDON_BPS = _ABANDON_BPS;
    /// @inheritdoc ITaskViews
    uint256 public constant override DISPUTE_BPS = _DISPUTE_BPS;
    /// @inheritdoc ITaskViews
    uint256 public constant override CONCEDE_BPS = _CONCEDE_BPS;
    /// @inheritdoc ITaskViews
    uint256 public constant override MISSED_HEARTBEATS = _MISSED_HEARTBEATS;
    /// @inheritdoc ITaskViews
    uint256 public constant override SIGNATURE_GAS = _SIGNATURE_GAS;

    /// @inheritdoc ITaskViews
    function registry() external view override returns (IProviderRegistry) {
        return _registry;
    }

    /// @inheritdoc ITaskViews
    function models() external view override returns (IModelRegistry) {
        return _models;
    }

    /// @inheritdoc ITaskViews
    function declineWindow() external view override returns (uint256) {
        return _declineWindow;
    }

    /// @inheritdoc ITaskViews
    function keyWindow() external view override returns (uint256) {
        return _keyWindow;
    }

    /// @inheritdoc ITaskViews
    function takeOverWindow() external view override returns (uint256) {
        return _takeOverWindow;
    }

    /// @inheritdoc ITaskViews
    function concessionWindow() external view override returns (uint256) {
        return _concessionWindow;
    }

    // ---- Tasks ----

    /// @inheritdoc ITaskViews
    function deliveryDigestOf(TaskId id) external view override returns (bytes32) {
        return bytes32(_tasks[id].digestOf());
    }

    /// @inheritdoc ITaskViews
    function leaseOf(TaskId id) external view override returns (ILeases.Lease memory) {
        Meter storage meter = _meters[id];
        return
            ILeases.Lease({
                provider: meter.provider,
                readyAt: meter.readyAt,
                endsAt: meter.endsAt,
                lastHeartbeat: meter.lastHeartbeat,
                upSeconds: meter.upSeconds,
                drawnSeconds: meter.drawnSeconds,
                extraSeconds: meter.extraSeconds,
                closing: meter.closing
            });
    }

    /// @inheritdoc ITaskViews
    function disputeOf(TaskId id) external view override returns (IDisputes.Dispute memory) {
        return _disputes[id];
    }

    /// @inheritdoc ITaskViews
    function bondOf(
        Terms calldata terms
    ) external view override returns (uint256 bondWei, uint256 feeWei, uint256 rulingSeconds) {
        return _bondOf(terms);
    }

    /// @inheritdoc ITaskViews
    function assignmentOf(
        Terms calldata terms,
        bytes32 workHash
    ) external view override returns (address provider, uint256 acceptedAt, uint256 priceWei) {
        (TaskId id, TaskState state) = _load(terms, workHash);
        if (!state.has(ASSIGNED)) return (address(0), 0, 0);
        Assignment assignment = _assignments[id];
        return (assignment.assignee(), assignment.acceptedAt(), _priceOf(id, state, terms));
    }

    /// @inheritdoc ITaskViews
    function payerOf(Terms calldata terms, bytes32 workHash) external view override returns (address) {
        (TaskId id, TaskState state) = _load(terms, workHash);
        return _payerOf(id, state, terms);
    }

    /// @inheritdoc ITaskViews
    function hasBackup(TaskId id) external view override returns (bool) {
        TaskState state = _tasks[id];
        Status status = state.status();
        return status == Status.Standby || (status < Status.Standby && state.has(BACKUP));
    }

    /// @inheritdoc ITaskViews
    function usedQuotes(address provider, uint256 word) external view override returns (uint256 mask) {
        return _quotes[provider][word];
    }

    /// @inheritdoc ITaskViews
    function quoteDigest(
        TaskId id,
        uint256 nonce,
        uint256 expiresAt
    ) external view override returns (bytes32) {
        return _quoteDigest(id, nonce, expiresAt);
    }

    /// @inheritdoc ITaskViews
    function hashWork(Work calldata work, address backup) external pure override returns (bytes32) {
        return work.hash(backup);
    }

    /// @inheritdoc ITaskViews
    function costOf(Terms calldata terms) external pure override returns (uint256) {
        return terms.maximumCost();
    }

    /// @inheritdoc ITaskViews
    function faultOf(Outcome outcome) external pure override returns (Fault) {
        return Tasks.faultOf(outcome);
    }
}
