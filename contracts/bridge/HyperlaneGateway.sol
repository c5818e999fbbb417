// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHyperlaneGateway, IMailbox} from "../interfaces/IHyperlaneGateway.sol";
import {BridgeGateway} from "./BridgeGateway.sol";

/// @title ERC-7786 gateway between two chains over Hyperlane's mailboxes; see {IHyperlaneGateway}.
contract HyperlaneGateway is IHyperlaneGateway, BridgeGateway {
    /// @dev Of Hyperlane's `StandardHookMetadata`.
    uint16 private constant _VARIANT = 1;

    /// @inheritdoc IHyperlaneGateway
    IMailbox public immutable override mailbox;
    /// @inheritdoc IHyperlaneGateway
    uint32 public immutable override peerDomain;
    /// @inheritdoc IHyperlaneGateway
    uint256 public immutable override deliveryGas;
    /// @inheritdoc IHyperlaneGateway
    address public immutable override interchainSecurityModule;

    constructor(
        uint256 peerChain,
        address peer_,
        IMailbox mailbox_,
        uint32 peerDomain_,
        address securityModule,
        uint256 deliveryGas_
    ) BridgeGateway(peerChain, peer_) {
        if (peerDomain_ == mailbox_.localDomain()) revert HyperlaneGateway_InvalidSetting("peerDomain");
        if (securityModule.code.length == 0) revert HyperlaneGateway_InvalidSetting("securityModule");
        if (deliveryGas_ == 0) revert HyperlaneGateway_InvalidSetting("deliveryGas");
        mailbox = mailbox_;
        peerDomain = peerDomain_;
        interchainSecurityModule = securityModule;
        deliveryGas = deliveryGas_;
    }

    function _carry(bytes memory message) internal override {
        uint256 fee = _feeOf(message);
        if (msg.value != fee) revert BridgeGateway_WrongFee(msg.value, fee);
        bytes32 id = mailbox.dispatch{value: fee}(peerDomain, _peerWord(), message, _metadata());
        emit MessageDispatched(keccak256(message), id);
    }

    function _feeOf(bytes memory message) internal view override returns (uint256) {
        return mailbox.quoteDispatch(peerDomain, _peerWord(), message, _metadata());
    }

    function _peerWord() private view returns (bytes32) {
        return bytes32(uint256(uint160(_peer)));
    }

    /// @dev Version, value at delivery, gas at delivery, who gets what was too much: the hooks of a mailbox read it so.
    function _metadata() private view returns (bytes memory) {
        return abi.encodePacked(_VARIANT, uint256(0), deliveryGas, address(this));
    }

    /// @inheritdoc IHyperlaneGateway
    function handle(
        uint32 origin,
        bytes32 sender,
        bytes calldata body
    ) external payable override nonReentrant {
        if (msg.sender != address(mailbox)) revert HyperlaneGateway_NotMailbox(msg.sender);
        if (msg.value != 0) revert BridgeGateway_WrongFee(msg.value, 0);
        // All of the word: its upper bytes are not the address's.
        if (origin != peerDomain || sender != _peerWord())
            revert HyperlaneGateway_WrongOrigin(origin, sender);
        Message memory message = abi.decode(body, (Message));
        _deliver(message, _checkedIdOf(message));
    }
}
