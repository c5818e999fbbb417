// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Delivered, Terms} from "../market/Tasks.sol";
import {IArbiter} from "./IArbiter.sol";
import {IDisputes} from "./IDisputes.sol";
import {IEscrow} from "./IEscrow.sol";

/// @title One named arbiter
/// @notice An account (a person's, a company's multisig, a court's contract) that decides disputes of whatever tasks
/// name this contract, in any market, for a fee and within a time that nobody can change. It is paid in its balance in
/// the market, by whoever loses.
/// @dev The account is fixed for good: both sides of a task chose it by naming this contract, and a seat that can be
/// handed on can be sold once their terms bind them. A new account is a new contract. A key that is lost is an arbiter
/// that stays silent: the market then pays the provider.
/// @dev Warning: nothing checks what it rules. Owner and provider that name it trust it with the escrow, and the
/// provider with the collateral too: it can take no more than its fee for itself, and give the rest to either side.
/// @dev A market has bounds of its own for {rulingSeconds} ({ITaskViews.bondOf} shows what comes of it): one that is over
/// before the provider can no longer concede is longer there.
interface INamedArbiter is IArbiter {
    error NamedArbiter_ZeroAddress();
    /// @notice The share is more than a task costs [bps].
    error NamedArbiter_FeeTooHigh(uint256 feeBps, uint256 maximum);
    error NamedArbiter_ZeroTime();
    error NamedArbiter_NotArbiter(address caller);

    /// @notice By the arbiter: ends a dispute of `market`; see {IDisputes.rule}, whose refusals pass through.
    /// @param providerBps The share that is due [bps].
    function rule(
        IDisputes market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 providerBps
    ) external;

    /// @notice By the arbiter: sends all that it earned in `market` to `to`.
    /// @return amount [wei]
    function withdraw(IEscrow market, address to) external returns (uint256 amount);

    // ---- Views ----

    /// @notice Who decides.
    function arbiter() external view returns (address);

    /// @notice The fee, as a share of what the task can cost [bps], rounded up.
    function feeBps() external view returns (uint256);

    /// @notice The least fee [wei], but never more than the task can cost.
    function minimumFeeWei() external view returns (uint256);

    /// @notice How long it has to rule [s].
    function rulingSeconds() external view returns (uint256);
}
