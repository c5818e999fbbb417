// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Bridgeable} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC20Bridgeable.sol";

/// @title ANKR where it is neither at home nor the chain's coin (ERC-20, ERC-2612, ERC-7802)
/// @notice Its bridge alone makes and burns it, and burns only what is the caller's.
contract BridgedAnkr is ERC20Permit, ERC20Bridgeable {
    /// @notice The only one that makes and burns: a {MintingAnkrBridge}.
    address public immutable bridge;

    error BridgedAnkr_NotBridge(address caller);

    constructor(address bridge_) ERC20("Bridged ANKR", "ANKR") ERC20Permit("Bridged ANKR") {
        bridge = bridge_;
    }

    function _checkTokenBridge(address caller) internal view override {
        if (caller != bridge) revert BridgedAnkr_NotBridge(caller);
    }
}
