// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockERC20} from "./MockERC20.sol";

/// @notice Refuses transfers from and to blocked accounts, and all of them while it is paused, as USDC does.
contract BlocklistERC20 is MockERC20 {
    mapping(address account => bool) public blocked;
    bool public paused;

    error BlocklistERC20_Blocked(address account);
    error BlocklistERC20_Paused();

    function setBlocked(address account, bool blocked_) external {
        blocked[account] = blocked_;
    }

    function setPaused(bool paused_) external {
        paused = paused_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (paused) revert BlocklistERC20_Paused();
        if (blocked[from]) revert BlocklistERC20_Blocked(from);
        if (blocked[to]) revert BlocklistERC20_Blocked(to);
        super._update(from, to, amount);
    }
}
