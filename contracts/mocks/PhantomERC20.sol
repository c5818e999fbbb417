// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockERC20} from "./MockERC20.sol";

/// @notice A token without permits that answers a call of one, and any other that it does not know, as WETH does.
contract PhantomERC20 is MockERC20 {
    fallback() external {}
}
