"""Makes the pipelines' account on the MLflow server, or gives it the password that its Secret has now."""

import os

from mlflow.exceptions import RestException
from mlflow.server import get_app_client

client = get_app_client("basic-auth", tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
name, password = os.environ["ACCOUNT_USERNAME"], os.environ["ACCOUNT_PASSWORD"]
try:
    client.create_user(name, password)
    print(f"{name}: made")
except RestException as error:
    if error.error_code != "RESOURCE_ALREADY_EXISTS":
        raise
    client.update_user_password(name, password)
    print(f"{name}: was there, has the password of its Secret")
