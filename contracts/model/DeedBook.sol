// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {DeedHolder, INLINE_DEEDS} from "./DeedHolder.sol";

/// @dev Ids are from 1 to this one.
uint256 constant MAX_DEED = type(uint24).max;

/// @notice How many deeds and holders there are, in one word with the supply.
struct DeedCounts {
    uint96 supply;
    /// Numbers of the supply's history.
    uint32 supplies;
    /// Accounts that ever had a deed.
    uint32 holders;
    /// Ids that were ever made.
    uint24 minted;
    /// Ids that wait to be given out again, and the first and the last of them.
    uint24 queued;
    uint24 first;
    uint24 last;
}

/**
 * @notice Who has which deed.
 *
 * A deed's record has 64 bits, so that deeds that go together share words: 32 bits of place, 31 bits of holder, one bit that
 * says whether somebody is approved for it. The holder is a number, whose account stands once. The place is the index on the
 * holder's stack; nobody's deed is in the queue, and its place is the id that comes after it: the queue has no words of its
 * own.
 *
 * A stack has the ids that came, first to last, 24 bits each, the first four in the holder's word. An id counts as the
 * holder's only while its balance covers it: what a smaller balance uncovers has no owner at once, whatever the number.
 */
struct DeedBook {
    DeedCounts counts;
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
    uint256 private constant _ID = MAX_DEED;
    uint256 private constant _IDS_PER_WORD = 10;

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

    /// @notice Who got `id` last, and where it is on that stack; nobody: it is not made, or in the queue.
    function find(DeedBook storage self, uint256 id) internal view returns (address account, uint256 place) {
        if (id == 0 || id > MAX_DEED) return (address(0), 0);
        uint256 value = _record(self, id);
        return (self.accounts[(value >> 32) & _HOLDER], value & _PLACE);
    }

    /// @notice The id after `id` in the queue; 0: it is the last one, or not in it.
    function next(DeedBook storage self, uint256 id) internal view returns (uint256) {
        uint256 value = id > MAX_DEED ? 0 : _record(self, id);
        return value > _PLACE ? 0 : value;
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
        uint256[2 ** 21] storage source = self.stacks[from];
        uint256[2 ** 21] storage target = self.stacks[to];
        uint256 top = giver.deeds();
        uint256 place = taker.deeds();
        uint256 holder = taker.number() << 32;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 id = _at(source, giver, --top);
                taker = _put(target, taker, place, id);
                _setRecord(self, id, holder | place++);
                ids[i] = id;
            }
        }
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
        if (count == 0) return (giver, ids);
        uint256[2 ** 21] storage source = self.stacks[from];
        uint256 top = giver.deeds();
        uint256 last = counts.last;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 id = _at(source, giver, --top);
                if (i != 0 || counts.queued != 0) _setRecord(self, last, id);
                else counts.first = uint24(id);
                last = id;
                ids[i] = id;
            }
            _setRecord(self, last, 0);
            counts.last = uint24(last);
            counts.queued += uint24(count);
        }
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
        uint256[2 ** 21] storage target = self.stacks[to];
        uint256 place = taker.deeds();
        uint256 holder = taker.number() << 32;
        uint256 first = counts.first;
        uint256 queued = counts.queued;
        uint256 minted = counts.minted;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 id;
                if (queued == 0) {
                    id = ++minted;
                } else {
                    id = first;
                    first = _record(self, id) & _PLACE;
                    --queued;
                }
                taker = _put(target, taker, place, id);
                _setRecord(self, id, holder | place++);
                ids[i] = id;
            }
        }
        (counts.first, counts.queued, counts.minted) = (uint24(first), uint24(queued), uint24(minted));
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
        uint256[2 ** 21] storage stack = self.stacks[from];
        uint256 top = giver.deeds() - 1;
        giver = _shift(self, stack, giver, covered - 1, place);
        giver = _shift(self, stack, giver, top, covered - 1);
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
        uint256[2 ** 21] storage stack = self.stacks[to];
        uint256 top = taker.deeds();
        taker = _shift(self, stack, taker, covered, top);
        _setRecord(self, id, (taker.number() << 32) | covered);
        return _put(stack, taker, covered, id).withDeeds(top + 1);
    }

    /// @dev Moves the deed at `place`, should there be one, to another place.
    function _shift(
        DeedBook storage self,
        uint256[2 ** 21] storage stack,
        DeedHolder holder,
        uint256 place,
        uint256 to
    ) private returns (DeedHolder) {
        if (place == to) return holder;
        uint256 id = _at(stack, holder, place);
        _write(self, id, (holder.number() << 32) | to | (_record(self, id) & _APPROVED));
        return _put(stack, holder, to, id);
    }

    // ---- Approvals ----

    /// @notice Approves `spender` for a deed that has a holder.
    function approve(DeedBook storage self, uint256 id, address spender) internal {
        uint256 value = _record(self, id) & ~_APPROVED;
        _write(self, id, spender == address(0) ? value : value | _APPROVED);
        self.approved[id] = spender;
    }

    function approvedFor(DeedBook storage self, uint256 id) internal view returns (address) {
        return _record(self, id) & _APPROVED == 0 ? address(0) : self.approved[id];
    }

    // ---- Words ----

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
        for (uint256 i = 0; i < ids.length; ++i) ids[i] = _at(self.stacks[account], holder, offset + i);
    }

    function _record(DeedBook storage self, uint256 id) private view returns (uint256) {
        return (self.records[id >> 2] >> ((id & 3) << 6)) & _RECORD;
    }

    /// @dev Whoever was approved is so no longer.
    function _setRecord(DeedBook storage self, uint256 id, uint256 value) private {
        uint256 before = _write(self, id, value);
        if (before & _APPROVED != 0) delete self.approved[id];
    }

    function _write(DeedBook storage self, uint256 id, uint256 value) private returns (uint256 before) {
        unchecked {
            uint256 index = id >> 2;
            uint256 shift = (id & 3) << 6;
            uint256 word = self.records[index];
            before = (word >> shift) & _RECORD;
            self.records[index] = word ^ ((before ^ value) << shift);
        }
    }

    function _at(
        uint256[2 ** 21] storage stack,
        DeedHolder holder,
        uint256 place
    ) private view returns (uint256) {
        unchecked {
            if (place < INLINE_DEEDS) return holder.inlineDeed(place);
            place -= INLINE_DEEDS;
            return (stack[place / _IDS_PER_WORD] >> ((place % _IDS_PER_WORD) * 24)) & _ID;
        }
    }

    /// @return The holder's word, which has the first places itself.
    function _put(
        uint256[2 ** 21] storage stack,
        DeedHolder holder,
        uint256 place,
        uint256 id
    ) private returns (DeedHolder) {
        unchecked {
            if (place < INLINE_DEEDS) return holder.withInlineDeed(place, id);
            place -= INLINE_DEEDS;
            uint256 index = place / _IDS_PER_WORD;
            uint256 shift = (place % _IDS_PER_WORD) * 24;
            stack[index] = (stack[index] & ~(_ID << shift)) | (id << shift);
            return holder;
        }
    }
}
