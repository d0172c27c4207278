"""Writes deflate streams of every level, strategy, window, memory level and flush, compressed by zlib.

Usage: deflate_streams.py COUNT FILE. Each record is the content and the stream, each preceded by its length (32 bits, little
endian). Every run writes the same streams.
"""

import random
import struct
import sys
import zlib

FLUSHES = [zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_BLOCK]
STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]
WORDS = [b"import ", b"os", b"\n", b"def ", b"return ", b"    ", b"self.", b"None", b"\x00\x00\x00\x00"]


def content(source):
    """Returns text, noise, runs of one byte, or a mixture. Some contents are empty, and a few are long."""
    size = source.choice([0, 1, 2, 3, 20, 200, 1_000, 1_000, 3_000])
    if source.random() < 0.005:
        size = 150_000
    pieces, length = [], 0
    while length < size:
        piece = source.choice(
            [
                lambda: b"".join(source.choices(WORDS, k=40)),
                lambda: source.randbytes(source.randrange(1, 300)),
                lambda: bytes([source.randrange(256)]) * source.randrange(1, 700),
            ]
        )()
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)[:size]


def deflate(source, original):
    """Returns a raw stream that is flushed at random offsets."""
    level, window = source.randrange(10), -source.randrange(9, 16)
    compressor = zlib.compressobj(level, zlib.DEFLATED, window, source.randrange(1, 10), source.choice(STRATEGIES))
    stream, rest = b"", original
    while source.random() < 0.4:
        at = source.randrange(len(rest) + 1)
        stream += compressor.compress(rest[:at]) + compressor.flush(source.choice(FLUSHES))
        rest = rest[at:]
    return stream + compressor.compress(rest) + compressor.flush()


def main(count, path):
    source = random.Random(1951)
    with open(path, "wb") as output:
        for _ in range(int(count)):
            original = content(source)
            for part in (original, deflate(source, original)):
                output.write(struct.pack("<I", len(part)) + part)


main(*sys.argv[1:])
