// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {
    IERC7786GatewaySource,
    IERC7786Recipient
} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {IQuorumGateway} from "../interfaces/IQuorumGateway.sol";

/// @title ERC-7786 gateway between two chains; see {IQuorumGateway}.
contract QuorumGateway is IQuorumGateway, EIP712, Ownable2Step, ReentrancyGuardTransient {
    // ---- Constants and immutables ----

    /// @inheritdoc IQuorumGateway
    uint256 public constant override OVERLAP = 1 days;
    uint256 private constant _MAX_ATTESTERS = 32;
    bytes32 private constant _ATTESTATION = keccak256("Attestation(bytes32 message,uint64 epoch)");

    uint256 private immutable _peerChain;
    address private immutable _peer;

    // ---- Storage ----

    // One word: what a delivery has to know of the quorum.
    uint64 private _epoch;
    uint16 private _threshold;
    uint16 private _previousThreshold;
    uint40 private _overlapUntil;
    bool private _distrusted;
    /// @inheritdoc IQuorumGateway
    uint256 public override sent;
    /// @inheritdoc IQuorumGateway
    address public override guardian;
    address[] private _attesters;
    /// @inheritdoc IQuorumGateway
    mapping(uint256 epoch => mapping(address account => bool)) public override isAttester;
    /// @inheritdoc IQuorumGateway
    mapping(bytes32 receiveId => bool) public override isDelivered;

    /// @dev The gateway on the other chain may not be there yet: its address is computed beforehand.
    constructor(
        uint256 peerChain,
        address peer_,
        address[] memory attesters,
        uint16 threshold,
        address owner,
        address guardian_
    ) EIP712("Neura QuorumGateway", "1") Ownable(owner) {
        if (peerChain == block.chainid || peerChain == 0 || peer_ == address(0)) {
            revert QuorumGateway_InvalidPeer(peerChain, peer_);
        }
        _peerChain = peerChain;
        _peer = peer_;
        _setQuorum(attesters, threshold);
        _setGuardian(guardian_);
    }

    // ---- Sending ----

    /// @inheritdoc IERC7786GatewaySource
    function sendMessage(
        bytes calldata recipient,
        bytes calldata payload,
        bytes[] calldata attributes
    ) external payable override returns (bytes32 sendId) {
        if (attributes.length != 0) revert UnsupportedAttribute(bytes4(attributes[0]));
        if (msg.value != 0) revert QuorumGateway_ValueNotCarried(msg.value);
        (bool parsed, uint256 chain, address account) = InteroperableAddress.tryParseEvmV1Calldata(recipient);
        // Bytes behind the address are no part of it.
        bool exact = parsed && recipient.length == 26 + uint8(recipient[4]) && account != address(0);
        if (!exact || chain != _peerChain) revert QuorumGateway_InvalidRecipient(recipient);
        uint256 nonce = ++sent;
        sendId = _idOf(
            Message({
                sourceChain: block.chainid,
                sourceGateway: address(this),
                nonce: nonce,
                sender: msg.sender,
                destinationChain: chain,
                destinationGateway: _peer,
                recipient: account,
                payload: payload
            })
        );
        emit MessageNumbered(sendId, nonce);
        bytes memory sender = InteroperableAddress.formatEvmV1(block.chainid, msg.sender);
        emit MessageSent(sendId, sender, recipient, payload, 0, attributes);
    }

    /// @inheritdoc IERC7786GatewaySource
    function supportsAttribute(bytes4) external pure override returns (bool) {
        return false;
    }

    // ---- Delivery ----

    /// @inheritdoc IQuorumGateway
    function deliver(
        Message calldata message,
        uint64 epoch,
        bytes[] calldata signatures
    ) external override nonReentrant {
        // Check
        bytes32 id = _idOf(message);
        if (
            message.sourceChain != _peerChain ||
            message.sourceGateway != _peer ||
            message.destinationChain != block.chainid ||
            message.destinationGateway != address(this)
        ) revert QuorumGateway_WrongRoute(id);
        if (isDelivered[id]) revert QuorumGateway_AlreadyDelivered(id);
        _checkSignatures(id, epoch, signatures);
        // Effect
        isDelivered[id] = true;
        emit MessageDelivered(id, msg.sender);
        // Interaction
        bytes memory sender = InteroperableAddress.formatEvmV1(message.sourceChain, message.sender);
        bytes4 answer = IERC7786Recipient(message.recipient).receiveMessage(id, sender, message.payload);
        if (answer != IERC7786Recipient.receiveMessage.selector)
            revert QuorumGateway_Refused(message.recipient);
    }

    function _checkSignatures(bytes32 id, uint64 epoch, bytes[] calldata signatures) private view {
        uint256 threshold = _thresholdOf(epoch);
        if (signatures.length < threshold)
            revert QuorumGateway_TooFewSignatures(signatures.length, threshold);
        bytes32 digest = digestOf(id, epoch);
        address last = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            if (signer <= last || !isAttester[epoch][signer])
                revert QuorumGateway_InvalidSigner(signer, epoch);
            last = signer;
        }
    }

    function _thresholdOf(uint256 epoch) private view returns (uint256) {
        uint256 current = _epoch;
        if (_distrusted) revert QuorumGateway_Distrusted(current);
        if (epoch == current) return _threshold;
        if (epoch + 1 != current || block.timestamp > _overlapUntil) {
            revert QuorumGateway_InvalidEpoch(epoch, current);
        }
        return _previousThreshold;
    }

    // ---- Attesters ----

    /// @inheritdoc IQuorumGateway
    function setQuorum(address[] calldata attesters, uint16 threshold) external override onlyOwner {
        _setQuorum(attesters, threshold);
    }

    function _setQuorum(address[] memory attesters, uint16 threshold) private {
        uint256 count = attesters.length;
        uint256 minimum = (2 * count) / 3 + 1;
        if (count == 0 || count > _MAX_ATTESTERS || threshold < minimum || threshold > count) {
            revert QuorumGateway_InvalidQuorum(count, threshold, minimum);
        }
        uint64 epoch = ++_epoch;
        address last = address(0);
        for (uint256 i = 0; i < count; ++i) {
            if (attesters[i] <= last) revert QuorumGateway_UnorderedAttesters(attesters[i]);
            last = attesters[i];
            isAttester[epoch][last] = true;
        }
        // What a distrusted set has signed is not good again because another one follows it.
        bool overlaps = !_distrusted && epoch > 1;
        _overlapUntil = overlaps ? uint40(block.timestamp + OVERLAP) : 0;
        _previousThreshold = _threshold;
        _threshold = threshold;
        _distrusted = false;
        _attesters = attesters;
        emit QuorumSet(epoch, attesters, threshold, _overlapUntil);
    }

    /// @inheritdoc IQuorumGateway
    function distrust() external override {
        if (msg.sender != guardian && msg.sender != owner()) revert QuorumGateway_NotGuardian(msg.sender);
        _distrusted = true;
        _overlapUntil = 0;
        emit Distrusted(_epoch);
    }

    /// @inheritdoc IQuorumGateway
    function setGuardian(address guardian_) external override onlyOwner {
        _setGuardian(guardian_);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    // ---- Views ----

    /// @inheritdoc IQuorumGateway
    function peer() external view override returns (uint256 chain, address gateway) {
        return (_peerChain, _peer);
    }

    /// @inheritdoc IQuorumGateway
    function quorum() external view override returns (Quorum memory) {
        return
            Quorum({
                epoch: _epoch,
                threshold: _threshold,
                overlapUntil: _overlapUntil,
                distrusted: _distrusted,
                attesters: _attesters
            });
    }

    /// @inheritdoc IQuorumGateway
    function idOf(Message calldata message) external pure override returns (bytes32) {
        return _idOf(message);
    }

    function _idOf(Message memory message) private pure returns (bytes32) {
        return keccak256(abi.encode(message));
    }

    /// @inheritdoc IQuorumGateway
    function digestOf(bytes32 message, uint64 epoch) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(_ATTESTATION, message, epoch)));
    }
}
