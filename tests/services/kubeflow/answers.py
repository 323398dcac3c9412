"""What a server of Kubeflow Pipelines' v2beta1 API answers, from the state of the server that it belongs to.

Bodies are decoded by the official models; a field that they do not know is refused, as the Go server refuses it.
"""

import json
import re
import time
import uuid
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import kfp_server_api as api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

API = "/apis/v2beta1"
CLIENT = api.ApiClient()


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def decode(body, kind):
    """A body as the official model of this name; unknown fields are refused as the Go server does it."""
    data = json.loads(body)
    _known(data, kind)
    return CLIENT.deserialize(SimpleNamespace(data=body), kind)


def _known(data, kind):
    model = getattr(api, kind, None)
    if model is None or not hasattr(model, "attribute_map") or not isinstance(data, dict):
        return
    names = {spelled: name for name, spelled in model.attribute_map.items()}
    for key, value in data.items():
        if key not in names:
            raise RefusedError(400, f'proto: (line 1:2): unknown field "{key}"')
        _known(value, model.openapi_types[names[key]])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Silent."""

    def do_GET(self):
        self._take("GET")

    def do_POST(self):
        self._take("POST")

    def do_DELETE(self):
        self._take("DELETE")

    def _take(self, method):
        parts = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked, kubeflow = f"{method} {unquote(parts.path)}", self.server
        kubeflow.requests.append(asked)
        kubeflow.tokens.append(self.headers.get("authorization"))
        fault = next((one for one in kubeflow.faults if one.times > 0 and re.search(one.path, asked)), None)
        if fault:
            fault.times -= 1
            time.sleep(fault.seconds)
        answer = None
        if fault is None or fault.acts:
            with kubeflow.lock:
                answer = self._answer(asked)
        if fault is None or (fault.status == 200 and fault.acts):
            self._send(*answer)
        elif fault.status:
            self._send(fault.status, fault.body.encode(), fault.headers)
        else:
            self.close_connection = True

    def _answer(self, asked):
        try:
            if self.server.token and self.headers.get("authorization") != f"Bearer {self.server.token}":
                raise RefusedError(401, f"invalid bearer token: {self.headers.get('authorization')}")
            for pattern, act in ROUTES.items():
                if found := re.fullmatch(pattern, asked):
                    given = act(self, *found.groups())
                    text = given if isinstance(given, bytes) else json.dumps(CLIENT.sanitize_for_serialization(given))
                    return 200, text if isinstance(text, bytes) else text.encode(), {}
            raise RefusedError(404, "Not Found")
        except RefusedError as refused:
            return refused.status, json.dumps({"code": 3, "message": str(refused)}).encode(), {}

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def healthz(self):
        return {"multi_user": True} if self.server.multi_user else {}

    def page(self, items, kind, name):
        if self.query.get("namespace") and not self.server.multi_user:
            raise RefusedError(400, "In single-user mode, the request cannot filter by namespace")
        if self.server.multi_user and not self.query.get("namespace") and not self.query.get("experiment_id"):
            raise RefusedError(400, "Invalid resource references. Namespace is empty")
        for predicate in json.loads(self.query.get("filter") or "{}").get("predicates", []):
            assert set(predicate) == {"operation", "key", "string_value"}
            assert predicate["key"] == "display_name"
            wanted = predicate["string_value"]
            fits = {"EQUALS": wanted.__eq__, "IS_SUBSTRING": lambda text, part=wanted: part in text}
            items = [one for one in items if fits[predicate["operation"]](one.display_name)]
        items = sorted(items, key=lambda one: one.created_at)
        if "desc" in self.query.get("sort_by", ""):
            items.reverse()
        begin = int(self.query.get("page_token") or 0)
        end = begin + min(self.server.page, int(self.query.get("page_size") or 20))
        token = str(end) if end < len(items) else ""
        return getattr(api, f"V2beta1List{kind}Response")(**{name: items[begin:end] or None, "next_page_token": token})

    def list_pipelines_versions(self, pipeline_id):
        if pipeline_id not in self.server.pipelines:
            raise RefusedError(404, f"Pipeline {pipeline_id} not found")
        found = [one for one in self.server.versions.values() if one.pipeline_id == pipeline_id]
        self.query.setdefault("experiment_id", "any")  # versions belong to a pipeline, not to a namespace
        return self.page(found, "PipelineVersions", "pipeline_versions")

    def pipeline_by_name(self, name):
        for one in self.server.pipelines.values():
            if one.name == name and (one.namespace or None) == self.query.get("namespace"):
                return one
        raise RefusedError(404, f"Pipeline {name} not found")

    def create_pipeline(self):
        wanted = decode(self.body, "V2beta1Pipeline")
        if any(one.name == wanted.name for one in self.server.pipelines.values()):
            raise RefusedError(409, f"The name {wanted.name} already exists. Please specify a new name")
        wanted.pipeline_id, wanted.created_at = str(uuid.uuid4()), datetime.now(UTC)
        self.server.pipelines[wanted.pipeline_id] = wanted
        return wanted

    def upload_version(self):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = BytesParser().parsebytes(head + self.body).get_payload()
        assert part.get_param("name", header="content-disposition") == "uploadfile"
        spec, platform = yaml.load_all(part.get_payload(decode=True), Loader=yaml.CSafeLoader)
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        name, pipeline_id = self.query["name"], self.query["pipelineid"]
        if any((one.pipeline_id, one.name) == (pipeline_id, name) for one in self.server.versions.values()):
            raise RefusedError(409, "Failed to create a pipeline version")
        made = api.V2beta1PipelineVersion(
            pipeline_id=pipeline_id,
            pipeline_version_id=str(uuid.uuid4()),
            name=name,
            display_name=self.query.get("display_name", name),
            created_at=datetime.now(UTC),
            pipeline_spec={"pipeline_spec": spec, "platform_spec": platform},
        )
        self.server.versions[made.pipeline_version_id] = made
        return made

    def create_experiment(self):
        wanted = decode(self.body, "V2beta1Experiment")
        if any(one.display_name == wanted.display_name for one in self.server.experiments.values()):
            raise RefusedError(409, f"The name {wanted.display_name} already exists. Please specify a new name")
        wanted.experiment_id, wanted.created_at = str(uuid.uuid4()), datetime.now(UTC)
        wanted.storage_state = "AVAILABLE"
        self.server.experiments[wanted.experiment_id] = wanted
        return wanted

    def _submitted(self, kind):
        if not self.server.plugins and "plugins_input" in json.loads(self.body):
            raise RefusedError(400, 'proto: (line 1:2): unknown field "plugins_input"')
        wanted = decode(self.body, kind)
        if wanted.pipeline_version_reference.pipeline_version_id not in self.server.versions:
            raise RefusedError(404, "PipelineVersion not found")
        if wanted.experiment_id not in self.server.experiments:
            raise RefusedError(404, "Experiment not found")
        wanted.created_at = datetime.now(UTC).replace(microsecond=0)  # Kubeflow keeps whole seconds
        return wanted

    def create_run(self):
        return self.server.begin(self._submitted("V2beta1Run"))

    def get_run(self, run_id):
        if run_id not in self.server.runs:
            raise RefusedError(404, f"Run {run_id} not found")
        run = self.server.runs[run_id]
        if self.server.runs_ir:
            self.server.observe(run)
        return run

    def terminate(self, run_id):
        self.get_run(run_id).state = "CANCELED"
        return {}

    def list_runs(self):
        wanted = self.query.get("experiment_id")
        return self.page([one for one in self.server.runs.values() if one.experiment_id == wanted], "Runs", "runs")

    def log(self, run_id, node):
        path = self.server.folder / run_id / "log"
        if not path.exists() or node not in {one.task_id for one in self.server.runs[run_id].run_details.task_details}:
            raise RefusedError(500, "no log")
        return path.read_bytes()

    def create_recurring(self):
        wanted = self._submitted("V2beta1RecurringRun")
        if not 1 <= int(wanted.max_concurrency or 0) <= 10:
            raise RefusedError(400, "Max concurrency of a recurring run must be at least 1 and at most 10")
        wanted.recurring_run_id = str(uuid.uuid4())
        wanted.status, wanted.service_account = "ENABLED", wanted.service_account or "pipeline-runner"
        self.server.recurring[wanted.recurring_run_id] = wanted
        return wanted

    def _recurring(self, recurring_run_id):
        if recurring_run_id not in self.server.recurring:
            raise RefusedError(404, f"RecurringRun {recurring_run_id} not found")
        return self.server.recurring[recurring_run_id]

    def switch(self, recurring_run_id, verb):
        self._recurring(recurring_run_id).status = {"enable": "ENABLED", "disable": "DISABLED"}[verb]
        return {}

    def delete_recurring(self, recurring_run_id):
        self._recurring(recurring_run_id)
        del self.server.recurring[recurring_run_id]
        return {}


def _list(store, kind, name):
    return lambda handler: handler.page(list(getattr(handler.server, store).values()), kind, name)


_ID = r"([\w-]+)"
ROUTES = {
    f"GET {API}/healthz": Handler.healthz,
    f"GET {API}/pipelines/names/{_ID}": Handler.pipeline_by_name,
    f"POST {API}/pipelines": Handler.create_pipeline,
    f"POST {API}/pipelines/upload_version": Handler.upload_version,
    f"GET {API}/pipelines/{_ID}/versions": Handler.list_pipelines_versions,
    f"GET {API}/experiments": _list("experiments", "Experiments", "experiments"),
    f"POST {API}/experiments": Handler.create_experiment,
    f"GET {API}/runs": Handler.list_runs,
    f"POST {API}/runs": Handler.create_run,
    f"GET {API}/runs/{_ID}": Handler.get_run,
    f"POST {API}/runs/{_ID}:terminate": Handler.terminate,
    f"GET /apis/v1alpha1/runs/{_ID}/nodes/{_ID}/log": Handler.log,
    f"GET {API}/recurringruns": _list("recurring", "RecurringRuns", "recurring_runs"),
    f"POST {API}/recurringruns": Handler.create_recurring,
    f"POST {API}/recurringruns/{_ID}:(enable|disable)": Handler.switch,
    f"DELETE {API}/recurringruns/{_ID}": Handler.delete_recurring,
}
