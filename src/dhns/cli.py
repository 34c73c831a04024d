"""``dhns <command> [overrides]``: each command is a Hydra app, imported only when it is called."""

from __future__ import annotations

import importlib
import re
import sys

COMMANDS = {
    "train": "train a model, rank the test split, store the result",
    "evaluate": "rank a split with a trained checkpoint",
    "predict": "answer queries by name with a trained checkpoint",
    "reproduce": "run what a table of the paper lacks, and render it",
    "compare": "stored results side by side: intervals, differences, slices",
    "curves": "what missing modalities cost, from stored results: tables and figures",
    "data": "look at, fetch and check a data set: dhns data stats | audit | download | verify | convert",
    "features": "turn a folder of images and a table of texts into features",
}
# tables are named by numbers, which Hydra takes for no names; addresses and files may hold any character
FREE_TEXT = ("head=", "relation=", "tail=", "table=", "mirror=", "pack=", "links=", "against=")


def main() -> None:
    """Entry point of the ``dhns`` program."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if arguments[0] == "--version":
        from dhns import __version__

        print(__version__)
        return
    command, *overrides = arguments
    if command not in COMMANDS:
        print(f"error: there is no command '{command}'\n\n{usage()}", file=sys.stderr)
        sys.exit(2)
    if command == "data":
        named = bool(overrides) and "=" not in overrides[0] and not overrides[0].startswith("-")
        overrides = [f"action={overrides[0]}", *overrides[1:]] if named else overrides
    sys.argv = [f"dhns {command}", *map(_quoted, overrides)]
    importlib.import_module(f"dhns.commands.{command}").main()


def usage() -> str:
    """What the program can do, in a few lines."""
    rows = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    return (
        f"usage: dhns <command> [key=value ...]\n\n{rows}\n\n"
        "dhns <command> --help lists what can be chosen, dhns <command> --cfg job --resolve prints the settings,\n"
        "dhns train --multirun scorer=rotate,distmult seed=0,1,2 runs a sweep."
    )


def _quoted(argument: str) -> str:
    """Quote names, so that labels with blanks, commas or brackets need no Hydra syntax on the command line.

    What stands between quotes already is left as it is. An entity named ``???`` has to be given by key or id: that is
    how OmegaConf spells a missing value.
    """
    for key in FREE_TEXT:
        value = argument.removeprefix(key)
        if value == argument or value == "null" or (len(value) > 1 and value[0] == value[-1] and value[0] in "'\""):
            continue
        # Hydra and OmegaConf unescape backslashes only before a quote, the end, and an interpolation
        value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
        value = re.sub(r"(\\*)'", r"\1\1\\'", value)
        value = re.sub(r"(\\+)$", r"\1\1", value)
        return f"{key}'{value}'"
    return argument


if __name__ == "__main__":
    main()
