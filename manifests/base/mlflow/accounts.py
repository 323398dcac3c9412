"""Makes the pipelines' account on the MLflow server, or gives it the password that its Secret has now."""

import base64
import json
import os
import urllib.request
from urllib.error import HTTPError

TRACKING_URI = os.environ["MLFLOW_TRACKING_URI"]
ADMIN = f"{os.environ['MLFLOW_TRACKING_USERNAME']}:{os.environ['MLFLOW_TRACKING_PASSWORD']}"
ACCOUNT = {"username": os.environ["ACCOUNT_USERNAME"], "password": os.environ["ACCOUNT_PASSWORD"]}


def ask(method: str, path: str) -> None:
    """Send the account to one of the server's addresses for users, as the administrator."""
    headers = {
        "Authorization": f"Basic {base64.b64encode(ADMIN.encode()).decode()}",
        "Content-Type": "application/json",
    }
    url = f"{TRACKING_URI}/api/2.0/mlflow/users/{path}"
    request = urllib.request.Request(url, json.dumps(ACCOUNT).encode(), headers, method=method)
    urllib.request.urlopen(request, timeout=60).close()


try:
    ask("POST", "create")
    print(f"{ACCOUNT['username']}: made")
except HTTPError as error:
    with error:
        if json.load(error).get("error_code") != "RESOURCE_ALREADY_EXISTS":
            raise
    ask("PATCH", "update-password")
    print(f"{ACCOUNT['username']}: was there, has the password of its Secret")
