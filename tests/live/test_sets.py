# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several units at once: who is dragged along, sockets, sets and pruning, other scopes, other roots."""

from __future__ import annotations

import pytest
from live.target import said


def sleeper(name, unit=None, service=None, **more):
    text = {
        "Unit": unit or {},
        "Service": {"ExecStart": "/bin/sleep 1000", **(service or {})},
        "Install": {"WantedBy": "multi-user.target"},
    }
    return {"name": name, "sections": text, **more}


@pytest.mark.parametrize("link", ["Requires", "BindsTo", "PartOf"])
def test_what_ran_before_runs_after(target, link):
    chain = [
        sleeper("t-a", state="started"),
        sleeper("t-b", {link: "t-a.service", "After": "t-a.service"}, state="started"),
        sleeper("t-c", {link: "t-b.service", "After": "t-b.service"}, state="started"),
        sleeper("t-d", {link: "t-a.service", "After": "t-a.service"}),
    ]
    assert not target.units(chain).get("failed")
    chained = ("t-a", "t-b", "t-c")
    before = [target.show(name, "InvocationID") for name in chained]
    changed = sleeper("t-a", service={"ExecStart": "/bin/sleep 2000"})
    predicted = target.module("unit", True, **changed)
    result = target.module("unit", **changed)
    assert predicted["actions"] == result["actions"]
    assert said(result)[2:] == ["restart t-a.service", "restart t-b.service", "restart t-c.service"]
    assert [target.show(name, "ActiveState") for name in chained] == ["active"] * 3
    assert not set(before) & {target.show(name, "InvocationID") for name in chained}
    assert target.show("t-d", "ActiveState") == "inactive"


def test_followers_of_a_unit_that_stops_with_its_old_definition(target):
    target.units(
        [
            sleeper("t-a", state="started"),
            sleeper("t-b", {"Requires": "t-a.service", "After": "t-a.service"}, state="started"),
        ]
    )
    result = target.module(
        "unit", **sleeper("t-a", service={"ExecStart": "/bin/sleep 2000", "ExecStop": "/bin/touch /run/t-new"})
    )
    assert said(result)[2:] == ["restart t-a.service", "restart t-b.service"]
    assert target.show("t-b", "ActiveState") == "active"
    assert target.sh("ls /run/t-new 2>/dev/null", check=False) == ""


def test_stop_names_who_goes_down_too(target):
    target.units([sleeper("t-a", state="started"), sleeper("t-b", {"Requires": "t-a.service"}, state="started")])
    result = target.unit("t-a", state="stopped")
    assert said(result) == ["stop t-a.service", "stop t-b.service"]
    assert target.show("t-b", "ActiveState") == "inactive"


def test_socket_and_service(target):
    def both(port, **more):
        return [
            {"name": "t-s.socket", "sections": {"Socket": {"ListenStream": f"127.0.0.1:{port}"}}, "state": "started"},
            {"name": "t-s.service", "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}, **more},
        ]

    assert not target.units(both(9921, state="started")).get("failed")
    result = target.units(both(9922))
    assert not result.get("failed"), result["msg"]
    assert said(result)[-2:] == ["restart t-s.socket", "restart t-s.service"]
    assert target.show("t-s.service", "ActiveState") == target.show("t-s.socket", "ActiveState") == "active"
    assert ":9922" in target.show("t-s.socket", "Listen")
    assert not target.units(both(9922))["changed"]


def test_a_socket_for_a_service_that_runs_already(target):
    service = {"name": "t-s.service", "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}, "state": "started"}
    target.units([service])
    result = target.units(
        [
            service,
            {"name": "t-s.socket", "sections": {"Socket": {"ListenStream": "127.0.0.1:9923"}}, "state": "started"},
        ]
    )
    assert not result.get("failed"), result["msg"]
    assert target.show("t-s.service", "ActiveState") == target.show("t-s.socket", "ActiveState") == "active"


def test_one_reload_for_many_units(target):
    def reloads():
        # Some releases also say who asked for it ("Reload requested from", "Reloading requested from").
        return int(target.sh("journalctl -q --sync; journalctl -q -o cat | grep -c '^Reloading[.]*$'", check=False))

    before = reloads()
    assert not target.units([sleeper(f"t-{n}", state="started", enabled=True) for n in range(20)]).get("failed")
    assert reloads() == before + 1
    assert not target.units([sleeper(f"t-{n}", state="started", enabled=True) for n in range(20)])["changed"]
    assert reloads() == before + 1


def test_prune_removes_what_the_set_no_longer_declares_and_only_that(target):
    three = [sleeper(name, state="started", enabled=True) for name in ("t-a", "t-b", "t-c")]
    three.append({"name": "t-a", "dropin": "10-x", "sections": {"Service": {"RestartSec": 3}}})
    target.units(three, set_name="one")
    target.units([sleeper("t-o", state="started")], set_name="other")
    target.write("/etc/systemd/system/t-foreign.service", "[Service]\nExecStart=/bin/sleep 5\n")
    target.sh("systemctl daemon-reload")
    predicted = target.units([three[0]], set_name="one", prune=True, check=True)
    result = target.units([three[0]], set_name="one", prune=True)
    assert predicted["actions"] == result["actions"]
    assert [word for word in said(result) if word.startswith(("stop", "remove"))] == [
        "stop t-b.service",
        "stop t-c.service",
        "remove t-a.service",
        "remove t-b.service",
        "remove t-c.service",
    ]
    assert target.sh("cd /etc/systemd/system; ls -d t-* */t-*").split() == [
        "multi-user.target.wants/t-a.service",
        "t-a.service",
        "t-foreign.service",
        "t-o.service",
    ]
    assert not target.units([three[0]], set_name="one", prune=True)["changed"]


@pytest.mark.parametrize("later", [{"state": "absent"}, {"state": "started"}, {"dropin": "10-x"}])
def test_what_another_set_declares_is_not_taken_over(target, later):
    both = [sleeper("t-a", state="started"), {"name": "t-a", "dropin": "10-x", "sections": {"Service": {"Nice": 3}}}]
    target.units(both, set_name="one")
    listing = "cd /etc/systemd/system; cat t-a.service t-a.service.d/10-x.conf"
    before = target.sh(listing), target.show("t-a", "InvocationID")
    text = {} if later.get("state") == "absent" else {"sections": {"Service": {"ExecStart": ["", "/bin/sleep 2000"]}}}
    for check in (True, False):
        result = target.units([{"name": "t-a", **text, **later}, sleeper("t-new")], set_name="two", check=check)
        assert result["failed"]
        assert "is of set one" in result["msg"]
        assert "not of set two" in result["msg"]
    assert (target.sh(listing), target.show("t-a", "InvocationID")) == before
    assert target.sh("ls -d /etc/systemd/system/t-new* 2>/dev/null", check=False) == ""
    target.sh("sed -i '/^# Set: one/d' /etc/systemd/system/t-a.service /etc/systemd/system/t-a.service.d/10-x.conf")
    result = target.units([{"name": "t-a", **text, **later}], set_name="two")
    assert not result.get("failed"), result["msg"]


def test_a_unit_goes_and_the_drop_ins_of_other_sets_stay(target):
    target.units([sleeper("t-a")], set_name="one")
    target.units([{"name": "t-a", "dropin": "10-x", "sections": {"Service": {"Nice": 3}}}], set_name="two")
    result = target.units([{"name": "t-a", "state": "absent"}], set_name="one")
    assert any("10-x.conf is not of this set and is left in place" in warning for warning in result["warnings"])
    assert target.sh("ls /etc/systemd/system/t-a.service.d") == "10-x.conf"


def test_max_exposure(target):
    arguments = {"sections": {"Service": {"ExecStart": "/bin/sleep 1000"}}, "max_exposure": 3}
    result = target.unit("t-a", **arguments)
    if target.name.endswith("247"):
        assert "max_exposure" in result["msg"]
        assert "250" in result["msg"]
    else:
        assert "t-a.service" in result["msg"]
        assert "max_exposure allows 3" in result["msg"]
        assert not target.unit("t-a", **{**arguments, "max_exposure": 9.9}).get("failed")


def test_verify_stops_everything(target):
    result = target.units(
        [sleeper("t-a"), sleeper("t-b", service={"ExecStart": "/bin/t-there-is-none"})], fail_on="error"
    )
    assert result["failed"]
    assert "t-there-is-none" in result["msg"]
    assert not result["changed"]
    assert target.sh("find /etc/systemd -name 't-*'") == ""


# Other scopes


@pytest.fixture
def alice(target):
    target.sh("useradd --create-home --shell /bin/sh alice")
    yield "alice"
    target.sh(
        "loginctl disable-linger alice; loginctl terminate-user alice; systemctl stop user@$(id -u alice)", check=False
    )
    target.wait_for("userdel -rf alice || ! id alice")


def as_alice(target, command):
    return target.sh(f"su - alice -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) {command}'", check=False)


def test_units_of_a_user(target, alice):
    wanted = {
        "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}, "Install": {"WantedBy": "default.target"}},
        "state": "started",
        "enabled": True,
        "scope": "user",
        "user": alice,
    }
    refused = target.unit("t-u", **wanted)
    assert refused["failed"]
    assert "linger: true" in refused["msg"]
    assert target.sh("ls -A /home/alice/.config 2>/dev/null", check=False) == ""
    predicted = target.unit("t-u", check=True, linger=True, **wanted)
    result = target.unit("t-u", linger=True, **wanted)
    assert not result.get("failed"), result["msg"]
    assert predicted["actions"] == result["actions"]
    assert target.sh("stat -c '%U %a' /home/alice/.config/systemd/user/t-u.service") == "alice 644"
    assert as_alice(target, "systemctl --user is-active t-u.service") == "active"
    assert not target.unit("t-u", linger=True, **wanted)["changed"]
    target.reboot()
    target.wait_for("su - alice -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user is-active t-u.service'")
    for when in ("03:00", "04:00"):
        schedule = {"Timer": {"OnCalendar": when, "Unit": "t-u.service"}}
        timer = target.unit("t-u.timer", sections=schedule, state="started", scope="user", user=alice)
        assert not timer.get("failed"), timer["msg"]
    assert said(timer)[-1] == "none t-u.timer"
    assert "04:00" in as_alice(target, "systemctl --user list-timers --no-pager t-u.timer")
    wanted["sections"]["Service"]["ExecStart"] = "/bin/false"
    failed = target.unit("t-u", health={"stable": 60}, **wanted)
    assert failed["rolled_back"]
    assert as_alice(target, "systemctl --user is-active t-u.service") == "active"
    both = [{"name": name, "state": "absent"} for name in ("t-u.service", "t-u.timer")]
    gone = target.units(both, scope="user", user=alice, linger=False)
    assert gone["changed"]
    assert target.sh("find /home/alice -name 't-u*'; ls /var/lib/systemd/linger", check=False) == ""


def test_a_link_in_the_home_of_a_user_leads_nowhere(target, alice):
    target.sh(
        "loginctl enable-linger alice; mkdir -p /home/alice/.config/systemd /run/t-victim;"
        " ln -s /run/t-victim /home/alice/.config/systemd/user"
    )
    result = target.unit(
        "t-u", sections={"Service": {"ExecStart": "/bin/sleep 1"}}, scope="user", user=alice, linger=True
    )
    assert result["failed"]
    assert "link" in result["msg"]
    assert target.sh("ls /run/t-victim") == ""


def test_units_of_every_user(target):
    arguments = {
        "sections": {"Service": {"ExecStart": "/bin/sleep 1000"}, "Install": {"WantedBy": "default.target"}},
        "scope": "global",
        "enabled": True,
    }
    predicted = target.unit("t-g", check=True, **arguments)
    result = target.unit("t-g", **arguments)
    assert not result.get("failed"), result["msg"]
    assert predicted["actions"] == result["actions"]
    assert target.sh("cd /etc/systemd/user; ls t-g.service; readlink -f default.target.wants/t-g.service").split() == [
        "t-g.service",
        "/etc/systemd/user/t-g.service",
    ]
    assert not target.unit("t-g", **arguments)["changed"]
    assert target.unit("t-g", state="absent", scope="global")["changed"]
    assert target.sh("find /etc/systemd/user -name 't-g*'") == ""


# A tree as an unpacked image has it; the name of systemd's library tells its release.
MAKE_ROOT = """
rm -rf /opt/t-root
mkdir -p /opt/t-root/etc/systemd/system /opt/t-root/usr/lib/systemd/system
cp -a /usr/lib/systemd/system/*.target /opt/t-root/usr/lib/systemd/system/
library=$(find /usr/lib /lib/systemd -name 'libsystemd-shared-*.so' | head -1)
touch "/opt/t-root/usr/lib/systemd/$(basename "$library")"
"""


def test_another_root_gets_the_same_files_and_links(target):
    target.sh(MAKE_ROOT)
    wanted = [
        sleeper("t-a", state="started", enabled=True),
        {
            "name": "t-w@.service",
            "instances": ["1", "2"],
            "enabled": True,
            "sections": {
                "Service": {"ExecStart": "/bin/sleep 1%i"},
                "Install": {"WantedBy": "multi-user.target", "Alias": "t-al@%i.service"},
            },
        },
        {"name": "t-m.service", "masked": True},
        {"name": "t-a", "dropin": "10-x", "sections": {"Service": {"RestartSec": 3}}},
    ]
    below = target.units(wanted, root="/opt/t-root")
    assert not below.get("failed"), below["msg"]
    assert not target.units(wanted, root="/opt/t-root")["changed"]
    live = target.units(wanted)
    assert not live.get("failed"), live["msg"]
    listing = (
        "find . -name 't-*' -printf '%p %y %m %l\\n' | sed 's,/opt/t-root,,' | sort; cat t-a.service t-a.service.d/*"
    )
    assert target.sh(f"cd /opt/t-root/etc/systemd/system; {listing}") == target.sh(f"cd /etc/systemd/system; {listing}")
    gone = target.units(
        [{"name": item["name"], "state": "absent"} for item in wanted if "dropin" not in item], root="/opt/t-root"
    )
    assert not gone.get("failed"), gone["msg"]
    assert target.sh("find /opt/t-root/etc -name 't-*'; rm -rf /opt/t-root") == ""
