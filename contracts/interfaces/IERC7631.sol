// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ERC-20 side of a dual nature token pair (ERC-7631)
interface IERC7631Base {
    /// @notice The ERC-721 contract whose {IERC7631Mirror-baseERC20} is this one.
    function mirrorERC721() external view returns (address);
}

/// @title Choice of an account whether ERC-20 transfers make and move ERC-721 tokens for it (ERC-7631)
interface IERC7631BaseNFTSkippable {
    event SkipNFTSet(address indexed owner, bool status);

    /// @notice Whether what `owner` receives comes without ERC-721 tokens.
    function getSkipNFT(address owner) external view returns (bool);

    /// @notice Chooses it for the caller.
    function setSkipNFT(bool skipNFT) external;
}

/// @title ERC-721 side of a dual nature token pair (ERC-7631)
interface IERC7631Mirror {
    /// @notice The ERC-20 contract whose {IERC7631Base-mirrorERC721} is this one.
    function baseERC20() external view returns (address);
}
