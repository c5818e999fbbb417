// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {Account} from "./Account.sol";

/// @title The ledger inside the market; see {IEscrow}.
abstract contract Escrow is IEscrow, ReentrancyGuardTransient {
    using SafeCast for uint256;

    // ---- Immutables ----

    /// @inheritdoc IEscrow
    Currency public immutable override currency;

    // ---- Storage ----

    /// @dev One word per party: balance, fees due, record.
    mapping(address account => Account) private _accounts;
    /// @dev Two words per delegation: limit and provider, expiry and model.
    mapping(address account => mapping(address delegate => Delegation)) private _delegations;

    constructor(Currency currency_) {
        currency_.assertUsable();
        currency = currency_;
    }

    // ---- Deposit ----

    /// @inheritdoc IEscrow
    function deposit(uint256 amount) external payable override {
        depositFor(msg.sender, amount);
    }

    /// @inheritdoc IEscrow
    function depositFor(address account, uint256 amount) public payable override {
        if (account == address(0)) revert Escrow_ZeroAddress();
        if (amount == 0) revert Escrow_ZeroAmount();
        _deposit(account, amount);
    }

    function _deposit(address account, uint256 amount) internal nonReentrant {
        // Interaction: before the effect, since only what arrived is credited; the guard holds meanwhile.
        currency.pull(msg.sender, amount);
        _credit(account, amount);
        emit Deposited(account, msg.sender, amount);
    }

    // ---- Withdraw ----

    /// @inheritdoc IEscrow
    function withdraw(uint256 amount) external override nonReentrant {
        _withdraw(msg.sender, msg.sender, amount);
    }

    /// @inheritdoc IEscrow
    function withdrawTo(address to, uint256 amount) external override nonReentrant {
        _withdraw(msg.sender, to, amount);
    }

    function _withdraw(address account, address to, uint256 amount) internal {
        // Check
        if (to == address(0)) revert Escrow_ZeroAddress();
        if (to == address(this)) revert Escrow_ToItself();
        if (amount == 0) revert Escrow_ZeroAmount();
        // Effect: a provider's fees leave together with its earnings.
        _collect(account);
        _debit(account, amount);
        emit Withdrawn(account, to, amount);
        // Interaction
        currency.push(to, amount);
    }

    // ---- Delegates ----

    /// @inheritdoc IEscrow
    function setDelegate(address delegate, Delegation calldata delegation) external override {
        if (delegate == address(0)) revert Escrow_ZeroAddress();
        if (delegation.limitWei == 0) delete _delegations[msg.sender][delegate];
        else _delegations[msg.sender][delegate] = delegation;
        emit DelegateSet(msg.sender, delegate, delegation);
    }

    /// @dev Takes `amount` [wei] from what `msg.sender` may spend of `account` for a task of `provider` with `model`.
    function _spendDelegation(address account, uint256 amount, address provider, uint256 model) internal {
        Delegation storage delegation = _delegations[account][msg.sender];
        uint256 limit = delegation.limitWei;
        if (limit == 0 && delegation.expiresAt == 0) revert Escrow_NotDelegate(account, msg.sender);
        if (block.timestamp > delegation.expiresAt) {
            revert Escrow_DelegationExpired(account, msg.sender, delegation.expiresAt);
        }
        if (!_covers(delegation, provider, model)) {
            revert Escrow_DelegationScope(account, msg.sender, provider, model);
        }
        if (limit < amount) revert Escrow_DelegationLimit(account, msg.sender, limit, amount);
        delegation.limitWei = (limit - amount).toUint96();
    }

    /// @dev Whether `delegation` is in force and for tasks of `provider` with `model`.
    function _covers(
        Delegation memory delegation,
        address provider,
        uint256 model
    ) internal view returns (bool) {
        return
            block.timestamp <= delegation.expiresAt &&
            (delegation.provider == address(0) || delegation.provider == provider) &&
            (delegation.model == 0 || delegation.model == model);
    }

    // ---- Fees ----

    /// @inheritdoc IEscrow
    function collectFees(address[] calldata accounts) external override {
        for (uint256 i = 0; i < accounts.length; ++i) _collect(accounts[i]);
    }

    function _collect(address account) private {
        uint256 fees = _accounts[account].feesDue();
        if (fees == 0) return;
        _accounts[account] = _accounts[account].clearFees();
        _credit(_treasury(), fees);
        emit FeesCollected(account, fees);
    }

    /// @dev Where fees go.
    function _treasury() internal view virtual returns (address);

    // ---- Ledger ----

    function _credit(address account, uint256 amount) internal {
        _accounts[account] = _accounts[account].credit(amount);
    }

    function _debit(address account, uint256 amount) internal {
        Account word = _accounts[account];
        if (word.balance() < amount) revert Escrow_InsufficientBalance(account, word.balance(), amount);
        _accounts[account] = word.debit(amount);
    }

    /// @dev Credits what a provider earned: `paid - fee` to its balance, `fee` to the fees due, one task of `sold`
    /// seconds to its record, all in one word.
    function _earn(address provider, uint256 paid, uint256 fee, uint256 sold) internal {
        (Account word, uint256 overflow) = _accounts[provider].earn(paid - fee, fee, sold);
        _accounts[provider] = word;
        if (overflow != 0) {
            _credit(_treasury(), overflow);
            emit FeesCollected(provider, overflow);
        }
    }

    // ---- Views ----

    /// @inheritdoc IEscrow
    function balanceOf(address account) public view override returns (uint256) {
        return _accounts[account].balance();
    }

    /// @inheritdoc IEscrow
    function feesDue(address account) external view override returns (uint256) {
        return _accounts[account].feesDue();
    }

    /// @inheritdoc IEscrow
    function recordOf(
        address account
    ) external view override returns (uint256 completed, uint256 secondsSold) {
        Account word = _accounts[account];
        return (word.completed(), word.secondsSold());
    }

    /// @inheritdoc IEscrow
    function delegationOf(
        address account,
        address delegate
    ) public view override returns (Delegation memory) {
        return _delegations[account][delegate];
    }
}
