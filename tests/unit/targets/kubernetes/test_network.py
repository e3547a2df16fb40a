"""NetworkPolicies: everything is denied but what the device file declares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autoclave.device.device_file import load
from autoclave.device.schema import Flow
from autoclave.errors import ConfigError
from autoclave.targets.kubernetes.manifests import Manifest, dump
from autoclave.targets.kubernetes.network import DENY, has_default_deny, make_policies

IMAGES = ["gateway", "database"]


def make(flows: Sequence[Flow]) -> list[Manifest]:
    return make_policies(flows, IMAGES, device="pump", environment="ward")


EXPECTED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: autoclave.pump.ward.default-deny
spec:
  podSelector: {}
  policyTypes:
    - Ingress
    - Egress
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: autoclave.pump.ward.in-gateway-database-NAME
spec:
  podSelector:
    matchLabels:
      dev.autoclave.device: pump
      dev.autoclave.environment: ward
      dev.autoclave.image: database
  policyTypes:
    - Ingress
  ingress:
    - from:
        - podSelector:
            matchLabels:
              dev.autoclave.device: pump
              dev.autoclave.environment: ward
              dev.autoclave.image: gateway
      ports:
        - protocol: TCP
          port: 5432
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: autoclave.pump.ward.out-gateway-database-NAME
spec:
  podSelector:
    matchLabels:
      dev.autoclave.device: pump
      dev.autoclave.environment: ward
      dev.autoclave.image: gateway
  policyTypes:
    - Egress
  egress:
    - to:
        - podSelector:
            matchLabels:
              dev.autoclave.device: pump
              dev.autoclave.environment: ward
              dev.autoclave.image: database
      ports:
        - protocol: TCP
          port: 5432
"""


def specs(*flows: Flow) -> list[dict[str, Any]]:
    return [each.data["spec"] for each in make(flows)[1:]]


def test_a_flow_between_images_opens_both_ends() -> None:
    flow = Flow(source="gateway", to="database", ports=[5432])
    made = make([flow])
    number = made[1].name.rpartition("-")[2]
    assert dump(made) == EXPECTED.replace("NAME", number)
    assert dump(make([flow])) == dump(made)


def test_outside_is_any_address_of_both_families() -> None:
    (spec,) = specs(Flow(source="outside", to="gateway", ports=[8443]))
    assert spec["podSelector"] == {
        "matchLabels": {
            "dev.autoclave.device": "pump",
            "dev.autoclave.environment": "ward",
            "dev.autoclave.image": "gateway",
        }
    }
    blocks = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
    assert spec["ingress"] == [{"from": blocks, "ports": [{"protocol": "TCP", "port": 8443}]}]


def test_name_resolution_asks_the_cluster_alone() -> None:
    (spec,) = specs(Flow(source="gateway", to="dns"))
    (rule,) = spec["egress"]
    assert rule["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ]
    assert rule["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


@pytest.mark.parametrize(
    ("end", "peer"),
    [
        ("10.1.0.0/16", {"ipBlock": {"cidr": "10.1.0.0/16"}}),
        ("10.1.2.3", {"ipBlock": {"cidr": "10.1.2.3/32"}}),
        ("fd00::/8", {"ipBlock": {"cidr": "fd00::/8"}}),
        (
            "namespace/ingress-nginx",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}},
        ),
    ],
)
def test_networks_and_namespaces_are_peers(end: str, peer: dict[str, Any]) -> None:
    (spec,) = specs(Flow(source=end, to="gateway", ports=[1]))
    assert spec["ingress"][0]["from"] == [peer]


def test_without_ports_the_protocol_still_holds() -> None:
    (spec,) = specs(Flow(source="outside", to="gateway", protocol="udp"))
    assert spec["ingress"][0]["ports"] == [{"protocol": "UDP"}]


def test_names_are_valid_and_differ_however_long_the_ends_are() -> None:
    long = "namespace/" + "n" * 60
    flows = [
        msgspec.convert({"from": long + end, "to": "gateway", "ports": [port], "protocol": protocol}, Flow)
        for end in ("a", "b")
        for port in (1, 2)
        for protocol in ("tcp", "udp")
    ]
    names = [each.name for each in make(flows)]
    assert len(set(names)) == 9
    assert all(len(name) <= 253 for name in names)  # a DNS subdomain


def test_only_a_policy_for_all_pods_both_ways_covers_a_namespace() -> None:
    (deny,) = make([])
    assert deny.name == f"autoclave.pump.ward.{DENY}"
    assert has_default_deny([{"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}, deny.data])
    spec = deny.data["spec"]
    for change in (
        {"policyTypes": ["Ingress"]},
        {"podSelector": {"matchLabels": {"a": "b"}}},
        {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
        {"ingress": [{}]},
        {"egress": [{}]},
    ):
        assert not has_default_deny([{"spec": spec | change}])
    assert not has_default_deny([])


DEVICE = """
[device]
name = "pump"
version = "1.0"
safety-class = "B"
[[image]]
name = "gateway"
"""


def flow(source: str, to: str, more: str = "") -> str:
    return f'[[flow]]\nfrom = "{source}"\nto = "{to}"\n{more}\n'


@pytest.mark.parametrize("to", ["dns", "outside", "10.0.0.0/8", "::1", "namespace/monitoring", "gateway"])
def test_the_device_file_may_say(tmp_path: Path, to: str) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE + flow("gateway", to))
    assert load(tmp_path).flow[0].to == to


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (flow("outside", "dns"), "touches no image of the device"),
        (flow("gatway", "gateway"), "the unknown end 'gatway'"),
        (flow("dns", "gateway"), "the unknown end 'dns'"),
        (flow("gateway", "10.0.0.1/8"), "the unknown end '10.0.0.1/8'"),
        (flow("gateway", "10.0.0.0/33"), "the unknown end '10.0.0.0/33'"),
        (flow("gateway", "namespace/"), "the unknown end 'namespace/'"),
        (flow("gateway", "namespace/a/b"), "the unknown end 'namespace/a/b'"),
        (flow("gateway", "namespace/A b"), "the unknown end 'namespace/A b'"),
        (flow("gateway", "dns", "ports = [53]"), "name resolution has its own"),
        (flow("gateway", "outside", "ports = [0]"), "ports"),
        (flow("gateway", "outside", 'protocol = "sctp"'), "protocol"),
        ('[[image]]\nname = "outside"\n' + flow("outside", "gateway"), "an image is called 'outside'"),
    ],
)
def test_the_device_file_may_not_say(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE + text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    assert says in str(refused.value)
