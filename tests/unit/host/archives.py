# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives made from the entries of case files, and the tree that came of one."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile
import warnings
import zipfile

ALL = ("tar", "tar.gz", "tar.xz", "tar.zst", "zip")
_COMPRESS = {
    "tar": bytes,
    "gnu": bytes,
    "tar.gz": gzip.compress,
    "tar.xz": lzma.compress,
    "tar.zst": lambda data: subprocess.run(["zstd", "-cq"], input=data, capture_output=True, check=True).stdout,
}


def make(kind, entries):
    """The bytes of an archive.

    :param kind: of ALL, or ``gnu``: tar in the form of GNU tar.
    """
    return _make_zip(entries) if kind == "zip" else compress(kind, _make_tar(kind, entries))


def compress(kind, data):
    return _COMPRESS[kind](data)


def _content(entry):
    return b"x" * entry["repeat"] if "repeat" in entry else entry.get("text", "").encode()


def _mode(entry):
    return int(entry.get("mode", "0755" if "directory" in entry else "0644"), 8)


def _make_tar(kind, entries):
    output = io.BytesIO()
    form = tarfile.GNU_FORMAT if kind == "gnu" else tarfile.PAX_FORMAT
    with tarfile.open(fileobj=output, mode="w", format=form, errors="surrogateescape") as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry["name"])
            info.mode = _mode(entry)
            info.mtime = 1_000_000_000
            info.linkname = entry.get("link", entry.get("hardlink", ""))
            types = {"directory": b"5", "link": b"2", "hardlink": b"1"}
            info.type = entry.get("type", "").encode() or next((v for k, v in types.items() if k in entry), b"0")
            data = _content(entry)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return output.getvalue()


def _make_zip(entries):
    output = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # that a name stands in it twice is what a case wants
        for entry in entries:
            is_folder = "directory" in entry
            info = zipfile.ZipInfo(entry["name"].rstrip("/") + "/" if is_folder else entry["name"])
            kind = stat.S_IFLNK if "link" in entry else stat.S_IFDIR if is_folder else stat.S_IFREG
            info.external_attr = (kind | _mode(entry)) << 16
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry["link"].encode() if "link" in entry else _content(entry))
    return output.getvalue()


def tree(folder):
    """What is in a folder, in the form of the cases."""
    found = {}
    for below, directories, files in os.walk(folder):
        for name in [*directories, *files]:
            path = os.path.join(below, name)
            found[os.path.relpath(path, folder)] = _seen(path)
    return found


def _seen(path):
    info = os.lstat(path)
    mode = f"{stat.S_IMODE(info.st_mode):o}"
    if stat.S_ISLNK(info.st_mode):
        return f"-> {os.readlink(path)}"
    if stat.S_ISDIR(info.st_mode):
        return mode
    with open(path, "rb") as stream:
        data = stream.read()
    return f"{mode} {data.decode() if len(data) < 100 else f'{len(data)} bytes'}"
