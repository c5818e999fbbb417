// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";

import {IDeedMetadata} from "./IDeedMetadata.sol";
import {IERC7631Mirror} from "./IERC7631.sol";

/// @title Deeds to units of a model's ownership (ERC-721, ERC-2981, ERC-4906, mirror of an ERC-7631 pair)
/// @notice Each stands for one unit of {IModelOwnership} in its owner's balance there: who transfers a deed transfers the
/// unit, and who transfers units by ERC-20 gives deeds along. Ids are from 1 up.
/// @dev Warning: an id is no identity. A deed whose unit is broken up goes into a queue and comes back as somebody
/// else's: attach no value to a number.
/// @dev Warning: a single ERC-20 transfer moves at most 128 deeds. Beyond that, deeds that their owner's balance covers no
/// longer have no owner at once, while the log of it follows with {IModelOwnership-releaseUncovered}.
interface IModelDeeds is IERC721Metadata, IERC721Errors, IERC2981, IERC4906, IERC7631Mirror {
    event MetadataSet(address indexed metadata);
    event RoyaltySet(address indexed receiver, uint256 bps);

    /// @notice Only {baseERC20} may.
    error ModelDeeds_NotBase(address caller);
    /// @notice Only the owner of {baseERC20} may.
    error ModelDeeds_NotOwner(address caller);
    error ModelDeeds_RoyaltyTooHigh(uint256 bps, uint256 maximum);
    error ModelDeeds_ZeroReceiver();
    /// @notice There is no contract at `metadata`.
    error ModelDeeds_NoMetadata(address metadata);

    /// @notice The owner of {baseERC20}: markets let it edit how the collection is shown.
    function owner() external view returns (address);

    /// @notice How many deeds there are: those made and not given back.
    function totalSupply() external view returns (uint256);

    /// @notice Up to `limit` deeds of `account`, after its first `offset`. The last one is the first that goes.
    function deedsOf(address account, uint256 offset, uint256 limit) external view returns (uint256[] memory);

    /// @notice Where {tokenURI} comes from.
    function metadata() external view returns (IDeedMetadata);

    /// @notice Takes {tokenURI} from `metadata_`; what that does not know, or fails at, is made on chain. The owner.
    /// @dev Reverts with `ModelDeeds_NotOwner`, `ModelDeeds_NoMetadata`.
    function setMetadata(IDeedMetadata metadata_) external;

    /// @notice Asks markets for `bps` of a deed's price, at most 10 %, for `receiver` (ERC-2981). The owner.
    /// @dev Reverts with `ModelDeeds_NotOwner`, `ModelDeeds_RoyaltyTooHigh`, `ModelDeeds_ZeroReceiver`.
    function setRoyalty(address receiver, uint256 bps) external;

    // ---- The base ----

    /// @notice Logs that `ids` went from `from` to `to`. {baseERC20}.
    function logTransfers(address from, address to, uint256[] calldata ids) external;

    /// @notice Logs an approval that was given at the base. {baseERC20}.
    function logApproval(address account, address spender, uint256 id) external;

    /// @notice Logs an operator that was named at the base. {baseERC20}.
    function logApprovalForAll(address account, address operator, bool approved) external;
}
