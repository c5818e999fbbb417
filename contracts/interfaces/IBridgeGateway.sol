// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";

/// @title A gateway between two chains (ERC-7786)
/// @notice Who sends a message here makes a fact on this chain; who vouches for it on the other one is what gateways differ
/// in. Messages are delivered once, in any order, and do not expire.
/// @dev Rules:
/// - A message's id names both chains and both gateways: it is good for no other deployment.
/// - A message carries no coins, and calls nothing but its recipient's `receiveMessage`.
interface IBridgeGateway is IERC7786GatewaySource {
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

    /// @notice A message began; {IERC7786GatewaySource-MessageSent} of the same id has its content.
    event MessageNumbered(bytes32 indexed sendId, uint256 indexed nonce);
    event MessageDelivered(bytes32 indexed receiveId, address indexed deliverer);

    /// @notice The gateway on the other chain is this one itself, nobody, or on this chain.
    error BridgeGateway_InvalidPeer(uint256 chain, address gateway);
    /// @notice Only the other chain can be reached.
    error BridgeGateway_InvalidRecipient(bytes recipient);
    /// @notice The value sent along is not what carrying the message takes [wei].
    error BridgeGateway_WrongFee(uint256 value, uint256 fee);
    /// @notice The message is from, or for, another chain or gateway.
    error BridgeGateway_WrongRoute(bytes32 receiveId);
    error BridgeGateway_AlreadyDelivered(bytes32 receiveId);
    /// @notice The recipient did not answer as one that has received.
    error BridgeGateway_Refused(address recipient);

    /// @notice What a message with `payloadBytes` of payload takes now [wei], to be sent along as value.
    function quote(uint256 payloadBytes) external view returns (uint256);

    /// @notice The other chain, and the gateway there.
    function peer() external view returns (uint256 chain, address gateway);

    /// @notice How many messages were sent.
    function sent() external view returns (uint256);
    function isDelivered(bytes32 receiveId) external view returns (bool);

    /// @notice The id of a message, on both chains.
    function idOf(Message calldata message) external pure returns (bytes32);
}
