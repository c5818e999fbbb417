// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What checks a proof that work was done right
/// @notice One contract for one computation: which model, which circuit, which parameters are its own, and fixed.
/// @dev An adapter for a generated verifier (EZKL's Halo 2, a Groth16 circuit) takes the instances out of the proof's bytes,
/// checks that they are of these two hashes, and asks it.
interface IVerifier {
    /// @notice Whether `proof` shows that the computation turns an input into an output.
    /// @param inputHash SHA-256 of the input's bytes, as the unit of a delivery has it.
    /// @param outputHash SHA-256 of the output's bytes.
    function verify(bytes32 inputHash, bytes32 outputHash, bytes calldata proof) external view returns (bool);
}
