// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IArbiter} from "../interfaces/IArbiter.sol";
import {IProvenArbiter} from "../interfaces/IProvenArbiter.sol";
import {ITaskMarket} from "../interfaces/ITaskMarket.sol";
import {IVerifier} from "../interfaces/IVerifier.sol";
import {Delivered, Terms} from "./Tasks.sol";

/// @title An arbiter that believes proofs; see {IProvenArbiter}.
contract ProvenArbiter is IProvenArbiter, EIP712 {
    // ---- Constants ----

    /// @inheritdoc IProvenArbiter
    uint256 public constant override REFUSAL_SECONDS = 1 days;
    uint256 private constant BPS = 10_000;
    /// @dev No market gives a provider longer to concede [s].
    uint256 private constant MAX_CONCESSION = 1 days;
    bytes32 private constant INPUT_TYPEHASH = keccak256("Input(bytes32 salt,bytes32 inputHash)");

    // ---- Immutables ----

    /// @inheritdoc IProvenArbiter
    IVerifier public immutable override verifier;
    /// @inheritdoc IProvenArbiter
    uint256 public immutable override proofSeconds;

    /// @param proofSeconds_ At most 28 days, the market's longest time less two: a longer one the market cuts [s].
    constructor(IVerifier verifier_, uint32 proofSeconds_) EIP712("Neura ProvenArbiter", "1") {
        if (proofSeconds_ == 0 || proofSeconds_ > 28 days) revert ProvenArbiter_ZeroTime();
        (verifier, proofSeconds) = (verifier_, proofSeconds_);
    }

    // ---- Quote ----

    /// @inheritdoc IArbiter
    function quote(uint256) external view override returns (uint256, uint256) {
        return (0, MAX_CONCESSION + proofSeconds + REFUSAL_SECONDS);
    }

    // ---- Proofs ----

    /// @inheritdoc IProvenArbiter
    function settle(
        ITaskMarket market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        Proven calldata proven
    ) external override {
        _requireProven(terms, delivered, proven);
        market.settle(terms, workHash, delivered);
    }

    /// @inheritdoc IProvenArbiter
    function rule(
        ITaskMarket market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        Proven calldata proven
    ) external override {
        _requireProven(terms, delivered, proven);
        market.rule(terms, workHash, delivered, BPS);
    }

    /// @inheritdoc IProvenArbiter
    function refuse(
        ITaskMarket market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external override {
        uint256 rulingBy = market.disputeOf(market.idOf(terms, workHash)).rulingBy;
        uint256 until = Math.saturatingSub(rulingBy, REFUSAL_SECONDS);
        if (block.timestamp <= until) revert ProvenArbiter_TooEarly(until, block.timestamp);
        market.rule(terms, workHash, delivered, 0);
    }

    function _requireProven(
        Terms calldata terms,
        Delivered calldata delivered,
        Proven calldata proven
    ) private view {
        if (proven.evidence.hash() != delivered.evidenceHash) revert ProvenArbiter_WrongEvidence();
        // A tree of one leaf is that leaf.
        if (proven.evidence.unitCount != 1 || proven.evidence.unitsRoot != proven.unit.leaf()) {
            revert ProvenArbiter_WrongUnit();
        }
        bytes32 digest = inputDigest(terms.salt, proven.unit.inputHash);
        if (!SignatureChecker.isValidSignatureNowCalldata(terms.owner, digest, proven.signature)) {
            revert ProvenArbiter_WrongSignature();
        }
        if (!verifier.verify(proven.unit.inputHash, proven.unit.outputHash, proven.proof)) {
            revert ProvenArbiter_NotProven();
        }
    }

    /// @inheritdoc IProvenArbiter
    function inputDigest(bytes32 salt, bytes32 inputHash) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(INPUT_TYPEHASH, salt, inputHash)));
    }
}
