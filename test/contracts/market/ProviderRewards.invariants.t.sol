// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProviderRewards} from "../../../contracts/interfaces/IProviderRewards.sol";
import {ProviderRewards} from "../../../contracts/market/ProviderRewards.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {Test} from "../utils/Test.sol";
import {RewardsTest} from "./RewardsTest.sol";

/// @dev Providers that pay fees, are recorded and claim in any order, refuse money and re-enter when they get it.
/// Keeps what the rewards must agree with; its epochs end when their time comes rather than with the next call.
contract RewardsHandler is RewardsTest {
    /// @dev What an actor does in the middle of another call; the guard refuses all of it.
    enum Entry {
        None,
        Fund,
        Record,
        Claim
    }

    uint256 public constant PROVIDERS = 4;

    Actor[] public providers;

    // What should be.
    uint256 public funded;
    uint256 public donated;
    uint256 public pot;
    uint256 public epochs;
    mapping(uint256 epoch => uint256) public feesIn;
    mapping(uint256 epoch => uint256) public budgetOf;
    mapping(uint256 epoch => uint256) public claimedFees;
    mapping(uint256 epoch => uint256) public paidIn;
    mapping(uint256 epoch => mapping(uint256 who => uint256)) public feesOf;
    mapping(uint256 epoch => mapping(uint256 who => bool)) public claimed;
    mapping(uint256 who => bool) public joined;
    /// Fees that nobody recorded yet [wei].
    mapping(uint256 who => uint256) public unrecorded;
    /// All fees since a provider joined, and all that it got for them [wei].
    mapping(uint256 who => uint256) public feesSince;
    mapping(uint256 who => uint256) public received;

    /// What happened that must never happen.
    string public violation;
    mapping(Entry => uint256) public entered;
    mapping(bytes4 verb => uint256) public done;

    Actor private armed;
    Entry private armedEntry;

    constructor(bool native) {
        openRewards(native);
        for (uint256 i = 0; i < PROVIDERS; ++i) {
            Actor provider = new Actor();
            providers.push(provider);
            enrich(address(provider), 1 ether, address(rewards));
            // The last one is not registered.
            if (i + 1 < PROVIDERS) register(address(provider));
        }
    }

    // ---- What happens ----

    function earn(uint256 who, uint256 amount, bool collected) external {
        // The market's own transfer is not a call of the rewards.
        if (address(token) != address(0)) disarm();
        who %= PROVIDERS;
        amount = bound(amount, 1, BUDGET);
        payFees(address(providers[who]), amount);
        if (collected) {
            address[] memory accounts = new address[](1);
            accounts[0] = address(providers[who]);
            market.collectFees(accounts);
        }
        unrecorded[who] += amount;
    }

    function fillSome(uint256 amount) external {
        amount = bound(amount, 0, 2 * BUDGET);
        enrich(FUNDER, amount, address(rewards));
        (bool success, ) = act(FUNDER, valueOf(amount), abi.encodeCall(rewards.fund, (amount)));
        if (success != (amount != 0)) violation = "money refused, or nothing taken for money";
        if (!success) return;
        funded += amount;
        pot += amount;
    }

    /// @dev Each bit of `who` names a provider; the first of them twice.
    function recordSome(uint256 who) external {
        uint256 count = 0;
        address[] memory named = new address[](PROVIDERS + 1);
        for (uint256 i = 0; i < PROVIDERS; ++i) {
            if ((who >> i) % 2 == 1) named[count++] = address(providers[i]);
        }
        if (count != 0) named[count++] = named[0];
        assembly ("memory-safe") {
            mstore(named, count)
        }
        (bool success, ) = act(address(this), 0, abi.encodeCall(rewards.record, (named)));
        if (!success) violation = "a record failed";
        for (uint256 i = 0; i < PROVIDERS; ++i) {
            if ((who >> i) % 2 == 0) continue;
            if (joined[i]) {
                feesIn[epochs] += unrecorded[i];
                feesOf[epochs][i] += unrecorded[i];
                feesSince[i] += unrecorded[i];
            }
            (joined[i], unrecorded[i]) = (true, 0);
        }
    }

    function claim(uint256 who, uint256 epoch) external {
        who %= PROVIDERS;
        epoch = bound(epoch, 0, epochs);
        address provider = address(providers[who]);
        (, uint256 preview, ) = rewards.rewardOf(provider, epoch);
        uint256 before = balanceOf(provider);
        (bool success, bytes memory returned) = act(
            address(this),
            0,
            abi.encodeCall(rewards.claim, (provider, epoch))
        );
        if (!success) return;
        uint256 amount = abi.decode(returned, (uint256));
        if (epoch == epochs) violation = "claimed of an open epoch";
        if (claimed[epoch][who] || feesOf[epoch][who] == 0) violation = "claimed twice, or for nothing";
        if (amount != preview) violation = "another amount than was shown";
        if (amount != (budgetOf[epoch] * feesOf[epoch][who]) / feesIn[epoch]) violation = "a wrong amount";
        if (balanceOf(provider) != before + amount) violation = "another amount than was sent";
        claimed[epoch][who] = true;
        claimedFees[epoch] += feesOf[epoch][who];
        paidIn[epoch] += amount;
        received[who] += amount;
        if (claimedFees[epoch] == feesIn[epoch]) pot += budgetOf[epoch] - paidIn[epoch];
    }

    function donate(uint256 amount) external {
        amount = bound(amount, 1, 1 ether);
        if (address(token) == address(0)) vm.deal(address(rewards), address(rewards).balance + amount);
        else token.mint(address(rewards), amount);
        donated += amount;
    }

    /// @dev The epochs that end meanwhile get their budget now.
    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 2 * EPOCH));
        uint256 current = (block.timestamp - START) / EPOCH;
        for (; epochs < current; ++epochs) {
            uint256 budget = (feesIn[epochs] * CAP_BPS) / 10_000;
            if (budget > BUDGET) budget = BUDGET;
            if (budget > pot) budget = pot;
            budgetOf[epochs] = budget;
            pot -= budget;
        }
    }

    /// @notice A provider refuses the native coin, or takes it again.
    function setManner(uint256 who, bool refuses) external {
        Actor provider = providers[who % PROVIDERS];
        if (address(provider) == address(armed)) disarm();
        provider.setManner(refuses ? Actor.Manner.Refuse : Actor.Manner.Accept);
    }

    /// @notice From now on a provider that is paid, or the token, makes this call in the middle.
    function arm(uint256 who, uint256 kind, uint256 about, bool before) external {
        disarm();
        Entry entry = Entry(kind % 4);
        if (entry == Entry.None) return;
        Actor actor = providers[who % PROVIDERS];
        address provider = address(providers[about % PROVIDERS]);
        address[] memory named = new address[](1);
        named[0] = provider;
        bytes memory data =
            entry == Entry.Fund
                ? abi.encodeCall(rewards.fund, (1))
                : entry == Entry.Record
                    ? abi.encodeCall(rewards.record, (named))
                    : abi.encodeCall(rewards.claim, (provider, about % (epochs + 1)));
        actor.arm(address(rewards), entry == Entry.Fund ? valueOf(1) : 0, data);
        if (address(token) != address(0)) {
            token.setHook(
                before ? HookERC20.Moment.Before : HookERC20.Moment.After,
                address(actor),
                abi.encodeCall(actor.reenter, ())
            );
        }
        (armed, armedEntry) = (actor, entry);
    }

    function disarm() private {
        if (address(token) != address(0)) token.setHook(HookERC20.Moment.Never, address(0), "");
        if (address(armed) != address(0)) armed.setManner(Actor.Manner.Accept);
        (armed, armedEntry) = (Actor(payable(0)), Entry.None);
    }

    // ---- Helpers ----

    /// @dev Whether the call went through; looks at what was entered meanwhile.
    function act(
        address sender,
        uint256 value,
        bytes memory data
    ) private returns (bool success, bytes memory returned) {
        uint256 entries = address(armed) == address(0) ? 0 : armed.entries();
        vm.prank(sender);
        (success, returned) = address(rewards).call{value: value}(data);
        if (success) ++done[bytes4(data)];
        if (address(armed) == address(0) || armed.entries() == entries) return (success, returned);
        ++entered[armedEntry];
        if (armed.succeeded()) violation = "the guard was passed";
    }

    function theRewards() external view returns (ProviderRewards) {
        return rewards;
    }

    function held() external view returns (uint256) {
        return balanceOf(address(rewards));
    }
}

abstract contract ProviderRewardsInvariants is Test {
    RewardsHandler private handler;
    ProviderRewards private rewards;

    function open(bool native) internal {
        handler = new RewardsHandler(native);
        rewards = handler.theRewards();
        targetContract(address(handler));
    }

    /// @dev The invariants say something: the handler gets through to every verb, and enters in every way.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 3_000; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            (uint256 a, uint256 b, uint256 c) = (random >> 16, random >> 32, random >> 80);
            uint256 verb = random % 12;
            if (verb == 0) handler.earn(a, b, c % 2 == 0);
            else if (verb == 1) handler.fillSome(a);
            else if (verb == 2) handler.recordSome(a);
            else if (verb == 3) handler.wait(a);
            else if (verb == 4) handler.setManner(a, b % 4 == 0);
            else if (verb < 7) handler.arm(a, b, c, b % 2 == 0);
            else if (verb == 7) handler.donate(a);
            else handler.claim(a, b % 2 == 0 ? b : handler.epochs() - (handler.epochs() == 0 ? 0 : 1));
        }
        bytes4[3] memory verbs = [rewards.fund.selector, rewards.record.selector, rewards.claim.selector];
        for (uint256 i = 0; i < verbs.length; ++i)
            assertTrue(handler.done(verbs[i]) != 0, "a verb is never reached");
        for (uint8 i = 1; i < 4; ++i) {
            assertTrue(handler.entered(RewardsHandler.Entry(i)) != 0, "an entry is never made");
        }
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i)
            assertTrue(handler.received(i) != 0, "a provider is never paid");
        assertEq(bytes(handler.violation()), "", handler.violation());
    }

    /// @dev What is held is the pot, what is promised and not paid, and what came without a call, to the wei.
    function invariant_I01_I02_everythingIsCovered() external view {
        uint256 owed = rewards.pot();
        uint256 paid = 0;
        for (uint256 i = 0; i < handler.epochs(); ++i) {
            IProviderRewards.Epoch memory epoch = rewards.epochOf(i);
            paid += epoch.paidWei;
            if (epoch.claimedFeesWei != epoch.feesWei) owed += epoch.budgetWei - epoch.paidWei;
        }
        assertEq(handler.held(), owed + handler.donated(), "held");
        assertEq(owed + paid, handler.funded(), "funded");
    }

    /// @dev Of each epoch no more is paid than its budget, of which no more is than its cap and the fixed one; I-20:
    /// what the views show is what was made, though nobody may have called since an epoch ended.
    function invariant_I16_I20_epochsAreWhatWasRecorded() external view {
        assertEq(rewards.pot(), handler.pot(), "pot");
        assertEq(rewards.currentEpoch(), handler.epochs(), "current");
        for (uint256 i = 0; i <= handler.epochs(); ++i) {
            IProviderRewards.Epoch memory epoch = rewards.epochOf(i);
            assertEq(epoch.feesWei, handler.feesIn(i), "fees");
            assertEq(epoch.claimedFeesWei, handler.claimedFees(i), "claimed");
            assertEq(epoch.paidWei, handler.paidIn(i), "paid");
            if (i == handler.epochs()) continue;
            assertEq(epoch.budgetWei, handler.budgetOf(i), "budget");
            assertLe(epoch.paidWei, epoch.budgetWei, "paid beyond the budget");
            assertLe(epoch.budgetWei, rewards.budgetWei(), "budget beyond the fixed one");
            assertLe(uint256(epoch.budgetWei) * 10_000, uint256(epoch.feesWei) * rewards.capBps(), "cap");
        }
    }

    /// @dev A21: nobody ever got more than the cap of the fees it paid since it joined.
    function invariant_A21_nobodyGetsMoreThanTheCapOfItsFees() external view {
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i) {
            assertLe(handler.received(i) * 10_000, handler.feesSince(i) * rewards.capBps(), "received");
        }
    }

    /// @dev I-3, I-9: each claim once, of the amount that was shown, and nothing from inside another call.
    function invariant_I03_I09_nothingForbiddenHappened() external view {
        assertEq(bytes(handler.violation()), "", handler.violation());
    }
}

contract ProviderRewardsNativeInvariants is ProviderRewardsInvariants {
    function setUp() external {
        open(true);
    }
}

contract ProviderRewardsTokenInvariants is ProviderRewardsInvariants {
    function setUp() external {
        open(false);
    }
}
