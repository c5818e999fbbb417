// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOrders} from "../interfaces/IOrders.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {ITaskBook} from "../interfaces/ITaskBook.sol";
import {ITasks} from "../interfaces/ITasks.sol";
import {Resources} from "../libraries/Resources.sol";
import {
    ASSIGNED,
    Delivered,
    Delivery,
    Outcome,
    Status,
    TaskId,
    Tasks,
    TaskState,
    Terms,
    Work
} from "./Tasks.sol";
import {Escrow} from "./Escrow.sol";
import {ProtocolFee} from "./ProtocolFee.sol";
import {MarketSettings, TaskBook} from "./TaskBook.sol";

/// @title The market for tasks; see {ITaskMarket}.
/// @dev The verbs of tasks that go well, and all views. {IFaults}, {IOrders}, {ILeases} and {IDisputes} are the code of
/// an immutable extension, run here.
contract TaskMarket is ITasks, TaskBook, Escrow, ProtocolFee {
    // ---- Immutables ----

    /// @inheritdoc ITasks
    address public immutable override extension;

    /// @param extension_ A {TaskMarketExtension} that was made with the same settings.
    constructor(
        MarketSettings memory settings,
        ITaskBook extension_
    ) TaskBook(settings) ProtocolFee(settings.admin) {
        if (extension_.settingsHash() != settingsHash) {
            revert TaskMarket_UnfitExtension(address(extension_));
        }
        extension = address(extension_);
    }

    /// @notice A plain transfer of the native coin is a deposit of the sender's; slashed collateral comes in the
    /// same way from the registry, within the call that asked for it and credits it.
    receive() external payable {
        if (msg.sender != address(_registry)) depositFor(msg.sender, msg.value);
        else if (!_reentrancyGuardEntered()) revert TaskMarket_StakeToMarket();
    }

    // ---- Submit ----

    /// @inheritdoc ITasks
    function submit(Terms calldata terms, Work calldata work) external payable override returns (TaskId id) {
        // Interaction: comes first, since a task exists only once it is paid for; a token's transfer is guarded.
        uint256 cost = terms.maximumCost();
        if (msg.sender == terms.owner) _fundBySender(cost);
        else _fundByDelegate(terms, cost);
        // Check
        terms.validate();
        (Resources resources, bytes32 payloadHash, string calldata payload) = work.validate();
        id = _idOf(terms, Tasks.hashWork(resources, payloadHash, payload, address(0)));
        if (TaskState.unwrap(_tasks[id]) != 0) revert TaskMarket_TaskExists(id);
        _checkModel(terms.conditions);
        // Effect
        _tasks[id] = Tasks.newState(Status.Funded, Outcome.None, _fee.bpsNow());
        if (terms.provider == address(0)) _open(id);
        _announce(id, terms, work, payload);
    }

    // ---- Cancel, expire ----

    /// @inheritdoc ITasks
    function cancel(Terms calldata terms, bytes32 workHash) external override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireOwner(id, terms);
        if (state.status() == Status.Funded) {
            _requireUntil(id, _startBy(state, terms));
        } else if (state.status() == Status.Standby) {
            _requireUntil(id, state.since() + _takeOverWindow);
        } else {
            _requireStatus(id, state, Status.Assigned);
            _requireUntil(id, state.since() + _keyWindow);
        }
        _leave(id, state, terms, Status.Cancelled, Outcome.OwnerCancelled);
    }

    /// @inheritdoc ITasks
    function expire(Terms calldata terms, bytes32 workHash) external override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        Outcome outcome = Outcome.NotAccepted;
        if (state.status() == Status.Funded) {
            _requireAfter(id, _startBy(state, terms));
        } else if (state.status() == Status.Standby) {
            _requireAfter(id, state.since() + _takeOverWindow);
        } else {
            _requireStatus(id, state, Status.Assigned);
            _requireAfter(id, state.since() + _keyWindow);
            outcome = Outcome.KeyWithheld;
        }
        _leave(id, state, terms, Status.Expired, outcome);
    }

    /// @dev Ends a task that nobody began; gives the lock of a provider back that waits for the key.
    function _leave(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        Status status,
        Outcome outcome
    ) private {
        _close(id, state, terms, status, outcome);
        // Interaction: the registry, which calls nobody.
        if (state.status() == Status.Assigned) {
            _release(state, terms, _providerOf(id, state, terms), 0, IProviderRegistry.Record.None);
        }
    }

    // ---- Accept ----

    /// @inheritdoc ITasks
    function accept(Terms calldata terms, bytes32 workHash) external override {
        // Check
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireProvider(id, terms.provider);
        _requireStatus(id, state, Status.Funded);
        _requireUntil(id, terms.conditions.startBy());
        // Effect
        _tasks[id] = state.to(Status.Active, Outcome.None);
        emit TaskAccepted(id);
        // Interaction: the registry, which calls nobody.
        uint256 collateral = terms.assurance.collateralWei();
        if (collateral != 0) _registry.lock(terms.provider, collateral);
    }

    // ---- Deliver, settle ----

    /// @inheritdoc ITasks
    function deliver(Terms calldata terms, bytes32 workHash, Delivery calldata delivery) external override {
        // Check
        (TaskId id, TaskState state) = _load(terms, workHash);
        address provider = _providerOf(id, state, terms);
        _requireProvider(id, provider);
        bool active = _requireLive(id, state);
        if (_isLease(terms)) revert TaskMarket_WrongKind(id);
        _requireUntil(id, active ? _completeBy(state, terms) : terms.conditions.startBy());
        Outcome outcome = delivery.report.reportedOutcome();
        if (!Tasks.isDelivered(outcome)) revert TaskMarket_InvalidOutcome(outcome);
        uint256 secondsUsed = delivery.report.secondsUsed();
        {
            uint256 allowed;
            unchecked {
                // Time does not run backwards.
                allowed = block.timestamp - state.since();
            }
            if (allowed > terms.conditions.duration()) allowed = terms.conditions.duration();
            if (secondsUsed > allowed) revert TaskMarket_TooManySeconds(id, secondsUsed, allowed);
        }
        if (delivery.resultHash == 0) revert Tasks.Tasks_ZeroHash();
        string calldata result = delivery.result;
        Tasks.assertUri(result);
        // Effect
        bool settled = terms.conditions.challengePeriod() == 0;
        if (settled) {
            _tasks[id] = state.to(Status.Settled, outcome);
            uint256 paid = terms.charge(_priceOf(id, state, terms), outcome, secondsUsed);
            _settle(id, state, terms, provider, paid, secondsUsed, 1, terms.maximumCost());
        } else {
            _tasks[id] = state.to(Status.Delivered, outcome).withDigest(
                Delivered(delivery.report, delivery.resultHash, delivery.evidenceHash).digest()
            );
        }
        _announceDelivery(id, delivery, result);
        // Interaction: the registry, which calls nobody. What can be challenged stays at stake.
        if (settled) {
            if (active) _release(state, terms, provider, 0, IProviderRegistry.Record.None);
        } else if (!active && terms.assurance.collateralWei() != 0) {
            _registry.lock(provider, terms.assurance.collateralWei());
        }
    }

    /// @dev Emits {TaskDelivered}, in the manner of {_announce}.
    function _announceDelivery(TaskId id, Delivery calldata delivery, string calldata result) private {
        bytes32 topic = TaskDelivered.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            // report, resultHash, evidenceHash
            calldatacopy(data, delivery, 0x60)
            mstore(add(data, 0x60), 0x80)
            mstore(add(data, 0x80), result.length)
            let padded := and(add(result.length, 0x1f), not(0x1f))
            // Clears what pads the text, which is not empty.
            mstore(add(add(data, 0x80), padded), 0)
            calldatacopy(add(data, 0xa0), result.offset, result.length)
            log2(data, add(0xa0, padded), topic, id)
        }
    }

    /// @inheritdoc ITasks
    function settle(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external override {
        // Check
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireStatus(id, state, Status.Delivered);
        _requireDelivery(id, state, delivered);
        uint256 period = state.since() + terms.conditions.challengePeriod();
        // A delegate can buy for its owner, but not give up what its owner can still dispute. The arbiter would rule so.
        if (block.timestamp <= period && msg.sender != terms.owner && msg.sender != terms.assurance.arbiter())
            revert TaskMarket_NotOwner(id, msg.sender);
        // Effect
        address provider = _providerOf(id, state, terms);
        _tasks[id] = state.to(Status.Settled, state.outcome());
        uint256 secondsUsed = delivered.report.secondsUsed();
        uint256 paid = terms.charge(_priceOf(id, state, terms), state.outcome(), secondsUsed);
        _settle(id, state, terms, provider, paid, secondsUsed, 1, terms.maximumCost());
        emit TaskSettled(id);
        // Interaction: the registry, which calls nobody.
        _release(state, terms, provider, 0, IProviderRegistry.Record.None);
    }

    // ---- Decline ----

    /// @inheritdoc ITasks
    function decline(Terms calldata terms, bytes32 workHash, Outcome reason) external override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        address provider = _providerOf(id, state, terms);
        _requireProvider(id, provider);
        if (!Tasks.isDecline(reason)) revert TaskMarket_InvalidOutcome(reason);
        bool taken = state.status() != Status.Funded;
        if (!taken) {
            _requireUntil(id, terms.conditions.startBy());
        } else if (state.status() == Status.Assigned) {
            _requireUntil(id, state.since() + _keyWindow);
        } else {
            _requireStatus(id, state, Status.Active);
            _requireNotUp(id, terms);
            // Who takes an open task that is not sealed could read it before.
            if (_isOpen(state, terms) && !terms.conditions.isSealed()) revert TaskMarket_WrongKind(id);
            _requireUntil(id, _declinableUntil(state, terms));
        }
        if (_isOpen(state, terms)) _reopen(id, state, terms, provider, reason);
        else _closeOrPassOn(id, state, terms, Status.Declined, reason);
        // Interaction: the registry, which calls nobody. Nothing is on record of who did not accept: anybody can order.
        if (taken) _release(state, terms, provider, 0, IProviderRegistry.Record.Declined);
    }

    /// @dev A sealed task whose provider leaves before it began is anybody's again, if there is time.
    function _reopen(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        address provider,
        Outcome reason
    ) private {
        if (block.timestamp > terms.conditions.startBy()) {
            return _close(id, state, terms, Status.Declined, reason);
        }
        _tasks[id] = state.without(ASSIGNED).to(Status.Funded, reason);
        _assignments[id] = _assignments[id].vacated();
        emit IOrders.TaskReopened(id, provider, reason);
    }

    // ---- Payout ----

    /// @inheritdoc ITasks
    function payout(address provider) external override nonReentrant returns (uint256 amount) {
        _requireProvider(TaskId.wrap(0), provider);
        amount = balanceOf(provider);
        _withdraw(provider, _registry.payoutOf(provider), amount);
    }

    // ---- Batch ----

    /// @inheritdoc ITasks
    function batch(bytes[] calldata calls) external override returns (bool[] memory done) {
        done = new bool[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory reason;
            // Not payable, so no call of a batch spends the same value twice.
            (done[i], reason) = address(this).delegatecall(calls[i]);
            if (!done[i]) emit CallSkipped(i, reason);
        }
    }

    // ---- Extension ----

    /// @dev Runs a call that is not answered here with the extension's code, on the storage of this contract.
    fallback() external payable {
        address code = extension;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, 0, calldatasize())
            let succeeded := delegatecall(gas(), code, buffer, calldatasize(), 0, 0)
            returndatacopy(buffer, 0, returndatasize())
            switch succeeded
            case 0 {
                revert(buffer, returndatasize())
            }
            default {
                return(buffer, returndatasize())
            }
        }
    }

    // ---- Checks ----

    /// @return active Whether the task was accepted; reverts when it is neither funded nor active.
    function _requireLive(TaskId id, TaskState state) private pure returns (bool active) {
        Status status = state.status();
        active = status == Status.Active;
        if (!active && status != Status.Funded) revert TaskMarket_WrongStatus(id, status);
    }

    // ---- Views ----

    /// @inheritdoc ITasks
    function taskOf(
        TaskId id
    ) external view override returns (Status status, Outcome outcome, uint256 since, uint256 taskFeeBps) {
        TaskState state = _tasks[id];
        return (state.status(), state.outcome(), state.since(), state.feeBps());
    }

    /// @inheritdoc ITasks
    function idOf(Terms calldata terms, bytes32 workHash) external view override returns (TaskId) {
        return _idOf(terms, workHash);
    }
}
