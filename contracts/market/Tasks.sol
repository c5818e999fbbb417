// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Resources} from "../libraries/Resources.sol";

/// @notice EIP-712 digest of a task's terms: names the task on this chain and this market, before it is mined.
type TaskId is bytes32;

/// @notice What is paid, from the lowest bit: `amountWei uint96 | maximumWei uint96 | metered bool`.
/// @dev Metered: `amountWei` is per second; else it is for the whole. `maximumWei` is where the price of an open
/// task ends; 0 while there are none.
type Price is uint256;

/// @notice When, how long, of what kind, for which key and with which model, from the lowest bit:
/// `startBy uint40 [s] | completeBy uint40 [s] | duration uint32 [s] | challengePeriod uint32 [s] | kind uint8 |
/// keyEpoch uint32 | model uint64`.
/// @dev `keyEpoch` is the owner's key to which the result is encrypted, 0: the result is public. `model` is the
/// number of a registered model, 0: none.
type Conditions is uint256;

/// @notice What stands behind it, from the lowest bit: `collateralWei uint96 | arbiter address`.
type Assurance is uint256;

/// @notice What the chain keeps of a task, from the lowest bit:
/// `status uint8 | outcome uint8 | since uint40 [s] | feeBps uint16`; the rest is zero.
/// @dev `since` is when the status was entered. The bits above are kept for the digest of a delivery that can be
/// challenged.
type TaskState is uint256;

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

enum Kind {
    /// Ends with a result.
    Job,
    /// Is kept up for the duration.
    Lease
}

enum Status {
    None,
    Funded,
    Active,
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
    ProviderAbandoned
}

/// @notice The side at fault.
enum Fault {
    None,
    Owner,
    Provider
}

using {amountWei, maximumWei, metered} for Price global;
using {startBy, completeBy, duration, challengePeriod, kind, keyEpoch, model} for Conditions global;
using {collateralWei, arbiter} for Assurance global;
using {status, outcome, since, feeBps, to} for TaskState global;
using {reportedOutcome, secondsUsed} for Report global;
using Tasks for Terms global;
using Tasks for Work global;

// ---- Price ----

function amountWei(Price price) pure returns (uint256) {
    return uint96(Price.unwrap(price));
}

function maximumWei(Price price) pure returns (uint256) {
    return uint96(Price.unwrap(price) >> 96);
}

function metered(Price price) pure returns (bool) {
    return Price.unwrap(price) >> 192 != 0;
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
    return uint64(Conditions.unwrap(conditions) >> 184);
}

// ---- Assurance ----

function collateralWei(Assurance assurance) pure returns (uint256) {
    return uint96(Assurance.unwrap(assurance));
}

function arbiter(Assurance assurance) pure returns (address) {
    return address(uint160(Assurance.unwrap(assurance) >> 96));
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

/// @notice The state after a transition now: the fee stays, the clock starts anew.
function to(TaskState state, Status status_, Outcome outcome_) view returns (TaskState) {
    return Tasks.newState(status_, outcome_, state.feeBps());
}

/// @notice Hashes, prices and the transition table of tasks: nothing else decides about them.
library Tasks {
    bytes32 internal constant WORK_TYPEHASH = keccak256(
        "Work(uint256 resources,bytes32 payloadHash,string payload)"
    );

    bytes32 internal constant TASK_TYPEHASH = keccak256(
        "Task(address owner,address provider,uint256 price,uint256 conditions,uint256 assurance,bytes32 salt,Work work)"
        "Work(uint256 resources,bytes32 payloadHash,string payload)"
    );

    /// @dev The bits of a price that have no meaning yet: `maximumWei`, and all above `metered`.
    uint256 private constant UNSUPPORTED_PRICE = ~((uint256(1) << 192) | type(uint96).max);
    /// @dev The bits of the conditions that have no meaning yet: `challengePeriod`, a lease as `kind`, `model`, and
    /// all above.
    uint256 private constant UNSUPPORTED_CONDITIONS =
        ~(uint256(type(uint112).max) | (uint256(type(uint32).max) << 152));

    /// @notice Longest time from submission to `completeBy` [s].
    uint256 internal constant MAX_TERM = 30 days;
    /// @notice Longest reference of a payload or result [bytes].
    uint256 internal constant MAX_REFERENCE = 256;

    /// @notice No provider is named (open tasks are not offered yet).
    error Tasks_ZeroAddress();
    error Tasks_ZeroAmount();
    /// @notice A field or a bit that has no meaning yet is set.
    error Tasks_Unsupported(string field);
    /// @notice The times do not follow now <= startBy, startBy + duration <= completeBy <= now + 30 days [s].
    error Tasks_InvalidSchedule(uint256 now_, uint256 startBy, uint256 completeBy, uint256 duration);
    error Tasks_ReferenceLength(uint256 length, uint256 maximum);
    error Tasks_ZeroHash();
    /// @notice The most that the task can cost exceeds 96 bits [wei].
    error Tasks_CostTooHigh(uint256 cost, uint256 maximum);

    // ---- Hashes (EIP-712) ----

    /// @notice EIP-712 struct hash of the work.
    function hash(Work calldata work) internal pure returns (bytes32) {
        return hashWork(work.resources, work.payloadHash, work.payload);
    }

    /// @dev As {hash}, for who holds the parts: each access to a text within a struct in calldata costs 150 gas.
    function hashWork(
        Resources resources,
        bytes32 payloadHash,
        string calldata payload
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(WORK_TYPEHASH, resources, payloadHash, keccak256(bytes(payload))));
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

    // ---- Validation ----

    /// @notice Reverts unless the terms can be submitted now.
    function validate(Terms calldata terms) internal view {
        if (terms.provider == address(0)) revert Tasks_ZeroAddress();
        Conditions conditions = terms.conditions;
        if (terms.assurance.arbiter() != address(0)) revert Tasks_Unsupported("arbiter");
        if (Price.unwrap(terms.price) & UNSUPPORTED_PRICE != 0) revert Tasks_Unsupported("price");
        if (Conditions.unwrap(conditions) & UNSUPPORTED_CONDITIONS != 0)
            revert Tasks_Unsupported("conditions");
        uint256 length = conditions.duration();
        if (terms.price.amountWei() == 0 || length == 0) revert Tasks_ZeroAmount();
        // A ledger word must be able to take it back.
        uint256 cost = maximumCost(terms);
        if (cost > type(uint96).max) revert Tasks_CostTooHigh(cost, type(uint96).max);
        uint256 start = conditions.startBy();
        uint256 latest = conditions.completeBy();
        unchecked {
            // 40 bits and 32 bits each: no sum overflows.
            if (start < block.timestamp || start + length > latest || latest > block.timestamp + MAX_TERM) {
                revert Tasks_InvalidSchedule(block.timestamp, start, latest, length);
            }
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
        uint256 amount = terms.price.amountWei();
        unchecked {
            // 96 bits times 32 bits.
            return terms.price.metered() ? amount * terms.conditions.duration() : amount;
        }
    }

    /// @notice What `secondsUsed` cost [wei], never more than {maximumCost}. A fixed price is due in full for a
    /// completed task, and in proportion to the seconds, rounded down, where the owner's own input ended it.
    /// @dev `used` is at most the duration.
    function charge(Terms calldata terms, Outcome outcome_, uint256 used) internal pure returns (uint256) {
        uint256 amount = terms.price.amountWei();
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
        if (outcome_ >= Outcome.OwnerExitCode && outcome_ <= Outcome.PayloadMismatch) return Fault.Owner;
        if (outcome_ == Outcome.KeyRevoked) return Fault.Owner;
        if (outcome_ >= Outcome.InfrastructureFault && outcome_ != Outcome.OwnerCancelled) {
            return outcome_ == Outcome.NotAccepted ? Fault.None : Fault.Provider;
        }
        return Fault.None;
    }
}
