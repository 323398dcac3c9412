"""A server that speaks Kubeflow Pipelines' v2beta1 API, and runs what is submitted in a process of its own."""

import json
import os
import re
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import kfp_server_api as api
import yaml

from tests.services.kubeflow.answers import Handler

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

    def fire(self, recurring):
        """What Kubeflow's scheduled workflow does at the hour: a run of it, which is executed."""
        run = api.V2beta1Run(
            display_name=f"{recurring.display_name}-1",
            experiment_id=recurring.experiment_id,
            pipeline_version_reference=recurring.pipeline_version_reference,
            runtime_config=recurring.runtime_config,
            service_account=recurring.service_account,
            recurring_run_id=recurring.recurring_run_id,
        )
        return self.begin(run)

    def begin(self, run):
        """A new run, pending or executed."""
        run.run_id, run.state, run.created_at = str(uuid.uuid4()), "PENDING", datetime.now(UTC).replace(microsecond=0)
        run.run_details = api.V2beta1RunDetails(task_details=[])
        if self.plugin_environment:
            address = api.V2beta1MetadataValue(value="https://mlflow.example/#/experiments/1/runs/2", render_type="URL")
            output = api.V2beta1PluginOutput(entries={"run_url": address}, state="PLUGIN_SUCCEEDED")
            run.plugins_output = {"mlflow": output}
        self.runs[run.run_id] = run
        if self.runs_ir:
            self.execute(run)
        return run

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
