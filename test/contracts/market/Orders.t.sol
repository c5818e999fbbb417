// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IOrders} from "../../../contracts/interfaces/IOrders.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {ITaskBook} from "../../../contracts/interfaces/ITaskBook.sol";
import {Currency_NoCode} from "../../../contracts/libraries/Currency.sol";
import {Outcome, Status, TaskId, Tasks, Terms} from "../../../contracts/market/Tasks.sol";
import {MockERC20} from "../../../contracts/mocks/MockERC20.sol";
import {PermittedERC20} from "../../../contracts/mocks/PermittedERC20.sol";
import {FeaturesTest} from "./FeaturesTest.sol";

/// @notice A wallet that is a contract: its owner's signature is its own, or it answers otherwise.
contract Wallet is IERC1271 {
    enum Manner {
        Honest,
        /// Answers rightly, and needs most of the gas that it is given.
        Slow,
        BurnGas,
        Megabyte,
        Refuse,
        /// True, as a word that is not the answer.
        True,
        /// The right bytes, of which there are too few.
        Short
    }

    address public owner;
    Manner public manner;

    constructor(address owner_) {
        owner = owner_;
    }

    function set(address owner_, Manner manner_) external {
        (owner, manner) = (owner_, manner_);
    }

    function isValidSignature(
        bytes32 hash,
        bytes calldata signature
    ) external view override returns (bytes4) {
        if (manner == Manner.Slow) {
            uint256 until = gasleft() - 100_000;
            while (gasleft() > until) {}
        } else if (manner == Manner.BurnGas) {
            while (true) {}
        } else if (manner == Manner.Megabyte) {
            assembly {
                return(0, 0x100000)
            }
        } else if (manner == Manner.Refuse) {
            revert();
        } else if (manner == Manner.True) {
            assembly {
                mstore(0, 1)
                return(0, 0x20)
            }
        } else if (manner == Manner.Short) {
            bytes4 answer = IERC1271.isValidSignature.selector;
            assembly {
                mstore(0, answer)
                return(0, 4)
            }
        }
        (address recovered, ECDSA.RecoverError flaw, ) = ECDSA.tryRecoverCalldata(hash, signature);
        bool valid = flaw == ECDSA.RecoverError.NoError && recovered == owner;
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @dev Who may order for whom, who pays and who gets back, and what a quote is good for.
contract OrdersTest is FeaturesTest {
    function setUp() external {
        open();
        take(someTerms(), address(0));
        vm.prank(OWNER);
        market.deposit{value: 1e27}(1e27);
    }

    // ---- Signatures ----

    /// @dev Anybody sends it; the owner's balance pays, and the sender's is not touched.
    function testFuzz_signedOrderIsPaidFromTheOwnersBalance(
        uint256 key,
        uint96 price,
        address sender
    ) external {
        key = bound(key, 1, 1 << 250);
        price = uint96(bound(price, 1, 1e24));
        vm.assume(sender != vm.addr(key) && sender != address(market) && sender != address(vm));
        Terms memory t = someTerms();
        t.owner = vm.addr(key);
        t.price = priceOf(price, true);
        take(t, address(0));
        vm.deal(t.owner, 0);
        vm.prank(STRANGER);
        market.depositFor{value: cost + 1}(t.owner, cost + 1);
        IOrders.Order memory order = plainOrder();
        order.signature = sign(key, TaskId.unwrap(id));
        uint256 before = market.balanceOf(sender);
        vm.prank(sender);
        assertTrue(TaskId.unwrap(market.order(order)) == TaskId.unwrap(id), "id");
        assertStatus(Status.Funded, Outcome.None);
        assertEq(market.balanceOf(t.owner), 1, "the owner paid");
        assertEq(market.balanceOf(sender), before, "the sender did not");
        assertEq(market.payerOf(terms, workHash), t.owner, "payer");
    }

    /// @dev Not one bit of the signature, of the terms or of the work can be another.
    function testFuzz_A27_A28_RevertWhen_OneBitIsAnother(uint16 bit, uint8 what) external {
        IOrders.Order memory order = signedOrder();
        what = what % 4;
        if (what == 0) {
            bit = bit % 520;
            order.signature[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        } else if (what == 1) order.terms.salt = bytes32(uint256(7) ^ (uint256(1) << (bit % 256)));
        else if (what == 2) order.work.payloadHash = bytes32(uint256(1) ^ (uint256(2) << (bit % 255)));
        else order.backup = address(uint160(1) << (bit % 160));
        assertBadSignature(order);
    }

    /// @dev High s, 64 bytes (EIP-2098), v of 0 and 1, nothing and too much: the same message, no other bytes.
    function test_A28_RevertWhen_TheSignatureIsAnotherFormOfIt() external {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(OWNER_KEY, TaskId.unwrap(id));
        uint256 order_ = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes32 high = bytes32(order_ - uint256(s));
        bytes32 compact = bytes32(uint256(s) | (uint256(v - 27) << 255));
        bytes[6] memory forms = [
            abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(r, compact),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, v, uint8(0)),
            abi.encodePacked(bytes32(0), bytes32(0), uint8(27)),
            bytes("0")
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            IOrders.Order memory order = plainOrder();
            order.signature = forms[i];
            assertBadSignature(order);
        }
    }

    /// @dev One use by message: whatever bytes are found that the owner's contract takes for a signature.
    function test_A27_A28_RevertWhen_AnOrderIsSentTwice() external {
        Wallet wallet = walletOf(OWNER);
        IOrders.Order memory order = signedOrder();
        vm.prank(STRANGER);
        market.order(order);
        bytes memory again = abi.encodeWithSelector(ITaskBook.TaskMarket_TaskExists.selector, id);
        assertRefused(STRANGER, abi.encodeCall(market.order, (order)), again);
        vm.prank(address(wallet));
        market.cancel(terms, workHash);
        assertRefused(STRANGER, abi.encodeCall(market.order, (order)), again);
        assertEq(market.balanceOf(address(wallet)), 1e27, "paid once, and back");
    }

    function testFuzz_A27_RevertWhen_SignedForAnotherChainOrMarket(
        uint64 chainId,
        bool otherMarket
    ) external {
        chainId = uint64(bound(chainId, 1, type(uint64).max));
        vm.assume(chainId != block.chainid);
        IOrders.Order memory order = signedOrder();
        TaskId signed = id;
        if (otherMarket) {
            open();
            vm.prank(OWNER);
            market.deposit{value: 1e27}(1e27);
        } else vm.chainId(chainId);
        id = market.idOf(terms, workHash);
        assertTrue(TaskId.unwrap(id) != TaskId.unwrap(signed), "another id");
        assertBadSignature(order);
        // Signed for where it is, it is good.
        order = signedOrder();
        vm.prank(STRANGER);
        market.order(order);
        assertStatus(Status.Funded, Outcome.None);
    }

    function testFuzz_RevertWhen_AnotherSigned(uint256 key, bool sponsored) external {
        key = bound(key, 1, 1 << 250);
        vm.assume(key != OWNER_KEY);
        IOrders.Order memory order = plainOrder();
        order.signature = sign(key, TaskId.unwrap(id));
        order.sponsored = sponsored;
        assertBadSignature(order);
        // Nor without a signature, where somebody else pays: a task binds its owner's name.
        order.signature = "";
        order.sponsored = true;
        assertBadSignature(order);
    }

    /// @dev The zero address signs nothing.
    function test_A28_RevertWhen_TheOwnerIsTheZeroAddress() external {
        Terms memory t = someTerms();
        t.owner = address(0);
        take(t, address(0));
        IOrders.Order memory order = plainOrder();
        order.signature = abi.encodePacked(bytes32(uint256(1)), bytes32(uint256(1)), uint8(27));
        order.sponsored = true;
        assertBadSignature(order);
    }

    // ---- Contracts' signatures ----

    function test_A28_walletsSignatureIsItsOwnersOfNow() external {
        Wallet wallet = walletOf(OWNER);
        IOrders.Order memory order = signedOrder();
        wallet.set(STRANGER, Wallet.Manner.Honest);
        assertBadSignature(order);
        wallet.set(OWNER, Wallet.Manner.Honest);
        vm.prank(STRANGER);
        market.order(order);
        assertStatus(Status.Funded, Outcome.None);
    }

    function test_A25_RevertWhen_AWalletMisbehaves() external {
        Wallet wallet = walletOf(OWNER);
        IOrders.Order memory order = signedOrder();
        for (uint256 i = uint256(Wallet.Manner.BurnGas); i <= uint256(Wallet.Manner.Short); ++i) {
            wallet.set(OWNER, Wallet.Manner(i));
            uint256 before = gasleft();
            assertBadSignature(order);
            assertLe(before - gasleft(), 600_000, "what is burnt is bounded");
        }
    }

    /// @dev Whatever gas is left to it, a good signature is never taken for a bad one.
    function testFuzz_A25_starvedWalletIsNotABadSignature(uint32 gas, bool slow) external {
        Wallet wallet = walletOf(OWNER);
        wallet.set(OWNER, slow ? Wallet.Manner.Slow : Wallet.Manner.Honest);
        gas = uint32(bound(gas, 30_000, 500_000));
        bytes memory data = abi.encodeCall(market.order, (signedOrder()));
        vm.prank(STRANGER);
        (bool success, bytes memory reason) = address(market).call{gas: gas}(data);
        if (success) return assertStatus(Status.Funded, Outcome.None);
        assertTrue(
            reason.length == 0 || bytes4(reason) == ITaskBook.TaskMarket_InsufficientGas.selector,
            "why not"
        );
        assertStatus(Status.None, Outcome.None);
        if (gas > 480_000) assertTrue(false, "enough for all");
    }

    /// @dev An account with code (EIP-7702) signs with its key, or as its code says.
    function test_A28_accountWithCodeSignsInEitherWay() external {
        vm.etch(OWNER, address(new Wallet(address(0))).code);
        assertTrue(can(STRANGER, abi.encodeCall(market.order, (signedOrder()))), "its key");
        Wallet(OWNER).set(SPONSOR, Wallet.Manner.Honest);
        assertTrue(can(STRANGER, abi.encodeCall(market.order, (signedOrder()))), "still");
        Wallet(OWNER).set(PROVIDER, Wallet.Manner.Honest);
        IOrders.Order memory order = plainOrder();
        order.signature = sign(PROVIDER_KEY, TaskId.unwrap(id));
        assertTrue(can(STRANGER, abi.encodeCall(market.order, (order))), "its code");
        order.signature = sign(OPERATOR_KEY, TaskId.unwrap(id));
        assertBadSignature(order);
    }

    // ---- Owner, delegate, sender ----

    function testFuzz_ownerAndDelegateNeedNoSignature(bool delegate, bytes calldata rubbish) external {
        IOrders.Order memory order = plainOrder();
        if (delegate) {
            vm.prank(OWNER);
            market.setDelegate(STRANGER, IEscrow.Delegation(uint96(cost + 5), PROVIDER, uint40(NOW), 0));
        } else order.signature = rubbish;
        vm.prank(delegate ? STRANGER : OWNER);
        market.order(order);
        assertStatus(Status.Funded, Outcome.None);
        assertEq(market.balanceOf(OWNER), 1e27 - cost, "paid");
        assertEq(market.delegationOf(OWNER, STRANGER).limitWei, delegate ? 5 : 0, "limit");
    }

    function test_RevertWhen_ValueComesWithAnothersMoney() external {
        IOrders.Order memory order = signedOrder();
        vm.prank(STRANGER);
        (bool success, bytes memory reason) = address(market).call{value: 1}(
            abi.encodeCall(market.order, (order))
        );
        assertTrue(!success, "went through");
        assertEq(
            reason,
            abi.encodeWithSelector(ITaskBook.TaskMarket_ValueFromDelegate.selector, STRANGER, 1),
            "reason"
        );
    }

    /// @dev A stranger with neither signature nor delegation spends nothing.
    function test_I06_RevertWhen_AStrangerOrders() external {
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (plainOrder())),
            abi.encodeWithSelector(IEscrow.Escrow_NotDelegate.selector, OWNER, STRANGER)
        );
    }

    // ---- Revoke ----

    function test_A18_revokedOrderIsImpossibleForGood() external {
        IOrders.Order memory order = signedOrder();
        bytes memory call = abi.encodeCall(market.revokeOrder, (terms, workHash));
        assertRefused(
            STRANGER,
            call,
            abi.encodeWithSelector(ITaskBook.TaskMarket_NotOwner.selector, id, STRANGER)
        );
        act(OWNER, call);
        assertStatus(Status.Cancelled, Outcome.OwnerCancelled);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(ITaskBook.TaskMarket_TaskExists.selector, id)
        );
        assertEq(market.balanceOf(OWNER), 1e27, "nothing moved");
        bytes memory twice = abi.encodeWithSelector(
            ITaskBook.TaskMarket_WrongStatus.selector,
            id,
            Status.Cancelled
        );
        assertRefused(OWNER, call, twice);
    }

    /// @dev What is paid for cannot be revoked: it would be nobody's.
    function test_I03_RevertWhen_ALiveOrderIsRevoked() external {
        submit();
        assertRefused(
            OWNER,
            abi.encodeCall(market.revokeOrder, (terms, workHash)),
            abi.encodeWithSelector(ITaskBook.TaskMarket_WrongStatus.selector, id, Status.Funded)
        );
    }

    // ---- Sponsors ----

    /// @dev However it ends: what is not spent is the sponsor's, what is slashed the owner's, to the wei.
    function testFuzz_I02_sponsorGetsBackWhatIsNotSpent(
        uint8 end,
        uint96 price,
        uint96 collateral,
        uint16 used,
        uint96 value
    ) public {
        price = uint96(bound(price, 1, 1e20));
        collateral = uint96(bound(collateral, 0, STAKE));
        used = uint16(bound(used, 0, 600));
        end = end % 6;
        Terms memory t = someTerms();
        t.price = priceOf(price, true);
        t.assurance = assuranceOf(collateral, address(0));
        take(t, address(0));
        value = uint96(bound(value, cost, cost + 1e18));
        IOrders.Order memory order = signedOrder();
        order.sponsored = true;
        vm.prank(SPONSOR);
        market.order{value: value}(order);
        assertEq(market.payerOf(terms, workHash), SPONSOR, "payer");
        uint256 slashed = 0;
        uint256 bounty = 0;
        if (end == 0) {
            vm.prank(OWNER);
            market.cancel(terms, workHash);
        } else if (end == 1) {
            vm.warp(NOW + 101);
            market.expire(terms, workHash);
        } else if (end == 2) {
            vm.prank(PROVIDER);
            market.decline(terms, workHash, Outcome.NoCapacity);
        } else {
            accept();
            if (end == 3) {
                vm.warp(NOW + 600);
                deliver(PROVIDER, used);
            } else if (end == 4) {
                vm.warp(NOW + DECLINE_WINDOW + 1);
                vm.prank(PROVIDER);
                market.abandon(terms, workHash);
                slashed = (uint256(collateral) + 3) / 4;
            } else {
                vm.warp(NOW + 1_001);
                vm.prank(STRANGER);
                market.fail(terms, workHash);
                slashed = collateral;
                bounty = slashed / 20;
            }
        }
        uint256 paid = end == 3 ? uint256(price) * used : 0;
        assertEq(market.balanceOf(SPONSOR), value - paid, "sponsor");
        assertEq(market.balanceOf(OWNER), 1e27 + slashed - bounty, "owner");
        assertEq(market.balanceOf(STRANGER), bounty, "caller");
        assertEq(ledgerOf(PROVIDER), paid, "provider");
        assertEq(address(market).balance, ledger(), "I-1");
        assertEq(lockedOf(PROVIDER), 0, "unlocked");
    }

    function test_I02_sponsorGetsBackWhatIsNotSpentInEachWay() external {
        for (uint8 end = 0; end < 6; ++end) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_I02_sponsorGetsBackWhatIsNotSpent(end, 7_919, 104_729, 599, 0);
            vm.revertToState(snapshot);
        }
    }

    /// @dev Who sponsors may leave it to the owner to end the task, and not end it itself.
    function test_I06_RevertWhen_ASponsorCancels() external {
        IOrders.Order memory order = signedOrder();
        order.sponsored = true;
        vm.prank(SPONSOR);
        market.order{value: cost}(order);
        assertRefused(
            SPONSOR,
            abi.encodeCall(market.cancel, (terms, workHash)),
            abi.encodeWithSelector(ITaskBook.TaskMarket_NotOwner.selector, id, SPONSOR)
        );
    }

    /// @dev An owner that pays for itself is no sponsor.
    function test_ownerIsItsOwnPayer() external {
        IOrders.Order memory order = plainOrder();
        order.sponsored = true;
        vm.prank(OWNER);
        market.order{value: cost}(order);
        assertEq(market.payerOf(terms, workHash), OWNER, "payer");
        act(OWNER, abi.encodeCall(market.cancel, (terms, workHash)));
        assertEq(market.balanceOf(OWNER), 1e27 + cost, "back");
    }

    // ---- Quotes ----

    function testFuzz_quotedOrderIsAcceptedAtOnce(bool operator, uint256 nonce, uint40 life) external {
        uint256 expiresAt = NOW + bound(life, 0, 365 days);
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(operator ? OPERATOR_KEY : PROVIDER_KEY, nonce, expiresAt);
        vm.prank(STRANGER);
        market.order(order);
        assertStatus(Status.Active, Outcome.None);
        assertEq(lockedOf(PROVIDER), 1e18, "locked");
        assertEq(market.usedQuotes(PROVIDER, nonce >> 8), 1 << (nonce & 255), "its nonce");
        vm.warp(NOW + 600);
        deliver(PROVIDER, 600);
        assertEq(ledgerOf(PROVIDER), cost, "earned");
    }

    /// @dev Of all quotes with one nonce only the first is good; another nonce is another quote.
    function testFuzz_A27_RevertWhen_ANonceIsUsedTwice(uint256 nonce, uint8 other) external {
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, nonce, NOW);
        vm.prank(STRANGER);
        market.order(order);
        Terms memory t = someTerms();
        t.salt = bytes32(uint256(8));
        take(t, address(0));
        order = signedOrder();
        order.quote = quoteOf(PROVIDER_KEY, nonce, NOW + 1);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(IOrders.Orders_QuoteUsed.selector, PROVIDER, nonce)
        );
        uint256 another = nonce ^ (uint256(1) << other);
        order.quote = quoteOf(PROVIDER_KEY, another, NOW);
        vm.prank(STRANGER);
        market.order(order);
        assertStatus(Status.Active, Outcome.None);
    }

    function testFuzz_A14_quoteEndsWithItsSecond(uint40 life, uint40 wait) public {
        life = uint40(bound(life, 0, 100));
        wait = uint40(bound(wait, 0, 100));
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, 3, NOW + life);
        vm.warp(NOW + wait);
        if (wait <= life) {
            act(STRANGER, abi.encodeCall(market.order, (order)));
            return;
        }
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(IOrders.Orders_QuoteExpired.selector, id, NOW + life, NOW + wait)
        );
    }

    function test_A14_quoteAtItsLastSecond() external {
        for (uint40 wait = 49; wait <= 51; ++wait) {
            uint256 snapshot = vm.snapshotState();
            testFuzz_A14_quoteEndsWithItsSecond(50, wait);
            vm.revertToState(snapshot);
        }
    }

    /// @dev A quote is for one task, one nonce, one expiry, and by its provider.
    function testFuzz_A27_RevertWhen_AQuoteIsForSomethingElse(uint8 what, uint8 bit) external {
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, 3, NOW + 1);
        what = what % 4;
        if (what == 0) order.quote.nonce ^= uint256(1) << bit;
        else if (what == 1) order.quote.expiresAt += uint40(bit) + 1;
        else if (what == 2) order.quote.signature[bit % 65] ^= 0x04;
        else order.quote = quoteOf(OWNER_KEY, 3, NOW + 1);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(IOrders.Orders_BadQuote.selector, id, PROVIDER)
        );
        assertEq(market.usedQuotes(PROVIDER, 0), 0, "no nonce is used up");
    }

    /// @dev A hot key that was replaced can promise nothing more.
    function test_RevertWhen_TheOperatorWasReplaced() external {
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, 3, NOW + 1);
        vm.prank(PROVIDER);
        registry.setOperator(STRANGER);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(IOrders.Orders_BadQuote.selector, id, PROVIDER)
        );
    }

    /// @dev Nobody has promised to take an open task.
    function test_RevertWhen_AnOpenTaskIsQuoted() external {
        Terms memory t = someTerms();
        t.provider = address(0);
        t.price = openPriceOf(1e9, 1e9, true);
        take(t, address(0));
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, 3, NOW + 1);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(IOrders.Orders_BadQuote.selector, id, address(0))
        );
    }

    function testFuzz_cancelQuotesTakesExactlyThoseOfTheMask(uint248 word, uint256 mask, uint8 bit) external {
        vm.prank(PROVIDER);
        market.cancelQuotes(word, mask);
        assertEq(market.usedQuotes(PROVIDER, word), mask, "mask");
        assertEq(market.usedQuotes(PROVIDER, uint256(word) + 1), 0, "next word");
        assertEq(market.usedQuotes(OPERATOR, word), 0, "another's");
        uint256 nonce = (uint256(word) << 8) | bit;
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, nonce, NOW);
        bool cancelled = (mask >> bit) % 2 == 1;
        if (cancelled) {
            assertRefused(
                STRANGER,
                abi.encodeCall(market.order, (order)),
                abi.encodeWithSelector(IOrders.Orders_QuoteUsed.selector, PROVIDER, nonce)
            );
        } else act(STRANGER, abi.encodeCall(market.order, (order)));
        // I-10: what is set stays set.
        vm.prank(PROVIDER);
        market.cancelQuotes(word, 0);
        assertEq(market.usedQuotes(PROVIDER, word), mask | (uint256(1) << bit), "only grows");
    }

    /// @dev With too little at stake the quote is worth nothing, and the owner keeps its money.
    function test_RevertWhen_TheQuotesProviderHasTooLittleAtStake() external {
        Terms memory t = someTerms();
        t.assurance = assuranceOf(uint96(STAKE + 1), address(0));
        take(t, address(0));
        IOrders.Order memory order = signedOrder();
        order.quote = quoteOf(OPERATOR_KEY, 3, NOW);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(
                IProviderRegistry.ProviderRegistry_InsufficientFreeStake.selector,
                PROVIDER,
                STAKE,
                STAKE + 1
            )
        );
        assertEq(market.balanceOf(OWNER), 1e27, "owner");
    }

    // ---- Permits ----

    function test_A29_permitFrontRunExpiredOrAbsent() external {
        PermittedERC20 token = new PermittedERC20();
        openMarket(address(token), 0);
        token.mint(OWNER, 100);
        (uint8 v, bytes32 r, bytes32 s) = permitOf(token, 60, NOW);
        // Somebody sends the permit before: it fails in the deposit, which goes on.
        token.permit(OWNER, address(market), 60, NOW, v, r, s);
        vm.prank(OWNER);
        market.depositWithPermit(60, NOW, v, r, s);
        assertEq(market.balanceOf(OWNER), 60, "deposited");
        (v, r, s) = permitOf(token, 5, NOW);
        vm.prank(OWNER);
        market.depositWithPermit(5, NOW, v, r, s);
        assertEq(market.balanceOf(OWNER), 65, "with its permit");
        // One that is of yesterday is no allowance.
        (v, r, s) = permitOf(token, 7, NOW - 1);
        assertRefused(
            OWNER,
            abi.encodeCall(market.depositWithPermit, (7, NOW - 1, v, r, s)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(market), 0, 7)
        );
        // Another's permit is nobody else's right.
        (v, r, s) = permitOf(token, 7, NOW);
        assertRefused(
            STRANGER,
            abi.encodeCall(market.depositWithPermit, (7, NOW, v, r, s)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(market), 0, 7)
        );
        assertEq(market.balanceOf(OWNER) + token.balanceOf(OWNER), 100, "the whole");
    }

    function test_A29_phantomPermitNeedsAnAllowance() external {
        MockERC20 token = new MockERC20();
        openMarket(address(token), 0);
        token.mint(OWNER, 100);
        bytes memory data = abi.encodeCall(market.depositWithPermit, (9, NOW, 27, 0, 0));
        assertRefused(
            OWNER,
            data,
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(market), 0, 9)
        );
        vm.prank(OWNER);
        token.approve(address(market), 9);
        act(OWNER, data);
        assertEq(market.balanceOf(OWNER), 9, "deposited");
    }

    function test_A12_RevertWhen_APermitIsForNothingOrForTheNativeCoin() external {
        assertRefused(
            OWNER,
            abi.encodeCall(market.depositWithPermit, (9, NOW, 27, 0, 0)),
            abi.encodeWithSelector(Currency_NoCode.selector, address(0))
        );
        MockERC20 token = new MockERC20();
        openMarket(address(token), 0);
        assertRefused(
            OWNER,
            abi.encodeCall(market.depositWithPermit, (0, NOW, 27, 0, 0)),
            abi.encodeWithSelector(IEscrow.Escrow_ZeroAmount.selector)
        );
    }

    // ---- Backups that cannot be ----

    function test_RevertWhen_ABackupIsTheProviderOrTheTaskIsOpen() external {
        IOrders.Order memory order = plainOrder();
        order.backup = PROVIDER;
        bytes memory reason = abi.encodeWithSelector(Tasks.Tasks_Unsupported.selector, "backup");
        assertRefused(OWNER, abi.encodeCall(market.order, (order)), reason);
        order.terms.provider = address(0);
        order.terms.price = openPriceOf(1e9, 1e9, true);
        order.backup = BACKUP;
        assertRefused(OWNER, abi.encodeCall(market.order, (order)), reason);
    }

    // ---- Helpers ----

    /// @dev The task's owner is a wallet of `owner`'s, with as much money.
    function walletOf(address owner) private returns (Wallet wallet) {
        wallet = new Wallet(owner);
        Terms memory t = someTerms();
        t.owner = address(wallet);
        take(t, address(0));
        vm.prank(STRANGER);
        market.depositFor{value: 1e27}(address(wallet), 1e27);
    }

    function assertBadSignature(IOrders.Order memory order) private {
        TaskId wrong = market.idOf(order.terms, market.hashWork(order.work, order.backup));
        assertRefused(
            STRANGER,
            abi.encodeCall(market.order, (order)),
            abi.encodeWithSelector(IOrders.Orders_BadSignature.selector, wrong, order.terms.owner)
        );
    }

    function permitOf(
        PermittedERC20 token,
        uint256 amount,
        uint256 deadline
    ) private view returns (uint8, bytes32, bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                OWNER,
                address(market),
                amount,
                token.nonces(OWNER),
                deadline
            )
        );
        return
            vm.sign(OWNER_KEY, keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), structHash)));
    }
}
