// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow} from "../interfaces/IEscrow.sol";
import {Currency} from "../libraries/Currency.sol";
import {Account} from "./Account.sol";
import {Ledger} from "./Ledger.sol";

/// @title The ledger inside the market; see {IEscrow}.
abstract contract Escrow is IEscrow, Ledger {
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
        _currency.push(to, amount);
    }

    // ---- Delegates ----

    /// @inheritdoc IEscrow
    function setDelegate(address delegate, Delegation calldata delegation) external override {
        if (delegate == address(0)) revert Escrow_ZeroAddress();
        if (delegation.limitWei == 0) delete _delegations[msg.sender][delegate];
        else _delegations[msg.sender][delegate] = delegation;
        emit DelegateSet(msg.sender, delegate, delegation);
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
        _collected(account, fees);
    }

    // ---- Views ----

    /// @inheritdoc IEscrow
    function currency() external view override returns (Currency) {
        return _currency;
    }

    /// @inheritdoc IEscrow
    function balanceOf(address account) public view override returns (uint256) {
        return _accounts[account].balance();
    }

    /// @inheritdoc IEscrow
    function feesDue(address account) external view override returns (uint256) {
        return _accounts[account].feesDue();
    }

    /// @inheritdoc IEscrow
    function feesPaidOf(address account) external view override returns (uint256) {
        return _feesPaid[account];
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
