"""Runs a command with a terminal as standard output, standard error, or both.

    terminal.py out|err|both|none COLUMNS COMMAND...

Prints one JSON document with the exit status and the output of each stream. Each stream has its own terminal, which is
COLUMNS wide.
"""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading


def collect(descriptor, pieces):
    """Reads until the last writer closes the stream, which a terminal reports as an error."""
    try:
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    except OSError:
        pass


def open_terminal(columns):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def main():
    which, columns, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    streams = {}
    for name in ("out", "err"):
        ours, theirs = open_terminal(columns) if which in (name, "both") else os.pipe()
        pieces = []
        streams[name] = (theirs, pieces, threading.Thread(target=collect, args=(ours, pieces)))
    out, err = streams["out"][0], streams["err"][0]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    for theirs, _, reader in streams.values():
        os.close(theirs)
        reader.start()
    status = process.wait()
    result = {"status": status}
    for name, (_, pieces, reader) in streams.items():
        reader.join()
        result[name] = b"".join(pieces).decode()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
