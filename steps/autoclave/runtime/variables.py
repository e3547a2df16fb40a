"""Which variables of a job never enter a build or a test, whoever names them."""

from __future__ import annotations

_PREFIXES = (
    "ACTIONS_",  # CI hosts
    "BUILDKITE_",
    "CI_",
    "CIRCLE_",
    "FF_",
    "GITHUB_",
    "GITLAB_",
    "HUDSON_",
    "JENKINS_",
    "RUNNER_",
    "SYSTEM_",  # Azure Pipelines
    "ALICLOUD_",  # clouds
    "ARM_",
    "AWS_",
    "AZURE_",
    "CLOUDSDK_",
    "DIGITALOCEAN_",
    "GCLOUD_",
    "GCP_",
    "GOOGLE_",
    "HCLOUD_",
    "IBMCLOUD_",
    "OCI_",
    "OS_",  # OpenStack
    "BUILDKIT_",  # engines, registries and clusters
    "BUILDX_",
    "CONTAINER_",
    "CONTAINERS_",
    "DOCKER_",
    "HELM_",
    "KUBE",
    "PODMAN_",
    "REGISTRY_",
    "COSIGN_",  # keys
    "GNUPG",
    "GPG_",
    "PKCS11_",
    "SIGSTORE_",
    "SOFTHSM2_",
    "SSH_",
    "VAULT_",
    "AUTOCLAVE_",  # ours
)
_ENDINGS = ("PASSPHRASE", "_PIN")
"""What variables end in that open a key: `?passphrase-from=` names them."""

_NAMES = frozenset({"KUBECONFIG", "NETRC", "TRIVY_PASSWORD", "TRIVY_TOKEN", "TRIVY_USERNAME"})


def is_reserved(name: str) -> bool:
    """Return whether a variable is a CI host's, a registry's, a cloud's, a key's or Autoclave's own."""
    upper = name.upper()
    return upper.startswith(_PREFIXES) or upper.endswith(_ENDINGS) or upper in _NAMES
