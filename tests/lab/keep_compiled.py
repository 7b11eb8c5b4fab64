# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what Python compiles of archives; imported at each start of Python in a container.

Ansible sends a module and its imports as an archive of sources, which Python compiles anew in each call: half of the
call's time. See containers.keep_compiled().
"""

import _imp
import marshal
import os
import zipimport

# containers.keep_compiled() makes it.
FOLDER = f"{os.path.dirname(__file__)}/keep_compiled.d"
compile_source = zipimport._compile_source


def compile_once(path, source):
    """What ``zipimport`` compiles of a source, kept by its content."""
    place = f"{FOLDER}/{_imp.source_hash(0, source).hex()}"
    try:
        with open(place, "rb") as file:
            code = marshal.load(file)  # noqa: S302  only root writes there
    except OSError:
        return keep(place, compile_source(path, source))
    _imp._fix_co_filename(code, path)
    return code


def keep(place, code):
    new = f"{place}.{os.getpid()}"
    try:
        with open(new, "xb") as file:
            marshal.dump(code, file)
        os.replace(new, place)
    except OSError:
        return code  # an ordinary user's: it is compiled again the next time
    return code


zipimport._compile_source = compile_once
