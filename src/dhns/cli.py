"""``dhns <command> [overrides]``: each command is a Hydra app, imported only when it is called."""

from __future__ import annotations

import importlib
import io
import os
import sys

from dhns.interruption import ended_by_signals

COMMANDS = {
    "train": "train a model, rank the test split, store the result",
    "evaluate": "rank a split with a trained checkpoint",
    "predict": "answer queries by name, one or a file of them, with a trained checkpoint",
    "score": "score a file of triples with a trained checkpoint",
    "discover": "find the most plausible new facts",
    "calibrate": "turn scores into probabilities, fitted on validation",
    "export": "write a trained checkpoint's embeddings for other programs",
    "blend": "let several trained models answer together, weights chosen on validation",
    "share": "pack a trained model into a folder that works anywhere, or onto the Hugging Face hub",
    "reproduce": "run what a table of the paper lacks, and render it",
    "compare": "stored results side by side: intervals, differences, slices",
    "report": "one HTML file about a run, or about several",
    "curves": "what missing modalities cost, from stored results: tables and figures",
    "data": "look at, fetch, check, import a data set: dhns data stats | audit | download | verify | convert | import",
    "features": "turn a folder of images and a table of texts into features",
}


def main() -> None:
    """Entry point of the ``dhns`` program."""
    _be_heard()
    if any(int(os.environ.get(name) or 1) > 1 for name in ("WORLD_SIZE", "SLURM_NTASKS")):
        # each process of a training would warn of what its strategy does on purpose; torch reads this when imported
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    with ended_by_signals():
        run(*sys.argv[1:])


def run(command: str = "help", *arguments: str) -> None:
    """Call a command."""
    if command in ("-h", "--help", "help"):
        print(usage())
        return
    if command == "--version":
        from dhns import __version__

        print(__version__)
        return
    if command not in COMMANDS:
        print(f"error: there is no command '{command}'\n\n{usage()}", file=sys.stderr)
        sys.exit(2)
    from dhns.commands.arguments import in_words_of_hydra, without_config_dir
    from dhns.errors import InputError
    from dhns.resources import OWN_CONF, choose_own_conf

    rest, folder = without_config_dir(arguments)
    try:
        if folder := folder or os.environ.get(OWN_CONF):
            choose_own_conf(folder)
        words = in_words_of_hydra(rest, "action" if command == "data" else None)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    own = ["--config-dir", os.environ[OWN_CONF]] if folder else []
    sys.argv = [f"dhns {command}", *own, *words]
    importlib.import_module(f"dhns.commands.{command}").main()


def usage() -> str:
    """What the program can do, in a few lines."""
    rows = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    return (
        f"usage: dhns <command> [key=value ...]\n\n{rows}\n\n"
        "dhns <command> --help lists what can be chosen, dhns <command> --cfg job --resolve prints the settings,\n"
        "dhns train --multirun scorer=rotate,distmult seed=0,1,2 runs a sweep."
    )


def _be_heard() -> None:
    """What is printed needs no reader, and no encoding that has all characters of all names."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
