// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Unit} from "../libraries/Evidence.sol";
import {Delivered, Terms} from "../market/Tasks.sol";
import {IArbiter} from "./IArbiter.sol";
import {ITaskMarket} from "./ITaskMarket.sol";
import {IVerifier} from "./IVerifier.sol";

/// @title An arbiter that believes proofs
/// @notice Terms that name it have a delivery settled as soon as somebody shows a proof that it is right, and a disputed one
/// ruled by that proof, or by its absence. It asks for no fee.
/// @dev What is proven is one unit, which is the whole of the task: its leaf is under the delivery's evidence. That its
/// input is the owner's is what the owner has signed (EIP-712, `Input(bytes32 salt,bytes32 inputHash)`), for the salt of the
/// terms; the signature comes with the payload, and a provider checks it before it takes the task.
interface IProvenArbiter is IArbiter {
    /// @notice What a proof is about, and the proof.
    struct Proven {
        Evidence evidence;
        Unit unit;
        /// Of the owner, over the salt and the unit's input.
        bytes signature;
        bytes proof;
    }

    error ProvenArbiter_ZeroTime();
    error ProvenArbiter_WrongEvidence();
    /// @notice The unit is not the whole of the task, or not under the evidence.
    error ProvenArbiter_WrongUnit();
    /// @notice The owner has signed no such input.
    error ProvenArbiter_WrongSignature();
    error ProvenArbiter_NotProven();
    /// @notice A proof is taken until then [s].
    error ProvenArbiter_TooEarly(uint256 until, uint256 now_);

    /// @notice Anyone, before a dispute: pays a delivery at once that is proven; see {ITasks.settle}.
    function settle(
        ITaskMarket market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        Proven calldata proven
    ) external;

    /// @notice Anyone, in a dispute: rules for the provider of a delivery that is proven; see {IDisputes.rule}.
    function rule(
        ITaskMarket market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        Proven calldata proven
    ) external;

    /// @notice Anyone, in the last {REFUSAL_SECONDS} of a dispute: rules for the owner of a delivery that nobody has proven.
    function refuse(
        ITaskMarket market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external;

    // ---- Views ----

    function verifier() external view returns (IVerifier);

    /// @notice How long a provider has to prove, after its time to concede [s].
    function proofSeconds() external view returns (uint256);

    /// @notice For how long an unproven delivery can be refused, at the end of a dispute [s].
    function REFUSAL_SECONDS() external view returns (uint256);

    /// @notice What an owner signs for an input (EIP-712).
    function inputDigest(bytes32 salt, bytes32 inputHash) external view returns (bytes32);
}
