# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay a Debian container out as RHEL is. Runs inside it, as root, once.

It is no RHEL: Debian's programs, in packages that this program makes, with the names, paths, units and users of RHEL,
installed by dnf. What has Debian's name goes, so a role that asks for it fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

RELEASES = {"12": "9.6", "13": "10.0"}
REPOSITORY = Path("/srv/packages")
TOOLS = ("createrepo-c", "dnf", "rpm")
# Debian's places of what the packages hold, and its package manager. Its library stays: Ansible would else respawn.
GOES = (
    "/etc/apache2",
    "/etc/apt",
    "/etc/debian_version",
    "/etc/haproxy",
    "/etc/php",
    "/etc/redis",
    "/usr/bin/apt",
    "/usr/bin/apt-get",
    "/usr/bin/dpkg",
    "/usr/lib/apache2",
    "/usr/lib/systemd/system/apache2.service",
    "/usr/lib/systemd/system/haproxy.service",
    "/usr/lib/systemd/system/redis-server.service",
    "/usr/sbin/apache2",
    "/usr/sbin/apachectl",
    "/usr/sbin/haproxy",
)


class Package(NamedTuple):
    """A package: {place: what is copied there, or a text}, and a user that it makes."""

    name: str
    content: dict[str, Path | str]
    user: str = ""


HTTPD_CONF = """\
ServerRoot "/etc/httpd"
ServerName localhost
Listen 80
PidFile /run/httpd/httpd.pid
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule dir_module modules/mod_dir.so
User apache
Group apache
DocumentRoot "/var/www/html"
ErrorLog /run/httpd/error_log
"""
HTTPD_UNIT = """\
[Unit]
Description=The Apache HTTP Server
After=network.target remote-fs.target nss-lookup.target

[Service]
Environment=LANG=C
RuntimeDirectory=httpd
# Debian's program would look for /etc/apache2/apache2.conf.
ExecStart=/usr/sbin/httpd -f /etc/httpd/conf/httpd.conf -DFOREGROUND
ExecReload=/usr/sbin/httpd -f /etc/httpd/conf/httpd.conf -k graceful
KillSignal=SIGWINCH
KillMode=mixed
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""
HAPROXY_UNIT = """\
[Unit]
Description=HAProxy Load Balancer
After=network-online.target
Wants=network-online.target

[Service]
EnvironmentFile=-/etc/sysconfig/haproxy
Environment="CONFIG=/etc/haproxy/haproxy.cfg" "PIDFILE=/run/haproxy.pid"
ExecStartPre=/usr/sbin/haproxy -f $CONFIG -c -q
ExecStart=/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE
ExecReload=/usr/sbin/haproxy -f $CONFIG -c -q
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Type=notify

[Install]
WantedBy=multi-user.target
"""
HAPROXY_CONF = """\
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend nobody
    bind 127.0.0.1:5000
"""


def php_extensions(*names: str) -> dict[str, Path | str]:
    """Content of a package: extensions, and the settings that let PHP load them, where Debian's PHP looks for both."""
    modules = next(Path("/usr/lib/php").glob("2*"))
    settings = next(Path("/etc/php").glob("*/cli/conf.d"))
    return {
        **{str(modules / f"{name}.so"): modules / f"{name}.so" for name in names},
        **{str(settings / f"20-{name}.ini"): f"extension={name}.so\n" for name in names},
    }


def packages() -> list[Package]:
    """What the roles and the playbook site ask for on RHEL."""
    return [
        Package("python3", {}),
        Package("php-cli", {"/usr/bin/php": Path("/usr/bin/php").resolve()}),
        Package("php-common", php_extensions("ctype", "iconv", "phar", "sockets", "tokenizer")),
        Package("php-process", php_extensions("posix", "shmop", "sysvmsg", "sysvsem", "sysvshm")),
        Package("valkey", {"/usr/bin/valkey-server": Path("/usr/bin/redis-server").resolve()}, "valkey"),
        Package(
            "httpd",
            {
                "/usr/sbin/httpd": Path("/usr/sbin/apache2"),
                "/etc/httpd/modules": Path("/usr/lib/apache2/modules"),
                "/etc/httpd/conf/httpd.conf": HTTPD_CONF,
                "/usr/lib/systemd/system/httpd.service": HTTPD_UNIT,
                "/var/www/html/index.html": "Hello\n",
            },
            "apache",
        ),
        Package(
            "haproxy",
            {
                "/usr/sbin/haproxy": Path("/usr/sbin/haproxy"),
                "/etc/haproxy/haproxy.cfg": HAPROXY_CONF,
                "/usr/lib/systemd/system/haproxy.service": HAPROXY_UNIT,
            },
            "haproxy",
        ),
    ]


def run(*command: str) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")


def make(package: Package) -> None:
    """Fill the tree of a package and build it."""
    tree = Path("/tmp/packages", package.name)  # noqa: S108 - within a container of a test, without other users
    for place, content in package.content.items():
        target = tree / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            target.write_text(content)
        elif content.is_dir():
            shutil.copytree(content, target)
        else:
            shutil.copy2(content, target)
    tree.mkdir(parents=True, exist_ok=True)
    adds = f"%pre\nid {package.user} >/dev/null 2>&1 || useradd -r -s /sbin/nologin {package.user}\n"
    spec = tree.with_suffix(".spec")
    files = "\n".join(package.content)
    spec.write_text(
        textwrap.dedent("""\
            Name: {name}
            Version: 1
            Release: 1
            Summary: {name} with the programs of Debian
            License: GPL-3.0-or-later
            AutoReqProv: no
            Provides: /bin/sh
            %description
            {name}
            {user}%files
            {files}
            """).format(name=package.name, user=adds if package.user else "", files=files)
    )
    # What rpmbuild would strip and compress is Debian's already.
    nothing = ("--define=debug_package %{nil}", "--define=__os_install_post %{nil}")
    run("rpmbuild", "-bb", *nothing, f"--define=_rpmdir {REPOSITORY}", f"--buildroot={tree}", str(spec))


def become_rhel(release: str) -> None:
    """What Ansible's facts are made of, and where dnf finds packages."""
    system = f'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="{release}"\n'
    Path("/etc/os-release").unlink()
    Path("/etc/os-release").write_text(system + f'PRETTY_NAME="Debian, laid out as Rocky Linux {release}"\n')
    for name in ("rocky-release", "redhat-release"):
        Path("/etc", name).write_text(f"Rocky Linux release {release} (laid out)\n")
    Path("/etc/yum.repos.d").mkdir(parents=True, exist_ok=True)
    Path("/etc/yum.repos.d/laid-out.repo").write_text(
        f"[laid-out]\nname=Laid out\nbaseurl=file://{REPOSITORY}\ngpgcheck=0\n"
    )
    Path("/etc/dnf/vars").mkdir(parents=True, exist_ok=True)
    Path("/etc/dnf/vars/releasever").write_text(release.partition(".")[0])


def main() -> None:
    if REPOSITORY.exists():
        sys.exit("this container is laid out already")
    debian = Path("/etc/debian_version").read_text().partition(".")[0]
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "-q", "update")
    run("apt-get", "-q", "-y", "--no-install-recommends", "install", *TOOLS)
    for package in packages():
        make(package)
    run("createrepo_c", "-q", str(REPOSITORY))
    for binary in (Path("/usr/bin/php"), Path("/usr/bin/redis-server")):
        binary.resolve().unlink()
        binary.unlink()
    for user in ("haproxy", "redis", "www-data"):
        run("userdel", user)
    for extension in Path("/usr/lib/php").glob("2*/*.so"):
        extension.unlink()
    become_rhel(RELEASES[debian])
    for place in map(Path, GOES):
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    run("systemctl", "daemon-reload")


if __name__ == "__main__":
    main()
