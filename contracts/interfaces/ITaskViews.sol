// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fault, Outcome, TaskId, Terms, Work} from "../market/Tasks.sol";
import {IDisputes} from "./IDisputes.sol";
import {ILeases} from "./ILeases.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";

/// @title What can be asked about the market's rules and tasks
interface ITaskViews {
    // ---- Rules ----

    function registry() external view returns (IProviderRegistry);

    /// @notice The models that tasks can use; the zero address: none.
    function models() external view returns (IModelRegistry);

    /// @notice How long a task can be declined after it was accepted [s].
    function declineWindow() external view returns (uint256);

    /// @notice How long the owner of a sealed task has to publish its key [s].
    function keyWindow() external view returns (uint256);

    /// @notice How long a backup has to take a task over [s].
    function takeOverWindow() external view returns (uint256);

    /// @notice How long a provider has to concede a dispute [s].
    function concessionWindow() external view returns (uint256);

    /// @notice The caller's share of slashed collateral [bps].
    function BOUNTY_BPS() external view returns (uint256);

    /// @notice The share of the collateral that giving up costs [bps].
    function ABANDON_BPS() external view returns (uint256);

    /// @notice The part of a dispute's bond that the owner can lose to the provider, of what the task can cost at most
    /// [bps].
    function DISPUTE_BPS() external view returns (uint256);

    /// @notice The share of the collateral that conceding costs [bps].
    function CONCEDE_BPS() external view returns (uint256);

    /// @notice So many of a lease's heartbeats may be missed.
    function MISSED_HEARTBEATS() external view returns (uint256);

    /// @notice Gas with which a contract's signature is asked for.
    function SIGNATURE_GAS() external view returns (uint256);

    // ---- Tasks ----

    /// @notice What the chain keeps of a delivery that can be challenged; 0 where there is none.
    function deliveryDigestOf(TaskId id) external view returns (bytes32);

    /// @notice The lease of a task; zeros where it is none, or was never ready.
    function leaseOf(TaskId id) external view returns (ILeases.Lease memory);

    /// @notice The dispute about a task; zeros where there is none.
    function disputeOf(TaskId id) external view returns (IDisputes.Dispute memory);

    /// @notice What disputing a task of these terms takes now: the bond, the arbiter's fee in it [wei], and how long
    /// the arbiter has [s].
    function bondOf(
        Terms calldata terms
    ) external view returns (uint256 bondWei, uint256 feeWei, uint256 rulingSeconds);

    /// @notice Who took a task that named somebody else or nobody, when [s], and at which price [wei, or wei per
    /// second]; zeros where nobody.
    function assignmentOf(
        Terms calldata terms,
        bytes32 workHash
    ) external view returns (address provider, uint256 acceptedAt, uint256 priceWei);

    /// @notice Who gets back what is not spent.
    function payerOf(Terms calldata terms, bytes32 workHash) external view returns (address);

    /// @notice Whether a backup may still take the task.
    function hasBackup(TaskId id) external view returns (bool);

    /// @notice Which of the quotes with the nonces `word * 256 + i` are used or cancelled, a bit each.
    function usedQuotes(address provider, uint256 word) external view returns (uint256 mask);

    /// @notice EIP-712 digest that a provider signs for a quote.
    function quoteDigest(TaskId id, uint256 nonce, uint256 expiresAt) external view returns (bytes32);

    /// @notice EIP-712 struct hash of the work.
    /// @param backup The zero address where none is named.
    function hashWork(Work calldata work, address backup) external pure returns (bytes32);

    /// @notice What submitting escrows [wei].
    function costOf(Terms calldata terms) external pure returns (uint256);

    /// @notice The side that an outcome is the fault of.
    function faultOf(Outcome outcome) external pure returns (Fault);
}
