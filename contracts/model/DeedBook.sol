// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {DeedHolder, INLINE_DEEDS} from "./DeedHolder.sol";
import {Tape, TapeLib} from "./Tape.sol";

/// @dev Ids are from 1 to this one.
uint256 constant MAX_DEED = type(uint24).max;

/// @notice How many deeds and holders there are, with the supply: one word in storage.
struct DeedCounts {
    /// [96 bits]
    uint256 supply;
    /// Records of the supply's history [32 bits].
    uint256 supplies;
    /// Accounts that ever had a deed [32 bits].
    uint256 holders;
    /// Ids that were ever made [24 bits].
    uint256 minted;
    /// Ids that wait to be given out again, and the first and the last of them [24 bits each].
    uint256 queued;
    uint256 first;
    uint256 last;
}

/**
 * @notice Who has which deed.
 *
 * A holder's stack has the ids that came, first to last, 24 bits each, the first four in the holder's word. They count
 * while its balance covers them: what a smaller balance uncovers has no owner at once, whatever the number.
 *
 * A deed's record has 64 bits, so that deeds that go together share words: 32 bits of place, 31 bits of holder, one bit that
 * says whether somebody is approved for it. The holder is a number, whose account stands once; the place is the index on its
 * stack. A record means something only while that place of that stack has the deed, so that leaving needs no writing (a
 * sparse set). In the queue, a record is the id that comes next: the queue has no words of its own. The last one has none,
 * and keeps what it had.
 */
struct DeedBook {
    uint256 counts;
    mapping(uint256 number => address) accounts;
    mapping(uint256 id => address) approved;
    mapping(address account => uint256[2 ** 21] words) stacks;
    uint256[2 ** 22] records;
}

using DeedBookLib for DeedBook global;

library DeedBookLib {
    uint256 private constant _PLACE = type(uint32).max;
    uint256 private constant _HOLDER = type(uint32).max >> 1;
    uint256 private constant _RECORD = type(uint64).max;
    uint256 private constant _APPROVED = 1 << 63;
    uint256 private constant _IDS_PER_WORD = 10;

    // ---- Counts ----

    function load(DeedBook storage self) internal view returns (DeedCounts memory counts) {
        uint256 word = self.counts;
        counts.supply = uint96(word);
        counts.supplies = uint32(word >> 96);
        counts.holders = uint32(word >> 128);
        counts.minted = uint24(word >> 160);
        counts.queued = uint24(word >> 184);
        counts.first = uint24(word >> 208);
        counts.last = word >> 232;
    }

    function store(DeedBook storage self, DeedCounts memory counts) internal {
        self.counts =
            counts.supply |
            (counts.supplies << 96) |
            (counts.holders << 128) |
            (counts.minted << 160) |
            (counts.queued << 184) |
            (counts.first << 208) |
            (counts.last << 232);
    }

    // ---- Holders ----

    /// @notice Gives `account` a number, should it have none; 0: there are no more.
    function enrol(
        DeedBook storage self,
        DeedCounts memory counts,
        address account,
        DeedHolder word
    ) internal returns (DeedHolder) {
        if (word.number() != 0 || counts.holders == _HOLDER) return word;
        uint256 number = ++counts.holders;
        self.accounts[number] = account;
        return word.withNumber(number);
    }

    /// @notice The account and place that the record of `id` has: it is on that stack, if it is on any.
    function find(DeedBook storage self, uint256 id) internal view returns (address account, uint256 place) {
        uint256 value = _recordOf(self, id);
        return (self.accounts[(value >> 32) & _HOLDER], value & _PLACE);
    }

    /// @notice The deed at a place of a stack.
    function deedAt(
        DeedBook storage self,
        address account,
        DeedHolder holder,
        uint256 place
    ) internal view returns (uint256) {
        if (place < INLINE_DEEDS) return holder.inlineDeed(place);
        (uint256 index, uint256 shift) = _laneOf(place);
        return (self.stacks[account][index] >> shift) & MAX_DEED;
    }

    /// @notice The id after `id` in the queue, whose last one it is not; 0: it is not in it.
    function next(DeedBook storage self, uint256 id) internal view returns (uint256) {
        uint256 value = _recordOf(self, id);
        return value > MAX_DEED ? 0 : value;
    }

    /// @notice Up to `limit` of the first `covered` deeds of `account`, after the first `offset`.
    function page(
        DeedBook storage self,
        address account,
        DeedHolder holder,
        uint256 covered,
        uint256 offset,
        uint256 limit
    ) internal view returns (uint256[] memory ids) {
        uint256 end = Math.min(covered, Math.saturatingAdd(offset, limit));
        ids = new uint256[](Math.saturatingSub(end, offset));
        for (uint256 i = 0; i < ids.length; ++i) ids[i] = deedAt(self, account, holder, offset + i);
    }

    // ---- Many at once ----

    /// @notice Gives the last `count` deeds of `from` to `to`. Both words are the caller's to store.
    function hand(
        DeedBook storage self,
        address from,
        DeedHolder giver,
        address to,
        DeedHolder taker,
        uint256 count
    ) internal returns (DeedHolder, DeedHolder, uint256[] memory ids) {
        ids = new uint256[](count);
        Tape memory source = _stackOf(self, from);
        Tape memory target = _stackOf(self, to);
        Tape memory records = _recordsOf(self);
        uint256 top = giver.deeds();
        uint256 place = taker.deeds();
        uint256 holder = taker.number() << 32;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 id = _pick(source, giver, --top);
                taker = _put(target, taker, place, id);
                _record(self, records, id, holder | place++);
                ids[i] = id;
            }
        }
        target.flush();
        records.flush();
        return (giver.withDeeds(top), taker.withDeeds(place), ids);
    }

    /// @notice Puts the last `count` deeds of `from` at the end of the queue.
    function retire(
        DeedBook storage self,
        DeedCounts memory counts,
        address from,
        DeedHolder giver,
        uint256 count
    ) internal returns (DeedHolder, uint256[] memory ids) {
        ids = new uint256[](count);
        Tape memory source = _stackOf(self, from);
        Tape memory records = _recordsOf(self);
        uint256 top = giver.deeds();
        uint256 last = counts.queued == 0 ? 0 : counts.last;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 id = _pick(source, giver, --top);
                if (last == 0) counts.first = id;
                else _record(self, records, last, id);
                last = id;
                ids[i] = id;
            }
        }
        records.flush();
        counts.last = last;
        counts.queued += count;
        return (giver.withDeeds(top), ids);
    }

    /// @notice Gives `to` the first `count` deeds of the queue, and new ones where it is at its end.
    function issue(
        DeedBook storage self,
        DeedCounts memory counts,
        address to,
        DeedHolder taker,
        uint256 count
    ) internal returns (DeedHolder, uint256[] memory ids) {
        ids = new uint256[](count);
        Tape memory target = _stackOf(self, to);
        Tape memory records = _recordsOf(self);
        uint256 place = taker.deeds();
        uint256 holder = taker.number() << 32;
        (uint256 first, uint256 queued, uint256 minted) = (counts.first, counts.queued, counts.minted);
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 id = queued == 0 ? ++minted : first;
                taker = _put(target, taker, place, id);
                uint256 after_ = _record(self, records, id, holder | place++);
                ids[i] = id;
                if (queued == 0) continue;
                first = --queued == 0 ? 0 : after_;
            }
        }
        target.flush();
        records.flush();
        (counts.first, counts.queued, counts.minted) = (first, queued, minted);
        return (taker.withDeeds(place), ids);
    }

    // ---- One by one ----

    /// @notice Takes the deed at `place` off the stack of `from`, of which the first `covered` count. The last one that
    /// counts takes its place, so that the same ones count as before.
    function take(
        DeedBook storage self,
        address from,
        DeedHolder giver,
        uint256 place,
        uint256 covered
    ) internal returns (DeedHolder) {
        uint256 top = giver.deeds() - 1;
        giver = _shift(self, from, giver, covered - 1, place);
        giver = _shift(self, from, giver, top, covered - 1);
        return giver.withDeeds(top);
    }

    /// @notice Puts `id` on the stack of `to` after the first `covered`, which count. What is there goes to the top.
    function give(
        DeedBook storage self,
        address to,
        DeedHolder taker,
        uint256 id,
        uint256 covered
    ) internal returns (DeedHolder) {
        uint256 top = taker.deeds();
        taker = _shift(self, to, taker, covered, top);
        return _place(self, to, taker, covered, id, 0).withDeeds(top + 1);
    }

    /// @dev Moves the deed at `place` of a stack, should there be one, to another place of it.
    function _shift(
        DeedBook storage self,
        address account,
        DeedHolder holder,
        uint256 place,
        uint256 to
    ) private returns (DeedHolder) {
        if (place == to) return holder;
        uint256 id = deedAt(self, account, holder, place);
        return _place(self, account, holder, to, id, _recordOf(self, id) & _APPROVED);
    }

    function _place(
        DeedBook storage self,
        address account,
        DeedHolder holder,
        uint256 place,
        uint256 id,
        uint256 approval
    ) private returns (DeedHolder) {
        _setRecord(self, id, (holder.number() << 32) | place | approval);
        if (place < INLINE_DEEDS) return holder.withInlineDeed(place, id);
        (uint256 index, uint256 shift) = _laneOf(place);
        uint256[2 ** 21] storage stack = self.stacks[account];
        stack[index] = (stack[index] & ~(MAX_DEED << shift)) | (id << shift);
        return holder;
    }

    // ---- Approvals ----

    /// @notice Approves `spender` for a deed that is on a stack; zero: nobody any more.
    function approve(DeedBook storage self, uint256 id, address spender) internal {
        uint256 value = _recordOf(self, id) & ~_APPROVED;
        _setRecord(self, id, spender == address(0) ? value : value | _APPROVED);
        if (spender != address(0)) self.approved[id] = spender;
    }

    /// @notice Whoever is approved for a deed that is on a stack.
    function approvedFor(DeedBook storage self, uint256 id) internal view returns (address) {
        return _recordOf(self, id) & _APPROVED == 0 ? address(0) : self.approved[id];
    }

    // ---- Words ----

    function _recordsOf(DeedBook storage self) private view returns (Tape memory) {
        uint256[2 ** 22] storage records = self.records;
        uint256 slot;
        assembly ("memory-safe") {
            slot := records.slot
        }
        return TapeLib.open(slot);
    }

    function _stackOf(DeedBook storage self, address account) private view returns (Tape memory) {
        uint256[2 ** 21] storage stack = self.stacks[account];
        uint256 slot;
        assembly ("memory-safe") {
            slot := stack.slot
        }
        return TapeLib.open(slot);
    }

    /// @dev Of anything: what is no id has none.
    function _recordOf(DeedBook storage self, uint256 id) private view returns (uint256) {
        return id > MAX_DEED ? 0 : (self.records[id >> 2] >> ((id & 3) << 6)) & _RECORD;
    }

    /// @dev Whoever was approved is so no longer, unless `value` says otherwise.
    function _setRecord(DeedBook storage self, uint256 id, uint256 value) private {
        uint256 shift = (id & 3) << 6;
        uint256 word = self.records[id >> 2];
        uint256 before = (word >> shift) & _RECORD;
        self.records[id >> 2] = word ^ ((before ^ value) << shift);
        _forget(self, id, before, value);
    }

    function _record(
        DeedBook storage self,
        Tape memory records,
        uint256 id,
        uint256 value
    ) private returns (uint256 before) {
        before = records.write(id >> 2, (id & 3) << 6, _RECORD, value);
        _forget(self, id, before, value);
    }

    function _forget(DeedBook storage self, uint256 id, uint256 before, uint256 value) private {
        if (before & _APPROVED != 0 && value & _APPROVED == 0) delete self.approved[id];
    }

    function _pick(Tape memory stack, DeedHolder holder, uint256 place) private view returns (uint256) {
        if (place < INLINE_DEEDS) return holder.inlineDeed(place);
        (uint256 index, uint256 shift) = _laneOf(place);
        return stack.read(index, shift, MAX_DEED);
    }

    /// @return The holder's word, which has the first places itself.
    function _put(
        Tape memory stack,
        DeedHolder holder,
        uint256 place,
        uint256 id
    ) private returns (DeedHolder) {
        if (place < INLINE_DEEDS) return holder.withInlineDeed(place, id);
        (uint256 index, uint256 shift) = _laneOf(place);
        stack.write(index, shift, MAX_DEED, id);
        return holder;
    }

    function _laneOf(uint256 place) private pure returns (uint256 index, uint256 shift) {
        unchecked {
            place -= INLINE_DEEDS;
            return (place / _IDS_PER_WORD, (place % _IDS_PER_WORD) * 24);
        }
    }
}
