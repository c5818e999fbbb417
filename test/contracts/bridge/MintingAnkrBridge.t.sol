// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC7802} from "@openzeppelin/contracts/interfaces/draft-IERC7802.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {BridgeFungible} from "@openzeppelin/contracts/crosschain/bridges/abstract/BridgeFungible.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";

import {BridgedAnkr} from "../../../contracts/bridge/BridgedAnkr.sol";
import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IBridgeGateway} from "../../../contracts/interfaces/IBridgeGateway.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

contract MintingAnkrBridgeTest is BridgeTest {
    IAnkrBridge private _bridge;
    BridgedAnkr private _token;

    function setUp() external {
        begin(Kind.Minting);
        open(address(new MockERC20()), address(0), address(0));
        _bridge = far.bridge;
        _token = BridgedAnkr(far.token);
        vm.chainId(FAR_CHAIN);
    }

    // ---- The token ----

    function test_tokenIsWhatItSays() external view {
        assertEq(bytes(_token.name()), "Bridged ANKR", "name");
        assertEq(bytes(_token.symbol()), "ANKR", "symbol");
        assertEq(_token.decimals(), 18, "decimals");
        assertEq(_token.bridge(), address(_bridge), "bridge");
        assertEq(_token.totalSupply(), 0, "supply");
        assertTrue(_token.supportsInterface(type(IERC7802).interfaceId), "ERC-7802");
        assertTrue(_token.supportsInterface(type(IERC165).interfaceId), "ERC-165");
        assertEq(_bridge.currency(), address(_token), "currency");
        assertEq(_bridge.books().liquidity, type(uint256).max, "liquidity");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_A40_RevertWhen_AnotherMakesOrBurns(
        address caller,
        address whose,
        uint96 amount
    ) external {
        vm.assume(caller != address(_bridge) && caller != address(vm));
        arrive(far, 1, BOB, 1_000 ether, ACCOUNT);
        bytes memory reason = abi.encodeWithSelector(BridgedAnkr.BridgedAnkr_NotBridge.selector, caller);
        refuse(address(_token), caller, abi.encodeCall(_token.crosschainMint, (whose, amount)), reason);
        refuse(address(_token), caller, abi.encodeCall(_token.crosschainBurn, (whose, amount)), reason);
        assertEq(_token.balanceOf(BOB), 1_000 ether, "kept");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_permits(uint256 key, uint96 amount) external {
        key = bound(key, 1, type(uint128).max);
        address owner = vm.addr(key);
        bytes32 permit = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                owner,
                BOB,
                amount,
                0,
                vm.getBlockTimestamp()
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(bytes2(0x1901), _token.DOMAIN_SEPARATOR(), permit));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        _token.permit(owner, BOB, amount, vm.getBlockTimestamp(), v, r, s);
        assertEq(_token.allowance(owner, BOB), amount, "allowance");
    }

    // ---- The bridge ----

    function test_RevertWhen_TokenIsAnothers() external {
        address token = create("contracts/bridge/BridgedAnkr.sol:BridgedAnkr", abi.encode(far.bridge));
        far.token = token;
        bytes memory code = codeOfFar(creationOf(far, address(0)));
        bytes4 why = IAnkrBridge.AnkrBridge_InvalidSetting.selector;
        bytes memory data = abi.encodeCall(maker.make, (code));
        refuse(address(maker), address(this), data, abi.encodeWithSelector(why, "token"));
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_makesAndBurns(uint96 came, uint96 goes, address to, bool other) external {
        vm.assume(to != address(0) && to != address(home.bridge));
        uint256 there = bound(came, 1 ether, 1_000 ether);
        vm.expectEmit(address(_bridge));
        emit IAnkrBridge.Received(transferTo(far, 1), ALICE, BOB, there, ACCOUNT);
        vm.expectEmit(address(_token));
        emit IERC7802.CrosschainMint(BOB, there, address(_bridge));
        vm.expectEmit(address(_bridge));
        emit IAnkrBridge.Paid(transferTo(far, 1), BOB, there, ACCOUNT);
        arrive(far, 1, BOB, there, ACCOUNT);
        assertEq(_token.balanceOf(BOB), there, "made");
        assertBooks(far, there, 0, 0, 0);

        uint256 amount = bound(goes, 0.5 ether, there);
        uint256 left = amount - 0.25 ether;
        bytes32 id = idOf(messageTo(home, 1, payloadOf(1, BOB, to, left, ACCOUNT)));
        vm.expectEmit(address(_token));
        emit IERC7802.CrosschainBurn(BOB, amount, address(_bridge));
        vm.expectEmit(address(_bridge));
        emit IAnkrBridge.Sent(transferFrom(far, 1), BOB, to, 1, left, 0.25 ether, ACCOUNT, id);
        vm.prank(BOB);
        if (other) {
            bytes memory account = InteroperableAddress.formatEvmV1(HOME_CHAIN, to);
            assertTrue(BridgeFungible(address(_bridge)).crosschainTransfer(account, amount) == id, "id");
        } else {
            assertTrue(_bridge.send(to, amount, ACCOUNT) == transferFrom(far, 1), "transfer");
        }
        assertEq(_token.balanceOf(BOB), there - amount, "burnt");
        assertBooks(far, there - left, 0, 0, 0.25 ether);
        // The fee is made again: what is outstanding is all there is.
        assertEq(_token.totalSupply() + 0.25 ether, there - left, "I-15 supply");
        assertEq(_bridge.collectFees(), 0.25 ether, "fees");
        assertEq(_token.balanceOf(FEES), 0.25 ether, "fees made");
        assertEq(_token.totalSupply(), there - left, "I-15 supply after");
    }

    /// @dev Nobody's tokens but the sender's, whatever they have allowed.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_I06_RevertWhen_TheSenderHasTooLittle(uint96 had, uint96 amount) external {
        uint256 there = bound(had, 1 ether, 999 ether);
        arrive(far, 1, STRANGER, there, ACCOUNT);
        arrive(far, 2, BOB, 1_000 ether, ACCOUNT);
        vm.prank(BOB);
        _token.approve(address(_bridge), type(uint256).max);
        vm.prank(BOB);
        _token.approve(STRANGER, type(uint256).max);
        uint256 wei_ = bound(amount, there + 1, 1_000 ether);
        bytes4 why = IERC20Errors.ERC20InsufficientBalance.selector;
        bytes memory reason = abi.encodeWithSelector(why, STRANGER, there, wei_);
        bytes memory data = abi.encodeCall(_bridge.send, (STRANGER, wei_, ACCOUNT));
        refuse(address(_bridge), STRANGER, data, reason);
        assertEq(_token.balanceOf(BOB), 1_000 ether, "kept");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_RevertWhen_CoinsAreSentAlong(uint96 value) external {
        uint256 amount = bound(value, 1, MAX_AMOUNT);
        arrive(far, 1, BOB, 10 ether, ACCOUNT);
        vm.deal(BOB, amount);
        bytes4 why = IBridgeGateway.BridgeGateway_WrongFee.selector;
        bytes memory reason = abi.encodeWithSelector(why, amount, 0);
        bytes memory data = abi.encodeCall(_bridge.send, (BOB, 1 ether, ACCOUNT));
        refuse(address(_bridge), BOB, amount, data, reason);
        assertEq(_token.balanceOf(BOB), 10 ether, "kept");
        assertEq(BOB.balance, amount, "coins kept");
    }

    /// @dev A message of nobody's, as only a lying quorum makes it, is credited to nobody, and blocks nothing.
    function test_creditsNobody() external {
        bytes32 transfer = transferTo(far, 1);
        vm.expectEmit(address(_bridge));
        emit IAnkrBridge.Received(transfer, ALICE, address(0), 5 ether, ACCOUNT);
        vm.expectEmit(address(_bridge));
        emit IAnkrBridge.Credited(transfer, address(0), 5 ether);
        arrive(far, 1, address(0), 5 ether, ACCOUNT);
        assertBooks(far, 5 ether, 0, 5 ether, 0);
        assertEq(_token.totalSupply(), 0, "supply");
    }

    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_I15_waitingIsNotMadeYet(uint96 amount) external {
        uint256 wei_ = bound(amount, 1_000 ether + 1, 9_000 ether);
        bytes32 transfer = arrive(far, 1, BOB, wei_, ACCOUNT);
        assertBooks(far, wei_, wei_, 0, 0);
        assertEq(_token.totalSupply(), 0, "supply");
        vm.warp(vm.getBlockTimestamp() + 1 days);
        uint256 paid = wei_ < 5_000 ether ? wei_ : 5_000 ether;
        assertEq(_bridge.release(transfer), paid, "paid");
        assertEq(_token.totalSupply(), paid, "supply after");
        assertBooks(far, wei_, wei_ - paid, 0, 0);
    }

    /// @dev Even with forged tokens, as if the token had another maker, no more goes home than came.
    function test_A38_RevertWhen_TokensNeverCame() external {
        arrive(far, 1, BOB, 10 ether, ACCOUNT);
        enrich(far, STRANGER, 100 ether);
        bytes4 why = IAnkrBridge.AnkrBridge_NotOutstanding.selector;
        bytes memory data = abi.encodeCall(_bridge.send, (STRANGER, 11 ether, ACCOUNT));
        bytes memory reason = abi.encodeWithSelector(why, 10.75 ether, 10 ether);
        refuse(address(_bridge), STRANGER, data, reason);
    }
}
