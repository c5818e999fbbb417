// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence} from "../libraries/Evidence.sol";
import {Resources} from "../libraries/Resources.sol";
import {Delivered, TaskId, Terms} from "../market/Tasks.sol";
import {IArbiter} from "./IArbiter.sol";
import {IJurySeats} from "./IJurySeats.sol";
import {ITaskMarket} from "./ITaskMarket.sol";

/// @title Providers that decide disputes by doing a few units of the work again
/// @notice Terms that name this contract as their arbiter have a dispute decided by three drawn seats, and after one appeal
/// by fifteen. docs/jury.md tells the whole story; the steps are, each {stepSeconds} long at most:
///
/// | step | who | what |
/// |---|---|---|
/// | {draw} | provider | shows its half of the seed; after that time {summon} and {draw} by anyone, at its cost |
/// | {handOver} | owner | the payload, encrypted to the panel |
/// | {commit} | jurors | the fingerprint of their own work, hidden, once |
/// | {handOver} | owner | result and trace, encrypted to the panel |
/// | {reveal} | jurors | the same, open, and their verdict |
/// | {appeal} | anyone | with a bond: fifteen others decide from {handOver} on |
/// | {finish} | anyone | the market is told, jurors are paid and fined |
///
/// @dev
/// - The seed is keccak256(audit seed, draw nonce). Terms and delivery commit to one half each, before there is a dispute:
///   nobody can choose a panel, nor know it before both are shown.
/// - A vote counts where its fingerprint is near the panel's median: who did not do the work cannot know it, since the
///   provider's own comes after the commitments, and what others commit to is hidden and bound to their seat.
/// - Silence, a fingerprint of other work and a minority cost the same: half of what the dispute can move, price, collateral
///   and penalty, so that buying a majority of three costs no less than there is to win. All are judged by the last verdict
///   and its median. A seat that sits in several cases at once loses no more than it is worth, whatever it stands for in all.
/// - Seats are drawn, not voters: who votes for several has several votes, as its stake has a right to.
/// - What an owner has to do and does not, loses the dispute. A provider that keeps its half of the seed pays the jury's
///   fee, and nothing more. Jurors that decide nothing leave the task to {IDisputes.resolve}.
/// @dev Warning: jurors can be bribed, by whoever finds them: at the price above, and again for the appeal.
interface IJury is IArbiter, IJurySeats {
    enum Step {
        None,
        /// The provider kept its half of the seed: a block's hash stands for it.
        Summoned,
        /// Waits for the owner's payload.
        Drawn,
        Committing,
        Revealing,
        Ended
    }

    struct Case {
        /// Last second of the step; of {Step.Summoned} the block whose hash is awaited.
        uint40 until;
        Step step;
        /// 0, after an appeal 1.
        uint8 round;
        /// The provider kept its half of the seed.
        bool isSilent;
        /// Of the seats.
        uint16 class;
        /// Three seats of 32 bits from the lowest on, counted from 1; 0: none.
        uint96 panel;
    }

    struct Appeal {
        address appellant;
        /// [wei]
        uint96 bondWei;
        /// Fifteen seats as in {Case}, eight in the first word.
        uint256 first;
        uint256 second;
    }

    /// @notice What the hash of a task's work is made of.
    struct WorkDigest {
        Resources resources;
        bytes32 payloadHash;
        /// keccak256 of the payload's reference.
        bytes32 referenceHash;
        /// The zero address where none is named.
        address backup;
    }

    event JurySummoned(TaskId indexed id, uint256 blockNumber);
    /// @notice A panel was drawn; `seats` are counted from 0. It waits for the payload until `until` [s]. `drawNonce` is zero
    /// where the provider kept it; `evidence` may be, too, and is then in the delivery's trace or nowhere.
    event JuryDrawn(
        TaskId indexed id,
        uint256 round,
        uint256 class,
        uint256[] seats,
        address[] voters,
        bytes32 seed,
        bytes32 drawNonce,
        Evidence evidence,
        uint256 until
    );
    /// @notice There are not enough seats for this task: nothing will be ruled.
    event JuryMissing(TaskId indexed id, uint256 found);
    /// @notice The owner put what the panel needs at `uri`: the payload (step Committing), or result and trace (step
    /// Revealing). The step lasts until `until` [s].
    event HandedOver(TaskId indexed id, uint256 round, Step step, string uri, uint256 until);
    event Revealed(
        TaskId indexed id,
        uint256 round,
        uint256 position,
        uint256 fingerprint,
        uint256 providerBps
    );
    event Appealed(TaskId indexed id, address indexed appellant, uint256 bondWei);
    /// @notice `amount` [wei] for the work of a juror, or what a seat lost.
    event JurorPaid(TaskId indexed id, uint256 indexed seat, address indexed account, uint256 amount);
    event JurorFined(TaskId indexed id, uint256 indexed seat, address indexed account, uint256 amount);
    /// @notice The case is over. `isRuled`: the market was told that `providerBps` [bps] are due; else the jury is silent.
    event JuryEnded(TaskId indexed id, bool isRuled, uint256 providerBps);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice No delivery of these terms is disputed before this jury.
    error Jury_NotDisputed(TaskId id);
    error Jury_WrongStep(TaskId id, Step step);
    error Jury_TooEarly(TaskId id, uint256 earliest, uint256 now_);
    error Jury_TooLate(TaskId id, uint256 deadline, uint256 now_);
    /// @notice Not what the salt of the terms is the hash of.
    error Jury_WrongSeed(TaskId id);
    /// @notice Not what was delivered, or not what its draw commitment is the hash of.
    error Jury_WrongEvidence(TaskId id);
    /// @notice The block is not there yet, or too old for the chain to know its hash: summon again.
    error Jury_NoBlockHash(TaskId id, uint256 blockNumber, uint256 now_);
    /// @notice So many seats are old enough, neither more nor fewer: see {eligibleSeats}.
    error Jury_WrongEligible(uint256 class, uint256 given);
    error Jury_TooFewSeats(TaskId id, uint256 found);
    error Jury_NotOwner(TaskId id, address caller);
    /// @notice Jurors have time to commit until then [s].
    error Jury_NotAllCommitted(TaskId id, uint256 until);
    error Jury_NotJuror(TaskId id, uint256 position, address caller);
    /// @notice A juror commits once.
    error Jury_Committed(TaskId id, uint256 position);
    /// @notice Not what was committed to, or outside its bounds.
    error Jury_WrongReveal(TaskId id, uint256 position);
    error Jury_NothingToWithdraw(address account);
    error Jury_NotFrom(address sender);

    // ---- Draw ----

    /// @notice Draws the panel. Usually by the provider, which alone knows `drawNonce`, until {stepSeconds} after its time
    /// to concede; where it was summoned, by anyone, without the nonce, and with the evidence or all zeros for it.
    /// @param auditSeed The owner's half, which its dispute has shown.
    /// @param eligible See {eligibleSeats}, for the class of the task and the last second to begin it.
    function draw(
        Terms calldata terms,
        WorkDigest calldata work,
        Delivered calldata delivered,
        Evidence calldata evidence,
        bytes32 auditSeed,
        bytes32 drawNonce,
        uint256 eligible
    ) external;

    /// @notice Anyone, once the provider's time to show its half is over, for {stepSeconds}: has the hash of a block to come
    /// stand for it.
    function summon(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external;

    // ---- Owner ----

    /// @notice Owner, or a delegate that covers the task: says where the payload is, encrypted to the panel, once the provider can concede no more;
    /// and when all have committed or their time is over, where result and trace are.
    function handOver(Terms calldata terms, bytes32 workHash, string calldata uri) external;

    // ---- Jurors ----

    /// @notice The voter of the seat at `position` of the panel: commits, once and for good. See {commitmentOf}.
    function commit(TaskId id, uint256 position, bytes32 commitment) external;

    /// @notice Shows what was committed to, and the verdict that follows from holding it against the result. Where the owner did not open the result in its time, in the time after it.
    /// @param fingerprint Of the juror's own work, of 240 bits.
    /// @param providerBps The share that is due [bps].
    function reveal(
        TaskId id,
        uint256 position,
        uint256 fingerprint,
        uint256 providerBps,
        bytes32 salt
    ) external;

    // ---- End ----

    /// @notice Anyone, with {appealBondOf}, for {stepSeconds} after the first panel's time to reveal: fifteen others decide.
    /// The bond comes back where they decide otherwise, or not at all.
    /// @param auditSeed As for {draw}, as are the others.
    function appeal(
        Terms calldata terms,
        WorkDigest calldata work,
        Delivered calldata delivered,
        Evidence calldata evidence,
        bytes32 auditSeed,
        bytes32 drawNonce,
        uint256 eligible
    ) external payable;

    /// @notice Anyone, when nobody can reveal or appeal any more: tells the market, pays and fines. Also ends a case whose
    /// task is over otherwise.
    function finish(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external;

    /// @notice Anyone: rules for the provider where the owner did not show its seed with the dispute, nobody had a panel
    /// drawn in time, or no payload came.
    function lapse(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external;

    /// @notice Sends all that the caller has in here to `to`.
    /// @return amount [wei]
    function withdraw(address to) external returns (uint256 amount);

    // ---- Views ----

    function market() external view returns (ITaskMarket);

    /// @notice Share of what a task can cost that is the first panel's fee [bps], rounded up, and the least [wei].
    function feeBps() external view returns (uint256);

    function minimumFeeWei() external view returns (uint256);

    /// @notice How long each step takes at most [s].
    function stepSeconds() external view returns (uint256);

    /// @notice How long a dispute takes at most [s].
    function rulingSeconds() external view returns (uint256);

    /// @notice The most that price, a dispute's penalty ({ITaskViews.DISPUTE_BPS} of the price) and collateral of a task may
    /// come to [wei]: nobody is drawn for more.
    function capacityWei() external view returns (uint256);

    /// @notice The class of seats that a task with these needs is decided by: 0 where it needs no GPU, 65,535 where any GPU
    /// will do, else the GPU's.
    function classOf(Resources resources) external pure returns (uint256);

    function caseOf(TaskId id) external view returns (Case memory);

    function appealOf(TaskId id) external view returns (Appeal memory);

    /// @notice What appealing takes [wei].
    function appealBondOf(TaskId id) external view returns (uint256);

    /// @notice The seats of a panel, counted from 0, and who votes for them.
    function panelOf(
        TaskId id,
        uint256 round
    ) external view returns (uint256[] memory seats, address[] memory voters);

    /// @notice How far the juror at `position` is; what it has shown, where it has.
    function ballotOf(
        TaskId id,
        uint256 round,
        uint256 position
    ) external view returns (bool isCommitted, bool isRevealed, uint256 fingerprint, uint256 providerBps);

    /// @notice What a juror commits to; `seat` is counted from 0.
    function commitmentOf(
        TaskId id,
        uint256 round,
        uint256 seat,
        uint256 fingerprint,
        bytes32 salt
    ) external pure returns (bytes32);

    /// @notice What an account can withdraw [wei].
    function creditOf(address account) external view returns (uint256);
}
