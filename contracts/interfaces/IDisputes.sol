// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Delivered, TaskId, Terms} from "../market/Tasks.sol";

/// @title Deliveries that can be challenged
/// @notice A task with a challenge period names an arbiter. Its delivery is paid when the owner says so or when the
/// period is over; until then the owner can dispute it with a bond. The provider may concede; else the arbiter says
/// which share is due; and if it says nothing by its own deadline, the provider is paid.
/// @dev
/// - Whoever loses pays the arbiter: the owner from its bond, the provider from its collateral; what a collateral does
///   not cover, the bond does.
/// - What a ruling takes of the collateral beyond the arbiter's fee goes to the owner and to the treasury in equal
///   parts: a false accusation that wins still costs the accused more than it brings.
/// - What is lost of the bond beyond the fee goes to the provider, for waiting.
interface IDisputes {
    struct Dispute {
        /// [wei]
        uint96 bondWei;
        /// The arbiter's fee, a part of the bond [wei].
        uint96 feeWei;
        /// The arbiter's last second [s].
        uint40 rulingBy;
        /// Whether the owner made its audit seed public with the dispute.
        bool isSeedShown;
    }

    /// @notice The owner says that the result is wrong.
    /// @param unit The first unit of work that is.
    /// @param auditSeed What the salt of the terms is the hash of; zero where the owner keeps it.
    event TaskDisputed(
        TaskId indexed id,
        address indexed arbiter,
        uint256 unit,
        bytes32 auditSeed,
        uint256 bondWei,
        uint256 feeWei,
        uint256 rulingBy
    );
    /// @notice The dispute ended; `providerBps` [bps] of what the delivery costs went to the provider, `slashedWei`
    /// [wei] of its collateral were taken, `bondBackWei` [wei] of the bond went back.
    event TaskResolved(TaskId indexed id, uint256 providerBps, uint256 slashedWei, uint256 bondBackWei);

    error Disputes_NotArbiter(TaskId id, address caller);
    /// @notice The bond is higher than the caller wants [wei].
    error Disputes_BondTooHigh(uint256 bond, uint256 maximum);
    /// @notice The seed is not the one that the salt is the hash of.
    error Disputes_WrongSeed(TaskId id);

    /// @notice Owner or delegate: disputes a delivery within the challenge period. The bond comes from what is sent
    /// along or the owner's balance.
    /// @param unit The first unit of work that is wrong, counted from 0.
    /// @param auditSeed See {TaskDisputed}.
    /// @param maximumBondWei The most that the owner puts up [wei].
    function dispute(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 unit,
        bytes32 auditSeed,
        uint256 maximumBondWei
    ) external payable;

    /// @notice Provider or operator, for {ITaskViews.concessionWindow} after the dispute began: gives everything back, and
    /// {ITaskViews.CONCEDE_BPS} of its collateral.
    function concede(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external;

    /// @notice Arbiter, after the concession window and until its deadline: `providerBps` [bps] of what the delivery
    /// costs is due; more than 10,000 counts as 10,000.
    function rule(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 providerBps
    ) external;

    /// @notice Anyone, once the arbiter's deadline has passed: the provider is paid, the bond goes back.
    function resolve(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external;
}
