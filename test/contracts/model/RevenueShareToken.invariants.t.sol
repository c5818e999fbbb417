// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {BlocklistERC20} from "../../../contracts/mocks/BlocklistERC20.sol";
import {DecimalsERC20} from "../../../contracts/mocks/DecimalsERC20.sol";
import {FeeERC20} from "../../../contracts/mocks/FeeERC20.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {LyingERC20} from "../../../contracts/mocks/LyingERC20.sol";
import {OddERC20} from "../../../contracts/mocks/OddERC20.sol";
import {Test} from "../utils/Test.sol";
import {ShareHandler} from "./ShareHandler.sol";
import {ShareModel} from "./ShareModel.sol";

/// @dev Revenue in the native coin, in one honest token and in five that are not.
contract HostileShareHandler is ShareHandler {
    constructor() {
        vm.warp(START + PERIOD / 2);
        addToken(NATIVE, Kind.Clean);
        addToken(address(new DecimalsERC20(6)), Kind.Clean);
        addToken(address(new BlocklistERC20()), Kind.Blocklist);
        addToken(address(new FeeERC20()), Kind.Fee);
        addToken(address(new HookERC20()), Kind.Hook);
        addToken(address(new LyingERC20()), Kind.Lying);
        addToken(address(new OddERC20()), Kind.Odd);
        open(PERIOD, 7_001, 1e27, 1e27 + 1e24, START + 30 * PERIOD, 1);
    }
}

/// @notice What holds whatever anybody does with a share, and whatever its revenue tokens do.
/// @dev A handler that reverts has seen something wrong: that fails too.
contract RevenueShareTokenInvariantsTest is Test {
    HostileShareHandler private _handler;
    IRevenueShareToken private _share;
    ShareModel private _model;

    /// What only grows, as it was last seen.
    mapping(bytes32 => uint256) private _seen;

    function setUp() public {
        _handler = new HostileShareHandler();
        (_share, _model) = (_handler.theShare(), _handler.model());
        targetContract(address(_handler));
    }

    /// @dev The invariants say something: the handler gets through to every verb, and tokens and receivers misbehave.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 768; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            _handler.act(random, random >> 16, uint256(keccak256(abi.encode(random, 1))), random >> 32);
            if (i % 64 != 63) continue;
            _handler.compareEverything();
            this.invariant_I01_I12_I19_everythingIsCovered();
            _handler.closeEverything();
            _remember();
            setUp();
        }
        assertEq(_reached, (2 << uint256(type(ShareHandler.Verb).max)) - 1, "a bit per verb");
        assertEq(_odd, 0xff, "a bit per misbehaviour");
    }

    uint256 private _reached;
    uint256 private _odd;

    function _remember() private {
        for (uint256 i = 0; i <= uint256(type(ShareHandler.Verb).max); ++i) {
            if (_handler.done(ShareHandler.Verb(i)) != 0) _reached |= 1 << i;
        }
        for (uint256 i = 0; i <= uint256(type(ShareHandler.Kind).max); ++i) {
            if (_handler.misbehaved(ShareHandler.Kind(i)) != 0) _odd |= 1 << i;
        }
        if (_handler.credited() != 0) _odd |= 1 << 6;
        if (_handler.entered() != 0) _odd |= 1 << 7;
    }

    // ---- Money ----

    /// @dev What is held is what is pending, redeemable, claimable and credited, and dust; it is there.
    /// hardhat-config: default.invariant.runs = 24
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I01_I12_I19_everythingIsCovered() external view {
        uint256 count = _handler.tokenCount();
        uint256[] memory claimable = new uint256[](count);
        uint256 balances = 0;
        uint256 shares = 0;
        for (uint256 k = 0; k < _handler.ACCOUNTS(); ++k) {
            IRevenueShareToken.Position memory position = _share.positionOf(_handler.accounts(k));
            for (uint256 i = 0; i < count; ++i) claimable[i] += position.claimable[i];
            balances += position.balance;
            if (!position.excluded) shares += position.balance;
        }
        assertEq(_share.totalSupply(), balances, "I-12 supply");
        assertEq(_share.eligibleSupply(), shares, "I-12 eligible supply");
        uint256 dust = _handler.ACCOUNTS() * _model.paymentCount();
        for (uint256 i = 0; i < count; ++i) {
            address token = _handler.revenueTokens(i);
            IRevenueShareToken.Funds memory funds = _share.fundsOf(token);
            uint256 owed = funds.pending + funds.redeemable + claimable[i] + _handler.creditsOf(token);
            assertLe(owed, funds.held, "I-1 held");
            // What is the beneficiary's is credited with the next call.
            if (_share.redemptionSupply() != 0) {
                assertLe(funds.held, owed + dust + _model.unowned(token), "I-19 dust");
            }
            if (!_handler.isHonest(i)) continue;
            address share = address(_share);
            uint256 there = i == 0 ? share.balance : DecimalsERC20(token).balanceOf(share);
            assertLe(funds.held, there, "I-1 solvent");
        }
    }

    /// @dev Nobody gets of a snapshot what another has, and all of them no more than there is.
    /// hardhat-config: default.invariant.runs = 24
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I12_I13_snapshotsPayWhatTheyHave() external view {
        uint256 number = _handler.steps() % _handler.tokenCount();
        address token = _handler.revenueTokens(number);
        uint256 id = _model.snapshotOfPayment(_handler.steps() % 8);
        uint256 sum = 0;
        for (uint256 k = 0; k < _handler.ACCOUNTS(); ++k) {
            address account = _handler.accounts(k);
            sum +=
                number == 0
                    ? _share.claimableRevenue(account, id)
                    : _share.claimableERC20(account, id, token);
        }
        assertLe(sum, _model.poolOf(token, id), "I-12 pool");
        uint256 all = _share.totalSupply();
        assertLe(_redeemable(all, number), _model.redeemablePool(token), "I-13 pool");
        (uint256 x, uint256 y) = (all / 3, all / 2);
        assertLe(
            _redeemable(x, number) + _redeemable(y, number),
            _redeemable(x + y, number),
            "I-13 in two parts"
        );
    }

    function _redeemable(uint256 amount, uint256 number) private view returns (uint256) {
        if (number == 0) return _share.redeemableOnBurn(amount);
        return _share.redeemableERC20OnBurn(amount, _handler.revenueTokens(number));
    }

    /// hardhat-config: default.invariant.runs = 24
    /// hardhat-config: invariant.failOnRevert = true
    function invariant_I10_onlyGrows() external {
        _grows("id", address(0), _share.lastSnapshot());
        _grows("minted", address(0), _model.minted());
        assertLe(_model.minted(), _share.cap(), "I-10 minted above the cap");
        uint256 there = _share.totalSupply() + _share.away();
        assertLe(there, _model.minted(), "more than was minted");
        for (uint256 k = 0; k < _handler.ACCOUNTS(); ++k) {
            address account = _handler.accounts(k);
            _grows("claimed", account, _share.positionOf(account).claimedThrough);
        }
    }

    function _grows(string memory what, address account, uint256 value) private {
        bytes32 key = keccak256(abi.encode(what, account));
        assertLe(_seen[key], value, what);
        _seen[key] = value;
    }

    /// @dev I-19: everybody claims, burns and withdraws, and only dust is left.
    function afterInvariant() external {
        _handler.closeEverything();
    }
}
