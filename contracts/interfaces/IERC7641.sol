// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ERC-7641: a token whose holders share a contract's revenue
/// @dev Interface id `0xed7b2e4e`. The standard names no events and no errors.
interface IERC7641 {
    /// @notice Native revenue [wei] of snapshot `snapshotId` that `account` has not claimed.
    function claimableRevenue(address account, uint256 snapshotId) external view returns (uint256);

    /// @notice Pays the caller its part of the revenue of snapshot `snapshotId`, in every revenue token.
    function claim(uint256 snapshotId) external;

    /// @notice Takes a snapshot.
    function snapshot() external returns (uint256);

    /// @notice Native revenue [wei] that burning `amount` would pay.
    function redeemableOnBurn(uint256 amount) external view returns (uint256);

    /// @notice Burns `amount` of the caller's tokens for its part of what is redeemable, in every revenue token.
    function burn(uint256 amount) external;
}

/// @title ERC-7641 AltRevToken: revenue in ERC-20 tokens
/// @dev Interface id `0x5d18f986`.
interface IERC7641AltRevToken {
    /// @notice {IERC7641-claimableRevenue} in `token`, in its smallest unit.
    function claimableERC20(
        address account,
        uint256 snapshotId,
        address token
    ) external view returns (uint256);

    /// @notice {IERC7641-redeemableOnBurn} in `token`, in its smallest unit.
    function redeemableERC20OnBurn(uint256 amount, address token) external view returns (uint256);
}
