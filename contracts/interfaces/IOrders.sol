// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Outcome, TaskId, Terms, Work} from "../market/Tasks.sol";

/// @title Tasks that are signed, sponsored, quoted, open, or have a backup
/// @notice {ITaskMarket.submit} is the plain way: the owner, or its delegate, pays for a named provider. {order} is
/// the whole one. The owner signs the task's id, which is the EIP-712 digest of its terms, with an account's key or
/// a contract's ERC-1271; an account with EIP-7702 code may sign in either way.
/// @dev
/// - A signature is good for one task, since a task exists once: sending the same order twice pays once. It ends with
///   `startBy`, or when the owner revokes it.
/// - A contract's signature is asked for with {ITaskViews.SIGNATURE_GAS}; a call that leaves less than that reverts.
/// - An open task can be accepted by any provider that is active, fits and has the collateral free, as many at a time
///   as it has slots. Its price rises linearly from its submission to `startBy`.
/// - A sealed task's payload can be read only when its owner has published the key for whoever accepted. Until then
///   both sides leave at no cost; the provider's clock and its collateral's risk begin with the key.
/// @dev Warning: an open task that is not sealed must be encrypted beforehand to those who may take it. Whoever
/// accepts it without being able to read it risks its collateral.
/// @dev Warning: a provider that declines a sealed task it accepted makes it wait for another one; the owner loses
/// time, and as its price goes on rising, up to its maximum.
/// @dev Warning: the owner's signature does not say who pays. Whoever has it may send the order from the owner's balance
/// or pay for it; an owner that wants to be sponsored keeps no balance, and tops up no lease that somebody else pays for.
interface IOrders {
    /// @notice A provider's word that it takes one task: submitting and accepting become one transaction.
    struct Quote {
        /// A place of the provider's: of all quotes with one nonce only the first is good.
        uint256 nonce;
        /// Last second at which it is good [s]; 0: no quote.
        uint40 expiresAt;
        /// Over `Quote(bytes32 task,uint256 nonce,uint256 expiresAt)`, by the provider or its operator.
        bytes signature;
    }

    struct Order {
        Terms terms;
        Work work;
        /// Who may take the task where its provider does not do it; the zero address: nobody.
        address backup;
        /// Whether the sender pays, and gets back what is not spent.
        bool sponsored;
        /// The owner's, over the task's id; empty where the owner or its delegate sends the order.
        bytes signature;
        Quote quote;
    }

    /// @notice `payer` pays for the task of another's, and gets back what is not spent.
    event TaskSponsored(TaskId indexed id, address indexed payer);
    /// @notice `backup` may take the task where its provider does not do it.
    event BackupNamed(TaskId indexed id, address indexed backup);
    /// @notice `provider` took the task that named nobody, or another, at `priceWei` [wei, or wei per second].
    event TaskAssigned(TaskId indexed id, address indexed provider, uint256 priceWei);
    /// @notice The owner published the payload's key for the provider; its clock starts.
    /// @param header The envelope's header, wrapped for that provider.
    event PayloadKeyPublished(TaskId indexed id, bytes header);
    /// @notice The provider of a sealed task left it, for this reason; any provider may take it again.
    event TaskReopened(TaskId indexed id, address indexed provider, Outcome reason);
    event QuotesCancelled(address indexed provider, uint256 word, uint256 mask);

    /// @notice The signature is not the owner's.
    error Orders_BadSignature(TaskId id, address owner);
    /// @notice The quote is not the provider's or its operator's.
    error Orders_BadQuote(TaskId id, address provider);
    error Orders_QuoteExpired(TaskId id, uint256 expiresAt, uint256 now_);
    /// @notice A quote with this nonce was used or cancelled.
    error Orders_QuoteUsed(address provider, uint256 nonce);
    /// @notice The task names its provider, or the backup has to name one: the call is for the other kind.
    error Orders_NotOpen(TaskId id);
    /// @notice Neither the backup nor its operator.
    error Orders_NotBackup(TaskId id, address caller);
    error Orders_HeaderLength(uint256 length, uint256 maximum);

    /// @notice Escrows the most that the task can cost and announces it; with a quote, accepts it at once.
    /// @dev Paid from the owner's balance where its signature or a delegate sends it, from the owner as in
    /// {ITaskMarket.submit} where it sends it itself, from the sender in the same way where it is sponsored.
    function order(Order calldata order_) external payable returns (TaskId id);

    /// @notice Owner: makes a task that was signed and not sent impossible.
    function revokeOrder(Terms calldata terms, bytes32 workHash) external;

    /// @notice Provider: makes its quotes with the nonces `word * 256 + i` impossible for every bit `i` of `mask`.
    function cancelQuotes(uint256 word, uint256 mask) external;

    /// @notice `provider` (or its operator) accepts an open task until `startBy`, at the price of this second.
    function acceptOpen(Terms calldata terms, Work calldata work, address provider) external;

    /// @notice Owner or delegate: publishes the key of a sealed task for the provider that accepted it, until
    /// {ITaskViews.keyWindow} after that.
    /// @param header At most 1,024 bytes.
    function publishPayloadKey(Terms calldata terms, bytes32 workHash, bytes calldata header) external;

    /// @notice The backup (or its operator) takes the task at the same terms: for {ITaskViews.takeOverWindow} after its first
    /// provider gave it up, declined or failed, or after a `startBy` at which it was not accepted.
    function takeOver(Terms calldata terms, Work calldata work, address backup) external;

    /// @notice As {IEscrow.deposit} in a token, with an ERC-2612 permit of the sender's. A permit that fails is
    /// ignored: somebody may have sent it before.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
}
