// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {Account} from "./Account.sol";

/// @title The ledger's books, without a way in or out of their own; {Escrow} is that
abstract contract Ledger is ReentrancyGuardTransient {
    using SafeCast for uint256;

    // ---- Immutables ----

    /// @dev What the ledger is kept in.
    Currency internal immutable _currency;

    // ---- Storage ----

    /// @dev One word per party: balance, fees due, record.
    mapping(address account => Account) internal _accounts;
    /// @dev Two words per delegation: limit and provider, expiry and model.
    mapping(address account => mapping(address delegate => IEscrow.Delegation)) internal _delegations;
    /// @dev Fees that moved to the treasury, for rewards in proportion to them.
    mapping(address account => uint256) internal _feesPaid;

    constructor(Currency currency_) {
        currency_.assertUsable();
        _currency = currency_;
    }

    // ---- In and between ----

    /// @dev Takes `amount` [wei] of the sender's for `account`.
    function _deposit(address account, uint256 amount) internal nonReentrant {
        // Interaction: before the effect, since only what arrived is credited; the guard holds meanwhile.
        _currency.pull(msg.sender, amount);
        _credit(account, amount);
        emit IEscrow.Deposited(account, msg.sender, amount);
    }

    function _credit(address account, uint256 amount) internal {
        _accounts[account] = _accounts[account].credit(amount);
    }

    function _debit(address account, uint256 amount) internal {
        Account word = _accounts[account];
        if (word.balance() < amount) {
            revert IEscrow.Escrow_InsufficientBalance(account, word.balance(), amount);
        }
        _accounts[account] = word.debit(amount);
    }

    /// @dev Credits what a provider earned: `paid - fee` to its balance, `fee` to the fees due, `tasks` tasks and `sold`
    /// seconds to its record, all in one word.
    function _earn(address provider, uint256 paid, uint256 fee, uint256 sold, uint256 tasks) internal {
        uint256 net;
        unchecked {
            // A fee is a part of what is paid.
            net = paid - fee;
        }
        (Account word, uint256 overflow) = _accounts[provider].earn(net, fee, sold, tasks);
        _accounts[provider] = word;
        if (overflow != 0) _collected(provider, overflow);
    }

    /// @dev Fees of `account` that left its word go to the treasury.
    function _collected(address account, uint256 fees) internal {
        _credit(_treasury(), fees);
        _feesPaid[account] += fees;
        emit IEscrow.FeesCollected(account, fees);
    }

    /// @dev Where fees go.
    function _treasury() internal view virtual returns (address);

    // ---- Delegates ----

    /// @dev Takes `amount` [wei] from what `msg.sender` may spend of `account` for a task of `provider` with `model`.
    function _spendDelegation(address account, uint256 amount, address provider, uint256 model) internal {
        IEscrow.Delegation storage delegation = _delegations[account][msg.sender];
        uint256 limit = delegation.limitWei;
        if (limit == 0 && delegation.expiresAt == 0) revert IEscrow.Escrow_NotDelegate(account, msg.sender);
        if (block.timestamp > delegation.expiresAt) {
            revert IEscrow.Escrow_DelegationExpired(account, msg.sender, delegation.expiresAt);
        }
        if (!_covers(delegation, provider, model)) {
            revert IEscrow.Escrow_DelegationScope(account, msg.sender, provider, model);
        }
        if (limit < amount) revert IEscrow.Escrow_DelegationLimit(account, msg.sender, limit, amount);
        delegation.limitWei = (limit - amount).toUint96();
    }

    /// @dev Whether `delegation` is in force and for tasks of `provider` with `model`.
    function _covers(
        IEscrow.Delegation memory delegation,
        address provider,
        uint256 model
    ) internal view returns (bool) {
        return
            block.timestamp <= delegation.expiresAt &&
            (delegation.provider == address(0) || delegation.provider == provider) &&
            (delegation.model == 0 || delegation.model == model);
    }
}
