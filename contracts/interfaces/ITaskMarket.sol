// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Assurance,
    Conditions,
    Delivery,
    Fault,
    Outcome,
    Price,
    Report,
    Status,
    TaskId,
    Terms,
    Work
} from "../market/Tasks.sol";
import {Resources} from "../libraries/Resources.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";

/// @title The market for tasks
/// @notice An owner's money is escrowed for one provider; the provider delivers and is paid for what it used, or
/// the owner gets everything back. A task is its terms: its id is their EIP-712 digest, the chain keeps one word.
/// @dev
/// - Every task ends without an admin, and without the other side: the owner can always {cancel}, or anyone
///   {expire} or {fail} it; the provider can always {deliver}, {decline} or {abandon}.
/// - At each second a task has either a provider's verb or a time-out open to everybody, never both: the
///   provider's verbs end with the second of the deadline, the time-outs begin with the next.
/// - A job has no challenge period yet: a delivery settles at once, and the owner who doubts it can only order
///   elsewhere. The outcome and the seconds are the provider's word, the seconds bounded by the chain's clock.
/// @dev Warning: an owner can cancel until the provider accepts. A provider that runs work before accepting it
/// risks that work.
/// @dev Warning: the provider sees the plain text of what it runs.
/// @dev Warning: the owner names the provider; without collateral it need not be registered, and what it fails to do
/// before it registers is on no record.
/// @dev In a market with a token, {fail} and {abandon} with collateral need the registry's transfer of what is
/// slashed: while the token is paused they wait, and the escrow with them. Without collateral nothing waits.
interface ITaskMarket {
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
    event TaskAccepted(TaskId indexed id);
    /// @notice A task was delivered and settled: what its terms charge for the reported seconds went to the
    /// provider, less the fee, the rest back to the owner. The terms stand in {TaskSubmitted} under the same id.
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
    /// @notice The window for declining is longer than it may be [s].
    error TaskMarket_UnfitDeclineWindow(uint256 declineWindow, uint256 maximum);
    /// @notice Registry and market differ in currency, or stake could leave before a task ends.
    error TaskMarket_UnfitRegistry(address registry);

    // ---- Owner ----

    /// @notice Escrows the most that the task can cost and announces it.
    /// @dev By the owner, or by a delegate within its limit. The owner's payment is what is sent along, then its
    /// balance (native: what is sent beyond the cost stays in the balance), then, in a token, a transfer of what
    /// is missing.
    /// @return id EIP-712 digest of the terms.
    function submit(Terms calldata terms, Work calldata work) external payable returns (TaskId id);

    /// @notice Takes everything back before the provider accepts, until `startBy`. Owner, or a delegate whose
    /// delegation is in force and covers the task.
    function cancel(Terms calldata terms, bytes32 workHash) external;

    // ---- Provider or its operator ----

    /// @notice Begins the task and locks its collateral, until `startBy`. From here on the owner cannot cancel.
    function accept(Terms calldata terms, bytes32 workHash) external;

    /// @notice Hands over the result and is paid: after accepting until `completeBy`, else (accepting and
    /// delivering in one) until `startBy`.
    function deliver(Terms calldata terms, bytes32 workHash, Delivery calldata delivery) external;

    /// @notice Refuses the task with a reason; everything goes back, at no cost: before accepting until `startBy`,
    /// after it for {declineWindow}.
    function decline(Terms calldata terms, bytes32 workHash, Outcome reason) external;

    /// @notice Gives up an accepted task after {declineWindow}, until `completeBy`; everything goes back, and a
    /// part of the collateral goes to the owner.
    function abandon(Terms calldata terms, bytes32 workHash) external;

    /// @notice Sends the whole balance of `provider` to its payout address. Provider or operator.
    function payout(address provider) external returns (uint256 amount);

    // ---- Anyone ----

    /// @notice Ends a task that was not accepted by `startBy`; everything goes back.
    function expire(Terms calldata terms, bytes32 workHash) external;

    /// @notice Ends a task that was accepted and not delivered by `completeBy`: everything goes back, the
    /// collateral goes to the owner but for a bounty to the caller.
    function fail(Terms calldata terms, bytes32 workHash) external;

    // ---- Views ----

    function registry() external view returns (IProviderRegistry);

    /// @notice How long a task can be declined after it was accepted [s].
    function declineWindow() external view returns (uint256);

    /// @notice The caller's share of slashed collateral [bps].
    function BOUNTY_BPS() external view returns (uint256);

    /// @notice The share of the collateral that giving up costs [bps].
    function ABANDON_BPS() external view returns (uint256);

    /// @notice Where a task stands: status, outcome, when the status was entered [s], and its fee [bps].
    function taskOf(
        TaskId id
    ) external view returns (Status status, Outcome outcome, uint256 since, uint256 feeBps);

    /// @notice The id of a task.
    function idOf(Terms calldata terms, bytes32 workHash) external view returns (TaskId);

    /// @notice EIP-712 struct hash of the work.
    function hashWork(Work calldata work) external pure returns (bytes32);

    /// @notice What submitting escrows [wei].
    function costOf(Terms calldata terms) external pure returns (uint256);

    /// @notice The side that an outcome is the fault of.
    function faultOf(Outcome outcome) external pure returns (Fault);
}
