// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";

/// @title A gateway between two chains that a quorum of attesters vouches for (ERC-7786)
/// @notice Who sends a message here makes a fact on this chain; attesters that see it final sign it for the other chain;
/// anybody delivers it there with their signatures. Messages are delivered once, in any order, and do not expire.
/// @dev Rules:
/// - A quorum is two thirds of the attesters and one more, at least. The set has an epoch, and a signature is for one.
/// - The owner, meant to be a timelock, names a new set. The one before stays good for {OVERLAP}, so that what it has signed
///   can be delivered, unless the guardian has called {distrust}: then nothing is delivered before the next set is named.
/// - A message's id and an attester's signature name both chains and both gateways: it is good for no other deployment.
/// - A message carries no coins, and calls nothing but its recipient's `receiveMessage`.
/// @dev Warning: a quorum of attesters that lies can make any message. What it could take is bounded by what receives.
interface IQuorumGateway is IERC7786GatewaySource {
    /// @notice A message as it was sent.
    struct Message {
        uint256 sourceChain;
        address sourceGateway;
        uint256 nonce;
        address sender;
        uint256 destinationChain;
        address destinationGateway;
        address recipient;
        bytes payload;
    }

    /// @notice Attesters from an epoch on.
    struct Quorum {
        uint64 epoch;
        uint16 threshold;
        /// The set before is good until then [s].
        uint40 overlapUntil;
        bool distrusted;
        address[] attesters;
    }

    /// @notice A message began; {IERC7786GatewaySource-MessageSent} of the same id has its content.
    event MessageNumbered(bytes32 indexed sendId, uint256 indexed nonce);
    event MessageDelivered(bytes32 indexed receiveId, address indexed deliverer);
    event QuorumSet(uint256 indexed epoch, address[] attesters, uint256 threshold, uint256 overlapUntil);
    /// @notice Nothing that the sets through `epoch` sign is good any more.
    event Distrusted(uint256 indexed epoch);
    event GuardianSet(address indexed guardian);

    error QuorumGateway_InvalidQuorum(uint256 attesters, uint256 threshold, uint256 minimum);
    /// @notice Attesters are named in ascending order, each once, and zero is none.
    error QuorumGateway_UnorderedAttesters(address attester);
    error QuorumGateway_NotGuardian(address caller);
    /// @notice The gateway on the other chain is this one itself, nobody, or on this chain.
    error QuorumGateway_InvalidPeer(uint256 chain, address gateway);
    /// @notice Only `chain` can be reached.
    error QuorumGateway_InvalidRecipient(bytes recipient);
    error QuorumGateway_ValueNotCarried(uint256 value);
    /// @notice The message is from, or for, another chain or gateway.
    error QuorumGateway_WrongRoute(bytes32 receiveId);
    error QuorumGateway_AlreadyDelivered(bytes32 receiveId);
    error QuorumGateway_TooFewSignatures(uint256 signatures, uint256 threshold);
    /// @notice The signature is of somebody who is no attester of `epoch`, or not above the one before.
    error QuorumGateway_InvalidSigner(address signer, uint256 epoch);
    /// @notice Signatures for `epoch` are not good any more, or not yet.
    error QuorumGateway_InvalidEpoch(uint256 epoch, uint256 current);
    error QuorumGateway_Distrusted(uint256 epoch);
    /// @notice The recipient did not answer as one that has received.
    error QuorumGateway_Refused(address recipient);

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

    /// @notice The other chain, and the gateway there.
    function peer() external view returns (uint256 chain, address gateway);

    /// @notice The attesters that sign now.
    function quorum() external view returns (Quorum memory);
    function isAttester(uint256 epoch, address account) external view returns (bool);
    function isDelivered(bytes32 receiveId) external view returns (bool);

    /// @notice How many messages were sent.
    function sent() external view returns (uint256);
    function guardian() external view returns (address);

    /// @notice The id of a message, on both chains.
    function idOf(Message calldata message) external pure returns (bytes32);

    /// @notice What attesters of `epoch` sign for a message to this gateway (EIP-712).
    function digestOf(bytes32 message, uint64 epoch) external view returns (bytes32);
}
