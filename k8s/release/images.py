"""The serving image with the user's models in it: made of the serving image, the one before, and the new version."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from release.state import Model, State

READABLE = 0o444
ENTERABLE = 0o555

DOCKERFILE = """\
FROM {previous} AS previous
FROM {serving}
{copies}"""


class ImageError(Exception):
    """An image that cannot be made; the text says what to do."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that is not in any image yet.

    Attributes:
        name: The model's.
        version: Its number.
        folder: Its SavedModel.
    """

    name: str
    version: int
    folder: Path


def digest_of(folder: Path) -> str:
    """Return the hash of a folder's content: names and bytes of every file."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            part = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{file.relative_to(folder).as_posix()}\0{part}\n".encode())
    return whole.hexdigest()


def tag_of(serving_version: str, models: tuple[Model, ...]) -> str:
    """Return the tag of the serving image that holds these models.

    It has the version of the server, the newest of the models, and a hash of all that was put in, so that one tag never
    stands for two contents: nodes do not look again for a tag that they have.
    """
    inside = {(model.name, version): digest for model in models for version, digest in model.digests.items()}
    if not inside:
        return serving_version
    content = "".join(f"{name}/{version} {digest}\n" for (name, version), digest in sorted(inside.items()))
    last = [model for model in models if model.digests][-1]
    short = hashlib.sha256(content.encode()).hexdigest()[:8]
    return f"{serving_version}-{last.name}.{max(last.digests)}-{short}"


def server_version(tag: str) -> str:
    """Return the version of the model server in a tag of `tag_of`."""
    return tag.partition("-")[0]


def dockerfile(serving: str, previous: str, kept: list[str], new: NewVersion | None) -> str:
    """Write how the image is made.

    Args:
        serving: The image of the model server.
        previous: The image that holds what is kept.
        kept: `NAME/VERSION` of those.
        new: What comes from the build's folder.
    """
    copies = [f"COPY --from=previous /models/{path} /models/{path}\n" for path in kept]
    if new is not None:
        copies.append(f"COPY model /models/{new.name}/{new.version}\n")
    text = DOCKERFILE.format(previous=previous, serving=serving, copies="".join(copies))
    return text if kept else text.partition("\n")[2]


def local(tier: str, tag: str) -> str:
    """Return what an image is called in the local Docker."""
    return f"tidegate/{tier}:{tag}"


def build(before: State, after: State, serving_version: str, new: NewVersion | None) -> None:
    """Make the serving image of a state.

    Args:
        before: What is deployed, whose image holds the versions that are kept.
        after: What is to be.
        serving_version: Of the model server.
        new: The version to add.

    Raises:
        ImageError: Docker could not.
    """
    added = None if new is None else f"{new.name}/{new.version}"
    inside = [f"{model.name}/{version}" for model in after.models for version in model.digests]
    kept = [path for path in inside if path != added]
    previous = local("serving", before.serving.tag)
    if kept and not is_here(previous):
        raise ImageError(f"{previous}, which has {', '.join(kept)}, is not here: docker pull it, and tag it so")
    text = dockerfile(local("serving", serving_version), previous, kept, new)
    with tempfile.TemporaryDirectory(prefix="tidegate-") as temporary:
        context = Path(temporary)
        (context / "Dockerfile").write_text(text)
        if new is not None:
            _copy_readable(new.folder, context / "model")
        labels = {
            "org.opencontainers.image.version": after.serving.tag,
            "tidegate.models": ",".join(_label(model) for model in after.models),
        }
        _docker_build(context, local("serving", after.serving.tag), labels)


def _label(model: Model) -> str:
    """Name a model and its versions as k8s/images.sh does."""
    return ".".join([model.name, *(str(version) for version in sorted({*model.versions, *model.digests}))])


def _docker_build(context: Path, image: str, labels: Mapping[str, str]) -> None:
    options = [option for name, value in labels.items() for option in ("--label", f"{name}={value}")]
    command = ["docker", "build", "--quiet", "--tag", image, *options, str(context)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise ImageError("docker is not installed: see https://docs.docker.com/engine/install") from None
    if done.returncode != 0:
        raise ImageError(f"{image} was not built. Docker's words:\n{done.stderr.strip() or done.stdout.strip()}")


def _copy_readable(source: Path, target: Path) -> None:
    """Copy a folder for a user of another number to read, whatever its own permissions."""
    shutil.copytree(source, target)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(Path(folder).stat().st_mode | ENTERABLE)
        for file in files:
            path = Path(folder, file)
            path.chmod(path.stat().st_mode | READABLE)


def is_here(image: str) -> bool:
    """Whether the local Docker has an image."""
    try:
        done = subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return done.returncode == 0
