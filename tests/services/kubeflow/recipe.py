"""A recipe for a cluster whose volume is a folder of this machine."""

from pathlib import Path

import yaml

IMAGE = "registry.example/sentei:3fa1c09e77b2"


def cluster_recipe(volume, tracking="http://mlflow.example:5000", **changes):
    """The smallest recipe that is certified: digits, one variant; ledger and releases on the volume.

    Of the 1797 digits 597 are in no split: they are fresh rows for a recertification.
    """
    environment = {"HOME": str(volume), "SENTEI_CACHE": f"{volume}/examples"}
    environment |= {"MLFLOW_TRACKING_URI": tracking} if tracking else {}
    return {
        "name": "digits-small",
        "data": {
            "source": "digits",
            "splits": {"train": 400, "scoring": 50, "selection": 250, "calibration": 400, "test": 100},
        },
        "model": {"architecture": "mlp", "kwargs": {"hidden": [16]}},
        "train": {"epochs": 12, "learning_rate": 0.05, "batch_size": 16},
        "family": {"variants": [{"sparsity": 0.3}]},
        "claim": {"kind": "accuracy_drop", "epsilon": 0.1, "delta": 0.05},
        "ledger": {"at": f"{volume}/ledger"},
        "release": {"to": f"{volume}/released"},
        "platform": {
            "image": IMAGE,
            "service_account": "sentei",
            "environment": environment,
            "mounts": [{"claim": "sentei", "at": str(volume)}],
            "every": {"retries": {"count": 0}},
        },
        **changes,
    }


def write(folder, recipe, name="recipe.yaml"):
    path = Path(folder) / name
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return str(path)
