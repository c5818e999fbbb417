// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes} from "./IDisputes.sol";
import {IEscrow} from "./IEscrow.sol";
import {IFaults} from "./IFaults.sol";
import {ILeases} from "./ILeases.sol";
import {IOrders} from "./IOrders.sol";
import {IProtocolFee} from "./IProtocolFee.sol";
import {ITaskBook} from "./ITaskBook.sol";
import {ITasks} from "./ITasks.sol";
import {ITaskViews} from "./ITaskViews.sol";

/// @title The market for tasks
/// @notice An owner's money is escrowed for one provider; the provider delivers and is paid for what it used, or
/// the owner gets everything back. A task is its terms: its id is their EIP-712 digest, the chain keeps one word.
/// @dev
/// - Every task ends without an admin, and without the other side: the owner can always {ITasks.cancel}, or anyone
///   {ITasks.expire} or {IFaults.fail} it; the provider can always {ITasks.deliver}, {ITasks.decline} or {IFaults.abandon}.
/// - At each second a task has either a provider's verb or a time-out open to everybody, never both: the
///   provider's verbs end with the second of the deadline, the time-outs begin with the next.
/// - Without a challenge period a delivery settles at once, and the owner who doubts it can only order elsewhere. The
///   outcome and the seconds are the provider's word, the seconds bounded by the chain's clock; with a period the
///   owner can dispute both ({IDisputes}).
/// - Ends that are the provider's fault are {IFaults}'.
/// - Signed, sponsored, quoted and open tasks and those with a backup are {IOrders}', leases {ILeases}'.
/// @dev Warning: an owner can cancel until the provider accepts. A provider that runs work before accepting it
/// risks that work.
/// @dev Warning: the provider sees the plain text of what it runs.
/// @dev Warning: the owner names the provider; without collateral it need not be registered, and what it fails to do
/// before it registers is on no record.
/// @dev This is what a market answers to. {TaskMarket} itself has {ITasks}, {IEscrow} and {IProtocolFee}; calls of the
/// others it hands on to the code of its extension, which one contract would be too long for.
interface ITaskMarket is
    ITaskBook,
    ITasks,
    IFaults,
    IOrders,
    ILeases,
    IDisputes,
    ITaskViews,
    IEscrow,
    IProtocolFee
{
    /// @notice Who may schedule the fee and name the treasury, and nothing else.
    function owner() external view returns (address);

    /// @notice Offers that role to `newOwner`, who has to take it by {acceptOwnership}.
    function transferOwnership(address newOwner) external;

    function acceptOwnership() external;

    /// @notice The EIP-712 domain that tasks and quotes are signed for (EIP-5267).
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );
}
