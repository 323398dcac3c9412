"""What Kubeflow's answers, and its silences, become: repeated where that helps, made once, and told without a token."""

import os
import ssl
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme

from sentei.adapters.kubeflow.access import HOST, TOKEN, Patience, access
from sentei.adapters.kubeflow.submission import place_of, submit
from sentei.errors import RecipeError, ServiceError
from tests.services.kubeflow.asking import reach
from tests.services.kubeflow.server import Fault, Kubeflow

SECRET = "token-that-no-message-shows"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0])
def test_a_passing_fault_is_outlived(kubeflow, order, status):
    kubeflow.faults = [Fault(f"^{verb}", status, times=2) for verb in ("GET", "POST")]
    assert submit(reach(kubeflow), order).how == "new"
    assert len(kubeflow.runs) == 1


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        ("POST .*/pipelines$", "pipelines"),
        ("POST .*/upload_version", "versions"),
        ("POST .*/experiments", "experiments"),
        ("POST .*/runs", "runs"),
    ],
)
@pytest.mark.parametrize("status", [0, 503, 504])
def test_what_was_made_though_its_answer_was_lost_is_found_and_not_made_again(kubeflow, order, made, kept, status):
    kubeflow.faults = [Fault(made, status, acts=True)]
    assert submit(reach(kubeflow), order).how == "new"
    assert len(getattr(kubeflow, kept)) == 1
    assert len(kubeflow.asked(made)) == 1


def test_an_upload_that_somebody_else_makes_at_the_same_time_is_used(kubeflow, order):
    """Two machines see no such version; both send it; the slower one is told 409 and takes the other's."""
    kubeflow.faults = [Fault("POST .*/upload_version", 409, acts=True, body='{"error_message": "exists"}')]
    assert submit(reach(kubeflow), order).how == "new"
    assert len(kubeflow.versions) == 1


def test_a_name_that_is_taken_but_not_shown_is_an_error_that_says_so(kubeflow, order):
    kubeflow.faults = [Fault("POST .*/experiments", 409, body='{"message": "The name tiny already exists"}')]
    with pytest.raises(ServiceError, match=r"received 409 \(The name tiny already exists\); choose another name"):
        submit(reach(kubeflow), order)


@pytest.mark.parametrize(
    ("status", "advice"),
    [(400, "correct what the server names"), (403, "ask for the rights"), (404, "check the name"), (413, "too small")],
)
def test_a_refusal_is_told_once_with_the_servers_words_and_what_to_do(kubeflow, order, status, advice):
    server = reach(kubeflow)
    kubeflow.faults = [Fault("GET .*/experiments", status, times=9, body='{"message": "said so"}')]
    with pytest.raises(ServiceError, match=rf"received {status} \(said so\)") as caught:
        place_of(server, order)
    assert advice in str(caught.value)
    assert f"asked Kubeflow at {kubeflow.url} to list the experiments named tiny" in str(caught.value)
    assert len(kubeflow.asked("GET .*/experiments")) == 1


def test_faults_that_last_end_after_so_many_tries(kubeflow, order):
    server = reach(kubeflow)
    kubeflow.faults = [Fault("GET .*/experiments", 503, times=99)]
    with pytest.raises(ServiceError, match=r"received 503 .* after 3 tries"):
        place_of(server, order)
    assert len(kubeflow.asked("GET .*/experiments")) == 3


@pytest.mark.parametrize("said", ["0", lambda: formatdate(time.time() - 5, usegmt=True)])
def test_a_wait_that_the_server_names_is_taken_instead_of_our_own(kubeflow, said):
    """Our own first wait would be an hour."""
    header = said if isinstance(said, str) else said()
    kubeflow.faults = [Fault("GET .*/healthz", 429, headers={"Retry-After": header})]
    assert reach(kubeflow, Patience(first=3600, longest=7200, total=10)).multi_user is False


def test_a_wait_longer_than_the_patience_is_not_begun(kubeflow):
    kubeflow.faults = [Fault("GET .*/healthz", 429, headers={"Retry-After": "3600"})]
    with pytest.raises(ServiceError, match=r"received 429 .*too much is asked"):
        reach(kubeflow, Patience(longest=7200, total=10))


def test_a_host_that_never_answers_is_given_up(kubeflow):
    kubeflow.faults = [Fault("GET .*/healthz", times=9, seconds=1)]
    with pytest.raises(ServiceError, match="it did not answer in time after 2 tries; check that the server is well"):
        reach(kubeflow, Patience(attempts=2, first=0.01, answer=0.1, total=10))


def test_a_host_where_nothing_listens_is_named(kubeflow):
    kubeflow.close()
    with pytest.raises(ServiceError, match=r"cannot be reached \(NewConnectionError\) after 3 tries; check --host"):
        reach(kubeflow)


@pytest.mark.parametrize("path", ["GET .*/healthz", "GET .*/experiments"])
@pytest.mark.parametrize("body", ["<!doctype html><html>log in</html>", "[]", "ok"])
def test_a_host_that_is_no_kubeflow_is_told_apart(kubeflow, order, path, body):
    kubeflow.faults = [Fault(path, 200, body=body)]
    with pytest.raises(ServiceError, match="instead of an answer of Kubeflow Pipelines; check that --host"):
        place_of(reach(kubeflow), order)


def test_a_way_to_a_login_page_is_not_followed(kubeflow):
    kubeflow.faults = [Fault("GET .*/healthz", 302, body="", headers={"Location": f"{kubeflow.url}/dex/auth"})]
    with pytest.raises(ServiceError, match="a login stands before Kubeflow: name a token"):
        reach(kubeflow)
    assert kubeflow.asked("dex") == []


def test_an_answer_without_the_routes_of_version_2_is_told_apart(kubeflow):
    kubeflow.faults = [Fault("GET .*/healthz", 404, body="404 page not found")]
    with pytest.raises(ServiceError, match="say whether it is well, received 404"):
        reach(kubeflow)


@pytest.fixture
def tls(tmp_path, kubeflow):
    """A server with a certificate of an authority that the public ones do not vouch for; and that authority's file."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = Kubeflow(tmp_path / "tls", context)
    yield server, tmp_path / "ca.pem"
    server.close()


def test_a_certificate_of_an_authority_that_was_named_is_trusted(tls):
    server, ca = tls
    assert reach(server, ca=ca).multi_user is False


def test_a_certificate_of_an_unknown_authority_is_refused_at_once(tls):
    server, _ = tls
    with pytest.raises(ServiceError, match=r"the connection is not safe .*check --ca"):
        reach(server)
    assert server.requests == []


def test_a_wrong_token_is_refused_and_never_printed(kubeflow, tmp_path):
    """The server's own message repeats the token that it received."""
    kubeflow.token = "right"
    (tmp_path / "token").write_text(SECRET)
    with pytest.raises(ServiceError, match=r"received 401 .*the token came from .*/token; renew the token") as caught:
        reach(kubeflow, token_file=tmp_path / "token")
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)


def test_without_a_token_the_refusal_says_how_to_name_one(kubeflow):
    kubeflow.token = "right"
    with pytest.raises(ServiceError, match="no token was sent; name one with --token-file"):
        reach(kubeflow)


def test_a_token_file_is_read_before_every_request(kubeflow, order, tmp_path):
    kubeflow.token = "first"
    token = tmp_path / "token"
    token.write_text("first\n")
    server = reach(kubeflow, token_file=token)
    kubeflow.token = "second"
    token.write_text("second\n")
    assert submit(server, order).how == "new"
    assert set(kubeflow.tokens) == {"Bearer first", "Bearer second"}


def test_a_token_that_expires_in_the_middle_is_tried_again_once_its_file_was_renewed(kubeflow, order, tmp_path):
    """The file is renewed while the refusal is on its way."""
    kubeflow.token, token = "first", tmp_path / "token"
    token.write_text("first")
    server = reach(kubeflow, token_file=token)
    kubeflow.token = "second"
    kubeflow.faults = [Fault("GET .*/names/", 401, seconds=0.3, body='{"message": "expired"}')]
    renewal = threading.Timer(0.1, token.write_text, ["second"])
    renewal.start()
    assert submit(server, order).how == "new"
    renewal.join()


def test_a_token_comes_from_the_option_else_the_environment_else_the_pod(kubeflow, tmp_path, monkeypatch):
    for name in ("option", "pod"):
        (tmp_path / name).write_text(f"of-{name}")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "pod"))
    reach(kubeflow)
    monkeypatch.setenv(TOKEN, "of-environment")
    reach(kubeflow)
    reach(kubeflow, token_file=tmp_path / "option")
    assert kubeflow.tokens == ["Bearer of-pod", "Bearer of-environment", "Bearer of-option"]


def test_a_cookie_that_kfps_own_configuration_holds_is_sent(kubeflow, tmp_path):
    (tmp_path / ".config" / "kfp").mkdir(parents=True)
    context = (
        '{"namespace": "", "client_authentication_header_name": "X-Auth", "client_authentication_header_value": "1"}'
    )
    (tmp_path / ".config" / "kfp" / "context.json").write_text(context)
    assert reach(kubeflow)._client.default_headers["X-Auth"] == "1"


@pytest.mark.parametrize("content", [None, ""])
def test_a_token_file_without_a_token_is_named(kubeflow, tmp_path, content):
    if content is not None:
        (tmp_path / "token").write_text(content)
    with pytest.raises(ServiceError, match="token: expected a token of Kubeflow"):
        reach(kubeflow, token_file=tmp_path / "token")


@pytest.mark.parametrize("host", ["kubeflow.example", "ftp://kubeflow.example", "https://me:secret@kubeflow.example"])
def test_what_cannot_be_a_host_is_refused_without_its_password(host):
    with pytest.raises(RecipeError, match="expected http://") as caught:
        access(host, None, None, None)
    assert "secret" not in str(caught.value)


def test_without_a_host_the_error_says_where_one_is_named(monkeypatch):
    for name in (HOST, "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RecipeError, match=f"--host: expected the URL of Kubeflow Pipelines.*{HOST}"):
        access(None, None, None, None)


def test_a_pod_of_the_cluster_asks_the_service_by_its_name(monkeypatch):
    monkeypatch.delenv(HOST, raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert access(None, None, None, None).host == "http://ml-pipeline.kubeflow.svc.cluster.local:8888"


def test_a_file_of_certificates_that_is_not_there_is_named():
    with pytest.raises(RecipeError, match="--ca: expected a file with certificates"):
        access("https://kubeflow.example", None, Path(os.devnull) / "ca.pem", None)
