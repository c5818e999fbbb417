// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../market/Tasks.sol";

/// @title Ends that are the provider's fault
/// @notice Everything goes back, and a part of the collateral goes to the owner. Where a backup is named, the escrow
/// waits for it instead.
/// @dev In a market with a token, both need the registry's transfer of what is slashed: while the token is paused they
/// wait, and the escrow with them. Without collateral nothing waits.
interface IFaults {
    /// @notice Provider or operator: gives up an accepted task after {ITaskViews.declineWindow}, until `completeBy`;
    /// {ITaskViews.ABANDON_BPS} of the collateral go to the owner. An open task that is not sealed cannot be declined,
    /// and is given up from its acceptance on.
    function abandon(Terms calldata terms, bytes32 workHash) external;

    /// @notice Anyone: ends a task that was accepted and not delivered by `completeBy`, or a lease that was not ready by
    /// then; the collateral goes to the owner but for {ITaskViews.BOUNTY_BPS} to the caller.
    function fail(Terms calldata terms, bytes32 workHash) external;
}
