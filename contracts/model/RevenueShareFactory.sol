// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IRevenueShareFactory} from "../interfaces/IRevenueShareFactory.sol";
import {IRevenueShareToken} from "../interfaces/IRevenueShareToken.sol";

/// @title Maker and list of revenue shares; see {IRevenueShareFactory}.
contract RevenueShareFactory is IRevenueShareFactory {
    /// @inheritdoc IRevenueShareFactory
    bytes32 public immutable override codeHash;

    address[] private _shares;
    /// @inheritdoc IRevenueShareFactory
    mapping(address share => bool) public override isShare;

    constructor(bytes32 codeHash_) {
        codeHash = codeHash_;
    }

    /// @inheritdoc IRevenueShareFactory
    function create(
        bytes calldata creationCode,
        IRevenueShareToken.Settings calldata settings
    ) external override returns (address share) {
        bytes32 found = keccak256(creationCode);
        if (found != codeHash) revert RevenueShareFactory_OtherCode(found, codeHash);
        uint256 number = _shares.length;
        share = Create2.deploy(0, bytes32(number), bytes.concat(creationCode, abi.encode(settings)));
        _shares.push(share);
        isShare[share] = true;
        emit RevenueShareCreated(share, msg.sender, number);
    }

    /// @inheritdoc IRevenueShareFactory
    function count() external view override returns (uint256) {
        return _shares.length;
    }

    /// @inheritdoc IRevenueShareFactory
    function shares(uint256 from, uint256 limit) public view override returns (address[] memory page) {
        uint256 until = Math.min(Math.saturatingAdd(from, limit), _shares.length);
        page = new address[](Math.saturatingSub(until, from));
        for (uint256 i = 0; i < page.length; ++i) page[i] = _shares[from + i];
    }

    /// @inheritdoc IRevenueShareFactory
    function positionsOf(
        address account,
        uint256 from,
        uint256 limit
    ) external view override returns (Entry[] memory entries) {
        address[] memory page = shares(from, limit);
        entries = new Entry[](page.length);
        uint256 found = 0;
        for (uint256 i = 0; i < page.length; ++i) {
            IRevenueShareToken share = IRevenueShareToken(page[i]);
            IRevenueShareToken.Position memory position = share.positionOf(account);
            if (_isEmpty(position)) continue;
            entries[found++] = Entry({share: page[i], tokens: share.tokens(), position: position});
        }
        assembly ("memory-safe") {
            mstore(entries, found)
        }
    }

    function _isEmpty(IRevenueShareToken.Position memory position) private pure returns (bool) {
        if (position.balance != 0) return false;
        for (uint256 i = 0; i < position.claimable.length; ++i) {
            if (position.claimable[i] != 0 || position.credit[i] != 0) return false;
        }
        return true;
    }
}
