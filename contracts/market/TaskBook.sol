// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IDisputes} from "../interfaces/IDisputes.sol";
import {IArbiter} from "../interfaces/IArbiter.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {ITaskBook} from "../interfaces/ITaskBook.sol";
import {Currency, Currency_WrongValue} from "../libraries/Currency.sol";
import {FeeBook} from "./FeeBook.sol";
import {Ledger} from "./Ledger.sol";
import {
    ASSIGNED,
    Assignment,
    BACKUP,
    Conditions,
    Delivered,
    Kind,
    Outcome,
    SPONSORED,
    Status,
    TaskId,
    Tasks,
    TaskState,
    Terms,
    Work
} from "./Tasks.sol";

/// @notice How a market is set up.
struct MarketSettings {
    /// What tasks are paid in; the registry's too.
    Currency currency;
    IProviderRegistry registry;
    /// The zero address: tasks use no registered models.
    IModelRegistry models;
    /// How long a task can be declined after it was accepted [s].
    uint32 declineWindow;
    /// How long the owner of a sealed task has to publish its key [s].
    uint32 keyWindow;
    /// How long a backup has to take a task over [s].
    uint32 takeOverWindow;
    /// How long a provider has to concede a dispute [s].
    uint32 concessionWindow;
    /// Who may schedule the fee and name the treasury.
    address admin;
    address treasury;
    uint16 feeBps;
}

/// @title What both halves of the market share: the tasks, the roles, the clocks, and how money leaves a task
/// @dev {TaskMarket} holds all storage and the verbs of plain tasks; the others are in {TaskMarketExtension}, whose code
/// it runs on its own storage, since one contract's code has a size limit. Neither half declares storage of its own.
abstract contract TaskBook is ITaskBook, Ledger, FeeBook, EIP712 {
    // ---- Constants ----

    uint256 internal constant _BOUNTY_BPS = 500;
    uint256 internal constant _ABANDON_BPS = 2_500;
    uint256 internal constant _DISPUTE_BPS = 500;
    uint256 internal constant _CONCEDE_BPS = 5_000;
    uint256 internal constant _MISSED_HEARTBEATS = 3;
    uint256 internal constant _SIGNATURE_GAS = 150_000;
    uint256 internal constant BPS = 10_000;
    bytes32 private constant QUOTE_TYPEHASH = keccak256(
        "Quote(bytes32 task,uint256 nonce,uint256 expiresAt)"
    );
    /// @dev Gas with which an arbiter is asked for its fee.
    uint256 private constant ARBITER_GAS = 100_000;
    /// @dev The longest time of an arbiter, from the dispute on, and the shortest after the concession window [s].
    uint256 private constant MAX_RULING = 30 days;
    uint256 private constant MIN_RULING = 1 hours;
    /// @dev A longer one would let one side stall for free [s].
    uint256 private constant MAX_WINDOW = 1 days;

    // ---- Immutables ----

    /// @inheritdoc ITaskBook
    bytes32 public immutable override settingsHash;
    IProviderRegistry internal immutable _registry;
    IModelRegistry internal immutable _models;
    uint256 internal immutable _declineWindow;
    uint256 internal immutable _keyWindow;
    uint256 internal immutable _takeOverWindow;
    uint256 internal immutable _concessionWindow;

    // ---- Storage ----

    /// @dev One word per task; see {TaskState}. A plain task has no other.
    mapping(TaskId id => TaskState) internal _tasks;
    /// @dev Of sponsored tasks.
    mapping(TaskId id => address) internal _payers;
    /// @dev Of open tasks, and of those that a backup took.
    mapping(TaskId id => Assignment) internal _assignments;
    /// @dev Two words per lease: what a heartbeat writes, and the rest.
    mapping(TaskId id => Meter) internal _meters;
    mapping(TaskId id => IDisputes.Dispute) internal _disputes;
    /// @dev A bit per nonce of a quote.
    mapping(address provider => mapping(uint256 word => uint256)) internal _quotes;

    struct Meter {
        // Word 0: all that a heartbeat needs.
        address provider;
        uint40 lastHeartbeat;
        uint24 heartbeat;
        uint32 upSeconds;
        // Word 1
        uint40 readyAt;
        uint40 endsAt;
        uint32 drawnSeconds;
        uint32 extraSeconds;
        Outcome closing;
    }

    constructor(
        MarketSettings memory settings
    ) Ledger(settings.currency) FeeBook(settings.treasury, settings.feeBps) EIP712("Neura TaskMarket", "1") {
        if (
            Currency.unwrap(settings.registry.currency()) != Currency.unwrap(settings.currency) ||
            settings.registry.unbondingPeriod() <= Tasks.MAX_TERM
        ) revert TaskMarket_UnfitRegistry(address(settings.registry));
        _checkWindow(settings.declineWindow);
        _checkWindow(settings.keyWindow);
        _checkWindow(settings.takeOverWindow);
        _checkWindow(settings.concessionWindow);
        settingsHash = keccak256(abi.encode(settings));
        _registry = settings.registry;
        _models = settings.models;
        _declineWindow = settings.declineWindow;
        _keyWindow = settings.keyWindow;
        _takeOverWindow = settings.takeOverWindow;
        _concessionWindow = settings.concessionWindow;
    }

    function _checkWindow(uint256 window) private pure {
        if (window > MAX_WINDOW) revert TaskMarket_UnfitWindow(window, MAX_WINDOW);
    }

    // ---- Fund ----

    /// @dev Takes `cost` [wei] from what `msg.sender` sent along, from its balance, or by transfer; what it sent beyond
    /// stays in its balance.
    function _fundBySender(uint256 cost) internal {
        address payer = msg.sender;
        if (_currency.isNative()) {
            if (msg.value == cost) return;
            if (msg.value != 0) {
                _credit(payer, msg.value);
                emit IEscrow.Deposited(payer, payer, msg.value);
            }
        } else {
            uint256 balance = _accounts[payer].balance();
            if (balance < cost) _deposit(payer, cost - balance);
            else if (msg.value != 0) revert Currency_WrongValue(msg.value, 0);
        }
        _debit(payer, cost);
        emit IEscrow.Spent(payer, cost);
    }

    /// @dev Takes `cost` [wei] from the owner's balance, for a delegate within its limit.
    function _fundByDelegate(Terms calldata terms, uint256 cost) internal {
        _spendDelegation(terms.owner, cost, terms.provider, terms.conditions.model());
        _fundByOwner(terms.owner, cost);
    }

    function _fundByOwner(address owner, uint256 cost) internal {
        if (msg.value != 0) revert TaskMarket_ValueFromDelegate(msg.sender, msg.value);
        _debit(owner, cost);
        emit IEscrow.Spent(owner, cost);
    }

    /// @dev Emits {TaskSubmitted}. The words stand in calldata as the event's data has them; copying them at once saves
    /// 500 gas. The bits above an address are zero: the calls before this read both, and revert on others.
    function _announce(
        TaskId id,
        Terms calldata terms,
        Work calldata work,
        string calldata payload
    ) internal {
        bytes32 topic = TaskSubmitted.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            // price, conditions, assurance, salt; resources, payloadHash
            calldatacopy(data, add(terms, 0x40), 0x80)
            calldatacopy(add(data, 0x80), work, 0x40)
            mstore(add(data, 0xc0), 0xe0)
            mstore(add(data, 0xe0), payload.length)
            let padded := and(add(payload.length, 0x1f), not(0x1f))
            // Clears what pads the text, which is not empty.
            mstore(add(add(data, 0xe0), padded), 0)
            calldatacopy(add(data, 0x100), payload.offset, payload.length)
            log4(data, add(0x100, padded), topic, id, calldataload(terms), calldataload(add(terms, 0x20)))
        }
    }

    /// @dev An open task's price rises from now on.
    function _open(TaskId id) internal {
        _assignments[id] = Assignment.wrap(block.timestamp << 160);
    }

    /// @dev The royalty that the terms offer is the one that the model asks for.
    function _checkModel(Conditions conditions) internal view {
        uint256 model = conditions.model();
        if (model == 0) return;
        if (address(_models) == address(0)) revert Tasks.Tasks_Unsupported("model");
        uint256 asked = _models.royaltyOf(model);
        if (asked != conditions.royaltyBps()) {
            revert TaskMarket_WrongRoyalty(model, conditions.royaltyBps(), asked);
        }
    }

    // ---- Close ----

    /// @dev Pays `paid` [wei] of `escrow` [wei] to the provider, less the fee and the model's share, and gives the rest
    /// back. Fee and share are rounded down, in the provider's favour; it is the protocol that would be the caller.
    function _settle(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        address provider,
        uint256 paid,
        uint256 secondsSold,
        uint256 tasksSold,
        uint256 escrow
    ) internal {
        _pay(state, terms.conditions, provider, paid, secondsSold, tasksSold);
        uint256 unused;
        unchecked {
            // No more is paid than was escrowed: seconds and price are bounded by the terms.
            unused = escrow - paid;
        }
        if (unused != 0) _credit(_payerOf(id, state, terms), unused);
    }

    function _pay(
        TaskState state,
        Conditions conditions,
        address provider,
        uint256 paid,
        uint256 secondsSold,
        uint256 tasksSold
    ) internal {
        uint256 royalty = 0;
        if (conditions.model() != 0) {
            royalty = (paid * conditions.royaltyBps()) / BPS;
            if (royalty != 0) {
                address revenue = _models.revenueOf(conditions.model());
                _credit(revenue, royalty);
                emit RoyaltyPaid(conditions.model(), revenue, royalty);
            }
        }
        unchecked {
            // 96 bits times 16 bits; royalty and fee together are less than the whole.
            _earn(provider, paid - royalty, (paid * state.feeBps()) / BPS, secondsSold, tasksSold);
        }
    }

    /// @dev Ends the task without a delivery and without fault: the whole escrow goes back.
    function _close(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        Status status,
        Outcome outcome
    ) internal {
        _tasks[id] = state.to(status, outcome);
        _credit(_payerOf(id, state, terms), terms.maximumCost());
        emit TaskClosed(id, outcome);
    }

    /// @dev As {_close}, where the provider is out of the task; its backup, if it has one, may take it instead.
    function _closeOrPassOn(
        TaskId id,
        TaskState state,
        Terms calldata terms,
        Status status,
        Outcome outcome
    ) internal {
        if (!state.has(BACKUP)) return _close(id, state, terms, status, outcome);
        _tasks[id] = state.without(BACKUP).to(Status.Standby, outcome);
        emit TaskPassedOn(id, outcome);
    }

    /// @dev Gives the lock of a task back, `slashed` [wei] of it to this contract, whose ledger has credited it already.
    function _release(
        TaskState state,
        Terms calldata terms,
        address provider,
        uint256 slashed,
        IProviderRegistry.Record counted
    ) internal {
        uint256 collateral = terms.assurance.collateralWei();
        if (collateral != 0 || counted != IProviderRegistry.Record.None) {
            _registry.release(provider, collateral, slashed, counted, _isOpen(state, terms));
        }
    }

    // ---- Disputes and quotes ----

    /// @dev What a dispute takes: the arbiter's fee, at most what the task can cost, and a part of that cost. An arbiter
    /// that gives no answer asks for nothing and has the longest time.
    function _bondOf(
        Terms calldata terms
    ) internal view returns (uint256 bond, uint256 fee, uint256 rulingSeconds) {
        uint256 cost = terms.maximumCost();
        address arbiter = terms.assurance.arbiter();
        rulingSeconds = MAX_RULING;
        if (gasleft() < (ARBITER_GAS * 64) / 63 + 10_000) {
            revert TaskMarket_InsufficientGas(gasleft(), (ARBITER_GAS * 64) / 63 + 10_000);
        }
        (bool answered, uint256 askedFee, uint256 askedSeconds) = _ask(
            arbiter,
            abi.encodeCall(IArbiter.quote, (cost))
        );
        if (answered) {
            fee = Math.min(askedFee, cost);
            rulingSeconds = Math.max(Math.min(askedSeconds, MAX_RULING), _concessionWindow + MIN_RULING);
        }
        bond = fee + Math.ceilDiv(cost * _DISPUTE_BPS, BPS);
    }

    /// @dev A call whose answer is two words, with bounded gas and a bounded copy of what comes back.
    function _ask(
        address target,
        bytes memory call_
    ) private view returns (bool answered, uint256 a, uint256 b) {
        uint256 limit = ARBITER_GAS;
        assembly ("memory-safe") {
            // The scratch space holds both words.
            answered := staticcall(limit, target, add(call_, 0x20), mload(call_), 0, 0x40)
            answered := and(answered, gt(returndatasize(), 0x3f))
            if answered {
                a := mload(0)
                b := mload(0x20)
            }
        }
    }

    function _quoteDigest(TaskId id, uint256 nonce, uint256 expiresAt) internal view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(QUOTE_TYPEHASH, id, nonce, expiresAt)));
    }

    // ---- Checks ----

    function _requireDelivery(TaskId id, TaskState state, Delivered calldata delivered) internal pure {
        if (delivered.digest() != state.digestOf()) revert TaskMarket_WrongDelivery(id);
    }

    function _load(
        Terms calldata terms,
        bytes32 workHash
    ) internal view returns (TaskId id, TaskState state) {
        id = _idOf(terms, workHash);
        state = _tasks[id];
    }

    /// @dev Whether an open task is taken: it holds one of its provider's slots.
    function _isOpen(TaskState state, Terms calldata terms) internal pure returns (bool) {
        return terms.provider == address(0) && state.has(ASSIGNED);
    }

    /// @dev Who does the task; the zero address while nobody took an open one.
    function _providerOf(TaskId id, TaskState state, Terms calldata terms) internal view returns (address) {
        return state.has(ASSIGNED) ? _assignments[id].assignee() : terms.provider;
    }

    /// @dev Price [wei, or wei per second] of a task that a provider has.
    function _priceOf(TaskId id, TaskState state, Terms calldata terms) internal view returns (uint256) {
        if (!_isOpen(state, terms)) return terms.price.amountWei();
        Assignment assignment = _assignments[id];
        return terms.priceAt(assignment.openedAt(), assignment.acceptedAt());
    }

    function _payerOf(TaskId id, TaskState state, Terms calldata terms) internal view returns (address) {
        return state.has(SPONSORED) ? _payers[id] : terms.owner;
    }

    /// @dev The last second to deliver an accepted task, or to be ready: whoever it does not name has as long from its
    /// acceptance on as the named one had from `startBy` on.
    function _completeBy(TaskState state, Terms calldata terms) internal pure returns (uint256 latest) {
        latest = terms.conditions.completeBy();
        if (state.has(ASSIGNED)) latest = state.since() + latest - terms.conditions.startBy();
    }

    /// @dev The last second to accept, where a backup is named to take over.
    function _startBy(TaskState state, Terms calldata terms) internal view returns (uint256 latest) {
        latest = terms.conditions.startBy();
        if (state.has(BACKUP)) latest += _takeOverWindow;
    }

    /// @dev The last second of declining an accepted task.
    function _declinableUntil(TaskState state, Terms calldata terms) internal view returns (uint256) {
        uint256 latest = _completeBy(state, terms);
        uint256 window = state.since() + _declineWindow;
        return window < latest ? window : latest;
    }

    function _isLease(Terms calldata terms) internal pure returns (bool) {
        return terms.conditions.kind() == uint256(Kind.Lease);
    }

    /// @dev A lease that is up ends by its own verbs.
    function _requireNotUp(TaskId id, Terms calldata terms) internal view {
        if (_isLease(terms) && _meters[id].readyAt != 0) revert TaskMarket_WrongKind(id);
    }

    function _requireStatus(TaskId id, TaskState state, Status status) internal pure {
        if (state.status() != status) revert TaskMarket_WrongStatus(id, state.status());
    }

    function _requireUntil(TaskId id, uint256 deadline) internal view {
        if (block.timestamp > deadline) revert TaskMarket_TooLate(id, deadline, block.timestamp);
    }

    function _requireAfter(TaskId id, uint256 deadline) internal view {
        if (block.timestamp <= deadline) revert TaskMarket_TooEarly(id, deadline + 1, block.timestamp);
    }

    function _requireProvider(TaskId id, address provider) internal view {
        if (!_actsFor(provider)) revert TaskMarket_NotProvider(id, msg.sender);
    }

    function _actsFor(address provider) internal view returns (bool) {
        return msg.sender == provider || msg.sender == _registry.operatorOf(provider);
    }

    /// @dev Owner, or a delegate: it may also take back, or claim, what it could have bought, whatever is left of its
    /// limit, since the money goes to the owner.
    function _requireOwner(TaskId id, Terms calldata terms) internal view {
        if (msg.sender == terms.owner) return;
        if (!_covers(_delegations[terms.owner][msg.sender], terms.provider, terms.conditions.model())) {
            revert TaskMarket_NotOwner(id, msg.sender);
        }
    }

    function _idOf(Terms calldata terms, bytes32 workHash) internal view returns (TaskId) {
        return TaskId.wrap(_hashTypedDataV4(terms.hash(workHash)));
    }

    function _treasury() internal view override returns (address) {
        return _fee.treasury();
    }
}
