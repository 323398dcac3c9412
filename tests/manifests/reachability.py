"""Who may open a connection to whom, as the API reference of NetworkPolicy says it."""

from ipaddress import ip_address, ip_network

from tests.manifests.rendered import Object, Pod, namespace_of, of_kind, selects


def isolated(objects: list[Object], pod: Pod, direction: str) -> bool:
    """Whether some policy selects the pod for this direction: only then is anything forbidden."""
    return bool(_policies(objects, pod, direction))


def reaches(objects: list[Object], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether the one's way out and the other's way in are both open."""
    out = _policies(objects, source, "Egress")
    way_in = _policies(objects, target, "Ingress")
    leaves = not out or any(_matches(policy, "egress", "to", target, port, protocol) for policy in out)
    enters = not way_in or any(_matches(policy, "ingress", "from", source, port, protocol) for policy in way_in)
    return leaves and enters


def reaches_address(objects: list[Object], source: Pod, address: str, port: int) -> bool:
    """Whether the pod may speak TCP to an address outside of the cluster."""
    out = _policies(objects, source, "Egress")
    rules = [rule for policy in out for rule in policy["spec"].get("egress", [])]
    return not out or any(
        _port(rule, port, "TCP") and any(_inside(peer.get("ipBlock"), address) for peer in rule.get("to", []))
        for rule in rules
    )


def _policies(objects: list[Object], pod: Pod, direction: str) -> list[Object]:
    return [
        one
        for one in of_kind(objects, "NetworkPolicy")
        if namespace_of(one) == pod.namespace
        and selects(one["spec"]["podSelector"], pod.labels)
        and direction in one["spec"]["policyTypes"]
    ]


def _matches(policy: Object, rules: str, peers: str, other: Pod, port: int, protocol: str) -> bool:
    home = namespace_of(policy)
    return any(
        _port(rule, port, protocol) and any(_peer(peer, other, home) for peer in rule.get(peers, []))
        for rule in policy["spec"].get(rules, [])
    )


def _peer(peer: Object, other: Pod, home: str) -> bool:
    if "ipBlock" in peer:
        return False
    here = {"kubernetes.io/metadata.name": other.namespace}
    near = selects(peer["namespaceSelector"], here) if "namespaceSelector" in peer else other.namespace == home
    return near and selects(peer.get("podSelector", {}), other.labels)


def _port(rule: Object, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return ports is None or any(one["port"] == port and one["protocol"] == protocol for one in ports)


def _inside(block: Object | None, address: str) -> bool:
    if block is None:
        return False
    within = [ip_address(address) in ip_network(cidr) for cidr in (block["cidr"], *block.get("except", []))]
    return within[0] and not any(within[1:])
