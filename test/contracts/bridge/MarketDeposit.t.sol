// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AnkrBridge} from "../../../contracts/bridge/AnkrBridge.sol";
import {IAnkrBridge} from "../../../contracts/interfaces/IAnkrBridge.sol";
import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {Currency} from "../../../contracts/libraries/Currency.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {BridgeTest} from "./BridgeTest.sol";

/// @notice A market that takes no deposits.
contract OddMarket {
    enum Manner {
        Refuse,
        BurnGas,
        /// Takes the deposit, and then refuses it.
        TakeAndRefuse
    }

    error OddMarket_Refused();

    Currency public immutable currency;
    Manner private _manner;

    constructor(Currency currency_) {
        currency = currency_;
    }

    function setManner(Manner manner) external {
        _manner = manner;
    }

    function depositFor(address, uint256 amount) external payable {
        if (_manner == Manner.BurnGas) {
            assembly {
                invalid()
            }
        }
        if (_manner == Manner.TakeAndRefuse && !currency.isNative()) {
            MockERC20(Currency.unwrap(currency)).transferFrom(msg.sender, address(this), amount);
        }
        revert OddMarket_Refused();
    }
}

/// @dev At an end of each kind, into the market as it is built for the chain, and into one that takes nothing.
abstract contract MarketDepositTest is BridgeTest {
    Side internal end;
    OddMarket internal odd;

    /// @dev The end under test, behind `market_`, with enough to pay with.
    function _openEnd(address market_) internal virtual;

    /// @dev What the market of that end is kept in; after {begin}.
    function _currencyOf() internal view virtual returns (address);

    function _prepare() internal virtual;

    /// @dev What that end is made of.
    function _codeOf(AnkrBridge.Creation memory creation) internal view virtual returns (bytes memory);

    function _real() internal {
        _prepare();
        openMarket(_currencyOf(), 0);
        _openEnd(address(market));
        vm.chainId(end.chain);
    }

    function _refusing() internal {
        _prepare();
        odd = new OddMarket(Currency.wrap(_currencyOf()));
        _openEnd(address(odd));
        vm.chainId(end.chain);
    }

    function setUp() external {
        _real();
    }

    /// hardhat-config: default.fuzz.runs = 12
    function testFuzz_depositsIntoTheMarket(address to, uint96 amount) external {
        vm.assume(to != address(0));
        assertEq(end.bridge.market(), address(market), "market");
        uint256 wei_ = bound(amount, 1, 1_000 ether);
        uint256 held = moneyOf(end, address(end.bridge));
        IAnkrBridge.Books memory books = end.bridge.books();
        bytes32 transfer = transferTo(end, 1);
        bytes memory data = callOf(end, messageTo(end, 1, payloadOf(1, ALICE, to, wei_, MARKET)));
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Received(transfer, ALICE, to, wei_, MARKET);
        vm.expectEmit(address(market));
        emit IEscrow.Deposited(to, address(end.bridge), wei_);
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Paid(transfer, to, wei_, MARKET);
        pass(address(end.gateway), RELAYER, 0, data);
        assertEq(market.balanceOf(to), wei_, "in the market");
        assertEq(moneyOf(end, address(market)), wei_, "the market's");
        _assertPaidOut(held, wei_);
        assertBooks(end, _outstandingAfter(books.outstanding, wei_), 0, 0, books.fees);
        // Who waited ends there too.
        transfer = arrive(end, 2, to, 1_001 ether, MARKET);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Paid(transfer, to, 1_001 ether, MARKET);
        end.bridge.release(transfer);
        assertEq(market.balanceOf(to), wei_ + 1_001 ether, "in the market after");
        // What is there is the owner's.
        if (to.code.length != 0 || uint160(to) < 0x10000 || to == address(end.bridge)) return;
        uint256 had = moneyOf(end, BOB);
        vm.prank(to);
        market.withdrawTo(BOB, wei_);
        assertEq(moneyOf(end, BOB) - had, wei_, "taken out");
    }

    /// @dev Little gas makes no deposit fail: it arrives or nothing has happened.
    /// hardhat-config: default.fuzz.runs = 12
    function testFuzz_A38_littleGasMakesNoDepositFail(uint256 gas) external {
        bytes memory data = callOf(end, messageTo(end, 1, payloadOf(1, ALICE, BOB, 1 ether, MARKET)));
        gas = bound(gas, 20_000, 600_000);
        (bool success, ) = address(end.gateway).call{gas: gas}(data);
        assertEq(market.balanceOf(BOB), success ? 1 ether : 0, "in the market");
        assertEq(end.bridge.claimableOf(BOB), 0, "credited");
        assertTrue(end.bridge.isReceived(transferTo(end, 1)) == success, "received");
    }

    /// hardhat-config: default.fuzz.runs = 12
    function testFuzz_creditsWhatTheMarketDoesNotTake(uint96 amount, uint8 kind) external {
        _refusing();
        odd.setManner(OddMarket.Manner(kind % 3));
        uint256 wei_ = bound(amount, 1, 1_000 ether);
        uint256 held = moneyOf(end, address(end.bridge));
        bytes32 transfer = transferTo(end, 1);
        bytes memory data = callOf(end, messageTo(end, 1, payloadOf(1, ALICE, ALICE, wei_, MARKET)));
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Received(transfer, ALICE, ALICE, wei_, MARKET);
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Credited(transfer, ALICE, wei_);
        pass(address(end.gateway), RELAYER, 0, data);
        assertEq(end.bridge.claimableOf(ALICE), wei_, "claimable");
        assertEq(end.bridge.books().claimable, wei_, "claimable in sum");
        assertEq(moneyOf(end, address(end.bridge)), held, "held");
        assertEq(moneyOf(end, address(odd)), 0, "the market's");
        if (end.token != address(0)) {
            uint256 allowed = MockERC20(end.token).allowance(address(end.bridge), address(odd));
            assertEq(allowed, 0, "what the market may take");
        }
        uint256 had = moneyOf(end, STRANGER);
        vm.prank(ALICE);
        end.bridge.claim(STRANGER);
        assertEq(moneyOf(end, STRANGER), had + wei_, "claimed");
    }

    function test_everyManner() external {
        for (uint8 i = 0; i < 3; ++i) {
            uint256 state = vm.snapshotState();
            this.testFuzz_creditsWhatTheMarketDoesNotTake(1 ether, i);
            vm.revertToState(state);
        }
    }

    /// @dev Where there is no market, an account is paid.
    /// hardhat-config: default.fuzz.runs = 12
    function testFuzz_paysTheAccountWhereThereIsNoMarket(uint96 amount) external {
        _prepare();
        _openEnd(address(0));
        uint256 wei_ = bound(amount, 1, 1_000 ether);
        bytes32 transfer = transferTo(end, 1);
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Received(transfer, ALICE, ALICE, wei_, MARKET);
        vm.expectEmit(address(end.bridge));
        emit IAnkrBridge.Paid(transfer, ALICE, wei_, MARKET);
        arrive(end, 1, ALICE, wei_, MARKET);
        assertEq(moneyOf(end, ALICE), wei_, "paid");
    }

    function test_RevertWhen_MarketIsInAnotherCurrency() external {
        _prepare();
        address other = _currencyOf() == address(0) ? address(new MockERC20()) : address(0);
        openMarket(other, 0);
        vm.chainId(end.chain);
        bytes4 why = IAnkrBridge.AnkrBridge_InvalidSetting.selector;
        openGateway(home);
        openGateway(far);
        vm.chainId(HOME_CHAIN);
        if (end.chain == FAR_CHAIN) maker.make(codeOfHome(creationOf(home, address(0)), home.token));
        vm.chainId(end.chain);
        bytes memory code = _codeOf(creationOf(end, address(market)));
        bytes memory data = abi.encodeCall(maker.make, (code));
        refuse(address(maker), address(this), data, abi.encodeWithSelector(why, "market"));
    }

    function _assertPaidOut(uint256 held, uint256 amount) internal view virtual {
        assertEq(moneyOf(end, address(end.bridge)), held - amount, "held");
    }

    function _outstandingAfter(uint256 before, uint256 amount) internal view returns (uint256) {
        return end.chain == HOME_CHAIN ? before - amount : before + amount;
    }
}

contract EscrowMarketDepositTest is MarketDepositTest {
    function _prepare() internal override {
        begin(Kind.Vault);
        home.token = address(new MockERC20());
        end = home;
    }

    function _currencyOf() internal view override returns (address) {
        return home.token;
    }

    function _openEnd(address market_) internal override {
        open(home.token, market_, address(0));
        lock(100_000 ether);
        vm.chainId(HOME_CHAIN);
    }

    function _codeOf(AnkrBridge.Creation memory creation) internal view override returns (bytes memory) {
        return codeOfHome(creation, home.token);
    }
}

contract VaultMarketDepositTest is MarketDepositTest {
    function _prepare() internal override {
        begin(Kind.Vault);
        home.token = address(new MockERC20());
        end = far;
    }

    function _currencyOf() internal pure override returns (address) {
        return address(0);
    }

    function _openEnd(address market_) internal override {
        open(home.token, address(0), market_);
        vm.deal(address(far.bridge), 100_000 ether);
    }

    function _codeOf(AnkrBridge.Creation memory creation) internal view override returns (bytes memory) {
        return codeOfFar(creation);
    }
}

contract MintingMarketDepositTest is MarketDepositTest {
    function _prepare() internal override {
        begin(Kind.Minting);
        home.token = address(new MockERC20());
        end = far;
    }

    function _currencyOf() internal view override returns (address) {
        return far.token;
    }

    function _openEnd(address market_) internal override {
        open(home.token, address(0), market_);
    }

    function _codeOf(AnkrBridge.Creation memory creation) internal view override returns (bytes memory) {
        return codeOfFar(creation);
    }

    /// @dev What is made for the market is in the market, or not there.
    function _assertPaidOut(uint256 held, uint256 amount) internal view override {
        assertEq(moneyOf(far, address(far.bridge)), held, "held");
        assertEq(MockERC20(far.token).totalSupply(), amount, "supply");
    }
}
