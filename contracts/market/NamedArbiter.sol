// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IArbiter} from "../interfaces/IArbiter.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {INamedArbiter} from "../interfaces/INamedArbiter.sol";
import {Delivered, Terms} from "./Tasks.sol";

/// @title One named arbiter; see {INamedArbiter}.
contract NamedArbiter is INamedArbiter {
    // ---- Constants ----

    uint256 private constant BPS = 10_000;

    // ---- Immutables ----

    /// @inheritdoc INamedArbiter
    address public immutable override arbiter;
    /// @inheritdoc INamedArbiter
    uint256 public immutable override feeBps;
    /// @inheritdoc INamedArbiter
    uint256 public immutable override minimumFeeWei;
    /// @inheritdoc INamedArbiter
    uint256 public immutable override rulingSeconds;

    modifier onlyArbiter() {
        if (msg.sender != arbiter) revert NamedArbiter_NotArbiter(msg.sender);
        _;
    }

    /// @param arbiter_ Who decides, for good.
    /// @param feeBps_ Of what a task can cost [bps].
    /// @param minimumFeeWei_ [wei]
    /// @param rulingSeconds_ From the dispute on [s].
    constructor(address arbiter_, uint16 feeBps_, uint96 minimumFeeWei_, uint32 rulingSeconds_) {
        if (arbiter_ == address(0)) revert NamedArbiter_ZeroAddress();
        if (feeBps_ > BPS) revert NamedArbiter_FeeTooHigh(feeBps_, BPS);
        if (rulingSeconds_ == 0) revert NamedArbiter_ZeroTime();
        arbiter = arbiter_;
        feeBps = feeBps_;
        minimumFeeWei = minimumFeeWei_;
        rulingSeconds = rulingSeconds_;
    }

    // ---- Quote ----

    /// @inheritdoc IArbiter
    function quote(uint256 escrowWei) external view override returns (uint256, uint256) {
        uint256 fee = Math.mulDiv(escrowWei, feeBps, BPS, Math.Rounding.Ceil);
        return (Math.min(Math.max(fee, minimumFeeWei), escrowWei), rulingSeconds);
    }

    // ---- Rule ----

    /// @inheritdoc INamedArbiter
    function rule(
        IDisputes market,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered,
        uint256 providerBps
    ) external override onlyArbiter {
        market.rule(terms, workHash, delivered, providerBps);
    }

    // ---- Withdraw ----

    /// @inheritdoc INamedArbiter
    function withdraw(IEscrow market, address to) external override onlyArbiter returns (uint256 amount) {
        amount = market.balanceOf(address(this));
        market.withdrawTo(to, amount);
    }
}
