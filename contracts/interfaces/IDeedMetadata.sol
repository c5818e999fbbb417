// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What deeds look like
interface IDeedMetadata {
    /// @notice URI of the ERC-721 metadata of a deed of `ownership`, an {IModelOwnership}; empty: this knows nothing of it.
    function deedURI(address ownership, uint256 id) external view returns (string memory);
}
