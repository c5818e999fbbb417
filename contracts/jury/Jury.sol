// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IArbiter} from "../interfaces/IArbiter.sol";
import {IDisputes} from "../interfaces/IDisputes.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IJury} from "../interfaces/IJury.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {ITaskMarket} from "../interfaces/ITaskMarket.sol";
import {Currency} from "../libraries/Currency.sol";
import {Evidence} from "../libraries/Evidence.sol";
import {Fingerprints} from "../libraries/Fingerprints.sol";
import {Resources} from "../libraries/Resources.sol";
import {Delivered, Status, TaskId, Tasks, Terms} from "../market/Tasks.sol";
import {JurySeats} from "./JurySeats.sol";

/// @title Providers that decide disputes by doing a few units of the work again; see {IJury}.
contract Jury is IJury, JurySeats {
    using SafeCast for uint256;

    // ---- Constants ----

    uint256 private constant FIRST_PANEL = 3;
    uint256 private constant SECOND_PANEL = 15;
    /// @dev So many seats are looked at for each that is needed: those that left, have lost too much or are a party's are
    /// passed over.
    uint256 private constant TRIES = 16;
    /// @dev From here to the block whose hash stands for a provider's silence.
    uint256 private constant SUMMON_BLOCKS = 5;
    /// @dev From the end of the concession window to the last second of {finish}, two rounds included: draw 2, payload,
    /// commit, result, reveal, appeal, and four more and the end.
    uint256 private constant STEPS = 12;
    /// @dev With more, the fines of a first panel that was wrong would not pay the second.
    uint256 private constant MAX_FEE_BPS = 1_500;
    uint256 private constant MAX_RULING = 30 days;
    uint256 private constant SEAT_MASK = type(uint32).max;

    // ---- Immutables ----

    /// @inheritdoc IJury
    ITaskMarket public immutable override market;
    /// @inheritdoc IJury
    uint256 public immutable override feeBps;
    /// @inheritdoc IJury
    uint256 public immutable override minimumFeeWei;
    /// @inheritdoc IJury
    uint256 public immutable override stepSeconds;
    Currency private immutable _currency;
    uint256 private immutable _concessionWindow;
    /// @dev The part of a bond that its owner can lose beyond the fee, of what a task can cost [bps].
    uint256 private immutable _disputeBps;

    // ---- Storage ----

    mapping(TaskId id => Case) private _cases;
    mapping(TaskId id => Appeal) private _appeals;
    /// @dev Of summoned cases; else it is made of what is passed.
    mapping(TaskId id => bytes32) private _seeds;
    /// @dev By `round * 16 + position`. A commitment has its lowest bit clear; what was revealed has it set:
    /// `1 | providerBps uint15 | fingerprint uint240`.
    mapping(TaskId id => mapping(uint256 place => uint256)) private _ballots;
    /// @dev [wei]
    mapping(address account => uint256) private _credits;

    /// @param market_ Whose disputes it decides; its registry has to authorise this contract for seats to be taken.
    /// @param seatWei_ Stake of a seat, a multiple of 10,000 [wei].
    /// @param feeBps_ Of what a task can cost, at most 1,500 [bps].
    /// @param minimumFeeWei_ But at least so much, and at most the whole [wei].
    /// @param stepSeconds_ [s]
    /// @param seasoningSeconds_ With {Tasks.MAX_TERM} or more, no seat is younger than the task [s].
    constructor(
        ITaskMarket market_,
        uint256 seatWei_,
        uint256 feeBps_,
        uint256 minimumFeeWei_,
        uint256 stepSeconds_,
        uint256 seasoningSeconds_
    )
        JurySeats(
            market_.registry(),
            seatWei_,
            seasoningSeconds_,
            market_.concessionWindow() + STEPS * stepSeconds_
        )
    {
        if (feeBps_ == 0 || feeBps_ > MAX_FEE_BPS) revert Jury_InvalidSetting("feeBps", feeBps_);
        if (minimumFeeWei_ > seatWei_) revert Jury_InvalidSetting("minimumFeeWei", minimumFeeWei_);
        // Shorter ones the market makes longer, and longer ones shorter.
        if (stepSeconds_ < 5 minutes || exitSeconds > MAX_RULING) {
            revert Jury_InvalidSetting("stepSeconds", stepSeconds_);
        }
        market = market_;
        feeBps = feeBps_;
        minimumFeeWei = minimumFeeWei_;
        stepSeconds = stepSeconds_;
        _currency = market_.currency();
        _concessionWindow = market_.concessionWindow();
        _disputeBps = market_.DISPUTE_BPS();
    }

    /// @notice Fines come from the registry, fees from the market.
    receive() external payable {
        if (msg.sender != address(registry) && msg.sender != address(market)) revert Jury_NotFrom(msg.sender);
    }

    // ---- Quote ----

    /// @inheritdoc IArbiter
    /// @dev Nothing, and the shortest time, for a task that it cannot take.
    function quote(uint256 escrowWei) external view override returns (uint256, uint256) {
        if (escrowWei + Math.ceilDiv(escrowWei * _disputeBps, BPS) > capacityWei()) return (0, 0);
        uint256 fee = Math.mulDiv(escrowWei, feeBps, BPS, Math.Rounding.Ceil);
        return (Math.min(Math.max(fee, minimumFeeWei), escrowWei), rulingSeconds());
    }

    // ---- Draw ----

    /// @dev A task as the market has it.
    struct Facts {
        TaskId id;
        Status status;
        /// When it was disputed, while it is [s].
        uint256 disputedAt;
        uint256 feeWei;
        uint256 rulingBy;
        bool isSeedShown;
    }

    /// @dev What a panel is drawn with, and who.
    struct Panel {
        bytes32 seed;
        /// Zero where the provider kept it.
        bytes32 drawNonce;
        uint256 round;
        uint256 size;
        uint256 class;
        uint256 eligible;
        uint256 riskBps;
        uint256 disputedAt;
        address owner;
        address provider;
        address operator;
        /// None of these again.
        uint256[] before;
        uint256 found;
        uint256[] seats;
        address[] voters;
    }

    /// @inheritdoc IJury
    function draw(
        Terms calldata terms,
        WorkDigest calldata work,
        Delivered calldata delivered,
        Evidence calldata evidence,
        bytes32 auditSeed,
        bytes32 drawNonce,
        uint256 eligible
    ) external override {
        // Check
        bytes32 workHash = _hash(work);
        Facts memory facts = _loadDisputed(terms, workHash, delivered);
        Case storage case_ = _cases[facts.id];
        bool isSummoned = case_.step == Step.Summoned;
        _requireCommitted(facts.id, terms, delivered, evidence, auditSeed);
        Panel memory panel;
        if (isSummoned) {
            panel.seed = _summonedSeed(facts.id, auditSeed, case_.until);
            _seeds[facts.id] = panel.seed;
        } else {
            _requireStep(facts.id, case_.step, Step.None);
            _requireUntil(facts.id, facts.disputedAt + _concessionWindow + stepSeconds);
            panel.seed = _committedSeed(facts.id, evidence, auditSeed, drawNonce);
            panel.drawNonce = drawNonce;
        }
        _prepare(panel, facts, terms, work.resources, workHash, eligible);
        // Effect
        (panel.round, panel.size) = (0, FIRST_PANEL);
        _draw(panel);
        (uint256 words, ) = _pack(panel);
        (case_.class, case_.panel) = (uint16(panel.class), uint96(words));
        case_.isSilent = isSummoned;
        if (panel.found <= FIRST_PANEL / 2) {
            // One cannot outvote anybody.
            case_.step = Step.Ended;
            emit JuryMissing(facts.id, panel.found);
            return;
        }
        uint256 until = Math.max(block.timestamp, facts.disputedAt + _concessionWindow) + stepSeconds;
        (case_.step, case_.until) = (Step.Drawn, until.toUint40());
        _announce(panel, facts.id, evidence, until);
    }

    /// @inheritdoc IJury
    function summon(Terms calldata terms, bytes32 workHash, Delivered calldata delivered) external override {
        // Check
        Facts memory facts = _loadDisputed(terms, workHash, delivered);
        Case storage case_ = _cases[facts.id];
        uint256 from = facts.disputedAt + _concessionWindow + stepSeconds;
        // Nobody could have drawn without the owner's half.
        if (!facts.isSeedShown) revert Jury_WrongSeed(facts.id);
        if (case_.step == Step.Summoned) {
            // Only one whose hash is lost is awaited anew.
            if (block.number <= case_.until || blockhash(case_.until) != 0) {
                revert Jury_WrongStep(facts.id, case_.step);
            }
        } else _requireStep(facts.id, case_.step, Step.None);
        if (block.timestamp <= from) revert Jury_TooEarly(facts.id, from + 1, block.timestamp);
        _requireUntil(facts.id, from + stepSeconds);
        // Effect
        uint256 awaited = block.number + SUMMON_BLOCKS;
        (case_.step, case_.until) = (Step.Summoned, awaited.toUint40());
        emit JurySummoned(facts.id, awaited);
    }

    /// @dev The owner's half is what the terms commit to, and the evidence is the delivery's, or none: where the provider is
    /// silent, nobody else may know what it committed to. No nonce has the hash of none.
    function _requireCommitted(
        TaskId id,
        Terms calldata terms,
        Delivered calldata delivered,
        Evidence calldata evidence,
        bytes32 auditSeed
    ) private pure {
        if (keccak256(abi.encode(auditSeed)) != terms.salt) revert Jury_WrongSeed(id);
        if (!evidence.isEmpty() && evidence.hash() != delivered.evidenceHash) revert Jury_WrongEvidence(id);
    }

    function _committedSeed(
        TaskId id,
        Evidence calldata evidence,
        bytes32 auditSeed,
        bytes32 drawNonce
    ) private pure returns (bytes32) {
        if (keccak256(abi.encode(drawNonce)) != evidence.drawCommit) revert Jury_WrongEvidence(id);
        return keccak256(abi.encode(auditSeed, drawNonce));
    }

    function _summonedSeed(TaskId id, bytes32 auditSeed, uint256 awaited) private view returns (bytes32) {
        bytes32 found = blockhash(awaited);
        if (found == 0) revert Jury_NoBlockHash(id, awaited, block.number);
        return keccak256(abi.encode(auditSeed, found));
    }

    /// @dev Who may be drawn.
    function _prepare(
        Panel memory panel,
        Facts memory facts,
        Terms calldata terms,
        Resources resources,
        bytes32 workHash,
        uint256 eligible
    ) private view {
        panel.class = classOf(resources);
        uint256 startBy = terms.conditions.startBy();
        uint256 count = _counts[panel.class];
        mapping(uint256 index => Seat) storage seats = _seats[panel.class];
        if (
            eligible > count ||
            (eligible != 0 && !_isSeasoned(seats[eligible - 1], startBy)) ||
            (eligible != count && _isSeasoned(seats[eligible], startBy))
        ) revert Jury_WrongEligible(panel.class, eligible);
        panel.riskBps = _riskBps(terms);
        panel.eligible = eligible;
        panel.disputedAt = facts.disputedAt;
        panel.owner = terms.owner;
        (address assigned, , ) = market.assignmentOf(terms, workHash);
        panel.provider = assigned == address(0) ? terms.provider : assigned;
        panel.operator = registry.operatorOf(panel.provider);
    }

    /// @dev Draws seats, none twice: who votes for several has several votes, as its stake has a right to.
    function _draw(Panel memory panel) private view {
        uint256 size = panel.size;
        (panel.seats, panel.voters) = (new uint256[](size), new address[](size));
        if (panel.eligible != 0) {
            mapping(uint256 index => Seat) storage seats = _seats[panel.class];
            uint256 found = 0;
            for (uint256 i = 0; i < size * TRIES && found < size; ++i) {
                uint256 index = uint256(keccak256(abi.encode(panel.seed, panel.round, i))) % panel.eligible;
                if (_isAmong(panel.seats, found, index)) continue;
                if (_isAmong(panel.before, panel.before.length, index)) continue;
                Seat storage seat = seats[index];
                if (seat.leftAt != 0 && seat.leftAt <= panel.disputedAt) continue;
                // Of no seat is enough left for a task beyond {capacityWei}.
                if (seat.lostBps + panel.riskBps > BPS) continue;
                address voter = seat.voter;
                if (_isParty(panel, voter) || _isParty(panel, seat.account)) continue;
                (panel.seats[found], panel.voters[found]) = (index, voter);
                ++found;
            }
            panel.found = found;
        }
        uint256 length = panel.found;
        (uint256[] memory drawn, address[] memory voters) = (panel.seats, panel.voters);
        // Cuts the arrays to what was found.
        assembly ("memory-safe") {
            mstore(drawn, length)
            mstore(voters, length)
        }
    }

    function _isParty(Panel memory panel, address account) private pure returns (bool) {
        return account == panel.owner || account == panel.provider || account == panel.operator;
    }

    function _isAmong(uint256[] memory list, uint256 length, uint256 seat) private pure returns (bool) {
        for (uint256 i = 0; i < length; ++i) if (list[i] == seat) return true;
        return false;
    }

    function _announce(Panel memory panel, TaskId id, Evidence calldata evidence, uint256 until) private {
        emit JuryDrawn(
            id,
            panel.round,
            panel.class,
            panel.seats,
            panel.voters,
            panel.seed,
            panel.drawNonce,
            evidence,
            until
        );
    }

    function _pack(Panel memory panel) private pure returns (uint256 first, uint256 second) {
        for (uint256 i = 0; i < panel.found; ++i) {
            uint256 word = (panel.seats[i] + 1) << (32 * (i % 8));
            if (i < 8) first |= word;
            else second |= word;
        }
    }

    // ---- Owner ----

    /// @inheritdoc IJury
    function handOver(Terms calldata terms, bytes32 workHash, string calldata uri) external override {
        // Check
        Facts memory facts = _look(terms, workHash);
        TaskId id = facts.id;
        if (msg.sender != terms.owner && !_isDelegate(terms)) revert Jury_NotOwner(id, msg.sender);
        if (facts.status != Status.Disputed) revert Jury_NotDisputed(id);
        Tasks.assertUri(uri);
        Case storage case_ = _cases[id];
        (Step step, uint256 until, uint256 round) = (case_.step, case_.until, case_.round);
        if (step == Step.Drawn) {
            uint256 from = facts.disputedAt + _concessionWindow;
            if (block.timestamp <= from) revert Jury_TooEarly(id, from + 1, block.timestamp);
            _requireUntil(id, until);
            step = Step.Committing;
        } else {
            _requireStep(id, step, Step.Committing);
            if (block.timestamp <= until && !_allCommitted(id, case_)) revert Jury_NotAllCommitted(id, until);
            _requireUntil(id, until + stepSeconds);
            step = Step.Revealing;
        }
        // Effect
        until = block.timestamp + stepSeconds;
        (case_.step, case_.until) = (step, until.toUint40());
        emit HandedOver(id, round, step, uri, until);
    }

    /// @dev Whether the caller may spend for tasks like this one.
    function _isDelegate(Terms calldata terms) private view returns (bool) {
        IEscrow.Delegation memory delegation = market.delegationOf(terms.owner, msg.sender);
        return
            block.timestamp <= delegation.expiresAt &&
            (delegation.provider == address(0) || delegation.provider == terms.provider) &&
            (delegation.model == 0 || delegation.model == terms.conditions.model());
    }

    function _allCommitted(TaskId id, Case storage case_) private view returns (bool) {
        uint256 round = case_.round;
        for (uint256 i = 0; i < _sizeOf(round); ++i) {
            if (_numberAt(id, case_, round, i) != 0 && _ballots[id][round * 16 + i] == 0) return false;
        }
        return true;
    }

    // ---- Jurors ----

    /// @inheritdoc IJury
    function commit(TaskId id, uint256 position, bytes32 commitment) external override {
        // Check
        Case storage case_ = _cases[id];
        _requireStep(id, case_.step, Step.Committing);
        _requireUntil(id, case_.until);
        uint256 round = case_.round;
        _requireJuror(id, case_, round, position);
        uint256 place = round * 16 + position;
        if (_ballots[id][place] != 0) revert Jury_Committed(id, position);
        // Nobody finds what hashes to 0 or has the lowest bit set.
        if (commitment == 0 || uint256(commitment) & 1 != 0) revert Jury_WrongReveal(id, position);
        // Effect
        _ballots[id][place] = uint256(commitment);
    }

    /// @inheritdoc IJury
    function reveal(
        TaskId id,
        uint256 position,
        uint256 fingerprint,
        uint256 providerBps,
        bytes32 salt
    ) external override {
        // Check
        Case storage case_ = _cases[id];
        uint256 until = _revealUntil(id, case_);
        // Where the owner did not open the result, its time for that comes first.
        if (case_.step == Step.Committing && block.timestamp <= until - stepSeconds) {
            revert Jury_TooEarly(id, until - stepSeconds + 1, block.timestamp);
        }
        _requireUntil(id, until);
        uint256 round = case_.round;
        uint256 seat = _requireJuror(id, case_, round, position);
        uint256 place = round * 16 + position;
        if (
            providerBps > BPS ||
            fingerprint >> Fingerprints.BITS != 0 ||
            bytes32(_ballots[id][place]) != commitmentOf(id, round, seat, fingerprint, salt)
        ) revert Jury_WrongReveal(id, position);
        // Effect
        _ballots[id][place] = (fingerprint << 16) | (providerBps << 1) | 1;
        emit Revealed(id, round, position, fingerprint, providerBps);
    }

    /// @inheritdoc IJury
    function commitmentOf(
        TaskId id,
        uint256 round,
        uint256 seat,
        uint256 fingerprint,
        bytes32 salt
    ) public pure override returns (bytes32) {
        bytes32 hash = keccak256(abi.encode(id, round, seat, fingerprint, salt));
        return bytes32((uint256(hash) >> 1) << 1);
    }

    /// @dev The last second to reveal; the step is one in which jurors are, or were.
    function _revealUntil(TaskId id, Case storage case_) private view returns (uint256) {
        if (case_.step == Step.Committing) return case_.until + 2 * stepSeconds;
        _requireStep(id, case_.step, Step.Revealing);
        return case_.until;
    }

    /// @return seat Counted from 0.
    function _requireJuror(
        TaskId id,
        Case storage case_,
        uint256 round,
        uint256 position
    ) private view returns (uint256 seat) {
        uint256 number = position < _sizeOf(round) ? _numberAt(id, case_, round, position) : 0;
        if (number == 0) revert Jury_NotJuror(id, position, msg.sender);
        seat = number - 1;
        if (_seats[case_.class][seat].voter != msg.sender) revert Jury_NotJuror(id, position, msg.sender);
    }

    // ---- Appeal ----

    /// @inheritdoc IJury
    function appeal(
        Terms calldata terms,
        WorkDigest calldata work,
        Delivered calldata delivered,
        Evidence calldata evidence,
        bytes32 auditSeed,
        bytes32 drawNonce,
        uint256 eligible
    ) external payable override nonReentrant {
        // Check
        bytes32 workHash = _hash(work);
        Facts memory facts = _loadDisputed(terms, workHash, delivered);
        Case storage case_ = _cases[facts.id];
        uint256 until = _revealUntil(facts.id, case_);
        if (case_.round != 0) revert Jury_WrongStep(facts.id, case_.step);
        if (block.timestamp <= until) revert Jury_TooEarly(facts.id, until + 1, block.timestamp);
        _requireUntil(facts.id, until + stepSeconds);
        _requireCommitted(facts.id, terms, delivered, evidence, auditSeed);
        Panel memory panel;
        panel.seed = _seeds[facts.id];
        if (!case_.isSilent) {
            panel.seed = _committedSeed(facts.id, evidence, auditSeed, drawNonce);
            panel.drawNonce = drawNonce;
        }
        _prepare(panel, facts, terms, work.resources, workHash, eligible);
        (panel.before, ) = panelOf(facts.id, 0);
        // Effect
        (panel.round, panel.size) = (1, SECOND_PANEL);
        _draw(panel);
        if (panel.found <= SECOND_PANEL / 2) revert Jury_TooFewSeats(facts.id, panel.found);
        uint256 bond = (facts.feeWei / FIRST_PANEL) * SECOND_PANEL;
        (uint256 first, uint256 second) = _pack(panel);
        _appeals[facts.id] = Appeal(msg.sender, bond.toUint96(), first, second);
        until = block.timestamp + stepSeconds;
        (case_.step, case_.until, case_.round) = (Step.Drawn, until.toUint40(), 1);
        emit Appealed(facts.id, msg.sender, bond);
        _announce(panel, facts.id, evidence, until);
        // Interaction: the guard holds meanwhile.
        _currency.pull(msg.sender, bond);
    }

    // ---- End ----

    /// @dev What a panel decided.
    struct Tally {
        bool isDecided;
        uint256 providerBps;
        /// What fingerprints are held against.
        uint256 median;
    }

    /// @dev A case on its way to its end.
    struct Ending {
        uint256 round;
        /// The round that did not get its payload, if it is the last.
        bool isLapsed;
        bool isRuled;
        uint256 riskBps;
        Tally first;
        /// What everybody is judged by.
        Tally last;
        /// For each juror that is paid [wei].
        uint256 share;
        uint256 dues;
        uint256 fines;
    }

    /// @inheritdoc IJury
    function finish(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external override nonReentrant {
        // Check
        Facts memory facts = _load(terms, workHash);
        Case storage case_ = _cases[facts.id];
        Step step = case_.step;
        if (step == Step.None || step == Step.Summoned || step == Step.Ended) {
            revert Jury_WrongStep(facts.id, step);
        }
        Ending memory ending;
        if (facts.status == Status.Disputed && block.timestamp <= facts.rulingBy) {
            uint256 until = _revealUntil(facts.id, case_);
            if (case_.round == 0) until += stepSeconds;
            if (block.timestamp <= until) revert Jury_TooEarly(facts.id, until + 1, block.timestamp);
            ending.isRuled = true;
        }
        // Effect
        _judge(case_, facts, ending, terms);
        _end(case_, facts, ending, terms, workHash, delivered);
    }

    /// @inheritdoc IJury
    function lapse(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) external override nonReentrant {
        // Check
        Facts memory facts = _loadDisputed(terms, workHash, delivered);
        Case storage case_ = _cases[facts.id];
        uint256 until = facts.disputedAt + _concessionWindow;
        if (case_.step == Step.Drawn) until = case_.until;
        else if (case_.step == Step.Summoned || case_.step == Step.None) {
            if (facts.isSeedShown) until += 2 * stepSeconds;
        } else revert Jury_WrongStep(facts.id, case_.step);
        if (block.timestamp <= until) revert Jury_TooEarly(facts.id, until + 1, block.timestamp);
        // Effect
        Ending memory ending;
        (ending.isLapsed, ending.isRuled) = (true, true);
        _judge(case_, facts, ending, terms);
        _end(case_, facts, ending, terms, workHash, delivered);
    }

    /// @dev Counts the votes.
    function _judge(
        Case storage case_,
        Facts memory facts,
        Ending memory ending,
        Terms calldata terms
    ) private view {
        ending.round = case_.round;
        ending.riskBps = _riskBps(terms);
        ending.share = facts.feeWei / FIRST_PANEL;
        ending.first = _tally(facts.id, case_, 0);
        ending.last = ending.first;
        if (ending.round == 1 && !ending.isLapsed) {
            Tally memory second = _tally(facts.id, case_, 1);
            if (second.isDecided) ending.last = second;
        }
        if (!ending.isLapsed) ending.isRuled = ending.isRuled && ending.last.isDecided;
    }

    /// @dev A side has decided where it has more than half of the whole panel, of votes that are near the median of all.
    function _tally(TaskId id, Case storage case_, uint256 round) private view returns (Tally memory tally) {
        uint256 size = _sizeOf(round);
        uint256[] memory fingerprints = new uint256[](size);
        uint256[] memory votes = new uint256[](size);
        uint256 revealed = 0;
        for (uint256 i = 0; i < size; ++i) {
            if (_numberAt(id, case_, round, i) == 0) break;
            uint256 ballot = _ballots[id][round * 16 + i];
            if (ballot & 1 == 0) continue;
            fingerprints[revealed] = ballot >> 16;
            votes[revealed++] = _voteIn(ballot);
        }
        tally.median = Fingerprints.median(fingerprints, revealed);
        // The votes of each side that count, in order, from both ends of one list.
        uint256[] memory sorted = new uint256[](size);
        uint256 count = 0;
        uint256 forOwner = 0;
        for (uint256 i = 0; i < revealed; ++i) {
            if (!Fingerprints.isNear(fingerprints[i], tally.median)) continue;
            uint256 place = count++;
            for (; place > 0 && sorted[place - 1] > votes[i]; --place) sorted[place] = sorted[place - 1];
            sorted[place] = votes[i];
            if (!_isForProvider(votes[i])) ++forOwner;
        }
        uint256 half = size / 2;
        if (forOwner > half) {
            (tally.isDecided, tally.providerBps) = (true, sorted[(forOwner - 1) / 2]);
        } else if (count - forOwner > half) {
            (tally.isDecided, tally.providerBps) = (true, sorted[forOwner + (count - forOwner - 1) / 2]);
        }
    }

    /// @dev Tells the market, pays who agreed, fines who did not, and divides what is left.
    function _end(
        Case storage case_,
        Facts memory facts,
        Ending memory ending,
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) private {
        Step step = case_.step;
        case_.step = Step.Ended;
        uint256 providerBps = ending.isLapsed ? BPS : ending.last.providerBps;
        bool isTurned =
            !ending.first.isDecided ||
                _isForProvider(ending.first.providerBps) != _isForProvider(providerBps);
        if (case_.isSilent && !ending.isLapsed)
            providerBps = Math.saturatingSub(providerBps, _silenceBps(terms, facts.feeWei));
        // Interaction: market and registry, which call nobody; the guard holds meanwhile.
        if (ending.isRuled) market.rule(terms, workHash, delivered, providerBps);
        if (step >= Step.Drawn) {
            for (uint256 round = 0; round <= ending.round; ++round) {
                // Who never got the payload is not silent; nobody got it of a task that was conceded.
                bool isAsked = round < ending.round || step != Step.Drawn;
                if (isAsked) _close(case_, facts.id, ending, round);
            }
        }
        // Effect
        uint256 covered = (ending.isRuled ? facts.feeWei : 0) + ending.fines;
        Appeal storage made = _appeals[facts.id];
        uint256 bond = made.bondWei;
        // The bond is lost to an appeal that changed nothing; else it stands in for what fees and fines do not cover.
        uint256 taken =
            ending.isRuled && !isTurned ? bond : Math.min(bond, Math.saturatingSub(ending.dues, covered));
        if (bond != taken) _credits[made.appellant] += bond - taken;
        uint256 rest = covered + taken - ending.dues;
        if (rest != 0) _credits[market.treasury()] += rest;
        emit JuryEnded(facts.id, ending.isRuled, ending.isRuled ? providerBps : 0);
    }

    /// @dev Pays and fines a panel.
    function _close(Case storage case_, TaskId id, Ending memory ending, uint256 round) private {
        for (uint256 i = 0; i < _sizeOf(round); ++i) {
            uint256 number = _numberAt(id, case_, round, i);
            if (number == 0) break;
            Seat storage seat = _seats[case_.class][number - 1];
            address account = seat.account;
            // It left, and its stake with it, once this could have ended.
            if (account == address(0)) continue;
            uint256 ballot = _ballots[id][round * 16 + i];
            bool isRight = ballot & 1 != 0;
            if (isRight && ending.last.isDecided) {
                isRight =
                    Fingerprints.isNear(ballot >> 16, ending.last.median) &&
                    _isForProvider(_voteIn(ballot)) == _isForProvider(ending.last.providerBps);
            }
            if (!isRight) {
                _fine(id, ending, seat, number - 1);
            } else if (ending.isRuled && ending.last.isDecided) {
                ending.dues += ending.share;
                _credits[account] += ending.share;
                emit JurorPaid(id, number - 1, account, ending.share);
            }
        }
    }

    /// @dev Takes what the seat stood for, or what others have left of it.
    function _fine(TaskId id, Ending memory ending, Seat storage seat, uint256 index) private {
        uint256 lost = Math.min(ending.riskBps, BPS - seat.lostBps);
        uint256 fine = (seatWei * lost) / BPS;
        if (fine == 0) return;
        address account = seat.account;
        seat.lostBps += uint16(lost);
        ending.fines += fine;
        emit JurorFined(id, index, account, fine);
        registry.release(account, fine, fine, IProviderRegistry.Record.None, false);
    }

    /// @inheritdoc IJury
    function withdraw(address to) external override nonReentrant returns (uint256 amount) {
        // Check
        amount = _credits[msg.sender];
        if (amount == 0) revert Jury_NothingToWithdraw(msg.sender);
        // Effect
        _credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        // Interaction: fees lie in the market until somebody wants them.
        uint256 earned = market.balanceOf(address(this));
        if (earned != 0) market.withdrawTo(address(this), earned);
        _currency.push(to, amount);
    }

    // ---- Checks ----

    function _look(Terms calldata terms, bytes32 workHash) private view returns (Facts memory facts) {
        facts.id = market.idOf(terms, workHash);
        (facts.status, , facts.disputedAt, ) = market.taskOf(facts.id);
    }

    function _load(Terms calldata terms, bytes32 workHash) private view returns (Facts memory facts) {
        facts = _look(terms, workHash);
        IDisputes.Dispute memory open = market.disputeOf(facts.id);
        (facts.feeWei, facts.rulingBy, facts.isSeedShown) = (open.feeWei, open.rulingBy, open.isSeedShown);
    }

    function _loadDisputed(
        Terms calldata terms,
        bytes32 workHash,
        Delivered calldata delivered
    ) private view returns (Facts memory facts) {
        facts = _load(terms, workHash);
        if (
            facts.status != Status.Disputed ||
            terms.assurance.arbiter() != address(this) ||
            market.deliveryDigestOf(facts.id) != bytes32(delivered.digest())
        ) revert Jury_NotDisputed(facts.id);
    }

    function _requireStep(TaskId id, Step step, Step expected) private pure {
        if (step != expected) revert Jury_WrongStep(id, step);
    }

    function _requireUntil(TaskId id, uint256 deadline) private view {
        if (block.timestamp > deadline) revert Jury_TooLate(id, deadline, block.timestamp);
    }

    // ---- Numbers ----

    /// @dev Half of what a dispute can move, as a share of a seat, rounded up.
    function _riskBps(Terms calldata terms) private view returns (uint256) {
        uint256 cost = terms.maximumCost();
        uint256 moved = cost + Math.ceilDiv(cost * _disputeBps, BPS) + terms.assurance.collateralWei();
        return Math.ceilDiv(moved * BPS, 2 * seatWei);
    }

    /// @dev The share of price and collateral that comes to the jury's fee, rounded down: else half of what it is more
    /// would be the owner's gain.
    function _silenceBps(Terms calldata terms, uint256 feeWei) private pure returns (uint256) {
        return (feeWei * BPS) / (terms.maximumCost() + terms.assurance.collateralWei());
    }

    function _isForProvider(uint256 providerBps) private pure returns (bool) {
        return providerBps >= BPS / 2;
    }

    function _voteIn(uint256 ballot) private pure returns (uint256) {
        return uint16(ballot) >> 1;
    }

    function _sizeOf(uint256 round) private pure returns (uint256) {
        return round == 0 ? FIRST_PANEL : SECOND_PANEL;
    }

    /// @dev A seat of a panel, counted from 1; 0: none.
    function _numberAt(
        TaskId id,
        Case storage case_,
        uint256 round,
        uint256 position
    ) private view returns (uint256) {
        uint256 words = case_.panel;
        if (round != 0) words = position < 8 ? _appeals[id].first : _appeals[id].second;
        return (words >> (32 * (position % 8))) & SEAT_MASK;
    }

    function _hash(WorkDigest calldata work) private pure returns (bytes32) {
        return keccak256(abi.encode(Tasks.WORK_TYPEHASH, work));
    }

    // ---- Views ----

    /// @inheritdoc IJury
    function rulingSeconds() public view override returns (uint256) {
        return exitSeconds;
    }

    /// @inheritdoc IJury
    function capacityWei() public view override returns (uint256) {
        return 2 * seatWei;
    }

    /// @inheritdoc IJury
    function classOf(Resources resources) public pure override returns (uint256) {
        if (resources.gpuCount() == 0) return 0;
        uint256 class_ = resources.gpuClass();
        return class_ == 0 ? ANY_GPU : class_;
    }

    /// @inheritdoc IJury
    function caseOf(TaskId id) external view override returns (Case memory) {
        return _cases[id];
    }

    /// @inheritdoc IJury
    function appealOf(TaskId id) external view override returns (Appeal memory) {
        return _appeals[id];
    }

    /// @inheritdoc IJury
    function appealBondOf(TaskId id) external view override returns (uint256) {
        return (market.disputeOf(id).feeWei / FIRST_PANEL) * SECOND_PANEL;
    }

    /// @inheritdoc IJury
    function panelOf(
        TaskId id,
        uint256 round
    ) public view override returns (uint256[] memory seats, address[] memory voters) {
        Case storage case_ = _cases[id];
        uint256 count = 0;
        while (count < _sizeOf(round) && _numberAt(id, case_, round, count) != 0) ++count;
        (seats, voters) = (new uint256[](count), new address[](count));
        for (uint256 i = 0; i < count; ++i) {
            seats[i] = _numberAt(id, case_, round, i) - 1;
            voters[i] = _seats[case_.class][seats[i]].voter;
        }
    }

    /// @inheritdoc IJury
    function ballotOf(
        TaskId id,
        uint256 round,
        uint256 position
    )
        external
        view
        override
        returns (bool isCommitted, bool isRevealed, uint256 fingerprint, uint256 providerBps)
    {
        uint256 ballot = _ballots[id][round * 16 + position];
        isCommitted = ballot != 0;
        isRevealed = ballot & 1 != 0;
        if (isRevealed) (fingerprint, providerBps) = (ballot >> 16, _voteIn(ballot));
    }

    /// @inheritdoc IJury
    function creditOf(address account) external view override returns (uint256) {
        return _credits[account];
    }
}
