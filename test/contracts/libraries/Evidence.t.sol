// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Evidence, Unit} from "../../../contracts/libraries/Evidence.sol";
import {Test} from "../utils/Test.sol";

contract EvidenceTest is Test {
    function holds(
        Evidence calldata evidence,
        Unit calldata unit,
        bytes32[] calldata branch
    ) external pure returns (bool) {
        return evidence.holds(unit, branch);
    }

    function hash(Evidence calldata evidence) external pure returns (bytes32) {
        return evidence.hash();
    }

    /// @dev EIP-712, by its own words.
    function testFuzz_hashIsTheStructs(Evidence memory evidence) external view {
        bytes32 typeHash = keccak256(
            "Evidence(bytes32 inputRoot,bytes32 resultRoot,bytes32 unitsRoot,uint256 unitCount,bytes32 runHash,bytes32 drawCommit)"
        );
        bytes32 expected = keccak256(
            bytes.concat(
                abi.encode(typeHash, evidence.inputRoot, evidence.resultRoot, evidence.unitsRoot),
                abi.encode(evidence.unitCount, evidence.runHash, evidence.drawCommit)
            )
        );
        assertTrue(this.hash(evidence) == expected, "hash");
    }

    /// @dev In a tree of any size each unit is where it is, and nothing else is.
    function testFuzz_holdsOfItsOwnUnits(Unit memory unit, bytes32[] memory branch, uint8 bit) external view {
        vm.assume(branch.length < 30);
        unit.index = bound(unit.index, 0, type(uint128).max);
        bytes32 node = keccak256(abi.encode(unit));
        for (uint256 i = 0; i < branch.length; ++i) {
            (bytes32 a, bytes32 b) = node < branch[i] ? (node, branch[i]) : (branch[i], node);
            node = keccak256(abi.encode(a, b));
        }
        Evidence memory evidence;
        (evidence.unitsRoot, evidence.unitCount) = (node, unit.index + 1);
        assertTrue(this.holds(evidence, unit, branch), "there");
        evidence.unitCount = unit.index;
        assertTrue(!this.holds(evidence, unit, branch), "beyond the last one");
        evidence.unitCount = unit.index + 2;
        unit.index += 1;
        assertTrue(!this.holds(evidence, unit, branch), "another place");
        unit.index -= 1;
        bytes32 flip = bytes32(uint256(1) << bit);
        unit.outputHash ^= flip;
        assertTrue(!this.holds(evidence, unit, branch), "another output");
        unit.outputHash ^= flip;
        unit.stateHash ^= flip;
        assertTrue(!this.holds(evidence, unit, branch), "another state");
        unit.stateHash ^= flip;
        if (branch.length == 0) return;
        branch[0] ^= flip;
        assertTrue(!this.holds(evidence, unit, branch), "another branch");
    }
}
