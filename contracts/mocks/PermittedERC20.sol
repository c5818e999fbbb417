// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {MockERC20} from "./MockERC20.sol";

/// @notice A well-behaved token with ERC-2612 permits.
contract PermittedERC20 is MockERC20, ERC20Permit("Mock") {}
