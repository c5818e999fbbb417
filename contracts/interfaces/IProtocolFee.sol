// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The market's fee
/// @notice A share of what providers are paid, under a ceiling that nobody can lift. A change waits
/// {FEE_DELAY}; a task keeps the fee of the moment it was submitted.
/// @dev The owner of the contract (two-step) can schedule fees and name the treasury, and nothing else: it can
/// neither stop nor touch tasks, balances and stakes.
interface IProtocolFee {
    /// @notice Tasks submitted from `effectiveAt` [s] on pay `bps`.
    event FeeScheduled(uint256 bps, uint40 effectiveAt);
    event TreasuryChanged(address indexed treasury);

    error ProtocolFee_AboveCeiling(uint256 bps, uint256 ceiling);
    error ProtocolFee_ZeroTreasury();

    /// @notice Sets the fee from {FEE_DELAY} on; a change that was waiting is replaced.
    function scheduleFee(uint256 bps) external;

    /// @notice Names the account whose balance receives fees, those due included.
    function setTreasury(address treasury) external;

    /// @notice The fee for tasks submitted now [bps].
    function feeBps() external view returns (uint256);

    function treasury() external view returns (address);

    /// @notice The ceiling [bps].
    function MAX_FEE_BPS() external view returns (uint256);

    /// @notice How long a change waits [s].
    function FEE_DELAY() external view returns (uint256);
}
