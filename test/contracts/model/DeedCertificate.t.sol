// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// JSON and SVG quote with " themselves.
// solhint-disable quotes

import {IDeedMetadata} from "../../../contracts/interfaces/IDeedMetadata.sol";
import {IModelOwnership} from "../../../contracts/interfaces/IModelOwnership.sol";
import {OwnershipTest} from "./OwnershipTest.sol";

/// @notice What a certificate asks of an ownership, and no more.
contract StatedOwnership {
    string public name = "Model";
    string public licence = "Apache-2.0";
    uint256 public units = 1;
    uint256 public totalSupply = 100;
    uint256 public cap = 200;
    uint256 public mintUntil;

    function say(string calldata name_, string calldata licence_) external {
        (name, licence) = (name_, licence_);
    }

    function count(uint256 units_, uint256 supply, uint256 cap_, uint256 until) external {
        (units, totalSupply, cap, mintUntil) = (units_, supply, cap_, until);
    }
}

/// @notice What a deed says of itself: read as markets and browsers do.
contract DeedCertificateTest is OwnershipTest {
    bytes private constant ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    StatedOwnership private stated;

    function setUp() external {
        vm.warp(START);
        someSettings();
        stated = new StatedOwnership();
    }

    // ---- Reading ----

    function jsonOf(uint256 id) private view returns (string memory) {
        return string(decode(certificate.deedURI(address(stated), id), "data:application/json;base64,"));
    }

    function pictureOf(string memory json) private pure returns (bytes memory) {
        return decode(vm.parseJsonString(json, ".image"), "data:image/svg+xml;base64,");
    }

    /// @dev What comes after `prefix`, which is there, from base 64.
    function decode(string memory text, string memory prefix) private pure returns (bytes memory data) {
        bytes memory table = new bytes(256);
        for (uint256 i = 0; i < 64; ++i) table[uint8(ALPHABET[i])] = bytes1(uint8(i));
        bytes memory input = bytes(text);
        uint256 start = bytes(prefix).length;
        for (uint256 i = 0; i < start; ++i) assertTrue(input[i] == bytes(prefix)[i], "prefix");
        uint256 length = input.length - start;
        assertEq(length % 4, 0, "padded");
        uint256 padding = input[input.length - 1] == "=" ? (input[input.length - 2] == "=" ? 2 : 1) : 0;
        data = new bytes((length / 4) * 3 + 29);
        assembly ("memory-safe") {
            let from := add(add(input, 0x20), start)
            let end := add(from, length)
            let to := add(data, 0x20)
            let values := add(table, 0x20)
            for {} lt(from, end) {
                from := add(from, 4)
                to := add(to, 3)
            } {
                let four := mload(from)
                let group := shl(18, byte(0, mload(add(values, byte(0, four)))))
                group := or(group, shl(12, byte(0, mload(add(values, byte(1, four))))))
                group := or(group, shl(6, byte(0, mload(add(values, byte(2, four))))))
                group := or(group, byte(0, mload(add(values, byte(3, four)))))
                mstore(to, shl(232, group))
            }
            mstore(data, sub(sub(mload(data), 29), padding))
        }
    }

    function isAt(bytes memory text, uint256 place, bytes memory part) private pure returns (bool) {
        if (place + part.length > text.length) return false;
        for (uint256 i = 0; i < part.length; ++i) if (text[place + i] != part[i]) return false;
        return true;
    }

    /// @dev How often `part` is in `text`.
    function countOf(bytes memory text, bytes memory part) private pure returns (uint256 count) {
        bytes1 first = part[0];
        for (uint256 i = 0; i < text.length; ++i) if (text[i] == first && isAt(text, i, part)) ++count;
    }

    function assertHas(bytes memory text, string memory part) private pure {
        assertEq(countOf(text, bytes(part)), 1, part);
    }

    /// @dev Elements are closed, attributes have an even number of quotes, and & begins an entity.
    function assertWellFormed(bytes memory svg) private pure {
        uint256 depth = 0;
        for (uint256 i = 0; i < svg.length; ++i) {
            if (svg[i] == "&") {
                assertTrue(
                    isAt(svg, i, "&amp;") || isAt(svg, i, "&lt;") || isAt(svg, i, "&gt;"),
                    "an entity"
                );
            }
            assertTrue(svg[i] != ">", "closes nothing");
            if (svg[i] != "<") continue;
            bool closes = svg[i + 1] == "/";
            uint256 quotes = 0;
            for (++i; svg[i] != ">"; ++i) {
                assertTrue(svg[i] != "<", "opens within");
                if (svg[i] == '"') ++quotes;
            }
            assertEq(quotes % 2, 0, "quotes");
            if (closes) --depth;
            else if (svg[i - 1] != "/") ++depth;
        }
        assertEq(depth, 0, "closed");
    }

    // ---- Names ----

    /// @dev Whatever characters they have: they come back as they were, control characters as spaces.
    /// hardhat-config: default.fuzz.runs = 24
    function testFuzz_namesAreEscaped(bytes calldata name, bytes calldata licence, uint24 id) public {
        string memory model = asciiOf(name, 31);
        string memory terms = asciiOf(licence, 128);
        assertSays(model, terms, id);
    }

    function assertSays(string memory model, string memory terms, uint256 id) private {
        stated.say(model, terms);
        (model, terms) = (printable(model), printable(terms));
        if (bytes(terms).length == 0) terms = "not said";
        string memory json = jsonOf(id);
        string memory number = decimal(id);
        assertEq(bytes(vm.parseJsonString(json, ".name")), bytes(string.concat(model, " #", number)), "name");
        assertEq(
            bytes(vm.parseJsonString(json, ".description")),
            bytes(
                string.concat(
                    "Deed to one of 100 units of the ownership of ",
                    model,
                    ". It comes and goes with the unit in its owner's balance; its number is no identity."
                )
            ),
            "description"
        );
        assertEq(bytes(vm.parseJsonString(json, ".attributes[0].trait_type")), "Share", "share");
        assertEq(bytes(vm.parseJsonString(json, ".attributes[0].value")), "1 %", "share");
        assertEq(bytes(vm.parseJsonString(json, ".attributes[1].trait_type")), "Licence", "licence");
        assertEq(bytes(vm.parseJsonString(json, ".attributes[1].value")), bytes(terms), "licence");
        bytes memory svg = pictureOf(json);
        assertWellFormed(svg);
        assertTrue(isAt(svg, 0, '<svg xmlns="http://www.w3.org/2000/svg"'), "SVG");
        assertTrue(isAt(svg, svg.length - 6, "</svg>"), "its end");
        assertHas(svg, string.concat(">", escaped(model), "</text>"));
        assertHas(svg, string.concat(">Licence: ", escaped(terms), "</text>"));
        assertHas(svg, ">1 %</text>");
        assertHas(svg, ">one of 100 units</text>");
        assertHas(svg, string.concat(" \xc2\xb7 No. ", number, "</text>"));
    }

    function test_namesAreEscaped() external {
        assertSays("Model", "Apache-2.0", 1);
        assertSays('"quoted" \\ <b>&amp;</b>', 'a "licence" <&> \\', 16_777_215);
        assertSays("\x00\x01\t\n\r\x1f\x7f", "\x08\x0c", 7);
        assertSays("", "", 0);
        assertSays(unicode"模型 é", unicode"ライセンス", 3);
    }

    function asciiOf(bytes calldata random, uint256 most) private pure returns (string memory) {
        uint256 length = random.length < most ? random.length : most;
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            uint8 value = uint8(random[i]);
            // Often those that have a meaning.
            text[i] = value < 128 ? bytes1(value) : bytes('"\\<>&/\x00\x1f\x7f{}[]:, ')[value % 16];
        }
        return string(text);
    }

    function printable(string memory text) private pure returns (string memory) {
        bytes memory copy = bytes.concat(bytes(text));
        for (uint256 i = 0; i < copy.length; ++i) {
            uint8 value = uint8(copy[i]);
            if (value < 32 || value == 127) copy[i] = " ";
        }
        return string(copy);
    }

    function escaped(string memory text) private pure returns (string memory result) {
        for (uint256 i = 0; i < bytes(text).length; ++i) {
            bytes1 character = bytes(text)[i];
            bytes memory part = bytes.concat(character);
            if (character == "&") part = "&amp;";
            if (character == "<") part = "&lt;";
            if (character == ">") part = "&gt;";
            result = string.concat(result, string(part));
        }
    }

    function decimal(uint256 value) private pure returns (string memory) {
        string memory digit = string(bytes.concat(bytes1(uint8(48 + (value % 10)))));
        return value < 10 ? digit : string.concat(decimal(value / 10), digit);
    }

    // ---- Shares ----

    /// @dev Of what is there once minting is over, of all that may be before.
    /// hardhat-config: default.fuzz.runs = 24
    function testFuzz_share(uint256 unit, uint256 supply, uint256 cap, uint256 shift, uint256 until) public {
        cap = bound(cap, 1, 2 ** 96 - 1) >> (shift % 96);
        if (cap == 0) cap = 1;
        supply = bound(supply, 0, cap);
        unit = bound(unit, 1, cap) >> ((shift >> 8) % 96);
        if (unit == 0) unit = 1;
        until = bound(until, START - 1, START);
        stated.count(unit, supply, cap, until);
        uint256 whole = until < START ? supply : cap;
        string memory json = jsonOf(1);
        string memory share = vm.parseJsonString(json, ".attributes[0].value");
        assertEq(bytes(share), bytes(percentOf(unit, whole)), "share");
        string memory units = decimal(whole / unit);
        assertTrue(
            isAt(bytes(vm.parseJsonString(json, ".description")), 15, bytes(string.concat(units, " units"))),
            "units"
        );
    }

    function test_share() external {
        string[8] memory texts = [
            "100 %",
            "50 %",
            "33.333333 %",
            "0.1 %",
            "0.000001 %",
            "below 0.000001 %",
            "66.666666 %",
            "10.00001 %"
        ];
        uint256[2][8] memory parts = [
            [uint256(7), 7],
            [uint256(1), 2],
            [uint256(1), 3],
            [uint256(1), 1_000],
            [uint256(1), 100_000_000],
            [uint256(1), 100_000_001],
            [uint256(2), 3],
            [uint256(1_000_001), 10_000_000]
        ];
        for (uint256 i = 0; i < 8; ++i) {
            stated.count(parts[i][0], parts[i][1], 2 ** 95, 0);
            string memory share = vm.parseJsonString(jsonOf(1), ".attributes[0].value");
            assertEq(bytes(share), bytes(texts[i]), texts[i]);
            testFuzz_share(parts[i][0], parts[i][1], parts[i][1], 0, START - 1);
        }
        // Nothing is there.
        stated.count(5, 0, 10, 0);
        assertEq(bytes(vm.parseJsonString(jsonOf(1), ".attributes[0].value")), "below 0.000001 %", "none");
    }

    /// @dev Digit by digit, as one divides by hand.
    function percentOf(uint256 part, uint256 whole) private pure returns (string memory) {
        if (whole == 0) return "below 0.000001 %";
        string memory text = decimal((part * 100) / whole);
        uint256 rest = (part * 100) % whole;
        bytes memory digits = new bytes(6);
        uint256 last = 0;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 digit = (rest * 10) / whole;
            rest = (rest * 10) % whole;
            digits[i] = bytes1(uint8(48 + digit));
            if (digit != 0) last = i + 1;
        }
        if (last == 0 && part * 100 < whole) return "below 0.000001 %";
        if (last == 0) return string.concat(text, " %");
        text = string.concat(text, ".");
        for (uint256 i = 0; i < last; ++i) text = string.concat(text, string(bytes.concat(digits[i])));
        return string.concat(text, " %");
    }

    // ---- Pictures ----

    /// @dev The same deed looks the same, another one differs.
    function test_picturesDiffer() external {
        bytes memory first = pictureOf(jsonOf(1));
        assertEq(pictureOf(jsonOf(1)), first, "the same");
        bytes memory second = pictureOf(jsonOf(2));
        assertTrue(keccak256(first) != keccak256(second), "another deed");
        string memory hue = decimal(uint256(keccak256(abi.encode(address(stated)))) % 360);
        assertEq(countOf(first, bytes(string.concat("hsl(", hue, ","))), 2, "the model's colour");
        assertEq(countOf(second, bytes(string.concat("hsl(", hue, ","))), 2, "of all its deeds");
        assertEq(countOf(first, "<ellipse "), 12, "rosette");
        stated = new StatedOwnership();
        assertTrue(keccak256(pictureOf(jsonOf(1))) != keccak256(first), "another model");
    }

    /// @dev Long names are written smaller.
    function test_longNamesAreSmaller() external {
        string[4] memory names = ["", "x", "1234567890123456789012", "1234567890123456789012345678901"];
        uint256 before = type(uint256).max;
        for (uint256 i = 2; i < 4; ++i) {
            stated.say(names[i], "");
            bytes memory svg = pictureOf(jsonOf(1));
            uint256 size = sizeOf(svg, bytes(string.concat(">", names[i], "</text>")));
            assertTrue(size < before && size != 0, "smaller");
            before = size;
        }
    }

    /// @dev Of the text element that ends with `end`, in tens.
    function sizeOf(bytes memory svg, bytes memory end) private pure returns (uint256) {
        uint256 place = 0;
        while (!isAt(svg, place, end)) ++place;
        while (!isAt(svg, place, 'font-size="')) --place;
        place += 11;
        uint256 size = 0;
        for (; svg[place] != '"' && svg[place] != "."; ++place) size = size * 10 + uint8(svg[place]) - 48;
        return size;
    }

    /// @dev Of a real ownership, while minting goes on and afterwards.
    function test_realOwnership() external {
        IModelOwnership.Settings memory settings = someSettings();
        (settings.minter, settings.mintUntil) = (MINTER, uint40(START + 10));
        allocate(settings, ALICE, 4 * UNIT);
        open(settings);
        assertShare("0.1 %");
        vm.warp(START + 10);
        assertShare("0.1 %");
        vm.warp(START + 11);
        assertShare("25 %");
    }

    function assertShare(string memory share) private view {
        string memory json = string(decode(deeds.tokenURI(2), "data:application/json;base64,"));
        assertEq(bytes(vm.parseJsonString(json, ".name")), "Model #2", "name");
        assertEq(bytes(vm.parseJsonString(json, ".attributes[0].value")), bytes(share), share);
    }

    function test_RevertWhen_ownershipIsNone() external {
        (bool success, ) = address(certificate).call(abi.encodeCall(IDeedMetadata.deedURI, (ALICE, 1)));
        assertTrue(!success, "of nobody");
    }
}
