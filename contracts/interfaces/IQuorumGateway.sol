// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBridgeGateway} from "./IBridgeGateway.sol";

/// @title A gateway between two chains that a quorum of attesters vouches for (ERC-7786)
/// @notice Attesters that see a message final on the other chain sign it for this one; anybody delivers it with their
/// signatures. See {IBridgeGateway}.
/// @dev Rules:
/// - A quorum is two thirds of the attesters and one more, at least. The set has an epoch, and a signature is for one.
/// - The owner, meant to be a timelock, names a new set. The one before stays good for {OVERLAP}, so that what it has signed
///   can be delivered, unless the guardian has called {distrust}: then nothing is delivered before the next set is named.
/// - Nothing is taken for carrying a message.
/// @dev Warning: a quorum of attesters that lies can make any message. What it could take is bounded by what receives.
interface IQuorumGateway is IBridgeGateway {
    /// @notice Attesters from an epoch on.
    struct Quorum {
        uint64 epoch;
        uint16 threshold;
        /// The set before is good until then [s].
        uint40 overlapUntil;
        bool distrusted;
        address[] attesters;
    }

    event QuorumSet(uint256 indexed epoch, address[] attesters, uint256 threshold, uint256 overlapUntil);
    /// @notice Nothing that the sets through `epoch` sign is good any more.
    event Distrusted(uint256 indexed epoch);
    event GuardianSet(address indexed guardian);

    error QuorumGateway_InvalidQuorum(uint256 attesters, uint256 threshold, uint256 minimum);
    /// @notice Attesters are named in ascending order, each once, and zero is none.
    error QuorumGateway_UnorderedAttesters(address attester);
    error QuorumGateway_NotGuardian(address caller);
    error QuorumGateway_TooFewSignatures(uint256 signatures, uint256 threshold);
    /// @notice The signature is of somebody who is no attester of `epoch`, or not above the one before.
    error QuorumGateway_InvalidSigner(address signer, uint256 epoch);
    /// @notice Signatures for `epoch` are not good any more, or not yet.
    error QuorumGateway_InvalidEpoch(uint256 epoch, uint256 current);
    error QuorumGateway_Distrusted(uint256 epoch);

    /// @notice Delivers `message` with the signatures of a quorum of `epoch`, in ascending order of signers. Anybody.
    /// @param signatures 65 bytes each: r, s, v (EIP-712, `Attestation(bytes32 message,uint64 epoch)` in the domain of
    /// this gateway).
    function deliver(Message calldata message, uint64 epoch, bytes[] calldata signatures) external;

    /// @notice Names the attesters from now on, in ascending order. The owner.
    function setQuorum(address[] calldata attesters, uint16 threshold) external;

    /// @notice Takes all trust from all attesters named so far. The guardian, or the owner.
    function distrust() external;

    /// @notice Names who may distrust. The owner.
    function setGuardian(address guardian) external;

    /// @notice How long a set is good after the next one was named [s].
    // solhint-disable-next-line func-name-mixedcase
    function OVERLAP() external view returns (uint256);

    /// @notice The attesters that sign now.
    function quorum() external view returns (Quorum memory);
    function isAttester(uint256 epoch, address account) external view returns (bool);
    function guardian() external view returns (address);

    /// @notice What attesters of `epoch` sign for a message to this gateway (EIP-712).
    function digestOf(bytes32 message, uint64 epoch) external view returns (bytes32);
}
