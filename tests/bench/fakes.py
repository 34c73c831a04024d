"""Sides that a test's driver runs."""

import sys
import time
from pathlib import Path


def sleeps(turns, seconds, amount=1.0):
    turns.repeat(lambda: time.sleep(seconds), amount)


def notes_its_turns(turns, path, letter):
    def note():
        with Path(path).open("a") as file:
            file.write(letter)

    turns.repeat(note)


def talks(turns):
    print("not an answer")
    turns.repeat(lambda: print("nor this"))


def fails_at_second_turn(turns):
    turns.begin()
    turns.end(1.0)
    turns.begin()
    sys.exit("out of memory, say")
