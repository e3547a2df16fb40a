"""A digest in full and in short, and what NAME=DIGEST means: the same for every option that takes it."""

from __future__ import annotations

import pytest

from autoclave.errors import StoreError, UsageError
from autoclave.model.digest import Digest, Digests, digest_of

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def test_a_digest_has_its_hexadecimal_digits_and_a_short_form_for_people() -> None:
    digest = Digest(digest_of(b"content"))
    assert f"sha256:{digest.hex}" == digest.text
    assert digest.short == f"{digest.text[:19]}…"


def test_no_digest_has_nothing_to_show() -> None:
    assert (Digest("").hex, Digest("").short) == ("", "")


def test_digests_are_given_by_name() -> None:
    digests = Digests.parse(f"app={A},exporter={B}", ["app", "exporter"])
    assert (digests.of("app"), digests.of("exporter")) == (A, B)


def test_digests_of_other_images_do_no_harm() -> None:
    assert Digests.parse(f"app={A},exporter={B}", ["app"]).of("app") == A


def test_one_bare_digest_is_the_only_image_s() -> None:
    digests = Digests.parse(A, ["app"])
    assert digests.of("app") == A
    assert digests.of("other") == ""


def test_without_a_digest_every_image_is_the_one_built_last() -> None:
    assert Digests.parse("", ["app", "exporter"]).of("app") == ""


def test_a_digest_that_is_not_given_is_never_guessed() -> None:
    with pytest.raises(UsageError, match="--digest gives no digest for the image 'other'"):
        Digests.parse(f"app={A}", ["app", "other"]).of("other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"={A}", "a digest without the name of its image"),
        (f"app={A},={B}", "a digest without the name of its image"),
        (f"app={A},app={B}", "two digests for the image 'app'"),
        (f"app={A},app={A}", "two digests for the image 'app'"),
        ("app=", "no digest for the image 'app'"),
        (f"app={A},exporter=", "no digest for the image 'exporter'"),
        (f"app={A},", "not NAME=DIGEST"),
        (f"app={A},{B}", "not NAME=DIGEST"),
        (f"app={A};exporter={B}", "is not an image digest"),
        (A, "one digest for several images"),
    ],
)
def test_malformed_digests_are_refused(text: str, message: str) -> None:
    with pytest.raises((UsageError, StoreError), match=message):
        Digests.parse(text, ["app", "exporter"])


@pytest.mark.parametrize("text", ["latest", "app=latest", "app=sha256:12", f"app={A.upper()}"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="is not an image digest"):
        Digests.parse(text, ["app"])


def test_a_message_names_the_option() -> None:
    with pytest.raises(UsageError, match=r"^--to has two digests"):
        Digests.parse(f"app={A},app={B}", ["app"], option="--to")
