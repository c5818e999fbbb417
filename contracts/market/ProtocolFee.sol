// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IProtocolFee} from "../interfaces/IProtocolFee.sol";
import {FeeBook} from "./FeeBook.sol";

/// @title The market's fee; see {IProtocolFee}.
abstract contract ProtocolFee is IProtocolFee, FeeBook, Ownable2Step {
    using SafeCast for uint256;

    // ---- Constants ----

    /// @inheritdoc IProtocolFee
    uint256 public constant override MAX_FEE_BPS = MAX_FEE;
    /// @inheritdoc IProtocolFee
    uint256 public constant override FEE_DELAY = 7 days;

    constructor(address admin) Ownable(admin) {}

    // ---- Change ----

    /// @inheritdoc IProtocolFee
    function scheduleFee(uint256 bps) external override onlyOwner {
        if (bps > MAX_FEE_BPS) revert ProtocolFee_AboveCeiling(bps, MAX_FEE_BPS);
        uint40 effectiveAt = (block.timestamp + FEE_DELAY).toUint40();
        _fee = _fee.scheduled(bps, effectiveAt);
        emit FeeScheduled(bps, effectiveAt);
    }

    /// @inheritdoc IProtocolFee
    function setTreasury(address treasury_) external override onlyOwner {
        if (treasury_ == address(0)) revert ProtocolFee_ZeroTreasury();
        _fee = _fee.withTreasury(treasury_);
        emit TreasuryChanged(treasury_);
    }

    // ---- Views ----

    /// @inheritdoc IProtocolFee
    function feeBps() external view override returns (uint256) {
        return _fee.bpsNow();
    }

    /// @inheritdoc IProtocolFee
    function treasury() external view override returns (address) {
        return _fee.treasury();
    }
}
