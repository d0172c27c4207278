"""The command `sampleproject`."""

import argparse

from . import PHRASES, say


def main() -> None:
    """Adds the numbers of the command line."""
    parser = argparse.ArgumentParser(prog="sampleproject", description="Adds numbers as the Romans did.")
    parser.add_argument("numbers", metavar="NUMBER", nargs="+", type=int)
    parser.add_argument("--language", choices=sorted(PHRASES), default="en")
    arguments = parser.parse_args()
    print(say(arguments.numbers, arguments.language))
