// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Delivered, Outcome, Status, TaskId, Terms} from "../../../contracts/market/Tasks.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice What the documents say happens to everybody's money, task by task and slowly: nothing is packed, nothing is
/// shared with the contracts. The handler makes the calls and compares.
abstract contract MarketModel is MarketTest {
    enum Verb {
        Accept,
        AcceptOpen,
        PublishKey,
        Cancel,
        Expire,
        Decline,
        Deliver,
        Settle,
        Abandon,
        Fail,
        TakeOver,
        Ready,
        Heartbeat,
        Draw,
        TopUp,
        Close,
        EndLease,
        Dispute,
        Concede,
        Rule,
        Resolve
    }

    /// @dev What a call says beyond its task.
    struct Args {
        /// Who takes it.
        address provider;
        Outcome outcome;
        /// Seconds that were used, or are bought.
        uint256 seconds_;
        uint256 bps;
        /// Sent along [wei].
        uint256 value;
    }

    struct Ghost {
        Terms terms;
        bytes32 workHash;
        TaskId id;
        address backup;
        /// Whether the backup may still take it.
        bool standby;
        address payer;
        uint256 feeBps;
        Status status;
        Outcome outcome;
        /// Who has it; zero: nobody.
        address provider;
        uint256 price;
        uint256 openedAt;
        uint256 since;
        bool locked;
        Delivered delivered;
        Outcome reported;
        // ---- All of these [wei] ----
        uint256 escrow;
        uint256 bond;
        uint256 arbiterFee;
        // What went in and out of it, in all.
        uint256 paidIn;
        uint256 paidOut;
        // ---- A lease ----
        uint256 readyAt;
        uint256 endsAt;
        uint256 lastBeat;
        uint256 up;
        uint256 drawn;
        uint256 extra;
        Outcome closing;
        uint256 rulingBy;
        /// How often its escrow left as a whole.
        uint256 exits;
    }

    Ghost[] internal ghosts;
    /// Everybody who can have money in the market.
    address[] public parties;

    mapping(address party => uint256) internal balances;
    mapping(address party => uint256) internal fees;
    mapping(address party => uint256) internal feesPaid;
    mapping(address provider => uint256) internal stakes;
    mapping(address provider => uint256[5]) internal faults;
    mapping(address provider => uint256) internal completed;
    mapping(address provider => uint256) internal sold;

    // In all [wei].
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public slashed;
    /// The first broken promise; empty while all hold.
    string public broken;

    // ---- Money ----

    function fundBySender(address payer, uint256 cost, uint256 value) internal {
        deposited += value;
        balances[payer] = balances[payer] + value - cost;
    }

    function enter(Ghost storage g, uint256 amount) internal {
        g.escrow += amount;
        g.paidIn += amount;
    }

    function moveOut(Ghost storage g, address to, uint256 amount) private {
        g.escrow -= amount;
        g.paidOut += amount;
        balances[to] += amount;
    }

    /// @dev Of what is paid the model's share and the fee leave, both rounded down, in the provider's favour.
    function pay(Ghost storage g, uint256 paid, uint256 seconds_, uint256 tasks) private {
        uint256 royalty = (paid * g.terms.conditions.royaltyBps()) / BPS;
        uint256 fee = (paid * g.feeBps) / BPS;
        if (royalty != 0) moveOut(g, models.revenueOf(g.terms.conditions.model()), royalty);
        moveOut(g, g.provider, paid - royalty - fee);
        g.escrow -= fee;
        g.paidOut += fee;
        fees[g.provider] += fee;
        completed[g.provider] += tasks;
        sold[g.provider] += seconds_;
    }

    function refund(Ghost storage g) private {
        moveOut(g, g.payer, g.escrow);
        ++g.exits;
    }

    /// @dev Gives the lock back; `taken` of it leaves the stake for the market.
    function unlock(Ghost storage g, uint256 taken, uint256 fault) private {
        if (g.locked) {
            g.locked = false;
            stakes[g.provider] -= taken;
            slashed += taken;
        }
        if (fault != 0) ++faults[g.provider][fault];
    }

    function collateralOf(Ghost storage g) internal view returns (uint256) {
        return g.terms.assurance.collateralWei();
    }

    /// @dev Rounded up, against the provider.
    function shareUp(uint256 amount, uint256 bps) private pure returns (uint256) {
        return (amount * bps + BPS - 1) / BPS;
    }

    // ---- Verbs ----

    function move(Ghost storage g, Status status, Outcome outcome) internal {
        if (!allowed(g.status, status)) broken = "I-3: no such transition";
        (g.status, g.outcome, g.since) = (status, outcome, vm.getBlockTimestamp());
    }

    /// @dev What the call does to its task and to everybody, once it went through.
    function apply_(Verb verb, Ghost storage g, address caller, Args memory a) internal {
        if (verb == Verb.Accept) take(g, g.terms.provider, Status.Active);
        else if (verb == Verb.AcceptOpen) {
            g.price = risen(g);
            take(g, a.provider, g.terms.conditions.isSealed() ? Status.Assigned : Status.Active);
        } else if (verb == Verb.TakeOver) {
            g.standby = false;
            take(g, g.backup, Status.Active);
        } else if (verb == Verb.PublishKey) move(g, Status.Active, Outcome.None);
        else if (verb == Verb.Cancel || verb == Verb.Expire) {
            bool withheld = g.status == Status.Assigned && verb == Verb.Expire;
            unlock(g, 0, 0);
            refund(g);
            if (verb == Verb.Cancel) move(g, Status.Cancelled, Outcome.OwnerCancelled);
            else move(g, Status.Expired, withheld ? Outcome.KeyWithheld : Outcome.NotAccepted);
        } else if (verb == Verb.Decline) declined(g, a.outcome);
        else if (verb == Verb.Deliver) delivered(g, a);
        else if (verb == Verb.Settle) {
            payDelivery(g, BPS);
            unlock(g, 0, 0);
            move(g, Status.Settled, g.reported);
        } else if (verb == Verb.Abandon) {
            faulted(
                g,
                Status.Abandoned,
                Outcome.ProviderAbandoned,
                shareUp(collateralOf(g), 2_500),
                0,
                caller
            );
        } else if (verb == Verb.Fail) {
            uint256 all = collateralOf(g);
            Outcome why = isLease(g) ? Outcome.ProviderNotReady : Outcome.ProviderLate;
            faulted(g, Status.Failed, why, all, (all * 500) / BPS, caller);
        } else if (verb >= Verb.Dispute) judged(verb, g, caller, a);
        else leased(verb, g, caller, a);
    }

    function take(Ghost storage g, address provider, Status status) private {
        g.provider = provider;
        g.locked = collateralOf(g) != 0;
        move(g, status, Outcome.None);
    }

    function declined(Ghost storage g, Outcome reason) private {
        bool isOpen = g.terms.provider == address(0);
        if (g.provider == address(0)) g.provider = g.terms.provider;
        unlock(g, 0, g.status == Status.Funded ? 0 : 1);
        if (isOpen && vm.getBlockTimestamp() <= g.terms.conditions.startBy()) {
            move(g, Status.Funded, reason);
            (g.provider, g.price) = (address(0), 0);
        } else passOn(g, Status.Declined, reason);
    }

    /// @dev Ends the task, or leaves it to its backup.
    function passOn(Ghost storage g, Status status, Outcome outcome) private {
        if (!g.standby) {
            refund(g);
            return move(g, status, outcome);
        }
        g.standby = false;
        g.provider = address(0);
        move(g, Status.Standby, outcome);
    }

    function faulted(
        Ghost storage g,
        Status status,
        Outcome outcome,
        uint256 taken,
        uint256 bounty,
        address caller
    ) private {
        unlock(g, taken, status == Status.Abandoned ? 2 : 3);
        balances[g.terms.owner] += taken - bounty;
        balances[caller] += bounty;
        passOn(g, status, outcome);
    }

    function delivered(Ghost storage g, Args memory a) private {
        if (g.provider == address(0)) g.provider = g.terms.provider;
        g.reported = a.outcome;
        g.delivered = deliveredOf(deliveryOf(a.outcome, a.seconds_));
        if (g.terms.conditions.challengePeriod() != 0) {
            g.locked = collateralOf(g) != 0;
            return move(g, Status.Delivered, a.outcome);
        }
        payDelivery(g, BPS);
        unlock(g, 0, 0);
        move(g, Status.Settled, a.outcome);
    }

    /// @dev Pays `bps` of what the delivery costs, rounded down; nothing else of it is owed.
    function payDelivery(Ghost storage g, uint256 bps) private {
        uint256 used = g.delivered.report.secondsUsed();
        uint256 price = priceOf(g);
        uint256 due = price;
        if (g.terms.price.metered()) due = price * used;
        else if (g.reported != Outcome.Completed) due = (price * used) / g.terms.conditions.duration();
        due = (due * bps) / BPS;
        if (due != 0 || (bps == BPS && g.status != Status.Disputed)) pay(g, due, used, 1);
        refund(g);
    }

    // ---- Leases ----

    function leased(Verb verb, Ghost storage g, address caller, Args memory a) private {
        if (verb == Verb.Ready) {
            (g.readyAt, g.lastBeat) = (vm.getBlockTimestamp(), vm.getBlockTimestamp());
            g.endsAt = vm.getBlockTimestamp() + g.terms.conditions.duration();
        } else if (verb == Verb.Heartbeat) {
            if (g.status == Status.Active && g.readyAt != 0 && !isDown(g)) beat(g);
        } else if (verb == Verb.Draw) {
            uint256 due = g.up - g.drawn;
            g.drawn = g.up;
            if (due != 0) pay(g, due * priceOf(g), due, 0);
        } else if (verb == Verb.TopUp) {
            uint256 cost = priceOf(g) * a.seconds_;
            fundBySender(caller, cost, a.value);
            enter(g, cost);
            g.extra += a.seconds_;
            g.endsAt += a.seconds_;
        } else if (verb == Verb.Close) {
            uint256 end = vm.getBlockTimestamp();
            if (a.outcome == Outcome.ProviderClosed) end += g.terms.price.notice();
            if (end < g.endsAt) g.endsAt = end;
            if (g.closing == Outcome.None) {
                bool served = g.endsAt >= g.readyAt + g.terms.conditions.duration();
                bool leaves = a.outcome == Outcome.ProviderClosed;
                g.closing = leaves && served ? Outcome.Completed : a.outcome;
            }
        } else ended(g, caller);
    }

    function ended(Ghost storage g, address caller) private {
        uint256 all = collateralOf(g);
        bool down = isDown(g);
        if (!down && actsFor(caller, g.provider)) beat(g);
        uint256 due = g.up - g.drawn;
        g.drawn = g.up;
        pay(g, due * priceOf(g), due, down ? 0 : 1);
        if (down) {
            unlock(g, all, 3);
            balances[g.terms.owner] += all - (all * 500) / BPS;
            balances[caller] += (all * 500) / BPS;
        } else if (g.closing == Outcome.ProviderClosed) {
            unlock(g, shareUp(all, 2_500), 2);
            balances[g.terms.owner] += shareUp(all, 2_500);
        } else unlock(g, 0, 0);
        refund(g);
        Outcome why = g.closing == Outcome.None ? Outcome.Completed : g.closing;
        move(g, down ? Status.Failed : Status.Settled, down ? Outcome.ProviderDown : why);
    }

    /// @dev Time since the last heartbeat is up if that was not longer than the terms say.
    function beat(Ghost storage g) private {
        uint256 until = vm.getBlockTimestamp() < g.endsAt ? vm.getBlockTimestamp() : g.endsAt;
        if (until <= g.lastBeat) return;
        if (until - g.lastBeat <= g.terms.price.heartbeat()) g.up += until - g.lastBeat;
        g.lastBeat = until;
    }

    function isDown(Ghost storage g) internal view returns (bool) {
        uint256 until = vm.getBlockTimestamp() < g.endsAt ? vm.getBlockTimestamp() : g.endsAt;
        return until > g.lastBeat + 3 * g.terms.price.heartbeat();
    }

    // ---- Disputes ----

    function judged(Verb verb, Ghost storage g, address caller, Args memory a) private {
        address owner = g.terms.owner;
        if (verb == Verb.Dispute) {
            // The handler has asked what it costs before it made the call.
            if (caller == owner) fundBySender(owner, g.bond, a.value);
            else balances[owner] -= g.bond;
            enter(g, g.bond);
            return move(g, Status.Disputed, g.reported);
        }
        uint256 due = a.bps > BPS ? BPS : a.bps;
        uint256 taken = 0;
        uint256 back = g.bond;
        if (verb == Verb.Concede) {
            due = 0;
            taken = shareUp(collateralOf(g), 5_000);
            balances[owner] += taken;
        } else if (verb == Verb.Resolve) due = BPS;
        else {
            // The loser pays the arbiter: first the collateral, then the bond. Of what is lost beyond, the provider
            // gets the bond's, owner and treasury the collateral's halves, the odd wei the treasury.
            taken = shareUp(collateralOf(g), BPS - due);
            uint256 byProvider = g.arbiterFee - (g.arbiterFee * due) / BPS;
            if (byProvider > taken) byProvider = taken;
            uint256 penalty = ((g.bond - g.arbiterFee) * due) / BPS;
            back = g.bond - penalty - (g.arbiterFee - byProvider);
            balances[owner] += (taken - byProvider) / 2;
            balances[TREASURY] += (taken - byProvider) - (taken - byProvider) / 2;
            moveOut(g, g.terms.assurance.arbiter(), g.arbiterFee - byProvider);
            balances[g.terms.assurance.arbiter()] += byProvider;
            moveOut(g, g.provider, penalty);
        }
        moveOut(g, owner, back);
        payDelivery(g, due);
        unlock(g, taken, due < BPS / 2 ? 4 : 0);
        move(g, Status.Resolved, outcomeOf(verb, due));
    }

    function outcomeOf(Verb verb, uint256 due) private pure returns (Outcome) {
        if (verb == Verb.Concede) return Outcome.Conceded;
        if (verb == Verb.Resolve) return Outcome.ArbiterSilent;
        if (due == BPS) return Outcome.RuledForProvider;
        return due == 0 ? Outcome.RuledForOwner : Outcome.RuledInPart;
    }

    // ---- Rules ----

    /// @dev The table of I-3: from where to where a task can go.
    function allowed(Status from, Status to) private pure returns (bool) {
        if (to == Status.Funded) return from == Status.Assigned || from == Status.Active;
        if (to == Status.Assigned) return from == Status.Funded;
        if (to == Status.Active) {
            return from == Status.Funded || from == Status.Assigned || from == Status.Standby;
        }
        if (to == Status.Standby || to == Status.Delivered) {
            return from == Status.Funded || from == Status.Active;
        }
        if (to == Status.Disputed) return from == Status.Delivered;
        if (to == Status.Settled) {
            return from == Status.Funded || from == Status.Active || from == Status.Delivered;
        }
        if (to == Status.Cancelled || to == Status.Expired) {
            return from == Status.Funded || from == Status.Assigned || from == Status.Standby;
        }
        if (to == Status.Declined) {
            return from == Status.Funded || from == Status.Assigned || from == Status.Active;
        }
        if (to == Status.Failed || to == Status.Abandoned) return from == Status.Active;
        return to == Status.Resolved && from == Status.Disputed;
    }

    function isLive(Ghost storage g) internal view returns (bool) {
        return g.status != Status.None && g.status < Status.Settled;
    }

    function isLease(Ghost storage g) internal view returns (bool) {
        return g.terms.conditions.kind() == 1;
    }

    function actsFor(address caller, address provider) internal view returns (bool) {
        return caller == provider || caller == registry.operatorOf(provider);
    }

    /// @dev What is charged [wei, or wei per second].
    function priceOf(Ghost storage g) internal view returns (uint256) {
        return g.terms.provider == address(0) ? g.price : g.terms.price.amountWei();
    }

    /// @dev An open task's price rises from its first second to `startBy`.
    function risen(Ghost storage g) private view returns (uint256) {
        uint256 first = g.terms.price.amountWei();
        uint256 span = g.terms.conditions.startBy() - g.openedAt;
        uint256 rise = g.terms.price.maximumWei() - first;
        return span == 0 ? first + rise : first + (rise * (vm.getBlockTimestamp() - g.openedAt)) / span;
    }
}
