# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples under the names of RHEL: installed by dnf, answering, with RHEL's users, linked."""

from __future__ import annotations

import pytest

ROT13 = """
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(120)
client.sendto(b"Hello, world!", ("127.0.0.1", {port}))
print(client.recv(100).decode())
"""
PACKAGES = ["haproxy", "httpd", "php-cli", "php-common", "php-process", "python3", "valkey"]
DEBIAN = ["/usr/sbin/apache2", "/usr/bin/apt-get", "/usr/bin/redis-server", "/etc/apache2", "/etc/debian_version"]


def state(host, unit):
    return host.run("systemctl is-active %s", unit).stdout.strip()


@pytest.mark.parametrize("name", PACKAGES)
def test_the_package_is_there(host, name):
    assert host.run("rpm -q %s", name).rc == 0


@pytest.mark.parametrize("path", DEBIAN)
def test_nothing_has_the_name_of_debian(host, path):
    assert not host.file(path).exists


@pytest.mark.parametrize("port", [10000, 10001])
def test_rot13_answers(host, port):
    assert host.check_output("python3 -c %s", ROT13.format(port=port)) == "Uryyb, jbeyq!"


@pytest.mark.parametrize(("unit", "program"), [("httpd", "httpd"), ("worker-redis", "valkey-server")])
def test_which_program_runs(host, unit, program):
    process = host.check_output("systemctl show --value --property=MainPID %s", unit).strip()
    assert host.check_output("readlink /proc/%s/exe", process).rpartition("/")[2] == program


def test_httpd_has_the_user_of_rhel(host):
    assert "apache" in host.check_output("ps -o user= -C httpd").split()


def test_the_proxy_passes_requests_on(host):
    assert host.check_output("curl -s http://127.0.0.1:8080/") == "Hello"


def test_a_worker_does_a_job(host, wait_for):
    host.check_output(
        "systemd-run --quiet --pipe --wait -p DynamicUser=yes -p WorkingDirectory=/opt/worker/current "
        "-p EnvironmentFile=/etc/worker.secrets /opt/worker/current/venv/bin/python3 -m celery -A tasks call "
        "tasks.record --args %s",
        '["rhel"]',
    )
    assert wait_for(lambda: host.run("test -s /var/lib/private/worker/rhel").rc == 0)


def test_the_web_server_stops_and_starts_with_the_proxy(host, wait_for):
    host.check_output("systemctl stop haproxy")
    assert wait_for(lambda: state(host, "httpd") == "inactive")
    host.check_output("systemctl start haproxy")
    assert wait_for(lambda: state(host, "httpd") == "active")
