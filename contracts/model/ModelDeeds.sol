// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC2981} from "@openzeppelin/contracts/interfaces/IERC2981.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {ERC721Utils} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Utils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IDeedMetadata} from "../interfaces/IDeedMetadata.sol";
import {IERC7631Mirror} from "../interfaces/IERC7631.sol";
import {IModelDeeds} from "../interfaces/IModelDeeds.sol";
import {IModelOwnership} from "../interfaces/IModelOwnership.sol";

/// @title Mirror of an ERC-7631 pair: the base knows who has what, this says it as ERC-721; see {IModelDeeds}.
contract ModelDeeds is IModelDeeds {
    // ---- Constants, immutables, storage ----

    uint256 private constant _BPS = 10_000;
    uint256 private constant _MAX_ROYALTY_BPS = 1_000;

    IModelOwnership private immutable _base;
    IDeedMetadata private immutable _onChain;

    /// @inheritdoc IModelDeeds
    IDeedMetadata public override metadata;
    address private _royaltyReceiver;
    uint96 private _royaltyBps;

    /// @dev Made by its base.
    constructor(IDeedMetadata onChain) {
        _base = IModelOwnership(msg.sender);
        _onChain = onChain;
        metadata = onChain;
    }

    modifier onlyBase() {
        if (msg.sender != address(_base)) revert ModelDeeds_NotBase(msg.sender);
        _;
    }

    modifier onlyOwner() {
        if (msg.sender != owner()) revert ModelDeeds_NotOwner(msg.sender);
        _;
    }

    // ---- Transfers ----

    /// @inheritdoc IERC721
    function transferFrom(address from, address to, uint256 tokenId) public override {
        _base.transferDeed(msg.sender, from, to, tokenId);
        emit Transfer(from, to, tokenId);
    }

    /// @inheritdoc IERC721
    function safeTransferFrom(address from, address to, uint256 tokenId) external override {
        safeTransferFrom(from, to, tokenId, "");
    }

    /// @inheritdoc IERC721
    function safeTransferFrom(address from, address to, uint256 tokenId, bytes memory data) public override {
        transferFrom(from, to, tokenId);
        ERC721Utils.checkOnERC721Received(msg.sender, from, to, tokenId, data);
    }

    // ---- Approvals ----

    /// @inheritdoc IERC721
    function approve(address to, uint256 tokenId) external override {
        emit Approval(_base.approveDeed(msg.sender, to, tokenId), to, tokenId);
    }

    /// @inheritdoc IERC721
    function setApprovalForAll(address operator, bool approved) external override {
        if (operator == address(0)) revert ERC721InvalidOperator(operator);
        _base.approveOperator(msg.sender, operator, approved);
        emit ApprovalForAll(msg.sender, operator, approved);
    }

    // ---- What happens at the base ----

    /// @inheritdoc IModelDeeds
    function logTransfers(address from, address to, uint256[] calldata ids) external override onlyBase {
        for (uint256 i = 0; i < ids.length; ++i) emit Transfer(from, to, ids[i]);
    }

    /// @inheritdoc IModelDeeds
    function logApproval(address account, address spender, uint256 id) external override onlyBase {
        emit Approval(account, spender, id);
    }

    /// @inheritdoc IModelDeeds
    function logApprovalForAll(address account, address operator, bool approved) external override onlyBase {
        emit ApprovalForAll(account, operator, approved);
    }

    // ---- Metadata ----

    /// @inheritdoc IModelDeeds
    function setMetadata(IDeedMetadata metadata_) external override onlyOwner {
        if (address(metadata_).code.length == 0) revert ModelDeeds_NoMetadata(address(metadata_));
        metadata = metadata_;
        emit MetadataSet(address(metadata_));
        emit BatchMetadataUpdate(1, type(uint256).max);
    }

    /// @inheritdoc IERC721Metadata
    function tokenURI(uint256 tokenId) external view override returns (string memory) {
        ownerOf(tokenId);
        bytes memory call_ = abi.encodeCall(IDeedMetadata.deedURI, (address(_base), tokenId));
        (bool done, bytes memory answer) = address(metadata).staticcall(call_);
        return
            done && _isText(answer)
                ? abi.decode(answer, (string))
                : _onChain.deedURI(address(_base), tokenId);
    }

    /// @dev Whether it is one string, not empty, as it is encoded: what is not would fail when it is decoded.
    function _isText(bytes memory answer) private pure returns (bool) {
        if (answer.length < 0x40) return false;
        (uint256 offset, uint256 length) = abi.decode(answer, (uint256, uint256));
        return offset == 0x20 && length != 0 && length <= answer.length - 0x40;
    }

    // ---- Royalty ----

    /// @inheritdoc IModelDeeds
    function setRoyalty(address receiver, uint256 bps) external override onlyOwner {
        if (bps > _MAX_ROYALTY_BPS) revert ModelDeeds_RoyaltyTooHigh(bps, _MAX_ROYALTY_BPS);
        if (receiver == address(0) && bps != 0) revert ModelDeeds_ZeroReceiver();
        (_royaltyReceiver, _royaltyBps) = (receiver, uint96(bps));
        emit RoyaltySet(receiver, bps);
    }

    /// @inheritdoc IERC2981
    function royaltyInfo(
        uint256,
        uint256 salePrice
    ) external view override returns (address receiver, uint256 royaltyAmount) {
        return (_royaltyReceiver, Math.mulDiv(salePrice, _royaltyBps, _BPS));
    }

    // ---- Views ----

    /// @inheritdoc IERC721
    function balanceOf(address account) external view override returns (uint256) {
        if (account == address(0)) revert ERC721InvalidOwner(account);
        return _base.erc721BalanceOf(account);
    }

    /// @inheritdoc IERC721
    function ownerOf(uint256 tokenId) public view override returns (address account) {
        account = _base.deedOwnerOf(tokenId);
        if (account == address(0)) revert ERC721NonexistentToken(tokenId);
    }

    /// @inheritdoc IERC721
    function getApproved(uint256 tokenId) external view override returns (address) {
        ownerOf(tokenId);
        return _base.deedApproved(tokenId);
    }

    /// @inheritdoc IERC721
    function isApprovedForAll(address account, address operator) external view override returns (bool) {
        return _base.isApprovedForAll(account, operator);
    }

    /// @inheritdoc IModelDeeds
    function deedsOf(
        address account,
        uint256 offset,
        uint256 limit
    ) external view override returns (uint256[] memory) {
        return _base.deedsOf(account, offset, limit);
    }

    /// @inheritdoc IModelDeeds
    function totalSupply() external view override returns (uint256) {
        return _base.minted() - _base.getERC721QueueLength();
    }

    /// @inheritdoc IERC721Metadata
    function name() external view override returns (string memory) {
        return _base.name();
    }

    /// @inheritdoc IERC721Metadata
    function symbol() external view override returns (string memory) {
        return _base.symbol();
    }

    /// @inheritdoc IModelDeeds
    function owner() public view override returns (address) {
        return Ownable(address(_base)).owner();
    }

    /// @inheritdoc IERC7631Mirror
    function baseERC20() external view override returns (address) {
        return address(_base);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure override returns (bool) {
        return
            id == type(IERC165).interfaceId ||
            id == type(IERC721).interfaceId ||
            id == type(IERC721Metadata).interfaceId ||
            id == type(IERC2981).interfaceId ||
            id == 0x49064906 ||
            id == type(IERC7631Mirror).interfaceId;
    }
}
