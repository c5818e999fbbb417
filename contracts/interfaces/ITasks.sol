// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Delivered, Delivery, Outcome, Status, TaskId, Terms, Work} from "../market/Tasks.sol";

/// @title Tasks that go well: submitted, accepted, delivered, paid
interface ITasks {
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

    /// @notice Hands over the result and is paid, at once or when it can be challenged no longer: after accepting
    /// until `completeBy`, else (accepting and delivering in one) until `startBy`.
    function deliver(Terms calldata terms, bytes32 workHash, Delivery calldata delivery) external;

    /// @notice Refuses the task with a reason; everything goes back, at no cost: before accepting until `startBy`,
    /// after it for {ITaskViews.declineWindow}, and then it counts as declined.
    function decline(Terms calldata terms, bytes32 workHash, Outcome reason) external;

    /// @notice Pays a delivery with a challenge period: the owner at any time in it, and its arbiter, which a proof may have
    /// convinced; anyone after it.
    function settle(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external;

    /// @notice Sends the whole balance of `provider` to its payout address. Provider or operator.
    function payout(address provider) external returns (uint256 amount);

    // ---- Anyone ----

    /// @notice Ends a task that was not accepted by `startBy`, that no backup took over, or whose owner did not publish
    /// its key; everything goes back.
    function expire(Terms calldata terms, bytes32 workHash) external;

    /// @notice Makes several calls to the market in one transaction, each as if the sender had made it alone; one that
    /// fails is passed over with an event. Tasks are paid from balances; nothing can be sent along.
    /// @return done Which of them succeeded.
    function batch(bytes[] calldata calls) external returns (bool[] memory done);

    // ---- Views ----

    /// @notice Where a task stands: status, outcome, when the status was entered [s], and its fee [bps].
    function taskOf(
        TaskId id
    ) external view returns (Status status, Outcome outcome, uint256 since, uint256 feeBps);

    /// @notice The id of a task.
    function idOf(Terms calldata terms, bytes32 workHash) external view returns (TaskId);

    /// @notice The code that the market runs for what is not in its own.
    function extension() external view returns (address);
}
