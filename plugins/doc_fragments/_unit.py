# Copyright (c) 2026, The unitcraft.systemd contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What is declared of one unit: options of unit; units takes a list of them."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the unit. Without a suffix it is a service.
      - V(worker@.service) is a template.
    type: str
    required: true
  sections:
    description:
      - "The unit as a mapping of sections: systemd's own names of sections and directives."
      - Numbers and strings are written unchanged, booleans as V(true) or V(false); null omits the directive. An empty
        string writes C(Directive=), which resets earlier values, if systemd accepts that for the directive.
      - A list becomes repeated lines or one line of words, depending on the directive's grammar.
      - C(Environment), C(LogExtraFields) and C(SetCredential) also take a mapping with arbitrary values.
      - An item of an C(Exec) directive is a command line in systemd's syntax, a list of arguments, or a mapping with
        C(argv) and C(prefix). The arguments of a list and of C(argv) reach the program unchanged; spaces, C(%) and C($)
        are escaped.
      - Mutually exclusive with O(content).
    type: dict
  content:
    description: Complete text of the file, instead of O(sections).
    type: str
  dropin:
    description:
      - Name of a drop-in. The module then writes O(sections) or O(content) to C(NAME.d/DROPIN.conf). The unit itself
        may belong to the distribution.
    type: str
  state:
    description:
      - With V(present) the module writes the file and applies the change to a running unit as needed.
      - V(started), V(stopped), V(restarted) and V(reloaded) also set the run state.
      - V(started) starts what is not up, in each run, and waits for what comes up. That includes an ended program,
        a C(oneshot) without C(RemainAfterExit=true), and a unit with unmet conditions. The task reports a change.
      - V(stopped) is refused while a running unit would start it again at once (C(Upholds=), or C(Wants=) of what
        the task starts).
      - V(reloaded) fails when the program does not accept its new configuration, and then puts the old state
        back.
      - V(absent) stops and disables the unit and removes its file, or removes only the drop-in.
        The versions of its O(release) go as well, but for those that a rollback of the rest of the set needs.
        Of a template with O(instances) it stops and disables only these, and keeps the file.
    type: str
    choices: [present, started, stopped, restarted, reloaded, absent]
    default: present
  enabled:
    description:
      - Whether the unit is enabled. When C([Install]) has changed, the module recreates the links.
      - Without this option the enablement stays unchanged.
    type: bool
  masked:
    description: Whether the unit is masked. Without this option the mask stays unchanged.
    type: bool
  instances:
    description:
      - For a template, the instances that O(state) and O(enabled) apply to.
    type: list
    elements: str
  on_change:
    description:
      - What to do with a running unit whose text or trigger has changed. V(auto) decides by the changed directives.
      - With V(auto) the module does not restart the services of single connections (C(Accept=yes)), nor the bus,
        logins, user managers and the like, in which others live.
      - V(restart) restarts it after any change of meaning, V(reload) reloads it, V(none) does nothing. The last two are
        refused for a new C(BindsTo=) to a unit that does not run. Then systemd stops the unit.
      - A running timer adopts a new schedule without starting its unit for a time in the past. Only with
        C(RandomizedDelaySec=) systemd may still do that some time later.
    type: str
    choices: [auto, restart, reload, none]
    default: auto
  triggers:
    description:
      - Files on the target whose content counts as part of the unit. If it changes, a running unit restarts.
      - An item is the absolute path of a file, or a mapping with C(path) and C(reload). With C(reload=true) a change
        reloads the unit.
      - Check mode cannot see what an earlier task would have written. With C(changed=true) in the mapping it assumes
        that the file has changed. A real run reads the file itself.
    type: list
    elements: raw
  files:
    description:
      - Files that belong to the unit, such as programs, configuration and secrets. The module replaces them together
        with the unit and restores them together with it.
      - Each item has exactly one of O(files[].src), O(files[].template), O(files[].content), O(files[].secret),
        O(files[].link), O(files[].directory) and O(files[].state).
      - The controller sends only contents that the target lacks.
    type: list
    version_added: 0.2.0
    elements: dict
    suboptions:
      path:
        description:
          - Absolute path on the target. Parent folders that do not exist are created.
          - It is never in a unit folder. Links in it are followed only if root alone can change them.
        type: str
        required: true
      src:
        description:
          - File or folder on the controller, found and decrypted as M(ansible.builtin.copy) does. A folder with a slash
            at its end stands for its contents.
        type: str
      template:
        description: Template on the controller, found and rendered as M(ansible.builtin.template) does.
        type: str
      content:
        description: Content of the file. A mapping or a list is written as JSON.
        type: str
      secret:
        description:
          - Content that no output shows. Unless declared, owner and mode, V(0600), are those of a new file.
        type: str
      link:
        description: Target of a symbolic link.
        type: str
      directory:
        description: The path is a directory.
        type: bool
      state:
        description:
          - With V(absent) the file or whole directory goes, unless another set has it. Mount points are refused.
          - A rollback brings back a file or a link that was removed, not a directory with its contents.
        type: str
        choices: [absent]
      owner:
        description:
          - Name or number of the owner. By default a file keeps its owner, and a new one belongs to root, with
            O(scope=user) to the user.
        type: str
      group:
        description: Name or number of the group, with the same default.
        type: str
      mode:
        description:
          - Mode as octal digits in quotes, or V(preserve) for that of the file on the controller.
          - By default a file keeps its mode; a new one gets V(0644), a directory V(0755).
          - Directories that come with a folder in O(files[].src) are given the right to search where this mode allows
            to read.
        type: raw
      on_change:
        description:
          - What to do with the running unit when the content changes. An item that changes only owner or mode needs
            nothing.
        type: str
        choices: [restart, reload, none]
        default: restart
      validate:
        description:
          - Program and arguments that must accept the new content before anything is written. V(%s) stands for the path
            of a copy.
        type: list
        elements: str
  release:
    description:
      - A version of a program. The module installs it in C(PATH/releases/VERSION) and switches the symbolic link
        C(PATH/current) together with the unit. When the unit does not come up, the link goes back and the new version
        is removed.
      - Has exactly one of O(release.src) and O(release.remote_src). Several units may declare the same release.
      - Archives are C(tar), C(tar.gz), C(tar.xz), C(zip), and C(tar.zst) if the target has the program C(zstd) or
        Python 3.14. Setuid bits and write access for group and others are dropped. Devices, sparse files, and names and
        links that lead out of the folder are refused.
    type: dict
    version_added: 0.2.0
    suboptions:
      path:
        description: Absolute path of the folder on the target that holds C(releases) and C(current).
        type: str
        required: true
      src:
        description:
          - Archive or folder on the controller, found as M(ansible.builtin.copy) does. The contents of a folder become
            the version. It is sent only if the target lacks the version.
        type: str
      remote_src:
        description: Absolute path of an archive or folder on the target, over no link that others can change.
        type: str
      version:
        description:
          - Name of the version. By default the module derives it from the content and the options of the release.
          - A version never changes. Another content under the same name is refused.
        type: str
      checksum:
        description: SHA-256 that the archive must have, as V(sha256:) and hexadecimal digits.
        type: str
      owner:
        description: Owner of the files. The default is root, with O(scope=user) the user.
        type: str
      group:
        description: Group of the files. The default is that of the owner.
        type: str
      prepare:
        description:
          - Programs with their arguments, each a list. They run one after the other in the new version before it
            becomes current, with a minimal environment.
          - If one fails, nothing is changed, and the message shows its last lines.
        type: list
        elements: raw
      prepare_user:
        description:
          - User who runs O(release.prepare) and owns the files meanwhile. The default is O(release.owner).
        type: str
      prepare_timeout:
        description: Time in seconds that each program of O(release.prepare) may take.
        type: float
        default: 900
      shared:
        description:
          - Names in each version, and absolute paths on the target to which they become symbolic links.
          - O(release.prepare) has to leave these links alone.
        type: dict
      keep:
        description:
          - Number of versions that stay. The running one, the previous one and those of generations always stay.
        type: int
        default: 5
  swap:
    description:
      - Blue and green. Of the two O(instances) of a template one serves at a time, and O(state) speaks of that one. If
        a change would restart it, the other one starts instead. When that is healthy, the requests are sent to it, and
        the one that served is stopped. A version that does not become healthy never gets a request.
      - Has O(swap.link) or O(swap.command), or both. V(%i) in O(swap.target) and O(swap.command) is the instance,
        V(%%) a percent sign.
      - Enablement goes along. If the task fails later, or is not confirmed, the old instance starts with its old
        version, and gets the requests back before the new one stops.
      - The unit file, O(files) and O(release) change for both instances. If the one that serves crashes in this task,
        systemd restarts it as the new version.
      - A change that needs the unit to stop before its files change (C(ExecStop=), C(KillMode=), C(Type=) and the like,
        together with one that needs a restart) is refused.
    type: dict
    version_added: 0.2.0
    suboptions:
      link:
        description:
          - Absolute path of a symbolic link that the module makes lead to O(swap.target). For example a map of HAProxy,
            or a file that nginx includes.
          - It also tells which instance serves while both are down, or both run.
        type: str
      target:
        description: Target of the link. What it leads to are other files, for example two of O(files).
        type: str
      command:
        description:
          - Program and arguments that send the requests to the instance, after the link has changed. It may run more
            than once.
          - It runs as root, with O(scope=user) as the user, for at most 60 seconds. If it fails, all goes back.
        type: list
        elements: str
      drain:
        description:
          - Time in seconds until the old instance stops. The new one must stay healthy meanwhile.
        type: float
        default: 10
"""
