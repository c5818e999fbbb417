// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRevenueShareToken} from "./IRevenueShareToken.sol";

/// @title Where revenue shares are made and found
/// @notice Every share in its list has the code of {RevenueShareToken}, whoever made it.
/// @dev The code does not fit into another contract's: it comes with each call, and its hash is checked.
/// @dev Warning: anybody makes shares, under any name. That one is listed says how it behaves, not what it earns.
interface IRevenueShareFactory {
    /// @notice A share and where an account stands in it.
    struct Entry {
        address share;
        /// The share's revenue tokens; the amounts of `position` are in their order.
        address[] tokens;
        IRevenueShareToken.Position position;
    }

    event RevenueShareCreated(address indexed share, address indexed creator, uint256 number);

    /// @notice The creation code is not that of {RevenueShareToken}: its hash is another.
    error RevenueShareFactory_OtherCode(bytes32 codeHash, bytes32 expected);

    /// @notice Makes a share. Anyone.
    /// @param creationCode Of {RevenueShareToken}, without constructor arguments.
    function create(
        bytes calldata creationCode,
        IRevenueShareToken.Settings calldata settings
    ) external returns (address share);

    /// @notice Keccak-256 of the creation code.
    function codeHash() external view returns (bytes32);

    /// @notice How many shares there are.
    function count() external view returns (uint256);

    /// @notice Whether `share` was made here.
    function isShare(address share) external view returns (bool);

    /// @notice Up to `limit` shares from number `from` on, oldest first.
    function shares(uint256 from, uint256 limit) external view returns (address[] memory);

    /// @notice Of the `limit` shares from number `from` on, those in which `account` has a balance, a claim or a credit.
    function positionsOf(address account, uint256 from, uint256 limit) external view returns (Entry[] memory);
}
