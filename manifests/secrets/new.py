"""Makes what kustomization.yaml reads: random keys and passwords, each in a file that only its owner can read.

A file that is there stays as it is. To rotate a credential, remove its file and run this again; the keys of all S3
identities also stand in ``s3.json``, which is written anew from theirs each time.
"""

import base64
import json
import os
import secrets
from pathlib import Path

# Which identity of the object store may do what, and on which bucket.
ACTIONS = {
    "admin": ["Admin", "Read", "Write", "List", "Tagging"],
    "mlflow": ["Read:mlflow", "Write:mlflow", "List:mlflow"],
    "pipelines": [
        *("Read:sentei-data", "List:sentei-data"),
        *("Read:sentei-exchange", "Write:sentei-exchange", "List:sentei-exchange"),
        *("Read:sentei-ledger", "Write:sentei-ledger", "List:sentei-ledger"),
        *("Read:sentei-released", "Write:sentei-released", "List:sentei-released"),
    ],
}


def word(n_bytes: int = 24) -> str:
    """A word that nobody guesses, of letters, digits, ``-`` and ``_``."""
    return secrets.token_urlsafe(n_bytes)


def identity() -> dict[str, str]:
    """A new pair of keys for S3, by the names that pipelines know; a server's are in capitals, as boto3 reads them."""
    return {"access_key_id": secrets.token_hex(10).upper(), "secret_access_key": word(30)}


def write(path: Path, text: str) -> None:
    """The text under this name, whole or not at all, for its owner's eyes."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def keep(folder: Path, name: str, fresh: dict[str, str]) -> dict[str, str]:
    """The variables in a file, which is made from fresh ones if it is not there."""
    path = folder / f"{name}.env"
    if not path.exists():
        write(path, "".join(f"{key}={value}\n" for key, value in fresh.items()))
        print(f"{path.name}: made")
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def main(folder: Path) -> None:
    """Make every file that is missing, and the object store's list of identities from the keys that are there."""
    keep(folder, "database", {"PGUSER": "mlflow", "PGPASSWORD": word()})
    forms, webhooks = word(32), base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    auth = {"MLFLOW_FLASK_SERVER_SECRET_KEY": forms, "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": webhooks}
    keep(folder, "auth", {"MLFLOW_AUTH_ADMIN_PASSWORD": word(), **auth})
    keep(folder, "pipelines", {"username": "sentei", "password": word()})
    keep(folder / "kubeflow", "store", {"accesskey": secrets.token_hex(10), "secretkey": word(30)})
    identities = []
    for name, actions in ACTIONS.items():
        fresh = (
            identity() if name == "pipelines" else {f"AWS_{key.upper()}": value for key, value in identity().items()}
        )
        access, secret = keep(folder, f"s3-{name}", fresh).values()
        credentials = {"accessKey": access, "secretKey": secret}
        identities.append({"name": name, "credentials": [credentials], "actions": actions})
    write(folder / "s3.json", json.dumps({"identities": identities}, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(__file__).resolve().parent)
