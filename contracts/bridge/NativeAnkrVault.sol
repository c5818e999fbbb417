// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Currency} from "../libraries/Currency.sol";
import {HoldingAnkrBridge} from "./HoldingAnkrBridge.sol";

/// @title The far end where ANKR is the chain's coin: pays coins out of what it was given, and takes them back
/// @notice What is outstanding is what was announced here and not sent back: coins that never came over the bridge do not
/// leave by it, however many the chain makes. See {IAnkrBridge}.
/// @dev Warning: it pays out of its balance, which a chain's beginning or anybody gives it. With too little there,
/// recipients are credited until there is more.
contract NativeAnkrVault is HoldingAnkrBridge {
    constructor(Creation memory creation) HoldingAnkrBridge(creation, Currency.wrap(address(0))) {}

    /// @notice Coins to pay with.
    receive() external payable {}

    function _isHome() internal pure override returns (bool) {
        return false;
    }
}
