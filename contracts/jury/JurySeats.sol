// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IJurySeats} from "../interfaces/IJurySeats.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {Resources} from "../libraries/Resources.sol";

/// @title Who can be drawn for a jury; see {IJurySeats}.
abstract contract JurySeats is IJurySeats, ReentrancyGuardTransient {
    using SafeCast for uint256;

    // ---- Constants ----

    uint256 internal constant BPS = 10_000;
    /// @dev Class of tasks that need a GPU, whichever it is: the number that no GPU has.
    uint256 internal constant ANY_GPU = type(uint16).max;

    // ---- Immutables ----

    /// @inheritdoc IJurySeats
    IProviderRegistry public immutable override registry;
    /// @inheritdoc IJurySeats
    uint256 public immutable override seatWei;
    /// @inheritdoc IJurySeats
    uint256 public immutable override seasoningSeconds;
    /// @inheritdoc IJurySeats
    uint256 public immutable override exitSeconds;

    // ---- Storage ----

    /// @dev In order of `since`. No array: its length would be read for each seat.
    mapping(uint256 class => mapping(uint256 index => Seat)) internal _seats;
    mapping(uint256 class => uint256 count) internal _counts;

    constructor(
        IProviderRegistry registry_,
        uint256 seatWei_,
        uint256 seasoningSeconds_,
        uint256 exitSeconds_
    ) {
        // What a seat loses are shares of it: they come out even.
        if (seatWei_ == 0 || seatWei_ % BPS != 0 || seatWei_ > type(uint96).max) {
            revert Jury_InvalidSetting("seatWei", seatWei_);
        }
        if (seasoningSeconds_ > 365 days) revert Jury_InvalidSetting("seasoningSeconds", seasoningSeconds_);
        registry = registry_;
        seatWei = seatWei_;
        seasoningSeconds = seasoningSeconds_;
        exitSeconds = exitSeconds_;
    }

    // ---- Providers ----

    /// @inheritdoc IJurySeats
    function takeSeats(uint256 class_, uint256 count, address voter) external override nonReentrant {
        // Check
        if (count == 0) revert Jury_ZeroSeats();
        if (voter == address(0)) revert Jury_ZeroVoter();
        Resources shape = registry.providerOf(msg.sender).offer.shape;
        bool isOfClass =
            class_ == 0 || (shape.gpuCount() != 0 && (class_ == ANY_GPU || class_ == shape.gpuClass()));
        if (!isOfClass) revert Jury_WrongClass(msg.sender, class_);
        // Effect
        Seat memory seat = Seat(voter, block.timestamp.toUint32(), 0, 0, msg.sender);
        uint256 first = _counts[class_];
        for (uint256 i = 0; i < count; ++i) _seats[class_][first + i] = seat;
        _counts[class_] = first + count;
        emit SeatsTaken(msg.sender, class_, first, count, voter);
        // Interaction: the registry, which calls nobody.
        registry.lock(msg.sender, seatWei * count);
    }

    /// @inheritdoc IJurySeats
    function setVoter(uint256 class_, uint256 seat, address voter) external override {
        if (voter == address(0)) revert Jury_ZeroVoter();
        _heldSeat(class_, seat).voter = voter;
        emit SeatVoterChanged(class_, seat, voter);
    }

    /// @inheritdoc IJurySeats
    function leaveSeats(uint256 class_, uint256[] calldata seats) external override {
        for (uint256 i = 0; i < seats.length; ++i) {
            Seat storage seat = _heldSeat(class_, seats[i]);
            if (seat.leftAt != 0) revert Jury_SeatLeft(class_, seats[i]);
            seat.leftAt = block.timestamp.toUint32();
            emit SeatLeft(class_, seats[i], block.timestamp + exitSeconds);
        }
    }

    /// @inheritdoc IJurySeats
    function releaseSeats(uint256 class_, uint256[] calldata seats) external override nonReentrant {
        for (uint256 i = 0; i < seats.length; ++i) {
            // Check
            Seat storage seat = _seats[class_][seats[i]];
            address account = seat.account;
            uint256 releasableAt = seat.leftAt == 0 ? 0 : seat.leftAt + exitSeconds;
            if (account == address(0)) revert Jury_NotSeatHolder(class_, seats[i], msg.sender);
            if (releasableAt == 0 || block.timestamp <= releasableAt) {
                revert Jury_SeatBound(class_, seats[i], releasableAt);
            }
            // Effect: every dispute that it was drawn for is over, and what was not taken then stays the provider's.
            uint256 left = (seatWei * (BPS - seat.lostBps)) / BPS;
            seat.account = address(0);
            emit SeatReleased(class_, seats[i], left);
            // Interaction: the registry, which calls nobody where nothing is slashed.
            registry.release(account, left, 0, IProviderRegistry.Record.None, false);
        }
    }

    function _heldSeat(uint256 class_, uint256 index) private view returns (Seat storage seat) {
        seat = _seats[class_][index];
        if (seat.account != msg.sender) revert Jury_NotSeatHolder(class_, index, msg.sender);
    }

    // ---- Views ----

    /// @inheritdoc IJurySeats
    function seatCount(uint256 class_) external view override returns (uint256) {
        return _counts[class_];
    }

    /// @inheritdoc IJurySeats
    function seatOf(uint256 class_, uint256 seat) external view override returns (Seat memory) {
        return _seats[class_][seat];
    }

    /// @inheritdoc IJurySeats
    function eligibleSeats(uint256 class_, uint256 startBy) external view override returns (uint256 count) {
        uint256 high = _counts[class_];
        while (count < high) {
            uint256 middle = (count + high) / 2;
            if (_isSeasoned(_seats[class_][middle], startBy)) count = middle + 1;
            else high = middle;
        }
    }

    function _isSeasoned(Seat storage seat, uint256 startBy) internal view returns (bool) {
        return seat.since + seasoningSeconds <= startBy;
    }
}
