// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProviderRegistry} from "./IProviderRegistry.sol";

/// @title Who can be drawn for a jury: seats of providers
/// @notice A provider locks a part of its stake for each seat that it takes, and votes with a key of its choice. Seats are
/// drawn with equal chance, so what counts is stake. A seat is of a class of machines: only who has the GPU that a task
/// was run on can tell its noise from a fake.
/// @dev Seats are kept in the order in which they were taken, and none is taken away from the list: which of them are old
/// enough for a task is one number. A seat that leaves is drawn for no dispute that begins after it left, and its stake
/// stays until every dispute of before is over.
interface IJurySeats {
    struct Seat {
        // Word 0: all that drawing and voting need.
        /// Who votes.
        address voter;
        /// When it was taken [s]; the clock's 32 bits end in 2106.
        uint32 since;
        /// When it left [s]; 0: it did not.
        uint32 leftAt;
        /// What it has lost, as a share of the seat's stake [bps].
        uint16 lostBps;
        // Word 1
        /// Whose stake it is; zero once that was given back.
        address account;
    }

    /// @notice `account` took `count` seats of a class, `first` and those that follow; `voter` votes.
    event SeatsTaken(
        address indexed account,
        uint256 indexed class,
        uint256 first,
        uint256 count,
        address voter
    );
    event SeatVoterChanged(uint256 indexed class, uint256 indexed seat, address voter);
    event SeatLeft(uint256 indexed class, uint256 indexed seat, uint256 releasableAt);
    /// @notice What was left of the seat's stake is the provider's again [wei].
    event SeatReleased(uint256 indexed class, uint256 indexed seat, uint256 amount);

    error Jury_ZeroSeats();
    error Jury_ZeroVoter();
    /// @notice What the provider offers is not of this class.
    error Jury_WrongClass(address account, uint256 class);
    error Jury_NotSeatHolder(uint256 class, uint256 seat, address caller);
    error Jury_SeatLeft(uint256 class, uint256 seat);
    /// @notice The seat's stake is bound until then [s]; 0: the seat has not left.
    error Jury_SeatBound(uint256 class, uint256 seat, uint256 releasableAt);
    /// @notice A setting is outside its bounds.
    error Jury_InvalidSetting(string name, uint256 value);

    // ---- Providers ----

    /// @notice Takes `count` seats of `class_`, each of {seatWei} of the caller's free stake. It is drawn for tasks that
    /// are at least {seasoningSeconds} younger.
    /// @param class_ See {classOf}.
    /// @param voter Who commits and reveals; usually the node's operator key.
    function takeSeats(uint256 class_, uint256 count, address voter) external;

    /// @notice Has another key vote from now on.
    function setVoter(uint256 class_, uint256 seat, address voter) external;

    /// @notice Leaves: the seat is in no panel of a dispute that begins later.
    function leaveSeats(uint256 class_, uint256[] calldata seats) external;

    /// @notice Gives the stake of seats back that left {exitSeconds} ago, less what they lost. Anyone.
    function releaseSeats(uint256 class_, uint256[] calldata seats) external;

    // ---- Views ----

    function registry() external view returns (IProviderRegistry);

    /// @notice Stake of a seat [wei].
    function seatWei() external view returns (uint256);

    /// @notice How much older than a task's last second to begin a seat must be, to be drawn for it [s].
    function seasoningSeconds() external view returns (uint256);

    /// @notice How long after leaving a seat's stake is bound [s].
    function exitSeconds() external view returns (uint256);

    function seatCount(uint256 class_) external view returns (uint256);

    function seatOf(uint256 class_, uint256 seat) external view returns (Seat memory);

    /// @notice How many seats of a class are old enough for a task that begins by `startBy` [s]: the first so many.
    function eligibleSeats(uint256 class_, uint256 startBy) external view returns (uint256);
}
