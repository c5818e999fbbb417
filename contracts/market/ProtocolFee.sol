// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IProtocolFee} from "../interfaces/IProtocolFee.sol";

/// @title The market's fee; see {IProtocolFee}.
abstract contract ProtocolFee is IProtocolFee, Ownable2Step {
    using SafeCast for uint256;

    // ---- Types ----

    struct Fee {
        uint16 bps;
        uint16 nextBps;
        uint40 effectiveAt;
        address treasury;
    }

    // ---- Constants ----

    /// @inheritdoc IProtocolFee
    uint256 public constant override MAX_FEE_BPS = 1_000;
    /// @inheritdoc IProtocolFee
    uint256 public constant override FEE_DELAY = 7 days;

    // ---- Storage ----

    /// @dev One word, so that reading the fee is one storage read.
    Fee private _fee;

    constructor(address admin, address treasury_, uint256 bps) Ownable(admin) {
        if (treasury_ == address(0)) revert ProtocolFee_ZeroTreasury();
        if (bps > MAX_FEE_BPS) revert ProtocolFee_AboveCeiling(bps, MAX_FEE_BPS);
        _fee = Fee({bps: bps.toUint16(), nextBps: bps.toUint16(), effectiveAt: 0, treasury: treasury_});
        emit FeeScheduled(bps, 0);
        emit TreasuryChanged(treasury_);
    }

    // ---- Change ----

    /// @inheritdoc IProtocolFee
    function scheduleFee(uint256 bps) external override onlyOwner {
        if (bps > MAX_FEE_BPS) revert ProtocolFee_AboveCeiling(bps, MAX_FEE_BPS);
        uint40 effectiveAt = (block.timestamp + FEE_DELAY).toUint40();
        _fee.bps = feeBps().toUint16();
        _fee.nextBps = bps.toUint16();
        _fee.effectiveAt = effectiveAt;
        emit FeeScheduled(bps, effectiveAt);
    }

    /// @inheritdoc IProtocolFee
    function setTreasury(address treasury_) external override onlyOwner {
        if (treasury_ == address(0)) revert ProtocolFee_ZeroTreasury();
        _fee.treasury = treasury_;
        emit TreasuryChanged(treasury_);
    }

    // ---- Views ----

    /// @inheritdoc IProtocolFee
    function feeBps() public view override returns (uint256) {
        Fee memory fee = _fee;
        return block.timestamp < fee.effectiveAt ? fee.bps : fee.nextBps;
    }

    /// @inheritdoc IProtocolFee
    function treasury() public view override returns (address) {
        return _fee.treasury;
    }
}
