// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IDeedMetadata} from "../interfaces/IDeedMetadata.sol";
import {IModelDeeds} from "../interfaces/IModelDeeds.sol";
import {DeedBook, DeedCounts, MAX_DEED} from "../model/DeedBook.sol";
import {DeedHolder, PERSON} from "../model/DeedHolder.sol";
import {ModelDeeds} from "../model/ModelDeeds.sol";

/// @notice An ERC-20 token whose units have deeds, and nothing besides: without the ERC-404 facade, permits and votes, for
/// measuring what these cost. Everybody may mint.
contract BareOwnership is ERC20 {
    using Math for uint256;

    uint256 private constant _UNIT = 1e18;
    uint256 private constant _AUTO_DEEDS = 128;

    IModelDeeds public immutable mirrorERC721;

    mapping(address account => DeedHolder) private _holders;
    DeedBook private _book;

    constructor(IDeedMetadata metadata) ERC20("Bare ownership", "BARE") {
        mirrorERC721 = new ModelDeeds(metadata);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function balanceOf(address account) public view override returns (uint256) {
        return _holders[account].balance();
    }

    function totalSupply() public view override returns (uint256) {
        return _book.load().supply;
    }

    function _update(address from, address to, uint256 value) internal override {
        DeedHolder giver;
        if (from != address(0)) {
            giver = _holders[from];
            uint256 balance = giver.balance();
            if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
            giver = giver.withBalance(balance - value);
        }
        emit Transfer(from, to, value);
        if (value == 0 || from == to) return;
        DeedHolder taker = _holders[to];
        uint256 held = taker.balance();
        taker = taker.withBalance(held + value);
        uint256 gained = ((held + value) / _UNIT).saturatingSub(taker.deeds().max(held / _UNIT));
        if (gained != 0) {
            if (taker.has(PERSON) || to.code.length == 0) taker = taker.with(PERSON, true);
            else gained = 0;
        }
        uint256 lost = giver.deeds().saturatingSub(giver.balance() / _UNIT);
        if (from == address(0) || gained | lost != 0) {
            DeedCounts memory counts = _book.load();
            if (from == address(0)) counts.supply += value;
            (giver, taker) = _moveDeeds(counts, from, giver, lost, to, taker, gained);
            _book.store(counts);
        }
        if (from != address(0)) _holders[from] = giver;
        _holders[to] = taker;
    }

    function _moveDeeds(
        DeedCounts memory counts,
        address from,
        DeedHolder giver,
        uint256 lost,
        address to,
        DeedHolder taker,
        uint256 gained
    ) private returns (DeedHolder, DeedHolder) {
        if (gained != 0) taker = _book.enrol(counts, to, taker);
        uint256[] memory ids;
        uint256 handed = lost.min(gained).min(_AUTO_DEEDS);
        if (handed != 0) {
            (giver, taker, ids) = _book.hand(from, giver, to, taker, handed);
            mirrorERC721.logTransfers(from, to, ids);
        }
        lost = (lost - handed).min(_AUTO_DEEDS - handed);
        gained = (gained - handed).min(_AUTO_DEEDS - handed);
        if (lost != 0) {
            (giver, ids) = _book.retire(counts, from, giver, lost);
            mirrorERC721.logTransfers(from, address(0), ids);
        }
        if (gained != 0) {
            gained = gained.min(counts.queued + MAX_DEED - counts.minted);
            (taker, ids) = _book.issue(counts, to, taker, gained);
            mirrorERC721.logTransfers(address(0), to, ids);
        }
        return (giver, taker);
    }
}
