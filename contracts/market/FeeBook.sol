// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProtocolFee} from "../interfaces/IProtocolFee.sol";

/// @notice The fee and where it goes, from the lowest bit:
/// `bps uint16 | nextBps uint16 | effectiveAt uint40 [s] | treasury address`. `nextBps` counts from `effectiveAt` on.
type Fee is uint256;

using {bpsNow, treasury, scheduled, withTreasury} for Fee global;

function bpsNow(Fee fee) view returns (uint256) {
    uint256 word = Fee.unwrap(fee);
    return uint16(block.timestamp < uint40(word >> 32) ? word : word >> 16);
}

function treasury(Fee fee) pure returns (address) {
    return address(uint160(Fee.unwrap(fee) >> 72));
}

/// @notice The fee of now, and `bps` from `effectiveAt` [s] on.
function scheduled(Fee fee, uint256 bps, uint40 effectiveAt) view returns (Fee) {
    return
        Fee.wrap(
            fee.bpsNow() |
                (bps << 16) |
                (uint256(effectiveAt) << 32) |
                (uint256(uint160(fee.treasury())) << 72)
        );
}

function withTreasury(Fee fee, address treasury_) pure returns (Fee) {
    return Fee.wrap(uint72(Fee.unwrap(fee)) | (uint256(uint160(treasury_)) << 72));
}

/// @title What the market's fee is and where it goes; {ProtocolFee} changes both
abstract contract FeeBook {
    // ---- Constants ----

    uint256 internal constant MAX_FEE = 1_000;

    // ---- Storage ----

    Fee internal _fee;

    constructor(address treasury_, uint256 bps) {
        if (treasury_ == address(0)) revert IProtocolFee.ProtocolFee_ZeroTreasury();
        if (bps > MAX_FEE) revert IProtocolFee.ProtocolFee_AboveCeiling(bps, MAX_FEE);
        _fee = Fee.wrap(bps | (bps << 16)).withTreasury(treasury_);
        emit IProtocolFee.FeeScheduled(bps, 0);
        emit IProtocolFee.TreasuryChanged(treasury_);
    }
}
