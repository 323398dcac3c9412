"""A server that takes Kubeflow Pipelines' v2beta1 API at its word, and runs what is submitted in a process of its own.

Bodies are decoded by the official models; a field that they do not know is refused, as the Go server refuses it.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import kfp_server_api as api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

API = "/apis/v2beta1"
# Runs the submitted IR where kfp's patches of printing and logging harm nobody.
RUN = """
import json, sys
from kfp import components, local
from pathlib import Path
folder = Path(sys.argv[1])
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "root"))
pipeline = components.load_component_from_text((folder / "ir.yaml").read_text())
pipeline(**json.loads((folder / "parameters.json").read_text()))
"""
_COLOUR = re.compile(r"\x1b\[\d*m")
_BEGUN = re.compile(r"Executing task '([\w-]+)'")
_ENDED = re.compile(r"Task '([\w-]+)' finished with status (\w+)")
CLIENT = api.ApiClient()


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@dataclass
class Fault:
    """What happens to the next requests that fit, instead of or after what they ask for.

    Attributes:
        path: Found in ``METHOD /path``, a regular expression.
        status: Of the answer; 0 closes the connection without one.
        times: How many requests.
        acts: Whether the request is carried out first, and only its answer is lost.
    """

    path: str
    status: int = 503
    times: int = 1
    acts: bool = False
    body: str = '{"code": 14, "message": "try again later"}'
    headers: dict = field(default_factory=dict)
    seconds: float = 0


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


class Kubeflow(ThreadingHTTPServer):
    """The server; its state can be looked at, and its moods set, from outside.

    Attributes:
        folder: Where runs work.
        token: The one that is asked for; None asks for none.
        plugins: Whether it knows ``plugins_input``.
        plugin_environment: What its MLflow plugin gives to every step; nothing without a plugin at work.
        runs_ir: Whether submitted pipelines really run; otherwise they stay pending.
        page: Most items of one page.
        requests: Everything that was asked, as ``METHOD /path``.
    """

    daemon_threads = True

    def __init__(self, folder, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.scheme = Path(folder), "https" if context else "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.token, self.plugins, self.multi_user, self.runs_ir, self.page = None, True, False, False, 2
        self.pipelines, self.versions, self.experiments, self.runs, self.recurring = {}, {}, {}, {}, {}
        self.requests, self.faults, self.processes, self.tokens = [], [], [], []
        self.lock, self.plugin_environment = threading.RLock(), {}
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that left, or that does not trust the certificate, is no news."""

    def close(self):
        self.shutdown()
        self.server_close()
        for process in self.processes:
            process.kill()
            process.wait()

    def asked(self, pattern):
        return [line for line in self.requests if re.search(pattern, line)]

    def execute(self, run):
        """Run the IR that the run's version holds, with its parameters, and keep its state up to date."""
        folder = self.folder / run.run_id
        folder.mkdir(parents=True)
        spec = self.versions[run.pipeline_version_reference.pipeline_version_id].pipeline_spec["pipeline_spec"]
        (folder / "ir.yaml").write_text(yaml.safe_dump(spec))
        (folder / "parameters.json").write_text(json.dumps(run.runtime_config.parameters))
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-c", RUN, str(folder)]
            environment = {**os.environ, **self.plugin_environment}
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        self.processes.append(process)
        run.state = "RUNNING"
        threading.Thread(target=self._end, args=(run, process), daemon=True).start()

    def _end(self, run, process):
        code = process.wait()
        with self.lock:
            self.observe(run)
            run.state, run.finished_at = ("SUCCEEDED" if code == 0 else "FAILED"), datetime.now(UTC)

    def observe(self, run):
        """The tasks of a run, as its log tells of them; around each the nodes that Argo shows beside it."""
        log = self.folder / run.run_id / "log"
        told = _COLOUR.sub("", log.read_text(errors="replace")) if log.exists() else ""
        seen = {one.task_id: one for one in run.run_details.task_details}
        counts = {}
        for line in told.splitlines():
            if begun := _BEGUN.search(line):
                name = begun[1]
                counts[name] = counts.get(name, 0) + 1
                for suffix in ("-driver", ""):
                    self._node(seen, run, f"{name}{suffix}", counts[name])
            if ended := _ENDED.search(line):
                open_ones = [one for one in seen.values() if one.display_name == ended[1] and one.end_time is None]
                for one in open_ones[:1]:
                    one.state = {"SUCCESS": "SUCCEEDED", "FAILURE": "FAILED"}[ended[2]]
                    one.end_time = datetime.now(UTC)
        run.run_details.task_details = list(seen.values())

    def _node(self, seen, run, name, count):
        task_id = f"compress-{run.run_id[:5]}-{name}-{count}"
        if task_id not in seen:
            state = "SUCCEEDED" if name.endswith("-driver") else "RUNNING"
            now = datetime.now(UTC)
            seen[task_id] = api.V2beta1PipelineTaskDetail(
                run_id=run.run_id, task_id=task_id, display_name=name, create_time=now, start_time=now, state=state
            )


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
        run = self._submitted("V2beta1Run")
        run.run_id, run.state = str(uuid.uuid4()), "PENDING"
        run.run_details = api.V2beta1RunDetails(task_details=[])
        if self.server.plugin_environment:
            address = api.V2beta1MetadataValue(value="https://mlflow.example/#/experiments/1/runs/2", render_type="URL")
            output = api.V2beta1PluginOutput(entries={"run_url": address}, state="PLUGIN_SUCCEEDED")
            run.plugins_output = {"mlflow": output}
        self.server.runs[run.run_id] = run
        if self.server.runs_ir:
            self.server.execute(run)
        return run

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
