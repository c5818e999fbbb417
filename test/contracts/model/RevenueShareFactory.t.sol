// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";

import {IRevenueShareFactory} from "../../../contracts/interfaces/IRevenueShareFactory.sol";
import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {ShareTest} from "./ShareTest.sol";

/// @notice Where shares are made and found.
contract RevenueShareFactoryTest is ShareTest {
    IRevenueShareFactory private factory;
    bytes private code;

    function setUp() external {
        vm.warp(START);
        code = vm.getCode("contracts/model/RevenueShareToken.sol:RevenueShareToken");
        factory = IRevenueShareFactory(
            create("contracts/model/RevenueShareFactory.sol:RevenueShareFactory", abi.encode(keccak256(code)))
        );
    }

    function test_createMakesAShare() external {
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.tokens = listOf(address(new MockERC20()));
        allocate(settings, ALICE, 100);
        address expected = Create2.computeAddress(
            bytes32(0),
            keccak256(bytes.concat(code, abi.encode(settings))),
            address(factory)
        );
        assertTrue(!factory.isShare(expected), "not yet");
        vm.expectEmit(address(factory));
        emit IRevenueShareFactory.RevenueShareCreated(expected, BOB, 0);
        vm.prank(BOB);
        assertEq(factory.create(code, settings), expected, "address");
        assertTrue(factory.isShare(expected), "listed");
        assertTrue(!factory.isShare(address(factory)), "nothing else is");
        assertEq(factory.count(), 1, "count");
        assertEq(uint256(factory.codeHash()), uint256(keccak256(code)), "code");
        share = IRevenueShareToken(expected);
        assertEq(share.balanceOf(ALICE), 100, "allocated");
        assertEq(share.beneficiary(), BENEFICIARY, "settings");
        pay(NATIVE, 1_000);
        nextPeriod();
        vm.prank(ALICE);
        share.claimAll();
        assertLe(799, ALICE.balance, "it works");
    }

    /// @dev The same settings again make another one.
    function testFuzz_pagesOfShares(uint8 count, uint256 from, uint256 limit) external {
        count = uint8(bound(count, 0, 4));
        address[] memory made = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            made[i] = factory.create(code, someSettings());
            for (uint256 k = 0; k < i; ++k) assertTrue(made[i] != made[k], "another one");
        }
        assertEq(factory.count(), count, "count");
        if (from % 2 == 0) (from, limit) = (from % 6, limit % 6);
        address[] memory page = factory.shares(from, limit);
        uint256 length =
            from >= count
                ? 0
                : limit < count - from
                    ? limit
                    : count - from;
        assertEq(page.length, length, "length");
        for (uint256 i = 0; i < length; ++i) assertEq(page[i], made[from + i], "oldest first");
        assertEq(factory.shares(0, type(uint256).max).length, count, "all");
        assertEq(factory.shares(1, type(uint256).max).length, count == 0 ? 0 : count - 1, "all but one");
    }

    function testFuzz_RevertWhen_theCodeIsAnother(uint256 place, uint8 flip, bool shorter) external {
        bytes memory other = bytes.concat(code);
        if (shorter) other = bytes.concat(code, bytes1(flip));
        else other[place % code.length] ^= bytes1(flip == 0 ? 1 : flip);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRevenueShareFactory.RevenueShareFactory_OtherCode.selector,
                keccak256(other),
                keccak256(code)
            )
        );
        factory.create(other, someSettings());
        assertEq(factory.count(), 0, "nothing was made");
    }

    function test_RevertWhen_theCodeIsAnother() external {
        bytes[3] memory others = [
            bytes(""),
            type(Actor).creationCode,
            vm.getCode("contracts/mocks/MockERC20.sol:MockERC20")
        ];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRevenueShareFactory.RevenueShareFactory_OtherCode.selector,
                    keccak256(others[i]),
                    keccak256(code)
                )
            );
            factory.create(others[i], someSettings());
        }
    }

    /// @dev The share's own refusal is passed on.
    function test_RevertWhen_aSettingIsInvalid() external {
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.claimBps = 10_001;
        vm.expectRevert(
            abi.encodeWithSelector(IRevenueShareToken.RevenueShare_InvalidSetting.selector, "claimBps")
        );
        factory.create(code, settings);
        assertEq(factory.count(), 0, "nothing was made");
    }

    /// @dev Of many shares those in which an account has something: a balance, a claim, a credit.
    function test_positionsOfAnAccount() external {
        Actor actor = new Actor();
        address[] memory made = new address[](5);
        for (uint256 i = 0; i < 5; ++i) {
            IRevenueShareToken.Settings memory settings = someSettings();
            if (i == 3) settings.tokens = listOf(address(new MockERC20()));
            allocate(settings, i == 1 ? ALICE : address(actor), 100);
            made[i] = factory.create(code, settings);
        }
        assertEq(factory.positionsOf(address(actor), 0, 5).length, 4, "balances");
        // Number 0: nothing. 2: a claim alone. 3: the balance. 4: a credit alone.
        for (uint256 i = 0; i < 5; ++i) {
            share = IRevenueShareToken(made[i]);
            if (i == 2 || i == 4) pay(NATIVE, 1_000);
        }
        nextPeriod();
        actor.setManner(Actor.Manner.Refuse);
        IRevenueShareToken(made[4]).claimFor(address(actor));
        for (uint256 i = 0; i < 5; ++i) {
            if (i == 1 || i == 3) continue;
            vm.prank(address(actor));
            IRevenueShareToken(made[i]).transfer(ALICE, 100);
        }
        IRevenueShareFactory.Entry[] memory entries = factory.positionsOf(address(actor), 0, 100);
        assertEq(entries.length, 3, "entries");
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(entries[i].share, made[i + 2], "share");
            IRevenueShareToken.Position memory position = IRevenueShareToken(made[i + 2]).positionOf(
                address(actor)
            );
            assertEq(abi.encode(entries[i].position), abi.encode(position), "position");
            assertEq(
                abi.encode(entries[i].tokens),
                abi.encode(IRevenueShareToken(made[i + 2]).tokens()),
                "tokens"
            );
        }
        assertLe(799, entries[0].position.claimable[0], "a claim");
        assertEq(entries[1].position.balance, 100, "a balance");
        assertEq(entries[1].tokens.length, 2, "with a token");
        assertLe(799, entries[2].position.credit[0], "a credit");
        assertEq(factory.positionsOf(address(actor), 3, 1).length, 1, "a page");
        assertEq(factory.positionsOf(address(actor), 0, 2).length, 0, "an empty page");
        assertEq(factory.positionsOf(address(actor), 9, 9).length, 0, "behind the end");
        assertEq(factory.positionsOf(BOB, 0, 9).length, 0, "somebody without any");
    }
}
