// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC5805} from "@openzeppelin/contracts/interfaces/IERC5805.sol";

import {IDeedMetadata} from "./IDeedMetadata.sol";
import {IERC404, IERC404Extras} from "./IERC404.sol";
import {IERC7631Base, IERC7631BaseNFTSkippable} from "./IERC7631.sol";

/// @title Ownership of a model, in units that have deeds (ERC-20, ERC-2612, ERC-5805, base of an ERC-7631 pair)
/// @notice The balance is the right. Each whole {units} of it has a deed, an ERC-721 token of {mirrorERC721}, which comes
/// and goes with transfers. Votes are the balance, whether it has deeds or not.
/// @dev Rules:
/// - Accounts without code and accounts with a delegation (EIP-7702) get deeds; contracts do not, unless they say so
///   themselves with {setSkipNFT}. An account that got its first deed before it had code keeps getting them. The owner can
///   exempt contracts that have not spoken for themselves, such as a pool whose address held units before it was made.
/// - A transfer brings a deed for each unit that becomes whole, and takes one for each that is broken, the last that came
///   first: from hand to hand where both happen, else out of and into a queue, whose first id is given out first.
/// - It moves at most {AUTO_DEEDS} deeds, so that every transfer fits a transaction. What did not come is made with
///   {materialise}; what did not go is nobody's from then on and released with {releaseUncovered}, by anybody.
/// - A deed that is transferred as such (ERC-721) arrives at any account, a contract too, and takes its unit along.
/// - An amount and an id are never mistaken for each other: ids of the `IERC404` functions are 2^255 + id, and an id has 24
///   bits. All other amounts are amounts, those above 2^255 too.
/// - Transfers to this contract and to the mirror are refused. A transfer of nothing or to oneself changes nothing.
/// - The owner cannot move, take or stop anything. It exempts contracts, and chooses how deeds look.
/// @dev Warning: who approves an operator for all deeds lets it take all whole units.
interface IModelOwnership is IERC404, IERC404Extras, IERC5805, IERC7631Base, IERC7631BaseNFTSkippable {
    /// @notice An amount for an account at the beginning.
    struct Allocation {
        address account;
        uint256 amount;
    }

    /// @notice What is fixed when this is made.
    struct Settings {
        /// Name of the model, at most 31 bytes (the length that an EIP-712 domain is kept with).
        string name;
        string symbol;
        /// SPDX id or URI of the licence, at most 128 bytes; empty: it is not said.
        string licence;
        /// How many of the smallest unit have a deed.
        uint256 unit;
        /// How many may be made in all, below 2^96, with at most 2^24 - 1 whole units.
        uint256 cap;
        /// Whoever may mint up to `cap` in all until `mintUntil`; zero: nobody.
        address minter;
        /// Last second of minting [s].
        uint40 mintUntil;
        /// Whoever may exempt contracts and choose how deeds look.
        address owner;
        /// How deeds look where the owner chooses nothing else.
        IDeedMetadata metadata;
        Allocation[] allocations;
    }

    /// @notice Where an account stands.
    struct Standing {
        uint256 balance;
        /// Whole units of it.
        uint256 wholeUnits;
        /// Deeds that it owns.
        uint256 deeds;
        /// Deeds that it got and its balance covers no longer: they have no owner and wait for {releaseUncovered}.
        uint256 uncovered;
        /// Whether what it receives comes without deeds.
        bool exempt;
        /// Whether it, or the owner of this contract, has said so or the opposite.
        bool spoken;
        /// Whether it has code that is no delegation (EIP-7702).
        bool isContract;
    }

    error ModelOwnership_InvalidSetting(string what);
    error ModelOwnership_NotMinter(address caller);
    error ModelOwnership_MintingOver(uint256 until);
    error ModelOwnership_CapExceeded(uint256 minted, uint256 amount, uint256 cap);
    /// @notice Only contracts are exempted by the owner.
    error ModelOwnership_NotContract(address account);
    /// @notice `account` has said itself whether it wants deeds.
    error ModelOwnership_Spoken(address account);
    /// @notice Only {mirrorERC721} may.
    error ModelOwnership_NotMirror(address caller);

    // ---- Making ----

    /// @notice Mints `amount` to `to`, with deeds as a transfer would. The minter, through {mintUntil}.
    /// @dev Reverts with `ModelOwnership_NotMinter`, `ModelOwnership_MintingOver`, `ModelOwnership_CapExceeded`,
    /// `ERC20InvalidReceiver`.
    function mint(address to, uint256 amount) external;

    // ---- Deeds ----

    /// @notice Makes up to `count` of the deeds that the caller's whole units have not got yet, exempt or not.
    /// @return made How many were: fewer where no more units are without one, or where all ids are given out because
    /// somebody's uncovered deeds were not released.
    function materialise(uint256 count) external returns (uint256 made);

    /// @notice Gives up to `count` of the caller's deeds back, the last that came first. It keeps the units.
    function release(uint256 count) external returns (uint256 released);

    /// @notice Puts up to `count` deeds of `account` that its balance does not cover into the queue. Anybody.
    function releaseUncovered(address account, uint256 count) external returns (uint256 released);

    /// @notice Says for a contract that has not spoken whether what it receives comes without deeds. The owner.
    /// @dev Reverts with `ModelOwnership_NotContract`, `ModelOwnership_Spoken`, `OwnableUnauthorizedAccount`.
    function setExempt(address account, bool exempt) external;

    // ---- The mirror ----

    /// @notice {IERC721-transferFrom} by `operator`. {mirrorERC721}.
    /// @dev Reverts with `ERC721InvalidReceiver`, `ERC721NonexistentToken`, `ERC721IncorrectOwner`,
    /// `ERC721InsufficientApproval`, `ModelOwnership_NotMirror`.
    function transferDeed(address operator, address from, address to, uint256 id) external;

    /// @notice {IERC721-approve} by `operator`. {mirrorERC721}.
    /// @dev Reverts with `ERC721NonexistentToken`, `ERC721InvalidApprover`, `ModelOwnership_NotMirror`.
    function approveDeed(address operator, address spender, uint256 id) external returns (address account);

    /// @notice {IERC721-setApprovalForAll} of `account`. {mirrorERC721}.
    /// @dev Reverts with `ModelOwnership_NotMirror`.
    function approveOperator(address account, address operator, bool approved) external;

    // ---- Views ----

    /// @notice How many deeds a single call moves by itself.
    // solhint-disable-next-line func-name-mixedcase
    function AUTO_DEEDS() external view returns (uint256);

    /// @notice How many may be made in all.
    function cap() external view returns (uint256);
    function minter() external view returns (address);

    /// @notice Last second of minting [s].
    function mintUntil() external view returns (uint256);

    /// @notice SPDX id or URI of the model's licence.
    function licence() external view returns (string memory);

    /// @notice Owner of deed `id` (its id at the mirror); zero: nobody.
    function deedOwnerOf(uint256 id) external view returns (address);

    /// @notice Who may transfer deed `id` besides its owner and the owner's operators; zero: nobody.
    function deedApproved(uint256 id) external view returns (address);

    /// @notice Up to `limit` deeds of `account`, after its first `offset`, by their ids at the mirror.
    function deedsOf(address account, uint256 offset, uint256 limit) external view returns (uint256[] memory);

    /// @notice The id that is given out after `id`, 0: the first, by its id at the mirror; 0: none is. For reading a long
    /// queue in parts.
    function nextInQueue(uint256 id) external view returns (uint256);

    function standingOf(address account) external view returns (Standing memory);
}
