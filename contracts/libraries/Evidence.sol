// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @notice What a delivery commits to: its EIP-712 struct hash is the delivery's `evidenceHash`. docs/market.md says how
/// each of it is made.
struct Evidence {
    /// Merkle root of the payload as the provider opened it.
    bytes32 inputRoot;
    /// Merkle root of the result.
    bytes32 resultRoot;
    /// Merkle root over the leaves of the units.
    bytes32 unitsRoot;
    uint256 unitCount;
    /// SHA-256 of what describes the run.
    bytes32 runHash;
    /// keccak256 of the provider's half of a jury's seed.
    bytes32 drawCommit;
}

/// @notice One part of the work that can be checked alone.
struct Unit {
    uint256 index;
    bytes32 inputHash;
    bytes32 outputHash;
    bytes32 stateHash;
    bytes32 sketchHash;
}

using EvidenceLib for Evidence global;
using EvidenceLib for Unit global;

library EvidenceLib {
    bytes32 private constant TYPEHASH = keccak256(
        "Evidence(bytes32 inputRoot,bytes32 resultRoot,bytes32 unitsRoot,uint256 unitCount,bytes32 runHash,bytes32 drawCommit)"
    );

    /// @notice EIP-712 struct hash.
    function hash(Evidence calldata evidence) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, evidence));
    }

    /// @notice Whether it says nothing.
    function isEmpty(Evidence calldata evidence) internal pure returns (bool) {
        bytes32 all = evidence.inputRoot | evidence.resultRoot | evidence.unitsRoot;
        return all | bytes32(evidence.unitCount) | evidence.runHash | evidence.drawCommit == 0;
    }

    /// @notice Whether `branch` leads from the unit to the root of this evidence, its lowest sibling first.
    /// @dev A leaf is the hash of five words and a node of two: none passes for the other.
    function holds(
        Evidence calldata evidence,
        Unit calldata unit,
        bytes32[] calldata branch
    ) internal pure returns (bool) {
        return
            unit.index < evidence.unitCount &&
            MerkleProof.verifyCalldata(branch, evidence.unitsRoot, unit.leaf());
    }

    /// @notice The unit's leaf.
    function leaf(Unit calldata unit) internal pure returns (bytes32) {
        return keccak256(abi.encode(unit));
    }
}
