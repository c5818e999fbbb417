// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OpeningProofs} from "../libraries/OpeningProofs.sol";

/// @notice What an arbiter's contract would do with an opening proof.
contract OpeningChecker {
    error OpeningChecker_Invalid();

    /// @notice Whether the proof holds.
    function verify(
        OpeningProofs.Statement calldata statement,
        OpeningProofs.Proof calldata proof
    ) external pure returns (bool) {
        return OpeningProofs.verify(statement, proof);
    }

    /// @notice For a transaction: reverts with {OpeningChecker_Invalid} where it does not hold.
    function requireValid(
        OpeningProofs.Statement calldata statement,
        OpeningProofs.Proof calldata proof
    ) external pure {
        if (!OpeningProofs.verify(statement, proof)) revert OpeningChecker_Invalid();
    }
}
