// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockERC20} from "./MockERC20.sol";

/// @notice Shows every account another balance than it can spend, by as much again with each transfer to it.
contract LyingERC20 is MockERC20 {
    int256 private _lie;
    mapping(address account => int256) private _lies;

    /// @notice From now on each transfer changes what the receiver's balance seems by `lie` on top of the amount.
    function setLie(int256 lie) external {
        _lie = lie;
    }

    function balanceOf(address account) public view override returns (uint256) {
        int256 shown = int256(super.balanceOf(account)) + _lies[account];
        return shown < 0 ? 0 : uint256(shown);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        _lies[to] += _lie;
    }
}
