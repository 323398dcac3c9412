"""A server that plays the Kubernetes API for TrainJobs, and runs them: every node is a torchrun on this machine.

It checks bodies against the published schema of the resource, tokens and verbs, keeps resource versions and serves
watches; where a cluster would schedule pods, it starts the trainer's command once for each node.
"""

import copy
import json
import os
import re
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml
from jsonschema import Draft202012Validator

TOKEN, NAMESPACE = "test-token", "team-a"
VERBS = ("get", "create", "delete", "watch")
JOBS = re.compile(rf"/apis/trainer\.kubeflow\.org/v1alpha1/namespaces/{NAMESPACE}/trainjobs(?:/(?P<name>[^/]+))?")
RESERVED = {"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"}
SCHEMA = Path(__file__).with_name("trainer.kubeflow.org_trainjobs.yaml")
FROM_HERE = ("PATH", "HOME", "PYTHONPATH", "LANG", "LD_LIBRARY_PATH")


def now(age: int = 0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def strict(schema):
    """The schema with unknown names refused, as a client that asks for strict validation gets it."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        made.setdefault("additionalProperties", False)
    return made


class Cluster:
    """The state of the namespace; what tests set and see.

    Attributes:
        jobs: By name.
        created: Every body that was accepted.
        refused: Codes with which the next requests are answered, in turn.
        allowed: What the token may do with TrainJobs.
        installed: Whether the server knows TrainJobs at all.
        runs: Whether jobs are executed; else they stand still until `finish`.
        age: Seconds that a new job says it is old.
        secrets: By name, what containers find of them.
        expired: Whether the next watch is told that its version is too old.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.url = folder, ""
        self.jobs, self.created, self.refused, self.events = {}, [], [], []
        self.allowed, self.installed, self.runs, self.expired = set(VERBS), True, False, False
        self.secrets, self.asked, self.pods, self.age = {}, [], {}, 0
        self.changed = threading.Condition(threading.RLock())
        self._version, self._log, self._nodes = 0, [], []
        crd = yaml.load(SCHEMA.read_text(), Loader=yaml.CSafeLoader)
        schema = strict(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        self.validator = Draft202012Validator(schema)

    def complaint(self, body) -> str:
        """Why the API server, or the webhook of the torch plugin, would not take this."""
        found = [f"{one.json_path}: {one.message}" for one in self.validator.iter_errors(body)]
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", body["metadata"]["name"]):
            found.append("metadata.name must match RFC 1035 DNS label format")
        names = {one["name"] for one in body["spec"]["trainer"].get("env", [])}
        return "; ".join(found + [f"must not have reserved envs: {one}" for one in names & RESERVED])

    def create(self, body):
        job = copy.deepcopy(body)
        job["metadata"] |= {"namespace": NAMESPACE, "uid": str(uuid.uuid4()), "creationTimestamp": now(self.age)}
        self.created.append(body)
        self._put("ADDED", job)
        if self.runs:
            threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return self.jobs[job["metadata"]["name"]]

    def finish(self, name: str, kind: str, reason: str = "", message: str = "") -> None:
        with self.changed:
            job = copy.deepcopy(self.jobs[name])
            condition = {"type": kind, "status": "True", "reason": reason or kind, "message": message}
            job["status"] = {"conditions": [{**condition, "lastTransitionTime": now()}]}
            self._put("MODIFIED", job)

    def delete(self, name: str) -> None:
        with self.changed:
            job = self.jobs.pop(name)
            self._log.append((self._next(), {"type": "DELETED", "object": job}))
            self.changed.notify_all()
        self.end_nodes()

    def later(self, name: str, version: int) -> list:
        return [(at, event) for at, event in self._log if at > version and event["object"]["metadata"]["name"] == name]

    def end_nodes(self) -> None:
        for node in self._nodes:
            if node.poll() is None:
                node.terminate()
        for node in self._nodes:
            node.wait()

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _put(self, kind: str, job) -> None:
        with self.changed:
            job["metadata"]["resourceVersion"] = str(self._next())
            self.jobs[job["metadata"]["name"]] = job
            self._log.append((self._version, {"type": kind, "object": copy.deepcopy(job)}))
            self.changed.notify_all()

    def _run(self, job) -> None:
        trainer, name = job["spec"]["trainer"], job["metadata"]["name"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        for rank in range(trainer["numNodes"]):
            self._nodes.append(self._node(trainer, rank, port, self.folder / f"{name}-node-0-{rank}"))
        codes = [node.wait() for node in self._nodes[-trainer["numNodes"] :]]
        if name in self.jobs:
            ended = ("Complete", "AllJobsCompleted", "ok") if not any(codes) else ("Failed", "JobsFailed", str(codes))
            self.finish(name, *ended)

    def _node(self, trainer, rank: int, port: int, disk: Path) -> subprocess.Popen:
        disk.mkdir(parents=True, exist_ok=True)
        env = {name: os.environ[name] for name in FROM_HERE if name in os.environ}
        for one in trainer["env"]:
            wanted = one.get("valueFrom", {}).get("secretKeyRef")
            env[one["name"]] = self.secrets[wanted["name"]][wanted["key"]] if wanted else one["value"]
        env |= {"PET_NNODES": str(trainer["numNodes"]), "PET_NPROC_PER_NODE": str(trainer["numProcPerNode"])}
        env |= {"PET_NODE_RANK": str(rank), "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(port)}
        env |= {"TMPDIR": str(disk), "SENTEI_CACHE": str(disk / "cache")}  # each node has a disk of its own
        command = [sys.executable if part == "python" else part for part in trainer["command"]]
        with (disk / "log").open("wb") as log:
            return subprocess.Popen(command, env=env, stdout=log, stderr=log)


class Handler(BaseHTTPRequestHandler):
    cluster: Cluster

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == f"/api/v1/namespaces/{NAMESPACE}/events":
            items = [
                {"metadata": {}, "involvedObject": {}, "reason": one[0], "message": one[1]}
                for one in self.cluster.events
            ]
            self._answer(200, {"kind": "EventList", "apiVersion": "v1", "items": items})
            return
        if url.path.startswith(f"/api/v1/namespaces/{NAMESPACE}/pods/"):
            name = url.path.rpartition("/")[2]
            self._answer(200, self.cluster.pods[name]) if name in self.cluster.pods else self._status(404, "no pod")
            return
        if query.get("watch"):
            if self._admitted("watch"):
                self._watch(query)
            return
        if self._admitted("get"):
            job = self.cluster.jobs.get(self._name())
            self._answer(200, job) if job else self._status(404, f'trainjobs "{self._name()}" not found')

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._admitted("create"):
            return
        name, complaint = body["metadata"]["name"], self.cluster.complaint(body)
        with self.cluster.changed:
            if complaint:
                self._status(422, complaint)
            elif name in self.cluster.jobs:
                self._status(409, f'trainjobs "{name}" already exists')
            else:
                self._answer(201, self.cluster.create(body))

    def do_DELETE(self):
        options = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if not self._admitted("delete"):
            return
        job = self.cluster.jobs.get(self._name())
        if job is None:
            self._status(404, f'trainjobs "{self._name()}" not found')
        elif options.get("preconditions", {}).get("uid", job["metadata"]["uid"]) != job["metadata"]["uid"]:
            self._status(409, "the UID in the precondition does not match")
        else:
            self.cluster.delete(self._name())
            self._answer(200, {"kind": "Status", "status": "Success"})

    def _name(self) -> str:
        return JOBS.fullmatch(urlsplit(self.path).path)["name"]

    def _admitted(self, verb: str) -> bool:
        self.cluster.asked.append(verb)
        user = "system:serviceaccount:team-a:steps"
        if self.cluster.refused:
            self._status(self.cluster.refused.pop(0), "the server is not ready")
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._status(401, "Unauthorized")
        elif not self.cluster.installed or not JOBS.fullmatch(urlsplit(self.path).path):
            self._status(404, "the server could not find the requested resource")
        elif verb not in self.cluster.allowed:
            self._status(403, f'trainjobs.trainer.kubeflow.org is forbidden: User "{user}" cannot {verb} it')
        else:
            return True
        return False

    def _watch(self, query) -> None:
        name, version = query["fieldSelector"].removeprefix("metadata.name="), int(query["resourceVersion"])
        self.send_response(200)
        self.end_headers()
        if self.cluster.expired:
            self.cluster.expired = False
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            self._line({"type": "ERROR", "object": status})
            return
        with self.cluster.changed:
            if not self.cluster.later(name, version):
                self.cluster.changed.wait(float(query["timeoutSeconds"]))
            for _, event in self.cluster.later(name, version):
                self._line(event)

    def _line(self, event) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")

    def _status(self, code: int, message: str) -> None:
        self._answer(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})

    def _answer(self, code: int, body) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def kubernetes_api(folder: Path):
    """A server on a free port, and a kubeconfig in ``folder`` that leads to it."""
    cluster = Cluster(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cluster": cluster}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": cluster.url}}],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        cluster.end_nodes()
