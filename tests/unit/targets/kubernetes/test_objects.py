"""Names that a repository may not give its objects: those of what Autoclave makes itself."""

from __future__ import annotations

import pytest

from autoclave.device.schema import Environment
from autoclave.errors import ConfigError
from autoclave.targets.base import Rollout
from autoclave.targets.kubernetes.manifests import read
from autoclave.targets.kubernetes.network import DENY
from autoclave.targets.kubernetes.objects import make_objects

OPEN = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: NAME}
spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
"""
ROLLOUT = Rollout(
    device="pump",
    environment=Environment(name="clinic", target="kubernetes"),
    services=(),
)


@pytest.mark.parametrize(
    "text",
    [
        OPEN.replace("NAME", f"autoclave.pump.clinic.{DENY}"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: autoclave.pump.clinic}\n",
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: autoclave.pump.clinic}\n",
    ],
)
def test_no_manifest_takes_the_name_of_what_we_make(text: str) -> None:
    with pytest.raises(ConfigError, match="reserved for what Autoclave makes itself"):
        make_objects(ROLLOUT, "clinic", "r.example/pump", read(text, "deploy/open.yaml"))
