"""The two aliases of a registered model, which end where the rule says however many processes register at once.

MLflow sets an alias whatever stands there, so a process may overwrite what another has set since it looked. Therefore
each version says by a tag when it sets out for ``champion`` and when it is there; a process that has set the alias
looks for versions that were on their way at the same time, and goes on until none of them beats the champion.

A revoked version has neither alias, nor has another version that serves the same network, such as one that a later run
of the same recipe has made: it says by a tag that it is revoked before its aliases are taken away, and whoever has set
one looks for that tag afterwards.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sentei.adapters.mlflow.promotion import Standing, promotes
from sentei.errors import ServiceError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CERTIFIED = "certified"
CHAMPION = "champion"
SHA256 = "certificate_sha256"
NETWORK = "served_sha256"
PROMOTION = "promotion"
REVOKED, REASON = "revoked", "revoked_reason"
_STARTED, _DONE = "started", "done"
_ATTEMPTS = 20


def certified_versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    """Every version that has a certificate, by rising number."""
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        found += [one for one in page if one.tags.get(SHA256)]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: int(one.version))


def is_revoked(version: "ModelVersion") -> bool:
    """Whether somebody has revoked the version's certificate."""
    return bool(version.tags.get(REVOKED))


def serve_alike(one: "ModelVersion", other: "ModelVersion") -> bool:
    """Whether both are one version, or their tags name the same network; a version without the tag is like no other."""
    network = one.tags.get(NETWORK)
    return int(one.version) == int(other.version) or bool(network and network == other.tags.get(NETWORK))


def why_revoked(version: "ModelVersion", among: Iterable["ModelVersion"]) -> str:
    """Why the version gets no alias: it was revoked, or one of these that serves the same network; empty if it may."""
    alike = [one for one in (*among, version) if is_revoked(one) and serve_alike(one, version)]
    if not alike:
        return ""
    told = min(alike, key=lambda one: int(one.version) != int(version.version))  # the version itself comes first
    own = int(told.version) == int(version.version)
    which = "this version" if own else f"version {told.version}, which serves the same network,"
    return f"{which} was revoked at {told.tags[REVOKED]}"


def remove_alias(client: "MlflowClient", alias: str, version: "ModelVersion") -> bool:
    """Take the alias away if it stands at this version, or at one that serves the same network; whether it did.

    MLflow cannot take an alias away on a condition: one that another process moves elsewhere between the looking and
    the taking is lost there, too, until a version is registered again.
    """
    current = _at(client, version.name, alias)
    if current is None or not serve_alike(current, version):
        return False
    client.delete_registered_model_alias(version.name, alias)
    return True


def move_certified(client: "MlflowClient", name: str) -> None:
    """Leave ``certified`` at the newest certified version whose network nobody has revoked; repeating moves it nowhere.

    Raises:
        ServiceError: Other processes kept moving it.
    """
    for _ in range(_ATTEMPTS):
        current, newest = _at(client, name, CERTIFIED), _newest(client, name)
        if current is not None and why_revoked(current, certified_versions(client, name)):
            remove_alias(client, CERTIFIED, current)
            current = None
        if newest is None or (current is not None and int(current.version) >= int(newest.version)):
            return
        client.set_registered_model_alias(name, CERTIFIED, newest.version)
    raise _unstable(name, CERTIFIED)


def move_champion(
    client: "MlflowClient", version: "ModelVersion", standing: Standing, promote: str
) -> tuple[bool, str]:
    """Whether ``champion`` stands at this version in the end, and why.

    Args:
        client: The client.
        version: The certified version.
        standing: What it claims and costs, as its certificate says.
        promote: As for ``promotes``.

    Raises:
        ServiceError: Other processes kept moving it.
    """
    name, mine = version.name, int(version.version)
    # Asked before the champion is: who was there by now stands behind the alias, or was beaten by what does.
    settled = {int(one.version) for one in certified_versions(client, name) if one.tags.get(PROMOTION) == _DONE}
    contenders, reason, state = {mine: standing}, "this version is the champion", version.tags.get(PROMOTION)
    before: ModelVersion | None = None
    for _ in range(_ATTEMPTS):
        champion = _at(client, name, CHAMPION)
        if champion is not None and why_revoked(champion, certified_versions(client, name)):
            if contenders.pop(int(champion.version), None):  # revoked while it was on its way
                champion, before = _give_back(client, champion, before), None
            else:
                champion = None
        number, why = _first_to_take(contenders, champion, promote)
        if number is None:
            break
        if number == mine:
            state, reason = _mark(client, version, _STARTED), why
        client.set_registered_model_alias(name, CHAMPION, str(number))
        before = champion or before
        contenders |= _on_their_way(client, name, settled | {mine})
    else:
        raise _unstable(name, CHAMPION)
    if state == _STARTED:
        _mark(client, version, _DONE)
    if champion is not None and int(champion.version) == mine:
        return True, reason
    if mine not in contenders:
        return False, why_revoked(version, certified_versions(client, name))
    return False, _takes(mine, standing, champion, promote)[1]


def _give_back(client: "MlflowClient", revoked: "ModelVersion", before: "ModelVersion | None") -> "ModelVersion | None":
    """Who is the champion in the place of a revoked one: whoever was it before, unless that one is revoked, too."""
    if before is not None and not why_revoked(before, certified_versions(client, before.name)):
        client.set_registered_model_alias(before.name, CHAMPION, before.version)
        return before
    remove_alias(client, CHAMPION, revoked)
    return None


def _at(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    version = client.get_registered_model(name).aliases.get(alias)
    return client.get_model_version(name, version) if version is not None else None


def _newest(client: "MlflowClient", name: str) -> "ModelVersion | None":
    # A second version of one certificate is about to be deleted by the process that made it.
    first: dict[str, ModelVersion] = {}
    found = certified_versions(client, name)
    for one in found:
        first.setdefault(one.tags[SHA256], one)
    standing = [one for one in first.values() if not why_revoked(one, found)]
    return max(standing, key=lambda one: int(one.version), default=None)


def _on_their_way(client: "MlflowClient", name: str, without: set[int]) -> dict[int, Standing]:
    found, versions = {}, certified_versions(client, name)
    for one in versions:
        if int(one.version) not in without and one.tags.get(PROMOTION) and not why_revoked(one, versions):
            try:
                found[int(one.version)] = Standing.of(one.tags)
            except ValueError:  # nobody can tell any more what it claims, so it is not promoted
                continue
    return found


def _first_to_take(
    contenders: Mapping[int, Standing], champion: "ModelVersion | None", promote: str
) -> tuple[int | None, str]:
    for number, standing in contenders.items():
        if champion is None or int(champion.version) != number:
            takes, why = _takes(number, standing, champion, promote)
            if takes:
                return number, why
    return None, ""


def _takes(number: int, standing: Standing, champion: "ModelVersion | None", promote: str) -> tuple[bool, str]:
    if champion is not None and promote == "certified" and int(champion.version) > number:
        return False, f"the champion, version {champion.version}, was registered later"
    return promotes(standing, champion.tags if champion else None, promote)


def _mark(client: "MlflowClient", version: "ModelVersion", state: str) -> str:
    client.set_model_version_tag(version.name, version.version, PROMOTION, state)
    return state


def _unstable(name: str, alias: str) -> ServiceError:
    return ServiceError(
        f"registered model {name}: expected the alias {alias} to stay where it was set, but it moved {_ATTEMPTS} times "
        "while other processes registered; register again when they have ended"
    )
