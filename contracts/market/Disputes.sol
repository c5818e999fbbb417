// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IDisputes} from "../interfaces/IDisputes.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {TaskBook} from "./TaskBook.sol";
import {Delivered, Outcome, Status, TaskId, TaskState, Terms} from "./Tasks.sol";

/// @title Deliveries that can be challenged; see {IDisputes}.
abstract contract Disputes is IDisputes, TaskBook {
    using SafeCast for uint256;

    // ---- Dispute ----

    /// @inheritdoc IDisputes
    function dispute(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 unit,
        bytes32 auditSeed,
        uint256 maximumBondWei
    ) external payable virtual override {
        TaskId id = _idOf(terms, workHash);
        (uint256 bond, uint256 fee, uint256 rulingSeconds) = _bondOf(terms);
        if (bond > maximumBondWei) revert Disputes_BondTooHigh(bond, maximumBondWei);
        // Interaction: before the checks, since a token's transfer is guarded, and what it changes is seen by them.
        if (msg.sender == terms.owner) _fundBySender(bond);
        else _fundByDelegate(terms, bond);
        // Check
        TaskState state = _tasks[id];
        _requireStatus(id, state, Status.Delivered);
        _requireDelivery(id, state, delivered);
        _requireUntil(id, state.since() + terms.conditions.challengePeriod());
        if (auditSeed != 0 && keccak256(abi.encode(auditSeed)) != terms.salt) revert Disputes_WrongSeed(id);
        // Effect
        uint256 rulingBy = block.timestamp + rulingSeconds;
        _tasks[id] = state.to(Status.Disputed, state.outcome()).withDigest(state.digestOf());
        _disputes[id] = Dispute({
            bondWei: bond.toUint96(),
            feeWei: fee.toUint96(),
            rulingBy: rulingBy.toUint40(),
            isSeedShown: auditSeed != 0
        });
        emit TaskDisputed(id, terms.assurance.arbiter(), unit, auditSeed, bond, fee, rulingBy);
    }

    // ---- Concede, rule, resolve ----

    /// @dev A dispute on its way to its end, in memory: the stack does not hold it all.
    struct Case {
        TaskId id;
        TaskState state;
        address provider;
        Dispute open;
        Outcome outcome;
        /// The provider's share of what the delivery costs [bps].
        uint256 due;
        /// What its collateral loses, and what of the bond goes back [wei].
        uint256 slashed;
        uint256 bondBack;
    }

    /// @inheritdoc IDisputes
    function concede(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external virtual override nonReentrant {
        // Check
        Case memory case_ = _loadDisputed(terms, workHash, delivered);
        _requireProvider(case_.id, case_.provider);
        _requireUntil(case_.id, case_.state.since() + _concessionWindow);
        // Effect
        case_.outcome = Outcome.Conceded;
        case_.slashed = Math.ceilDiv(terms.assurance.collateralWei() * _CONCEDE_BPS, BPS);
        case_.bondBack = case_.open.bondWei;
        _credit(terms.owner, case_.slashed);
        _end(case_, terms, delivered);
    }

    /// @inheritdoc IDisputes
    function rule(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 providerBps
    ) external virtual override nonReentrant {
        // Check
        Case memory case_ = _loadDisputed(terms, workHash, delivered);
        Dispute memory open = case_.open;
        if (msg.sender != terms.assurance.arbiter()) {
            revert Disputes_NotArbiter(case_.id, msg.sender);
        }
        _requireAfter(case_.id, case_.state.since() + _concessionWindow);
        _requireUntil(case_.id, open.rulingBy);
        uint256 due = Math.min(providerBps, BPS);
        // Effect: the loser pays the fee, the bond what the collateral does not cover.
        uint256 slashed = Math.ceilDiv(terms.assurance.collateralWei() * (BPS - due), BPS);
        uint256 feeByProvider = Math.min(open.feeWei - (open.feeWei * due) / BPS, slashed);
        uint256 penalty = ((open.bondWei - open.feeWei) * due) / BPS;
        uint256 compensation = (slashed - feeByProvider) / 2;
        (case_.due, case_.slashed) = (due, slashed);
        case_.bondBack = open.bondWei - (open.feeWei - feeByProvider) - penalty;
        case_.outcome =
            due == BPS
                ? Outcome.RuledForProvider
                : due == 0
                    ? Outcome.RuledForOwner
                    : Outcome.RuledInPart;
        _credit(msg.sender, open.feeWei);
        _credit(terms.owner, compensation);
        _credit(case_.provider, penalty);
        _credit(_treasury(), slashed - feeByProvider - compensation);
        _end(case_, terms, delivered);
    }

    /// @inheritdoc IDisputes
    function resolve(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external virtual override {
        // Check
        Case memory case_ = _loadDisputed(terms, workHash, delivered);
        _requireAfter(case_.id, case_.open.rulingBy);
        // Effect
        case_.outcome = Outcome.ArbiterSilent;
        case_.due = BPS;
        case_.bondBack = case_.open.bondWei;
        _end(case_, terms, delivered);
    }

    /// @dev Gives the bond back, pays what is due of what the delivery costs, and gives the rest of the escrow back.
    function _end(Case memory case_, Terms calldata terms, Delivered calldata delivered) private {
        // Effect
        (TaskId id, TaskState state) = (case_.id, case_.state);
        _tasks[id] = state.to(Status.Resolved, case_.outcome);
        _credit(terms.owner, case_.bondBack);
        uint256 secondsUsed = delivered.report.secondsUsed();
        uint256 paid = terms.charge(_priceOf(id, state, terms), state.outcome(), secondsUsed);
        paid = (paid * case_.due) / BPS;
        if (paid == 0) _credit(_payerOf(id, state, terms), terms.maximumCost());
        else _settle(id, state, terms, case_.provider, paid, secondsUsed, 1, terms.maximumCost());
        emit TaskClosed(id, case_.outcome);
        emit TaskResolved(id, case_.due, case_.slashed, case_.bondBack);
        // Interaction: the registry sends what is slashed; the guard holds meanwhile.
        bool lost = case_.due < BPS / 2;
        _release(
            state,
            terms,
            case_.provider,
            case_.slashed,
            lost ? IProviderRegistry.Record.Disputed : IProviderRegistry.Record.None
        );
    }

    // ---- Checks ----

    function _loadDisputed(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) private view returns (Case memory case_) {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireStatus(id, state, Status.Disputed);
        _requireDelivery(id, state, delivered);
        (case_.id, case_.state, case_.open) = (id, state, _disputes[id]);
        case_.provider = _providerOf(id, state, terms);
    }
}
