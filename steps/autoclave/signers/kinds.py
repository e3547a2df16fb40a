"""The kinds of keys by which a person or a pipeline can sign: how each is named, and what makes one.

Read in securesystemslib 1.3 (its signers' documentation), and in the manuals of the tools that are named.
"""

from __future__ import annotations

from msgspec import Struct


class Kind(Struct, frozen=True):
    """A kind of key: an example of its URI, how one is made, the extra of the library that opens it."""

    title: str
    uri: str
    steps: tuple[str, ...]
    extra: str = ""


KINDS = (
    Kind(
        "a file, encrypted with a passphrase",
        "file:/home/ada/.config/autoclave/keys/ada-2026.pem",
        (
            'make it: autoclave key new --person ada --person-name "Ada Quality" --role quality',
            "the passphrase is asked for at the terminal; elsewhere add ?passphrase-from=VARIABLE",
        ),
    ),
    Kind(
        "a token or a security module (PKCS#11), such as a YubiKey or SoftHSM",
        "'hsm:2?label=ada'",
        (
            "make it: pkcs11-tool --module LIBRARY --login --keypairgen --key-type EC:prime256v1 --id 02",
            "its public key: pkcs11-tool --module LIBRARY --read-object --type pubkey --id 02 -o ada.der",
            "  and openssl pkey -pubin -inform DER -in ada.der -out ada.pub",
            "PYKCS11LIB names the library; the PIN is asked for, or taken from &passphrase-from=VARIABLE",
        ),
        extra="hsm",
    ),
    Kind(
        "AWS KMS (key spec ECC_NIST_P256, usage SIGN_VERIFY)",
        "awskms:KEY-ID",
        (
            "make it: aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256",
            "its public key: aws kms get-public-key --key-id KEY-ID --query PublicKey --output text",
            "  | base64 -d | openssl pkey -pubin -inform DER -out key.pub",
        ),
        extra="awskms",
    ),
    Kind(
        "Google Cloud KMS (purpose asymmetric signing, EC_SIGN_P256_SHA256)",
        "gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/1",
        (
            "make it: gcloud kms keys create K --keyring R --location L --purpose asymmetric-signing "
            "--default-algorithm ec-sign-p256-sha256",
            "its public key: gcloud kms keys versions get-public-key 1 --key K --keyring R --location L "
            "--output-file key.pub",
        ),
        extra="gcpkms",
    ),
    Kind(
        "Azure Key Vault (EC, P-256)",
        "azurekms://VAULT.vault.azure.net/keys/NAME/VERSION",
        (
            "make it: az keyvault key create --vault-name VAULT --name NAME --kty EC --curve P-256",
            "its public key: az keyvault key download --vault-name VAULT --name NAME --encoding PEM "
            "--file key.pub",
        ),
        extra="azurekms",
    ),
    Kind(
        "Vault or OpenBao (transit engine, ed25519)",
        "hv:NAME/1",
        (
            "make it: vault write -f transit/keys/NAME type=ed25519",
            "VAULT_ADDR and VAULT_TOKEN name server and access, as for the vault command",
        ),
        extra="vault",
    ),
)
