// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {IOrders} from "../interfaces/IOrders.sol";
import {Currency, Currency_NoCode} from "../libraries/Currency.sol";
import {Resources} from "../libraries/Resources.sol";
import {TaskBook} from "./TaskBook.sol";
import {
    ASSIGNED,
    Assignment,
    BACKUP,
    Outcome,
    SPONSORED,
    Status,
    TaskId,
    Tasks,
    TaskState,
    Terms,
    Work
} from "./Tasks.sol";

/// @title Signed, sponsored, quoted and open tasks, and those with a backup; see {IOrders}.
abstract contract Orders is IOrders, TaskBook {
    // ---- Constants ----

    uint256 private constant MAX_HEADER = 1_024;

    // ---- Immutables ----

    /// @dev The extension's own address, also where the market runs its code.
    address private immutable _code = address(this);

    // ---- Order ----

    /// @inheritdoc IOrders
    function order(Order calldata order_) external payable virtual override returns (TaskId id) {
        _requireMarket();
        Terms calldata terms = order_.terms;
        // Check
        terms.validate();
        (Resources resources, bytes32 payloadHash, string calldata payload) = order_.work.validate();
        id = _idOf(terms, Tasks.hashWork(resources, payloadHash, payload, order_.backup));
        if (TaskState.unwrap(_tasks[id]) != 0) revert TaskMarket_TaskExists(id);
        _checkModel(terms.conditions);
        TaskState state = Tasks.newState(Status.Funded, Outcome.None, _fee.bpsNow());
        if (order_.backup != address(0)) {
            if (terms.provider == address(0) || order_.backup == terms.provider) {
                revert Tasks.Tasks_Unsupported("backup");
            }
            state = state.with(BACKUP);
        }
        bool quoted = order_.quote.expiresAt != 0;
        if (quoted) _requireQuote(id, terms.provider, order_.quote);
        // Interaction: before the effects, since a task exists only once it is paid for; a token's transfer is guarded,
        // and a signature is asked for without the right to change anything.
        bool sponsored = _fundOrder(id, order_);
        if (TaskState.unwrap(_tasks[id]) != 0) revert TaskMarket_TaskExists(id);
        // Effect
        if (sponsored) {
            state = state.with(SPONSORED);
            _payers[id] = msg.sender;
        }
        if (quoted) {
            _useQuote(terms.provider, order_.quote.nonce);
            state = state.to(Status.Active, Outcome.None);
        }
        _tasks[id] = state;
        if (terms.provider == address(0)) _open(id);
        _announce(id, terms, order_.work, payload);
        if (sponsored) emit TaskSponsored(id, msg.sender);
        if (order_.backup != address(0)) emit BackupNamed(id, order_.backup);
        if (quoted) {
            emit TaskAccepted(id);
            // Interaction: the registry, which calls nobody.
            uint256 collateral = terms.assurance.collateralWei();
            if (collateral != 0) _registry.lock(terms.provider, collateral);
        }
    }

    /// @dev Takes the money of who pays, with the owner's consent.
    /// @return sponsored Whether that is somebody else.
    function _fundOrder(TaskId id, Order calldata order_) private returns (bool sponsored) {
        Terms calldata terms = order_.terms;
        uint256 cost = terms.maximumCost();
        if (msg.sender == terms.owner) {
            _fundBySender(cost);
            return false;
        }
        if (order_.signature.length == 0 && !order_.sponsored) {
            // A backup is another provider: only who may pay any may name one.
            address provider = order_.backup == address(0) ? terms.provider : address(0);
            _spendDelegation(terms.owner, cost, provider, terms.conditions.model());
            _fundByOwner(terms.owner, cost);
            return false;
        }
        if (!_isSignedBy(terms.owner, TaskId.unwrap(id), order_.signature)) {
            revert Orders_BadSignature(id, terms.owner);
        }
        sponsored = order_.sponsored;
        if (sponsored) _fundBySender(cost);
        else _fundByOwner(terms.owner, cost);
    }

    function _requireQuote(TaskId id, address provider, Quote calldata quote) private view {
        if (block.timestamp > quote.expiresAt) {
            revert Orders_QuoteExpired(id, quote.expiresAt, block.timestamp);
        }
        bytes32 digest = _quoteDigest(id, quote.nonce, quote.expiresAt);
        if (provider == address(0)) revert Orders_BadQuote(id, provider);
        if (_isSignedBy(provider, digest, quote.signature)) return;
        address operator = _registry.operatorOf(provider);
        if (operator == address(0) || !_isSignedBy(operator, digest, quote.signature)) {
            revert Orders_BadQuote(id, provider);
        }
    }

    function _useQuote(address provider, uint256 nonce) private {
        (uint256 word, uint256 bit) = (nonce >> 8, 1 << (nonce & 0xff));
        if (_quotes[provider][word] & bit != 0) revert Orders_QuoteUsed(provider, nonce);
        _quotes[provider][word] |= bit;
    }

    /// @dev An account's signature, or else a contract's: an account with EIP-7702 code may sign in either way. What is
    /// signed is used once whatever the bytes of the signature are.
    function _isSignedBy(
        address signer,
        bytes32 digest,
        bytes calldata signature
    ) private view returns (bool signed) {
        (address recovered, ECDSA.RecoverError flaw, ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (flaw == ECDSA.RecoverError.NoError && recovered == signer) return true;
        uint256 limit = _SIGNATURE_GAS;
        uint256 needed = (limit * 64) / 63 + 10_000;
        if (gasleft() < needed) revert TaskMarket_InsufficientGas(gasleft(), needed);
        bytes memory call_ = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        assembly ("memory-safe") {
            // A statement of its own: of a call's arguments the last is evaluated first.
            let answered := staticcall(limit, signer, add(call_, 0x20), mload(call_), 0, 0x20)
            signed := and(answered, and(gt(returndatasize(), 0x1f), eq(mload(0), magic)))
        }
    }

    /// @inheritdoc IOrders
    function revokeOrder(Terms calldata terms, bytes32 workHash) external virtual override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        if (msg.sender != terms.owner) revert TaskMarket_NotOwner(id, msg.sender);
        _requireStatus(id, state, Status.None);
        _tasks[id] = Tasks.newState(Status.Cancelled, Outcome.OwnerCancelled, 0);
        emit TaskClosed(id, Outcome.OwnerCancelled);
    }

    /// @inheritdoc IOrders
    function cancelQuotes(uint256 word, uint256 mask) external virtual override {
        _quotes[msg.sender][word] |= mask;
        emit QuotesCancelled(msg.sender, word, mask);
    }

    // ---- Open tasks ----

    /// @inheritdoc IOrders
    function acceptOpen(
        Terms calldata terms,
        Work calldata work,
        address provider
    ) external virtual override {
        // Check
        (TaskId id, TaskState state) = _load(terms, work.hash(address(0)));
        if (terms.provider != address(0)) revert Orders_NotOpen(id);
        _requireStatus(id, state, Status.Funded);
        _requireUntil(id, terms.conditions.startBy());
        _requireProvider(id, provider);
        // Effect
        Assignment assignment = _assignments[id].takenBy(provider);
        _assignments[id] = assignment;
        Status status = terms.conditions.isSealed() ? Status.Assigned : Status.Active;
        _tasks[id] = state.with(ASSIGNED).to(status, Outcome.None);
        emit TaskAssigned(id, provider, terms.priceAt(assignment.openedAt(), block.timestamp));
        // Interaction: the registry, which calls nobody.
        _registry.assign(provider, work.resources, terms.assurance.collateralWei());
    }

    /// @inheritdoc IOrders
    function publishPayloadKey(
        Terms calldata terms,
        bytes32 workHash,
        bytes calldata header
    ) external virtual override {
        (TaskId id, TaskState state) = _load(terms, workHash);
        _requireOwner(id, terms);
        _requireStatus(id, state, Status.Assigned);
        _requireUntil(id, state.since() + _keyWindow);
        if (header.length == 0 || header.length > MAX_HEADER) {
            revert Orders_HeaderLength(header.length, MAX_HEADER);
        }
        _tasks[id] = state.to(Status.Active, Outcome.None);
        emit PayloadKeyPublished(id, header);
    }

    // ---- Backup ----

    /// @inheritdoc IOrders
    function takeOver(Terms calldata terms, Work calldata work, address backup) external virtual override {
        // Check
        (TaskId id, TaskState state) = _load(terms, work.hash(backup));
        if (!_actsFor(backup)) revert Orders_NotBackup(id, msg.sender);
        if (state.status() == Status.Standby) {
            _requireUntil(id, state.since() + _takeOverWindow);
        } else {
            _requireStatus(id, state, Status.Funded);
            if (!state.has(BACKUP)) revert Orders_NotBackup(id, msg.sender);
            _requireAfter(id, terms.conditions.startBy());
            _requireUntil(id, _startBy(state, terms));
        }
        // Effect
        _assignments[id] = _assignments[id].takenBy(backup);
        _tasks[id] = state.without(BACKUP).with(ASSIGNED).to(Status.Active, Outcome.None);
        emit TaskAssigned(id, backup, terms.price.amountWei());
        // Interaction: the registry, which calls nobody.
        uint256 collateral = terms.assurance.collateralWei();
        if (collateral != 0) _registry.lock(backup, collateral);
    }

    // ---- Deposit ----

    /// @inheritdoc IOrders
    function depositWithPermit(
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external virtual override {
        _requireMarket();
        address token = Currency.unwrap(_currency);
        if (_currency.isNative()) revert Currency_NoCode(token);
        // A permit that fails gives no allowance, and without one the transfer fails.
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        if (amount == 0) revert IEscrow.Escrow_ZeroAmount();
        _deposit(msg.sender, amount);
    }

    // ---- Checks ----

    /// @dev Money that came to the extension itself could not leave it; these calls bring it, the others need a task.
    function _requireMarket() private view {
        if (address(this) == _code) revert TaskMarket_NotTheMarket();
    }
}
