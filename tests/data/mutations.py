"""Damage for FITS files: bytes, lengths, keywords, types and values, from one random stream."""

import gzip

import numpy as np

CARD, BLOCK = 80, 2880
VALUES = (
    "0",
    "-1",
    "1",
    "3",
    "99999999999",
    "-9223372036854775808",
    "1E400",
    "NaN",
    "1.5",
    "T",
    "'text'",
    "''",
    "'1PJ(9999999)'",
    "'1PE(-1)'",
    "'1QD'",
    "'100A'",
    "'1X'",
    "'1C'",
    "'L'",
    "'1K'",
    "'D'",
    "",
    "(1,2)",
    "'unclosed",
)
KEYS = (
    b"NAXIS   ",
    b"NAXIS1  ",
    b"NAXIS2  ",
    b"BITPIX  ",
    b"PCOUNT  ",
    b"GCOUNT  ",
    b"TFIELDS ",
    b"TFORM",
    b"TTYPE",
    b"TLMIN",
    b"TLMAX",
    b"TDIM",
    b"TNULL",
    b"THEAP",
    b"EXPOSURE",
    b"CRPIX",
    b"CRVAL",
    b"CDELT",
    b"CTYPE",
    b"TCR",
    b"TCT",
    b"XTENSION",
    b"EXTNAME ",
    b"SIMPLE  ",
    b"END     ",
    b"DETCHANS",
    b"BUNIT   ",
)
PLANTED = ("TSCAL1", "TZERO1", "TDIM3", "THEAP", "BSCALE", "BZERO", "BLANK", "GROUPS", "ZIMAGE")


LETTERS = list(b" ='0123456789TFED-+.A\x00\xff")


def headers(content):
    """Offsets of all cards, up to the END of each header."""
    found, at = [], 0
    while at + BLOCK <= len(content):
        if content[at : at + 8] in (b"SIMPLE  ", b"XTENSION"):
            while at + CARD <= len(content) and content[at : at + 8] != b"END     ":
                found.append(at)
                at += CARD
            found.append(at)
        at += BLOCK - at % BLOCK
    return found


def _any_bytes(rng, content):
    data = bytearray(content)
    for _ in range(rng.integers(1, 40)):
        data[rng.integers(len(data))] = rng.integers(256)
    return bytes(data)


def _header_bytes(rng, content):
    data, cards = bytearray(content), headers(content)
    for _ in range(rng.integers(1, 6)):
        data[rng.choice(cards) + rng.integers(CARD)] = rng.choice(
            list(b" ='0123456789TFED-+.A\x00\xff")
        )
    return bytes(data)


def _truncate(rng, content):
    return content[: rng.integers(len(content))]


def _zero_block(rng, content):
    data, a = bytearray(content), rng.integers(len(content))
    n = min(rng.integers(1, BLOCK), len(data) - a)
    data[a : a + n] = bytes([rng.choice([0, 255, 127])]) * int(n)
    return bytes(data)


def _drop_block(rng, content):
    a = BLOCK * rng.integers(len(content) // BLOCK)
    return content[:a] + content[a + BLOCK :]


def _repeat_block(rng, content):
    a = BLOCK * rng.integers(len(content) // BLOCK)
    return content[: a + BLOCK] + content[a:]


def _card(rng, content):
    """Offset of a card, most often one that readers look at."""
    cards = headers(content)
    telling = [c for c in cards if content[c : c + 8].startswith(KEYS)]
    return int(rng.choice(telling if telling and rng.random() < 0.8 else cards))


def _put(content, at, text):
    return content[:at] + text.encode()[:CARD].ljust(CARD) + content[at + CARD :]


def _change_value(rng, content):
    at = _card(rng, content)
    key = content[at : at + 8].decode("latin1")
    value = str(rng.choice(VALUES))
    if rng.random() < 0.3:
        value = str(rng.integers(-(10**6), 10**6))
    return _put(content, at, f"{key}= {value:>20}")


def _remove(rng, content):
    return _put(content, _card(rng, content), "COMMENT")


def _rename(rng, content):
    at = _card(rng, content)
    return _put(
        content,
        at,
        f"X{rng.integers(9999)}".ljust(8) + content[at + 8 : at + CARD].decode("latin1"),
    )


def _plant(rng, content):
    """A keyword that was not there, in the place of another."""
    value = str(rng.choice(VALUES))
    return _put(content, _card(rng, content), f"{rng.choice(PLANTED):8}= {value:>20}")


def _shuffle(rng, content):
    """Two cards change places."""
    a, b = sorted(_card(rng, content) for _ in range(2))
    if a == b:
        return content
    one, two = content[a : a + CARD], content[b : b + CARD]
    return content[:a] + two + content[a + CARD : b] + one + content[b + CARD :]


def _not_finite(rng, content):
    """NaN and infinity somewhere in the data, of either width."""
    data = bytearray(content)
    for _ in range(20):
        kind = rng.choice([">f4", ">f8", ">i4", ">i2"])
        value = rng.choice([np.nan, np.inf, -np.inf, -1.0, 1e30])
        if kind[1] == "i":
            value = rng.choice([-1, -32768, 32767])
        word = np.array(value, kind).tobytes()
        a = BLOCK + 4 * rng.integers((len(data) - BLOCK) // 4 - 2)
        data[a : a + len(word)] = word
    return bytes(data)


def _zip(rng, content):
    """Damage inside, or of, a compressed file."""
    packed = gzip.compress(content, 1)
    if rng.random() < 0.5:
        return gzip.compress(_change_value(rng, content), 1)
    return _any_bytes(rng, packed) if rng.random() < 0.5 else _truncate(rng, packed)


def _twice(rng, content):
    return mutate(rng, mutate(rng, content)[1])[1]


KINDS = (
    _any_bytes,
    _header_bytes,
    _header_bytes,
    _truncate,
    _zero_block,
    _drop_block,
    _repeat_block,
    _change_value,
    _change_value,
    _change_value,
    _change_value,
    _remove,
    _rename,
    _plant,
    _plant,
    _shuffle,
    _not_finite,
    _zip,
    _twice,
)


def mutate(rng, content):
    """Name of the damage, and the damaged file."""
    kind = KINDS[rng.integers(len(KINDS))]
    try:
        return kind.__name__, kind(rng, content)
    except (ValueError, IndexError):  # a file too short for this damage
        return "_truncate", content[: len(content) // 2]
