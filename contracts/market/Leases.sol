// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ILeases} from "../interfaces/ILeases.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {TaskBook} from "./TaskBook.sol";
import {Outcome, Status, TaskId, Tasks, TaskState, Terms} from "./Tasks.sol";

/// @title Leases; see {ILeases}.
abstract contract Leases is ILeases, TaskBook {
    using SafeCast for uint256;

    // ---- Constants ----

    uint256 private constant MAX_TICKET = 2_048;

    // ---- Ready, heartbeat ----

    /// @inheritdoc ILeases
    function ready(Terms calldata terms, bytes32 workHash, bytes calldata ticket) external virtual override {
        // Check
        (TaskId id, TaskState state) = _load(terms, workHash);
        if (!_isLease(terms)) revert Leases_NotALease(id);
        _requireStatus(id, state, Status.Active);
        address provider = _providerOf(id, state, terms);
        _requireProvider(id, provider);
        if (_meters[id].readyAt != 0) revert Leases_AlreadyReady(id);
        _requireUntil(id, _completeBy(state, terms));
        if (ticket.length > MAX_TICKET) revert Leases_TicketLength(ticket.length, MAX_TICKET);
        // Effect
        uint256 endsAt = block.timestamp + terms.conditions.duration();
        _meters[id] = Meter({
            provider: provider,
            lastHeartbeat: block.timestamp.toUint40(),
            heartbeat: terms.price.heartbeat().toUint24(),
            upSeconds: 0,
            readyAt: block.timestamp.toUint40(),
            endsAt: endsAt.toUint40(),
            drawnSeconds: 0,
            extraSeconds: 0,
            closing: Outcome.None
        });
        emit LeaseReady(id, provider, endsAt, ticket);
    }

    /// @inheritdoc ILeases
    function heartbeat(TaskId[] calldata ids) external virtual override {
        address mine = address(0);
        for (uint256 i = 0; i < ids.length; ++i) {
            Meter storage meter = _meters[ids[i]];
            address provider = meter.provider;
            // The registry is asked once for a provider's run of leases.
            if (provider != mine && provider != address(0) && _actsFor(provider)) mine = provider;
            if (provider == address(0) || provider != mine || meter.heartbeat == 0 || _isDown(meter)) {
                emit HeartbeatSkipped(ids[i]);
            } else {
                _beat(meter);
            }
        }
    }

    /// @dev Meters what has passed since the last heartbeat, unless that was too long ago.
    function _beat(Meter storage meter) private {
        uint256 time = Math.min(block.timestamp, meter.endsAt);
        uint256 last = meter.lastHeartbeat;
        if (time <= last) return;
        if (time - last <= meter.heartbeat) meter.upSeconds += (time - last).toUint32();
        meter.lastHeartbeat = time.toUint40();
    }

    /// @dev Whether it was silent for so long that anybody may end it.
    function _isDown(Meter storage meter) private view returns (bool) {
        uint256 time = Math.min(block.timestamp, meter.endsAt);
        return time > meter.lastHeartbeat + _MISSED_HEARTBEATS * meter.heartbeat;
    }

    // ---- Draw, top up ----

    /// @inheritdoc ILeases
    function draw(Terms calldata terms, bytes32 workHash) external virtual override {
        (TaskId id, TaskState state, Meter storage meter) = _loadUp(terms, workHash);
        uint256 due = meter.upSeconds - meter.drawnSeconds;
        if (due == 0) return;
        meter.drawnSeconds = meter.upSeconds;
        uint256 paid = _priceOf(id, state, terms) * due;
        _pay(state, terms.conditions, meter.provider, paid, due, 0);
        emit LeaseDrawn(id, due, paid);
    }

    /// @inheritdoc ILeases
    function topUp(
        Terms calldata terms,
        bytes32 workHash,
        uint32 seconds_
    ) external payable virtual override {
        (TaskId id, TaskState state, Meter storage meter) = _loadUp(terms, workHash);
        if (seconds_ == 0) revert Tasks.Tasks_ZeroAmount();
        uint256 price = _priceOf(id, state, terms);
        // Interaction: before the checks, since a token's transfer is guarded, and what it changes is seen by them.
        _fundBySender(price * seconds_);
        // Check
        if (meter.closing != Outcome.None) revert Leases_AlreadyClosing(id, meter.closing);
        _requireUntil(id, meter.endsAt);
        if (meter.heartbeat == 0 || _isDown(meter)) revert Leases_NotReady(id);
        uint256 endsAt = meter.endsAt + uint256(seconds_);
        if (endsAt > block.timestamp + Tasks.MAX_TERM) {
            revert Leases_TooFarAhead(id, endsAt, block.timestamp + Tasks.MAX_TERM);
        }
        // A ledger word must be able to take it back.
        uint256 extra = meter.extraSeconds + uint256(seconds_);
        uint256 cost = terms.maximumCost() + price * extra;
        if (cost > type(uint96).max) revert Tasks.Tasks_CostTooHigh(cost, type(uint96).max);
        // Effect
        meter.extraSeconds = extra.toUint32();
        meter.endsAt = endsAt.toUint40();
        emit LeaseToppedUp(id, msg.sender, seconds_, endsAt);
    }

    // ---- Close, end ----

    /// @inheritdoc ILeases
    function close(Terms calldata terms, bytes32 workHash, Outcome reason) external virtual override {
        // Check
        (TaskId id, , Meter storage meter) = _loadUp(terms, workHash);
        _requireUntil(id, meter.endsAt);
        uint256 endsAt = block.timestamp;
        if (reason == Outcome.OwnerClosed) {
            _requireOwner(id, terms);
        } else {
            _requireProvider(id, meter.provider);
            if (reason == Outcome.ProviderClosed) {
                endsAt = Math.min(meter.endsAt, block.timestamp + terms.price.notice());
                // It agreed to the duration, and to no top-up: once it has served that, it leaves when it likes.
                if (endsAt >= meter.readyAt + terms.conditions.duration()) reason = Outcome.Completed;
            } else if (reason != Outcome.OwnerIdle || !terms.conditions.stopsIdle()) {
                revert TaskMarket_InvalidOutcome(reason);
            }
        }
        Outcome closing = meter.closing;
        if (closing == Outcome.None) {
            meter.closing = reason;
        } else if (
            reason != Outcome.OwnerClosed ||
            (closing != Outcome.ProviderClosed && closing != Outcome.Completed)
        ) {
            // The owner need not wait for the end of its provider's notice; whose decision it was stays.
            revert Leases_AlreadyClosing(id, closing);
        }
        // Effect
        meter.endsAt = endsAt.toUint40();
        emit LeaseClosing(id, meter.closing, endsAt);
    }

    /// @inheritdoc ILeases
    function endLease(Terms calldata terms, bytes32 workHash) external virtual override nonReentrant {
        (TaskId id, TaskState state, Meter storage meter) = _loadUp(terms, workHash);
        uint256 collateral = terms.assurance.collateralWei();
        (Status status, Outcome outcome) = (Status.Settled, meter.closing);
        uint256 slashed = 0;
        uint256 bounty = 0;
        IProviderRegistry.Record counted = IProviderRegistry.Record.None;
        // Check
        if (_isDown(meter)) {
            (status, outcome) = (Status.Failed, Outcome.ProviderDown);
            (slashed, bounty) = (collateral, (collateral * _BOUNTY_BPS) / BPS);
            counted = IProviderRegistry.Record.Failed;
        } else {
            bool isProvider = _actsFor(meter.provider);
            uint256 until = meter.endsAt + (isProvider ? 0 : uint256(meter.heartbeat) + 1);
            if (block.timestamp < until) revert Leases_StillUp(id, until, block.timestamp);
            if (isProvider) _beat(meter);
            if (outcome == Outcome.None) outcome = Outcome.Completed;
            if (outcome == Outcome.ProviderClosed) {
                slashed = Math.ceilDiv(collateral * _ABANDON_BPS, BPS);
                counted = IProviderRegistry.Record.Abandoned;
            }
        }
        // Effect: with no heartbeat left, nothing meters it again.
        meter.heartbeat = 0;
        _tasks[id] = state.to(status, outcome);
        _settleLease(id, state, terms, meter, status == Status.Failed ? 0 : 1);
        if (slashed != bounty) _credit(terms.owner, slashed - bounty);
        if (bounty != 0) _credit(msg.sender, bounty);
        emit LeaseEnded(id, outcome, meter.upSeconds);
        // Interaction: the registry sends what is slashed; the guard holds meanwhile.
        _release(state, terms, meter.provider, slashed, counted);
    }

    /// @dev Pays what is metered and not drawn, counts `completed` leases, and gives the rest of the escrow back.
    function _settleLease(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        Meter storage meter,
        uint256 completed
    ) private {
        uint256 price = _priceOf(id, state, terms);
        uint256 drawn = meter.drawnSeconds;
        uint256 due = meter.upSeconds - drawn;
        meter.drawnSeconds = meter.upSeconds;
        uint256 escrow = terms.maximumCost() + price * meter.extraSeconds - price * drawn;
        _settle(id, state, terms, meter.provider, price * due, due, completed, escrow);
    }

    // ---- Checks ----

    /// @dev A lease that was ready and has not ended.
    function _loadUp(
        Terms calldata terms,
        bytes32 workHash
    ) private view returns (TaskId id, TaskState state, Meter storage meter) {
        (id, state) = _load(terms, workHash);
        _requireStatus(id, state, Status.Active);
        meter = _meters[id];
        if (meter.readyAt == 0) revert Leases_NotReady(id);
    }
}
