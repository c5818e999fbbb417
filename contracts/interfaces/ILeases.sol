// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Outcome, TaskId, Terms} from "../market/Tasks.sol";

/// @title Leases: something kept up for a time, and paid by the second while it is up
/// @notice A lease is a task of kind {Kind.Lease}. Its provider has until `completeBy` to say that it is ready; from
/// then on the seconds between its heartbeats are metered, for `duration` and what is topped up.
/// @dev
/// - A heartbeat pays for the time since the one before, if that was no longer than the terms' `heartbeat`; a longer
///   silence is not paid for at all. After {ITaskViews.MISSED_HEARTBEATS} of them anybody ends the lease, and the provider
///   loses its collateral.
/// - A heartbeat names leases by their ids alone and writes one word for each, without an event; a provider sends one
///   for all of its leases.
/// - The owner can leave at any second, and pays what is metered until then. The provider can leave on the terms'
///   notice, and pays {ITaskViews.ABANDON_BPS} of its collateral for that; it goes on beating until the notice is over.
/// - It agreed to `duration`: once a provider's notice ends later than that, because of a top-up or of itself, leaving
///   costs nothing (the lease then ends as `Completed`), and nothing more can be topped up.
/// - There is no challenge period: who is not served leaves, and has lost one heartbeat's worth at most.
/// @dev Warning: a heartbeat is the provider's word. An owner that does not look at what it leases pays for whatever
/// beats.
/// @dev Warning: with {IDLE_STOP} the provider may leave at any second for free: that nobody uses the lease is its word.
/// @dev Warning: a provider that is not there when its lease is topped up at its last second fails like any other.
/// @dev Warning: a top-up is a gift to the task: what of it is not used goes to the task's payer.
interface ILeases {
    struct Lease {
        address provider;
        /// When it was ready [s]; 0: not yet.
        uint40 readyAt;
        /// The last second that can be metered [s].
        uint40 endsAt;
        /// The last heartbeat [s].
        uint40 lastHeartbeat;
        /// Seconds that were up, and of those the ones that have been paid [s].
        uint32 upSeconds;
        uint32 drawnSeconds;
        /// Seconds that were topped up [s].
        uint32 extraSeconds;
        /// Why it ends before its time; None: it does not.
        Outcome closing;
    }

    /// @notice The lease is up; its meter runs.
    /// @param ticket How the owner reaches it, encrypted for the owner.
    event LeaseReady(TaskId indexed id, address indexed provider, uint256 endsAt, bytes ticket);
    /// @notice A lease of the batch was passed over: it is not the sender's, has ended, or was silent for too long.
    event HeartbeatSkipped(TaskId indexed id);
    /// @notice `paidWei` [wei] for `secondsUp` [s] went to the provider, less fee and royalty.
    event LeaseDrawn(TaskId indexed id, uint256 secondsUp, uint256 paidWei);
    event LeaseToppedUp(TaskId indexed id, address indexed payer, uint256 secondsAdded, uint256 endsAt);
    /// @notice One side ends the lease before its time.
    event LeaseClosing(TaskId indexed id, Outcome reason, uint256 endsAt);
    /// @notice The lease is over; `upSeconds` [s] of it were paid in all, the rest went back.
    event LeaseEnded(TaskId indexed id, Outcome outcome, uint256 upSeconds);

    /// @notice The task is a job, or a lease in a state that does not allow the call.
    error Leases_NotALease(TaskId id);
    error Leases_NotReady(TaskId id);
    error Leases_AlreadyReady(TaskId id);
    /// @notice The lease goes on until `endsAt`, and for others than its provider one heartbeat longer [s].
    error Leases_StillUp(TaskId id, uint256 until, uint256 now_);
    error Leases_AlreadyClosing(TaskId id, Outcome reason);
    /// @notice The lease would end later than may be bought ahead [s].
    error Leases_TooFarAhead(TaskId id, uint256 endsAt, uint256 latest);
    error Leases_TicketLength(uint256 length, uint256 maximum);

    /// @notice Provider or operator: the lease is up, until `completeBy`.
    /// @param ticket At most 2,048 bytes; goes into the event.
    function ready(Terms calldata terms, bytes32 workHash, bytes calldata ticket) external;

    /// @notice Provider or operator: these leases are up. One that cannot be metered is passed over.
    function heartbeat(TaskId[] calldata ids) external;

    /// @notice Pays the provider what is metered and not paid yet. Anyone.
    function draw(Terms calldata terms, bytes32 workHash) external;

    /// @notice Buys `seconds_` more at the lease's price, from what is sent along or the sender's balance. Anyone.
    function topUp(Terms calldata terms, bytes32 workHash, uint32 seconds_) external payable;

    /// @notice Ends the lease before its time: the owner or its delegate at once (`OwnerClosed`), the provider or its
    /// operator on notice (`ProviderClosed`), or at once where nobody uses it and the terms allow that (`OwnerIdle`).
    function close(Terms calldata terms, bytes32 workHash, Outcome reason) external;

    /// @notice Closes the books: the provider from the end on, which is its last heartbeat; anyone one heartbeat
    /// later, after too long a silence, or when it was not ready in time.
    function endLease(Terms calldata terms, bytes32 workHash) external;
}
