// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Currency} from "../libraries/Currency.sol";

/// @title The ledger inside the market
/// @notice Accounts deposit, tasks move money between accounts, accounts withdraw. Settling moves ledger words
/// only, so nobody can stop a settlement by refusing money.
/// @dev Assumptions:
/// - The currency moves exactly what it is asked to move. A token that takes a fee on transfer reverts; one that
///   rebases downwards later breaks the ledger's cover and must not be used.
/// - Amounts fit 96 bits (7.9e28 wei); the constructor's currency is chosen accordingly.
/// - What arrives without a call to this contract (mined, self-destructed, sent as tokens) belongs to nobody and
///   changes no balance.
interface IEscrow {
    /// @notice What an account may spend of another's balance. Each use lowers `limitWei`; refunds do not raise it.
    struct Delegation {
        /// What is left to spend [wei].
        uint96 limitWei;
        /// Only for tasks of this provider that name no backup; zero: any.
        address provider;
        /// Last second at which it can be used [s].
        uint40 expiresAt;
        /// Only for tasks with this model; zero: any, with or without a model.
        uint64 model;
    }

    /// @notice `payer` put `amount` [wei] into the balance of `account`.
    event Deposited(address indexed account, address indexed payer, uint256 amount);
    /// @notice `amount` [wei] of the balance of `account` went into the escrow of a task. A task that is paid with
    /// exactly its cost in native coin touches no balance, and has no such event.
    event Spent(address indexed account, uint256 amount);
    /// @notice `account` took `amount` [wei] out to `to`.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event DelegateSet(address indexed account, address indexed delegate, Delegation delegation);
    /// @notice Fees [wei] that were due from settlements of `account` went to the treasury's balance.
    event FeesCollected(address indexed account, uint256 amount);

    /// @notice The balance does not suffice [wei].
    error Escrow_InsufficientBalance(address account, uint256 balance, uint256 needed);
    error Escrow_ZeroAmount();
    error Escrow_ZeroAddress();
    /// @notice The ledger cannot be the receiver: what it holds without an account is nobody's.
    error Escrow_ToItself();
    /// @notice `caller` has no delegation of `account` at all.
    error Escrow_NotDelegate(address account, address caller);
    error Escrow_DelegationExpired(address account, address delegate, uint40 expiresAt);
    /// @notice The delegation's limit does not suffice [wei].
    error Escrow_DelegationLimit(address account, address delegate, uint256 limit, uint256 needed);
    /// @notice The delegation is for another provider or another model.
    error Escrow_DelegationScope(address account, address delegate, address provider, uint256 model);

    /// @notice Puts `amount` [wei] into the caller's balance; native: `msg.value` equals it. A plain native
    /// transfer does the same.
    function deposit(uint256 amount) external payable;

    /// @notice Puts `amount` [wei] of the caller's into the balance of `account`.
    function depositFor(address account, uint256 amount) external payable;

    /// @notice Pays `amount` [wei] of the caller's balance out to itself.
    function withdraw(uint256 amount) external;

    /// @notice Pays `amount` [wei] of the caller's balance out to `to`.
    function withdrawTo(address to, uint256 amount) external;

    /// @notice Lets `delegate` pay for tasks of the caller within `delegation`, replacing what it had; a limit of 0
    /// revokes it at once.
    /// @dev Warning: a delegate without a provider in its scope can spend its whole limit on tasks for itself.
    /// @dev Warning: a delegate that sees a replacement coming can spend the old limit before it; revoke first, or
    /// set what is left in addition.
    function setDelegate(address delegate, Delegation calldata delegation) external;

    /// @notice Moves the fees due from the settlements of `accounts` into the treasury's balance. Anyone.
    function collectFees(address[] calldata accounts) external;

    function currency() external view returns (Currency);

    /// @notice What `account` can spend or withdraw [wei].
    function balanceOf(address account) external view returns (uint256);

    /// @notice Fees [wei] from settlements of `account` that have not moved to the treasury yet.
    function feesDue(address account) external view returns (uint256);

    /// @notice Fees [wei] from settlements of `account` that have moved to the treasury, in all.
    function feesPaidOf(address account) external view returns (uint256);

    /// @notice Tasks that `account` delivered and was paid for, and the seconds it sold with them; both stop at
    /// their largest value.
    function recordOf(address account) external view returns (uint256 completed, uint256 secondsSold);

    function delegationOf(address account, address delegate) external view returns (Delegation memory);
}
