// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IBridgeGateway} from "./IBridgeGateway.sol";

/// @notice What is used of a Hyperlane mailbox.
interface IMailbox {
    /// @notice The number by which Hyperlane knows this chain; it need not be its id.
    function localDomain() external view returns (uint32);

    /// @notice What {dispatch} takes [wei].
    function quoteDispatch(
        uint32 destinationDomain,
        bytes32 recipient,
        bytes calldata body,
        bytes calldata hookMetadata
    ) external view returns (uint256);

    /// @notice Sends `body` to `recipient`, by the mailbox's own hooks, and returns the message's Hyperlane id.
    function dispatch(
        uint32 destinationDomain,
        bytes32 recipient,
        bytes calldata body,
        bytes calldata hookMetadata
    ) external payable returns (bytes32);
}

/// @title A gateway between two chains that Hyperlane carries messages for (ERC-7786)
/// @notice The mailbox delivers what the gateway's own security module accepts; Hyperlane's relayers bring it, for a fee in
/// coins that the sender pays. Messages and their ids are those of any {IBridgeGateway}.
/// @dev Rules:
/// - The security module is fixed, so that who owns the mailbox does not choose who vouches. One whose validators can change
///   (as Hyperlane's `StorageMessageIdMultisigIsm`) belongs under a timelock.
/// - The value that comes with a message is exactly what the mailbox asks for it at that moment ({IBridgeGateway-quote}).
/// @dev Warning: whoever controls the security module can make any message, and whoever can replace the mailbox's code as
/// well. What they could take is bounded by what receives.
/// @dev Warning: the mailbox's hooks are its owner's. They can refuse messages, or ask for more.
interface IHyperlaneGateway is IBridgeGateway {
    /// @notice A message went out under Hyperlane's own id, by which its explorers and relayers know it.
    event MessageDispatched(bytes32 indexed sendId, bytes32 indexed hyperlaneId);

    error HyperlaneGateway_InvalidSetting(string what);
    error HyperlaneGateway_NotMailbox(address caller);
    /// @notice The mailbox says that it is from another domain, or sender, than the other gateway.
    error HyperlaneGateway_WrongOrigin(uint32 domain, bytes32 sender);

    /// @notice Delivers a message of the other gateway. The mailbox.
    function handle(uint32 origin, bytes32 sender, bytes calldata body) external payable;

    function mailbox() external view returns (IMailbox);

    /// @notice Hyperlane's number of the other chain.
    function peerDomain() external view returns (uint32);

    /// @notice The gas that the relayer is paid for at delivery.
    function deliveryGas() external view returns (uint256);

    /// @notice Who says whether a message was sent (Hyperlane's `ISpecifiesInterchainSecurityModule`).
    function interchainSecurityModule() external view returns (address);
}
