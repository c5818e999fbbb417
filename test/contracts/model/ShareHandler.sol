// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRevenueShareToken} from "../../../contracts/interfaces/IRevenueShareToken.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {BlocklistERC20} from "../../../contracts/mocks/BlocklistERC20.sol";
import {FeeERC20} from "../../../contracts/mocks/FeeERC20.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {LyingERC20} from "../../../contracts/mocks/LyingERC20.sol";
import {OddERC20} from "../../../contracts/mocks/OddERC20.sol";
import {ShareModel} from "./ShareModel.sol";
import {ShareTest} from "./ShareTest.sol";

/// @notice Does with a share whatever can be done, beside a model that it compares after every step; reverts where the
/// two differ, where a call fails for another reason than the model has, and where a payment is not what was shown.
/// @dev Of the five accounts two are people's, two are contracts and one is a pool that is excluded.
abstract contract ShareHandler is ShareTest {
    enum Verb {
        Transfer,
        TransferAll,
        TransferToSelf,
        TransferNothing,
        TransferFrom,
        Deposit,
        Donate,
        Sync,
        Snapshot,
        Wait,
        WaitLong,
        Claim,
        ClaimBatch,
        ClaimThrough,
        ClaimAll,
        ClaimFor,
        ClaimForBatch,
        Burn,
        Mint,
        Depart,
        Arrive,
        SetSharing,
        SetExcluded,
        SetRecipient,
        RefuseClaimFor,
        WithdrawCredit,
        Misbehave
    }

    enum Kind {
        Clean,
        Blocklist,
        Fee,
        Hook,
        Lying,
        Odd
    }

    uint256 public constant ACCOUNTS = 5;
    address public constant VAULT = address(0x7A017);
    address private constant SAFE = address(0x5AFE);
    address private immutable _test = msg.sender;

    ShareModel public model;
    address[] public accounts;
    address[] public revenueTokens;
    Kind[] public kinds;
    uint256 public steps;
    mapping(Verb => uint256) public done;
    /// Payments that were refused, and calls out of the middle of one.
    uint256 public credited;
    uint256 public entered;
    mapping(Kind => uint256) public misbehaved;

    mapping(address token => uint256) private _donated;
    mapping(address account => bool) private _spoken;
    mapping(address account => bool) private _refuses;
    /// @dev It may refuse what it is paid.
    mapping(address account => bool) private _isOdd;
    mapping(address token => bool) private _isPaused;

    // ---- Set up ----

    /// @notice `mintUntil` 0: nobody mints.
    function open(
        uint256 periodSeconds,
        uint256 claimBps,
        uint256 supply,
        uint256 cap,
        uint256 mintUntil,
        uint256 random
    ) internal {
        accounts = [ALICE, BOB, address(new Actor()), address(new Actor()), address(new Actor())];
        IRevenueShareToken.Settings memory settings = someSettings();
        settings.periodSeconds = uint32(periodSeconds);
        settings.claimBps = uint16(claimBps);
        settings.cap = cap;
        settings.tokens = new address[](revenueTokens.length - 1);
        for (uint256 i = 1; i < revenueTokens.length; ++i) settings.tokens[i - 1] = revenueTokens[i];
        if (mintUntil != 0) (settings.minter, settings.mintUntil) = (MINTER, uint40(mintUntil));
        settings.excluded = listOf(accounts[4]);
        model = new ShareModel(periodSeconds, claimBps, cap, settings.mintUntil);
        model.setExcluded(accounts[4], true);
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            uint256 amount = i == 4 ? supply : someOf(uint256(keccak256(abi.encode(random, i))), supply);
            supply -= amount;
            allocate(settings, accounts[i], amount);
            model.mint(accounts[i], amount);
        }
        share = deploy(settings);
    }

    function addToken(address token, Kind kind) internal {
        revenueTokens.push(token);
        kinds.push(kind);
    }

    // ---- What happens ----

    /// @notice One step: who and how much is in the numbers.
    function act(uint256 verb, uint256 a, uint256 b, uint256 c) external {
        Verb chosen = _verbOf(verb % 44);
        ++steps;
        if (_act(chosen, accounts[a % ACCOUNTS], b, c)) ++done[chosen];
        _compare(accounts[(a >> 8) % ACCOUNTS], b >> 64, c >> 64);
    }

    /// @dev Some more often than others.
    function _verbOf(uint256 number) private pure returns (Verb) {
        if (number <= uint256(Verb.Misbehave)) return Verb(number);
        if (number < 30) return Verb.Deposit;
        if (number < 32) return Verb.Wait;
        if (number < 34) return Verb.Claim;
        if (number < 36) return Verb.Burn;
        if (number < 38) return Verb.Misbehave;
        if (number < 42) return Verb.ClaimAll;
        return number == 42 ? Verb.WithdrawCredit : Verb.Transfer;
    }

    /// @return Whether it did something.
    function _act(Verb verb, address who, uint256 b, uint256 c) private returns (bool) {
        if (verb <= Verb.TransferFrom) return _transfer(verb, who, b, c);
        if (verb <= Verb.Snapshot) return _revenue(verb, c % revenueTokens.length, b);
        if (verb <= Verb.WaitLong) return _wait(verb, b);
        if (verb == Verb.Claim) return _claim(who, _someId(b));
        if (verb == Verb.ClaimBatch) return _claimBatch(who, b, c);
        if (verb == Verb.ClaimThrough) return _claimThrough(who, _someId(b));
        if (verb == Verb.ClaimAll) return _claimAll(who);
        if (verb == Verb.ClaimFor) return _claimFor(who);
        if (verb == Verb.ClaimForBatch) return _claimForBatch(who, accounts[b % ACCOUNTS]);
        if (verb == Verb.Burn) return _burn(who, someOf(b, share.balanceOf(who)));
        if (verb == Verb.Mint) return _mint(who, b);
        if (verb == Verb.Depart) return _depart(who, someOf(b, share.balanceOf(who)));
        if (verb == Verb.Arrive) return _arrive(who, b);
        if (verb == Verb.SetSharing) return _setSharing(who, b % 2 == 0);
        if (verb == Verb.SetExcluded) return _setExcluded(who, b % 2 == 0);
        if (verb == Verb.SetRecipient) return _setRecipient(who, b);
        if (verb == Verb.RefuseClaimFor) return _refuseClaimFor(who, b % 2 == 0);
        if (verb == Verb.WithdrawCredit) return _withdrawSome(who, c % revenueTokens.length, b);
        return _misbehave(who, c % revenueTokens.length, b);
    }

    function _transfer(Verb verb, address from, uint256 b, uint256 c) private returns (bool) {
        address to = verb == Verb.TransferToSelf ? from : accounts[c % ACCOUNTS];
        uint256 amount = someOf(b, share.balanceOf(from));
        if (verb == Verb.TransferAll) amount = share.balanceOf(from);
        if (verb == Verb.TransferNothing) amount = 0;
        bytes32 before = _claimablesOf(from, to);
        if (verb == Verb.TransferFrom) {
            vm.prank(from);
            share.approve(STRANGER, amount);
            vm.prank(STRANGER);
            share.transferFrom(from, to, amount);
        } else {
            vm.prank(from);
            share.transfer(to, amount);
        }
        model.transfer(from, to, amount);
        assertTrue(_claimablesOf(from, to) == before, "I-12 a transfer changed a claim");
        return true;
    }

    /// @dev What the two and a third can claim now.
    function _claimablesOf(address from, address to) private view returns (bytes32) {
        address third = accounts[steps % ACCOUNTS];
        return
            keccak256(
                abi.encode(
                    share.positionOf(from).claimable,
                    share.positionOf(to).claimable,
                    share.positionOf(third).claimable
                )
            );
    }

    // ---- Revenue ----

    function _revenue(Verb verb, uint256 number, uint256 b) private returns (bool) {
        if (verb == Verb.Snapshot) number = 0;
        address token = revenueTokens[number];
        uint256 amount = _someRevenue(number, b);
        if (verb == Verb.Donate) {
            _setPaused(token, false);
            donate(token, amount);
            _setPaused(token, _isPaused[token]);
            _donated[token] += amount;
            return true;
        }
        bytes memory data = abi.encodeCall(share.sync, (token));
        if (verb == Verb.Snapshot) data = abi.encodeCall(share.snapshot, ());
        uint256 expected = _donated[token];
        uint256 value = 0;
        if (verb == Verb.Deposit) {
            _setPaused(token, false);
            enrich(PAYER, token, amount);
            _setPaused(token, _isPaused[token]);
            expected += amount;
            if (number == 0) value = amount;
            data = abi.encodeCall(share.deposit, (token, amount));
        }
        uint256 held = share.fundsOf(token).held;
        vm.prank(PAYER);
        (bool success, bytes memory returned) = address(share).call{value: value, gas: 5_000_000}(data);
        if (!success) {
            assertTrue(kinds[number] == Kind.Odd || _isPaused[token], "revenue refused");
            return false;
        }
        uint256 shown = moneyOf(address(share), token);
        uint256 received = shown > held ? shown - held : 0;
        if (_isExact(number)) assertEq(received, expected, "received");
        if (verb == Verb.Snapshot) assertEq(abi.decode(returned, (uint256)), model.lastSnapshot(), "I-10 id");
        else assertEq(abi.decode(returned, (uint256)), received, "counted");
        assertEq(share.fundsOf(token).held, held + received, "held");
        _donated[token] = 0;
        _lookInside();
        if (received != 0) model.pay(token, received);
        return received != 0 || verb == Verb.Snapshot;
    }

    /// @dev For as long as it is given out; of a token that pauses.
    function _setPaused(address token, bool paused) private {
        if (_isPaused[token]) BlocklistERC20(token).setPaused(paused);
    }

    function _isExact(uint256 number) private view returns (bool) {
        return kinds[number] == Kind.Clean || kinds[number] == Kind.Blocklist || kinds[number] == Kind.Hook;
    }

    /// @dev To any second, most often around the end of a period.
    function _wait(Verb verb, uint256 b) private returns (bool) {
        uint256 length = share.periodSeconds();
        uint256 last = share.lastSnapshot();
        uint256 ends = share.endOf(last + 1);
        if (verb == Verb.WaitLong) ends += (1 + (b % 9)) * length;
        uint256 now_ = vm.getBlockTimestamp();
        uint256 kind = (b >> 8) % 4;
        if (kind == 0) ends -= 1;
        else if (kind == 1) ends += b % length;
        else if (kind == 2 && verb == Verb.Wait) ends = now_ + ((b >> 16) % (ends - now_));
        vm.warp(ends);
        return share.lastSnapshot() > last || kind == 0;
    }

    // ---- Claims ----

    function _claim(address who, uint256 id) private returns (bool) {
        bytes memory problem = _problemOf(who, id);
        bytes memory data = abi.encodeCall(share.claim, (id));
        if (problem.length != 0) {
            assertRefused(who, data, problem);
            return false;
        }
        uint256[] memory amounts = new uint256[](revenueTokens.length);
        for (uint256 i = 0; i < amounts.length; ++i) amounts[i] = claimable(who, id, revenueTokens[i]);
        _expectPayment(who, who, data, amounts);
        model.claim(who, id);
        _checkPaid(who, amounts);
        return true;
    }

    function _problemOf(address who, uint256 id) private view returns (bytes memory) {
        uint256 last = model.lastSnapshot();
        if (id == 0 || id > last) {
            return abi.encodeWithSelector(IRevenueShareToken.RevenueShare_NoSnapshot.selector, id, last);
        }
        if (model.isClaimed(who, id)) {
            return abi.encodeWithSelector(IRevenueShareToken.RevenueShare_AlreadyClaimed.selector, who, id);
        }
        return "";
    }

    /// @dev Some twice, some that there are not.
    function _claimBatch(address who, uint256 b, uint256 c) private returns (bool some) {
        uint256[] memory ids = new uint256[](4);
        (ids[0], ids[1], ids[2], ids[3]) = (_someId(b), _someId(c), _someId(b), _someId(b ^ c));
        uint256[] memory amounts = new uint256[](revenueTokens.length);
        uint256 count = 0;
        for (uint256 k = 0; k < ids.length; ++k) {
            bool twice = false;
            for (uint256 j = 0; j < k; ++j) twice = twice || ids[j] == ids[k];
            if (twice || _problemOf(who, ids[k]).length != 0) continue;
            ++count;
            for (uint256 i = 0; i < amounts.length; ++i)
                amounts[i] += claimable(who, ids[k], revenueTokens[i]);
        }
        _expectPayment(who, who, abi.encodeCall(share.claimBatch, (ids)), amounts);
        for (uint256 k = 0; k < ids.length; ++k) {
            if (_problemOf(who, ids[k]).length == 0) model.claim(who, ids[k]);
        }
        _checkPaid(who, amounts);
        return count != 0;
    }

    /// @dev What it will pay is not shown: it is within the model's.
    function _claimThrough(address who, uint256 id) private returns (bool) {
        bytes memory data = abi.encodeCall(share.claimThrough, (id));
        uint256 last = model.lastSnapshot();
        if (id > last) {
            bytes4 why = IRevenueShareToken.RevenueShare_NoSnapshot.selector;
            assertRefused(who, data, abi.encodeWithSelector(why, id, last));
            return false;
        }
        bool more = id > share.positionOf(who).claimedThrough;
        uint256[] memory amounts = _payment(who, who, data);
        model.claimThrough(who, id);
        _checkPaid(who, amounts);
        return more;
    }

    function _claimAll(address who) private returns (bool) {
        return _claimEverything(who, who, abi.encodeCall(share.claimAll, ()));
    }

    function _claimFor(address who) private returns (bool) {
        bytes memory data = abi.encodeCall(share.claimFor, (who));
        if (!_refuses[who]) return _claimEverything(who, STRANGER, data);
        bytes4 why = IRevenueShareToken.RevenueShare_ClaimForRefused.selector;
        assertRefused(STRANGER, data, abi.encodeWithSelector(why, who));
        return false;
    }

    function _claimForBatch(address who, address other) private returns (bool) {
        // The other one's claim is not mixed with this one's.
        if (_refuses[who] || other == who) return false;
        if (!_refuses[other]) _claimFor(other);
        return _claimEverything(who, STRANGER, abi.encodeCall(share.claimForBatch, (listOf(other, who))));
    }

    function _claimEverything(address who, address caller, bytes memory data) private returns (bool more) {
        IRevenueShareToken.Position memory position = share.positionOf(who);
        more = share.lastSnapshot() > position.claimedThrough;
        _expectPayment(who, caller, data, position.claimable);
        model.claimThrough(who, model.lastSnapshot());
        _checkPaid(who, position.claimable);
    }

    /// @dev Never above what is due, and less by less than a unit for each claim.
    function _checkPaid(address who, uint256[] memory amounts) private {
        for (uint256 i = 0; i < amounts.length; ++i) {
            if (amounts[i] == 0) continue;
            model.receivePayment(who, revenueTokens[i], amounts[i]);
            _checkAllPaid(who, revenueTokens[i]);
        }
    }

    function _checkAllPaid(address who, address token) private view {
        (uint256 most, uint256 claims) = model.claimedOf(who, token);
        uint256 paid = model.paid(who, token);
        assertLe(paid, most, "claimed above what is due");
        assertLe(most, paid + claims, "claimed below what is due");
    }

    // ---- Payments ----

    /// @dev I-20: what was shown is what is paid.
    function _expectPayment(
        address who,
        address caller,
        bytes memory data,
        uint256[] memory amounts
    ) private {
        uint256[] memory paid = _payment(who, caller, data);
        for (uint256 i = 0; i < amounts.length; ++i) assertEq(paid[i], amounts[i], "I-20 payment");
    }

    /// @dev Makes the call and says what it paid `who`, or credited it with.
    function _payment(
        address who,
        address caller,
        bytes memory data
    ) private returns (uint256[] memory paid) {
        address recipient = share.positionOf(who).recipient;
        uint256 count = revenueTokens.length;
        uint256[] memory money = new uint256[](count);
        uint256[] memory credit = new uint256[](count);
        uint256[] memory held = new uint256[](count);
        paid = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            money[i] = moneyOf(recipient, revenueTokens[i]);
            credit[i] = share.creditOf(recipient, revenueTokens[i]);
            held[i] = share.fundsOf(revenueTokens[i]).held;
        }
        vm.prank(caller);
        (bool success, bytes memory reason) = address(share).call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
        for (uint256 i = 0; i < count; ++i) {
            address token = revenueTokens[i];
            uint256 added = share.creditOf(recipient, token) - credit[i];
            uint256 sent = held[i] - share.fundsOf(token).held;
            paid[i] = added + sent;
            if (added != 0) {
                ++credited;
                assertEq(sent, 0, "sent and credited");
                bool mayRefuse = kinds[i] != Kind.Clean || (i == 0 && _isOdd[recipient]);
                assertTrue(mayRefuse, "credited without a refusal");
            }
            if (_isExact(i)) assertEq(moneyOf(recipient, token), money[i] + sent, "sent");
        }
        _lookInside();
    }

    /// @dev Who is called in the middle of a payment gets nowhere.
    function _lookInside() private {
        for (uint256 i = 2; i < ACCOUNTS; ++i) {
            Actor actor = Actor(payable(accounts[i]));
            if (actor.entries() == 0) continue;
            ++entered;
            assertTrue(!actor.succeeded(), "the guard was passed");
        }
    }

    /// @dev Most often where there is something.
    function _withdrawSome(address who, uint256 number, uint256 b) private returns (bool) {
        if (b % 4 == 0) return _withdrawCredit(who, number);
        for (uint256 i = 0; i < revenueTokens.length; ++i) {
            for (uint256 k = 0; k < ACCOUNTS + 2; ++k) {
                address payee =
                    k < ACCOUNTS
                        ? accounts[k]
                        : k == ACCOUNTS
                            ? VAULT
                            : BENEFICIARY;
                if (share.creditOf(payee, revenueTokens[i]) != 0) return _withdrawCredit(payee, i);
            }
        }
        return false;
    }

    function _withdrawCredit(address who, uint256 number) private returns (bool) {
        address token = revenueTokens[number];
        uint256 credit = share.creditOf(who, token);
        bytes memory data = abi.encodeCall(share.withdrawCredit, (token, SAFE));
        if (credit == 0) {
            bytes4 why = IRevenueShareToken.RevenueShare_NothingCredited.selector;
            assertRefused(who, data, abi.encodeWithSelector(why, who, token));
            return false;
        }
        uint256 money = moneyOf(SAFE, token);
        uint256 held = share.fundsOf(token).held;
        vm.prank(who);
        (bool success, ) = address(share).call{gas: 5_000_000}(data);
        if (!success) {
            bool mayRefuse = kinds[number] == Kind.Odd || kinds[number] == Kind.Lying || _isPaused[token];
            assertTrue(mayRefuse, "withdrawal refused");
            assertEq(share.creditOf(who, token), credit, "I-3 the credit stays");
            return false;
        }
        if (_isExact(number)) assertEq(moneyOf(SAFE, token), money + credit, "withdrawn");
        assertEq(share.creditOf(who, token), 0, "I-3 withdrawn once");
        assertEq(share.fundsOf(token).held, held - credit, "held");
        return true;
    }

    // ---- Supply ----

    function _burn(address who, uint256 amount) private returns (bool) {
        uint256[] memory amounts = new uint256[](revenueTokens.length);
        for (uint256 i = 0; i < amounts.length; ++i) amounts[i] = redeemable(amount, revenueTokens[i]);
        _expectPayment(who, who, abi.encodeCall(share.burn, (amount)), amounts);
        model.burn(who, amount);
        return amount != 0;
    }

    function _mint(address who, uint256 b) private returns (bool) {
        uint256 minted = model.minted();
        uint256 cap = share.cap();
        uint256 amount = someOf(b, cap - minted + 1);
        bytes memory data = abi.encodeCall(share.mint, (who, amount));
        bytes memory problem;
        if (vm.getBlockTimestamp() > share.mintUntil()) {
            bytes4 why = IRevenueShareToken.RevenueShare_MintingOver.selector;
            problem = abi.encodeWithSelector(why, share.mintUntil());
            if (share.minter() == address(0)) {
                problem = abi.encodeWithSelector(IRevenueShareToken.RevenueShare_NotMinter.selector, MINTER);
            }
        } else if (amount > cap - minted) {
            bytes4 why = IRevenueShareToken.RevenueShare_CapExceeded.selector;
            problem = abi.encodeWithSelector(why, minted, amount, cap);
        }
        if (problem.length != 0) {
            assertRefused(MINTER, data, problem);
            return false;
        }
        vm.prank(MINTER);
        share.mint(who, amount);
        model.mint(who, amount);
        return amount != 0;
    }

    function _depart(address who, uint256 amount) private returns (bool) {
        vm.prank(who);
        share.approve(BRIDGE, amount);
        vm.prank(BRIDGE);
        share.crosschainBurn(who, amount);
        model.depart(who, amount);
        return amount != 0;
    }

    function _arrive(address who, uint256 b) private returns (bool) {
        uint256 away = model.away();
        uint256 amount = someOf(b, away + 1);
        if (amount > away) {
            bytes4 why = IRevenueShareToken.RevenueShare_NotAway.selector;
            bytes memory data = abi.encodeCall(share.crosschainMint, (who, amount));
            assertRefused(BRIDGE, data, abi.encodeWithSelector(why, away, amount));
            return false;
        }
        vm.prank(BRIDGE);
        share.crosschainMint(who, amount);
        model.arrive(who, amount);
        return amount != 0;
    }

    // ---- Settings of an account ----

    function _setSharing(address who, bool shares) private returns (bool) {
        bool before = model.isExcluded(who);
        vm.prank(who);
        share.setSharing(shares);
        model.setExcluded(who, !shares);
        _spoken[who] = true;
        return before == shares;
    }

    function _setExcluded(address who, bool excluded) private returns (bool) {
        bytes4 why;
        if (who.code.length == 0) why = IRevenueShareToken.RevenueShare_NotContract.selector;
        else if (_spoken[who]) why = IRevenueShareToken.RevenueShare_Spoken.selector;
        if (why != bytes4(0)) {
            bytes memory data = abi.encodeCall(share.setExcluded, (who, excluded));
            assertRefused(OWNER, data, abi.encodeWithSelector(why, who));
            return false;
        }
        bool before = model.isExcluded(who);
        vm.prank(OWNER);
        share.setExcluded(who, excluded);
        model.setExcluded(who, excluded);
        return before != excluded;
    }

    function _setRecipient(address who, uint256 b) private returns (bool) {
        address recipient =
            b % 3 == 0
                ? address(0)
                : b % 3 == 1
                    ? VAULT
                    : accounts[(b >> 8) % ACCOUNTS];
        vm.prank(who);
        share.setRecipient(recipient);
        address expected = recipient == address(0) ? who : recipient;
        assertEq(share.positionOf(who).recipient, expected, "recipient");
        return recipient != address(0);
    }

    function _refuseClaimFor(address who, bool refused) private returns (bool) {
        vm.prank(who);
        share.refuseClaimFor(refused);
        _refuses[who] = refused;
        return refused;
    }

    // ---- Misbehaviour ----

    function _misbehave(address who, uint256 number, uint256 b) private returns (bool) {
        Kind kind = kinds[number];
        if (kind == Kind.Clean) number = 0;
        address token = revenueTokens[number];
        bool badly = b % 4 != 0;
        // People do nothing when they are paid.
        if (kind != Kind.Blocklist && who.code.length == 0) who = accounts[2 + ((b >> 80) % 3)];
        if (kind == Kind.Clean) {
            _setManner(who, badly ? (b >> 8) % 5 : 0, b >> 16);
        } else if (kind == Kind.Blocklist) {
            _isPaused[token] = badly && b % 3 == 0;
            BlocklistERC20(token).setPaused(_isPaused[token]);
            BlocklistERC20(token).setBlocked(who, badly);
        } else if (kind == Kind.Fee) {
            FeeERC20(token).setFee(badly ? b % BPS : 0);
        } else if (kind == Kind.Hook) {
            // An actor, if it is one, is called.
            if (badly) _setManner(who, uint256(Actor.Manner.Reenter), b >> 16);
            HookERC20(token).setHook(
                badly ? HookERC20.Moment(1 + ((b >> 8) % 2)) : HookERC20.Moment.Never,
                who,
                abi.encodeCall(Actor.reenter, ())
            );
        } else if (kind == Kind.Lying) {
            int256 lie = int256(b % 1e18);
            LyingERC20(token).setLie(badly ? ((b >> 64) % 2 == 0 ? lie : -lie) : int256(0));
        } else {
            OddERC20.Answer answer = OddERC20.Answer((b >> 8) % 10);
            OddERC20(token).setAnswer(badly ? answer : OddERC20.Answer.True);
        }
        if (badly) ++misbehaved[kind];
        return badly;
    }

    function _setManner(address who, uint256 manner, uint256 random) private {
        Actor actor = Actor(payable(who));
        if (Actor.Manner(manner) == Actor.Manner.Reenter) actor.arm(address(share), 0, _entry(random));
        else actor.setManner(Actor.Manner(manner));
        _isOdd[who] = manner != 0;
    }

    /// @dev What an account tries while it is being paid.
    function _entry(uint256 random) private view returns (bytes memory) {
        uint256 kind = random % 6;
        if (kind == 0) return abi.encodeCall(share.claimAll, ());
        if (kind == 1) return abi.encodeCall(share.claim, (share.lastSnapshot()));
        if (kind == 2) return abi.encodeCall(share.burn, (1));
        if (kind == 3) return abi.encodeCall(share.snapshot, ());
        if (kind == 4) return abi.encodeCall(share.claimFor, (ALICE));
        return abi.encodeCall(share.withdrawCredit, (NATIVE, SAFE));
    }

    // ---- The end ----

    /// @notice Everybody claims, comes back, burns everything and withdraws; what is left is dust (I-19).
    function closeEverything() external {
        // The runner draws it too.
        if (msg.sender != _test && msg.sender != address(this)) return;
        for (uint256 i = 0; i < revenueTokens.length; ++i) _behave(i);
        for (uint256 i = 2; i < ACCOUNTS; ++i) _setManner(accounts[i], 0, 0);
        if (vm.getBlockTimestamp() <= share.mintUntil()) vm.warp(share.mintUntil() + 1);
        _arriveAll(accounts[0]);
        for (uint256 i = 0; i < revenueTokens.length; ++i) _revenue(Verb.Sync, i, 0);
        vm.warp(share.endOf(share.lastSnapshot() + 1));
        for (uint256 i = 0; i < ACCOUNTS; ++i) _claimAll(accounts[i]);
        for (uint256 i = 0; i < ACCOUNTS; ++i) _burn(accounts[i], share.balanceOf(accounts[i]));
        assertEq(share.totalSupply(), 0, "everything is burned");
        // What those who were burned before minting was over did not get waits for more revenue.
        for (uint256 i = 0; i < revenueTokens.length; ++i) _revenue(Verb.Deposit, i, 0);
        vm.warp(share.endOf(share.lastSnapshot() + 1));
        _claimAll(accounts[0]);
        for (uint256 i = 0; i < revenueTokens.length; ++i) {
            for (uint256 k = 0; k < ACCOUNTS; ++k) _withdrawCredit(accounts[k], i);
            _withdrawCredit(VAULT, i);
            _withdrawCredit(BENEFICIARY, i);
            _checkDust(i);
        }
    }

    function _arriveAll(address who) private {
        uint256 away = model.away();
        vm.prank(BRIDGE);
        share.crosschainMint(who, away);
        model.arrive(who, away);
    }

    function _checkDust(uint256 number) private view {
        address token = revenueTokens[number];
        uint256 bound_ = 0;
        for (uint256 k = 0; k < ACCOUNTS; ++k) {
            (, uint256 claims) = model.claimedOf(accounts[k], token);
            bound_ += claims;
        }
        IRevenueShareToken.Funds memory funds = share.fundsOf(token);
        uint256 credits = creditsOf(token);
        if (_isExact(number)) {
            assertEq(credits, 0, "I-19 a credit cannot be withdrawn");
            assertEq(funds.redeemable, 0, "I-19 nobody redeems it");
            assertEq(moneyOf(address(share), token), funds.held, "I-19 nobody's money");
        }
        assertEq(funds.pending, 0, "I-19 pending");
        assertLe(funds.held - credits - funds.redeemable, bound_, "I-19 dust");
    }

    function _behave(uint256 number) private {
        address token = revenueTokens[number];
        if (kinds[number] == Kind.Blocklist) {
            _isPaused[token] = false;
            BlocklistERC20(token).setPaused(false);
            for (uint256 i = 0; i < ACCOUNTS; ++i) BlocklistERC20(token).setBlocked(accounts[i], false);
        } else if (kinds[number] == Kind.Fee) FeeERC20(token).setFee(0);
        else if (kinds[number] == Kind.Hook) HookERC20(token).setHook(HookERC20.Moment.Never, address(0), "");
        else if (kinds[number] == Kind.Lying) LyingERC20(token).setLie(0);
        else if (kinds[number] == Kind.Odd) OddERC20(token).setAnswer(OddERC20.Answer.True);
    }

    // ---- Comparison ----

    /// @dev Some figures after each step: all of them would take long.
    function _compare(address who, uint256 b, uint256 c) private view {
        assertEq(share.totalSupply(), model.totalSupply(), "supply");
        assertEq(share.eligibleSupply(), model.eligibleAt(type(uint256).max), "eligible supply");
        assertEq(share.redemptionSupply(), model.redemptionSupply(), "redemption supply");
        assertEq(share.lastSnapshot(), model.lastSnapshot(), "last snapshot");
        _compareAccount(who);
        address token = revenueTokens[c % revenueTokens.length];
        _compareClaim(who, _someId(b), token);
        assertEq(redeemable(b % MAX_CAP, token), model.redeemable(b % MAX_CAP, token), "redeemable");
    }

    function _compareAccount(address who) private view {
        assertEq(share.balanceOf(who), model.balanceOf(who), "balance");
        IRevenueShareToken.Position memory position = share.positionOf(who);
        assertEq(position.balance, model.balanceOf(who), "position's balance");
        assertTrue(position.excluded == model.isExcluded(who), "excluded");
        assertTrue(position.spoken == _spoken[who], "spoken");
        assertTrue(position.refusesClaimFor == _refuses[who], "refuses");
    }

    function _compareClaim(address who, uint256 id, address token) private view {
        (uint256 least, uint256 most) = model.claimable(who, id, token);
        uint256 shown = claimable(who, id, token);
        assertLe(shown, most, "claimable above the model's");
        assertLe(least, shown, "claimable below the model's");
        assertTrue(share.isClaimed(who, id) == model.isClaimed(who, id), "claimed");
        if (id == 0 || id > model.lastSnapshot()) assertEq(shown, 0, "claimable of no snapshot");
        else if (!model.isClaimed(who, id)) {
            assertEq(share.sharesOfRecord(who, id), model.sharesAt(who, model.endOf(id)), "shares of record");
        }
    }

    /// @notice Every figure there is.
    function compareEverything() public view {
        uint256 last = model.lastSnapshot();
        for (uint256 i = 0; i < revenueTokens.length; ++i) {
            uint256[] memory ids = model.snapshotsOf(revenueTokens[i]);
            for (uint256 k = 0; k < ACCOUNTS; ++k) {
                for (uint256 n = 0; n < ids.length; ++n) _compareClaim(accounts[k], ids[n], revenueTokens[i]);
                _compareClaim(accounts[k], last, revenueTokens[i]);
                _compareClaim(accounts[k], last + 1, revenueTokens[i]);
                _compareClaim(accounts[k], 0, revenueTokens[i]);
            }
        }
        for (uint256 k = 0; k < ACCOUNTS; ++k) {
            _compareAccount(accounts[k]);
            IRevenueShareToken.Position memory position = share.positionOf(accounts[k]);
            for (uint256 i = 0; i < revenueTokens.length; ++i) {
                uint256 expected = model.redeemable(position.balance, revenueTokens[i]);
                assertEq(redeemable(position.balance, revenueTokens[i]), expected, "redeemable");
                assertEq(position.redeemable[i], expected, "position's redeemable");
            }
        }
    }

    // ---- Helpers ----

    /// @notice Credits of everybody.
    function creditsOf(address token) public view returns (uint256 credits) {
        for (uint256 k = 0; k < ACCOUNTS; ++k) credits += share.creditOf(accounts[k], token);
        return credits + share.creditOf(VAULT, token) + share.creditOf(BENEFICIARY, token);
    }

    function theShare() external view returns (IRevenueShareToken) {
        return share;
    }

    function tokenCount() external view returns (uint256) {
        return revenueTokens.length;
    }

    /// @notice Whether the token's balances are what they seem.
    function isHonest(uint256 number) external view returns (bool) {
        return kinds[number] != Kind.Lying && kinds[number] != Kind.Odd;
    }

    /// @dev Most often one with revenue, sometimes one that is not, or nearby.
    function _someId(uint256 random) private view returns (uint256) {
        uint256 last = model.lastSnapshot();
        uint256 kind = random % 8;
        random = (random >> 8) % 1_000;
        if (kind == 0) return random % (last + 2);
        if (kind == 1) return last;
        return model.snapshotOfPayment(kind == 2 ? 0 : random);
    }

    /// @notice All, nothing, little, or any part of `most`.
    function someOf(uint256 random, uint256 most) internal pure returns (uint256) {
        uint256 kind = random % 8;
        random >>= 8;
        if (kind == 0 || most == 0) return most;
        if (kind == 1) return random % 2;
        if (kind == 2) return (most >> (random % 90)) % (most + 1);
        return random % (most + 1);
    }

    /// @dev Of any size: from one unit to 10^42, of six decimals to 10^18.
    function _someRevenue(uint256 number, uint256 random) private pure returns (uint256) {
        uint256 digits = random % (number == 1 ? 18 : 42);
        random >>= 8;
        return 10 ** digits * (1 + (random % 9)) + ((random >> 8) % 10 ** digits);
    }
}
