"""Container images for real nodes, made from one static busybox, since nothing is pulled from anywhere; and names in archives.

An image is written as an OCI image layout in a tar file whose bytes depend on its content alone, so that its digest is
the same on every machine with the same busybox. Called by `node`; the format is that of the OCI image specification 1.1.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from podwright.devcluster.errors import DevClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_HOW_TO_SAVE = "Make one with `docker save --output IMAGE.tar IMAGE:TAG`, for example."


@dataclass(frozen=True, kw_only=True)
class Image:
    """What goes into an image of one layer."""

    names: tuple[str, ...]
    """Complete references, with registry and tag; the first is the image's own."""
    command: tuple[str, ...]
    directories: Mapping[str, int] = field(default_factory=dict)
    """Permission bits by path. Paths have no leading slash."""
    programs: Mapping[str, bytes] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    """Target by path."""

    @property
    def label(self) -> str:
        """The image's own name without registry and tag."""
        return self.names[0].rpartition("/")[2].partition(":")[0]


def pause_image(busybox: bytes, *, name: str) -> Image:
    """Return the image of pod sandboxes: a process that holds the pod's namespaces and does nothing."""
    return Image(names=(name,), command=("/busybox", "sleep", "2147483647"), programs={"busybox": busybox})


def busybox_image(busybox: bytes, *, applets: Sequence[str], names: Sequence[str]) -> Image:
    """Return a small user land: a shell and the usual commands, each a link to busybox in `/bin`."""
    return Image(
        names=tuple(names),
        command=("sh",),
        directories={
            "bin": 0o755,
            "dev": 0o755,
            "etc": 0o755,
            "home": 0o755,
            "proc": 0o755,
            "root": 0o700,
            "sys": 0o755,
            "tmp": 0o1777,
        },
        programs={"bin/busybox": busybox},
        texts={
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
            "etc/group": "root:x:0:\nnobody:x:65534:\n",
        },
        links={f"bin/{applet}": "busybox" for applet in sorted(applets) if applet != "busybox"},
    )


def write_image(image: Image, path: Path) -> None:
    """Write `image` to `path` as a tar file with an OCI image layout."""
    layer = _layer(image)
    config = _json(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Cmd": list(image.command), "Env": ["PATH=/usr/local/bin:/bin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, layer)],
        }
    )
    entries = [
        _descriptor(_MANIFEST, manifest) | {"annotations": {"io.containerd.image.name": name}} for name in image.names
    ]
    index = _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries})
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    files |= {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in (config, manifest, layer)}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            _add(archive, name, content=content, mode=0o644)


def names_in(archive: Path) -> tuple[str, ...]:
    """Return the references of the images in `archive`, as `docker save` or an OCI layout names them. Raises DevClusterError."""
    try:
        with tarfile.open(archive, "r:*") as opened:
            found = {
                name: json.load(file)
                for name in ("manifest.json", "index.json")
                if name in opened.getnames() and (file := opened.extractfile(name)) is not None
            }
        names = [tag for entry in found.get("manifest.json", ()) for tag in entry.get("RepoTags") or ()]
        for entry in found.get("index.json", {}).get("manifests", ()):
            annotations = entry.get("annotations", {})
            names += [annotations[key] for key in _NAME_ANNOTATIONS if key in annotations][:1]
    except (OSError, tarfile.TarError, ValueError, AttributeError, TypeError) as error:
        raise DevClusterError(f"{archive} is no archive of container images: {error}.", remedy=_HOW_TO_SAVE) from error
    if not found:
        raise DevClusterError(f"{archive} is no archive of container images.", remedy=_HOW_TO_SAVE)
    if not names:
        raise DevClusterError(f"The images in {archive} have no names.", remedy=_HOW_TO_SAVE)
    return tuple(dict.fromkeys(familiar_name(name) for name in names))


def familiar_name(reference: str) -> str:
    """Return a reference as people write it: what Docker Hub's defaults add is left out."""
    return reference.removeprefix("docker.io/library/").removeprefix("docker.io/")


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mode in sorted(image.directories.items()):
            _add(archive, name, kind=tarfile.DIRTYPE, mode=mode)
        for name, program in sorted(image.programs.items()):
            _add(archive, name, content=program, mode=0o755)
        for name, text in sorted(image.texts.items()):
            _add(archive, name, content=text.encode(), mode=0o644)
        for name, target in sorted(image.links.items()):
            _add(archive, name, kind=tarfile.SYMTYPE, link=target, mode=0o777)
    return buffer.getvalue()


def _add(
    archive: tarfile.TarFile,
    name: str,
    *,
    mode: int,
    content: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
) -> None:
    # TarInfo's defaults are owner 0, group 0 and modification time 0, which is what makes the bytes reproducible.
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), link
    archive.addfile(entry, io.BytesIO(content))


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
