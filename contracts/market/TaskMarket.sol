// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {ITaskMarket} from "../interfaces/ITaskMarket.sol";
import {Currency, Currency_WrongValue} from "../libraries/Currency.sol";
import {Resources} from "../libraries/Resources.sol";
import {Escrow} from "./Escrow.sol";
import {ProtocolFee} from "./ProtocolFee.sol";
import {Delivery, Fault, Outcome, Status, TaskId, Tasks, TaskState, Terms, Work} from "./Tasks.sol";

/// @title The market for tasks; see {ITaskMarket}.
contract TaskMarket is ITaskMarket, Escrow, ProtocolFee, EIP712 {
    // ---- Constants ----

    /// @inheritdoc ITaskMarket
    uint256 public constant override BOUNTY_BPS = 500;
    /// @inheritdoc ITaskMarket
    uint256 public constant override ABANDON_BPS = 2_500;
    uint256 private constant BPS = 10_000;
    /// @dev A longer one would let a provider stall for free [s].
    uint256 private constant MAX_DECLINE_WINDOW = 1 days;

    // ---- Immutables ----

    /// @inheritdoc ITaskMarket
    IProviderRegistry public immutable override registry;
    /// @inheritdoc ITaskMarket
    uint256 public immutable override declineWindow;

    // ---- Storage ----

    /// @dev One word per task; see {TaskState}.
    mapping(TaskId id => TaskState) private _tasks;

    /// @param currency_ What tasks are paid in; the registry's too.
    /// @param declineWindow_ How long a task can be declined after it was accepted [s].
    /// @param admin Who may schedule the fee and name the treasury.
    constructor(
        Currency currency_,
        IProviderRegistry registry_,
        uint256 declineWindow_,
        address admin,
        address treasury_,
        uint256 feeBps_
    ) Escrow(currency_) ProtocolFee(admin, treasury_, feeBps_) EIP712("Neura TaskMarket", "1") {
        if (
            Currency.unwrap(registry_.currency()) != Currency.unwrap(currency_) ||
            registry_.unbondingPeriod() <= Tasks.MAX_TERM
        ) revert TaskMarket_UnfitRegistry(address(registry_));
        if (declineWindow_ > MAX_DECLINE_WINDOW) {
            revert TaskMarket_UnfitDeclineWindow(declineWindow_, MAX_DECLINE_WINDOW);
        }
        registry = registry_;
        declineWindow = declineWindow_;
    }

    /// @notice A plain transfer of the native coin is a deposit of the sender's; slashed collateral comes in the
    /// same way from the registry, within the call that asked for it and credits it.
    receive() external payable {
        if (msg.sender != address(registry)) depositFor(msg.sender, msg.value);
        else if (!_reentrancyGuardEntered()) revert TaskMarket_StakeToMarket();
    }

    // ---- Submit ----

    /// @inheritdoc ITaskMarket
    function submit(Terms calldata terms, Work calldata work) external payable override returns (TaskId id) {
        // Interaction: comes first, since a task exists only once it is paid for; a token's transfer is guarded.
        _fund(terms);
        // Check
        terms.validate();
        (Resources resources, bytes32 payloadHash, string calldata payload) = work.validate();
        id = _idOf(terms, Tasks.hashWork(resources, payloadHash, payload));
        if (TaskState.unwrap(_tasks[id]) != 0) revert TaskMarket_TaskExists(id);
        // Effect
        _tasks[id] = Tasks.newState(Status.Funded, Outcome.None, feeBps());
        emit TaskSubmitted(
            id,
            terms.owner,
            terms.provider,
            terms.price,
            terms.conditions,
            terms.assurance,
            terms.salt,
            resources,
            payloadHash,
            payload
        );
    }

    /// @dev Takes the task's cost from what was sent along, from the owner's balance, or by transfer.
    function _fund(Terms calldata terms) private {
        uint256 cost = terms.maximumCost();
        address owner = terms.owner;
        if (msg.sender != owner) {
            if (msg.value != 0) revert TaskMarket_ValueFromDelegate(msg.sender, msg.value);
            _spendDelegation(owner, cost, terms.provider, terms.conditions.model());
            _debit(owner, cost);
        } else if (currency.isNative()) {
            if (msg.value == cost) return;
            if (msg.value != 0) {
                _credit(owner, msg.value);
                emit Deposited(owner, owner, msg.value);
            }
            _debit(owner, cost);
        } else {
            uint256 balance = balanceOf(owner);
            if (balance < cost) _deposit(owner, cost - balance);
            else if (msg.value != 0) revert Currency_WrongValue(msg.value, 0);
            _debit(owner, cost);
        }
        emit Spent(owner, cost);
    }

    // ---- Cancel, expire ----

    /// @inheritdoc ITaskMarket
    function cancel(Terms calldata terms, bytes32 workHash) external override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        if (msg.sender != terms.owner) _requireDelegate(id, terms);
        _requireFunded(id, state);
        _requireUntil(id, terms.conditions.startBy());
        _close(id, state, terms, Status.Cancelled, Outcome.OwnerCancelled);
    }

    /// @inheritdoc ITaskMarket
    function expire(Terms calldata terms, bytes32 workHash) external override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireFunded(id, state);
        _requireAfter(id, terms.conditions.startBy());
        _close(id, state, terms, Status.Expired, Outcome.NotAccepted);
    }

    // ---- Accept ----

    /// @inheritdoc ITaskMarket
    function accept(Terms calldata terms, bytes32 workHash) external override {
        // Check
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireProvider(id, terms.provider);
        _requireFunded(id, state);
        _requireUntil(id, terms.conditions.startBy());
        // Effect
        _tasks[id] = state.to(Status.Active, Outcome.None);
        emit TaskAccepted(id);
        // Interaction: the registry, which calls nobody.
        uint256 collateral = terms.assurance.collateralWei();
        if (collateral != 0) registry.lock(terms.provider, collateral);
    }

    // ---- Deliver ----

    /// @inheritdoc ITaskMarket
    function deliver(Terms calldata terms, bytes32 workHash, Delivery calldata delivery) external override {
        // Check
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireProvider(id, terms.provider);
        bool active = _requireLive(id, state);
        _requireUntil(id, active ? terms.conditions.completeBy() : terms.conditions.startBy());
        Outcome outcome = delivery.report.reportedOutcome();
        if (!Tasks.isDelivered(outcome)) revert TaskMarket_InvalidOutcome(outcome);
        uint256 secondsUsed = delivery.report.secondsUsed();
        {
            uint256 allowed = block.timestamp - state.since();
            if (allowed > terms.conditions.duration()) allowed = terms.conditions.duration();
            if (secondsUsed > allowed) revert TaskMarket_TooManySeconds(id, secondsUsed, allowed);
        }
        if (delivery.resultHash == 0) revert Tasks.Tasks_ZeroHash();
        string calldata result = delivery.result;
        Tasks.assertUri(result);
        // Effect: the fee is rounded down, in the provider's favour; it is the protocol that would be the caller.
        uint256 paid = terms.charge(outcome, secondsUsed);
        _tasks[id] = state.to(Status.Settled, outcome);
        _earn(terms.provider, paid, (paid * state.feeBps()) / BPS, secondsUsed);
        uint256 unused = terms.maximumCost() - paid;
        if (unused != 0) _credit(terms.owner, unused);
        emit TaskDelivered(id, delivery.report, delivery.resultHash, delivery.evidenceHash, result);
        // Interaction: the registry, which calls nobody.
        if (active) _release(terms, 0, IProviderRegistry.Record.None);
    }

    // ---- Decline, abandon, fail ----

    /// @inheritdoc ITaskMarket
    function decline(Terms calldata terms, bytes32 workHash, Outcome reason) external override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireProvider(id, terms.provider);
        if (!Tasks.isDecline(reason)) revert TaskMarket_InvalidOutcome(reason);
        bool active = _requireLive(id, state);
        _requireUntil(id, active ? _declinableUntil(terms, state) : terms.conditions.startBy());
        _close(id, state, terms, Status.Declined, reason);
        registry.release(
            terms.provider,
            active ? terms.assurance.collateralWei() : 0,
            0,
            IProviderRegistry.Record.Declined
        );
    }

    /// @inheritdoc ITaskMarket
    function abandon(Terms calldata terms, bytes32 workHash) external override nonReentrant {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireProvider(id, terms.provider);
        _requireActive(id, state);
        _requireAfter(id, _declinableUntil(terms, state));
        _requireUntil(id, terms.conditions.completeBy());
        uint256 slashed = Math.ceilDiv(terms.assurance.collateralWei() * ABANDON_BPS, BPS);
        _closeAtFault(id, state, terms, Outcome.ProviderAbandoned, slashed, 0);
    }

    /// @inheritdoc ITaskMarket
    function fail(Terms calldata terms, bytes32 workHash) external override nonReentrant {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireActive(id, state);
        _requireAfter(id, terms.conditions.completeBy());
        uint256 slashed = terms.assurance.collateralWei();
        _closeAtFault(id, state, terms, Outcome.ProviderLate, slashed, (slashed * BOUNTY_BPS) / BPS);
    }

    /// @dev Ends the task without a delivery and without fault: the whole escrow goes back.
    function _close(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        Status status,
        Outcome outcome
    ) private {
        _tasks[id] = state.to(status, outcome);
        _credit(terms.owner, terms.maximumCost());
        emit TaskClosed(id, outcome);
    }

    /// @dev Ends the task by the provider's fault: escrow and `slashed - bounty` [wei] of the collateral go to the
    /// owner, `bounty` [wei] to the caller.
    function _closeAtFault(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        Outcome outcome,
        uint256 slashed,
        uint256 bounty
    ) private {
        // Effect
        bool failed = outcome == Outcome.ProviderLate;
        Status status = failed ? Status.Failed : Status.Abandoned;
        _tasks[id] = state.to(status, outcome);
        _credit(terms.owner, terms.maximumCost() + slashed - bounty);
        if (bounty != 0) _credit(msg.sender, bounty);
        emit TaskClosed(id, outcome);
        // Interaction: the registry sends what is slashed; the guard holds meanwhile.
        _release(
            terms,
            slashed,
            failed ? IProviderRegistry.Record.Failed : IProviderRegistry.Record.Abandoned
        );
    }

    function _release(Terms calldata terms, uint256 slashed, IProviderRegistry.Record counted) private {
        uint256 collateral = terms.assurance.collateralWei();
        if (collateral != 0 || counted != IProviderRegistry.Record.None) {
            registry.release(terms.provider, collateral, slashed, counted);
        }
    }

    // ---- Payout ----

    /// @inheritdoc ITaskMarket
    function payout(address provider) external override nonReentrant returns (uint256 amount) {
        if (msg.sender != provider && msg.sender != registry.operatorOf(provider)) {
            revert TaskMarket_NotProvider(TaskId.wrap(0), msg.sender);
        }
        amount = balanceOf(provider);
        _withdraw(provider, registry.payoutOf(provider), amount);
    }

    // ---- Checks ----

    function _load(Terms calldata terms, bytes32 workHash) private view returns (TaskId id, TaskState state) {
        id = _idOf(terms, workHash);
        state = _tasks[id];
    }

    function _requireFunded(TaskId id, TaskState state) private pure {
        if (state.status() != Status.Funded) revert TaskMarket_WrongStatus(id, state.status());
    }

    function _requireActive(TaskId id, TaskState state) private pure {
        if (state.status() != Status.Active) revert TaskMarket_WrongStatus(id, state.status());
    }

    /// @return active Whether the task was accepted; reverts when it is neither funded nor active.
    function _requireLive(TaskId id, TaskState state) private pure returns (bool active) {
        Status status = state.status();
        active = status == Status.Active;
        if (!active && status != Status.Funded) revert TaskMarket_WrongStatus(id, status);
    }

    function _requireUntil(TaskId id, uint256 deadline) private view {
        if (block.timestamp > deadline) revert TaskMarket_TooLate(id, deadline, block.timestamp);
    }

    function _requireAfter(TaskId id, uint256 deadline) private view {
        if (block.timestamp <= deadline) revert TaskMarket_TooEarly(id, deadline + 1, block.timestamp);
    }

    function _requireProvider(TaskId id, address provider) private view {
        if (msg.sender != provider && msg.sender != registry.operatorOf(provider)) {
            revert TaskMarket_NotProvider(id, msg.sender);
        }
    }

    /// @dev A delegate may also take back what it could have bought, whatever is left of its limit: the money goes
    /// to the owner.
    function _requireDelegate(TaskId id, Terms calldata terms) private view {
        if (!_covers(delegationOf(terms.owner, msg.sender), terms.provider, terms.conditions.model())) {
            revert TaskMarket_NotOwner(id, msg.sender);
        }
    }

    /// @dev The last second of declining an accepted task.
    function _declinableUntil(Terms calldata terms, TaskState state) private view returns (uint256) {
        uint256 latest = terms.conditions.completeBy();
        uint256 window = state.since() + declineWindow;
        return window < latest ? window : latest;
    }

    // ---- Views ----

    /// @inheritdoc ITaskMarket
    function taskOf(
        TaskId id
    ) external view override returns (Status status, Outcome outcome, uint256 since, uint256 taskFeeBps) {
        TaskState state = _tasks[id];
        return (state.status(), state.outcome(), state.since(), state.feeBps());
    }

    /// @inheritdoc ITaskMarket
    function idOf(Terms calldata terms, bytes32 workHash) external view override returns (TaskId) {
        return _idOf(terms, workHash);
    }

    /// @inheritdoc ITaskMarket
    function hashWork(Work calldata work) external pure override returns (bytes32) {
        return work.hash();
    }

    /// @inheritdoc ITaskMarket
    function costOf(Terms calldata terms) external pure override returns (uint256) {
        return terms.maximumCost();
    }

    /// @inheritdoc ITaskMarket
    function faultOf(Outcome outcome) external pure override returns (Fault) {
        return Tasks.faultOf(outcome);
    }

    function _idOf(Terms calldata terms, bytes32 workHash) private view returns (TaskId) {
        return TaskId.wrap(_hashTypedDataV4(terms.hash(workHash)));
    }

    function _treasury() internal view override returns (address) {
        return treasury();
    }
}
