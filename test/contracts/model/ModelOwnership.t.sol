// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IDeedMetadata} from "../../../contracts/interfaces/IDeedMetadata.sol";
import {IERC404} from "../../../contracts/interfaces/IERC404.sol";
import {IERC7631Base, IERC7631BaseNFTSkippable} from "../../../contracts/interfaces/IERC7631.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {OwnershipTest} from "./OwnershipTest.sol";

/// @notice A model's ownership as an ERC-20 token: how it is made, minted, transferred, approved, permitted and voted with,
/// and who gets deeds with it.
contract ModelOwnershipTest is OwnershipTest {
    uint256 private constant CAP = 1_000 * UNIT + 1;
    uint256 private constant KEY = 0xA11CE5;
    uint256 private constant MINT_UNTIL = START + 30 days;

    Actor private pool;
    address private signer;

    /// @dev Alice has 10.5 units, Bob 3, a contract 5.
    function setUp() external {
        vm.warp(START);
        pool = new Actor();
        signer = vm.addr(KEY);
        open(theSettings());
    }

    function theSettings() private returns (IModelOwnership.Settings memory settings) {
        settings = someSettings();
        settings.cap = CAP;
        settings.minter = MINTER;
        settings.mintUntil = uint40(MINT_UNTIL);
        allocate(settings, ALICE, 10 * UNIT + UNIT / 2);
        allocate(settings, BOB, 3 * UNIT);
        allocate(settings, address(pool), 5 * UNIT);
    }

    // ---- Creation ----

    function test_settingsAreWhatWasSet() external {
        assertEq(bytes(ownership.name()), "Model", "name");
        assertEq(bytes(ownership.symbol()), "MDL", "symbol");
        assertEq(bytes(ownership.licence()), "Apache-2.0", "licence");
        assertEq(ownership.decimals(), 18, "decimals");
        assertEq(ownership.units(), UNIT, "unit");
        assertEq(ownership.cap(), CAP, "cap");
        assertEq(ownership.minter(), MINTER, "minter");
        assertEq(ownership.mintUntil(), MINT_UNTIL, "mintUntil");
        assertEq(Ownable(address(ownership)).owner(), OWNER, "owner");
        assertEq(ownership.AUTO_DEEDS(), AUTO_DEEDS, "AUTO_DEEDS");
        assertEq(ownership.ID_ENCODING_PREFIX(), ID, "ID_ENCODING_PREFIX");
        assertEq(ownership.totalSupply(), 18 * UNIT + UNIT / 2, "supply");
        assertEq(ownership.erc20TotalSupply(), 18 * UNIT + UNIT / 2, "erc20TotalSupply");
        assertEq(ownership.erc721TotalSupply(), 13, "erc721TotalSupply");
        assertEq(ownership.minted(), 13, "minted");
        assertEq(ownership.getERC721QueueLength(), 0, "queue");
        assertDeeds(ALICE, range(1, 10));
        assertDeeds(BOB, range(11, 13));
        assertDeeds(address(pool), new uint256[](0));
        assertNobodys(0);
        assertNobodys(14);
    }

    /// @dev All that happens at the beginning is logged as by minting.
    function test_creationIsLogged() external {
        IModelOwnership.Settings memory settings = someSettings();
        allocate(settings, ALICE, 2 * UNIT);
        allocate(settings, address(pool), UNIT);
        vm.recordLogs();
        open(settings);
        expectLog(
            address(ownership),
            [keccak256("OwnershipTransferred(address,address)"), 0, word(OWNER), 0],
            3,
            ""
        );
        expectTransfer(NOBODY, ALICE, 2 * UNIT);
        expectDeeds(NOBODY, ALICE, listOf(1, 2));
        expectTransfer(NOBODY, address(pool), UNIT);
        assertLogs();
    }

    function test_mintUntilSaysNothingWithoutMinter() external {
        IModelOwnership.Settings memory settings = theSettings();
        settings.minter = NOBODY;
        open(settings);
        assertEq(ownership.mintUntil(), 0, "mintUntil");
        assertRefused(
            NOBODY,
            address(ownership),
            abi.encodeCall(ownership.mint, (ALICE, 1)),
            abi.encodeWithSelector(IModelOwnership.ModelOwnership_MintingOver.selector, 0)
        );
    }

    function test_RevertWhen_aSettingIsInvalid() external {
        for (uint256 i = 0; i < 10; ++i) {
            IModelOwnership.Settings memory settings = theSettings();
            string memory what = breakSetting(settings, i);
            vm.expectRevert(
                abi.encodeWithSelector(IModelOwnership.ModelOwnership_InvalidSetting.selector, what)
            );
            this.deployOutside(settings);
        }
    }

    function breakSetting(
        IModelOwnership.Settings memory settings,
        uint256 which
    ) private view returns (string memory) {
        if (which == 0) settings.unit = 0;
        if (which == 0) return "unit";
        if (which == 1) settings.cap = 0;
        if (which == 2) (settings.cap, settings.unit) = (2 ** 96, 2 ** 80);
        if (which == 3) (settings.cap, settings.unit) = (2 ** 24, 1);
        if (which == 4) (settings.cap, settings.unit) = (7 * 2 ** 24, 7);
        if (which == 5) (settings.cap, settings.unit) = (2 ** 96 - 1, 2 ** 72 - 1);
        if (which <= 5) return "cap";
        if (which == 6) settings.licence = string(new bytes(129));
        if (which == 6) return "licence";
        if (which == 7) settings.metadata = IDeedMetadata(NOBODY);
        if (which == 8) settings.metadata = IDeedMetadata(ALICE);
        if (which <= 8) return "metadata";
        settings.mintUntil = uint40(vm.getBlockTimestamp() + 2 ** 32);
        return "mintUntil";
    }

    function test_settingsAtTheirEdges() external {
        IModelOwnership.Settings memory settings = someSettings();
        (settings.cap, settings.unit) = (2 ** 96 - 1, 2 ** 72);
        (settings.minter, settings.mintUntil) = (MINTER, uint40(START + 2 ** 32 - 1));
        settings.licence = string(new bytes(128));
        allocate(settings, ALICE, 2 ** 96 - 1);
        open(settings);
        assertEq(ownership.balanceOf(ALICE), 2 ** 96 - 1, "all");
        assertEq(ownership.standingOf(ALICE).wholeUnits, MAX_DEED, "units");
        (settings.cap, settings.unit) = (MAX_DEED, 1);
        settings.allocations[0].amount = MAX_DEED;
        open(settings);
        assertEq(ownership.standingOf(ALICE).wholeUnits, MAX_DEED, "units of one");
        // A unit that nobody can have.
        (settings.cap, settings.unit) = (10, 11);
        settings.allocations[0].amount = 10;
        open(settings);
        assertStanding(ALICE, 10, 0, 0);
        assertEq(materialise(ALICE, 1), 0, "none");
    }

    function test_RevertWhen_creationGivesTooMuchOrToNobody() external {
        IModelOwnership.Settings memory settings = theSettings();
        settings.cap = 13 * UNIT;
        vm.expectRevert(capExceeded(10 * UNIT + UNIT / 2, 3 * UNIT, 13 * UNIT));
        this.deployOutside(settings);
        settings = theSettings();
        settings.allocations[1].account = NOBODY;
        vm.expectRevert(invalidReceiver(NOBODY));
        this.deployOutside(settings);
        settings = theSettings();
        settings.owner = NOBODY;
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, NOBODY));
        this.deployOutside(settings);
    }

    /// @dev An EIP-712 domain is kept in a word.
    function test_RevertWhen_nameIsTooLong() external {
        IModelOwnership.Settings memory settings = theSettings();
        settings.name = "A name that has thirty-two bytes";
        vm.expectRevert(abi.encodeWithSignature("StringTooLong(string)", settings.name));
        this.deployOutside(settings);
        settings.name = "A name that has thirty-one byte";
        open(settings);
        assertEq(bytes(ownership.name()), bytes(settings.name), "name");
    }

    function deployOutside(IModelOwnership.Settings memory settings) external returns (IModelOwnership) {
        return deploy(settings);
    }

    function capExceeded(uint256 minted, uint256 amount, uint256 cap) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(IModelOwnership.ModelOwnership_CapExceeded.selector, minted, amount, cap);
    }

    function invalidReceiver(address to) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, to);
    }

    function insufficientBalance(
        address from,
        uint256 balance,
        uint256 value
    ) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, from, balance, value);
    }

    function insufficientAllowance(
        address by,
        uint256 allowed,
        uint256 value
    ) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, by, allowed, value);
    }

    function test_interfaces() external view {
        assertEq(erc404Id(), 0xcaf91ff5, "ERC-404");
        assertEq(
            uint32(type(IERC7631Base).interfaceId),
            uint32(IERC7631Base.mirrorERC721.selector),
            "ERC-7631"
        );
        bytes4[9] memory ids = [
            bytes4(0xcaf91ff5),
            0x01ffc9a7,
            0x36372b07,
            0xa219a025,
            0x9d8ff7da,
            type(IERC6372).interfaceId,
            type(IERC7631Base).interfaceId,
            type(IERC7631BaseNFTSkippable).interfaceId,
            type(IVotes).interfaceId
        ];
        assertEq(uint32(type(IERC20).interfaceId), 0x36372b07, "ERC-20");
        assertEq(uint32(type(IERC20Metadata).interfaceId), 0xa219a025, "ERC-20 metadata");
        assertEq(uint32(type(IERC20Permit).interfaceId), 0x9d8ff7da, "ERC-2612");
        assertEq(uint32(type(IERC165).interfaceId), 0x01ffc9a7, "ERC-165");
        for (uint256 i = 0; i < ids.length; ++i) {
            assertTrue(IERC165(address(ownership)).supportsInterface(ids[i]), "an interface");
        }
        assertTrue(!IERC165(address(ownership)).supportsInterface(0xffffffff), "ERC-165");
        assertTrue(!IERC165(address(ownership)).supportsInterface(0x80ac58cd), "it is no ERC-721");
    }

    /// @dev Of Pandora's functions, as they are written there.
    function erc404Id() private pure returns (uint32 id) {
        string[30] memory functions = [
            "name()",
            "symbol()",
            "decimals()",
            "totalSupply()",
            "erc20TotalSupply()",
            "erc721TotalSupply()",
            "balanceOf(address)",
            "erc721BalanceOf(address)",
            "erc20BalanceOf(address)",
            "erc721TransferExempt(address)",
            "isApprovedForAll(address,address)",
            "allowance(address,address)",
            "owned(address)",
            "ownerOf(uint256)",
            "tokenURI(uint256)",
            "approve(address,uint256)",
            "erc20Approve(address,uint256)",
            "erc721Approve(address,uint256)",
            "setApprovalForAll(address,bool)",
            "transferFrom(address,address,uint256)",
            "erc20TransferFrom(address,address,uint256)",
            "erc721TransferFrom(address,address,uint256)",
            "transfer(address,uint256)",
            "getERC721QueueLength()",
            "getERC721TokensInQueue(uint256,uint256)",
            "setSelfERC721TransferExempt(bool)",
            "safeTransferFrom(address,address,uint256)",
            "safeTransferFrom(address,address,uint256,bytes)",
            "DOMAIN_SEPARATOR()",
            "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
        ];
        for (uint256 i = 0; i < functions.length; ++i) {
            id ^= uint32(bytes4(keccak256(bytes(functions[i]))));
        }
    }

    // ---- Transfers ----

    /// @dev Balances of all, both logs, deeds by the units that become whole or are broken.
    /// hardhat-config: default.fuzz.runs = 64
    function testFuzz_transfer(uint256 amount) public {
        amount = bound(amount, 0, 10 * UNIT + UNIT / 2);
        uint256 supply = ownership.totalSupply();
        uint256 left = 10 * UNIT + UNIT / 2 - amount;
        uint256 lost = amount == 0 ? 0 : 10 - left / UNIT;
        uint256 gained = amount / UNIT;
        vm.recordLogs();
        transfer(ALICE, CAROL, amount);
        expectTransfer(ALICE, CAROL, amount);
        uint256[] memory handed = gained == 0 ? new uint256[](0) : range(10, 11 - gained);
        expectDeeds(ALICE, CAROL, handed);
        // At most one is broken without making another whole.
        if (lost > gained) expectDeeds(ALICE, NOBODY, listOf(10 - gained));
        assertLogs();
        assertStanding(ALICE, left, 10 - lost, 0);
        assertStanding(CAROL, amount, gained, 0);
        assertStanding(BOB, 3 * UNIT, 3, 0);
        assertDeeds(ALICE, lost == 10 ? new uint256[](0) : range(1, 10 - lost));
        assertDeeds(CAROL, handed);
        assertEq(queue(), lost > gained ? listOf(10 - gained) : new uint256[](0), "queue");
        assertEq(ownership.totalSupply(), supply, "supply");
        assertEq(deeds.totalSupply(), 13 - (lost - gained), "deeds in all");
    }

    function test_transfer() external {
        testFuzz_transfer(3 * UNIT);
    }

    function test_transferOfAll() external {
        testFuzz_transfer(10 * UNIT + UNIT / 2);
    }

    function testFuzz_RevertWhen_balanceIsTooSmall(uint256 amount) public {
        amount = bound(amount, 10 * UNIT + UNIT / 2 + 1, type(uint256).max);
        bytes memory reason = insufficientBalance(ALICE, 10 * UNIT + UNIT / 2, amount);
        assertRefused(ALICE, address(ownership), abi.encodeCall(ownership.transfer, (BOB, amount)), reason);
        // To oneself as well.
        assertRefused(ALICE, address(ownership), abi.encodeCall(ownership.transfer, (ALICE, amount)), reason);
        vm.prank(ALICE);
        ownership.erc20Approve(BOB, amount);
        assertRefused(
            BOB,
            address(ownership),
            abi.encodeCall(ownership.erc20TransferFrom, (ALICE, CAROL, amount)),
            reason
        );
        assertRefused(
            STRANGER,
            address(ownership),
            abi.encodeCall(ownership.transfer, (BOB, 1)),
            insufficientBalance(STRANGER, 0, 1)
        );
    }

    function test_RevertWhen_balanceIsTooSmall() external {
        testFuzz_RevertWhen_balanceIsTooSmall(11 * UNIT);
        testFuzz_RevertWhen_balanceIsTooSmall(ID + 1);
    }

    /// @dev A finite allowance is used up; an infinite one, above all amounts, is not.
    /// hardhat-config: default.fuzz.runs = 96
    function testFuzz_allowance(uint256 allowed, uint256 amount, bool byFacade) public {
        allowed = bound(allowed, 0, type(uint256).max);
        amount = bound(amount, 0, 10 * UNIT);
        vm.recordLogs();
        vm.prank(ALICE);
        assertTrue(ownership.erc20Approve(BOB, allowed), "approve");
        expectApproval(ALICE, BOB, allowed);
        assertEq(ownership.allowance(ALICE, BOB), allowed, "allowance");
        assertEq(ownership.allowance(BOB, ALICE), 0, "the other's");
        bytes memory data =
            byFacade
                ? abi.encodeCall(ownership.erc20TransferFrom, (ALICE, address(pool), amount))
                : abi.encodeCall(ownership.transferFrom, (ALICE, address(pool), amount));
        if (allowed < amount) {
            assertRefused(BOB, address(ownership), data, insufficientAllowance(BOB, allowed, amount));
            return;
        }
        uint256 left = allowed == type(uint256).max ? allowed : allowed - amount;
        vm.prank(BOB);
        (bool success, bytes memory answer) = address(ownership).call(data);
        assertTrue(success && abi.decode(answer, (bool)), "transferFrom");
        expectTransfer(ALICE, address(pool), amount);
        uint256 kept = (10 * UNIT + UNIT / 2 - amount) / UNIT;
        if (kept < 10) expectDeeds(ALICE, NOBODY, range(10, kept + 1));
        assertLogs();
        assertEq(ownership.allowance(ALICE, BOB), left, "allowance left");
        assertStanding(ALICE, 10 * UNIT + UNIT / 2 - amount, kept, 0);
        assertStanding(address(pool), 5 * UNIT + amount, 0, 0);
        assertStanding(BOB, 3 * UNIT, 3, 0);
    }

    function test_allowance() external {
        testFuzz_allowance(5 * UNIT, 2 * UNIT, false);
    }

    function test_allowanceIsInfinite() external {
        testFuzz_allowance(type(uint256).max, 2 * UNIT, true);
    }

    function test_RevertWhen_allowanceIsTooSmall() external {
        testFuzz_allowance(UNIT, UNIT + 1, false);
    }

    function test_RevertWhen_nobodyIsApproved() external {
        assertRefused(
            ALICE,
            address(ownership),
            abi.encodeCall(ownership.approve, (NOBODY, 1)),
            abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, NOBODY)
        );
        assertRefused(
            ALICE,
            address(ownership),
            abi.encodeCall(ownership.erc20Approve, (NOBODY, ID + 1)),
            abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, NOBODY)
        );
    }

    // ---- Permits ----

    /// hardhat-config: default.fuzz.runs = 64
    function testFuzz_permit(uint256 value, uint256 wait, bool byAnother) public {
        if (value > ID && value <= ID + MAX_DEED) value = ID;
        wait = bound(wait, 0, 365 days);
        uint256 deadline = START + wait;
        (uint8 v, bytes32 r, bytes32 s) = signPermit(BOB, value, 0, deadline);
        vm.warp(deadline);
        vm.recordLogs();
        vm.prank(byAnother ? STRANGER : BOB);
        ownership.permit(signer, BOB, value, deadline, v, r, s);
        expectApproval(signer, BOB, value);
        assertLogs();
        assertEq(ownership.allowance(signer, BOB), value, "allowance");
        assertEq(ownership.nonces(signer), 1, "nonce");
        // Once only.
        bytes memory data = abi.encodeCall(ownership.permit, (signer, BOB, value, deadline, v, r, s));
        (bool success, bytes memory reason) = address(ownership).call(data);
        assertTrue(!success && bytes4(reason) == ERC20Permit.ERC2612InvalidSigner.selector, "replayed");
    }

    function test_permit() external {
        testFuzz_permit(5 * UNIT, 1 hours, true);
    }

    function test_permitOfInfinity() external {
        testFuzz_permit(type(uint256).max, 0, false);
    }

    function signPermit(
        address spender,
        uint256 value,
        uint256 nonce,
        uint256 deadline
    ) private view returns (uint8, bytes32, bytes32) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                signer,
                spender,
                value,
                nonce,
                deadline
            )
        );
        return sign(content);
    }

    function sign(bytes32 content) private view returns (uint8, bytes32, bytes32) {
        return vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", ownership.DOMAIN_SEPARATOR(), content)));
    }

    function test_domain() external view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Model"),
                keccak256("1"),
                block.chainid,
                address(ownership)
            )
        );
        assertTrue(ownership.DOMAIN_SEPARATOR() == domain, "domain");
    }

    function test_RevertWhen_permitIsWrong() external {
        (uint8 v, bytes32 r, bytes32 s) = signPermit(BOB, 7, 0, START);
        // Of more, for another, by another.
        assertPermitRefused(abi.encodeCall(ownership.permit, (signer, BOB, 8, START, v, r, s)));
        assertPermitRefused(abi.encodeCall(ownership.permit, (signer, CAROL, 7, START, v, r, s)));
        assertPermitRefused(abi.encodeCall(ownership.permit, (ALICE, BOB, 7, START, v, r, s)));
        assertPermitRefused(abi.encodeCall(ownership.permit, (signer, BOB, 7, START + 1, v, r, s)));
        // On another chain.
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        assertPermitRefused(abi.encodeCall(ownership.permit, (signer, BOB, 7, START, v, r, s)));
        vm.chainId(chain);
        // Too late.
        vm.warp(START + 1);
        assertRefused(
            BOB,
            address(ownership),
            abi.encodeCall(ownership.permit, (signer, BOB, 7, START, v, r, s)),
            abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, START)
        );
        vm.warp(START);
        ownership.permit(signer, BOB, 7, START, v, r, s);
        assertEq(ownership.allowance(signer, BOB), 7, "it was right");
    }

    function assertPermitRefused(bytes memory data) private {
        (bool success, bytes memory reason) = address(ownership).call(data);
        assertTrue(!success && bytes4(reason) == ERC20Permit.ERC2612InvalidSigner.selector, "signer");
    }

    // ---- Minting ----

    /// hardhat-config: default.fuzz.runs = 24
    function testFuzz_mint(uint256 amount, uint256 wait) public {
        amount = bound(amount, 0, 120 * UNIT);
        vm.warp(START + bound(wait, 0, 30 days));
        vm.recordLogs();
        vm.prank(MINTER);
        ownership.mint(BOB, amount);
        expectTransfer(NOBODY, BOB, amount);
        uint256 made = amount / UNIT;
        uint256[] memory ids = made == 0 ? new uint256[](0) : range(14, 13 + made);
        expectDeeds(NOBODY, BOB, ids);
        assertLogs();
        assertStanding(BOB, 3 * UNIT + amount, 3 + made, 0);
        assertDeeds(BOB, join(range(11, 13), ids));
        assertEq(ownership.totalSupply(), 18 * UNIT + UNIT / 2 + amount, "supply");
        assertEq(ownership.minted(), 13 + made, "ids");
    }

    function test_mint() external {
        testFuzz_mint(2 * UNIT, 0);
    }

    function test_mintInTheLastSecond() external {
        testFuzz_mint(UNIT / 2, 30 days);
    }

    function test_RevertWhen_mintingIsNotAllowed() external {
        bytes memory data = abi.encodeCall(ownership.mint, (ALICE, 1));
        bytes memory reason = abi.encodeWithSelector(
            IModelOwnership.ModelOwnership_NotMinter.selector,
            OWNER
        );
        assertRefused(OWNER, address(ownership), data, reason);
        uint256 left = CAP - (18 * UNIT + UNIT / 2);
        assertRefused(
            MINTER,
            address(ownership),
            abi.encodeCall(ownership.mint, (ALICE, left + 1)),
            capExceeded(18 * UNIT + UNIT / 2, left + 1, CAP)
        );
        assertRefused(
            MINTER,
            address(ownership),
            abi.encodeCall(ownership.mint, (ALICE, type(uint256).max)),
            capExceeded(18 * UNIT + UNIT / 2, type(uint256).max, CAP)
        );
        address[3] memory refused = [NOBODY, address(ownership), address(deeds)];
        for (uint256 i = 0; i < refused.length; ++i) {
            assertRefused(
                MINTER,
                address(ownership),
                abi.encodeCall(ownership.mint, (refused[i], 1)),
                invalidReceiver(refused[i])
            );
        }
        vm.prank(MINTER);
        ownership.mint(ALICE, left);
        assertEq(ownership.totalSupply(), CAP, "all");
        assertRefused(MINTER, address(ownership), data, capExceeded(CAP, 1, CAP));
        vm.warp(MINT_UNTIL + 1);
        reason = abi.encodeWithSelector(IModelOwnership.ModelOwnership_MintingOver.selector, MINT_UNTIL);
        assertRefused(MINTER, address(ownership), data, reason);
    }

    // ---- Votes ----

    function test_delegation() external {
        assertEq(ownership.getVotes(ALICE), 0, "nobody has them before");
        vm.recordLogs();
        vm.prank(ALICE);
        ownership.delegate(BOB);
        expectLog(
            address(ownership),
            [keccak256("DelegateChanged(address,address,address)"), word(ALICE), 0, word(BOB)],
            4,
            ""
        );
        expectVotes(BOB, 0, 10 * UNIT + UNIT / 2);
        transfer(ALICE, CAROL, UNIT / 2);
        expectTransfer(ALICE, CAROL, UNIT / 2);
        expectVotes(BOB, 10 * UNIT + UNIT / 2, 10 * UNIT);
        transferDeed(ALICE, address(pool), 4);
        expectTransfer(ALICE, address(pool), UNIT);
        expectVotes(BOB, 10 * UNIT, 9 * UNIT);
        expectDeeds(ALICE, address(pool), listOf(4));
        vm.prank(MINTER);
        ownership.mint(ALICE, 1);
        expectTransfer(NOBODY, ALICE, 1);
        expectVotes(BOB, 9 * UNIT, 9 * UNIT + 1);
        assertLogs();
        assertEq(ownership.delegates(ALICE), BOB, "delegate");
        // Exempt or not, a balance votes.
        vm.prank(address(pool));
        ownership.delegate(address(pool));
        assertEq(ownership.getVotes(address(pool)), 6 * UNIT, "a contract's");
        vm.prank(BOB);
        ownership.delegate(CAROL);
        assertEq(ownership.getVotes(CAROL), 3 * UNIT, "Bob's own");
        transfer(ALICE, BOB, UNIT);
        assertEq(ownership.getVotes(BOB), 8 * UNIT + 1, "what Alice has");
        assertEq(ownership.getVotes(CAROL), 4 * UNIT, "what Bob has");
        vm.prank(ALICE);
        ownership.delegate(NOBODY);
        assertEq(ownership.getVotes(BOB), 0, "taken back");
        transfer(ALICE, BOB, UNIT);
        assertEq(ownership.getVotes(BOB), 0, "nobody has Alice's");
        assertEq(ownership.getVotes(CAROL), 5 * UNIT, "comes to Bob's");
        transfer(BOB, ALICE, UNIT);
        assertEq(ownership.getVotes(CAROL), 4 * UNIT, "goes from Bob's");
    }

    function expectVotes(address delegatee, uint256 before, uint256 later) private {
        expectLog(
            address(ownership),
            [keccak256("DelegateVotesChanged(address,uint256,uint256)"), word(delegatee), 0, 0],
            2,
            abi.encode(before, later)
        );
    }

    function test_delegationBySignature() external {
        transfer(ALICE, signer, 2 * UNIT);
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Delegation(address delegatee,uint256 nonce,uint256 expiry)"),
                BOB,
                0,
                START + 1
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = sign(content);
        vm.warp(START + 2);
        bytes memory data = abi.encodeCall(ownership.delegateBySig, (BOB, 0, START + 1, v, r, s));
        assertRefused(
            BOB,
            address(ownership),
            data,
            abi.encodeWithSelector(IVotes.VotesExpiredSignature.selector, START + 1)
        );
        vm.warp(START + 1);
        vm.prank(STRANGER);
        ownership.delegateBySig(BOB, 0, START + 1, v, r, s);
        assertEq(ownership.delegates(signer), BOB, "delegate");
        assertEq(ownership.getVotes(BOB), 2 * UNIT, "votes");
        // Permits and delegations share nonces.
        assertEq(ownership.nonces(signer), 1, "nonce");
        assertRefused(
            BOB,
            address(ownership),
            data,
            abi.encodeWithSignature("InvalidAccountNonce(address,uint256)", signer, 1)
        );
    }

    /// @dev Votes of each second are those after its last transfer.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_pastVotes(uint256 random, uint256 asked) public {
        vm.prank(ALICE);
        ownership.delegate(CAROL);
        vm.prank(BOB);
        ownership.delegate(STRANGER);
        uint256[3][16] memory history;
        uint256 time = START;
        for (uint256 i = 0; i < history.length; ++i) {
            time += random % 3;
            vm.warp(time);
            bool toBob = (random >> 8) % 2 == 0;
            (address from, address to) = toBob ? (ALICE, BOB) : (BOB, ALICE);
            transfer(from, to, (random >> 16) % (ownership.balanceOf(from) + 1));
            history[i] = [time, ownership.balanceOf(ALICE), ownership.balanceOf(BOB)];
            assertEq(ownership.getVotes(CAROL), history[i][1], "Alice's");
            assertEq(ownership.getVotes(STRANGER), history[i][2], "Bob's");
            random = uint256(keccak256(abi.encode(random)));
        }
        asked = bound(asked, START, time);
        uint256[2] memory expected = [10 * UNIT + UNIT / 2, 3 * UNIT];
        for (uint256 i = 0; i < history.length && history[i][0] <= asked; ++i) {
            expected = [history[i][1], history[i][2]];
        }
        vm.warp(time + 1);
        assertEq(ownership.getPastVotes(CAROL, asked), expected[0], "Alice's past");
        assertEq(ownership.getPastVotes(STRANGER, asked), expected[1], "Bob's past");
        assertEq(ownership.getPastVotes(CAROL, START - 1), 0, "before");
    }

    function test_pastVotes() external {
        testFuzz_pastVotes(1, START + 5);
    }

    /// @dev The history has each minting, several in one second too, and says what was at the end of each second.
    /// hardhat-config: default.fuzz.runs = 32
    function testFuzz_pastTotalSupply(uint256 random, uint256 count, uint256 asked) public {
        count = bound(count, 0, 24);
        uint256[2][24] memory history;
        uint256 time = START;
        for (uint256 i = 0; i < count; ++i) {
            time += (random % 3) * ((random >> 8) % 100_000);
            vm.warp(time);
            vm.prank(MINTER);
            ownership.mint((random >> 32) % 2 == 0 ? ALICE : address(pool), (random >> 40) % UNIT);
            history[i] = [time, ownership.totalSupply()];
            random = uint256(keccak256(abi.encode(random)));
        }
        vm.warp(time + 1_000);
        // Each second of a minting, that before it, and any other.
        for (uint256 i = 0; i < count; ++i) {
            assertEq(
                ownership.getPastTotalSupply(history[i][0]),
                suppliedAt(history, count, history[i][0]),
                "at"
            );
            assertEq(
                ownership.getPastTotalSupply(history[i][0] - 1),
                suppliedAt(history, count, history[i][0] - 1),
                "before"
            );
        }
        asked = bound(asked, START, time + 999);
        assertEq(ownership.getPastTotalSupply(asked), suppliedAt(history, count, asked), "past supply");
        assertEq(ownership.getPastTotalSupply(START - 1), 0, "before creation");
        assertEq(ownership.getPastTotalSupply(0), 0, "at the beginning of time");
    }

    function suppliedAt(
        uint256[2][24] memory history,
        uint256 count,
        uint256 time
    ) private pure returns (uint256 supply) {
        if (time < START) return 0;
        supply = 18 * UNIT + UNIT / 2;
        for (uint256 i = 0; i < count && history[i][0] <= time; ++i) supply = history[i][1];
    }

    function test_pastTotalSupply() external {
        testFuzz_pastTotalSupply(3, 24, START + 1_000);
        vm.warp(START);
        open(theSettings());
        testFuzz_pastTotalSupply(4, 5, START + 3);
    }

    function test_pastTotalSupplyWithoutAllocations() external {
        open(someSettings());
        vm.warp(START + 1);
        assertEq(ownership.getPastTotalSupply(START), 0, "nothing");
    }

    function test_RevertWhen_futureIsAsked() external {
        assertEq(ownership.clock(), START, "clock");
        assertEq(bytes(ownership.CLOCK_MODE()), "mode=timestamp", "mode");
        bytes memory reason = abi.encodeWithSelector(Votes.ERC5805FutureLookup.selector, START, START);
        assertRefused(
            ALICE,
            address(ownership),
            abi.encodeCall(ownership.getPastTotalSupply, (START)),
            reason
        );
        assertRefused(
            ALICE,
            address(ownership),
            abi.encodeCall(ownership.getPastVotes, (BOB, START)),
            reason
        );
    }

    // ---- Who gets deeds ----

    function test_contractsGetNone() external {
        assertStandsAs(address(pool), true, false, true);
        assertStandsAs(ALICE, false, false, false);
        transfer(ALICE, address(pool), 2 * UNIT);
        assertDeeds(address(pool), new uint256[](0));
        // They are made by whoever asks for them, exempt or not.
        assertEq(materialise(address(pool), 3), 3, "made");
        assertStandsAs(address(pool), true, false, true);
        assertDeeds(address(pool), listOf(10, 9, 14));
    }

    function assertStandsAs(address account, bool exempt, bool spoken, bool isContract) private view {
        IModelOwnership.Standing memory standing = ownership.standingOf(account);
        assertTrue(standing.exempt == exempt, "exempt");
        assertTrue(standing.spoken == spoken, "spoken");
        assertTrue(standing.isContract == isContract, "isContract");
        assertTrue(ownership.getSkipNFT(account) == exempt, "getSkipNFT");
        assertTrue(ownership.erc721TransferExempt(account) == exempt, "erc721TransferExempt");
    }

    /// @dev An account with a delegation (EIP-7702) is a person's; one whose code only begins like it is not.
    function test_delegatedAccountsArePersons() external {
        delegateCode(CAROL, address(pool));
        assertStandsAs(CAROL, false, false, false);
        transfer(ALICE, CAROL, 2 * UNIT);
        assertDeeds(CAROL, listOf(10, 9));
        bytes[3] memory codes = [
            abi.encodePacked(hex"600100", address(pool)),
            abi.encodePacked(hex"600100", address(pool), hex"00"),
            abi.encodePacked(hex"00")
        ];
        for (uint256 i = 0; i < codes.length; ++i) {
            vm.etch(STRANGER, codes[i]);
            assertStandsAs(STRANGER, true, false, true);
        }
        assertRefused(
            OWNER,
            address(ownership),
            abi.encodeCall(ownership.setExempt, (CAROL, true)),
            abi.encodeWithSelector(IModelOwnership.ModelOwnership_NotContract.selector, CAROL)
        );
    }

    /// @dev However the first deed came, and not before it.
    function test_codeAfterTheFirstDeed() external {
        transfer(ALICE, CAROL, UNIT);
        transferDeed(ALICE, STRANGER, 3);
        transfer(ALICE, BOB, UNIT / 2);
        address later = address(0x1A7E4);
        transfer(ALICE, later, UNIT / 2);
        address[3] memory accounts = [CAROL, STRANGER, later];
        for (uint256 i = 0; i < 3; ++i) {
            vm.etch(accounts[i], hex"00");
            assertStandsAs(accounts[i], i == 2, false, true);
            transfer(ALICE, accounts[i], 2 * UNIT);
            assertStanding(accounts[i], 2 * UNIT + (i == 2 ? UNIT / 2 : UNIT), i == 2 ? 0 : 3, 0);
        }
    }

    function test_accountsSayWhatTheyWant() external {
        vm.recordLogs();
        skip(ALICE, true);
        expectSkip(ALICE, true);
        skip(address(pool), false);
        expectSkip(address(pool), false);
        expectDeeds(NOBODY, address(pool), range(14, 18));
        skip(address(pool), true);
        expectSkip(address(pool), true);
        assertLogs();
        assertStandsAs(ALICE, true, true, false);
        assertStandsAs(address(pool), true, true, true);
        // What is there stays.
        assertDeeds(ALICE, range(1, 10));
        assertDeeds(address(pool), range(14, 18));
        transfer(BOB, ALICE, 2 * UNIT);
        assertDeeds(ALICE, range(1, 10));
        assertEq(queue(), listOf(13, 12), "queue");
        vm.recordLogs();
        skip(ALICE, false);
        expectSkip(ALICE, false);
        expectDeeds(NOBODY, ALICE, listOf(13, 12));
        assertLogs();
        assertStandsAs(ALICE, false, true, false);
        assertDeeds(ALICE, join(range(1, 10), listOf(13, 12)));
    }

    function test_exemptByTheFacade() external {
        vm.recordLogs();
        vm.prank(ALICE);
        ownership.setSelfERC721TransferExempt(true);
        expectSkip(ALICE, true);
        expectDeeds(ALICE, NOBODY, range(10, 1));
        assertLogs();
        assertStandsAs(ALICE, true, true, false);
        assertDeeds(ALICE, new uint256[](0));
        assertStanding(ALICE, 10 * UNIT + UNIT / 2, 0, 0);
        assertEq(queue(), range(10, 1), "queue");
        vm.recordLogs();
        vm.prank(ALICE);
        ownership.setSelfERC721TransferExempt(false);
        expectSkip(ALICE, false);
        expectDeeds(NOBODY, ALICE, range(10, 1));
        assertLogs();
        assertStandsAs(ALICE, false, true, false);
        assertDeeds(ALICE, range(10, 1));
        // With nothing to give up or get.
        vm.prank(STRANGER);
        ownership.setSelfERC721TransferExempt(true);
        vm.prank(STRANGER);
        ownership.setSelfERC721TransferExempt(false);
        assertStandsAs(STRANGER, false, true, false);
    }

    /// @dev At most so many at once, whichever way.
    function test_choicesMoveAtMostAutoDeeds() external {
        vm.prank(MINTER);
        ownership.mint(address(pool), 295 * UNIT);
        skip(address(pool), false);
        assertStanding(address(pool), 300 * UNIT, AUTO_DEEDS, 0);
        vm.prank(address(pool));
        ownership.setSelfERC721TransferExempt(false);
        assertStanding(address(pool), 300 * UNIT, 2 * AUTO_DEEDS, 0);
        vm.prank(address(pool));
        ownership.setSelfERC721TransferExempt(true);
        assertStanding(address(pool), 300 * UNIT, AUTO_DEEDS, 0);
        assertEq(ownership.getERC721QueueLength(), AUTO_DEEDS, "queue");
    }

    function test_ownerExemptsContracts() external {
        // A pool that is made where units were.
        transfer(ALICE, CAROL, UNIT);
        vm.etch(CAROL, address(pool).code);
        assertStandsAs(CAROL, false, false, true);
        vm.recordLogs();
        setExempt(CAROL, true);
        expectSkip(CAROL, true);
        assertLogs();
        // `spoken` says that the account stands as somebody said.
        assertStandsAs(CAROL, true, true, true);
        transfer(ALICE, CAROL, UNIT);
        assertDeeds(CAROL, listOf(10));
        vm.recordLogs();
        setExempt(CAROL, false);
        expectSkip(CAROL, false);
        // Nothing is said any more: a contract that never was a person's is exempt again by itself.
        setExempt(address(pool), true);
        expectSkip(address(pool), true);
        setExempt(address(pool), false);
        expectSkip(address(pool), true);
        assertLogs();
        assertStandsAs(CAROL, false, false, true);
        assertStandsAs(address(pool), true, false, true);
        transfer(ALICE, CAROL, UNIT);
        assertDeeds(CAROL, listOf(10, 8));
        // Its own word counts against the owner's, both ways, and is the last one.
        setExempt(CAROL, true);
        skip(CAROL, false);
        assertStandsAs(CAROL, false, true, true);
        bytes memory reason = abi.encodeWithSelector(IModelOwnership.ModelOwnership_Spoken.selector, CAROL);
        assertRefused(OWNER, address(ownership), abi.encodeCall(ownership.setExempt, (CAROL, true)), reason);
        assertRefused(OWNER, address(ownership), abi.encodeCall(ownership.setExempt, (CAROL, false)), reason);
    }

    function setExempt(address account, bool exempt) private {
        vm.prank(OWNER);
        ownership.setExempt(account, exempt);
    }

    function test_RevertWhen_exemptingIsNotAllowed() external {
        assertRefused(
            ALICE,
            address(ownership),
            abi.encodeCall(ownership.setExempt, (address(pool), true)),
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ALICE)
        );
        assertRefused(
            OWNER,
            address(ownership),
            abi.encodeCall(ownership.setExempt, (ALICE, true)),
            abi.encodeWithSelector(IModelOwnership.ModelOwnership_NotContract.selector, ALICE)
        );
    }

    function test_ownerChangesInTwoSteps() external {
        vm.prank(OWNER);
        Ownable2Step(address(ownership)).transferOwnership(CAROL);
        assertEq(deeds.owner(), OWNER, "still");
        vm.prank(CAROL);
        Ownable2Step(address(ownership)).acceptOwnership();
        assertEq(deeds.owner(), CAROL, "the mirror's too");
        vm.prank(CAROL);
        ownership.setExempt(address(pool), true);
    }

    function test_pairPointsAtItself() external view {
        assertEq(IERC7631Base(address(ownership)).mirrorERC721(), address(deeds), "mirror");
        assertEq(deeds.baseERC20(), address(ownership), "base");
    }

    /// @dev What only the mirror may call.
    function test_RevertWhen_callerIsNotTheMirror() external {
        bytes[3] memory calls = [
            abi.encodeCall(ownership.transferDeed, (ALICE, ALICE, BOB, 1)),
            abi.encodeCall(ownership.approveDeed, (ALICE, BOB, 1)),
            abi.encodeCall(ownership.approveOperator, (ALICE, BOB, true))
        ];
        address[3] memory callers = [ALICE, OWNER, address(ownership)];
        for (uint256 i = 0; i < 9; ++i) {
            assertRefused(
                callers[i / 3],
                address(ownership),
                calls[i % 3],
                abi.encodeWithSelector(IModelOwnership.ModelOwnership_NotMirror.selector, callers[i / 3])
            );
        }
        assertDeeds(ALICE, range(1, 10));
        assertTrue(!ownership.isApprovedForAll(ALICE, BOB), "approved");
        assertEq(
            uint32(IERC404.NotFound.selector),
            uint32(bytes4(keccak256("NotFound()"))),
            "an error of ERC-404"
        );
    }
}
