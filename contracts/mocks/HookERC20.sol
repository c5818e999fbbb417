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
    bool private _calling;

    /// @notice From now on calls `target` with `data` at `moment` of each transfer; the transfer reverts with it.
    /// Transfers inside the call, and minting, call nobody.
    function setHook(Moment moment, address target, bytes calldata data) external {
        (_moment, _target, _data) = (moment, target, data);
    }

    function _update(address from, address to, uint256 amount) internal override {
        bool hooked = from != address(0) && !_calling;
        if (hooked && _moment == Moment.Before) _call();
        super._update(from, to, amount);
        if (hooked && _moment == Moment.After) _call();
    }

    function _call() private {
        _calling = true;
        (bool success, bytes memory returned) = _target.call(_data);
        _calling = false;
        if (success) return;
        assembly ("memory-safe") {
            revert(add(returned, 0x20), mload(returned))
        }
    }
}
