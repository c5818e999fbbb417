// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {Test} from "../utils/Test.sol";
import {BridgeHandler} from "./BridgeHandler.sol";

contract VaultBridgeHandler is BridgeHandler {
    constructor() {
        start(Kind.Vault);
    }
}

contract MintingBridgeHandler is BridgeHandler {
    constructor() {
        start(Kind.Minting);
    }
}

/// @notice What holds whatever anybody does at both ends of a bridge, while its attesters are honest.
/// @dev A handler that reverts has seen something wrong: that fails too.
abstract contract BridgeInvariants is Test {
    BridgeHandler internal handler;

    uint256 private _reached;

    function _make() internal virtual returns (BridgeHandler);

    function setUp() public {
        handler = _make();
        targetContract(address(handler));
    }

    /// @dev The invariants say something: the handler gets through to every verb.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 512; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            handler.act(random, random >> 16, uint256(keccak256(abi.encode(random, 1))), random >> 32);
            if (i % 128 != 127) continue;
            this.invariant_I01_I15_everyEndCounts();
            this.invariant_I15_outflowIsLimited();
            handler.closeEverything();
            this.invariant_I01_I15_everyEndCounts();
            for (uint256 k = 0; k <= uint256(type(BridgeHandler.Verb).max); ++k) {
                if (handler.done(BridgeHandler.Verb(k)) != 0) _reached |= 1 << k;
            }
            setUp();
        }
        uint256 all = (2 << uint256(type(BridgeHandler.Verb).max)) - 1;
        // Coming back to what is delivered never does anything.
        all ^= 1 << uint256(BridgeHandler.Verb.DeliverAgain);
        assertEq(_reached, all ^ _never(), "a bit per verb");
    }

    /// @dev What this kind of bridge never comes to: a bit per verb.
    function _never() internal pure virtual returns (uint256) {
        return 0;
    }

    /// @dev What is released was locked, at either end; the ends agree to the wei; what is owed is there.
    /// hardhat-config: default.invariant.runs = 8
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I01_I15_everyEndCounts() external view {
        BridgeHandler.Model memory home = handler.modelOf(false);
        BridgeHandler.Model memory far = handler.modelOf(true);
        IAnkrBridge.Books memory there = handler.sideOf(true).bridge.books();
        IAnkrBridge.Books memory here = handler.sideOf(false).bridge.books();
        assertLe(home.received, home.sent, "I-15 released at home");
        assertLe(far.received, home.sent, "I-15 released far away");
        assertLe(far.sent, far.received, "I-15 sent back");
        uint256 flying = handler.inFlight(true) + handler.inFlight(false);
        assertEq(here.outstanding, there.outstanding + flying, "I-15 the ends differ");
        uint256 owed = here.outstanding + here.waiting + here.claimable + here.fees;
        assertEq(here.liquidity, owed + home.given, "I-1 escrow");
        _checkFar(there, far, here.outstanding);
    }

    function _checkFar(
        IAnkrBridge.Books memory there,
        BridgeHandler.Model memory far,
        uint256 locked
    ) internal view virtual;

    /// hardhat-config: default.invariant.runs = 8
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I15_outflowIsLimited() external view {
        handler.checkWindows(false);
        handler.checkWindows(true);
    }

    /// @dev I-8: everything comes to its end.
    function afterInvariant() external {
        handler.closeEverything();
    }
}

contract VaultBridgeInvariantsTest is BridgeInvariants {
    function _make() internal override returns (BridgeHandler) {
        return new VaultBridgeHandler();
    }

    /// @dev It pays with what it was given and what came in, and its coins are all there.
    function _checkFar(
        IAnkrBridge.Books memory there,
        BridgeHandler.Model memory far,
        uint256
    ) internal pure override {
        assertLe(far.paid, far.given + far.taken, "I-1 vault paid");
        assertEq(there.liquidity, far.given + far.taken - far.paid, "I-1 vault");
        uint256 owed = there.waiting + there.claimable + there.fees;
        assertLe(owed, there.outstanding + far.taken, "I-1 vault owes");
    }
}

contract MintingBridgeInvariantsTest is BridgeInvariants {
    function _make() internal override returns (BridgeHandler) {
        return new MintingBridgeHandler();
    }

    /// @dev What is made can always be paid, so that nothing is claimed.
    function _never() internal pure override returns (uint256) {
        return 1 << uint256(BridgeHandler.Verb.Claim);
    }

    /// @dev What there is of the token, and what is owed of it, is what is outstanding: no more than what is locked.
    function _checkFar(
        IAnkrBridge.Books memory there,
        BridgeHandler.Model memory,
        uint256 locked
    ) internal view override {
        uint256 supply = MockERC20(handler.sideOf(true).token).totalSupply();
        assertEq(supply + there.waiting + there.claimable + there.fees, there.outstanding, "I-15 supply");
        assertLe(supply, locked, "I-15 minted");
    }
}
