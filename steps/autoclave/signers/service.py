"""A key of a token or a key service, whose errors are those of whoever it is."""

from __future__ import annotations

from securesystemslib.signer import Key, SecretsHandler, Signature, Signer

from autoclave.errors import AutoclaveError, SignerError


class ServiceSigner(Signer):
    """Signs with another signer, and says in words why that one does not."""

    def __init__(self, inner: Signer, scheme: str) -> None:
        self._inner, self._scheme = inner, scheme

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        """Open a key by its URI, as the library does."""
        return cls(
            Signer.from_priv_key_uri(priv_key_uri, public_key, secrets_handler),
            priv_key_uri.partition(":")[0],
        )

    @property
    def public_key(self) -> Key:
        """The public half."""
        return self._inner.public_key

    def sign(self, payload: bytes) -> Signature:
        """Sign. Raises SignerError when the token or the service does not."""
        try:
            return self._inner.sign(payload)
        except AutoclaveError:
            raise
        except Exception as error:  # every key service raises its own errors
            raise SignerError(
                f"the key {self._scheme}:… does not sign",
                why=f"{type(error).__name__}: {error}",
                next="check PIN, permissions and connection, as with the service's own command; then repeat",
            ) from error
