// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Disputes} from "./Disputes.sol";
import {Faults} from "./Faults.sol";
import {Leases} from "./Leases.sol";
import {Orders} from "./Orders.sol";
import {MarketSettings, TaskBook} from "./TaskBook.sol";
import {TaskViews} from "./TaskViews.sol";

/// @title The code that the market runs for what is not a plain task
/// @notice Faults, orders, leases, disputes and views. The market's address of it never changes, and it has no storage of its own.
contract TaskMarketExtension is Faults, Orders, Leases, Disputes, TaskViews {
    constructor(MarketSettings memory settings) TaskBook(settings) {}
}
