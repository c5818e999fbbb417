// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {Resources} from "../../../contracts/libraries/Resources.sol";
import {Actor} from "../../../contracts/mocks/Actor.sol";
import {HookERC20} from "../../../contracts/mocks/HookERC20.sol";
import {ProviderRegistry} from "../../../contracts/registry/ProviderRegistry.sol";
import {Test} from "../utils/Test.sol";
import {RegistryTest} from "./RegistryTest.sol";

/// @dev Providers and markets that do anything at any time, and re-enter when they receive money: as the native
/// coin arrives, or in the middle of a token's transfer. Keeps what the registry must agree with.
contract StakeHandler is RegistryTest {
    /// @dev What an actor does in the middle of another call. All but `Lock`, `Unstake` and `Cancel` are behind
    /// the guard; those three change what is their caller's own to change.
    enum Entry {
        None,
        Stake,
        Withdraw,
        Release,
        Slash,
        Lock,
        Unstake,
        Cancel
    }

    uint256 public constant PROVIDERS = 3;
    uint256 public constant MARKETS = 2;
    uint256 public constant FUNDS = 1_000 ether;

    Actor[] public providers;
    /// The last one is not authorised.
    Actor[] public markets;

    /// Sent to the registry without a call [wei].
    uint256 public donated;
    /// Taken from each provider, and by each market, as slashed stake [wei].
    mapping(uint256 provider => uint256) public slashedOf;
    mapping(uint256 market => uint256) public slashedBy;
    mapping(uint256 provider => mapping(IProviderRegistry.Record => uint256)) public recorded;
    /// Slots that each market's open tasks hold.
    mapping(uint256 market => mapping(uint256 provider => uint256)) public assignedBy;
    /// When each provider's stake may leave at the earliest [s].
    mapping(uint256 provider => uint256) public earliest;
    /// What happened that must never happen.
    string public violation;
    /// How often each entry was tried, and each verb went through: that the rest is not empty talk.
    mapping(Entry => uint256) public entered;
    mapping(bytes4 verb => uint256) public done;

    Actor private armed;
    Entry private armedEntry;

    constructor(bool native) {
        open(native);
        for (uint256 i = 0; i < PROVIDERS; ++i) {
            Actor provider = new Actor();
            providers.push(provider);
            fund(address(provider), FUNDS);
            register(address(provider));
        }
        for (uint256 i = 0; i <= MARKETS; ++i) {
            markets.push(new Actor());
            if (i < MARKETS) authorize(address(markets[i]));
        }
    }

    // ---- Providers ----

    function stakeSome(uint256 who, uint256 amount) external {
        (who, amount) = (who % PROVIDERS, bound(amount, 1, FUNDS / 4));
        act(providers[who], valueOf(amount), abi.encodeCall(registry.stake, (amount)));
    }

    function unstake(uint256 who, uint256 amount) external {
        (who, amount) = (who % PROVIDERS, bound(amount, 1, FUNDS / 8));
        if (!act(providers[who], 0, abi.encodeCall(registry.unstake, (amount)))) return;
        earliest[who] = block.timestamp + PERIOD;
    }

    function cancelUnstake(uint256 who) external {
        act(providers[who % PROVIDERS], 0, abi.encodeCall(registry.cancelUnstake, ()));
    }

    function withdrawStake(uint256 who) external {
        who %= PROVIDERS;
        Actor provider = providers[who];
        uint256 due = earliest[who];
        uint256 time = block.timestamp;
        if (!act(provider, 0, abi.encodeCall(registry.withdrawStake, (address(provider))))) return;
        if (time < due) violation = "stake left before the period was over";
    }

    /// @dev Fewer slots than are taken is a provider's right; it gets no further open tasks then.
    function setSlots(uint256 who, uint16 slots) external {
        IProviderRegistry.Offer memory offer = anOffer();
        offer.slots = uint16(bound(slots, 1, 4));
        act(providers[who % PROVIDERS], 0, abi.encodeCall(registry.updateOffer, (offer)));
    }

    function setPaused(uint256 who, bool paused) external {
        IProviderRegistry.ProviderStatus status =
            paused ? IProviderRegistry.ProviderStatus.Paused : IProviderRegistry.ProviderStatus.Active;
        act(providers[who % PROVIDERS], 0, abi.encodeCall(registry.setStatus, (status)));
    }

    // ---- Markets ----

    function lock(uint256 market, uint256 who, uint256 amount) external {
        (market, who) = (market % (MARKETS + 1), who % PROVIDERS);
        amount = bound(amount, 0, FUNDS / 8);
        bool paused =
            registry.providerOf(address(providers[who])).status == IProviderRegistry.ProviderStatus.Paused;
        if (!act(markets[market], 0, abi.encodeCall(registry.lock, (address(providers[who]), amount))))
            return;
        if (market == MARKETS) violation = "a stranger locked stake";
        if (paused) violation = "a paused provider was locked";
    }

    function assign(uint256 market, uint256 who, uint8 need, uint256 amount) external {
        (market, who) = (market % (MARKETS + 1), who % PROVIDERS);
        (need, amount) = (need % 3, bound(amount, 1, FUNDS / 8));
        IProviderRegistry.Provider memory provider = registry.providerOf(address(providers[who]));
        bytes memory data = abi.encodeCall(registry.assign, (provider.account, Resources.wrap(need), amount));
        if (!act(markets[market], 0, data)) return;
        ++assignedBy[market][who];
        if (market == MARKETS) violation = "a stranger locked stake";
        if (provider.status == IProviderRegistry.ProviderStatus.Paused) {
            violation = "a paused provider was assigned";
        }
        if (need > 1) violation = "a task was assigned that does not fit";
        if (provider.assigned >= provider.offer.slots) violation = "a task was assigned without a slot";
    }

    function release(uint256 market, uint256 who, uint256 unlocked, uint256 slashed, uint8 counted) external {
        (market, who) = (market % (MARKETS + 1), who % PROVIDERS);
        address provider = address(providers[who]);
        // Up to a little more than is possible.
        unlocked = bound(
            unlocked,
            0,
            market == MARKETS ? 1 : lockedBy(address(markets[market]), provider) + 1
        );
        slashed = bound(slashed, 0, unlocked + 1);
        IProviderRegistry.Record record = IProviderRegistry.Record(counted % 5);
        bool assigned = unlocked != 0 && assignedBy[market][who] != 0 && counted > 127;
        bytes memory data = abi.encodeCall(registry.release, (provider, unlocked, slashed, record, assigned));
        if (!act(markets[market], 0, data)) return;
        if (assigned) --assignedBy[market][who];
        slashedOf[who] += slashed;
        slashedBy[market] += slashed;
        if (market < MARKETS) ++recorded[who][record];
        else if (unlocked != 0 || slashed != 0) violation = "a stranger released stake";
    }

    // ---- The world ----

    function donate(uint256 amount) external {
        amount = bound(amount, 1, 1 ether);
        if (address(token) == address(0)) vm.deal(address(registry), address(registry).balance + amount);
        else token.mint(address(registry), amount);
        donated += amount;
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, PERIOD));
    }

    /// @notice From now on `who` (a provider, or a market above those) makes `entry` when money moves.
    function arm(uint256 who, uint8 kind, uint256 about, uint256 amount, bool before) external {
        disarm();
        Entry entry = Entry(kind % 8);
        if (entry == Entry.None) return;
        who %= PROVIDERS + MARKETS;
        Actor actor = who < PROVIDERS ? providers[who] : markets[who - PROVIDERS];
        amount = bound(amount, 1, FUNDS / 16);
        actor.arm(
            address(registry),
            entry == Entry.Stake ? valueOf(amount) : 0,
            callOf(entry, about, amount, actor)
        );
        if (address(token) != address(0)) {
            token.setHook(
                before ? HookERC20.Moment.Before : HookERC20.Moment.After,
                address(actor),
                abi.encodeCall(actor.reenter, ())
            );
        }
        (armed, armedEntry) = (actor, entry);
    }

    function callOf(
        Entry entry,
        uint256 about,
        uint256 amount,
        Actor actor
    ) private view returns (bytes memory) {
        address provider = address(providers[about % PROVIDERS]);
        if (entry == Entry.Stake) return abi.encodeCall(registry.stake, (amount));
        if (entry == Entry.Withdraw) return abi.encodeCall(registry.withdrawStake, (address(actor)));
        if (entry == Entry.Unstake) return abi.encodeCall(registry.unstake, (amount));
        if (entry == Entry.Cancel) return abi.encodeCall(registry.cancelUnstake, ());
        if (entry == Entry.Lock) return abi.encodeCall(registry.lock, (provider, amount));
        return
            abi.encodeCall(
                registry.release,
                (provider, 1, entry == Entry.Slash ? 1 : 0, IProviderRegistry.Record.Failed, false)
            );
    }

    function disarm() private {
        if (address(token) != address(0)) token.setHook(HookERC20.Moment.Never, address(0), "");
        if (address(armed) != address(0)) armed.setManner(Actor.Manner.Accept);
        (armed, armedEntry) = (Actor(payable(0)), Entry.None);
    }

    // ---- Views ----

    function theRegistry() external view returns (ProviderRegistry) {
        return registry;
    }

    function balanceAt(address account) external view returns (uint256) {
        return balanceOf(account);
    }

    function lockOf(uint256 market, uint256 who) external returns (uint256) {
        return lockedBy(address(markets[market]), address(providers[who]));
    }

    // ---- Helpers ----

    /// @dev Whether the call went through; looks at what was entered meanwhile.
    function act(Actor actor, uint256 value, bytes memory data) private returns (bool success) {
        uint256 entries = address(armed) == address(0) ? 0 : armed.entries();
        try actor.execute(address(registry), value, data) {
            success = true;
            ++done[bytes4(data)];
        } catch {}
        if (address(armed) == address(0) || armed.entries() == entries) return success;
        ++entered[armedEntry];
        if (!armed.succeeded()) return success;
        if (armedEntry < Entry.Lock) violation = "the guard was passed";
        // A provider that unstakes in the middle begins its period anew.
        if (armedEntry == Entry.Unstake) {
            for (uint256 i = 0; i < PROVIDERS; ++i) {
                if (address(providers[i]) == address(armed)) earliest[i] = block.timestamp + PERIOD;
            }
        }
    }
}

abstract contract ProviderRegistryInvariants is Test {
    StakeHandler private handler;
    ProviderRegistry private registry;

    function open(bool native) internal {
        handler = new StakeHandler(native);
        registry = handler.theRegistry();
        targetContract(address(handler));
    }

    /// @dev The invariants say something: the handler gets through to every verb, and enters in every way.
    function test_handlerReachesEverything() external {
        uint256 random = 0;
        for (uint256 i = 0; i < 4_000; ++i) {
            random = uint256(keccak256(abi.encode(random)));
            (uint256 a, uint256 b, uint256 c) = (random >> 16, random >> 32, random >> 80);
            uint256 verb = random % 12;
            if (verb == 0) handler.stakeSome(a, b);
            else if (verb == 1) handler.unstake(a, b);
            else if (verb == 2) handler.cancelUnstake(a);
            else if (verb == 3) handler.withdrawStake(a);
            else if (verb == 4) handler.setPaused(a, b % 4 == 0);
            else if (verb == 5) handler.lock(a, b, c);
            else if (verb == 6) handler.release(a, b, c, random, uint8(random >> 250));
            else if (verb == 7) handler.donate(a);
            else if (verb == 8) handler.wait(a);
            else if (verb == 11 && random % 5 != 0) handler.assign(a, b, uint8(c), random);
            else if (verb == 11) handler.setSlots(a, uint16(b));
            else handler.arm(a, uint8(b), c, random, verb == 9);
        }
        bytes4[9] memory verbs = [
            registry.stake.selector,
            registry.unstake.selector,
            registry.cancelUnstake.selector,
            registry.withdrawStake.selector,
            registry.setStatus.selector,
            registry.lock.selector,
            registry.release.selector,
            registry.assign.selector,
            registry.updateOffer.selector
        ];
        for (uint256 i = 0; i < verbs.length; ++i)
            assertTrue(handler.done(verbs[i]) != 0, "a verb is never reached");
        for (uint8 i = 1; i < 8; ++i) {
            assertTrue(handler.entered(StakeHandler.Entry(i)) != 0, "an entry is never made");
        }
        assertTrue(handler.slashedOf(0) != 0 && handler.slashedBy(0) != 0, "nothing is ever slashed");
        assertEq(bytes(handler.violation()), "", handler.violation());
    }

    /// @dev The registry holds all stakes, to the wei; what it was given without a call belongs to nobody.
    function invariant_I01_registryHoldsAllStakes() external view {
        uint256 stakes = 0;
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i) stakes += providerAt(i).stake;
        assertEq(handler.balanceAt(address(registry)), stakes + handler.donated(), "balance");
    }

    /// @dev Nobody gains and nobody loses but by a market's slash, which is that market's.
    function invariant_I02_I06_onlySlashesMoveWealth() external view {
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i) {
            assertEq(
                handler.balanceAt(address(handler.providers(i))) + providerAt(i).stake,
                handler.FUNDS() - handler.slashedOf(i),
                "provider's wealth"
            );
        }
        for (uint256 i = 0; i <= handler.MARKETS(); ++i) {
            assertEq(handler.balanceAt(address(handler.markets(i))), handler.slashedBy(i), "market's wealth");
        }
    }

    function invariant_I11_locksAreCoveredByStake() external {
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i) {
            IProviderRegistry.Provider memory provider = providerAt(i);
            assertLe(uint256(provider.locked) + provider.unbonding, provider.stake, "locked and unbonding");
            uint256 locks = 0;
            for (uint256 j = 0; j < handler.MARKETS(); ++j) locks += handler.lockOf(j, i);
            assertEq(provider.locked, locks, "sum of the markets' locks");
            assertEq(
                registry.freeStakeOf(provider.account),
                provider.stake - provider.locked - provider.unbonding,
                "free stake"
            );
        }
    }

    /// @dev A slot is taken by each open task, and by nothing else.
    function invariant_I11_slotsAreTakenByOpenTasks() external view {
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i) {
            uint256 assigned = 0;
            for (uint256 j = 0; j <= handler.MARKETS(); ++j) assigned += handler.assignedBy(j, i);
            assertEq(providerAt(i).assigned, assigned, "assigned");
        }
    }

    /// @dev The record of faults only grows, and only as markets say.
    function invariant_I10_recordIsWhatMarketsSaid() external view {
        for (uint256 i = 0; i < handler.PROVIDERS(); ++i) {
            IProviderRegistry.Provider memory provider = providerAt(i);
            assertEq(provider.declined, handler.recorded(i, IProviderRegistry.Record.Declined), "declined");
            assertEq(
                provider.abandoned,
                handler.recorded(i, IProviderRegistry.Record.Abandoned),
                "abandoned"
            );
            assertEq(provider.failed, handler.recorded(i, IProviderRegistry.Record.Failed), "failed");
            assertEq(provider.disputed, handler.recorded(i, IProviderRegistry.Record.Disputed), "disputed");
        }
    }

    /// @dev I-9 and A20: the guard holds, the period holds, strangers and paused providers stay out.
    function invariant_I09_I11_nothingForbiddenHappened() external view {
        assertEq(bytes(handler.violation()), "", handler.violation());
    }

    function providerAt(uint256 i) private view returns (IProviderRegistry.Provider memory) {
        return registry.providerOf(address(handler.providers(i)));
    }
}

contract ProviderRegistryNativeInvariants is ProviderRegistryInvariants {
    function setUp() external {
        open(true);
    }
}

contract ProviderRegistryTokenInvariants is ProviderRegistryInvariants {
    function setUp() external {
        open(false);
    }
}
