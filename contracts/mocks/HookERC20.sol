// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MockERC20} from "./MockERC20.sol";

/// @notice Calls out in the middle of its transfers, as an ERC-777 token does: whatever it is told to call, before
/// or after the balances change. To re-enter as a party of the contract under test, let it call an {Actor}.
contract HookERC20 is MockERC20 {
    enum Moment {
        Never,
        Before,
        After
    }

    Moment private _moment;
    address private _target;
    bytes private _data;

    /// @notice From now on calls `target` with `data` at `moment` of each transfer; the transfer reverts with it.
    function setHook(Moment moment, address target, bytes calldata data) external {
        (_moment, _target, _data) = (moment, target, data);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (_moment == Moment.Before) _call();
        super._update(from, to, amount);
        if (_moment == Moment.After) _call();
    }

    function _call() private {
        (bool success, bytes memory returned) = _target.call(_data);
        if (success) return;
        assembly ("memory-safe") {
            revert(add(returned, 0x20), mload(returned))
        }
    }
}
