// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockERC20} from "./MockERC20.sol";

/// @notice Says of chosen accounts that they have another balance than they can spend.
contract LyingERC20 is MockERC20 {
    mapping(address account => int256) private _lies;

    /// @notice From now on `balanceOf(account)` is off by `lie`, which may be negative.
    function setLie(address account, int256 lie) external {
        _lies[account] = lie;
    }

    function balanceOf(address account) public view override returns (uint256) {
        return uint256(int256(super.balanceOf(account)) + _lies[account]);
    }
}
