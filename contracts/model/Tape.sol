// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A run of words in storage, of which one is at hand: what touches the same word again and again reads and writes
/// it once. Nothing is written before another word is sought, or {TapeLib-flush}.
struct Tape {
    /// Slot of the first word.
    uint256 slot;
    /// Number of the word that is at hand.
    uint256 index;
    uint256 word;
    /// The word as it is in storage.
    uint256 kept;
}

using TapeLib for Tape global;

library TapeLib {
    uint256 private constant _NONE = type(uint256).max;

    function open(uint256 slot) internal pure returns (Tape memory self) {
        self.slot = slot;
        self.index = _NONE;
    }

    function flush(Tape memory self) internal {
        if (self.word == self.kept) return;
        (uint256 slot, uint256 index, uint256 word) = (self.slot, self.index, self.word);
        assembly ("memory-safe") {
            sstore(add(slot, index), word)
        }
        self.kept = word;
    }

    /// @notice The bits of `mask`, from bit `shift` up, of word `index`. A tape is read or written, never both.
    function read(
        Tape memory self,
        uint256 index,
        uint256 shift,
        uint256 mask
    ) internal view returns (uint256) {
        if (self.index != index) _load(self, index);
        return (self.word >> shift) & mask;
    }

    /// @notice Replaces these bits.
    /// @return before What they were.
    function write(
        Tape memory self,
        uint256 index,
        uint256 shift,
        uint256 mask,
        uint256 value
    ) internal returns (uint256 before) {
        if (self.index != index) {
            flush(self);
            _load(self, index);
        }
        uint256 word = self.word;
        before = (word >> shift) & mask;
        self.word = word ^ ((before ^ value) << shift);
    }

    function _load(Tape memory self, uint256 index) private view {
        uint256 slot = self.slot;
        uint256 word;
        assembly ("memory-safe") {
            word := sload(add(slot, index))
        }
        self.index = index;
        self.word = word;
        self.kept = word;
    }
}
