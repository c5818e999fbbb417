// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IQuorumGateway} from "../interfaces/IQuorumGateway.sol";
import {BridgeGateway} from "./BridgeGateway.sol";

/// @title ERC-7786 gateway between two chains that attesters vouch for; see {IQuorumGateway}.
contract QuorumGateway is IQuorumGateway, BridgeGateway, EIP712, Ownable2Step {
    // ---- Constants ----

    /// @inheritdoc IQuorumGateway
    uint256 public constant override OVERLAP = 1 days;
    uint256 private constant _MAX_ATTESTERS = 32;
    bytes32 private constant _ATTESTATION = keccak256("Attestation(bytes32 message,uint64 epoch)");

    // ---- Storage ----

    // One word: what a delivery has to know of the quorum.
    uint64 private _epoch;
    uint16 private _threshold;
    uint16 private _previousThreshold;
    uint40 private _overlapUntil;
    bool private _distrusted;
    /// @inheritdoc IQuorumGateway
    address public override guardian;
    address[] private _attesters;
    /// @inheritdoc IQuorumGateway
    mapping(uint256 epoch => mapping(address account => bool)) public override isAttester;

    constructor(
        uint256 peerChain,
        address peer_,
        address[] memory attesters,
        uint16 threshold,
        address owner,
        address guardian_
    ) BridgeGateway(peerChain, peer_) EIP712("Neura QuorumGateway", "1") Ownable(owner) {
        _setQuorum(attesters, threshold);
        _setGuardian(guardian_);
    }

    /// @dev Attesters read the log.
    function _carry(bytes memory) internal override {
        if (msg.value != 0) revert BridgeGateway_WrongFee(msg.value, 0);
    }

    function _feeOf(bytes memory) internal pure override returns (uint256) {
        return 0;
    }

    // ---- Delivery ----

    /// @inheritdoc IQuorumGateway
    function deliver(
        Message calldata message,
        uint64 epoch,
        bytes[] calldata signatures
    ) external override nonReentrant {
        bytes32 id = _checkedIdOf(message);
        _checkSignatures(id, epoch, signatures);
        _deliver(message, id);
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
        if (count > _MAX_ATTESTERS || threshold < minimum || threshold > count) {
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
    function digestOf(bytes32 message, uint64 epoch) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(_ATTESTATION, message, epoch)));
    }
}
