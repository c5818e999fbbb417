// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IFaults} from "../interfaces/IFaults.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {TaskBook} from "./TaskBook.sol";
import {Outcome, Status, TaskId, TaskState, Terms} from "./Tasks.sol";

/// @title Ends that are the provider's fault; see {IFaults}.
abstract contract Faults is IFaults, TaskBook {
    /// @inheritdoc IFaults
    function abandon(Terms calldata terms, bytes32 workHash) external virtual override nonReentrant {
        (TaskId id, TaskState state) = _load(terms, workHash);
        address provider = _providerOf(id, state, terms);
        _requireProvider(id, provider);
        _requireStatus(id, state, Status.Active);
        _requireNotUp(id, terms);
        if (!_isOpen(state, terms) || terms.conditions.isSealed()) {
            _requireAfter(id, _declinableUntil(state, terms));
        }
        _requireUntil(id, _completeBy(state, terms));
        uint256 slashed = Math.ceilDiv(terms.assurance.collateralWei() * _ABANDON_BPS, BPS);
        _closeAtFault(id, state, terms, provider, Outcome.ProviderAbandoned, slashed, 0);
    }

    /// @inheritdoc IFaults
    function fail(Terms calldata terms, bytes32 workHash) external virtual override nonReentrant {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireStatus(id, state, Status.Active);
        _requireNotUp(id, terms);
        _requireAfter(id, _completeBy(state, terms));
        uint256 slashed = terms.assurance.collateralWei();
        Outcome outcome = _isLease(terms) ? Outcome.ProviderNotReady : Outcome.ProviderLate;
        address provider = _providerOf(id, state, terms);
        _closeAtFault(id, state, terms, provider, outcome, slashed, (slashed * _BOUNTY_BPS) / BPS);
    }

    /// @dev Ends the task by the provider's fault: the escrow goes back, `slashed - bounty` [wei] of the collateral go
    /// to the owner, `bounty` [wei] to the caller.
    function _closeAtFault(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        address provider,
        Outcome outcome,
        uint256 slashed,
        uint256 bounty
    ) private {
        // Effect
        bool abandoned = outcome == Outcome.ProviderAbandoned;
        _closeOrPassOn(id, state, terms, abandoned ? Status.Abandoned : Status.Failed, outcome);
        if (slashed != bounty) _credit(terms.owner, slashed - bounty);
        if (bounty != 0) _credit(msg.sender, bounty);
        // Interaction: the registry sends what is slashed; the guard holds meanwhile.
        _release(
            state,
            terms,
            provider,
            slashed,
            abandoned ? IProviderRegistry.Record.Abandoned : IProviderRegistry.Record.Failed
        );
    }
}
