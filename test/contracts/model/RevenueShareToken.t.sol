// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC7802} from "@openzeppelin/contracts/interfaces/draft-IERC7802.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IERC7641, IERC7641AltRevToken} from "../../../contracts/interfaces/IERC7641.sol";
import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {Currency_WrongValue} from "../../../contracts/libraries/Currency.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {DecimalsERC20} from "../../../contracts/mocks/DecimalsERC20.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {ShareTest} from "./ShareTest.sol";

/// @notice Each function of a share: what it does, says and refuses. What revenue tokens and holders may try is in the
/// attacks' tests.
contract RevenueShareTokenTest is ShareTest {
    uint256 private constant SUPPLY = 1_000e18;
    uint256 private constant CAP = 1_500e18;
    uint256 private constant MINT_UNTIL = START + 4 * PERIOD + 100;

    address private usd;
    Actor private pool;

    /// @dev Alice has 600, Bob 300 and a contract 100.
    function setUp() external {
        vm.warp(START + 1_000);
        usd = address(new DecimalsERC20(6));
        pool = new Actor();
        share = deploy(theSettings());
    }

    function theSettings() private view returns (IRevenueShareToken.Settings memory settings) {
        settings = someSettings();
        settings.tokens = listOf(usd);
        settings.cap = CAP;
        settings.minter = MINTER;
        settings.mintUntil = uint40(MINT_UNTIL);
        allocate(settings, ALICE, 600e18);
        allocate(settings, BOB, 300e18);
        allocate(settings, address(pool), 100e18);
    }

    /// @notice A share that nobody mints, of which all tokens are there.
    function withoutMinting() private {
        IRevenueShareToken.Settings memory settings = theSettings();
        (settings.minter, settings.cap) = (address(0), SUPPLY);
        share = deploy(settings);
    }

    // ---- Creation ----

    function test_settingsAreWhatWasSet() external view {
        assertEq(bytes(share.name()), "Share", "name");
        assertEq(bytes(share.symbol()), "SHR", "symbol");
        assertEq(share.decimals(), 18, "decimals");
        assertEq(share.periodSeconds(), PERIOD, "period");
        assertEq(share.claimBps(), 8_000, "claimBps");
        assertEq(share.minter(), MINTER, "minter");
        assertEq(share.mintUntil(), MINT_UNTIL, "mintUntil");
        assertEq(share.cap(), CAP, "cap");
        assertEq(share.beneficiary(), BENEFICIARY, "beneficiary");
        assertEq(share.bridge(), BRIDGE, "bridge");
        assertEq(Ownable(address(share)).owner(), OWNER, "owner");
        assertEq(share.MAX_TOKENS(), 7, "MAX_TOKENS");
        assertEq(share.tokens().length, 2, "tokens");
        assertEq(share.tokens()[0], NATIVE, "the native coin");
        assertEq(share.tokens()[1], usd, "usd");
        assertEq(share.totalSupply(), SUPPLY, "supply");
        assertEq(share.eligibleSupply(), SUPPLY, "eligible supply");
        assertEq(share.redemptionSupply(), CAP, "redemption supply");
        assertEq(share.balanceOf(ALICE), 600e18, "balance");
        assertEq(share.lastSnapshot(), 0, "no snapshot");
        assertEq(share.endOf(1), START + PERIOD, "end of the first period");
        assertEq(share.endOf(3), START + 3 * PERIOD, "end of the third period");
        assertEq(share.away(), 0, "away");
    }

    function test_RevertWhen_aSettingIsInvalid() external {
        for (uint256 i = 0; i < 15; ++i) {
            IRevenueShareToken.Settings memory settings = theSettings();
            bytes memory reason = abi.encodeWithSelector(
                IRevenueShareToken.RevenueShare_InvalidSetting.selector,
                breakSetting(settings, i)
            );
            if (i == 9) reason = capExceeded(900e18, 100e18, 999e18);
            if (i == 10) reason = abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0));
            if (i == 11)
                reason = abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0));
            if (i >= 12) {
                this.deployOutside(settings);
                continue;
            }
            vm.expectRevert(reason);
            this.deployOutside(settings);
        }
    }

    function deployOutside(
        IRevenueShareToken.Settings memory settings
    ) external returns (IRevenueShareToken) {
        return deploy(settings);
    }

    function breakSetting(
        IRevenueShareToken.Settings memory settings,
        uint256 which
    ) private returns (string memory) {
        if (which == 0) settings.periodSeconds = uint32(1 days - 1);
        else if (which == 1) settings.periodSeconds = uint32(366 days + 1);
        if (which < 2) return "periodSeconds";
        if (which == 2) settings.claimBps = 10_001;
        if (which == 2) return "claimBps";
        if (which == 3) settings.cap = 0;
        if (which == 4) settings.cap = MAX_CAP + 1;
        if (which < 5) return "cap";
        if (which == 5) settings.beneficiary = address(0);
        if (which == 5) return "beneficiary";
        if (which == 6) settings.tokens = new address[](8);
        // Twice the same, and none.
        if (which == 7) settings.tokens = listOf(usd, usd);
        if (which == 8) settings.tokens = listOf(usd, NATIVE);
        if (which < 9) return "tokens";
        if (which == 9) settings.cap = 999e18;
        if (which == 10) settings.owner = address(0);
        if (which == 11) settings.allocations[1].account = address(0);
        // At the edges.
        if (which == 12) (settings.periodSeconds, settings.claimBps) = (uint32(1 days), 10_000);
        if (which == 13) (settings.periodSeconds, settings.cap) = (uint32(366 days), MAX_CAP);
        if (which != 14) return "";
        settings.tokens = new address[](7);
        for (uint256 i = 0; i < 7; ++i) settings.tokens[i] = address(new MockERC20());
        return "";
    }

    function test_RevertWhen_theShareIsItsOwnBeneficiary() external {
        address made = address(deploy(theSettings()));
        uint8 nonce = 1;
        while (createdWith(nonce) != made) ++nonce;
        IRevenueShareToken.Settings memory settings = theSettings();
        settings.beneficiary = createdWith(nonce + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_InvalidSetting.selector, "beneficiary")
        );
        this.deployOutside(settings);
    }

    /// @dev The address of what this contract makes with a nonce below 128: RLP of both.
    function createdWith(uint8 nonce) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), nonce)))));
    }

    function test_aTokenWithoutCodeIsNone() external {
        IRevenueShareToken.Settings memory settings = theSettings();
        settings.tokens = listOf(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_InvalidSetting.selector, "tokens")
        );
        this.deployOutside(settings);
    }

    /// @dev Who is excluded at the beginning may be anybody, before it is given anything.
    function test_excludedAtTheBeginning() external {
        IRevenueShareToken.Settings memory settings = theSettings();
        settings.excluded = listOf(ALICE, address(pool));
        share = deploy(settings);
        assertEq(share.eligibleSupply(), 300e18, "eligible supply");
        pay(NATIVE, 1e18);
        nextPeriod();
        assertEq(claimable(ALICE, 1, NATIVE), 0, "takes no part");
        assertEq(claimable(BOB, 1, NATIVE), 0.8e18, "has all");
    }

    function test_interfaces() external view {
        assertEq(uint32(type(IERC7641).interfaceId), 0xed7b2e4e, "ERC-7641");
        assertEq(uint32(type(IERC7641AltRevToken).interfaceId), 0x5d18f986, "AltRevToken");
        assertEq(uint32(type(IERC7802).interfaceId), 0x33331994, "ERC-7802");
        bytes4[7] memory ids = [
            bytes4(0xed7b2e4e),
            0x5d18f986,
            0x33331994,
            0x01ffc9a7,
            type(IERC20).interfaceId,
            type(IERC20Metadata).interfaceId,
            type(IERC20Permit).interfaceId
        ];
        for (uint256 i = 0; i < ids.length; ++i) {
            assertTrue(IERC165(address(share)).supportsInterface(ids[i]), "an interface");
        }
        assertTrue(!IERC165(address(share)).supportsInterface(0xffffffff), "ERC-165");
        assertTrue(!IERC165(address(share)).supportsInterface(0x80ac58cd), "it is no ERC-721");
    }

    // ---- Grid ----

    /// @dev What comes in the last second of a period is divided among those who have tokens then; a second later all is
    /// of the next.
    function testFuzz_periodEndsWithItsLastSecond(uint256 amount, uint8 skipped) public {
        amount = bound(amount, 10_000, 1e42);
        uint256 id = 1 + uint256(skipped);
        vm.warp(share.endOf(id) - 1);
        assertEq(share.lastSnapshot(), id - 1, "not over");
        transfer(ALICE, CAROL, 600e18);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RevenueReceived(NATIVE, PAYER, amount, id - 1);
        pay(NATIVE, amount);
        // Still in the same second.
        transfer(CAROL, BOB, 100e18);
        assertEq(claimable(CAROL, id, NATIVE), 0, "nothing before the end");
        vm.warp(share.endOf(id));
        assertEq(share.lastSnapshot(), id, "over");
        transfer(CAROL, ALICE, 500e18);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RevenueReceived(NATIVE, PAYER, 7, id);
        pay(NATIVE, 7);
        uint256 part = (amount * 8_000) / BPS;
        assertNear(claimable(ALICE, id, NATIVE), 0, "came too late");
        assertNear(claimable(BOB, id, NATIVE), (part * 400e18) / SUPPLY, "Bob's");
        assertNear(claimable(CAROL, id, NATIVE), (part * 500e18) / SUPPLY, "Carol's");
        assertEq(claimable(BOB, id + 1, NATIVE), 0, "the next one is not over");
        assertEq(claimable(BOB, id - 1, NATIVE), 0, "nothing came before");
    }

    function test_periodEndsWithItsLastSecond() external {
        testFuzz_periodEndsWithItsLastSecond(1e18, 0);
    }

    /// @dev On a grid that everybody knows: whenever it is made, the first period ends with the grid's.
    function testFuzz_gridIsNobodysChoice(uint256 time, uint256 length) external {
        length = bound(length, 1 days, 366 days);
        time = bound(time, START, START + 1_000 days);
        vm.warp(time);
        IRevenueShareToken.Settings memory settings = theSettings();
        (settings.periodSeconds, settings.minter) = (uint32(length), address(0));
        share = deploy(settings);
        uint256 end = share.endOf(1);
        assertEq(end % length, 0, "on the grid");
        assertTrue(end > time && end - time <= length, "the next one");
        vm.warp(end - 1);
        assertEq(share.lastSnapshot(), 0, "before");
        vm.warp(end);
        assertEq(share.lastSnapshot(), 1, "at");
    }

    /// @dev Ids count 65,535 periods. Then no period ends any more, and all that is claimable stays so.
    function test_lastPeriodDoesNotEnd() external {
        vm.warp(share.endOf(65_535) - 1);
        assertEq(share.lastSnapshot(), 65_534, "the last but one");
        pay(NATIVE, 1e18);
        transfer(ALICE, BOB, 100e18);
        vm.warp(share.endOf(65_535));
        assertEq(share.lastSnapshot(), 65_535, "the last one");
        assertNear(claimable(BOB, 65_535, NATIVE), 0.32e18, "Bob's");
        transfer(BOB, ALICE, 400e18);
        pay(NATIVE, 2e18);
        vm.warp(share.endOf(65_535) + 400 * PERIOD);
        assertEq(share.lastSnapshot(), 65_535, "no later one");
        assertEq(share.fundsOf(NATIVE).pending, 2e18, "stays pending");
        claimAll(BOB);
        assertNear(BOB.balance, 0.32e18, "paid");
        claimAll(ALICE);
        assertNear(ALICE.balance, 0.4e18, "paid too");
        transfer(ALICE, BOB, 1);
        pay(NATIVE, 1);
        assertEq(share.fundsOf(NATIVE).pending, 2e18 + 1, "more comes");
    }

    // ---- Balances ----

    function testFuzz_A32_transfersToOneselfAndOfNothingChangeNothing(
        uint256 amount,
        bool excluded
    ) external {
        if (excluded) setSharing(ALICE, false);
        pay(NATIVE, 1e18);
        nextPeriod();
        amount = bound(amount, 0, 600e18);
        bytes32 before = recordsOf(ALICE);
        vm.record();
        vm.expectEmit(address(share));
        emit IERC20.Transfer(ALICE, ALICE, amount);
        transfer(ALICE, ALICE, amount);
        vm.expectEmit(address(share));
        emit IERC20.Transfer(ALICE, BOB, 0);
        transfer(ALICE, BOB, 0);
        (, bytes32[] memory writes) = vm.accesses(address(share));
        assertEq(writes.length, 0, "nothing is written");
        vm.prank(BOB);
        share.approve(ALICE, amount);
        vm.prank(ALICE);
        share.transferFrom(BOB, BOB, bound(amount, 0, 300e18));
        assertTrue(recordsOf(ALICE) == before, "I-12");
        nextPeriod();
        assertEq(share.sharesOfRecord(ALICE, 2), excluded ? 0 : 600e18, "shares of record");
        assertRefused(
            ALICE,
            abi.encodeCall(share.transfer, (ALICE, 600e18 + 1)),
            insufficientBalance(ALICE, 600e18, 600e18 + 1)
        );
    }

    function recordsOf(address account) private view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    share.positionOf(account),
                    share.positionOf(BOB),
                    share.eligibleSupply(),
                    share.totalSupply(),
                    share.sharesOfRecord(account, 1)
                )
            );
    }

    function test_A32_RevertWhen_toNobodyOrToTheShare() external {
        bytes memory toZero = abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0));
        bytes memory toShare = abi.encodeWithSelector(
            IERC20Errors.ERC20InvalidReceiver.selector,
            address(share)
        );
        assertRefused(ALICE, abi.encodeCall(share.transfer, (address(0), 1)), toZero);
        assertRefused(ALICE, abi.encodeCall(share.transfer, (address(share), 1)), toShare);
        assertRefused(ALICE, abi.encodeCall(share.transfer, (address(share), 0)), toShare);
        assertRefused(MINTER, abi.encodeCall(share.mint, (address(share), 1)), toShare);
        assertRefused(MINTER, abi.encodeCall(share.mint, (address(0), 1)), toZero);
        vm.prank(ALICE);
        share.approve(BOB, 1);
        assertRefused(BOB, abi.encodeCall(share.transferFrom, (ALICE, address(share), 1)), toShare);
        depart(ALICE, 1);
        assertRefused(BRIDGE, abi.encodeCall(share.crosschainMint, (address(share), 1)), toShare);
    }

    function test_RevertWhen_thereIsTooLittle() external {
        bytes memory reason = insufficientBalance(BOB, 300e18, 300e18 + 1);
        assertRefused(BOB, abi.encodeCall(share.transfer, (ALICE, 300e18 + 1)), reason);
        assertRefused(BOB, abi.encodeCall(share.burn, (300e18 + 1)), reason);
        assertRefused(
            CAROL,
            abi.encodeCall(share.transferFrom, (BOB, CAROL, 1)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, CAROL, 0, 1)
        );
        vm.prank(BOB);
        share.approve(BRIDGE, type(uint256).max);
        assertRefused(BRIDGE, abi.encodeCall(share.crosschainBurn, (BOB, 300e18 + 1)), reason);
    }

    /// @dev However tokens first come to an account, it takes part from then on and in nothing before.
    function test_A31_firstTouchClaimsNothingBefore() external {
        for (uint256 way = 0; way < 4; ++way) {
            address newcomer = address(uint160(0x1000 + way));
            pay(NATIVE, 1e18);
            nextPeriod();
            pay(NATIVE, 1e18);
            uint256 id = share.lastSnapshot();
            if (way == 0) transfer(ALICE, newcomer, 100e18);
            else if (way == 1) mint(newcomer, 100e18);
            else if (way == 2) {
                depart(ALICE, 100e18);
                arrive(newcomer, 100e18);
            } else permitTo(newcomer, 100e18);
            for (uint256 i = 0; i <= id; ++i) assertEq(claimable(newcomer, i, NATIVE), 0, "before");
            assertEq(claimableOf(newcomer, NATIVE), 0, "all before");
            nextPeriod();
            uint256 expected = (0.8e18 * 100e18) / share.eligibleSupply();
            assertNear(claimable(newcomer, id + 1, NATIVE), expected, "from then on");
            claimAll(newcomer);
            assertNear(newcomer.balance, expected, "paid");
        }
    }

    /// @dev Bob's tokens come by a permit and a transfer by the spender.
    function permitTo(address to, uint256 amount) private {
        uint256 key = 0xB0B;
        transfer(BOB, vm.addr(key), amount);
        permit(key, address(this), amount, vm.getBlockTimestamp());
        share.transferFrom(vm.addr(key), to, amount);
    }

    // ---- Permits ----

    function test_permit() external {
        address signer = vm.addr(7);
        transfer(ALICE, signer, 10);
        uint256 deadline = START + 2_000;
        permit(7, BOB, 9, deadline);
        assertEq(share.allowance(signer, BOB), 9, "allowance");
        assertEq(share.nonces(signer), 1, "nonce");
        vm.prank(BOB);
        share.transferFrom(signer, CAROL, 9);
        assertEq(share.balanceOf(CAROL), 9, "moved");
        // The same one again is signed over another nonce.
        (uint8 v, bytes32 r, bytes32 s) = signPermit(7, BOB, 9, 0, deadline);
        bytes memory data = abi.encodeCall(share.permit, (signer, BOB, 9, deadline, v, r, s));
        vm.prank(BOB);
        (bool success, bytes memory reason) = address(share).call(data);
        assertTrue(!success && bytes4(reason) == ERC20Permit.ERC2612InvalidSigner.selector, "replayed");
        vm.warp(deadline + 1);
        assertRefused(
            BOB,
            data,
            abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, deadline)
        );
    }

    function permit(uint256 key, address spender, uint256 amount, uint256 deadline) private {
        address owner = vm.addr(key);
        (uint8 v, bytes32 r, bytes32 s) = signPermit(key, spender, amount, share.nonces(owner), deadline);
        share.permit(owner, spender, amount, deadline, v, r, s);
    }

    function signPermit(
        uint256 key,
        address spender,
        uint256 amount,
        uint256 nonce,
        uint256 deadline
    ) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                vm.addr(key),
                spender,
                amount,
                nonce,
                deadline
            )
        );
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", share.DOMAIN_SEPARATOR(), structHash)));
    }

    // ---- Revenue ----

    function testFuzz_depositCountsWhatArrives(uint256 amount, uint256 before, bool native) external {
        address token = native ? NATIVE : usd;
        (amount, before) = (bound(amount, 0, 1e42), bound(before, 0, 1e42));
        donate(token, before);
        assertEq(share.fundsOf(token).held, 0, "A09 not counted yet");
        enrich(PAYER, token, amount);
        if (amount + before != 0) {
            vm.expectEmit(address(share));
            emit IRevenueShareToken.RevenueReceived(token, PAYER, amount + before, 0);
        }
        vm.prank(PAYER);
        uint256 received = share.deposit{value: native ? amount : 0}(token, amount);
        assertEq(received, amount + before, "received");
        IRevenueShareToken.Funds memory funds = share.fundsOf(token);
        assertEq(funds.held, amount + before, "held");
        assertEq(funds.pending, amount + before, "pending");
        assertEq(funds.redeemable, 0, "redeemable");
        assertEq(moneyOf(address(share), token), amount + before, "there");
        assertEq(moneyOf(PAYER, token), 0, "paid");
    }

    function test_RevertWhen_depositIsWrong() external {
        vm.deal(PAYER, 10);
        bytes memory data = abi.encodeCall(share.deposit, (NATIVE, 4));
        assertRefused(PAYER, 3, data, abi.encodeWithSelector(Currency_WrongValue.selector, 3, 4));
        data = abi.encodeCall(share.deposit, (usd, 4));
        assertRefused(PAYER, 3, data, abi.encodeWithSelector(Currency_WrongValue.selector, 3, 0));
        assertRefused(
            PAYER,
            data,
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(share), 0, 4)
        );
        bytes memory unknown = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_UnknownToken.selector,
            ALICE
        );
        assertRefused(PAYER, abi.encodeCall(share.deposit, (ALICE, 4)), unknown);
        assertRefused(PAYER, abi.encodeCall(share.sync, (ALICE)), unknown);
        assertRefused(PAYER, abi.encodeCall(share.withdrawCredit, (ALICE, PAYER)), unknown);
        assertRefused(PAYER, abi.encodeCall(share.fundsOf, (ALICE)), unknown);
        assertRefused(PAYER, abi.encodeCall(share.creditOf, (PAYER, ALICE)), unknown);
        assertEq(share.claimableERC20(ALICE, 1, ALICE), 0, "a view of no token");
        assertEq(share.claimableERC20(ALICE, 1, NATIVE), 0, "the coin is no token");
        assertEq(share.redeemableERC20OnBurn(1e18, ALICE), 0, "a view of no token");
        assertEq(share.redeemableERC20OnBurn(1e18, NATIVE), 0, "the coin is no token");
    }

    /// @dev So much that a step of the index for a single token would not fit a word.
    function testFuzz_RevertWhen_thereIsTooMuch(uint256 amount) external {
        amount = bound(amount, 2 ** 150, type(uint256).max);
        MockERC20(usd).mint(address(share), amount);
        bytes memory reason = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_TooMuch.selector,
            usd,
            amount
        );
        assertRefused(PAYER, abi.encodeCall(share.sync, (usd)), reason);
        pay(NATIVE, 1e18);
        nextPeriod();
        claimAll(ALICE);
        assertNear(ALICE.balance, 0.48e18, "another token is untouched");
    }

    /// @dev The most there can be, among the fewest there can be.
    function test_I20_mostRevenueForASingleToken() external {
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.tokens = listOf(usd);
        (settings.claimBps, settings.cap) = (uint16(BPS), 1);
        allocate(settings, ALICE, 1);
        share = deploy(settings);
        uint256 most = 2 ** 150 - 1;
        pay(usd, most);
        nextPeriod();
        assertEq(claimable(ALICE, 1, usd), most, "all of it");
        claimAll(ALICE);
        assertEq(moneyOf(ALICE, usd), most, "paid");
        // The index has more than a word behind it now.
        pay(usd, most);
        nextPeriod();
        claimAll(ALICE);
        assertEq(moneyOf(ALICE, usd), 2 * most, "and again");
        assertEq(share.fundsOf(usd).held, 0, "nothing left");
    }

    function test_syncAndSnapshotCountWhatCame() external {
        assertEq(share.snapshot(), 0, "no period is over");
        assertEq(share.sync(usd), 0, "nothing came");
        donate(NATIVE, 5);
        donate(usd, 6);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RevenueReceived(NATIVE, STRANGER, 5, 0);
        vm.prank(STRANGER);
        share.snapshot();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RevenueReceived(usd, STRANGER, 6, 0);
        vm.prank(STRANGER);
        assertEq(share.sync(usd), 6, "counted");
        assertEq(share.sync(usd), 0, "once");
        nextPeriod();
        nextPeriod();
        assertEq(share.snapshot(), 2, "id");
        (bool success, ) = address(share).call{value: 0}("");
        assertTrue(success, "it takes coins");
    }

    /// @dev The first call of a later period divides, whichever it is; views show it before.
    function test_I20_firstCallOfALaterPeriodDivides() external {
        for (uint256 way = 0; way < 9; ++way) {
            withoutMinting();
            pay(NATIVE, 1_000_003);
            pay(usd, 10);
            nextPeriod();
            uint256 shown = claimable(BOB, 1, NATIVE);
            uint256 redeems = redeemable(1e18, NATIVE);
            assertEq(share.fundsOf(NATIVE).pending, 0, "shown as divided");
            assertEq(share.fundsOf(NATIVE).redeemable, 200_001, "shown as divided");
            vm.expectEmit(address(share));
            emit IRevenueShareToken.SnapshotTaken(1, NATIVE, 1_000_003, 800_002, 200_001, SUPPLY);
            vm.expectEmit(address(share));
            emit IRevenueShareToken.SnapshotTaken(1, usd, 10, 8, 2, SUPPLY);
            vm.prank(ALICE);
            if (way == 0) share.snapshot();
            else if (way == 1) share.sync(usd);
            else if (way == 2) share.claimAll();
            else if (way == 3) share.claim(1);
            else if (way == 4) share.claimThrough(1);
            else if (way == 5) share.claimBatch(new uint256[](0));
            else if (way == 6) share.claimFor(ALICE);
            else if (way == 7) share.claimForBatch(new address[](0));
            else share.deposit(NATIVE, 0);
            assertEq(claimable(BOB, 1, NATIVE), shown, "as shown");
            assertEq(redeemable(1e18, NATIVE), redeems, "as shown");
        }
    }

    /// @dev Periods in which nothing came, and whose end nobody saw.
    function testFuzz_emptyPeriodsChangeNothing(uint256 amount, uint16 before, uint16 afterwards) external {
        amount = bound(amount, 0, 1e42);
        vm.warp(share.endOf(1 + (before % 600)));
        uint256 id = share.lastSnapshot() + 1;
        pay(usd, amount);
        vm.warp(share.endOf(id + (afterwards % 600)));
        assertNear(claimable(BOB, id, usd), (((amount * 8) / 10) * 3) / 10, "of its period");
        for (uint256 i = 1; i <= share.lastSnapshot(); i += 37) {
            if (i != id) assertEq(claimable(BOB, i, usd), 0, "of another");
        }
        uint256 shown = claimable(BOB, id, usd);
        claimAll(BOB);
        assertEq(moneyOf(BOB, usd), shown, "paid");
    }

    /// @dev A period at whose end nobody takes part: what holders would have is the beneficiary's.
    function test_revenueWithoutHoldersIsTheBeneficiarys() external {
        withoutMinting();
        setSharing(ALICE, false);
        setSharing(BOB, false);
        vm.prank(OWNER);
        share.setExcluded(address(pool), true);
        pay(NATIVE, 1_003);
        nextPeriod();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.SnapshotTaken(1, NATIVE, 1_003, 0, 201, 0);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Credited(BENEFICIARY, NATIVE, 802);
        share.snapshot();
        assertEq(share.creditOf(BENEFICIARY, NATIVE), 802, "credit");
        assertEq(redeemable(SUPPLY, NATIVE), 201, "redeemable");
        assertEq(claimableOf(ALICE, NATIVE), 0, "nobody's claim");
        vm.prank(BENEFICIARY);
        share.withdrawCredit(NATIVE, CAROL);
        assertEq(CAROL.balance, 802, "withdrawn");
        assertEq(share.fundsOf(NATIVE).held, 201, "held");
    }

    /// @dev Supply 0: views answer 0, and what comes then is the beneficiary's.
    function test_everythingBurnedThenRevenue() external {
        withoutMinting();
        pay(NATIVE, 100);
        nextPeriod();
        burn(ALICE, 600e18);
        burn(BOB, 300e18);
        vm.prank(address(pool));
        share.burn(100e18);
        assertEq(share.totalSupply(), 0, "supply");
        assertEq(ALICE.balance + BOB.balance + address(pool).balance, 20, "everything was redeemed");
        assertEq(share.redeemableOnBurn(1), 0, "redeemable");
        assertEq(share.redeemableOnBurn(type(uint256).max), 0, "redeemable");
        assertEq(share.claimableRevenue(ALICE, 2), 0, "claimable");
        pay(NATIVE, 1_000);
        nextPeriod();
        assertEq(share.fundsOf(NATIVE).redeemable, 0, "nobody redeems");
        assertEq(share.redeemableOnBurn(1), 0, "redeemable");
        share.snapshot();
        assertEq(share.creditOf(BENEFICIARY, NATIVE), 1_000, "the beneficiary's");
        // Claims of before are paid.
        claimAll(ALICE);
        claimAll(BOB);
        vm.prank(address(pool));
        share.claimAll();
        assertLe(100 - 3, ALICE.balance + BOB.balance + address(pool).balance, "paid but for dust");
        assertLe(ALICE.balance + BOB.balance + address(pool).balance, 100, "and no more");
        burn(ALICE, 0);
    }

    /// @dev All tokens are burned while more may be minted; what those would have redeemed is the beneficiary's in the
    /// end.
    function test_whatNobodyIsLeftToRedeemIsTheBeneficiarys() external {
        pay(NATIVE, 1_500);
        nextPeriod();
        burn(ALICE, 600e18);
        burn(BOB, 300e18);
        vm.prank(address(pool));
        share.burn(100e18);
        assertEq(share.fundsOf(NATIVE).redeemable, 100, "of what may be minted");
        vm.warp(MINT_UNTIL + 1);
        assertEq(share.redemptionSupply(), 0, "nobody");
        assertEq(share.redeemableOnBurn(1), 0, "redeemable");
        burn(ALICE, 0);
        pay(NATIVE, 10);
        nextPeriod();
        share.snapshot();
        assertEq(share.creditOf(BENEFICIARY, NATIVE), 110, "the beneficiary's");
        assertEq(share.fundsOf(NATIVE).redeemable, 0, "nothing left");
    }

    // ---- Division ----

    /// @dev All that comes in is somebody's, to less than a unit for each claim; whatever the supply.
    function testFuzz_I12_I17_everyUnitIsDivided(
        uint256 amount,
        uint96[3] memory parts,
        uint16 claimBps
    ) public {
        uint256 supply = 0;
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.claimBps = uint16(claimBps % (BPS + 1));
        for (uint256 i = 0; i < 3; ++i) {
            uint256 part = parts[i] % 2 == 0 ? parts[i] % 10 : parts[i] % (MAX_CAP / 3);
            allocate(settings, [ALICE, BOB, CAROL][i], part);
            supply += part;
        }
        settings.cap = supply == 0 ? 1 : supply;
        share = deploy(settings);
        amount = bound(amount, 0, 1e42);
        pay(NATIVE, amount);
        nextPeriod();
        uint256 claims = 0;
        uint256 part_ = (amount * settings.claimBps) / BPS;
        for (uint256 i = 0; i < 3; ++i) {
            address account = [ALICE, BOB, CAROL][i];
            uint256 shown = claimable(account, 1, NATIVE);
            uint256 product = part_ * share.balanceOf(account);
            uint256 exact = supply == 0 ? 0 : product / supply;
            // A unit more only where less than 2^-16 of one is missing to it: never more than there is, see below.
            bool nearly =
                supply != 0 && product % supply != 0 && (supply - (product % supply)) << 16 <= supply;
            assertLe(shown, nearly ? exact + 1 : exact, "above");
            assertLe(exact, shown, "below");
            claims += shown;
            claimAll(account);
            assertEq(account.balance, shown, "I-20");
        }
        if (supply != 0) {
            assertLe(claims, part_, "I-12");
            assertLe(part_, claims + 2, "dust of three claims");
            assertEq(redeemable(supply, NATIVE), amount - part_, "the rest is redeemable");
        }
        for (uint256 i = 0; i < 3; ++i) burn([ALICE, BOB, CAROL][i], share.balanceOf([ALICE, BOB, CAROL][i]));
        uint256 left = share.fundsOf(NATIVE).held - share.creditOf(BENEFICIARY, NATIVE);
        if (supply != 0) assertLe(left, 3, "I-19 dust");
    }

    function test_I12_aSingleToken() external {
        uint96[3] memory parts;
        parts[0] = 1;
        // One wei of supply has all.
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.cap = 1;
        allocate(settings, ALICE, 1);
        share = deploy(settings);
        pay(NATIVE, 1e42 + 7);
        nextPeriod();
        assertEq(claimable(ALICE, 1, NATIVE), ((1e42 + 7) * 8_000) / BPS, "all of it");
        assertEq(redeemable(1, NATIVE), 1e42 + 7 - ((1e42 + 7) * 8_000) / BPS, "and the rest");
    }

    /// @dev Divisions that leave something, over many periods, claimed at once: what is claimed was there, and all else is
    /// still paid.
    function testFuzz_I01_I12_roundingOfManyPeriodsIsCovered(
        uint256 amount,
        uint8 periods,
        uint96 supply
    ) public {
        supply = uint96(bound(supply, 1, MAX_CAP));
        amount = bound(amount, 1, 1e30);
        IRevenueShareToken.Settings memory settings = someSettings();
        (settings.claimBps, settings.cap) = (9_999, supply);
        allocate(settings, ALICE, supply);
        share = deploy(settings);
        uint256 count = 2 + (periods % 20);
        for (uint256 i = 0; i < count; ++i) {
            pay(NATIVE, amount);
            nextPeriod();
        }
        uint256 part = (amount * 9_999) / BPS;
        claimAll(ALICE);
        assertLe(ALICE.balance, part * count, "I-12");
        assertLe(part * count, ALICE.balance + 1, "one claim loses less than two units");
        burn(ALICE, supply);
        assertLe(amount * count, ALICE.balance + 1, "everything is paid");
        assertLe(share.fundsOf(NATIVE).held, 1, "I-19 dust");
    }

    function test_I01_I12_roundingOfManyPeriodsIsCovered() external {
        testFuzz_I01_I12_roundingOfManyPeriodsIsCovered(101, 18, 3);
    }

    // ---- Claims ----

    function test_claim() external {
        pay(NATIVE, 1_000);
        pay(usd, 500);
        nextPeriod();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 1, 1, claimable(BOB, 1, NATIVE), BOB);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, usd, 1, 1, claimable(BOB, 1, usd), BOB);
        vm.prank(BOB);
        share.claim(1);
        assertNear(BOB.balance, 240, "coins");
        assertNear(moneyOf(BOB, usd), 120, "tokens");
        assertEq(share.fundsOf(NATIVE).held, 1_000 - BOB.balance, "held");
        assertEq(address(share).balance, 1_000 - BOB.balance, "there");
        assertEq(moneyOf(address(share), usd), 500 - moneyOf(BOB, usd), "there too");
        assertTrue(share.isClaimed(BOB, 1), "claimed");
        assertTrue(!share.isClaimed(ALICE, 1), "by one alone");
        assertEq(claimable(BOB, 1, NATIVE), 0, "shown as claimed");
        assertEq(share.sharesOfRecord(BOB, 1), 0, "no shares in what is claimed");
        assertEq(share.positionOf(BOB).claimedThrough, 1, "claimed through");
        assertRefused(BOB, abi.encodeCall(share.claim, (1)), alreadyClaimed(BOB, 1));
    }

    function test_A31_RevertWhen_thereIsNoSnapshot() external {
        pay(NATIVE, 1_000);
        uint256[3] memory ids = [uint256(0), 1, type(uint256).max];
        for (uint256 i = 0; i < 3; ++i) {
            assertRefused(ALICE, abi.encodeCall(share.claim, (ids[i])), noSnapshot(ids[i], 0));
            assertEq(claimable(ALICE, ids[i], NATIVE), 0, "view");
            assertEq(share.sharesOfRecord(ALICE, ids[i]), 0, "shares");
            assertTrue(!share.isClaimed(ALICE, ids[i]), "claimed");
        }
        assertRefused(ALICE, abi.encodeCall(share.claimThrough, (1)), noSnapshot(1, 0));
        nextPeriod();
        assertRefused(ALICE, abi.encodeCall(share.claim, (2)), noSnapshot(2, 1));
        assertRefused(ALICE, abi.encodeCall(share.claimThrough, (2)), noSnapshot(2, 1));
        vm.prank(ALICE);
        share.claimThrough(0);
        assertEq(ALICE.balance, 0, "through none");
    }

    /// @dev In whatever order, each snapshot pays once; what is claimed all at once is what is left.
    function testFuzz_A31_I03_inAnyOrderOnce(uint256 random) external {
        uint256 count = 9;
        for (uint256 i = 0; i < count; ++i) {
            if (random & (1 << i) != 0) transfer(ALICE, BOB, 1e18 * (i + 1));
            if (random & (512 << i) != 0) pay(NATIVE, 1e15 + 7 * i);
            nextPeriod();
        }
        uint256 total = claimableOf(BOB, NATIVE);
        uint256 sum = 0;
        for (uint256 n = 0; n < 12; ++n) {
            random = uint256(keccak256(abi.encode(random)));
            uint256 id = 1 + (random % count);
            uint256 shown = claimable(BOB, id, NATIVE);
            uint256 before = BOB.balance;
            if ((random >> 8) % 8 == 0) {
                vm.prank(BOB);
                share.claimThrough(id);
            } else if (share.isClaimed(BOB, id)) {
                assertRefused(BOB, abi.encodeCall(share.claim, (id)), alreadyClaimed(BOB, id));
            } else {
                vm.prank(BOB);
                share.claim(id);
                assertEq(BOB.balance, before + shown, "I-20");
            }
            assertTrue(share.isClaimed(BOB, id), "claimed");
        }
        for (uint256 id = 1; id <= count; ++id) sum += claimable(BOB, id, NATIVE);
        uint256 shownAll = claimableOf(BOB, NATIVE);
        assertLe(sum, shownAll, "one by one is no more than all at once");
        uint256 paid = BOB.balance;
        claimAll(BOB);
        assertEq(BOB.balance, paid + shownAll, "I-20 all");
        assertLe(BOB.balance, total, "no more than at once");
        assertLe(total, BOB.balance + count, "and hardly less");
        for (uint256 id = 1; id <= count; ++id) assertTrue(share.isClaimed(BOB, id), "all of them");
        claimAll(BOB);
        assertEq(BOB.balance, paid + shownAll, "I-3 once");
    }

    /// @dev Ids that are claimed out of order are in words of 256.
    function test_A31_I03_idsOfLaterWords() external {
        uint256[4] memory ids = [uint256(44), 255, 256, 300];
        for (uint256 i = 0; i < 4; ++i) {
            vm.warp(share.endOf(ids[i]) - 1);
            pay(NATIVE, 1_000);
        }
        vm.warp(share.endOf(301));
        for (uint256 i = 4; i > 0; --i) {
            vm.prank(BOB);
            share.claim(ids[i - 1]);
            for (uint256 k = 0; k < 4; ++k)
                assertTrue(share.isClaimed(BOB, ids[k]) == (k + 1 >= i), "claimed");
            assertNear(BOB.balance, (5 - i) * 240, 4, "paid");
        }
        claimAll(BOB);
        assertNear(BOB.balance, 960, 4, "once");
    }

    function test_claimBatch() external {
        for (uint256 i = 0; i < 3; ++i) {
            pay(NATIVE, 1_000);
            nextPeriod();
        }
        uint256[] memory ids = new uint256[](5);
        (ids[0], ids[1], ids[2], ids[3], ids[4]) = (3, 0, 3, 1, 4);
        uint256 third = claimable(BOB, 3, NATIVE);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 3, 3, third, BOB);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.ClaimSkipped(BOB, 0, noSnapshot(0, 3));
        vm.expectEmit(address(share));
        emit IRevenueShareToken.ClaimSkipped(BOB, 3, alreadyClaimed(BOB, 3));
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 1, 1, claimable(BOB, 1, NATIVE), BOB);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.ClaimSkipped(BOB, 4, noSnapshot(4, 3));
        vm.prank(BOB);
        share.claimBatch(ids);
        assertNear(BOB.balance, 480, 2, "two of them");
        assertEq(share.positionOf(BOB).claimedThrough, 1, "through the first");
        assertTrue(share.isClaimed(BOB, 3) && !share.isClaimed(BOB, 2), "and the third");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 2, 3, claimableOf(BOB, NATIVE), BOB);
        claimAll(BOB);
        assertNear(BOB.balance, 720, 3, "all of them");
    }

    function test_claimThroughAndAll() external {
        for (uint256 i = 0; i < 4; ++i) {
            pay(NATIVE, 1_000);
            nextPeriod();
        }
        vm.prank(BOB);
        share.claimThrough(2);
        assertNear(BOB.balance, 480, "two");
        assertEq(share.positionOf(BOB).claimedThrough, 2, "claimed through");
        vm.prank(BOB);
        share.claimThrough(1);
        assertNear(BOB.balance, 480, "nothing earlier");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 3, 4, claimableOf(BOB, NATIVE), BOB);
        claimAll(BOB);
        assertNear(BOB.balance, 960, 2, "all");
        assertEq(share.positionOf(BOB).claimedThrough, 4, "claimed through");
    }

    /// @dev Whoever recomputes claims from events learns of those that paid nothing too.
    function test_claimOfNothingIsAnnounced() external {
        for (uint256 i = 0; i < 3; ++i) nextPeriod();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 2, 2, 0, BOB);
        vm.prank(BOB);
        share.claim(2);
        pay(usd, 1_000);
        nextPeriod();
        vm.prank(BOB);
        share.setRecipient(CAROL);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 1, 3, 0, CAROL);
        vm.prank(BOB);
        share.claimThrough(3);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, usd, 4, 4, claimable(BOB, 4, usd), CAROL);
        claimAll(BOB);
        assertNear(moneyOf(CAROL, usd), 240, "paid");
        assertEq(BOB.balance + CAROL.balance, 0, "no coins");
    }

    function test_claimForPaysTheHolderUnlessItRefuses() external {
        pay(NATIVE, 1_000);
        nextPeriod();
        vm.prank(STRANGER);
        share.claimFor(BOB);
        assertNear(BOB.balance, 240, "Bob's");
        assertEq(STRANGER.balance, 0, "not the caller's");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.ClaimForRefused(ALICE, true);
        vm.prank(ALICE);
        share.refuseClaimFor(true);
        assertTrue(share.positionOf(ALICE).refusesClaimFor, "refuses");
        bytes memory refused = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_ClaimForRefused.selector,
            ALICE
        );
        assertRefused(STRANGER, abi.encodeCall(share.claimFor, (ALICE)), refused);
        address[] memory accounts = new address[](3);
        (accounts[0], accounts[1], accounts[2]) = (ALICE, address(pool), BOB);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.ClaimSkipped(ALICE, 1, refused);
        vm.prank(STRANGER);
        share.claimForBatch(accounts);
        assertEq(ALICE.balance, 0, "not paid");
        assertNear(address(pool).balance, 80, "paid");
        assertNear(BOB.balance, 240, "not twice");
        claimAll(ALICE);
        assertNear(ALICE.balance, 480, "claims herself");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.ClaimForRefused(ALICE, false);
        vm.prank(ALICE);
        share.refuseClaimFor(false);
        share.claimFor(ALICE);
    }

    function test_recipientIsPaid() external {
        bytes memory invalid = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_InvalidRecipient.selector,
            address(share)
        );
        assertRefused(BOB, abi.encodeCall(share.setRecipient, (address(share))), invalid);
        assertEq(share.positionOf(BOB).recipient, BOB, "itself");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RecipientSet(BOB, CAROL);
        vm.prank(BOB);
        share.setRecipient(CAROL);
        assertEq(share.positionOf(BOB).recipient, CAROL, "set");
        pay(NATIVE, 1_000);
        nextPeriod();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(BOB, NATIVE, 1, 1, claimable(BOB, 1, NATIVE), CAROL);
        share.claimFor(BOB);
        assertNear(CAROL.balance, 240, "Carol is paid");
        uint256 before = CAROL.balance;
        uint256 shown = redeemable(300e18, NATIVE);
        burn(BOB, 300e18);
        assertEq(CAROL.balance, before + shown, "also for what is burned");
        assertEq(BOB.balance, 0, "Bob is not");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.RecipientSet(BOB, BOB);
        vm.prank(BOB);
        share.setRecipient(address(0));
        assertEq(share.positionOf(BOB).recipient, BOB, "itself again");
    }

    function test_creditIsWithdrawn() external {
        pool.setManner(Actor.Manner.Refuse);
        pay(NATIVE, 1_000);
        nextPeriod();
        uint256 amount = claimable(address(pool), 1, NATIVE);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Claimed(address(pool), NATIVE, 1, 1, amount, address(pool));
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Credited(address(pool), NATIVE, amount);
        share.claimFor(address(pool));
        assertEq(share.creditOf(address(pool), NATIVE), amount, "credited");
        assertEq(share.positionOf(address(pool)).credit[0], amount, "shown");
        assertEq(share.fundsOf(NATIVE).held, 1_000, "still held");
        address[2] memory invalid = [address(0), address(share)];
        for (uint256 i = 0; i < 2; ++i) {
            assertRefused(
                address(pool),
                abi.encodeCall(share.withdrawCredit, (NATIVE, invalid[i])),
                abi.encodeWithSelector(IRevenueShareToken.RevenueShare_InvalidRecipient.selector, invalid[i])
            );
        }
        assertRefused(BOB, abi.encodeCall(share.withdrawCredit, (NATIVE, BOB)), nothingCredited(BOB, NATIVE));
        // To itself it still cannot be paid, and nothing is lost.
        vm.prank(address(pool));
        (bool success, ) = address(share).call(abi.encodeCall(share.withdrawCredit, (NATIVE, address(pool))));
        assertTrue(!success, "refused");
        assertEq(share.creditOf(address(pool), NATIVE), amount, "I-3 not lost");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.CreditWithdrawn(address(pool), NATIVE, amount, CAROL);
        vm.prank(address(pool));
        share.withdrawCredit(NATIVE, CAROL);
        assertEq(CAROL.balance, amount, "paid");
        assertEq(share.fundsOf(NATIVE).held, 1_000 - amount, "no longer held");
        assertRefused(
            address(pool),
            abi.encodeCall(share.withdrawCredit, (NATIVE, CAROL)),
            nothingCredited(address(pool), NATIVE)
        );
    }

    // ---- History ----

    /// @dev Many periods of changes without a claim: each is remembered, in either order, and claimed once.
    function testFuzz_I12_historyIsKept(uint8[12] memory moved, bool backwards) public {
        uint256[12] memory expected;
        uint256 left = 300e18;
        for (uint256 i = 0; i < 12; ++i) {
            // Twice in a period, the second time some of it back.
            uint256 amount = (uint256(moved[i]) * 1e18) / 20;
            if (amount > left) amount = left;
            transfer(BOB, CAROL, amount);
            transfer(CAROL, BOB, amount / 2);
            left -= amount - amount / 2;
            pay(NATIVE, 1e18);
            nextPeriod();
            expected[i] = left;
        }
        for (uint256 i = 0; i < 12; ++i) {
            assertEq(share.sharesOfRecord(BOB, i + 1), expected[i], "Bob's record");
            assertEq(share.sharesOfRecord(CAROL, i + 1), 300e18 - expected[i], "Carol's record");
            assertNear(claimable(BOB, i + 1, NATIVE), (0.8e18 * expected[i]) / SUPPLY, "claimable");
        }
        for (uint256 i = 0; i < 12; ++i) {
            uint256 id = backwards ? 12 - i : i + 1;
            uint256 before = BOB.balance;
            vm.prank(BOB);
            share.claim(id);
            assertNear(BOB.balance - before, (0.8e18 * expected[id - 1]) / SUPPLY, "paid");
        }
        // Carol claims now and then: what is kept after that is of later periods alone.
        claimAll(CAROL);
        for (uint256 i = 0; i < 6; ++i) {
            transfer(CAROL, BOB, share.balanceOf(CAROL) / 2);
            expected[i] = share.balanceOf(CAROL);
            pay(NATIVE, 1e18);
            nextPeriod();
        }
        for (uint256 i = 0; i < 6; ++i) {
            assertEq(share.sharesOfRecord(CAROL, 13 + i), expected[i], "after a claim");
        }
    }

    function test_I12_historyIsKept() external {
        uint8[12] memory moved = [uint8(1), 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        testFuzz_I12_historyIsKept(moved, true);
    }

    /// @dev Fifty periods cost what one does.
    function test_claimAllCostsTheSameAfterManyPeriods() external {
        for (uint256 i = 0; i < 2; ++i) {
            pay(NATIVE, 1e18);
            pay(usd, 1e6);
            nextPeriod();
            claimAll(ALICE);
            claimAll(BOB);
        }
        pay(NATIVE, 1e18);
        pay(usd, 1e6);
        nextPeriod();
        share.snapshot();
        uint256 one = this.gasOfClaimAll(BOB);
        for (uint256 i = 0; i < 50; ++i) {
            pay(NATIVE, 1e18);
            pay(usd, 1e6);
            nextPeriod();
        }
        share.snapshot();
        uint256 many = this.gasOfClaimAll(BOB);
        assertLe(many, one + 1_000, "fifty periods cost more");
        assertNear(BOB.balance, 53 * 0.24e18, 4, "all of them");
    }

    /// @dev From outside: with a memory of its own.
    function gasOfClaimAll(address account) external returns (uint256 gas) {
        vm.prank(account);
        gas = gasleft();
        share.claimAll();
        gas -= gasleft();
    }

    // ---- Who takes part ----

    function test_setSharing() external {
        pay(NATIVE, 1_000);
        nextPeriod();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.SharingSet(ALICE, false, true, 1);
        setSharing(ALICE, false);
        IRevenueShareToken.Position memory position = share.positionOf(ALICE);
        assertTrue(position.excluded && position.spoken, "said");
        assertEq(share.eligibleSupply(), 400e18, "eligible supply");
        pay(NATIVE, 1_000);
        nextPeriod();
        assertNear(claimable(ALICE, 1, NATIVE), 480, "the period before stays");
        assertEq(claimable(ALICE, 2, NATIVE), 0, "takes no part");
        assertNear(claimable(BOB, 2, NATIVE), 600, "the others have it");
        // What is moved meanwhile takes part where it goes.
        transfer(ALICE, CAROL, 200e18);
        transfer(BOB, ALICE, 100e18);
        assertEq(share.eligibleSupply(), 500e18, "eligible supply");
        pay(NATIVE, 1_000);
        nextPeriod();
        assertEq(share.sharesOfRecord(ALICE, 3), 0, "no shares");
        assertNear(claimable(CAROL, 3, NATIVE), 320, "Carol's");
        assertNear(claimable(BOB, 3, NATIVE), 320, "Bob's");
        vm.expectEmit(address(share));
        emit IRevenueShareToken.SharingSet(ALICE, true, true, 3);
        setSharing(ALICE, true);
        // From the present period on, whatever came in before.
        pay(NATIVE, 1_000);
        nextPeriod();
        assertNear(claimable(ALICE, 4, NATIVE), 400, "again");
        claimAll(ALICE);
        assertNear(ALICE.balance, 880, 3, "paid");
    }

    /// @dev In and out within a period is nothing.
    function testFuzz_setSharingTwiceInAPeriod(bool first, bool second, bool third) external {
        nextPeriod();
        setSharing(BOB, first);
        setSharing(BOB, second);
        setSharing(BOB, third);
        pay(NATIVE, 1_000);
        nextPeriod();
        assertEq(share.sharesOfRecord(BOB, 1), 300e18, "the period before");
        assertEq(share.sharesOfRecord(BOB, 2), third ? 300e18 : 0, "this period");
        assertEq(share.eligibleSupply(), third ? SUPPLY : 700e18, "eligible supply");
        assertNear(claimable(ALICE, 2, NATIVE), third ? 480 : 685, "Alice's");
        assertTrue(share.positionOf(BOB).spoken, "spoken");
    }

    /// @dev What is so already is said too: from then on nobody else decides it.
    function test_setSharingToWhatItIs() external {
        vm.expectEmit(address(share));
        emit IRevenueShareToken.SharingSet(BOB, true, true, 0);
        setSharing(BOB, true);
        assertTrue(share.positionOf(BOB).spoken && !share.positionOf(BOB).excluded, "spoken");
        assertEq(share.eligibleSupply(), SUPPLY, "eligible supply");
    }

    /// @dev What takes part changes in period after period, and revenue is divided much later.
    function testFuzz_I12_eligibleSupplyOfEachPeriodIsKept(uint8[10] memory moves) public {
        uint256[10] memory eligible;
        uint256[10] memory shares;
        for (uint256 i = 0; i < 10; ++i) {
            uint256 move = moves[i] % 6;
            if (move == 0) setSharing(ALICE, share.positionOf(ALICE).excluded);
            else if (move == 1) setSharing(BOB, share.positionOf(BOB).excluded);
            else if (move == 2 && i < 5) mint(CAROL, 10e18);
            else if (move == 3) depart(BOB, 10e18);
            else if (move == 4) burn(ALICE, 10e18);
            if (moves[i] & 64 != 0) pay(NATIVE, 1e18);
            eligible[i] = share.eligibleSupply();
            shares[i] = share.positionOf(BOB).excluded ? 0 : share.balanceOf(BOB);
            nextPeriod();
        }
        for (uint256 i = 0; i < 10; ++i) {
            uint256 expected = moves[i] & 64 == 0 ? 0 : (0.8e18 * shares[i]) / eligible[i];
            assertNear(claimable(BOB, i + 1, NATIVE), expected, "claimable");
        }
        uint256 shown = claimableOf(BOB, NATIVE);
        claimAll(BOB);
        assertEq(BOB.balance, shown, "I-20");
    }

    /// @dev Revenue is pending of the second period, what takes part changes in the two after it, and nobody divides.
    function test_I12_eligibleSupplyOfEachPeriodIsKept() external {
        uint8[10] memory moves = [uint8(71), 71, 0, 1, 0, 1, 5, 5, 71, 5];
        testFuzz_I12_eligibleSupplyOfEachPeriodIsKept(moves);
    }

    function test_setExcluded() external {
        pay(NATIVE, 1_000);
        nextPeriod();
        vm.expectEmit(address(share));
        emit IRevenueShareToken.SharingSet(address(pool), false, false, 1);
        vm.prank(OWNER);
        share.setExcluded(address(pool), true);
        pay(NATIVE, 900);
        nextPeriod();
        assertNear(claimable(address(pool), 1, NATIVE), 80, "past claims stay");
        assertEq(claimable(address(pool), 2, NATIVE), 0, "takes no part");
        assertNear(claimable(ALICE, 2, NATIVE), 480, "the others have it");
        share.claimFor(address(pool));
        assertNear(address(pool).balance, 80, "paid");
        vm.prank(OWNER);
        share.setExcluded(address(pool), false);
        assertEq(share.eligibleSupply(), SUPPLY, "in again");
        assertTrue(!share.positionOf(address(pool)).spoken, "has not spoken");
        // Once it speaks for itself, it alone does.
        vm.prank(address(pool));
        share.setSharing(true);
        assertRefused(
            OWNER,
            abi.encodeCall(share.setExcluded, (address(pool), true)),
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_Spoken.selector, address(pool))
        );
    }

    function test_RevertWhen_theOwnerExcludesAPerson() external {
        bytes memory reason = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_NotContract.selector,
            ALICE
        );
        bytes memory data = abi.encodeCall(share.setExcluded, (ALICE, true));
        assertRefused(OWNER, data, reason);
        // Delegated by EIP-7702, it has code and is a person all the same.
        vm.etch(ALICE, abi.encodePacked(hex"ef0100", address(pool)));
        assertRefused(OWNER, data, reason);
        // A contract whose code is as short, or shorter.
        vm.etch(CAROL, abi.encodePacked(hex"600100", address(pool)));
        vm.prank(OWNER);
        share.setExcluded(CAROL, true);
        vm.etch(STRANGER, hex"00");
        vm.prank(OWNER);
        share.setExcluded(STRANGER, true);
        address[3] memory others = [ALICE, BENEFICIARY, MINTER];
        for (uint256 i = 0; i < 3; ++i) {
            assertRefused(
                others[i],
                abi.encodeCall(share.setExcluded, (address(pool), true)),
                abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i])
            );
        }
    }

    // ---- Minting ----

    function test_mintWithinThePolicy() external {
        assertRefused(
            OWNER,
            abi.encodeCall(share.mint, (ALICE, 1)),
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_NotMinter.selector, OWNER)
        );
        vm.expectEmit(address(share));
        emit IERC20.Transfer(address(0), CAROL, 200e18);
        mint(CAROL, 200e18);
        assertEq(share.totalSupply(), 1_200e18, "supply");
        assertEq(share.redemptionSupply(), CAP, "redemption supply");
        // What is burned is not minted again.
        burn(CAROL, 150e18);
        assertEq(share.redemptionSupply(), CAP - 150e18, "redemption supply");
        assertRefused(
            MINTER,
            abi.encodeCall(share.mint, (ALICE, 300e18 + 1)),
            capExceeded(1_200e18, 300e18 + 1, CAP)
        );
        assertRefused(
            MINTER,
            abi.encodeCall(share.mint, (ALICE, type(uint256).max)),
            capExceeded(1_200e18, type(uint256).max, CAP)
        );
        vm.warp(MINT_UNTIL);
        mint(CAROL, 299e18);
        assertEq(share.redemptionSupply(), CAP - 150e18, "the last second");
        vm.warp(MINT_UNTIL + 1);
        assertEq(share.redemptionSupply(), CAP - 151e18, "over");
        assertRefused(
            MINTER,
            abi.encodeCall(share.mint, (ALICE, 1)),
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_MintingOver.selector, MINT_UNTIL)
        );
        withoutMinting();
        assertEq(share.mintUntil(), 0, "nobody mints");
        assertRefused(
            address(0),
            abi.encodeCall(share.mint, (ALICE, 1)),
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_MintingOver.selector, 0)
        );
    }

    /// @dev Nobody's redemption is less for what is minted.
    function testFuzz_I13_mintingDilutesNobody(uint256 amount, uint256 minted, uint256 burned) external {
        pay(NATIVE, bound(amount, 0, 1e42));
        nextPeriod();
        uint256 shown = redeemable(600e18, NATIVE);
        uint256 claim_ = claimable(ALICE, 1, NATIVE);
        mint(CAROL, bound(minted, 0, 500e18));
        assertEq(redeemable(600e18, NATIVE), shown, "not diluted");
        assertEq(claimable(ALICE, 1, NATIVE), claim_, "nor is a claim");
        burn(BOB, bound(burned, 0, 300e18));
        assertLe(shown, redeemable(600e18, NATIVE), "nor by burning");
        vm.warp(MINT_UNTIL + 1);
        assertLe(shown, redeemable(600e18, NATIVE), "nor by the end");
    }

    // ---- Burning ----

    function test_burn() external {
        withoutMinting();
        pay(NATIVE, 1_000);
        pay(usd, 500);
        nextPeriod();
        // Of the present period nothing is redeemed.
        pay(NATIVE, 1e18);
        vm.expectEmit(address(share));
        emit IERC20.Transfer(BOB, address(0), 300e18);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Redeemed(BOB, NATIVE, 300e18, 60);
        vm.expectEmit(address(share));
        emit IRevenueShareToken.Redeemed(BOB, usd, 300e18, 30);
        burn(BOB, 300e18);
        assertEq(BOB.balance, 60, "coins");
        assertEq(moneyOf(BOB, usd), 30, "tokens");
        assertEq(share.totalSupply(), 700e18, "supply");
        assertEq(share.fundsOf(NATIVE).held, 1e18 + 940, "held");
        assertEq(share.fundsOf(usd).held, 470, "held");
        assertEq(share.fundsOf(NATIVE).redeemable, 140, "the others' part");
        // Burned, its claims stay.
        claimAll(BOB);
        assertNear(BOB.balance, 300, "claimed");
        nextPeriod();
        assertEq(claimableOf(BOB, NATIVE), 0, "no part in what came later");
        assertNear(claimable(ALICE, 2, NATIVE), uint256(4.8e18) / 7, "the others have it");
    }

    /// @dev Burning in two parts pays what burning at once does, to a unit, and never more than there is.
    function testFuzz_I13_burningInPartsPaysTheSame(uint256 amount, uint256 first, uint256 second) external {
        withoutMinting();
        first = bound(first, 0, 600e18);
        second = bound(second, 0, 600e18 - first);
        amount = bound(amount, 0, 1e42);
        pay(NATIVE, amount);
        nextPeriod();
        assertLe(
            redeemable(first, NATIVE) + redeemable(second, NATIVE),
            redeemable(first + second, NATIVE),
            "I-13"
        );
        uint256 there = share.fundsOf(NATIVE).redeemable;
        assertLe(redeemable(type(uint256).max, NATIVE), there, "more than all is all");
        uint256 state = vm.snapshotState();
        burn(ALICE, first + second);
        uint256 atOnce = ALICE.balance;
        assertLe(atOnce, there, "the pool");
        vm.revertToState(state);
        burn(ALICE, first);
        uint256 shown = redeemable(second, NATIVE);
        burn(ALICE, second);
        assertLe(ALICE.balance, atOnce + 1, "I-13");
        assertLe(atOnce, ALICE.balance + 1, "nor less");
        uint256 before = BOB.balance;
        assertLe(shown, there, "the pool");
        // Nobody else's part is less for it.
        burn(BOB, 300e18);
        assertLe((there * 300e18) / SUPPLY, BOB.balance - before, "Bob's part");
    }

    function testFuzz_I19_everybodyBurnsEverything(
        uint256[4] memory amounts,
        uint96[4] memory moved
    ) external {
        withoutMinting();
        uint256 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            uint256 amount = bound(amounts[i], 0, 1e42);
            pay(NATIVE, amount);
            total += amount;
            transfer(ALICE, CAROL, bound(moved[i], 0, share.balanceOf(ALICE)));
            nextPeriod();
            if (i % 2 == 1) burn(CAROL, share.balanceOf(CAROL) / 2);
        }
        address[4] memory all = [ALICE, BOB, CAROL, address(pool)];
        uint256 paid = 0;
        for (uint256 i = 0; i < 4; ++i) burn(all[i], share.balanceOf(all[i]));
        assertEq(share.totalSupply(), 0, "nothing left");
        for (uint256 i = 0; i < 4; ++i) {
            uint256 shown = claimableOf(all[i], NATIVE);
            uint256 before = all[i].balance;
            claimAll(all[i]);
            assertEq(all[i].balance, before + shown, "every claim is paid");
            paid += all[i].balance;
        }
        assertEq(paid + address(share).balance, total, "I-2");
        assertLe(address(share).balance, 16, "I-19 less than a unit for each claim");
    }

    // ---- Bridge ----

    function test_bridge() external {
        withoutMinting();
        pay(NATIVE, 1_000);
        nextPeriod();
        bytes memory notBridge = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_NotBridge.selector,
            STRANGER
        );
        vm.prank(ALICE);
        share.approve(STRANGER, 100e18);
        assertRefused(STRANGER, abi.encodeCall(share.crosschainBurn, (ALICE, 100e18)), notBridge);
        assertRefused(
            BRIDGE,
            abi.encodeCall(share.crosschainBurn, (ALICE, 100e18)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, BRIDGE, 0, 100e18)
        );
        uint256 redeems = redeemable(300e18, NATIVE);
        vm.prank(ALICE);
        share.approve(BRIDGE, 100e18);
        vm.expectEmit(address(share));
        emit IERC20.Transfer(ALICE, address(0), 100e18);
        vm.expectEmit(address(share));
        emit IERC7802.CrosschainBurn(ALICE, 100e18, BRIDGE);
        vm.prank(BRIDGE);
        share.crosschainBurn(ALICE, 100e18);
        assertEq(share.allowance(ALICE, BRIDGE), 0, "allowance");
        assertEq(share.away(), 100e18, "away");
        assertEq(share.totalSupply(), 900e18, "supply");
        assertEq(share.redemptionSupply(), SUPPLY, "still redeems");
        assertEq(redeemable(300e18, NATIVE), redeems, "nobody gains");
        assertEq(ALICE.balance, 0, "paid nothing");
        assertNear(claimable(ALICE, 1, NATIVE), 480, "claims stay");
        pay(NATIVE, 900);
        nextPeriod();
        assertNear(claimable(ALICE, 2, NATIVE), 400, "away it earns nothing");
        assertRefused(
            BRIDGE,
            abi.encodeCall(share.crosschainMint, (CAROL, 100e18 + 1)),
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_NotAway.selector, 100e18, 100e18 + 1)
        );
        assertRefused(STRANGER, abi.encodeCall(share.crosschainMint, (CAROL, 1)), notBridge);
        vm.expectEmit(address(share));
        emit IERC20.Transfer(address(0), CAROL, 60e18);
        vm.expectEmit(address(share));
        emit IERC7802.CrosschainMint(CAROL, 60e18, BRIDGE);
        vm.prank(BRIDGE);
        share.crosschainMint(CAROL, 60e18);
        assertEq(share.away(), 40e18, "away");
        assertEq(share.balanceOf(CAROL), 60e18, "there");
        assertEq(claimableOf(CAROL, NATIVE), 0, "no claim comes with it");
        assertEq(share.redemptionSupply(), SUPPLY, "redeems the same");
    }

    function test_RevertWhen_thereIsNoBridge() external {
        IRevenueShareToken.Settings memory settings = theSettings();
        settings.bridge = address(0);
        share = deploy(settings);
        bytes memory reason = abi.encodeWithSelector(
            IRevenueShareToken.RevenueShare_NotBridge.selector,
            address(0)
        );
        assertRefused(address(0), abi.encodeCall(share.crosschainMint, (ALICE, 0)), reason);
    }

    // ---- Helpers ----

    function transfer(address from, address to, uint256 amount) private {
        vm.prank(from);
        share.transfer(to, amount);
    }

    function claimAll(address account) private {
        vm.prank(account);
        share.claimAll();
    }

    function burn(address account, uint256 amount) private {
        vm.prank(account);
        share.burn(amount);
    }

    function mint(address to, uint256 amount) private {
        vm.prank(MINTER);
        share.mint(to, amount);
    }

    function depart(address from, uint256 amount) private {
        vm.prank(from);
        share.approve(BRIDGE, amount);
        vm.prank(BRIDGE);
        share.crosschainBurn(from, amount);
    }

    function arrive(address to, uint256 amount) private {
        vm.prank(BRIDGE);
        share.crosschainMint(to, amount);
    }

    function setSharing(address account, bool shares) private {
        vm.prank(account);
        share.setSharing(shares);
    }

    /// @notice `actual` is `exact` or one less.
    function assertNear(uint256 actual, uint256 exact, string memory what) private pure {
        assertNear(actual, exact, 1, what);
    }

    /// @notice `actual` is `exact`, or less by one for each of so many claims.
    function assertNear(uint256 actual, uint256 exact, uint256 claims, string memory what) private pure {
        assertLe(actual, exact, what);
        assertLe(exact, actual + claims, what);
    }

    function insufficientBalance(
        address account,
        uint256 balance,
        uint256 needed
    ) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, account, balance, needed);
    }

    function capExceeded(uint256 minted, uint256 amount, uint256 cap) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_CapExceeded.selector, minted, amount, cap);
    }

    function noSnapshot(uint256 id, uint256 last) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRevenueShareToken.RevenueShare_NoSnapshot.selector, id, last);
    }

    function alreadyClaimed(address account, uint256 id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRevenueShareToken.RevenueShare_AlreadyClaimed.selector, account, id);
    }

    function nothingCredited(address account, address token) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_NothingCredited.selector, account, token);
    }
}
