// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IArbiter} from "../../../contracts/interfaces/IArbiter.sol";
import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IOrders} from "../../../contracts/interfaces/IOrders.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {
    Assurance,
    Conditions,
    Outcome,
    Price,
    Status,
    TaskId,
    Terms
} from "../../../contracts/market/Tasks.sol";
import {MarketModel} from "./MarketModel.sol";

/// @notice An owner that is a contract and calls the market again whenever it is paid.
contract ReenteringOwner {
    address private immutable _market;
    bytes private _call;
    /// How many of its second calls went through.
    uint256 public reentered;

    constructor(address market) {
        _market = market;
    }

    function arm(bytes calldata call) external {
        _call = call;
    }

    receive() external payable {
        bytes memory call = _call;
        if (call.length == 0) return;
        delete _call;
        (bool success, ) = _market.call(call);
        if (success) ++reentered;
    }
}

/// @notice Asks for a tenth; its twin burns all gas that it is given.
contract TenthArbiter is IArbiter {
    bool private immutable _hostile;

    constructor(bool hostile) {
        _hostile = hostile;
    }

    function quote(uint256 escrowWei) external view override returns (uint256, uint256) {
        if (_hostile) while (true) {}
        return (escrowWei / 10 + 1, 2 days);
    }

    receive() external payable {}
}

/// @notice Random calls by random parties on random tasks of every kind, each compared with the model.
abstract contract MarketHandler is MarketModel {
    uint256 private constant TASKS_AT_MOST = 12;
    uint256 private constant OWNER_KEY = 0xA11CE;
    uint256 private constant OPERATOR_KEY = 0x0BE;
    /// Enough for everything that a party can do.
    uint256 private constant WEALTH = 1e26;
    uint256 private constant STAKE = 1e21;
    address private constant STRANGER = address(0x57A);
    address private constant SPONSOR = address(0x5B0);
    address private constant DELEGATE = address(0xDE1);
    address private constant REVENUE = address(0x4E7);
    address private immutable OWNER = vm.addr(OWNER_KEY);
    address private immutable OPERATOR = vm.addr(OPERATOR_KEY);
    address private immutable _test = msg.sender;

    ReenteringOwner private immutable _reentering;
    address[2] private _arbiters;
    /// The first two are named, the third is the backup.
    address[3] public providers = [address(0xB0B1), address(0xB0B2), address(0xB0B3)];

    uint256 private _model;
    uint256 private _nonce;
    uint256 private _limit;
    uint256 private _drawn;
    uint256 public donated;
    /// How often each verb went through.
    mapping(Verb => uint256) public done;
    mapping(string => uint256) public made;

    constructor() payable {
        openMarket(address(0), 250);
        _reentering = new ReenteringOwner(address(market));
        _arbiters = [address(new TenthArbiter(false)), address(new TenthArbiter(true))];
        parties = [
            OWNER,
            address(_reentering),
            SPONSOR,
            DELEGATE,
            STRANGER,
            REVENUE,
            TREASURY,
            OPERATOR,
            _arbiters[0],
            _arbiters[1],
            providers[0],
            providers[1],
            providers[2]
        ];
        for (uint256 i = 0; i < parties.length; ++i) vm.deal(parties[i], WEALTH);
        for (uint256 i = 0; i < 3; ++i) {
            register(providers[i], i == 0 ? OPERATOR : providers[i], uint16(1 + i), STAKE);
            stakes[providers[i]] = STAKE;
        }
        vm.prank(STRANGER);
        _model = models.register(bytes32(uint256(1)), "", "", 1_234, REVENUE);
    }

    // ---- Money ----

    /// @dev Few functions for all of it, so that most calls are left to tasks.
    function money(uint256 verb, uint256 who, uint256 to, uint256 amount) external {
        verb = verb % 8;
        if (verb < 2) _deposit(_party(who), _party(verb == 0 ? who : to), bound(amount, 1, 1e20), verb == 0);
        else if (verb == 2) _donate(bound(amount, 1, 1e18));
        else if (verb == 3) _withdraw(_party(who), amount);
        else if (verb == 4) _payout(who);
        else if (verb == 5) _collect(_party(who), _party(to));
        else if (verb == 6) {
            vm.prank(ADMIN);
            market.scheduleFee(bound(amount, 0, 1_000));
        } else vm.warp(vm.getBlockTimestamp() + bound(amount, 0, 2 hours));
        _compare();
    }

    function _deposit(address from, address account, uint256 amount, bool plain) private {
        vm.prank(from);
        (bool success, ) = address(market).call{value: amount}(
            plain ? bytes("") : abi.encodeCall(market.depositFor, (account, amount))
        );
        _expect(success, "a deposit was refused");
        deposited += amount;
        balances[account] += amount;
    }

    /// @dev Coins that arrive without a call (A09).
    function _donate(uint256 amount) private {
        vm.deal(address(market), address(market).balance + amount);
        donated += amount;
    }

    function _withdraw(address party, uint256 amount) private {
        if (balances[party] == 0) return;
        amount = bound(amount, 1, balances[party]);
        vm.prank(party);
        market.withdraw(amount);
        _withdrawn(party, amount);
    }

    function _payout(uint256 who) private {
        address provider = providers[who % 3];
        uint256 amount = balances[provider];
        address caller = who % 2 == 0 ? registry.operatorOf(provider) : provider;
        vm.prank(caller);
        (bool success, ) = address(market).call(abi.encodeCall(market.payout, (provider)));
        _expect(success == (amount != 0), "payout");
        if (success) _withdrawn(provider, amount);
    }

    function _collect(address first, address second) private {
        address[] memory accounts = new address[](2);
        (accounts[0], accounts[1]) = (first, second);
        market.collectFees(accounts);
        _collected(first);
        _collected(second);
    }

    /// @dev A payment whose receiver acts in the middle of it (A02).
    function withdrawAndReenter(uint256 seed, uint256 which, uint256 amount) external {
        address party = address(_reentering);
        if (balances[party] == 0 || ghosts.length == 0) return;
        amount = bound(amount, 1, balances[party]);
        (seed, which) = (_mixed(seed), _mixed(which));
        uint256 i = which % ghosts.length;
        Verb[5] memory verbs = [Verb.Cancel, Verb.Expire, Verb.Settle, Verb.Close, Verb.Draw];
        Verb verb = verbs[seed % 5];
        Args memory a;
        a.outcome = Outcome.OwnerClosed;
        bool takesMoney = seed % 7 == 0;
        bytes memory data = takesMoney ? abi.encodeCall(market.withdraw, (1)) : _dataOf(verb, ghosts[i], a);
        _reentering.arm(data);
        uint256 before = _reentering.reentered();
        vm.prank(party);
        market.withdraw(amount);
        _withdrawn(party, amount);
        if (_reentering.reentered() != before) {
            _expect(!takesMoney, "I-9: money was taken twice");
            _applied(verb, i, party, a);
        }
        _compare();
    }

    function _withdrawn(address party, uint256 amount) private {
        _collected(party);
        balances[party] -= amount;
        withdrawn += amount;
    }

    function _collected(address party) private {
        balances[TREASURY] += fees[party];
        feesPaid[party] += fees[party];
        fees[party] = 0;
    }

    // ---- Stake ----

    function stake(uint256 who, uint256 amount, uint8 verb) external {
        address provider = providers[who % 3];
        vm.startPrank(provider);
        if (verb % 4 == 0) {
            amount = bound(amount, 1, 1e20);
            registry.stake{value: amount}(amount);
            stakes[provider] += amount;
        } else if (verb % 4 == 1) {
            uint256 free = registry.freeStakeOf(provider);
            if (free > 1) registry.unstake(bound(amount, 1, free / 2));
        } else if (verb % 4 == 2) {
            uint256 unbonding = registry.providerOf(provider).unbonding;
            try registry.withdrawStake(provider) {
                stakes[provider] -= unbonding;
            } catch {}
        } else registry.setStatus(IProviderRegistry.ProviderStatus(verb % 3 == 0 ? 2 : 1));
        vm.stopPrank();
        _compare();
    }

    // ---- Tasks begin ----

    struct Draft {
        Terms terms;
        address backup;
        bool sponsored;
        bool quoted;
        address sender;
        uint256 cost;
        uint256 value;
        bytes32 workHash;
        TaskId id;
    }

    /// @dev A task of any kind, paid by its owner, its delegate or a sponsor; sometimes with too little.
    function create(
        uint256 seed,
        uint256 amount,
        uint256 seconds_,
        uint256 collateral,
        uint256 value
    ) external {
        if (ghosts.length == TASKS_AT_MOST) return;
        seed = _mixed(seed);
        if (seed % 16 == 0) return _revoke(seed);
        if ((seed >> 60) % 4 != 0) {
            (amount, seconds_) = (_mixed(amount), _mixed(seconds_));
            (collateral, value) = (_mixed(collateral), _mixed(value));
        }
        Draft memory d;
        d.terms = _termsOf(seed, amount, seconds_, collateral);
        bool named = d.terms.provider != address(0);
        bool signer = d.terms.owner == OWNER;
        seed >>= 64;
        if (named && seed % 3 == 0) d.backup = providers[2];
        d.sponsored = signer && (seed >> 8) % 4 == 0;
        d.quoted = d.terms.provider == providers[0] && (seed >> 16) % 3 == 0;
        d.sender =
            d.sponsored
                ? SPONSOR
                : signer && (seed >> 24) % 4 == 0
                    ? DELEGATE
                    : d.terms.owner;
        d.cost = market.costOf(d.terms);
        d.workHash = market.hashWork(someWork(), d.backup);
        d.id = market.idOf(d.terms, d.workHash);
        d.value = bound(value, d.cost / 2, d.cost + 1e18);
        if ((seed >> 48) % 8 != 0 && d.value < d.cost) d.value = d.cost;
        if (d.sender == DELEGATE) d.value = 0;
        if (d.sender == DELEGATE) _delegate(d.cost, seed >> 32);
        address payer = d.sender == DELEGATE ? OWNER : d.sender;
        bool covered = d.value + balances[payer] >= d.cost;
        bool plain = d.backup == address(0) && !d.sponsored && !d.quoted && (seed >> 40) % 2 == 0;
        bytes memory data =
            plain
                ? abi.encodeCall(market.submit, (d.terms, someWork()))
                : abi.encodeCall(market.order, (_orderOf(d)));
        vm.prank(d.sender);
        (bool success, ) = address(market).call{value: d.value}(data);
        _expect(success || !covered || d.quoted, "a covered task was refused");
        if (success) {
            _expect(covered, "I-7: a task without its money");
            _created(d, payer);
            _act(ghosts.length - 1, seed, amount);
        }
        _compare();
    }

    /// @dev A signed order that its owner makes impossible before it is sent.
    function _revoke(uint256 seed) private {
        Draft memory d;
        d.terms = _termsOf(seed, seed, seed, seed);
        d.workHash = market.hashWork(someWork(), address(0));
        d.id = market.idOf(d.terms, d.workHash);
        vm.prank(d.terms.owner);
        market.revokeOrder(d.terms, d.workHash);
        Ghost storage g = ghosts.push();
        (g.terms, g.workHash, g.id, g.payer) = (d.terms, d.workHash, d.id, d.terms.owner);
        (g.status, g.outcome, g.since) = (Status.Cancelled, Outcome.OwnerCancelled, vm.getBlockTimestamp());
        _compare();
    }

    function _created(Draft memory d, address payer) private {
        if (d.sender == DELEGATE) {
            _limit -= d.cost;
            balances[OWNER] -= d.cost;
        } else fundBySender(payer, d.cost, d.value);
        Ghost storage g = ghosts.push();
        (g.terms, g.workHash, g.id, g.payer) = (d.terms, d.workHash, d.id, payer);
        (g.backup, g.standby) = (d.backup, d.backup != address(0));
        g.feeBps = market.feeBps();
        (g.openedAt, g.since) = (vm.getBlockTimestamp(), vm.getBlockTimestamp());
        g.status = Status.Funded;
        enter(g, d.cost);
        ++made[
            d.sponsored
                ? "sponsored"
                : d.sender == DELEGATE
                    ? "delegated"
                    : "own"
        ];
        if (!d.quoted) return;
        ++made["quoted"];
        Args memory a;
        apply_(Verb.Accept, g, d.sender, a);
    }

    function _delegate(uint256 cost, uint256 seed) private {
        _limit = seed % 4 == 0 ? cost : 1e24;
        IEscrow.Delegation memory delegation = IEscrow.Delegation(
            uint96(_limit),
            address(0),
            type(uint40).max,
            0
        );
        vm.prank(OWNER);
        market.setDelegate(DELEGATE, delegation);
    }

    function _orderOf(Draft memory d) private returns (IOrders.Order memory order) {
        (order.terms, order.work) = (d.terms, someWork());
        (order.backup, order.sponsored) = (d.backup, d.sponsored);
        if (d.sponsored) order.signature = sign(OWNER_KEY, TaskId.unwrap(d.id));
        if (!d.quoted) return order;
        order.quote.nonce = ++_nonce;
        order.quote.expiresAt = uint40(vm.getBlockTimestamp());
        order.quote.signature = sign(OPERATOR_KEY, market.quoteDigest(d.id, _nonce, vm.getBlockTimestamp()));
    }

    function _termsOf(
        uint256 seed,
        uint256 amount,
        uint256 seconds_,
        uint256 collateral
    ) private view returns (Terms memory terms) {
        terms.owner = seed % 3 == 0 ? address(_reentering) : OWNER;
        bool lease = (seed >> 8) % 3 == 0;
        bool judged = !lease && (seed >> 16) % 2 == 0;
        bool named = (seed >> 24) % 3 != 0;
        bool metered = lease || (seed >> 32) % 2 == 0;
        terms.provider = named ? providers[(seed >> 33) % 2] : address(0);
        seconds_ = bound(seconds_, 1, lease ? 2 days : 1 days);
        amount = bound(amount, 1, metered ? 1e14 : 1e19);
        uint256 price = amount | (metered ? METERED : 0);
        if (!named) price |= (amount + (seed % 1e14)) << 96;
        if (lease) price |= ((600 + (seed % 1 hours)) << 200) | ((seed % 1 days) << 224);
        terms.price = Price.wrap(price);
        uint256 start = vm.getBlockTimestamp() + (seed % 6 hours);
        uint256 conditions = Conditions.unwrap(
            conditionsOf(start, start + (lease ? 1 hours : seconds_) + (seed % 1_000), seconds_)
        );
        if (lease) conditions |= (1 << 144) | (((seed >> 40) % 2) << 249);
        if (judged) conditions |= (1 + (seed % 1 days)) << 112;
        if (!named) conditions |= ((seed >> 41) % 2) << 248;
        if ((seed >> 48) % 3 == 0) conditions |= (_model << 184) | (1_234 << 232);
        terms.conditions = Conditions.wrap(conditions);
        terms.assurance = assuranceOf(seed, collateral, named, judged);
        terms.salt = bytes32(ghosts.length);
    }

    function assuranceOf(
        uint256 seed,
        uint256 collateral,
        bool named,
        bool judged
    ) private view returns (Assurance) {
        collateral = bound(collateral, named ? 0 : 1, (seed >> 50) % 3 == 0 ? 1 : 1e19);
        address arbiter = judged ? _arbiters[(seed >> 52) % 4 == 0 ? 1 : 0] : address(0);
        return Assurance.wrap(collateral | (uint256(uint160(arbiter)) << 96));
    }

    // ---- Tasks go on ----

    /// @dev A few steps of one task: what fits its status, by somebody who mostly may, at a time that matters.
    function act(uint256 which, uint256 seed, uint256 amount) external {
        if (ghosts.length == 0) return;
        uint256 i = _liveOne(which);
        if (seed % 2 == 0) amount = _mixed(amount);
        _act(i, _mixed(seed), amount);
    }

    function _act(uint256 i, uint256 seed, uint256 amount) private {
        for (uint256 steps = 1 + (seed % 6); steps > 0; --steps) {
            seed = uint256(keccak256(abi.encode(seed)));
            _pass(ghosts[i], seed >> 200);
            Verb verb = _fitting(ghosts[i], seed);
            address caller = _actor(verb, ghosts[i], seed >> 16);
            _call(verb, i, caller, _argsOf(verb, ghosts[i], seed >> 32, amount));
        }
        _compare();
    }

    /// @dev Most likely a task that has not ended.
    function _liveOne(uint256 seed) private returns (uint256 i) {
        for (uint256 tries = 0; tries < 4; ++tries) {
            i = _mixed(seed) % ghosts.length;
            if (isLive(ghosts[i])) return i;
        }
    }

    /// @dev The same with the newest task: it gets further.
    function actOnTheNewest(uint256 seed, uint256 amount) external {
        if (ghosts.length != 0) _act(ghosts.length - 1, _mixed(seed), amount);
    }

    /// @dev No time passes, or a little, or all until a deadline of the task, or a second more.
    function _pass(Ghost storage g, uint256 seed) private {
        uint256 edge = vm.getBlockTimestamp() + ((seed >> 8) % 10 minutes);
        if (seed % 8 < 3) return;
        if (seed % 8 > 4) edge = _edge(g, seed >> 16) + ((seed >> 8) % 2);
        if (edge > vm.getBlockTimestamp()) vm.warp(edge);
    }

    function _edge(Ghost storage g, uint256 seed) private view returns (uint256) {
        Status status = g.status;
        if (status == Status.Funded) {
            return g.terms.conditions.startBy() + (seed % 4 == 0 ? TAKE_OVER_WINDOW : 0);
        }
        if (status == Status.Assigned) return g.since + KEY_WINDOW;
        if (status == Status.Standby) return g.since + TAKE_OVER_WINDOW;
        if (status == Status.Delivered) return g.since + g.terms.conditions.challengePeriod();
        if (status == Status.Disputed) {
            return seed % 4 == 0 ? g.rulingBy : g.since + CONCESSION_WINDOW;
        }
        if (g.readyAt != 0) {
            uint256 beat = g.terms.price.heartbeat();
            if (seed % 4 < 2) return g.lastBeat + beat;
            return seed % 4 == 2 ? g.lastBeat + 3 * beat : g.endsAt + (seed % 8 == 3 ? 0 : beat);
        }
        if (seed % 3 == 0) return g.since + DECLINE_WINDOW;
        if (seed % 3 == 1) return g.since + g.terms.conditions.duration();
        uint256 latest = g.terms.conditions.completeBy();
        return g.provider == g.terms.provider ? latest : g.since + latest - g.terms.conditions.startBy();
    }

    /// @dev Anything by anybody.
    function actWildly(uint256 which, uint256 verb, uint256 who, uint256 amount) external {
        if (ghosts.length == 0) return;
        (which, verb, who) = (_mixed(which), _mixed(verb), _mixed(who));
        uint256 i = which % ghosts.length;
        Verb wild = Verb(verb % (uint256(type(Verb).max) + 1));
        _call(wild, i, _party(who), _argsOf(wild, ghosts[i], who, amount));
        _compare();
    }

    /// @dev Two calls of one sender in one transaction; one that fails leaves the other alone.
    function actTwice(uint256 which, uint256 seed, uint256 amount) external {
        if (ghosts.length == 0) return;
        seed = _mixed(seed);
        (uint256 i, uint256 k) = (_liveOne(which), _liveOne(which));
        (Verb first, Verb second) = (_fitting(ghosts[i], seed), _fitting(ghosts[k], seed >> 8));
        address caller = _actor(first, ghosts[i], seed >> 16);
        Args memory a = _argsOf(first, ghosts[i], seed >> 32, amount);
        Args memory b = _argsOf(second, ghosts[k], seed >> 32, amount);
        (a.value, b.value) = (0, 0);
        bytes[] memory calls = new bytes[](2);
        calls[0] = _dataOf(first, ghosts[i], a);
        calls[1] = _dataOf(second, ghosts[k], b);
        if (first == Verb.Dispute) _asked(ghosts[i]);
        if (second == Verb.Dispute) _asked(ghosts[k]);
        vm.prank(caller);
        bool[] memory went = market.batch(calls);
        if (went[0]) _applied(first, i, caller, a);
        if (went[1]) _applied(second, k, caller, b);
        if (went[0] && went[1]) ++made["batched"];
        _compare();
    }

    function _call(Verb verb, uint256 i, address caller, Args memory a) private {
        Ghost storage g = ghosts[i];
        bytes memory data = _dataOf(verb, g, a);
        if (verb == Verb.Dispute) _asked(g);
        // One of the others, now and then: looking at all that can be seen of it takes long.
        uint256 other = uint256(keccak256(data)) % (4 * ghosts.length);
        bytes32 before = other < ghosts.length ? fingerprint(other) : bytes32(0);
        uint256 value = verb == Verb.Heartbeat ? 0 : a.value;
        vm.prank(caller);
        (bool success, ) = address(market).call{value: value}(data);
        if (success) _applied(verb, i, caller, a);
        if (before != 0 && (other != i || !success)) {
            _expect(fingerprint(other) == before, "I-5: another task changed");
        }
    }

    /// @dev What disputing would take, as the market says before (I-20).
    function _asked(Ghost storage g) private {
        if (g.status != Status.Delivered) return;
        uint256 time;
        (g.bond, g.arbiterFee, time) = market.bondOf(g.terms);
        g.rulingBy = vm.getBlockTimestamp() + time;
    }

    function _applied(Verb verb, uint256 i, address caller, Args memory a) private {
        // A heartbeat is never refused: what it changes is in the meter.
        if (verb == Verb.Heartbeat && !actsFor(caller, ghosts[i].provider)) return;
        Ghost storage g = ghosts[i];
        bool live = isLive(g);
        apply_(verb, g, caller, a);
        ++done[verb];
        if (!live && verb != Verb.Heartbeat) broken = "I-3: a terminal state was left";
        if (verb == Verb.Dispute && caller == DELEGATE) _limit -= g.bond;
    }

    function _argsOf(
        Verb verb,
        Ghost storage g,
        uint256 seed,
        uint256 amount
    ) private view returns (Args memory a) {
        a.provider = providers[seed % 3];
        a.bps = seed % 3 == 0 ? (amount % 5) * 2_500 : amount % 10_100;
        if (verb == Verb.Decline) a.outcome = Outcome(bound(seed, 5, 14));
        else if (verb == Verb.Deliver) {
            a.outcome = Outcome(bound(seed, 0, 6));
            uint256 passed = vm.getBlockTimestamp() - g.since;
            uint256 most = g.terms.conditions.duration();
            a.seconds_ = bound(amount, 0, (passed < most ? passed : most) + (seed % 8 == 0 ? 1 : 0));
        } else if (verb == Verb.Close) {
            Outcome[3] memory reasons = [Outcome.OwnerClosed, Outcome.ProviderClosed, Outcome.OwnerIdle];
            a.outcome = reasons[seed % 3];
        } else if (verb == Verb.TopUp) {
            a.seconds_ = bound(amount, 0, 1 days);
            a.value = priceOf(g) * a.seconds_ + (seed % 4 == 0 ? 1 : 0);
        } else if (verb == Verb.Dispute) a.value = g.escrow;
    }

    /// @dev Something that may be possible now.
    function _fitting(Ghost storage g, uint256 seed) private view returns (Verb) {
        Status status = g.status;
        seed = seed & 0xff;
        if (status == Status.Funded) {
            if (seed % 8 == 0) return seed % 16 == 0 ? Verb.Cancel : Verb.Expire;
            if (g.terms.provider == address(0)) return Verb.AcceptOpen;
            return
                [Verb.Accept, Verb.Accept, Verb.Accept, Verb.Deliver, Verb.Decline, Verb.TakeOver][seed % 6];
        }
        if (status == Status.Assigned) {
            return [Verb.PublishKey, Verb.PublishKey, Verb.Decline, Verb.Cancel, Verb.Expire][seed % 5];
        }
        if (status == Status.Standby) {
            return [Verb.TakeOver, Verb.TakeOver, Verb.Cancel, Verb.Expire][seed % 4];
        }
        if (status == Status.Delivered) return [Verb.Settle, Verb.Dispute, Verb.Dispute][seed % 3];
        if (status == Status.Disputed) return [Verb.Concede, Verb.Rule, Verb.Rule, Verb.Resolve][seed % 4];
        if (isLease(g) && g.readyAt == 0) {
            return [Verb.Ready, Verb.Ready, Verb.Ready, Verb.Fail, Verb.Abandon, Verb.Decline][seed % 6];
        }
        if (isLease(g)) {
            return
                [
                    Verb.Heartbeat,
                    Verb.Heartbeat,
                    Verb.Draw,
                    Verb.TopUp,
                    Verb.Close,
                    Verb.Close,
                    Verb.EndLease,
                    Verb.EndLease
                ][seed % 8];
        }
        return [Verb.Deliver, Verb.Deliver, Verb.Deliver, Verb.Fail, Verb.Abandon, Verb.Decline][seed % 6];
    }

    /// @dev Mostly somebody who may, sometimes anybody.
    function _actor(Verb verb, Ghost storage g, uint256 seed) private view returns (address) {
        if (seed % 8 == 0) return _party(seed >> 3);
        if (verb == Verb.Rule) return g.terms.assurance.arbiter();
        bool owners =
            verb == Verb.Cancel || verb == Verb.Dispute || verb == Verb.PublishKey || verb == Verb.Settle;
        if (owners || (verb == Verb.Close && (seed >> 16) % 3 == 0)) {
            return seed % 5 == 0 ? DELEGATE : g.terms.owner;
        }
        if (verb == Verb.Expire || verb == Verb.Fail || verb == Verb.TopUp || verb == Verb.Resolve) {
            return _party(seed >> 3);
        }
        if (verb == Verb.AcceptOpen) return registry.operatorOf(providers[(seed >> 16) % 3]);
        if (verb == Verb.TakeOver) return providers[2];
        address provider = g.provider == address(0) ? g.terms.provider : g.provider;
        if (provider == address(0)) return STRANGER;
        return seed % 3 == 0 ? provider : registry.operatorOf(provider);
    }

    function _dataOf(Verb verb, Ghost storage g, Args memory a) private view returns (bytes memory) {
        Terms memory t = g.terms;
        bytes32 hash = g.workHash;
        if (verb == Verb.Accept) return abi.encodeCall(market.accept, (t, hash));
        if (verb == Verb.AcceptOpen) return abi.encodeCall(market.acceptOpen, (t, someWork(), a.provider));
        if (verb == Verb.PublishKey) return abi.encodeCall(market.publishPayloadKey, (t, hash, "h"));
        if (verb == Verb.Cancel) return abi.encodeCall(market.cancel, (t, hash));
        if (verb == Verb.Expire) return abi.encodeCall(market.expire, (t, hash));
        if (verb == Verb.Decline) return abi.encodeCall(market.decline, (t, hash, a.outcome));
        if (verb == Verb.Deliver) {
            return abi.encodeCall(market.deliver, (t, hash, deliveryOf(a.outcome, a.seconds_)));
        }
        if (verb == Verb.Settle) return abi.encodeCall(market.settle, (t, hash, g.delivered));
        if (verb == Verb.Abandon) return abi.encodeCall(market.abandon, (t, hash));
        if (verb == Verb.Fail) return abi.encodeCall(market.fail, (t, hash));
        if (verb == Verb.TakeOver) {
            return abi.encodeCall(market.takeOver, (t, someWork(), g.backup));
        }
        if (verb == Verb.Ready) return abi.encodeCall(market.ready, (t, hash, "ticket"));
        if (verb == Verb.Heartbeat) {
            TaskId[] memory ids = new TaskId[](2);
            ids[1] = g.id;
            return abi.encodeCall(market.heartbeat, (ids));
        }
        if (verb == Verb.Draw) return abi.encodeCall(market.draw, (t, hash));
        if (verb == Verb.TopUp) return abi.encodeCall(market.topUp, (t, hash, uint32(a.seconds_)));
        if (verb == Verb.Close) return abi.encodeCall(market.close, (t, hash, a.outcome));
        if (verb == Verb.EndLease) return abi.encodeCall(market.endLease, (t, hash));
        if (verb == Verb.Dispute) {
            return abi.encodeCall(market.dispute, (t, hash, g.delivered, 0, 0, type(uint256).max));
        }
        if (verb == Verb.Concede) return abi.encodeCall(market.concede, (t, hash, g.delivered));
        if (verb == Verb.Rule) return abi.encodeCall(market.rule, (t, hash, g.delivered, a.bps));
        return abi.encodeCall(market.resolve, (t, hash, g.delivered));
    }

    // ---- What is compared ----

    /// @dev Every party's money and every task's status are what the model says (I-2, I-5, I-6, I-7, I-17).
    function _compare() private {
        for (uint256 i = 0; i < parties.length; ++i) {
            address party = parties[i];
            _expect(market.balanceOf(party) == balances[party], "I-2: a balance is not the model's");
            _expect(market.feesDue(party) == fees[party], "I-2: fees are not the model's");
            _expect(market.feesPaidOf(party) == feesPaid[party], "I-2: fees paid are not the model's");
        }
        for (uint256 i = 0; i < ghosts.length; ++i) {
            (Status status, Outcome outcome, uint256 since, ) = market.taskOf(ghosts[i].id);
            _expect(
                status == ghosts[i].status && outcome == ghosts[i].outcome && since == ghosts[i].since,
                "I-3: a task is not where the model says"
            );
        }
        _expect(market.delegationOf(OWNER, DELEGATE).limitWei == _limit, "I-6: a delegate's limit");
    }

    function _expect(bool condition, string memory what) private {
        if (!condition && bytes(broken).length == 0) broken = what;
    }

    /// @notice All that can be seen of a task.
    function fingerprint(uint256 i) public view returns (bytes32) {
        Ghost storage g = ghosts[i];
        (Status status, Outcome outcome, uint256 since, uint256 feeBps) = market.taskOf(g.id);
        (address provider, uint256 acceptedAt, uint256 priceWei) = market.assignmentOf(g.terms, g.workHash);
        return
            keccak256(
                abi.encode(
                    abi.encode(status, outcome, since, feeBps, provider, acceptedAt, priceWei),
                    market.leaseOf(g.id),
                    market.disputeOf(g.id),
                    market.deliveryDigestOf(g.id),
                    market.payerOf(g.terms, g.workHash)
                )
            );
    }

    // ---- Sums, by the model ----

    function taskCount() external view returns (uint256) {
        return ghosts.length;
    }

    function ghost(uint256 i) external view returns (Ghost memory) {
        return ghosts[i];
    }

    function liveEscrow() external view returns (uint256 wei_) {
        for (uint256 i = 0; i < ghosts.length; ++i) wei_ += ghosts[i].escrow;
    }

    /// @notice What the market itself says that it owes to accounts.
    function ledger() external view returns (uint256 wei_) {
        for (uint256 i = 0; i < parties.length; ++i) {
            wei_ += market.balanceOf(parties[i]) + market.feesDue(parties[i]);
        }
    }

    function theMarket() external view returns (address, address) {
        return (address(market), address(registry));
    }

    function stakeOf(address provider) external view returns (uint256) {
        return stakes[provider];
    }

    function faultsOf(address provider) external view returns (uint256[5] memory) {
        return faults[provider];
    }

    function soldBy(address provider) external view returns (uint256, uint256) {
        return (completed[provider], sold[provider]);
    }

    /// @notice Ends every live task as a stranger, when all deadlines have passed (I-8), and takes everything out.
    function closeEverything() external {
        if (msg.sender != _test) return;
        uint256 time = vm.getBlockTimestamp();
        // A task that is failed may be left to its backup, which does not come either.
        for (uint256 round = 0; round < 2; ++round) {
            time += 75 days;
            vm.warp(time);
            for (uint256 i = 0; i < ghosts.length; ++i) {
                Ghost storage g = ghosts[i];
                if (!isLive(g)) continue;
                Verb verb = Verb.Expire;
                if (g.status == Status.Active) verb = g.readyAt == 0 ? Verb.Fail : Verb.EndLease;
                else if (g.status == Status.Delivered) verb = Verb.Settle;
                else if (g.status == Status.Disputed) verb = Verb.Resolve;
                Args memory a;
                _call(verb, i, STRANGER, a);
            }
        }
        market.collectFees(parties);
        for (uint256 i = 0; i < parties.length; ++i) _collected(parties[i]);
        _compare();
        for (uint256 i = 0; i < parties.length; ++i) {
            uint256 balance = balances[parties[i]];
            if (balance == 0) continue;
            vm.prank(parties[i]);
            market.withdrawTo(address(0xDEAD), balance);
            _withdrawn(parties[i], balance);
        }
    }

    receive() external payable {}

    /// @dev The runner draws small numbers and such that it has seen more often than others.
    function _mixed(uint256 value) private returns (uint256) {
        return uint256(keccak256(abi.encode(value, ++_drawn)));
    }

    function _party(uint256 seed) private view returns (address) {
        return parties[seed % parties.length];
    }
}
