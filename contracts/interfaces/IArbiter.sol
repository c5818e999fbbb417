// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Who decides about disputed deliveries
/// @notice Chosen in the terms, and so accepted by both sides. It learns of a dispute from the market's event, and
/// ends it by {IDisputes.rule}; its fee is then in its balance in the market.
/// @dev The market asks with a bounded amount of gas. An arbiter that does not answer, or answers beyond the bounds,
/// gets no fee and the longest time; it can harm nobody but those who chose it.
interface IArbiter {
    /// @notice What deciding about a task costs that may cost `escrowWei` [wei], and how long it may take.
    /// @return feeWei At most as much as the task itself [wei].
    /// @return rulingSeconds Counted from the dispute, the provider's concession window included [s].
    function quote(uint256 escrowWei) external view returns (uint256 feeWei, uint256 rulingSeconds);
}
