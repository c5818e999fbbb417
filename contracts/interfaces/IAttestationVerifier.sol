// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What checks that a key was made inside an attested machine
/// @notice The seam for chains whose owners want it there. The owner's client checks the same evidence off chain, at no gas,
/// before it encrypts anything (`src/attestation.ts`, docs/verification.md).
/// @dev Attestation is no substitute for stake or audits: who has the machine can break into it.
interface IAttestationVerifier {
    /// @notice Reads the evidence of one platform; reverts where it does not hold.
    /// @return measurement What ran, as the platform measures it.
    /// @return reportData What the machine put under its signature: keccak256(abi.encode(chain id, key registry, provider,
    /// key epoch, public key)).
    /// @return platform Its kind, numbered by the verifier, which can drop one.
    /// @return validUntil At most 30 days from now [s].
    function verify(
        bytes calldata evidence
    ) external view returns (bytes32 measurement, bytes32 reportData, uint256 platform, uint256 validUntil);
}
