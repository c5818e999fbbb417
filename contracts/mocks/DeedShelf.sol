// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DeedBook, DeedCounts} from "../model/DeedBook.sol";
import {DeedHolder} from "../model/DeedHolder.sol";

/// @notice A book of deeds that begins with any number of them made, for trying what takes millions to be reached.
contract DeedShelf {
    mapping(address account => DeedHolder) private _holders;
    DeedBook private _book;

    constructor(uint256 minted) {
        DeedCounts memory counts = _book.load();
        counts.minted = minted;
        _book.store(counts);
    }

    function issue(address to, uint256 count) external {
        DeedCounts memory counts = _book.load();
        DeedHolder taker = _book.enrol(counts, to, _holders[to]);
        (_holders[to], ) = _book.issue(counts, to, taker, count);
        _book.store(counts);
    }

    function hand(address from, address to, uint256 count) external {
        DeedCounts memory counts = _book.load();
        DeedHolder taker = _book.enrol(counts, to, _holders[to]);
        (_holders[from], _holders[to], ) = _book.hand(from, _holders[from], to, taker, count);
        _book.store(counts);
    }

    function retire(address from, uint256 count) external {
        DeedCounts memory counts = _book.load();
        (_holders[from], ) = _book.retire(counts, from, _holders[from], count);
        _book.store(counts);
    }

    function countsNow() external view returns (DeedCounts memory) {
        return _book.load();
    }

    function deedAt(address account, uint256 place) external view returns (uint256) {
        return _book.deedAt(account, _holders[account], place);
    }

    function find(uint256 id) external view returns (address account, uint256 place) {
        return _book.find(id);
    }

    function next(uint256 id) external view returns (uint256) {
        return _book.next(id);
    }
}
