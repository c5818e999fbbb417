// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Currency} from "../libraries/Currency.sol";
import {HoldingAnkrBridge} from "./HoldingAnkrBridge.sol";

/// @title The home end: locks ANKR, an ERC-20 token of which nothing is assumed but that it moves what it is asked to.
/// @notice What is outstanding is what is locked: no more ever comes back. See {IAnkrBridge}.
contract BridgedAnkrEscrow is HoldingAnkrBridge {
    constructor(Creation memory creation, Currency token) HoldingAnkrBridge(creation, token) {
        if (token.isNative()) revert AnkrBridge_InvalidSetting("token");
    }

    function _isHome() internal pure override returns (bool) {
        return true;
    }
}
