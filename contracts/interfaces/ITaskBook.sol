// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Assurance, Conditions, Outcome, Price, Report, Status, TaskId} from "../market/Tasks.sol";
import {Resources} from "../libraries/Resources.sol";

/// @title What all verbs of the market share: its events and its errors
interface ITaskBook {
    /// @notice A task was paid for. Id, owner and provider are indexed; the rest of the terms, and the work,
    /// follow in the data.
    event TaskSubmitted(
        TaskId indexed id,
        address indexed owner,
        address indexed provider,
        Price price,
        Conditions conditions,
        Assurance assurance,
        bytes32 salt,
        Resources resources,
        bytes32 payloadHash,
        string payload
    );
    /// @notice Its provider began it.
    event TaskAccepted(TaskId indexed id);
    /// @notice A task was delivered. Without a challenge period it is settled too: what its terms charge for the
    /// reported seconds went to the provider, less the fee, the rest back to the owner. The terms stand in
    /// {TaskSubmitted} under the same id.
    event TaskDelivered(
        TaskId indexed id,
        Report report,
        bytes32 resultHash,
        bytes32 evidenceHash,
        string result
    );
    /// @notice A task ended without a delivery: the whole escrow went back to the owner. Where that was the
    /// provider's fault, {IProviderRegistry.StakeSlashed} in the same transaction says what its collateral lost to
    /// the owner and, as a bounty, to the caller.
    event TaskClosed(TaskId indexed id, Outcome outcome);
    /// @notice Its provider is out of it for this reason; the escrow stays for its backup.
    event TaskPassedOn(TaskId indexed id, Outcome outcome);
    /// @notice A delivery with a challenge period was paid.
    event TaskSettled(TaskId indexed id);
    /// @notice Call number `index` of a batch failed with `reason`, and was passed over.
    event CallSkipped(uint256 index, bytes reason);
    /// @notice The model's share of a payment went to the balance of `revenue` [wei].
    event RoyaltyPaid(uint256 indexed model, address indexed revenue, uint256 amount);

    error TaskMarket_TaskExists(TaskId id);
    /// @notice No task with these terms is in a status that allows the call.
    error TaskMarket_WrongStatus(TaskId id, Status status);
    error TaskMarket_NotOwner(TaskId id, address caller);
    error TaskMarket_NotProvider(TaskId id, address caller);
    /// @notice The last second for the call has passed [s].
    error TaskMarket_TooLate(TaskId id, uint256 deadline, uint256 now_);
    /// @notice The call is possible from `earliest` on [s].
    error TaskMarket_TooEarly(TaskId id, uint256 earliest, uint256 now_);
    /// @notice More seconds are charged than the task's duration, or than have passed since it began.
    error TaskMarket_TooManySeconds(TaskId id, uint256 secondsUsed, uint256 allowed);
    /// @notice The outcome does not belong to the call.
    error TaskMarket_InvalidOutcome(Outcome outcome);
    /// @notice A delegate pays from the owner's balance only.
    error TaskMarket_ValueFromDelegate(address delegate, uint256 value);
    /// @notice Stake that leaves the registry cannot go to the market, where it would be nobody's.
    error TaskMarket_StakeToMarket();
    /// @notice A window is longer than it may be [s].
    error TaskMarket_UnfitWindow(uint256 window, uint256 maximum);
    /// @notice The call is for jobs, or for leases that are not up yet.
    error TaskMarket_WrongKind(TaskId id);
    /// @notice The terms offer another share than the model asks for [bps].
    error TaskMarket_WrongRoyalty(uint256 model, uint256 offeredBps, uint256 askedBps);
    /// @notice Registry and market differ in currency, or stake could leave before a task ends.
    error TaskMarket_UnfitRegistry(address registry);
    /// @notice What is passed is not what was delivered.
    error TaskMarket_WrongDelivery(TaskId id);
    /// @notice Another contract could not be asked with enough gas.
    error TaskMarket_InsufficientGas(uint256 available, uint256 needed);
    /// @notice The extension is set up otherwise than the market.
    error TaskMarket_UnfitExtension(address extension);
    /// @notice The extension is only code for the market to run.
    error TaskMarket_NotTheMarket();

    /// @notice keccak256 of all that the market was set up with.
    function settingsHash() external view returns (bytes32);
}
