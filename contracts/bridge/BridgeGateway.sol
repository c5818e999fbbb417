// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    IERC7786GatewaySource,
    IERC7786Recipient
} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {IBridgeGateway} from "../interfaces/IBridgeGateway.sol";

/// @title What gateways between two chains have in common; see {IBridgeGateway}.
abstract contract BridgeGateway is IBridgeGateway, ReentrancyGuardTransient {
    uint256 internal immutable _peerChain;
    address internal immutable _peer;

    /// @inheritdoc IBridgeGateway
    uint256 public override sent;
    /// @inheritdoc IBridgeGateway
    mapping(bytes32 receiveId => bool) public override isDelivered;

    /// @dev The gateway on the other chain may not be there yet: its address is computed beforehand.
    constructor(uint256 peerChain, address peer_) {
        if (peerChain == block.chainid || peerChain == 0 || peer_ == address(0)) {
            revert BridgeGateway_InvalidPeer(peerChain, peer_);
        }
        _peerChain = peerChain;
        _peer = peer_;
    }

    // ---- Sending ----

    /// @inheritdoc IERC7786GatewaySource
    function sendMessage(
        bytes calldata recipient,
        bytes calldata payload,
        bytes[] calldata attributes
    ) external payable override returns (bytes32 sendId) {
        if (attributes.length != 0) revert UnsupportedAttribute(bytes4(attributes[0]));
        (bool parsed, uint256 chain, address account) = InteroperableAddress.tryParseEvmV1Calldata(recipient);
        // Bytes behind the address are no part of it.
        bool exact = parsed && recipient.length == 26 + uint8(recipient[4]) && account != address(0);
        if (!exact || chain != _peerChain) revert BridgeGateway_InvalidRecipient(recipient);
        uint256 nonce = ++sent;
        bytes memory message = _encode(nonce, account, payload);
        sendId = keccak256(message);
        emit MessageNumbered(sendId, nonce);
        bytes memory sender = InteroperableAddress.formatEvmV1(block.chainid, msg.sender);
        emit MessageSent(sendId, sender, recipient, payload, 0, attributes);
        _carry(message);
    }

    function _encode(
        uint256 nonce,
        address recipient,
        bytes memory payload
    ) private view returns (bytes memory) {
        return
            abi.encode(
                Message({
                    sourceChain: block.chainid,
                    sourceGateway: address(this),
                    nonce: nonce,
                    sender: msg.sender,
                    destinationChain: _peerChain,
                    destinationGateway: _peer,
                    recipient: recipient,
                    payload: payload
                })
            );
    }

    /// @dev Hands a message, ABI-encoded, to whoever brings it over; reverts unless `msg.value` is what that takes.
    function _carry(bytes memory message) internal virtual;

    /// @dev What that takes [wei].
    function _feeOf(bytes memory message) internal view virtual returns (uint256);

    /// @inheritdoc IBridgeGateway
    function quote(uint256 payloadBytes) external view override returns (uint256) {
        return _feeOf(_encode(sent + 1, _peer, new bytes(payloadBytes)));
    }

    /// @inheritdoc IERC7786GatewaySource
    function supportsAttribute(bytes4) external pure override returns (bool) {
        return false;
    }

    // ---- Delivery ----

    /// @dev The id of `message`, which is from the other gateway, for this one, and was not delivered.
    function _checkedIdOf(Message memory message) internal view returns (bytes32 id) {
        id = _idOf(message);
        if (
            message.sourceChain != _peerChain ||
            message.sourceGateway != _peer ||
            message.destinationChain != block.chainid ||
            message.destinationGateway != address(this)
        ) revert BridgeGateway_WrongRoute(id);
        if (isDelivered[id]) revert BridgeGateway_AlreadyDelivered(id);
    }

    /// @dev Delivers a message that was checked, and for which somebody vouched.
    function _deliver(Message memory message, bytes32 id) internal {
        // Effect
        isDelivered[id] = true;
        emit MessageDelivered(id, msg.sender);
        // Interaction
        bytes memory sender = InteroperableAddress.formatEvmV1(message.sourceChain, message.sender);
        bytes4 answer = IERC7786Recipient(message.recipient).receiveMessage(id, sender, message.payload);
        if (answer != IERC7786Recipient.receiveMessage.selector) {
            revert BridgeGateway_Refused(message.recipient);
        }
    }

    // ---- Views ----

    /// @inheritdoc IBridgeGateway
    function peer() external view override returns (uint256 chain, address gateway) {
        return (_peerChain, _peer);
    }

    /// @inheritdoc IBridgeGateway
    function idOf(Message calldata message) external pure override returns (bytes32) {
        return _idOf(message);
    }

    function _idOf(Message memory message) private pure returns (bytes32) {
        return keccak256(abi.encode(message));
    }
}
