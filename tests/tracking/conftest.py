"""Nothing of this machine's W&B reaches the tests, and nothing of theirs stays on it."""

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra


@pytest.fixture(scope="module", autouse=True)
def _own_wandb(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wandb_home")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("API_KEY", "IDENTITY_TOKEN_FILE", "MODE", "BASE_URL"):
            patch.delenv(f"WANDB_{name}", raising=False)
        patch.delenv("DHNS_WANDB_OFFLINE", raising=False)
        for name in ("DATA_DIR", "CACHE_DIR", "CONFIG_DIR"):
            patch.setenv(f"WANDB_{name}", str(folder))
        patch.setenv("NETRC", str(folder / "netrc"))
        yield
    torch.set_num_threads(threads)
    GlobalHydra.instance().clear()
