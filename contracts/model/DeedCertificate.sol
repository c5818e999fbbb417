// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// JSON and SVG quote with " themselves.
// solhint-disable quotes

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IDeedMetadata} from "../interfaces/IDeedMetadata.sol";
import {IModelOwnership} from "../interfaces/IModelOwnership.sol";

/// @title Deeds as certificates that are drawn on chain
/// @notice ERC-721 metadata as JSON with an SVG picture, both in data URIs: nothing has to be kept anywhere. The share is
/// that of one unit in all that is made, or may still be made while minting goes on.
/// @dev Assumes that names and licences are UTF-8. Control characters become spaces, and what has a meaning in JSON or XML
/// is escaped.
contract DeedCertificate is IDeedMetadata {
    using Strings for *;

    /// @dev Lines of more bytes are written smaller.
    uint256 private constant _NAME_BYTES = 22;
    uint256 private constant _LICENCE_BYTES = 50;
    /// @dev 100 % in the smallest part that is shown.
    uint256 private constant _WHOLE = 100_000_000;

    /// @inheritdoc IDeedMetadata
    function deedURI(address ownership, uint256 id) external view override returns (string memory) {
        IModelOwnership base = IModelOwnership(ownership);
        string memory model = _printable(base.name());
        string memory licence = _printable(base.licence());
        if (bytes(licence).length == 0) licence = "not said";
        uint256 supply = block.timestamp > base.mintUntil() ? base.totalSupply() : base.cap();
        string memory share = _percent(base.units(), supply);
        string memory units = (supply / base.units()).toString();
        bytes memory json = abi.encodePacked(
            '{"name":"',
            model.escapeJSON(),
            " #",
            id.toString(),
            '","description":"Deed to one of ',
            units,
            " units of the ownership of ",
            model.escapeJSON(),
            ". It comes and goes with the unit in its owner's balance; its number is no identity.",
            '","image":"data:image/svg+xml;base64,',
            Base64.encode(_picture(ownership, id, model, licence, share, units)),
            '","attributes":[{"trait_type":"Share","value":"',
            share,
            '"},{"trait_type":"Licence","value":"',
            licence.escapeJSON(),
            '"}]}'
        );
        return string.concat("data:application/json;base64,", Base64.encode(json));
    }

    // ---- Picture ----

    /// @dev The colour is the model's, the turn of its rosette the deed's.
    function _picture(
        address ownership,
        uint256 id,
        string memory model,
        string memory licence,
        string memory share,
        string memory units
    ) private pure returns (bytes memory) {
        string memory hue = (uint256(keccak256(abi.encode(ownership))) % 360).toString();
        return
            abi.encodePacked(
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 400" font-family="Georgia,serif" fill="#fff">',
                '<rect width="640" height="400" rx="20" fill="hsl(',
                hue,
                ',45%,14%)"/><g fill="none" stroke="hsl(',
                hue,
                ',70%,65%)"><rect x="14" y="14" width="612" height="372" rx="12"/>',
                _rosette(uint256(keccak256(abi.encode(ownership, id)))),
                "</g>",
                _line(70, 15, ' letter-spacing="5" opacity=".7"', "DEED OF MODEL OWNERSHIP"),
                _line(128, _size(40, model, _NAME_BYTES), "", _escapeXML(model)),
                _line(218, 54, "", share),
                _line(248, 16, ' opacity=".7"', string.concat("one of ", units, " units")),
                _line(
                    310,
                    _size(16, licence, _LICENCE_BYTES),
                    "",
                    string.concat("Licence: ", _escapeXML(licence))
                ),
                _line(
                    356,
                    13,
                    ' opacity=".7"',
                    string.concat(ownership.toChecksumHexString(), " \xc2\xb7 No. ", id.toString())
                ),
                "</svg>"
            );
    }

    function _rosette(uint256 seed) private pure returns (bytes memory drawing) {
        string memory width = (48 + ((seed >> 8) % 64)).toString();
        for (uint256 i = 0; i < 12; ++i) {
            drawing = abi.encodePacked(
                drawing,
                '<ellipse cx="510" cy="200" rx="',
                width,
                '" ry="30" transform="rotate(',
                ((seed % 15) + i * 15).toString(),
                ' 510 200)" opacity=".4"/>'
            );
        }
    }

    function _line(
        uint256 y,
        uint256 size,
        string memory attributes,
        string memory text
    ) private pure returns (bytes memory) {
        return
            abi.encodePacked(
                '<text x="44" y="',
                y.toString(),
                '" font-size="',
                size.toString(),
                '"',
                attributes,
                ">",
                text,
                "</text>"
            );
    }

    /// @dev Of `most` bytes, and in proportion of more.
    function _size(uint256 size, string memory text, uint256 most) private pure returns (uint256) {
        return (size * most) / Math.max(most, bytes(text).length);
    }

    // ---- Text ----

    /// @dev `part` of `whole`, with up to six decimals [%], rounded down.
    function _percent(uint256 part, uint256 whole) private pure returns (string memory) {
        uint256 value = whole == 0 ? 0 : Math.mulDiv(part, _WHOLE, whole);
        if (value == 0) return "below 0.000001 %";
        uint256 decimals = 6;
        while (decimals != 0 && value % 10 == 0) {
            value /= 10;
            --decimals;
        }
        uint256 scale = 10 ** decimals;
        if (decimals == 0) return string.concat(value.toString(), " %");
        // A one before the decimals keeps their leading zeros.
        bytes memory fraction = bytes((scale + (value % scale)).toString());
        fraction[0] = ".";
        return string.concat((value / scale).toString(), string(fraction), " %");
    }

    function _printable(string memory text) private pure returns (string memory) {
        bytes memory characters = bytes(text);
        for (uint256 i = 0; i < characters.length; ++i) {
            if (uint8(characters[i]) < 0x20 || characters[i] == 0x7f) characters[i] = " ";
        }
        return string(characters);
    }

    function _escapeXML(string memory text) private pure returns (string memory) {
        bytes memory characters = bytes(text);
        bytes memory escaped;
        for (uint256 i = 0; i < characters.length; ++i) {
            bytes1 character = characters[i];
            if (character == "&") escaped = bytes.concat(escaped, "&amp;");
            else if (character == "<") escaped = bytes.concat(escaped, "&lt;");
            else if (character == ">") escaped = bytes.concat(escaped, "&gt;");
            else escaped = bytes.concat(escaped, character);
        }
        return string(escaped);
    }
}
