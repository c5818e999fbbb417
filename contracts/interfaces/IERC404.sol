// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @dev Of all functions of {IERC404}, those of ERC-20 and ERC-2612 but `nonces` included.
bytes4 constant IERC404_ID = 0xcaf91ff5;

/// @title The interface of Pandora's ERC-404, second version
/// @notice Amounts and ids share a word: a value above 2^255 is an id. It is no ERC: what calls and decodes by it is the
/// standard. See {IERC404Extras} for what is public besides.
/// @dev `approve` is {erc721Approve} for an id and {erc20Approve} for anything else, `transferFrom` likewise; `transfer` and
/// `balanceOf` are always of amounts; `permit` reverts with `InvalidApproval` where the value is an id.
interface IERC404 is IERC20Metadata, IERC20Permit {
    error NotFound();
    error InvalidTokenId();
    error InvalidRecipient();
    error InvalidOperator();
    error InvalidSpender();
    error RecipientIsERC721TransferExempt();
    error Unauthorized();
    error InvalidApproval();
    error UnsafeRecipient();

    function erc20TotalSupply() external view returns (uint256);

    /// @notice How many ids were ever made, those in the queue included.
    function erc721TotalSupply() external view returns (uint256);

    function erc20BalanceOf(address owner) external view returns (uint256);
    function erc721BalanceOf(address owner) external view returns (uint256);
    function erc721TransferExempt(address account) external view returns (bool);
    function isApprovedForAll(address owner, address operator) external view returns (bool);

    /// @notice All ids of an owner.
    function owned(address owner) external view returns (uint256[] memory);

    /// @notice Reverts with `NotFound` where nobody owns it, with `InvalidTokenId` for what is no id.
    function ownerOf(uint256 id) external view returns (address);
    function tokenURI(uint256 id) external view returns (string memory);

    function erc20Approve(address spender, uint256 value) external returns (bool);
    function erc721Approve(address spender, uint256 id) external;
    function setApprovalForAll(address operator, bool approved) external;

    function erc20TransferFrom(address from, address to, uint256 value) external returns (bool);

    /// @notice Reverts with `RecipientIsERC721TransferExempt` where `to` has said that it wants none.
    function erc721TransferFrom(address from, address to, uint256 id) external;

    /// @notice How many ids wait to be given out again.
    function getERC721QueueLength() external view returns (uint256);

    /// @notice Of those up to `count` after the first `start`; the first one is the next that is given out.
    function getERC721TokensInQueue(uint256 start, uint256 count) external view returns (uint256[] memory);

    /// @notice Gives up the caller's ids and wants none any more, or gets them.
    function setSelfERC721TransferExempt(bool state) external;
    function safeTransferFrom(address from, address to, uint256 id) external;
    function safeTransferFrom(address from, address to, uint256 id, bytes calldata data) external;
}

/// @title What Pandora's contract has public besides its interface
interface IERC404Extras {
    // solhint-disable-next-line func-name-mixedcase
    function ID_ENCODING_PREFIX() external view returns (uint256);

    /// @notice How many of the smallest unit one id stands for.
    function units() external view returns (uint256);

    /// @notice How many ids were ever made.
    function minted() external view returns (uint256);
    function getApproved(uint256 id) external view returns (address);
}
