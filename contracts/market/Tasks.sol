// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources} from "../libraries/Resources.sol";

/// @notice EIP-712 digest of a task's terms: names the task on this chain and this market, before it is mined.
type TaskId is bytes32;

/// @notice What is paid and how it is metered, from the lowest bit: `amountWei uint96 | maximumWei uint96 |
/// metered uint8 | heartbeat uint24 [s] | notice uint24 [s]`.
/// @dev Metered: `amountWei` is per second; else it is for the whole. An open task's price rises from `amountWei` at
/// its submission to `maximumWei` at `startBy`; `maximumWei` is 0 where a provider is named. Of a lease: `heartbeat`
/// is the longest silence that is paid for, `notice` how long its provider goes on after it said that it leaves.
type Price is uint256;

/// @notice When, how long, of what kind, for which key and with which model, from the lowest bit:
/// `startBy uint40 [s] | completeBy uint40 [s] | duration uint32 [s] | challengePeriod uint32 [s] | kind uint8 |
/// keyEpoch uint32 | model uint48 | royaltyBps uint16 | flags uint8`.
/// @dev `completeBy` is the last second to deliver, of a lease the last second to be ready. Who accepts an open task
/// or takes one over as its backup has `completeBy - startBy` from then on. `keyEpoch` is the owner's key to which
/// the result is encrypted, 0: the result is public. `model` is the number of a registered model, 0: none;
/// `royaltyBps` its share of what is paid. Flags: {SEALED}, {IDLE_STOP}.
type Conditions is uint256;

/// @notice What stands behind it, from the lowest bit: `collateralWei uint96 | arbiter address`.
type Assurance is uint256;

/// @notice What the chain keeps of a task, from the lowest bit:
/// `status uint8 | outcome uint8 | since uint40 [s] | feeBps uint16 | flags uint8 | digest uint176`.
/// @dev `since` is when the status was entered. Flags: {SPONSORED}, {ASSIGNED}, {BACKUP}. `digest` is of a delivery
/// that can be challenged, see {Tasks.digest}.
type TaskState is uint256;

/// @notice Who took a task that named somebody else or nobody, from the lowest bit:
/// `provider address | openedAt uint40 [s] | acceptedAt uint40 [s]`.
type Assignment is uint256;

/// @notice How a delivery went, from the lowest bit: `outcome uint8 | secondsUsed uint32 [s]`.
type Report is uint256;

/// @notice The money side of a task. Fixed by its id; every call passes it again.
struct Terms {
    address owner;
    address provider;
    Price price;
    Conditions conditions;
    Assurance assurance;
    /// keccak256 of the owner's audit seed; makes equal tasks different.
    bytes32 salt;
}

/// @notice The work side of a task. Only its EIP-712 hash is passed after submission.
struct Work {
    Resources resources;
    /// SHA-256 of the payload's envelope without its recipients.
    bytes32 payloadHash;
    /// Where the payload's envelope is, a URI of at most 256 bytes.
    string payload;
}

/// @notice What a provider hands over.
struct Delivery {
    /// The outcome and the seconds of use to be paid, never more than the clock allows.
    Report report;
    /// SHA-256 of the result's envelope without its recipients, or of the plain result.
    bytes32 resultHash;
    /// EIP-712 struct hash of the delivery's evidence (docs/market.md says what it commits to).
    bytes32 evidenceHash;
    /// Where the result is, a URI of at most 256 bytes.
    string result;
}

/// @notice What a delivery that can be challenged committed to; whoever settles or disputes it passes it again.
struct Delivered {
    Report report;
    bytes32 resultHash;
    bytes32 evidenceHash;
}

enum Kind {
    /// Ends with a result.
    Job,
    /// Is kept up for the duration.
    Lease
}

enum Status {
    None,
    /// Paid for; waits for its provider, or for any where it is open.
    Funded,
    /// Accepted by a provider that cannot read the payload yet.
    Assigned,
    Active,
    /// Given up by its first provider; the backup may take it.
    Standby,
    Delivered,
    Disputed,
    // From here on terminal.
    Settled,
    Cancelled,
    Expired,
    Declined,
    Failed,
    Abandoned,
    Resolved
}

/// @notice Why a task ended. The same names stand in the node, the command line and the JSON.
enum Outcome {
    None,
    // Delivered: the used seconds are paid.
    Completed,
    OwnerExitCode,
    OwnerOutOfMemory,
    OwnerTimeLimit,
    OwnerBadInput,
    // Declined: all goes back, nobody pays.
    PayloadMissing,
    PayloadUnreadable,
    PayloadMismatch,
    PolicyRefused,
    RequirementsUnmet,
    PriceTooLow,
    NoCapacity,
    KeyRevoked,
    InfrastructureFault,
    // Ended without the provider's work: all goes back.
    OwnerCancelled,
    NotAccepted,
    ProviderLate,
    ProviderAbandoned,
    KeyWithheld,
    // Ends of leases: the seconds that were up are paid.
    OwnerClosed,
    OwnerIdle,
    ProviderClosed,
    ProviderDown,
    ProviderNotReady,
    // Ends of disputes.
    Conceded,
    RuledForProvider,
    RuledForOwner,
    RuledInPart,
    ArbiterSilent
}

/// @notice The side at fault.
enum Fault {
    None,
    Owner,
    Provider
}

/// @dev Flag of the conditions: the payload's key is published after somebody has accepted.
uint256 constant SEALED = 1;
/// @dev Flag of the conditions: the provider may end a lease that nobody uses.
uint256 constant IDLE_STOP = 2;

/// @dev Flag of a state: somebody else than the owner paid, and gets back what is not spent.
uint256 constant SPONSORED = 1;
/// @dev Flag of a state: the provider is in the assignment, not in the terms.
uint256 constant ASSIGNED = 2;
/// @dev Flag of a state: a backup may still take the task.
uint256 constant BACKUP = 4;

using {amountWei, maximumWei, metered, heartbeat, notice} for Price global;
using {
    startBy,
    completeBy,
    duration,
    challengePeriod,
    kind,
    keyEpoch,
    model,
    royaltyBps,
    isSealed,
    stopsIdle
} for Conditions global;
using {collateralWei, arbiter} for Assurance global;
using {status, outcome, since, feeBps, has, digestOf, to, with, without, withDigest} for TaskState global;
using {assignee, openedAt, acceptedAt, takenBy, vacated} for Assignment global;
using {reportedOutcome, secondsUsed} for Report global;
using Tasks for Terms global;
using Tasks for Work global;
using Tasks for Delivered global;

// ---- Price ----

function amountWei(Price price) pure returns (uint256) {
    return uint96(Price.unwrap(price));
}

function maximumWei(Price price) pure returns (uint256) {
    return uint96(Price.unwrap(price) >> 96);
}

function metered(Price price) pure returns (bool) {
    return uint8(Price.unwrap(price) >> 192) != 0;
}

function heartbeat(Price price) pure returns (uint256) {
    return uint24(Price.unwrap(price) >> 200);
}

function notice(Price price) pure returns (uint256) {
    return uint24(Price.unwrap(price) >> 224);
}

// ---- Conditions ----

function startBy(Conditions conditions) pure returns (uint256) {
    return uint40(Conditions.unwrap(conditions));
}

function completeBy(Conditions conditions) pure returns (uint256) {
    return uint40(Conditions.unwrap(conditions) >> 40);
}

function duration(Conditions conditions) pure returns (uint256) {
    return uint32(Conditions.unwrap(conditions) >> 80);
}

function challengePeriod(Conditions conditions) pure returns (uint256) {
    return uint32(Conditions.unwrap(conditions) >> 112);
}

function kind(Conditions conditions) pure returns (uint256) {
    return uint8(Conditions.unwrap(conditions) >> 144);
}

function keyEpoch(Conditions conditions) pure returns (uint256) {
    return uint32(Conditions.unwrap(conditions) >> 152);
}

function model(Conditions conditions) pure returns (uint256) {
    return uint48(Conditions.unwrap(conditions) >> 184);
}

function royaltyBps(Conditions conditions) pure returns (uint256) {
    return uint16(Conditions.unwrap(conditions) >> 232);
}

function isSealed(Conditions conditions) pure returns (bool) {
    return (Conditions.unwrap(conditions) >> 248) & SEALED != 0;
}

function stopsIdle(Conditions conditions) pure returns (bool) {
    return (Conditions.unwrap(conditions) >> 248) & IDLE_STOP != 0;
}

// ---- Assurance ----

function collateralWei(Assurance assurance) pure returns (uint256) {
    return uint96(Assurance.unwrap(assurance));
}

function arbiter(Assurance assurance) pure returns (address) {
    return address(uint160(Assurance.unwrap(assurance) >> 96));
}

// ---- Assignment ----

function assignee(Assignment assignment) pure returns (address) {
    return address(uint160(Assignment.unwrap(assignment)));
}

function openedAt(Assignment assignment) pure returns (uint256) {
    return uint40(Assignment.unwrap(assignment) >> 160);
}

function acceptedAt(Assignment assignment) pure returns (uint256) {
    return uint40(Assignment.unwrap(assignment) >> 200);
}

/// @notice The same task, taken by `provider` now.
function takenBy(Assignment assignment, address provider) view returns (Assignment) {
    return
        Assignment.wrap(
            uint160(provider) | (assignment.openedAt() << 160) | (uint256(uint40(block.timestamp)) << 200)
        );
}

/// @notice The same task, with nobody on it.
function vacated(Assignment assignment) pure returns (Assignment) {
    return Assignment.wrap(assignment.openedAt() << 160);
}

// ---- Report ----

/// @dev Reverts with a panic for a number that is no outcome.
function reportedOutcome(Report report) pure returns (Outcome) {
    return Outcome(uint8(Report.unwrap(report)));
}

function secondsUsed(Report report) pure returns (uint256) {
    return Report.unwrap(report) >> 8;
}

// ---- State ----

function status(TaskState state) pure returns (Status) {
    return Status(uint8(TaskState.unwrap(state)));
}

function outcome(TaskState state) pure returns (Outcome) {
    return Outcome(uint8(TaskState.unwrap(state) >> 8));
}

function since(TaskState state) pure returns (uint256) {
    return uint40(TaskState.unwrap(state) >> 16);
}

function feeBps(TaskState state) pure returns (uint256) {
    return uint16(TaskState.unwrap(state) >> 56);
}

function has(TaskState state, uint256 flag) pure returns (bool) {
    return (TaskState.unwrap(state) >> 72) & flag != 0;
}

/// @notice The state after a transition now: fee and flags stay, the clock starts anew, a digest is dropped.
function to(TaskState state, Status status_, Outcome outcome_) view returns (TaskState) {
    return
        TaskState.wrap(
            uint256(status_) |
                (uint256(outcome_) << 8) |
                (uint256(uint40(block.timestamp)) << 16) |
                (TaskState.unwrap(state) & (uint256(type(uint24).max) << 56))
        );
}

/// @notice The digest of a delivery that can be challenged; 0: there is none.
function digestOf(TaskState state) pure returns (uint256) {
    return TaskState.unwrap(state) >> 80;
}

function with(TaskState state, uint256 flag) pure returns (TaskState) {
    return TaskState.wrap(TaskState.unwrap(state) | (flag << 72));
}

function without(TaskState state, uint256 flag) pure returns (TaskState) {
    return TaskState.wrap(TaskState.unwrap(state) & ~(flag << 72));
}

/// @dev The state has no digest yet.
function withDigest(TaskState state, uint256 digest_) pure returns (TaskState) {
    return TaskState.wrap(TaskState.unwrap(state) | (digest_ << 80));
}

/// @notice Hashes, prices and the transition table of tasks: nothing else decides about them.
library Tasks {
    bytes32 internal constant WORK_TYPEHASH = keccak256(
        "Work(uint256 resources,bytes32 payloadHash,string payload,address backup)"
    );

    bytes32 internal constant TASK_TYPEHASH = keccak256(
        "Task(address owner,address provider,uint256 price,uint256 conditions,uint256 assurance,bytes32 salt,Work work)"
        "Work(uint256 resources,bytes32 payloadHash,string payload,address backup)"
    );

    /// @dev What makes a task more than the plain one: a job of a named provider that settles at once.
    uint256 private constant PLAIN_PRICE = (uint256(1) << 192) | type(uint96).max;
    uint256 private constant PLAIN_CONDITIONS = type(uint112).max | (uint256(type(uint32).max) << 152);

    /// @notice Longest time from submission to `completeBy`, and longest lease ahead [s].
    uint256 internal constant MAX_TERM = 30 days;
    /// @notice Longest challenge period [s].
    uint256 internal constant MAX_CHALLENGE = 14 days;
    /// @notice Shortest and longest heartbeat of a lease [s].
    uint256 internal constant MIN_HEARTBEAT = 10;
    uint256 internal constant MAX_HEARTBEAT = 1 days;
    /// @notice Longest notice [s].
    uint256 internal constant MAX_NOTICE = 7 days;
    /// @notice Highest royalty [bps]: with the highest fee it leaves the provider a tenth.
    uint256 internal constant MAX_ROYALTY_BPS = 8_000;
    /// @notice Longest reference of a payload or result [bytes].
    uint256 internal constant MAX_REFERENCE = 256;

    error Tasks_ZeroAmount();
    /// @notice A field does not fit the others, or a bit that has no meaning is set.
    error Tasks_Unsupported(string field);
    /// @notice The times do not follow now <= startBy, startBy + duration <= completeBy <= now + 30 days [s]; of a
    /// lease startBy <= completeBy, and a duration of at most 30 days.
    error Tasks_InvalidSchedule(uint256 now_, uint256 startBy, uint256 completeBy, uint256 duration);
    error Tasks_ReferenceLength(uint256 length, uint256 maximum);
    error Tasks_ZeroHash();
    /// @notice The most that the task can cost exceeds 96 bits [wei].
    error Tasks_CostTooHigh(uint256 cost, uint256 maximum);

    // ---- Hashes (EIP-712) ----

    /// @dev EIP-712 struct hash of the work, for who holds the parts: each access to a text within a struct in
    /// calldata costs 150 gas. `backup` is the zero address where none is named.
    function hashWork(
        Resources resources,
        bytes32 payloadHash,
        string calldata payload,
        address backup
    ) internal pure returns (bytes32 structHash) {
        bytes32 typeHash = WORK_TYPEHASH;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, payload.offset, payload.length)
            let payloadTextHash := keccak256(buffer, payload.length)
            mstore(buffer, typeHash)
            mstore(add(buffer, 0x20), resources)
            mstore(add(buffer, 0x40), payloadHash)
            mstore(add(buffer, 0x60), payloadTextHash)
            mstore(add(buffer, 0x80), backup)
            structHash := keccak256(buffer, 0xa0)
        }
    }

    /// @notice EIP-712 struct hash of the work.
    function hash(Work calldata work, address backup) internal pure returns (bytes32) {
        return hashWork(work.resources, work.payloadHash, work.payload, backup);
    }

    /// @notice EIP-712 struct hash of the task of these terms and the work whose hash is `workHash`.
    function hash(Terms calldata terms, bytes32 workHash) internal pure returns (bytes32 structHash) {
        bytes32 typeHash = TASK_TYPEHASH;
        // The six words of `terms` stand in calldata as EIP-712 encodes them; copying them at once saves 250 gas in
        // every call. Dirty address bits change the hash; {ITaskMarket.submit} reads both
        // addresses and reverts on such bits, so no such task exists.
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, typeHash)
            calldatacopy(add(buffer, 0x20), terms, 0xc0)
            mstore(add(buffer, 0xe0), workHash)
            structHash := keccak256(buffer, 0x100)
        }
    }

    /// @notice What the chain keeps of a delivery that can be challenged: the last 176 bits of the keccak256 of its
    /// three words, so that no storage word of its own is needed. Two deliveries with one digest cost 2^88 hashes.
    function digest(Delivered memory delivered) internal pure returns (uint256) {
        return uint176(uint256(keccak256(abi.encode(delivered))));
    }

    // ---- Validation ----

    /// @notice Reverts unless the terms can be submitted now.
    function validate(Terms calldata terms) internal view {
        Conditions conditions = terms.conditions;
        if (
            (Price.unwrap(terms.price) & ~PLAIN_PRICE) |
                (Conditions.unwrap(conditions) & ~PLAIN_CONDITIONS) |
                uint160(terms.assurance.arbiter()) !=
                0 ||
            terms.provider == address(0)
        ) _validateFeatures(terms);
        uint256 length = conditions.duration();
        if (terms.price.amountWei() == 0 || length == 0) revert Tasks_ZeroAmount();
        // A ledger word must be able to take it back.
        uint256 cost = maximumCost(terms);
        if (cost > type(uint96).max) revert Tasks_CostTooHigh(cost, type(uint96).max);
        uint256 start = conditions.startBy();
        uint256 latest = conditions.completeBy();
        uint256 beforehand = conditions.kind() == uint256(Kind.Lease) ? 0 : length;
        unchecked {
            // 40 bits and 32 bits each: no sum overflows.
            if (
                start < block.timestamp ||
                start + beforehand > latest ||
                latest > block.timestamp + MAX_TERM ||
                length > MAX_TERM
            ) {
                revert Tasks_InvalidSchedule(block.timestamp, start, latest, length);
            }
        }
    }

    /// @dev What a plain task does not have.
    function _validateFeatures(Terms calldata terms) private pure {
        (Price price, Conditions conditions) = (terms.price, terms.conditions);
        bool isLease = conditions.kind() == uint256(Kind.Lease);
        if (conditions.kind() > uint256(Kind.Lease)) revert Tasks_Unsupported("kind");
        if (
            Price.unwrap(price) >> 248 != 0 ||
            uint8(Price.unwrap(price) >> 192) > 1 ||
            (isLease && !price.metered())
        ) revert Tasks_Unsupported("price");
        if (terms.provider == address(0)) {
            // Taking many and doing none has to cost something.
            if (terms.assurance.collateralWei() == 0) revert Tasks_Unsupported("collateral");
            if (price.maximumWei() < price.amountWei()) revert Tasks_Unsupported("maximumWei");
        } else {
            if (price.maximumWei() != 0) revert Tasks_Unsupported("maximumWei");
            if (conditions.isSealed()) revert Tasks_Unsupported("flags");
        }
        if (isLease) {
            uint256 beat = price.heartbeat();
            if (beat < MIN_HEARTBEAT || beat > MAX_HEARTBEAT) revert Tasks_Unsupported("heartbeat");
            if (price.notice() > MAX_NOTICE) revert Tasks_Unsupported("notice");
            if (conditions.challengePeriod() != 0) revert Tasks_Unsupported("challengePeriod");
        } else {
            if (price.heartbeat() | price.notice() != 0) revert Tasks_Unsupported("heartbeat");
            if (conditions.stopsIdle()) revert Tasks_Unsupported("flags");
        }
        if (Conditions.unwrap(conditions) >> 250 != 0) revert Tasks_Unsupported("flags");
        bool isJudged = terms.assurance.arbiter() != address(0);
        if (isJudged != (conditions.challengePeriod() != 0)) revert Tasks_Unsupported("arbiter");
        if (conditions.challengePeriod() > MAX_CHALLENGE) revert Tasks_Unsupported("challengePeriod");
        uint256 royalty = conditions.royaltyBps();
        if (royalty > MAX_ROYALTY_BPS || (royalty != 0 && conditions.model() == 0)) {
            revert Tasks_Unsupported("royaltyBps");
        }
    }

    /// @notice The parts of the work; reverts unless it can be submitted.
    function validate(
        Work calldata work
    ) internal pure returns (Resources resources, bytes32 payloadHash, string calldata payload) {
        (resources, payloadHash, payload) = (work.resources, work.payloadHash, work.payload);
        resources.assertWellFormed();
        assertUri(payload);
        if (payloadHash == 0) revert Tasks_ZeroHash();
    }

    function assertUri(string calldata uri) internal pure {
        uint256 length = bytes(uri).length;
        if (length == 0 || length > MAX_REFERENCE) revert Tasks_ReferenceLength(length, MAX_REFERENCE);
    }

    // ---- Money ----

    /// @notice What a task can cost at most [wei]: this is escrowed.
    function maximumCost(Terms calldata terms) internal pure returns (uint256) {
        uint256 amount = terms.price.maximumWei();
        if (amount == 0) amount = terms.price.amountWei();
        unchecked {
            // 96 bits times 32 bits.
            return terms.price.metered() ? amount * terms.conditions.duration() : amount;
        }
    }

    /// @notice The price of an open task at `time` [s], from its submission at `opened` to `startBy`; rounded down,
    /// against who accepts it.
    function priceAt(Terms calldata terms, uint256 opened, uint256 time) internal pure returns (uint256) {
        uint256 first = terms.price.amountWei();
        uint256 last = terms.price.maximumWei();
        uint256 start = terms.conditions.startBy();
        if (last == 0) return first;
        if (time >= start) return last;
        if (time <= opened) return first;
        unchecked {
            // 96 bits times 40 bits; opened < time < start.
            return first + ((last - first) * (time - opened)) / (start - opened);
        }
    }

    /// @notice What `used` seconds cost at the price of `amount` [wei], never more than {maximumCost}. A fixed price is
    /// due in full for a completed task, and in proportion to the seconds, rounded down, where the owner's own input
    /// ended it.
    /// @dev `used` is at most the duration.
    function charge(
        Terms calldata terms,
        uint256 amount,
        Outcome outcome_,
        uint256 used
    ) internal pure returns (uint256) {
        unchecked {
            // 96 bits times 32 bits; a live task's duration is not 0.
            if (terms.price.metered()) return amount * used;
            return outcome_ == Outcome.Completed ? amount : (amount * used) / terms.conditions.duration();
        }
    }

    // ---- States and outcomes ----

    function newState(Status status_, Outcome outcome_, uint256 feeBps_) internal view returns (TaskState) {
        return
            TaskState.wrap(
                uint256(status_) |
                    (uint256(outcome_) << 8) |
                    (uint256(uint40(block.timestamp)) << 16) |
                    (feeBps_ << 56)
            );
    }

    /// @notice Whether a delivery can carry this outcome.
    function isDelivered(Outcome outcome_) internal pure returns (bool) {
        return outcome_ >= Outcome.Completed && outcome_ <= Outcome.OwnerBadInput;
    }

    /// @notice Whether a provider can decline for this reason.
    function isDecline(Outcome outcome_) internal pure returns (bool) {
        return outcome_ >= Outcome.PayloadMissing && outcome_ <= Outcome.InfrastructureFault;
    }

    /// @notice The side that an outcome is the fault of.
    function faultOf(Outcome outcome_) internal pure returns (Fault) {
        uint256 bit = 1 << uint256(outcome_);
        if (OWNERS_FAULTS & bit != 0) return Fault.Owner;
        return PROVIDERS_FAULTS & bit != 0 ? Fault.Provider : Fault.None;
    }

    uint256 private constant OWNERS_FAULTS =
        (1 << uint256(Outcome.OwnerExitCode)) |
            (1 << uint256(Outcome.OwnerOutOfMemory)) |
            (1 << uint256(Outcome.OwnerTimeLimit)) |
            (1 << uint256(Outcome.OwnerBadInput)) |
            (1 << uint256(Outcome.PayloadMissing)) |
            (1 << uint256(Outcome.PayloadUnreadable)) |
            (1 << uint256(Outcome.PayloadMismatch)) |
            (1 << uint256(Outcome.KeyRevoked)) |
            (1 << uint256(Outcome.KeyWithheld)) |
            (1 << uint256(Outcome.RuledForProvider));

    uint256 private constant PROVIDERS_FAULTS =
        (1 << uint256(Outcome.InfrastructureFault)) |
            (1 << uint256(Outcome.ProviderLate)) |
            (1 << uint256(Outcome.ProviderAbandoned)) |
            (1 << uint256(Outcome.ProviderClosed)) |
            (1 << uint256(Outcome.ProviderDown)) |
            (1 << uint256(Outcome.ProviderNotReady)) |
            (1 << uint256(Outcome.Conceded)) |
            (1 << uint256(Outcome.RuledForOwner));
}
