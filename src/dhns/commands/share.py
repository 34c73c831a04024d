"""``dhns share``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app


@app("share")
def main(config: DictConfig) -> None:
    """Pack a trained model into a folder that works anywhere, and upload it if asked."""
    from dhns.sharing.hub import address_of, fetched, push
    from dhns.sharing.pack import pack

    out = Path(config.out).expanduser()
    address = {} if config.to is None else {"address": address_of(config.to)}
    files = pack(fetched(config.checkpoint), out, config.licence, config.with_features, **address)
    for path in files:
        print(f"{path.relative_to(out)}  {path.stat().st_size / 1e6:.2f} MB")
    if config.to is not None:
        print(f"uploaded: {push(out, config.to, config.private)}")
